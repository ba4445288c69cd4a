"""What was sent is taken back: queued, sent once, looked up, and the invoice free afterwards."""

from decimal import Decimal
from typing import Any

import pytest

from connectors.base.documents import Attachment, CreditNote, SalesInvoice, Voiding
from connectors.base.errors import RetryLater
from connectors.base.protocol import Package, VoidsInvoices
from invoicing import invoices, notices
from invoicing.causes import open_causes
from invoicing.models import Invoice, InvoicePdf, Upload
from invoicing.selectors import went_on
from invoicing.uploads import CannotVoid, offered, retry, unlink, void
from invoicing.uploads.states import State
from offices.tenancy import acting_for
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.till import Books

WHY = "Sent to the wrong client"


def sent(desk: Desk, **fields: Any) -> Invoice:
    """An invoice that is in the accounts."""
    invoice = desk.invoice(**fields)
    desk.upload(invoice)
    desk.work()
    assert desk.of(invoice).state == State.SENT
    return invoice


def take_back(desk: Desk, invoice: Invoice, reason: str = WHY) -> Upload:
    """Press Void; the upload that does it."""
    with acting_for(desk.practice.pk):
        batch = void(invoice_id=invoice.pk, reason=reason, actor=desk.user)
        return Upload.objects.get(batch=batch)


def is_free(desk: Desk, invoice: Invoice) -> bool:
    """Whether it can be un-committed; it is, and committed again."""
    with acting_for(desk.practice.pk):
        try:
            invoices.uncommit(invoice_ids=[invoice.abtrac_id])
        except invoices.Refused:
            return False
        invoices.commit(invoice_ids=[invoice.abtrac_id])
        return offered().filter(pk=invoice.pk).exists()


def test_a_void_goes_through_the_queue_and_frees_the_invoice(known: Desk, books: Books) -> None:
    invoice = sent(known)
    document = known.of(invoice)
    voiding = take_back(known, invoice)
    assert known.of_pk(voiding.pk).state == State.QUEUED
    assert not is_free(known, invoice)
    known.work()
    [call] = [call for call in books.posts if isinstance(call[0], Voiding)]
    assert (call[0].document_id, call[0].number) == (document.remote_id, invoice.number)
    assert (call[0].total, call[0].of_credit_note) == (Decimal("1150.00"), False)
    assert known.moves(voiding) == ["queued", "claimed", "sending", "sent", "voided"]
    voided = known.of(invoice)
    assert (voided.state, voided.reason) == (State.VOIDED, "Voided in Till (Batch 2).")
    with acting_for(known.practice.pk):
        first = voiding.events.earliest("pk")
    assert (first.actor, first.reason) == (known.user, WHY)
    assert known.batch(2).finished_at is not None
    assert known.batch(2).origin == "void"
    assert is_free(known, invoice)


def test_what_is_offered_is_put_right_where_the_one_who_moved_it_could_not_say_so(
    known: Desk, books: Books
) -> None:
    voided, stands = sent(known), sent(known)
    take_back(known, voided)
    known.work()
    with acting_for(known.practice.pk):
        # Somebody held the one while it was voided; an older worker, in a deploy, sent the other.
        Invoice.objects.filter(pk=voided.pk).update(in_upload=True)
        Invoice.objects.filter(pk=stands.pk).update(in_upload=False)
    notices.watch(everywhere=True)
    with acting_for(known.practice.pk):
        assert list(offered()) == [voided]


