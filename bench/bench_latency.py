"""P14: from the click on Upload to accounts to the first call at the package, while all is idle.

The click is the request. Embedded, the worker is in the same process as the pages; a server has a
worker process beside them.
"""

from contextlib import nullcontext
from datetime import UTC, datetime
from statistics import median
from typing import Any
from urllib.parse import urlencode

import measure

FORM = "application/x-www-form-urlencoded"


def main() -> None:
    clicks = measure.size(full=15, quick=5)
    with measure.product():
        import firm
        import worker
        from django.conf import settings
        from django.test import Client

        from invoicing import workers

        settings.REQUIRE_TOTP = False

        def first_call(one: firm.Firm, browser: Client) -> float:
            """Seconds from a click to the call that it led to."""
            ids = one.commit(10)
            one.xero.clear()
            address = f"/{one.practice.slug}/accounting/upload/send/"
            form = urlencode({"invoice": ids}, doseq=True)
            clicked = datetime.now(UTC)
            browser.post(address, form, content_type=FORM)
            worker.wait_for(lambda: one.xero.requests and one.is_idle, processes)
            return (one.xero.requests[0].at - clicked).total_seconds()

        with firm.opened() as one:
            embedded = workers.start() if settings.EMBEDDED else None
            beside: Any = nullcontext([]) if embedded else worker.running(worker.WORKER)
            browser = Client(headers={"host": "localhost"})
            browser.force_login(one.user)
            with beside as processes:
                # The first finds out when the worker is there, and loads what is loaded once.
                seconds = [first_call(one, browser) for _ in range(clicks + 1)][1:]
            if embedded:
                embedded.stop()
            one.must_be_sent()
        shape, target = ("embedded", 1.0) if settings.EMBEDDED else ("server", 0.5)

    measure.report(
        f"P14 click to first call, {shape}",
        median(seconds),
        at_most=target,
        n=clicks,
        longest=max(seconds),
    )
    measure.end()


if __name__ == "__main__":
    main()
