"""A worker process for tests: one turn at one lane, dying or stopping where it is told."""

import os
import signal
import sys


def main() -> None:
    """Take the turn of the practice and interface named on the command line."""
    from tests.packages import make_known

    make_known()
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
    import django

    django.setup()
    from invoicing.uploads import killpoints, lane

    signs = {os.environ["KILL_AT"]: signal.SIGKILL, os.environ["STOP_AT"]: signal.SIGSTOP}

    def reached(place: str) -> None:
        sign = signs.pop(place, None)
        if sign is not None:
            os.kill(os.getpid(), sign)

    killpoints.reached = reached
    lane.drain(practice_id=int(sys.argv[1]), interface_id=int(sys.argv[2]))


if __name__ == "__main__":
    main()
