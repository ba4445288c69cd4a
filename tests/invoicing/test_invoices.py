"""An invoice goes from draft to committed, and back only while nothing is sent."""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.db import connection

from interfaces.models import AccountingInterface, Lane
from invoicing import invoices, uploads
from invoicing.models import Batch, Invoice, InvoicePdf, Upload
from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import make_client, make_interface, make_invoice, make_office, make_setting

pytestmark = pytest.mark.django_db

Status = Invoice.Status
Move = Callable[..., invoices.Moved]
PDF = b"%PDF-1.4 the first"


@pytest.fixture
def interface(acting: Practice) -> AccountingInterface:
    """A connected interface."""
    return make_interface()


@pytest.fixture
def make(interface: AccountingInterface) -> Callable[..., Invoice]:
    """Makes invoices of one client."""
    office, client = make_office(make_setting(interface)), make_client()

    def made(status: str, **fields: Any) -> Invoice:
        one = make_invoice(office, client, committed=status == Status.COMMITTED, **fields)
        if status == Status.DRAFT:
            one.status = Status.DRAFT
            one.save()
        return one

    return made


def upload(invoice: Invoice, state: str, kind: str = "invoice", number: int = 7) -> Upload:
    """An upload of the invoice in that state."""
    batch, _ = Batch.objects.get_or_create(number=number)
    interface = invoice.invoice_setting.interface
    assert interface is not None
    return Upload.objects.create(
        interface=interface,
        batch=batch,
        kind=kind,
        invoice=invoice,
        state=state,
        remote_id="doc-1" if state == "sent" else "",
        document={"key": f"key-{invoice.pk}"},
    )


def refusals(move: Move, *ids: str) -> dict[str, str]:
    """Invoice to code of everything that stood in the way."""
    with pytest.raises(invoices.Refused) as refused:
        move(invoice_ids=ids)
    return {one.invoice_id: one.code for one in refused.value.refusals}


def test_a_draft_is_approved_then_committed(make: Callable[..., Invoice]) -> None:
    one = make("draft")
    assert invoices.approve(invoice_ids=[one.abtrac_id]).changed == [one.abtrac_id]
    one.refresh_from_db()
    assert (one.status, one.committed_at) == ("approved", None)
    assert invoices.commit(invoice_ids=[one.abtrac_id]).changed == [one.abtrac_id]
    one.refresh_from_db()
    assert one.status == "committed"
    assert one.committed_at is not None


@pytest.mark.parametrize(
    ("move", "status"),
    [
        (invoices.approve, "approved"),
        (invoices.approve, "committed"),
        (invoices.commit, "committed"),
        (invoices.uncommit, "approved"),
        (invoices.uncommit, "draft"),
    ],
)
def test_what_is_there_already_stays_as_it_is(
    make: Callable[..., Invoice], move: Move, status: str
) -> None:
    one = make(status)
    before = Invoice.objects.filter(pk=one.pk).values().get()
    moved = move(invoice_ids=[one.abtrac_id, one.abtrac_id])
    assert (moved.changed, moved.unchanged) == ([], [one.abtrac_id])
    assert Invoice.objects.filter(pk=one.pk).values().get() == before


def test_a_draft_cannot_be_committed(make: Callable[..., Invoice]) -> None:
    draft, approved = make("draft"), make("approved")
    assert refusals(invoices.commit, approved.abtrac_id, draft.abtrac_id) == {
        draft.abtrac_id: "not_approved"
    }
    approved.refresh_from_db()
    assert approved.status == "approved"


def test_every_invoice_that_stands_in_the_way_is_named(make: Callable[..., Invoice]) -> None:
    first, second = make("draft"), make("draft")
    assert refusals(invoices.commit, "none", first.abtrac_id, "nor this", second.abtrac_id) == {
        "none": "unknown_invoice",
        "nor this": "unknown_invoice",
        first.abtrac_id: "not_approved",
        second.abtrac_id: "not_approved",
    }


