"""P18: whether a worker that has sent ten thousand invoices is larger than after a hundred.

The worker is a process of its own; what it keeps in memory is what the system says of it. Embedded,
it hears no bell from another process, so each click waits for the next sweep.
"""

from pathlib import Path

import measure

FEW, CLICKS = 100, 3


def memory(pid: int) -> int:
    """The bytes the process has in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("The system does not say how large the worker is.")


def main() -> None:
    invoices = measure.size(full=10_000, quick=1_000)
    with measure.product():
        import firm
        import worker
        from django.conf import settings

        with firm.opened() as one, worker.running(worker.WORKER, BENCH_GENEROUS="1") as processes:

            def send(count: int) -> int:
                """The worker's size when it has sent that many more."""
                one.upload(count)
                worker.wait_for(lambda: one.is_idle, processes)
                one.xero.clear()
                return memory(processes[0].pid)

            early = send(FEW)
            sizes = [send((invoices - FEW) // CLICKS) for _ in range(CLICKS)]
            one.must_be_sent()
        shape = "embedded" if settings.EMBEDDED else "server"

    measure.report(
        f"P18 memory after {invoices:,} / after {FEW}, {shape}",
        sizes[-1] / early,
        at_most=1.1,
        n=invoices,
        early=early,
        late=sizes[-1],
        largest=max(sizes),
    )
    measure.end()


if __name__ == "__main__":
    main()
