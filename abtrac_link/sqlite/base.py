"""Django's SQLite, where the threads of one process stand in line to write.

SQLite has one writer at a time. Who finds another one there looks in again after 1, 2, 5, 10, 15,
20, 25 and more milliseconds (its busy handler, sqlite3.c `sqliteDefaultBusyCallback`), and may find
yet another one, so that two threads that write in turns wait far longer than the writing takes. In
a line of our own the next transaction begins as soon as the one before has ended. Other processes,
and statements outside a transaction, are waited for as before.
"""

import os
import threading
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

_line = threading.Lock()


def _new_line() -> None:
    """A process forked off while somebody was writing has no such thread."""
    global _line
    _line = threading.Lock()


os.register_at_fork(after_in_child=_new_line)


# What is overridden here is Django's, but its stubs do not have it.
class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose transactions begin when those of the other threads have ended."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._place: threading.Lock | None = None

    def _start_transaction_under_autocommit(self) -> None:
        """Begin as a writer. Raises OperationalError when the others take longer than allowed."""
        line = _line
        if not line.acquire(timeout=self.settings_dict["OPTIONS"]["timeout"]):
            raise OperationalError("database is locked by another thread of this process")
        self._place = line
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._leave()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._leave()

    def _rollback(self) -> None:
        super()._rollback()  # type: ignore[misc]
        self._leave()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._leave()

    def _leave(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.release()
