"""What holds of every package, however it knows a document again."""

import threading
from typing import Any

import pytest

from connectors.base.standin import Drop, Hold
from invoicing.uploads import killpoints
from tests.faults.conftest import PATIENCE, Firm, at_it, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_invoices_and_credit_notes_arrive_once(known: Firm) -> None:
    invoice, credit = known.invoice(), known.invoice(nets=("-250.00",))
    known.upload(invoice, credit)
    known.work()
    known.check(invoice, credit)


@pytest.mark.parametrize(
    "place",
    [
        killpoints.BEFORE_CLAIM,
        killpoints.AFTER_CLAIM,
        killpoints.BEFORE_SOCKET,
        killpoints.AFTER_ANSWER,
        killpoints.AFTER_RECORD,
    ],
)
def test_a_worker_killed_there_leaves_one_document(known: Firm, place: str) -> None:
    """Rows 1, 2, 3, 5 and 6."""
    invoice = known.invoice()
    known.upload(invoice)
    known.kill_at(place)
    known.work(turns=3)
    known.check(invoice)


@pytest.mark.parametrize("after_effect", [True, False])
def test_a_worker_killed_while_the_package_is_at_it_leaves_one_document(
    known: Firm, after_effect: bool
) -> None:
    """Row 4."""
    invoice, go_on = known.invoice(), threading.Event()
    known.upload(invoice)
    known.standin.script("POST" if known.invented else "PUT", fault=Hold(go_on, after_effect))
    known.make_due()
    worker = known.worker()
    wait_for(lambda: at_it(known.standin))
    worker.kill()
    worker.communicate(timeout=PATIENCE)
    go_on.set()
    wait_for(lambda: known.numbers_there().count(invoice.number) == 1)
    known.work(turns=3)
    known.check(invoice)


# Answers that are cut off or are none: `test_odd_answers`.
@pytest.mark.parametrize("fault", [Drop(after_effect=True), Drop(after_effect=False)], ids=str)
def test_after_a_dropped_connection_one_copy_is_there(known: Firm, fault: Any) -> None:
    invoices = [known.invoice() for _ in range(2)]
    known.upload(*invoices)
    known.standin.script("POST" if known.invented else "PUT", fault=fault)
    known.work(turns=4)
    known.check(*invoices)


def test_what_somebody_else_typed_in_is_put_to_a_person(known: Firm) -> None:
    if known.interface.package_key == "keeper":
        pytest.skip("Keeper lets numbers repeat, and is not asked before.")
    invoice = known.invoice(number="A-17")
    known.type_in("A-17", "99.00")
    known.upload(invoice)
    known.work()
    upload = known.of(invoice)
    assert upload.state == "needs_person"
    assert "99.00" in upload.reason
    assert upload.next_step
