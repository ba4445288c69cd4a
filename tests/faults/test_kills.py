"""A worker process is killed between any two steps of an upload; one document is in Xero."""

import signal
import threading
from pathlib import Path

import pytest

from connectors.base.standin import Hold
from connectors.xero.standin import XeroStandIn
from invoicing.uploads import killpoints
from tests.faults.conftest import PATIENCE, Firm, at_it, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

PUT_INVOICES = r"/api\.xro/2\.0/Invoices"


@pytest.fixture
def known(firm: Firm) -> Firm:
    """The firm with its client known in Xero, so that what follows is the invoice's alone."""
    first = firm.invoice()
    firm.upload(first)
    firm.work()
    firm.check(first)
    firm.earlier.append(first)
    return firm


@pytest.mark.parametrize(
    ("place", "state_left", "moves"),
    [
        (killpoints.BEFORE_CLAIM, "queued", ["queued", "claimed", "sending", "sent"]),
        (
            killpoints.AFTER_CLAIM,
            "claimed",
            ["queued", "claimed", "queued", "claimed", "sending", "sent"],
        ),
        (
            killpoints.BEFORE_SOCKET,
            "sending",
            ["queued", "claimed", "sending", "unknown", "queued", "claimed", "sending", "sent"],
        ),
        (
            killpoints.AFTER_ANSWER,
            "sending",
            ["queued", "claimed", "sending", "unknown", "sent"],
        ),
        (killpoints.AFTER_RECORD, "sent", ["queued", "claimed", "sending", "sent"]),
    ],
)
def test_a_worker_killed_there_leaves_one_document(
    known: Firm, place: str, state_left: str, moves: list[str]
) -> None:
    invoice = known.invoice(nets=("1000.00", "33.33"))
    known.upload(invoice)
    known.kill_at(place)
    assert known.of(invoice).state == state_left
    known.work(turns=3)
    known.check(invoice)
    assert known.moves(known.of(invoice)) == moves


@pytest.mark.parametrize("after_effect", [True, False])
def test_a_worker_killed_while_xero_is_at_it_leaves_one_document(
    known: Firm, xero: XeroStandIn, after_effect: bool
) -> None:
    """Row 4: the request was sent; Xero goes on with it whether or not anybody waits."""
    invoice = known.invoice()
    known.upload(invoice)
    go_on = threading.Event()
    xero.script(method="PUT", path=PUT_INVOICES, fault=Hold(go_on, after_effect=after_effect))
    known.make_due()
    worker = known.worker()
    wait_for(lambda: at_it(xero))
    worker.kill()
    worker.communicate(timeout=PATIENCE)
    go_on.set()
    wait_for(lambda: known.numbers_there().count(invoice.number) == 1)
    known.work(turns=3)
    known.check(invoice)
    assert known.moves(known.of(invoice))[-2:] == ["unknown", "sent"]


@pytest.mark.parametrize(
    "place", [killpoints.AFTER_CLAIM, killpoints.BEFORE_SOCKET, killpoints.AFTER_ANSWER]
)
def test_a_worker_stopped_past_its_lease_changes_nothing_when_it_goes_on(
    known: Firm, place: str
) -> None:
    """Row 7: SIGSTOP, somebody else does the work, SIGCONT."""
    invoice = known.invoice()
    known.upload(invoice)
    known.make_due()
    worker = known.worker(stop_at=place)
    wait_for(lambda: stopped(worker.pid))
    known.workers.remove(worker)
    try:
        known.work(turns=3)
        sent = known.of(invoice)
        assert sent.state == "sent"
        moves = known.moves(sent)
        worker.send_signal(signal.SIGCONT)
        _, errors = worker.communicate(timeout=PATIENCE)
        assert worker.returncode == 0, errors
    finally:
        known.workers.append(worker)
    known.check(invoice)
    assert known.moves(known.of(invoice)) == moves


def test_killed_at_every_step_in_turn_the_same_batch_still_arrives_once(known: Firm) -> None:
    invoices = [known.invoice() for _ in range(5)]
    known.upload(*invoices)
    for place in (
        killpoints.BEFORE_CLAIM,
        killpoints.AFTER_CLAIM,
        killpoints.BEFORE_SOCKET,
        killpoints.AFTER_ANSWER,
    ):
        known.kill_at(place)
    known.work(turns=3)
    known.check(*invoices)


def test_a_contact_whose_worker_was_killed_is_created_once(firm: Firm) -> None:
    invoice = firm.invoice()
    firm.upload(invoice)
    firm.kill_at(killpoints.AFTER_ANSWER)
    firm.work(turns=4)
    firm.check(invoice)
    assert [one.name for one in firm.books.contacts if one.name == "Harbour View Trust"] == [
        "Harbour View Trust"
    ]


def stopped(pid: int) -> bool:
    """Whether the process has been stopped by its own hand."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    return stat.rsplit(")", 1)[1].split()[0] == "T"
