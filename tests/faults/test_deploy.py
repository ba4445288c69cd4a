"""Row 29: a new version comes while uploads are in every state and a worker is at work."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from connectors.base.standin import Answer, Drop, Hold
from invoicing import tasks
from invoicing.models import Invoice, Upload
from invoicing.uploads import cancel, killpoints, lane, park
from offices.tenancy import acting_for, as_owner
from tests.faults.conftest import PATIENCE, Firm, at_it, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

# Columns that a later version brings.
COLUMNS = {
    "invoicing_upload": "varchar(10) NULL",
    "invoicing_attempt": "integer DEFAULT 0 NOT NULL",
    "interfaces_lane": "integer DEFAULT 7 NOT NULL",
}


def run(*statements: str) -> None:
    """As the owner of the tables, who migrates; what is blocked fails instead of waiting."""
    with as_owner(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET lock_timeout = '10s'")
        for statement in statements:
            cursor.execute(statement)
    connection.close()


@contextmanager
def newer_schema() -> Iterator[None]:
    """The tables as a later version has them: more columns, another index, a table of its own."""
    run(
        *(f"ALTER TABLE {table} ADD COLUMN later {kind}" for table, kind in COLUMNS.items()),
        "CREATE INDEX upload_later ON invoicing_upload (later)",
        "CREATE TABLE invoicing_later (id integer PRIMARY KEY)",
    )
    try:
        yield
    finally:
        run(
            "DROP TABLE invoicing_later",
            "DROP INDEX upload_later",
            *(f"ALTER TABLE {table} DROP COLUMN later" for table in COLUMNS),
        )


@pytest.fixture
def known(any_firm: Firm, settings: Any) -> Firm:
    """The firm with its client known, in which whatever has to wait waits for an hour."""
    settings.UPLOAD_LOOKUP_SECONDS = [3600.0] * 6
    settings.UPLOAD_RETRY_SECONDS = [3600.0]
    first = any_firm.invoice()
    any_firm.upload(first)
    any_firm.work(turns=2)
    any_firm.earlier.append(first)
    return any_firm


def turn(firm: Firm) -> None:
    """One turn with what is due by now."""
    lane.drain(practice_id=firm.practice.pk, interface_id=firm.interface.pk)


def one_that(firm: Firm, becomes: str) -> Invoice:
    """An invoice that is uploaded, and becomes that."""
    steps: dict[str, Callable[[Firm, Invoice], None]] = {
        "sent": lambda firm, invoice: turn(firm),
        "waiting": _meets_a_closed_door,
        "unknown": _loses_its_answer,
        "refused": _is_refused,
        "needs_person": _our_fault,
        "cancelled": _is_cancelled,
        "parked": _is_parked,
    }
    invoice = firm.invoice(number=becomes)
    firm.upload(invoice)
    steps[becomes](firm, invoice)
    state = "queued" if becomes == "waiting" else becomes
    assert firm.of(invoice).state == state
    return invoice


def _meets_a_closed_door(firm: Firm, invoice: Invoice) -> None:
    port = urlsplit(firm.standin.url).port
    firm.standin.stop()
    turn(firm)
    firm.standin.start(port=port)


def _loses_its_answer(firm: Firm, invoice: Invoice) -> None:
    _write_gets(firm, Drop(after_effect=True))


def _is_refused(firm: Firm, invoice: Invoice) -> None:
    said = {"ErrorNumber": 10, "Message": "No.", "code": "no", "message": "No.", "errors": [{}]}
    _write_gets(firm, Answer(400, said))


def _our_fault(firm: Firm, invoice: Invoice) -> None:
    # What no version can build: as after a mistake of ours.
    with acting_for(firm.practice.pk):
        Upload.objects.filter(pk=firm.of(invoice).pk).update(
            document={**firm.of(invoice).document, "issued": "never"}
        )
    turn(firm)


def _is_cancelled(firm: Firm, invoice: Invoice) -> None:
    with acting_for(firm.practice.pk):
        cancel(upload_ids=[firm.of(invoice).pk], actor=firm.user)


def _is_parked(firm: Firm, invoice: Invoice) -> None:
    _is_refused(firm, invoice)
    with acting_for(firm.practice.pk):
        park(invoice_ids=[invoice.pk], reason="Entered by hand.", actor=firm.user)


def _write_gets(firm: Firm, fault: Any) -> None:
    firm.standin.script("POST" if firm.invented else "PUT", fault=fault)
    turn(firm)


@pytest.mark.parametrize(
    ("place", "left"),
    [
        (killpoints.AFTER_CLAIM, "claimed"),
        (killpoints.BEFORE_SOCKET, "sending"),
        (killpoints.AFTER_ANSWER, "sending"),
    ],
)
def test_whatever_state_they_are_in_the_new_version_finishes_them(
    known: Firm, place: str, left: str
) -> None:
    on_their_way = [one_that(known, becomes) for becomes in ("waiting", "unknown")]
    over = {
        becomes: one_that(known, becomes)
        for becomes in ("sent", "refused", "needs_person", "cancelled", "parked")
    }
    held = known.invoice()
    known.upload(held)
    killed = known.worker(kill_at=place)
    _, errors = killed.communicate(timeout=PATIENCE)
    assert killed.returncode == -signal.SIGKILL, errors
    queued = known.invoice()
    known.upload(queued)
    states = {one.state for one in known.documents()}
    assert states == {"queued", "unknown", left, *over}
    with newer_schema():
        for _ in range(4):
            known.make_due()
            worker = known.worker()
            _, errors = worker.communicate(timeout=PATIENCE)
            assert worker.returncode == 0, errors
    assert {becomes: known.of(one).state for becomes, one in over.items()} == {
        becomes: becomes for becomes in over
    }
    known.check(over["sent"], held, queued, *on_their_way)


def test_a_worker_of_the_old_version_does_its_work_beside_a_migration(known: Firm) -> None:
    """The migration waits for no call in hand, and the old worker minds nothing that is new."""
    invoices, go_on = [known.invoice() for _ in range(3)], threading.Event()
    known.upload(*invoices)
    known.standin.script("POST" if known.invented else "PUT", fault=Hold(go_on))
    known.make_due()
    old = known.worker()
    wait_for(lambda: at_it(known.standin))
    with newer_schema():
        go_on.set()
        _, errors = old.communicate(timeout=PATIENCE)
        assert old.returncode == 0, errors
        known.work(turns=3)
    known.check(*invoices)


@pytest.mark.services
def test_stopped_by_term_during_a_migration_and_started_anew_all_finish(known: Firm) -> None:
    first, go_on = known.invoice(), threading.Event()
    known.standin.script("POST" if known.invented else "PUT", fault=Hold(go_on))
    known.upload(first)
    old = known.celery()
    wait_for(lambda: rung(known) and at_it(known.standin))
    with newer_schema():
        later = [known.invoice() for _ in range(3)]
        known.upload(*later)
        old.send_signal(signal.SIGTERM)
        go_on.set()
        assert old.wait(timeout=60) == 0
        assert known.of(first).state == "sent"
        known.celery()
        wait_for(lambda: rung(known) and {known.of(one).state for one in later} == {"sent"})
    known.check(first, *later)


def rung(firm: Firm) -> bool:
    """Ring for what is due, as the sweep does all the time."""
    tasks.sweep()
    return True