def test_an_invoice_nobody_uploaded_can_be_uncommitted(make: Callable[..., Invoice]) -> None:
    one = make("committed")
    for over in ("refused", "parked", "cancelled"):
        upload(one, over)
    assert invoices.uncommit(invoice_ids=[one.abtrac_id]).changed == [one.abtrac_id]
    one.refresh_from_db()
    assert (one.status, one.committed_at) == ("approved", None)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("queued", "is on its way to Xero (Batch 7)"),
        ("claimed", "is on its way to Xero (Batch 7)"),
        ("sending", "is on its way to Xero (Batch 7)"),
        ("unknown", "is on its way to Xero (Batch 7)"),
        ("sent", "is in Xero (Batch 7), so it cannot be un-committed. Void it there, or"),
        ("needs_person", "waits for a person to say what became of it"),
    ],
)
def test_an_uploaded_invoice_stays_committed(
    make: Callable[..., Invoice], state: str, words: str
) -> None:
    one = make("committed")
    upload(one, state)
    with pytest.raises(invoices.Refused, match=r"^Invoice ") as refused:
        invoices.uncommit(invoice_ids=[one.abtrac_id])
    assert words in str(refused.value)
    one.refresh_from_db()
    assert one.status == "committed"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("queued", "is being voided in Xero (Batch 7). Wait until that is through"),
        ("needs_person", "is being voided in Xero (Batch 7), which waits for a person"),
        ("refused", "so it cannot be un-committed. Void it there, or credit it instead"),
    ],
)
def test_one_that_is_being_voided_says_so_when_it_is_uncommitted(
    make: Callable[..., Invoice], state: str, words: str
) -> None:
    one = make("committed")
    sent = upload(one, "sent")
    Upload.objects.create(
        interface=sent.interface, batch=sent.batch, invoice=one, kind="void", state=state
    )
    with pytest.raises(invoices.Refused) as refused:
        invoices.uncommit(invoice_ids=[one.abtrac_id])
    assert words in str(refused.value)
    [why] = refused.value.refusals
    assert bool(why.choices) == (state == "refused")


def test_moving_many_takes_no_more_queries_than_moving_one(
    make: Callable[..., Invoice], django_assert_max_num_queries: Any
) -> None:
    many = [make("committed").abtrac_id for _ in range(30)]
    for ids in (many[:1], many):
        with django_assert_max_num_queries(6):
            invoices.uncommit(invoice_ids=ids)
        with django_assert_max_num_queries(4):  # the last: does an interface upload on commit
            invoices.commit(invoice_ids=ids)


def test_a_pdf_is_kept_once_and_replaced_while_it_is_here(make: Callable[..., Invoice]) -> None:
    one = make("committed", number="AK/21 00")
    kept = invoices.keep_pdf(invoice_id=one.abtrac_id, content=PDF)
    assert kept.changed
    assert kept.pdf.file_name == "Invoice_AK21_00.pdf"
    assert not invoices.keep_pdf(invoice_id=one.abtrac_id, content=PDF).changed
    assert invoices.keep_pdf(invoice_id=one.abtrac_id, content=b"%PDF-1.4 the second").changed
    stored = InvoicePdf.objects.get(invoice=one)
    assert bytes(stored.content) == b"%PDF-1.4 the second"


@pytest.mark.parametrize("content", [b"", b"<html>", b" %PDF-1.4", b"%pdf-1.4"])
def test_what_is_no_pdf_is_refused(make: Callable[..., Invoice], content: bytes) -> None:
    one = make("committed")
    with pytest.raises(invoices.Refused, match="not a PDF"):
        invoices.keep_pdf(invoice_id=one.abtrac_id, content=content)


def test_a_pdf_that_comes_after_its_invoice_follows_it(
    make: Callable[..., Invoice], interface: AccountingInterface
) -> None:
    one = make("committed")
    sent = upload(one, "sent")
    invoices.keep_pdf(invoice_id=one.abtrac_id, content=PDF)
    step = Upload.objects.get(kind="pdf")
    assert (step.invoice_id, step.state, step.batch_id) == (one.pk, "queued", sent.batch_id)
    assert step.document["document_id"] == "doc-1"
    assert Lane.objects.get(interface=interface).due is not None


def test_a_pdf_on_its_way_is_not_replaced(make: Callable[..., Invoice]) -> None:
    one = make("committed")
    invoices.keep_pdf(invoice_id=one.abtrac_id, content=PDF)
    upload(one, "queued", kind="pdf")
    assert not invoices.keep_pdf(invoice_id=one.abtrac_id, content=PDF).changed
    with pytest.raises(invoices.Refused, match="is on its way to Xero"):
        invoices.keep_pdf(invoice_id=one.abtrac_id, content=b"%PDF-1.4 the second")
    assert bytes(InvoicePdf.objects.get().content) == PDF


@pytest.mark.django_db(transaction=True)
def test_an_invoice_is_never_both_uncommitted_and_on_its_way(practice: Practice) -> None:
    with acting_for(practice.pk):
        office, client = make_office(make_setting(make_interface())), make_client()
    for _ in range(5):
        with acting_for(practice.pk):
            one = make_invoice(office, client)
        start = threading.Barrier(2)

        def run(act: Callable[[], Any], start: threading.Barrier = start) -> None:
            try:
                start.wait(30)
                with acting_for(practice.pk), suppress(invoices.Refused):
                    act()
            finally:
                connection.close()

        acts = [
            partial(uploads.enqueue, invoice_ids=[one.pk], actor=None),
            partial(invoices.uncommit, invoice_ids=[one.abtrac_id]),
        ]
        people = [threading.Thread(target=run, args=(act,)) for act in acts]
        for person in people:
            person.start()
        for person in people:
            person.join(60)
        with acting_for(practice.pk):
            one.refresh_from_db()
            on_its_way = Upload.objects.filter(invoice=one, state="queued").exists()
        assert (one.status == "committed") == on_its_way
