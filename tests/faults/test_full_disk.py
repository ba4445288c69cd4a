"""Row 23: the disk is full while a worker writes its database or its log.

The database's disk: from one moment on the system refuses the worker every byte it writes to a
file (RLIMIT_FSIZE 0), so of the embedded shape; PostgreSQL's disk is its own affair, and to us a
server that fails. The log's disk: the worker's error stream is /dev/full.
"""

from pathlib import Path

import pytest
from django.conf import settings as product

from invoicing.uploads import killpoints
from tests.faults.conftest import PATIENCE, Firm

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.skipif(not product.EMBEDDED, reason="The worker writes no database file itself.")
@pytest.mark.parametrize(
    ("place", "state_left", "writes"),
    [
        (killpoints.BEFORE_CLAIM, "queued", 0),
        # It cannot be written down, so it is not sent.
        (killpoints.AFTER_CLAIM, "claimed", 0),
        (killpoints.AFTER_ANSWER, "sending", 1),
    ],
)
def test_what_cannot_be_written_down_is_not_sent_and_what_was_sent_is_asked_for(
    known: Firm, place: str, state_left: str, writes: int
) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    known.make_due()
    worker = known.worker(full_at=place)
    _, errors = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 1, errors
    assert "OperationalError" in errors
    assert known.of(invoice).state == state_left
    assert sum(one.method != "GET" for one in known.standin.requests) == writes
    # Somebody makes room.
    known.work(turns=3)
    known.check(invoice)


def test_a_log_that_cannot_be_written_stops_no_upload(known: Firm) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    known.make_due()
    with Path("/dev/full").open("w") as full:
        worker = known.worker(log=full)
        worker.communicate(timeout=PATIENCE)
    known.check(invoice)
