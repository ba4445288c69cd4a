"""Row 22: SQLite with several writers, and one that is killed in a write."""

import signal
import sqlite3
import subprocess

import pytest
from django.conf import settings as product
from django.db import connection

from tests.faults.conftest import PATIENCE, Firm

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not product.EMBEDDED, reason="This is of the embedded shape alone."),
]


def begin(*clickers: subprocess.Popen[str]) -> None:
    """Let them all go at once."""
    for one in clickers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in clickers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()


def integrity(firm: Firm) -> str:
    """What SQLite itself says of the file, looked at by a connection of its own."""
    connection.close()
    with sqlite3.connect(firm.database) as looking:
        said = str(looking.execute("PRAGMA integrity_check").fetchone()[0])
    looking.close()
    return said


def test_four_writers_at_once_are_all_served(firm: Firm) -> None:
    invoices = [firm.invoice() for _ in range(24)]
    clickers = [firm.clicker(*invoices[place::4]) for place in range(4)]
    begin(*clickers)
    for one in clickers:
        _, errors = one.communicate(timeout=3 * PATIENCE)
        assert one.returncode == 0, errors
        assert "database is locked" not in errors
    firm.work(turns=3)
    firm.check(*invoices)
    assert integrity(firm) == "ok"


def test_killed_in_a_write_leaves_the_file_whole_and_nothing_of_the_click(firm: Firm) -> None:
    invoice, other = firm.invoice(), firm.invoice()
    dying = firm.clicker(invoice, DIE_IN_WRITE="yes")
    begin(dying)
    dying.communicate(timeout=PATIENCE)
    assert dying.returncode == -signal.SIGKILL
    assert integrity(firm) == "ok"
    assert firm.documents() == []
    # The lock died with it: the next writer is served, and the same click does it.
    firm.upload(other)
    firm.upload(invoice)
    firm.work(turns=2)
    firm.check(invoice, other)


def test_killed_in_turn_among_other_writers_loses_and_doubles_nothing(firm: Firm) -> None:
    invoices = [firm.invoice() for _ in range(9)]
    steady = [firm.clicker(*invoices[place:6:2]) for place in range(2)]
    dying = [firm.clicker(one, DIE_IN_WRITE="yes") for one in invoices[6:8]]
    begin(*steady, *dying)
    for one in dying:
        one.communicate(timeout=3 * PATIENCE)
        assert one.returncode == -signal.SIGKILL
    for one in steady:
        _, errors = one.communicate(timeout=3 * PATIENCE)
        assert one.returncode == 0, errors
    assert integrity(firm) == "ok"
    firm.upload(*invoices[6:])
    firm.work(turns=3)
    firm.check(*invoices)
