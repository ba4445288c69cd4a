"""What a person may decide about uploads."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connectors.base.documents import Contact
from interfaces.models import AccountingInterface
from invoicing.models import Invoice, Upload
from invoicing.uploads import CannotLink, cancel, link_existing, offered, park, retry, unpark
from invoicing.uploads.states import State
from offices.tenancy import acting_for
from tests.factories import make_practice
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.till import Books


def fail(desk: Desk, books: Books, *, number: str = "A-1") -> Invoice:
    """An invoice that Till has refused."""
    invoice = desk.invoice(number=number)
    books.refusals[number] = till.refused()
    desk.upload(invoice)
    desk.work()
    books.refusals.clear()
    return invoice


def test_a_retry_freezes_the_invoice_as_it_is_now(desk: Desk, books: Books) -> None:
    invoice = fail(desk, books)
    before = desk.of(invoice)
    with acting_for(desk.practice.pk):
        invoice.lines.update(description="Corrected")
        asked = retry(upload_ids=[before.pk], actor=desk.user)
    assert (asked.queued, asked.refused, asked.left_out) == (1, 0, [])
    assert desk.batch().finished_at is None
    desk.work()
    after = desk.of(invoice)
    assert (after.pk, after.state, after.revision) == (before.pk, State.SENT, before.revision + 1)
    assert books.posts[-1][0].lines[0].description == "Corrected"
    assert (after.reason, after.field, after.code) == ("", "", "")
    assert books.call_keys[-1] not in books.call_keys[:-1]


def test_a_retry_that_our_own_checks_refuse_says_so_again(desk: Desk, books: Books) -> None:
    invoice = fail(desk, books)
    with acting_for(desk.practice.pk):
        invoice.lines.update(account_code="999")
        asked = retry(upload_ids=[desk.of(invoice).pk], actor=desk.user)
    assert (asked.queued, asked.refused) == (0, 1)
    assert "999" in desk.of(invoice).reason
    assert desk.of(invoice).state == State.REFUSED


def test_an_invoice_uncommitted_or_sent_another_way_is_not_retried(
    desk: Desk, books: Books
) -> None:
    uncommitted, resent = fail(desk, books), fail(desk, books, number="A-2")
    first = desk.of(resent)
    desk.upload(resent)
    with acting_for(desk.practice.pk):
        Invoice.objects.filter(pk=uncommitted.pk).update(status="approved", committed_at=None)
        asked = retry(upload_ids=[desk.of(uncommitted).pk, first.pk], actor=desk.user)
    assert asked.queued == 0
    assert sorted(one.reason for one in asked.left_out) == [
        "Already in batch 3.",
        "Not committed yet. Commit it in Abtrac first.",
    ]


def test_what_was_sent_cannot_be_retried_cancelled_or_parked(desk: Desk, books: Books) -> None:
    invoice = desk.invoice()
    desk.upload(invoice)
    desk.work()
    upload = desk.of(invoice)
    with acting_for(desk.practice.pk):
        assert retry(upload_ids=[upload.pk], actor=desk.user).queued == 0
        assert cancel(upload_ids=[upload.pk], actor=desk.user) == 0
        assert park(invoice_ids=[invoice.pk], reason="", actor=desk.user) == 0
    desk.work()
    assert len(books.copies) == 2
    assert desk.of(invoice).state == State.SENT


def test_a_waiting_upload_can_be_cancelled_and_is_offered_again(desk: Desk, books: Books) -> None:
    invoice = desk.invoice()
    desk.upload(invoice)
    with acting_for(desk.practice.pk):
        assert cancel(upload_ids=[desk.of(invoice).pk], actor=desk.user) == 1
        assert list(offered()) == [invoice]
    desk.work()
    assert books.posts == []
    assert {one.state for one in desk.all()} == {State.CANCELLED}
    assert desk.batch().finished_at is not None


def test_cancelling_one_invoice_keeps_the_contact_another_one_needs(
    desk: Desk, books: Books
) -> None:
    stays, goes = desk.invoice(), desk.invoice()
    desk.upload(stays, goes)
    with acting_for(desk.practice.pk):
        cancel(upload_ids=[desk.of(goes).pk], actor=desk.user)
    desk.work()
    assert desk.of(stays).state == State.SENT
    assert books.names(Contact) == ["Harbour View Trust"]


def test_parking_takes_an_invoice_off_the_list_and_unparking_brings_it_back(
    desk: Desk, books: Books
) -> None:
    fresh, failed = desk.invoice(), fail(desk, books)
    with acting_for(desk.practice.pk):
        ids = [fresh.pk, failed.pk]
        assert park(invoice_ids=ids, reason=" typed by hand ", actor=desk.user) == 2
        assert park(invoice_ids=ids, reason="again", actor=desk.user) == 0
        assert list(offered()) == []
        kept = Invoice.objects.get(pk=fresh.pk)
        assert (kept.parked_by, kept.parked_reason) == (desk.user, "typed by hand")
    assert desk.of(failed).state == State.PARKED
    with acting_for(desk.practice.pk):
        assert unpark(invoice_ids=ids, actor=desk.user) == 2
        assert set(offered()) == {fresh, failed}
    assert desk.upload(failed).queued == 1


def test_a_person_can_say_that_it_is_there_already(desk: Desk, books: Books) -> None:
    invoice = desk.invoice(number="A-1")
    books.refusals["A-1"] = till.conflict
    desk.upload(invoice)
    desk.work()
    upload = desk.of(invoice)
    with acting_for(desk.practice.pk):
        AccountingInterface.objects.update(payments_mark="yesterday")
        link_existing(upload_id=upload.pk, remote_id=" till-other ", actor=desk.user)
    upload = desk.of(invoice)
    # Its earlier payments are read as well.
    assert desk.reload().payments_mark == ""
    assert (upload.state, upload.remote_id) == (State.SENT, "till-other")
    assert str(desk.user) in upload.warnings[0]
    with acting_for(desk.practice.pk):
        event = upload.events.latest("pk")
        assert (event.before, event.after, event.actor) == ("needs_person", "sent", desk.user)


@pytest.mark.parametrize("remote_id", ["", "  ", "x" * 101])
def test_linking_needs_an_id(desk: Desk, books: Books, remote_id: str) -> None:
    invoice = fail(desk, books)
    with acting_for(desk.practice.pk), pytest.raises(CannotLink, match="Give the id"):
        link_existing(upload_id=desk.of(invoice).pk, remote_id=remote_id, actor=desk.user)


def test_one_document_there_cannot_stand_for_two_invoices(desk: Desk, books: Books) -> None:
    sent = desk.invoice(number="A-9")
    desk.upload(sent)
    desk.work()
    failed = fail(desk, books)
    with acting_for(desk.practice.pk), pytest.raises(CannotLink, match="A-9 already"):
        link_existing(
            upload_id=desk.of(failed).pk, remote_id=desk.of(sent).remote_id, actor=desk.user
        )


def test_a_linked_contact_lets_its_invoices_go_to_it(desk: Desk, books: Books) -> None:
    invoice = desk.invoice()
    desk.upload(invoice)
    [contact] = desk.all(kind="contact")
    books.answers[contact.document["key"]] = till.conflict(
        Contact(key=contact.document["key"], number="", name="")
    )
    desk.work()
    with acting_for(desk.practice.pk):
        link_existing(upload_id=contact.pk, remote_id="till-77", actor=desk.user)
        retry(upload_ids=[desk.of(invoice).pk], actor=desk.user)
    desk.work()
    assert desk.of(invoice).state == State.SENT
    assert books.posts[0][0].contact_id == "till-77"


def test_retrying_a_waiting_upload_makes_it_due_at_once(desk: Desk, books: Books) -> None:
    invoice = desk.invoice()
    desk.upload(invoice)
    with acting_for(desk.practice.pk):
        later = timezone.now() + timedelta(hours=1)
        Upload.objects.filter(invoice=invoice).update(due=later)
        assert retry(upload_ids=[desk.of(invoice).pk], actor=desk.user).queued == 1
    assert (desk.of(invoice).due or later) <= timezone.now()


def test_ids_of_another_practice_are_as_good_as_none(desk: Desk, books: Books) -> None:
    invoice = fail(desk, books)
    upload = desk.of(invoice)
    with acting_for(make_practice().pk):
        assert retry(upload_ids=[upload.pk], actor=desk.user).queued == 0
        assert cancel(upload_ids=[upload.pk], actor=desk.user) == 0
        assert park(invoice_ids=[invoice.pk], reason="", actor=desk.user) == 0
        with pytest.raises(CannotLink):
            link_existing(upload_id=upload.pk, remote_id="x", actor=desk.user)
    assert desk.of(invoice).state == State.REFUSED
