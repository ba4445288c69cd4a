"""What follows a document in Xero: credits, PDFs, and what comes back."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.base.documents import Allocation, Attachment, Posted, Voiding
from connectors.base.errors import OutcomeUnknown, Rejected
from connectors.base.standin import Answer
from connectors.xero import followups, voiding
from connectors.xero.standin_ledger import Organisation
from invoicing.invoices import PDF_MAX_BYTES
from tests.connectors import samples
from tests.connectors.xero.rehearsal import Rehearsal

GONE = "6d9f1b8e-0000-4000-8000-000000000000"


def arrived(xero: Rehearsal, *, status: str = "AUTHORISED") -> Allocation:
    """An invoice of 230.00 and a credit note of 115.00, and what is to be done with them."""
    connector = xero.connect(delivery_status=status)
    lines = {
        net: samples.line(xero.terms, net, quantity="1", unit_price=net)
        for net in ("200.00", "100.00")
    }
    [invoice] = xero.ready(samples.invoice(xero.terms, lines["200.00"]))
    [note] = xero.ready(samples.credit_note(xero.terms, lines["100.00"]))
    [there] = connector.post_invoices([invoice], call_key="call-1")
    [credit] = connector.post_credit_notes([note], call_key="call-2")
    return Allocation(
        key="key/allocation",
        credit_note_id=credit.remote_id,
        invoice_id=there.remote_id,
        issued=note.issued,
        amount=Decimal("115.00"),
    )


def allocate(xero: Rehearsal, allocation: Allocation, call_key: str = "call-3") -> Any:
    [outcome] = xero.connect().post_allocations([allocation], call_key=call_key)
    return outcome


# --- Allocations ---------------------------------------------------------------------------------


def test_a_credit_may_be_set_against_several_invoices_in_parts(xero: Rehearsal) -> None:
    allocation = replace(arrived(xero), amount=Decimal("15.00"))
    assert isinstance(allocate(xero, allocation), Posted)
    assert xero.connect().find_allocations([replace(allocation, amount=Decimal("100.00"))]) == {}
    assert isinstance(
        allocate(xero, replace(allocation, amount=Decimal("100.00")), "call-4"), Posted
    )
    assert xero.credited("ABT-1001") == Decimal("115.00")


@pytest.mark.parametrize("status", ["DRAFT", "SUBMITTED"])
def test_a_credit_note_that_is_not_approved_is_told_and_nothing_sent(
    xero: Rehearsal, status: str
) -> None:
    outcome = allocate(xero, arrived(xero, status=status))
    assert (outcome.field, outcome.code) == ("delivery_status", "not_approved")
    assert "Approve" in outcome.next_step
    assert not xero.standin.seen(*xero.creates["allocations"])


def test_more_than_is_left_of_the_credit_is_told(xero: Rehearsal) -> None:
    allocation = arrived(xero)
    allocate(xero, replace(allocation, amount=Decimal("100.00")))
    outcome = allocate(xero, allocation, "call-4")
    assert isinstance(outcome, Rejected)
    assert "has 15.00 left in Xero" in str(outcome)


def test_an_invoice_that_is_paid_already_refuses_the_credit(
    xero: Rehearsal, organisation: Organisation
) -> None:
    allocation = arrived(xero)
    organisation.pay_invoice("ABT-1001", "230.00")
    outcome = allocate(xero, allocation)
    assert isinstance(outcome, Rejected)
    assert str(outcome).startswith("Xero did not set the credit against the invoice.")
    assert outcome.next_step
    assert outcome.words


def test_documents_that_are_gone_are_told(xero: Rehearsal) -> None:
    allocation = arrived(xero)
    no_note = allocate(xero, replace(allocation, credit_note_id=GONE))
    assert (no_note.field, no_note.code) == ("credit_note", "gone")
    assert xero.connect().find_allocations([replace(allocation, credit_note_id=GONE)]) == {}
    no_invoice = allocate(xero, replace(allocation, invoice_id=GONE))
    assert isinstance(no_invoice, Rejected)


@pytest.mark.parametrize("body", [{}, {"Allocations": []}, []])
def test_an_answer_that_does_not_say_so_is_unknown(xero: Rehearsal, body: Any) -> None:
    allocation = arrived(xero)
    fault = Answer(200, body or str(body), {"Content-Type": "application/json"})
    xero.misbehave("allocations", fault)
    with pytest.raises(OutcomeUnknown):
        allocate(xero, allocation)


# --- PDFs ----------------------------------------------------------------------------------------


def pdf(document_id: str, **changes: Any) -> Attachment:
    made = Attachment(
        key="key/pdf",
        document_id=document_id,
        of_credit_note=False,
        file_name="ABT-1001.pdf",
        content=b"%PDF-1.7",
    )
    return replace(made, **changes)


def test_pdfs_hang_on_invoices_and_credit_notes(xero: Rehearsal) -> None:
    allocation = arrived(xero)
    connector = xero.connect()
    for place, one in enumerate(
        [pdf(allocation.invoice_id), pdf(allocation.credit_note_id, of_credit_note=True)]
    ):
        assert connector.find_attachments([one]) == {}
        [outcome] = connector.post_attachments([one], call_key=f"call-pdf-{place}")
        assert isinstance(outcome, Posted)
        assert outcome.number == "ABT-1001.pdf"
        assert connector.find_attachments([one])[one.key].remote_id == outcome.remote_id
        assert list(xero.attached(one)) == [one.content]


def test_the_client_sees_the_pdf_with_the_invoice(xero: Rehearsal) -> None:
    xero.connect().post_attachments([pdf(arrived(xero).invoice_id)], call_key="call-3")
    [seen] = xero.standin.seen(*xero.creates["pdf"])
    assert dict(seen.query) == {"IncludeOnline": "true"}
    assert seen.headers["Content-Type"] == "application/pdf"
    assert seen.body == b"%PDF-1.7"


def test_a_pdf_that_changed_is_not_taken_for_the_old_one(xero: Rehearsal) -> None:
    connector = xero.connect()
    old = pdf(arrived(xero).invoice_id)
    connector.post_attachments([old], call_key="call-3")
    new = replace(old, content=b"%PDF-1.7 longer")
    assert connector.find_attachments([new]) == {}
    connector.post_attachments([new], call_key="call-4")
    assert list(xero.attached(new)) == [new.content]


def test_a_pdf_too_large_for_xero_is_not_sent(
    xero: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followups, "LARGEST_PDF", 7)
    [outcome] = xero.connect().post_attachments([pdf(GONE)], call_key="call-1")
    assert (outcome.field, outcome.code) == ("pdf", "too_large")
    assert not xero.standin.requests


def test_a_pdf_as_large_as_we_keep_is_attached(xero: Rehearsal) -> None:
    largest = replace(pdf(arrived(xero).invoice_id), content=b"%PDF-".ljust(PDF_MAX_BYTES))
    [outcome] = xero.connect().post_attachments([largest], call_key="call-3")
    assert isinstance(outcome, Posted)
    assert [len(one) for one in xero.attached(largest)] == [PDF_MAX_BYTES]


@pytest.mark.parametrize(
    ("fault", "code"), [(None, "gone"), (Answer(413, b""), "too_large"), (Answer(400, b""), "")]
)
def test_a_refused_pdf_says_why(xero: Rehearsal, fault: Any, code: str) -> None:
    if fault:
        xero.misbehave("pdf", fault)
    [outcome] = xero.connect().post_attachments([pdf(GONE)], call_key="call-1")
    assert isinstance(outcome, Rejected)
    assert code in outcome.code
    assert outcome.next_step


# --- What comes back -----------------------------------------------------------------------------


def test_the_state_of_invoices_and_credit_notes_comes_back(xero: Rehearsal) -> None:
    allocation = arrived(xero)
    allocate(xero, allocation)
    xero.pay("ABT-1001", Decimal("15.00"))
    states = {one.number: one for one in xero.connect().read_changes("").documents}
    invoice, note = states["ABT-1001"], states["ABT-2001"]
    assert (invoice.status, invoice.total) == ("AUTHORISED", Decimal("230.00"))
    assert (invoice.paid, invoice.credited, invoice.due) == (
        Decimal("15.00"),
        Decimal("115.00"),
        Decimal("100.00"),
    )
    assert (note.status, note.credited, note.due) == ("PAID", Decimal("115.00"), Decimal("0.00"))


@pytest.mark.parametrize("status", ["VOIDED", "DELETED"])
def test_a_credit_note_that_was_taken_back_has_credited_nothing(
    xero: Rehearsal, organisation: Organisation, status: str
) -> None:
    arrived(xero)
    organisation.credit_notes[0].status = status
    states = {one.number: one for one in xero.connect().read_changes("").documents}
    note = states["ABT-2001"]
    assert (note.status, note.total) == (status, Decimal("115.00"))
    assert (note.credited, note.due) == (Decimal(0), Decimal(0))


def test_payments_tell_their_day_and_reference(xero: Rehearsal, organisation: Organisation) -> None:
    arrived(xero)
    organisation.pay_invoice("ABT-1001", "30.00", date(2026, 12, 1), "DC 17")
    [payment] = xero.connect().read_changes("").payments
    assert (payment.paid_on, payment.reference) == (date(2026, 12, 1), "DC 17")
    assert (payment.number, payment.amount) == ("ABT-1001", Decimal("30.00"))


def test_changes_are_asked_for_with_an_overlap_by_xeros_own_clock(xero: Rehearsal) -> None:
    connector = xero.connect()
    now = xero.standin.clock()
    xero.standin.clock = lambda: now + timedelta(hours=5)
    mark = connector.read_changes("").mark
    assert mark == (now + timedelta(hours=5)).isoformat(timespec="seconds")
    xero.standin.clear()
    connector.read_changes(mark)
    since = f"{now + timedelta(hours=5) - timedelta(minutes=2):%Y-%m-%dT%H:%M:%S}"
    asked = [one.headers["If-Modified-Since"] for one in xero.standin.requests]
    assert asked == [since] * 3


def test_nothing_changed_is_no_error_and_keeps_the_mark(xero: Rehearsal) -> None:
    xero.standin.script("GET", times=None, fault=Answer(304))
    changes = xero.connect().read_changes("2026-11-20T01:02:03+00:00")
    assert (changes.payments, changes.documents) == ((), ())
    assert changes.mark == "2026-11-20T01:02:03+00:00"


def test_of_an_unreadable_mark_all_is_read(xero: Rehearsal) -> None:
    arrived(xero)
    assert len(xero.connect().read_changes("yesterday").documents) == 2


def test_bills_and_payments_for_them_do_not_come_back(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_invoice("BILL-1", "Supplier Ltd").type = "ACCPAY"
    bill = {"PaymentID": GONE, "PaymentType": "ACCPAYPAYMENT", "Date": "/Date(0)/", "Amount": 1}
    xero.standin.script("GET", r".*/Payments", fault=Answer(200, {"Payments": [bill]}))
    xero.standin.script("GET", r".*/Payments", fault=Answer(200, {"Payments": []}))
    changes = xero.connect().read_changes("")
    assert (changes.payments, changes.documents) == ((), ())


# --- Taking back ---------------------------------------------------------------------------------


def void(xero: Rehearsal, document_id: str, number: str, total: str, *, note: bool = False) -> Any:
    voiding = Voiding(
        key="key/void",
        document_id=document_id,
        of_credit_note=note,
        number=number,
        total=Decimal(total),
    )
    [outcome] = xero.connect().void([voiding], call_key="call-9")
    return outcome


def test_what_credits_stand_against_is_not_voided_and_nothing_is_asked(xero: Rehearsal) -> None:
    allocation = arrived(xero)
    allocate(xero, allocation)
    invoice = void(xero, allocation.invoice_id, "ABT-1001", "230.00")
    note = void(xero, allocation.credit_note_id, "ABT-2001", "115.00", note=True)
    assert str(invoice) == (
        "Xero does not void invoice ABT-1001: it has payments or credit notes allocated."
    )
    assert "is set against an invoice" in str(note)
    for one in (invoice, note):
        assert one.code == "in_use"
        assert "credit note from Abtrac" in one.next_step
    assert not xero.standin.seen(*xero.creates["void"])


def test_what_is_paid_between_the_look_and_the_write_is_told_in_the_same_words(
    xero: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocation = arrived(xero)
    xero.pay("ABT-1001", Decimal("30.00"))
    monkeypatch.setattr(voiding, "_is_in_use", lambda *_: None)
    outcome = void(xero, allocation.invoice_id, "ABT-1001", "230.00")
    assert (outcome.code, "payments or credit notes" in str(outcome)) == ("in_use", True)
    assert outcome.words.startswith("The status VOIDED cannot be applied")


def test_a_void_in_a_locked_period_says_so_and_what_else_there_is(
    xero: Rehearsal, organisation: Organisation
) -> None:
    allocation = arrived(xero)
    organisation.period_lock_date = date(2030, 1, 1)
    outcome = void(xero, allocation.invoice_id, "ABT-1001", "230.00")
    assert outcome.code == "period_locked"
    assert str(outcome).startswith("Xero did not void invoice ABT-1001. The date lies in a period")
