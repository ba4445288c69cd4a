"""P13: from the click on Upload to accounts to its answer, for a thousand invoices and for ten.

The click is the whole request: session, form, batch, audit and where it leads to. Each invoice
has two lines, and about every third a client and a job of its own.
"""

from functools import partial
from statistics import median
from urllib.parse import urlencode

import measure

FEW, MANY = 10, 1000
FORM = "application/x-www-form-urlencoded"


def main() -> None:
    rounds = measure.size(full=9, quick=5)
    clients = MANY * 3 // 10
    with measure.product():
        import firm
        from django.conf import settings
        from django.db import connection
        from django.test import Client
        from django.test.utils import CaptureQueriesContext

        from abtrac_link.loading import load_for_good
        from invoicing.models import Upload
        from offices.tenancy import acting_for

        settings.REQUIRE_TOTP = False

        def click(one: firm.Firm, browser: Client, ids: list[int]) -> None:
            address = f"/{one.practice.slug}/accounting/upload/send/"
            form = urlencode({"invoice": ids}, doseq=True)
            answer = browser.post(address, form, content_type=FORM)
            if answer.status_code != 302 or "/batches/" not in answer["Location"]:
                raise RuntimeError(f"The click was answered by {answer.status_code}.")

        with firm.opened(clients=clients, jobs=clients) as one:
            browser = Client(headers={"host": "localhost"})
            browser.force_login(one.user)
            load_for_good()  # as a web process has
            seconds: dict[int, list[float]] = {FEW: [], MANY: []}
            queries: dict[int, int] = {}
            for turn in range(rounds + 1):
                for invoices, taken in seconds.items():
                    ids = one.commit(invoices, jobs=invoices * 3 // 10, lines=2)
                    work = partial(click, one, browser, ids)
                    if turn:
                        taken.append(measure.timed(work))
                        continue
                    # The first loads what a running server has loaded.
                    with CaptureQueriesContext(connection) as captured:
                        work()
                    queries[invoices] = len(captured)
            with acting_for(one.practice.pk):
                queued = Upload.objects.filter(kind="invoice", state="queued").count()
            if queued != (rounds + 1) * (FEW + MANY):
                raise RuntimeError(f"Only {queued} invoices were queued.")

    few, many = median(seconds[FEW]), median(seconds[MANY])
    measure.report(
        "P13 click for 1,000 / for 10", many / few, at_most=8, n=MANY, few=few, many=many
    )
    measure.report(
        "P13 queries for 1,000 / for 10",
        queries[MANY] / queries[FEW],
        at_most=1,
        n=MANY,
        few=queries[FEW],
        many=queries[MANY],
    )
    measure.end()


if __name__ == "__main__":
    main()
