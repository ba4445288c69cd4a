"""P2, P3: how many calls invoices take, with nothing known of the firm yet and with all known.

Jobs are an extra line: Xero takes one tracking option at a time, so they cost a call each, once.
"""

import measure

DOCUMENTS = ("PUT", "/api.xro/2.0/Invoices")


def main() -> None:
    invoices, clients, jobs = 1000, 300, 100
    if measure.asked().quick:
        invoices, clients, jobs = 200, 60, 20
    with measure.product():
        import firm

        from interfaces.codes import refresh_codes

        def calls_for(one: firm.Firm, *, jobs: int) -> tuple[int, int]:
            """The calls that carry so many new invoices, and all other calls there were."""
            one.upload(invoices, clients=clients, jobs=jobs)
            one.work()
            one.must_be_sent()
            asked = [(seen.method, seen.path) for seen in one.xero.requests]
            one.xero.clear()
            return asked.count(DOCUMENTS), len(asked) - asked.count(DOCUMENTS)

        with firm.opened(clients=clients) as one:
            one.xero.clear()
            refresh_codes(practice_id=one.practice.pk, interface_id=one.interface.pk)
            _, cold = calls_for(one, jobs=0)
            writes, warm = calls_for(one, jobs=0)
        with firm.opened(clients=clients, jobs=jobs) as one:
            one.xero.clear()
            _, with_jobs = calls_for(one, jobs=jobs)

    told = {"n": invoices, "clients": clients}
    measure.report("P2 writes per invoice", writes / invoices, at_most=1 / 50, calls=writes, **told)
    measure.report("P3 other calls, cold", cold / invoices, at_most=0.05, calls=cold, **told)
    measure.report("P3 other calls, warm", warm / invoices, at_most=0.005, calls=warm, **told)
    measure.report(
        "P3 other calls, cold, with jobs",
        with_jobs / invoices,
        at_most=0.05 + jobs / invoices,
        calls=with_jobs,
        jobs=jobs,
        **told,
    )
    measure.end()


if __name__ == "__main__":
    main()
