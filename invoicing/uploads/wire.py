"""Whose call may be made: as many hands of one turn at once as the package allows calls."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# For how many seconds at most whoever has an answer lets the next call leave before it is written
# down. A matter of order alone: the database takes one of the two at a time.
HEAD_START = 0.05


class Wire:
    """Given to one hand after the other, and the next call leaves first.

    The package then works on it while the last one's answer is written down, and not only after.
    """

    def __init__(self) -> None:
        self._free = threading.Semaphore(1)
        self._changed = threading.Condition()
        # The threads that stand in line, or whose call has not left yet.
        self._starting: set[int] = set()

    def allow_more(self, calls: int) -> None:
        """So many more calls at once than one."""
        if calls:
            self._free.release(calls)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """The wire is this thread's, as soon as one is free."""
        with self._changed:
            self._starting.add(threading.get_ident())
        try:
            with self._free:
                yield
        finally:
            self.has_left()

    def has_left(self) -> None:
        """This thread's call is off, or will not be made."""
        with self._changed:
            self._starting.discard(threading.get_ident())
            self._changed.notify_all()

    def let_next_leave(self) -> None:
        """Wait until nobody is about to call any more, but not for long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._starting, timeout=HEAD_START)