def test_what_was_voided_goes_anew_with_its_pdf_and_can_be_voided_again(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice()
    with acting_for(known.practice.pk):
        InvoicePdf.objects.create(invoice=invoice, file_name="a.pdf", content=b"%PDF-", sha256="0")
    for _ in range(2):
        known.upload(invoice)
        known.work(turns=2)
        take_back(known, invoice)
        known.work()
        assert {one.state for one in known.all(invoice=invoice)} == {State.VOIDED}
    posted = [type(call[0]) for call in books.posts]
    assert posted == [SalesInvoice, Attachment, Voiding] * 2
    assert len(set(books.call_keys)) == 6


def test_what_failed_before_it_was_sent_and_voided_needs_nobody(known: Desk, books: Books) -> None:
    invoice = known.invoice()
    books.refusals[invoice.number] = till.refused("No.")
    known.upload(invoice)
    known.work()
    books.refusals.clear()
    known.upload(invoice)
    known.work()
    take_back(known, invoice)
    known.work()
    with acting_for(known.practice.pk):
        assert not Upload.objects.filter(state=State.REFUSED).exclude(went_on()).exists()


def test_a_credit_note_is_voided_as_one(known: Desk, books: Books) -> None:
    note = sent(known, nets=("-100.00",))
    take_back(known, note)
    known.work()
    assert books.names(CreditNote)
    [voiding] = books.posts[-1]
    assert (voiding.of_credit_note, voiding.total) == (True, Decimal("115.00"))
    assert known.of(note).state == State.VOIDED


@pytest.mark.parametrize("step", [till.lose_answer, till.lose_request], ids=["late", "lost"])
def test_a_void_without_an_answer_is_looked_up_and_happens_once(
    known: Desk, books: Books, step: Any
) -> None:
    invoice = sent(known)
    books.script = [step]
    voiding = take_back(known, invoice)
    known.work()
    assert known.of_pk(voiding.pk).state == State.UNKNOWN
    assert known.of(invoice).state == State.SENT
    known.work(turns=2)
    assert known.of_pk(voiding.pk).state == State.VOIDED
    assert known.of(invoice).state == State.VOIDED
    assert books.copies.count(voiding.document["key"]) == 1


def test_a_void_the_package_cannot_take_now_is_tried_again(known: Desk, books: Books) -> None:
    invoice = sent(known)
    books.script = [till.failing(RetryLater("Till is away."))]
    voiding = take_back(known, invoice)
    known.work()
    assert known.of_pk(voiding.pk).state == State.QUEUED
    known.work()
    assert known.of(invoice).state == State.VOIDED


def test_a_refused_void_leaves_the_invoice_where_it_is_and_can_be_retried(
    known: Desk, books: Books
) -> None:
    invoice = sent(known)
    books.refusals[invoice.number] = till.refused("It has payments.")
    voiding = take_back(known, invoice)
    known.work()
    assert known.of_pk(voiding.pk).state == State.REFUSED
    assert known.of(invoice).state == State.SENT
    assert not is_free(known, invoice)
    books.refusals.clear()
    with acting_for(known.practice.pk):
        assert retry(upload_ids=[voiding.pk], actor=known.user).queued == 1
    known.work()
    assert known.of(invoice).state == State.VOIDED


def test_voiding_anew_takes_the_place_of_a_void_that_was_refused(known: Desk, books: Books) -> None:
    invoice = sent(known)
    books.refusals[invoice.number] = till.refused("It has payments.")
    refused = take_back(known, invoice)
    known.work()
    assert known.of_pk(refused.pk).has_causes
    take_back(known, invoice)
    with acting_for(known.practice.pk):
        assert not open_causes().exists()


def test_what_is_not_sent_paid_or_being_voided_is_not_voided(known: Desk, books: Books) -> None:
    waiting = known.invoice()
    known.upload(waiting)
    with pytest.raises(CannotVoid, match="not in the accounts"):
        take_back(known, waiting)
    known.work()
    take_back(known, waiting)
    with pytest.raises(CannotVoid, match=r"being voided already \(Batch 2\)"):
        take_back(known, waiting)
    paid = sent(known)
    with acting_for(known.practice.pk):
        Invoice.objects.filter(pk=paid.pk).update(paid=Decimal("1150.00"))
    with pytest.raises(CannotVoid, match=r"payments of 1,150\.00"):
        take_back(known, paid)


def test_where_the_package_cannot_void_only_a_credit_note_is_left(
    known: Desk, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = sent(known)
    able = Package.can
    monkeypatch.setattr(
        Package, "can", lambda self, one: one is not VoidsInvoices and able(self, one)
    )
    with pytest.raises(CannotVoid, match="Till does not let us void"):
        take_back(known, invoice)
    with acting_for(known.practice.pk), pytest.raises(invoices.Refused) as refused:
        invoices.uncommit(invoice_ids=[invoice.abtrac_id])
    assert refused.value.refusals[0].choices == [invoices.CREDIT_NOTE]


def test_a_link_that_is_taken_back_takes_its_waiting_void_with_it(
    known: Desk, books: Books
) -> None:
    invoice = sent(known)
    voiding = take_back(known, invoice)
    with acting_for(known.practice.pk):
        Upload.objects.filter(invoice=invoice, kind="invoice").update(linked=True)
        assert unlink(upload_id=known.of(invoice).pk, actor=known.user)
    assert known.of_pk(voiding.pk).state == State.CANCELLED
