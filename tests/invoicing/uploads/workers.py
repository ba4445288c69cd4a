"""Workers that die or fall asleep at a kill point, and may wake up later.

Each takes its turn in a thread of its own, which runs only while the test waits for it: so the
order of things is the test's alone. They share the test's connection, and at a kill point no
transaction is open.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import pytest
from django.db import connections

from connectors import registry
from connectors.base.protocol import Package
from interfaces import clock
from invoicing.uploads import killpoints, recorder, resolve, turn
from tests.invoicing.uploads.shop import Shop
from tests.invoicing.uploads.till import TillConnector

DURING_LOOK_UP = "during a look-up"
ON_THE_WIRE = "after the package has done it, before its answer is here"
PLACES = (
    killpoints.BEFORE_CLAIM,
    killpoints.AFTER_CLAIM,
    killpoints.BEFORE_SOCKET,
    killpoints.AFTER_ANSWER,
    killpoints.AFTER_RECORD,
    DURING_LOOK_UP,
    ON_THE_WIRE,
)

_here = threading.local()


class Killed(BaseException):
    """The worker ends here: what comes after it in the product's code is not run."""


class Fate(Enum):
    """What becomes of a worker at a place."""

    DIES = "dies"
    SLEEPS = "sleeps"


@dataclass(frozen=True)
class Stop:
    """Where a worker stops: the place, the how-manieth time it is there, and what it does."""

    place: str
    time: int
    fate: Fate


class Worker:
    """One turn of a worker. Its `run` and `wake` answer when it has ended, or sleeps."""

    def __init__(self, turn: Callable[[], None], stop: Stop | None = None) -> None:
        self._turn = turn
        self._stop = stop
        self._times = 0
        self._dies = False
        self._error: BaseException | None = None
        self._go_on = threading.Semaphore(0)
        self._stands = threading.Semaphore(0)
        self._connection = connections["default"]
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.is_asleep = False

    def run(self) -> None:
        """Let it take its turn."""
        self._connection.inc_thread_sharing()
        self._thread.start()
        self._wait()

    def wake(self) -> None:
        """Let it go on from where it fell asleep, knowing nothing of what was meanwhile."""
        self._go_on.release()
        self._wait()

    def kill(self) -> None:
        """Let it never wake up."""
        self._dies = True
        self.wake()

    def reach(self, place: str) -> None:
        """Called in its own thread, at a kill point."""
        if self._stop is None or place != self._stop.place:
            return
        self._times += 1
        if self._times != self._stop.time:
            return
        if self._stop.fate is Fate.SLEEPS:
            self.is_asleep = True
            self._stands.release()
            self._go_on.acquire()
            self.is_asleep = False
        if self._dies or self._stop.fate is Fate.DIES:
            raise Killed

    def _wait(self) -> None:
        # A bound only for a test that is broken.
        assert self._stands.acquire(timeout=60), "The worker neither ends nor sleeps."
        if self.is_asleep:
            return
        self._thread.join()
        self._connection.dec_thread_sharing()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        _here.worker = self
        connections["default"] = self._connection
        try:
            self._turn()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
        finally:
            self._stands.release()


def install(patch: pytest.MonkeyPatch, shop: Shop, *, package: Package) -> None:
    """Let workers use that shop, in its time, and stop where they are told."""
    shop.during_call = lambda: killpoints.reach(DURING_LOOK_UP)
    shop.on_the_wire = lambda: killpoints.reach(ON_THE_WIRE)
    patch.setattr(TillConnector, "books", shop, raising=False)
    patch.setattr(registry, "packages", lambda: {"till": package})
    patch.setattr(clock, "now", lambda: shop.time.now)
    for module in (recorder, resolve, turn):
        patch.setattr(module, "time", shop.time)
    patch.setattr(killpoints, "reached", reached)


def reached(place: str) -> None:
    """For `killpoints.reached`: told to the worker whose thread this is."""
    worker: Worker | None = getattr(_here, "worker", None)
    if worker is not None:
        worker.reach(place)
