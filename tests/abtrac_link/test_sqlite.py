"""SQLite's writers in one process: one after the other, and nobody is left standing in line."""

import os
import threading
from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection, transaction

from abtrac_link.sqlite import base
from interfaces.models import RateBucket

pytestmark = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="PostgreSQL has many writers at once"
)

PATIENCE = 10


class Writer:
    """Somebody who begins to write in a thread and connection of their own."""

    def __init__(self, name: str) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()
        self.raised: BaseException | None = None
        self._name = name
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with transaction.atomic():
                self.began.set()
                assert self.may_end.wait(PATIENCE)
                RateBucket.objects.create(name=self._name)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.raised = error
        finally:
            connection.close()

    def end(self) -> None:
        """Let them finish, and wait until they have."""
        self.may_end.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@pytest.fixture
def writer(transactional_db: None) -> Iterator[Writer]:
    """One who is writing."""
    writing = Writer("first")
    assert writing.began.wait(PATIENCE)
    yield writing
    writing.end()


def in_line() -> bool:
    """Whether a writer of this process is at it."""
    return base._line.locked()


def test_the_next_writer_begins_when_the_first_has_ended(writer: Writer) -> None:
    assert in_line()
    second = Writer("second")
    assert not second.began.is_set()
    writer.end()
    assert second.began.wait(PATIENCE)
    second.end()
    assert (writer.raised, second.raised) == (None, None)
    assert RateBucket.objects.count() == 2
    assert not in_line()


def test_who_has_waited_long_enough_is_told_as_by_sqlite_itself(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.01)
    connection.close()
    with pytest.raises(OperationalError, match="locked"), transaction.atomic():
        pass
    assert in_line()
    writer.end()
    assert writer.raised is None
    assert not in_line()
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_is_undone_leaves_the_line() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        assert in_line()
        raise ZeroDivisionError
    assert not in_line()


@pytest.mark.django_db(transaction=True)
def test_a_connection_closed_in_the_middle_leaves_the_line() -> None:
    with transaction.atomic():
        assert in_line()
        connection.close()
        assert not in_line()


@pytest.mark.django_db(transaction=True)
def test_a_forked_process_does_not_wait_for_a_thread_it_does_not_have() -> None:
    with transaction.atomic():
        child = os.fork()
        if not child:
            os._exit(1 if in_line() else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert in_line()


@pytest.mark.django_db
def test_what_is_committed_is_on_the_disk() -> None:
    """A power cut must not forget what was about to leave, nor that somebody clicked."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        assert cursor.fetchone() == (2,)
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)
