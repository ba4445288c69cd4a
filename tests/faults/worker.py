"""A worker process for tests: one turn at one lane, with what is to happen to it on the way.

The environment names the places of `killpoints`: at KILL_AT it dies, at STOP_AT it stops, from
FULL_AT on no file can be written, as on a full disk. Its clock is CLOCK_AHEAD seconds ahead.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import time_machine


def set_up() -> None:
    """Django on the tests' database, with the invented packages known."""
    from tests.packages import make_known

    make_known()
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
    import django

    django.setup()


def main() -> None:
    """Take the turn of the practice and interface named on the command line."""
    set_up()
    if ahead := os.environ.get("CLOCK_AHEAD"):
        there = datetime.now(UTC) + timedelta(seconds=float(ahead))
        time_machine.travel(there, tick=True).start()
    from invoicing.uploads import killpoints, lane

    happens: dict[str, Callable[[], None]] = {
        os.environ.get("KILL_AT", ""): lambda: os.kill(os.getpid(), signal.SIGKILL),
        os.environ.get("STOP_AT", ""): lambda: os.kill(os.getpid(), signal.SIGSTOP),
        os.environ.get("FULL_AT", ""): fill_the_disk,
    }

    def reached(place: str) -> None:
        happens.pop(place, lambda: None)()

    killpoints.reached = reached
    lane.drain(practice_id=int(sys.argv[1]), interface_id=int(sys.argv[2]))


def fill_the_disk() -> None:
    """From here on the system refuses this process every byte it writes to a file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    main()
