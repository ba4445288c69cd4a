"""P16: how many turns of lanes a practice waits for behind another one's thousands.

The first practice has 10,000 invoices in the queue, by ten clicks, and one worker that can take
one lane at a time is busy with them when the second practice uploads a single invoice.
"""

import threading
import time
from typing import Any

import measure

CLICKS = 10
# Only ends a broken run.
PATIENCE = 60.0
# Shorter than the product's own, so that the first practice has work for many turns.
TURN_SECONDS = 0.2


def main() -> None:
    invoices = measure.size(full=10_000, quick=1_000)
    with measure.product():
        import firm
        from celery import current_app
        from django.conf import settings

        from interfaces import lanes
        from invoicing import workers
        from invoicing.models import Upload
        from offices.tenancy import acting_for

        turns: list[tuple[int, float]] = []
        began = threading.Condition()
        take = lanes.take

        def counted(**asked: Any) -> lanes.Held | None:
            held = take(**asked)
            if held:
                with began:
                    turns.append((held.practice_id, time.monotonic()))
                    began.notify_all()
            return held

        def left(one: firm.Firm) -> int:
            with acting_for(one.practice.pk):
                return Upload.objects.exclude(state="sent").count()

        with firm.opened() as first:
            second = firm.connected(first.xero)
            settings.UPLOAD_TURN_SECONDS = TURN_SECONDS
            lanes.take = counted
            for one in (first, second):  # their clients become known
                one.upload(1)
                one.work()
            # Their bells, which nobody answered, would be heard before those that count.
            current_app.control.purge()
            turns.clear()
            for _ in range(CLICKS):
                first.upload(invoices // CLICKS)
            running = workers.start()
            with began:
                began.wait_for(lambda: turns, timeout=PATIENCE)
            second.upload(1)
            clicked = time.monotonic()
            while left(second) and time.monotonic() - clicked < PATIENCE:
                time.sleep(0.02)
            waited, waiting = time.monotonic() - clicked, left(first)
            running.stop()
            if left(second):
                raise RuntimeError("The second practice's invoice was not sent.")
            own = [practice for practice, _ in turns].index(second.practice.pk)
            # Its own, and those before it that began after its click.
            behind = 1 + sum(began_at > clicked for _, began_at in turns[:own])
            if not waiting and behind == 1:
                raise RuntimeError("The first practice had nothing left: nothing is shown by it.")

    measure.report(
        "P16 turns waited for",
        behind,
        at_most=2,
        n=invoices,
        left_of_first=waiting,
        seconds=waited,
    )
    measure.end()


if __name__ == "__main__":
    main()
