"""P15: how soon an upload is sent after all when the worker sending it was killed.

A worker process is killed with the answer to its call still out. From there on nobody helps it:
the lease must end, the sweep must find that, and Xero must be asked what became of the call.
Embedded, worker and scheduler are one process, which whoever watches over it starts again at once;
on a server another worker and the scheduler are there already.
"""

import threading
import time
from statistics import median
from typing import Any

import measure

INVOICES = r"/api\.xro/2\.0/Invoices"


def main() -> None:
    kills = measure.size(full=3, quick=1)
    # One that a benchmark can wait for; the product's own is a minute.
    lease = measure.size(full=10, quick=5)
    environment = {
        "UPLOAD_LEASE_SECONDS": str(lease),
        "UPLOAD_LEASE_MARGIN_SECONDS": "1",
        "XERO_READ_TIMEOUT": str(lease - 1),
        # Xero may be asked at once what became of it.
        "UPLOAD_LOOKUP_SECONDS": "0,1,1",
        "UPLOAD_SETTLE_SECONDS": "0",
    }
    with measure.product():
        import firm
        import worker
        from django.conf import settings

        from connectors.base.standin import Hold
        from connectors.xero.standin import XeroStandIn
        from interfaces.models import Lane

        every: Any = settings.CELERY_BEAT_SCHEDULE["sweep"]["schedule"]
        sweep = every.total_seconds()

        def reached(xero: XeroStandIn) -> bool:
            return any(seen.took_effect and seen.method == "PUT" for seen in xero.requests)

        def recovered(one: firm.Firm, processes: list[worker.Process], *, after: float) -> float:
            """Seconds from the kill to the upload's being known as sent."""
            time.sleep(after)
            one.xero.clear()
            answer = threading.Event()
            one.xero.script(method="PUT", path=INVOICES, fault=Hold(answer, after_effect=True))
            one.upload(1)
            worker.wait_for(lambda: reached(one.xero), processes)
            fence = Lane.objects.get(interface=one.interface).fence
            victim = processes.pop(0)
            killed = time.monotonic()
            victim.kill()
            victim.wait()
            answer.set()
            processes.append(worker.start(worker.WORKER, **environment))
            seconds = worker.wait_for(lambda: one.is_idle, processes) - killed
            one.must_be_sent()
            if Lane.objects.get(interface=one.interface).fence == fence:
                raise RuntimeError("The worker that was killed did not hold the lane.")
            return seconds

        with firm.opened() as one:
            roles = [worker.WORKER]
            if not settings.EMBEDDED:
                roles.append(worker.SCHEDULER)
            with worker.running(*roles, **environment) as processes:
                one.upload(1)
                worker.wait_for(lambda: one.is_idle, processes)
                # What is idle has just been swept: the kills are spread over the sweep's round.
                spread = [sweep * (at + 0.5) / kills for at in range(kills)]
                seconds = [recovered(one, processes, after=after) for after in spread]
        shape = "embedded" if settings.EMBEDDED else "server"

    measure.report(
        f"P15 recovery / (lease + sweep), {shape}",
        median(seconds) / (lease + sweep),
        at_most=1.0,
        n=kills,
        longest=max(seconds),
        lease=lease,
        sweep=sweep,
    )
    measure.end()


if __name__ == "__main__":
    main()
