"""A process for tests in which somebody clicks: each invoice by itself, and its turns between.

It says "ready", waits for a line, and begins. With DIE_IN_WRITE it is killed in the middle of the
first click's transaction.
"""

import os
import signal
import sys


def main() -> None:
    """Click the invoices named on the command line after practice, interface and user."""
    from tests.faults.worker import set_up

    set_up()
    from interfaces import lanes
    from invoicing.uploads import enqueue, lane
    from offices.models import User
    from offices.tenancy import acting_for

    practice, interface, user, *invoices = (int(one) for one in sys.argv[1:])
    actor = User.objects.get(pk=user)
    if os.environ.get("DIE_IN_WRITE"):
        lanes.wake = lambda interface_id: os.kill(os.getpid(), signal.SIGKILL)
    print("ready", flush=True)
    sys.stdin.readline()
    for invoice in invoices:
        with acting_for(practice):
            asked = enqueue(invoice_ids=[invoice], actor=actor)
        assert asked.queued == 1
        lane.drain(practice_id=practice, interface_id=interface)


if __name__ == "__main__":
    main()
