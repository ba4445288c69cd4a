"""The workers of the random driver: the product's own, dying and stopping by a seeded die.

`python -m tests.faults.crew` is the worker inside a process, with its sweeper, as on SQLite; for
the server shape see `crew_celery`.
"""

import os
import random
import signal
import threading
from dataclasses import replace
from datetime import timedelta

from tests.packages import make_known

make_known()

from connectors import registry  # noqa: E402 - only now may the settings be read

# So many more calls than a package allows that nothing waits for a count: a run is short.
PLENTY = 100
SWEEP = timedelta(seconds=0.5)


def hurry() -> None:
    """Let this process sweep often, and wait for no limit of a package."""
    from django.conf import settings

    known = {
        key: replace(
            one,
            limits=replace(
                one.limits,
                rates=tuple(replace(rate, calls=rate.calls * PLENTY) for rate in one.limits.rates),
            ),
        )
        for key, one in registry.packages().items()
    }
    registry.packages = lambda: known  # type: ignore[assignment]
    settings.CELERY_BEAT_SCHEDULE["sweep"]["schedule"] = SWEEP


def play_with_fate() -> None:
    """At every place on an upload's way: go on, die, or stop until somebody lets us go on."""
    from invoicing.uploads import killpoints

    die = random.Random(os.environ["FATE"])  # noqa: S311 - no secret
    deaths, usually = float(os.environ["DEATHS"]), float(os.environ["STOPS"])
    stops_at = {killpoints.BEFORE_SOCKET: float(os.environ["STOPS_BEFORE_SOCKET"])}
    lock = threading.Lock()

    def reached(place: str) -> None:
        with lock:
            thrown = die.random()
        if thrown < deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        elif thrown < deaths + stops_at.get(place, usually):
            os.kill(os.getpid(), signal.SIGSTOP)

    killpoints.reached = reached


def main() -> None:
    """The embedded worker, until it is told to stop."""
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
    import django

    django.setup()
    hurry()
    play_with_fate()
    from abtrac_link.celery import app as product
    from invoicing import workers

    product.conf.beat_schedule["sweep"]["schedule"] = SWEEP
    running = workers.start()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    over.wait()
    running.stop()


if __name__ == "__main__":
    main()
