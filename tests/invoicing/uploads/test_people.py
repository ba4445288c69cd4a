"""What a person may decide about uploads."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from connectors.base.documents import (
    Allocation,
    Attachment,
    Conflict,
    Contact,
    Posted,
    SalesInvoice,
)
from connectors.base.errors import RetryLater
from connectors.base.protocol import Found
from interfaces.connections import regain
from interfaces.credentials import store_tokens
from interfaces.disconnecting import disconnect
from interfaces.models import AccountingInterface
from invoicing import notices, selectors
from invoicing.causes import open_causes
from invoicing.invoices import Refused, commit, keep_pdf, uncommit
from invoicing.models import Batch, Invoice, PaymentReceived, Upload
from invoicing.uploads import (
    CannotLink,
    CannotUnlink,
    Retried,
    cancel,
    lane,
    link_existing,
    look_at,
    offered,
    park,
    retry,
    unlink,
    unpark,
)
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


def test_an_older_upload_is_not_the_one_to_try_again(desk: Desk, books: Books) -> None:
    """Or the newest would go on saying "refused" of an invoice that was sent."""
    invoice = fail(desk, books)
    older = desk.of(invoice)
    books.refusals["A-1"] = till.refused()
    desk.upload(invoice)
    desk.work()
    books.refusals.clear()
    with acting_for(desk.practice.pk):
        asked = retry(upload_ids=[older.pk], actor=desk.user)
    assert asked.queued == 0
    assert [one.reason for one in asked.left_out] == ["Uploaded again in batch 2. Retry it there."]
    with acting_for(desk.practice.pk):
        assert retry(upload_ids=[desk.of(invoice).pk], actor=desk.user).queued == 1


def test_an_upload_that_was_cancelled_stands_in_no_older_ones_way(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice()
    books.refusals[invoice.number] = till.refused("No.")
    known.upload(invoice)
    known.work()
    books.refusals.clear()
    first = known.of(invoice)
    known.upload(invoice)
    # Tried before it is cancelled, so that its key is used.
    books.script = [till.failing(RetryLater("Till is away."))]
    known.work()
    with acting_for(known.practice.pk):
        assert cancel(upload_ids=[known.of(invoice).pk], actor=known.user) == 1
    notices.watch(everywhere=True)
    with acting_for(known.practice.pk):
        # It needs attention again, and is mended there.
        assert open_causes().count() == 1
        assert retry(upload_ids=[first.pk], actor=known.user).queued == 1
    known.work()
    assert known.of_pk(first.pk).state == State.SENT
    assert len(set(books.call_keys)) == len(books.call_keys) == 3
    with acting_for(known.practice.pk):
        assert not open_causes().exists()


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
        assert len(park(invoice_ids=[invoice.pk], reason="", actor=desk.user)) == 0
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
        assert len(park(invoice_ids=ids, reason=" typed by hand ", actor=desk.user)) == 2
        assert len(park(invoice_ids=ids, reason="again", actor=desk.user)) == 0
        assert list(offered()) == []
        kept = Invoice.objects.get(pk=fresh.pk)
        assert (kept.parked_by, kept.parked_reason) == (desk.user, "typed by hand")
    assert desk.of(failed).state == State.PARKED
    with acting_for(desk.practice.pk):
        assert unpark(invoice_ids=ids, actor=desk.user) == 2
        assert set(offered()) == {fresh, failed}
    assert desk.upload(failed).queued == 1


def conflicting(desk: Desk, books: Books, number: str = "A-1") -> Upload:
    """The upload of an invoice whose number somebody else's document has."""
    invoice = desk.invoice(number=number)
    books.refusals[number] = till.conflict
    desk.upload(invoice)
    desk.work()
    books.refusals.clear()
    return desk.of(invoice)


def look(desk: Desk, upload: Upload, remote_id: str) -> Found:
    return look_at(practice_id=desk.practice.pk, upload_id=upload.pk, remote_id=remote_id)


def test_what_a_person_says_is_there_is_looked_at_and_linked(desk: Desk, books: Books) -> None:
    upload = conflicting(desk, books)
    books.shown["till-7"] = lambda one: Posted(
        key=one.key, remote_id="till-7", number="A-1", total=one.total, url="https://till.example/7"
    )
    found = look(desk, upload, "till-7")
    assert isinstance(found, Posted)
    with acting_for(desk.practice.pk):
        AccountingInterface.objects.update(payments_mark="yesterday")
        link_existing(upload_id=upload.pk, found=found, actor=desk.user)
        upload.refresh_from_db()
        event = upload.events.latest("pk")
    assert (upload.state, upload.remote_id, upload.linked) == (State.SENT, "till-7", True)
    assert (upload.remote_url, upload.remote_number) == ("https://till.example/7", "A-1")
    assert upload.warnings == [f"Linked by {desk.user} to what was there already; not sent."]
    assert (event.before, event.after, event.actor) == ("needs_person", "sent", desk.user)
    # Its earlier payments are read as well.
    assert desk.reload().payments_mark == ""
    assert len(books.copies) == 1


def test_an_id_nothing_stands_under_links_nothing(desk: Desk, books: Books) -> None:
    upload = conflicting(desk, books)
    with pytest.raises(CannotLink, match="Till has no invoice at that address"):
        look(desk, upload, "nonsense")
    assert desk.of_pk(upload.pk).state == State.NEEDS_PERSON


def test_what_differs_is_linked_only_with_how_it_differs_kept(desk: Desk, books: Books) -> None:
    upload = conflicting(desk, books)
    books.shown["till-other"] = till.conflict
    found = look(desk, upload, "till-other")
    assert isinstance(found, Conflict)
    with acting_for(desk.practice.pk):
        link_existing(upload_id=upload.pk, found=found, actor=desk.user)
    assert desk.of_pk(upload.pk).warnings[1] == found.message


def test_a_link_can_be_taken_back_and_the_invoice_is_looked_up_again(
    desk: Desk, books: Books
) -> None:
    upload = conflicting(desk, books)
    books.shown["till-other"] = till.conflict
    found = look(desk, upload, "till-other")
    with acting_for(desk.practice.pk):
        link_existing(upload_id=upload.pk, found=found, actor=desk.user)
        assert unlink(upload_id=upload.pk, actor=desk.user)
        assert not unlink(upload_id=upload.pk, actor=desk.user)
    back = desk.of_pk(upload.pk)
    assert (back.state, back.remote_id, back.linked) == (State.NEEDS_PERSON, "", False)
    assert "took back" in back.reason
    with acting_for(desk.practice.pk):
        retry(upload_ids=[upload.pk], actor=desk.user)
    desk.work(turns=2)
    assert desk.of_pk(upload.pk).state == State.SENT
    assert books.names(SalesInvoice) == ["A-1", "A-1"]


def test_what_was_really_sent_cannot_be_taken_back(desk: Desk, books: Books) -> None:
    invoice = desk.invoice()
    desk.upload(invoice)
    desk.work()
    with acting_for(desk.practice.pk):
        assert not unlink(upload_id=desk.of(invoice).pk, actor=desk.user)
    assert desk.of(invoice).state == State.SENT


def test_one_document_there_cannot_stand_for_two_invoices(desk: Desk, books: Books) -> None:
    sent = desk.invoice(number="A-9")
    desk.upload(sent)
    desk.work()
    upload = conflicting(desk, books)
    theirs = desk.of(sent).remote_id
    books.shown[theirs] = lambda one: Posted(key=one.key, remote_id=theirs)
    found = look(desk, upload, theirs)
    with acting_for(desk.practice.pk), pytest.raises(CannotLink, match="A-9 already"):
        link_existing(upload_id=upload.pk, found=found, actor=desk.user)


def uncommitted(desk: Desk, invoice: Invoice) -> None:
    with acting_for(desk.practice.pk):
        uncommit(invoice_ids=[invoice.abtrac_id])


def parked(desk: Desk, invoice: Invoice) -> None:
    with acting_for(desk.practice.pk):
        # Parked before it failed, as far as the upload knows.
        Invoice.objects.filter(pk=invoice.pk).update(parked_at=timezone.now())


def on_its_way(desk: Desk, invoice: Invoice) -> None:
    desk.upload(invoice)


@pytest.mark.parametrize(
    ("happened", "why"),
    [
        (uncommitted, "Not committed yet"),
        (parked, "Un-park it first"),
        (on_its_way, "Already in batch 2"),
    ],
)
def test_an_old_refusal_is_not_linked_once_its_invoice_has_gone_another_way(
    desk: Desk, books: Books, happened: Callable[[Desk, Invoice], None], why: str
) -> None:
    invoice = fail(desk, books)
    refused = desk.of(invoice)
    found = Posted(key=refused.document["key"], remote_id="till-7")
    books.shown["till-7"] = lambda one: found
    happened(desk, invoice)
    with pytest.raises(CannotLink, match=why):
        look(desk, refused, "till-7")
    with acting_for(desk.practice.pk), pytest.raises(CannotLink, match=why):
        link_existing(upload_id=refused.pk, found=found, actor=desk.user)
    assert desk.of_pk(refused.pk).state == State.REFUSED


def test_an_invoice_whose_number_was_taken_can_be_uncommitted_and_sent_anew(
    desk: Desk, books: Books
) -> None:
    upload = conflicting(desk, books)
    with acting_for(desk.practice.pk):
        invoice = Invoice.objects.get(uploads=upload)
        uncommit(invoice_ids=[invoice.abtrac_id])
    withdrawn = desk.of_pk(upload.pk)
    assert withdrawn.state == State.CANCELLED
    with acting_for(desk.practice.pk):
        Invoice.objects.update(number="A-2")
        commit(invoice_ids=[invoice.abtrac_id])
        assert [one.pk for one in offered()] == [invoice.pk]
    desk.upload(invoice)
    desk.work()
    assert desk.of(invoice).state == State.SENT
    assert books.names(SalesInvoice)[-1] == "A-2"


def test_a_clash_found_after_a_lost_answer_cannot_be_uncommitted(desk: Desk, books: Books) -> None:
    """Where numbers are not unique, our own may still arrive beside what was found."""
    desk.upload(desk.invoice())
    desk.work()
    invoice = desk.invoice()
    books.script = [till.lose_request]
    desk.upload(invoice)
    desk.work()
    key = desk.of(invoice).document["key"]
    books.answers[key] = till.conflict(books.posts[-1][0])
    desk.work()
    assert (desk.of(invoice).state, desk.of(invoice).code) == (State.NEEDS_PERSON, "conflict")
    with acting_for(desk.practice.pk), pytest.raises(Refused, match="waits for a person"):
        uncommit(invoice_ids=[invoice.abtrac_id])


def test_a_stuck_contact_and_its_invoice_can_be_retried_together(desk: Desk, books: Books) -> None:
    invoice = desk.invoice()
    books.script = [till.failing(ZeroDivisionError())]
    desk.upload(invoice)
    desk.work()
    [contact] = desk.all(kind="contact")
    assert (contact.state, desk.of(invoice).state) == (State.NEEDS_PERSON, State.REFUSED)
    with acting_for(desk.practice.pk):
        retry(upload_ids=[contact.pk, desk.of(invoice).pk], actor=desk.user)
    desk.work()
    assert desk.of(invoice).state == State.SENT


def test_an_invoice_that_may_have_arrived_cannot_be_uncommitted(desk: Desk, books: Books) -> None:
    desk.upload(desk.invoice())
    desk.work()
    invoice = desk.invoice()
    books.script = [till.failing(ZeroDivisionError())]
    desk.upload(invoice)
    desk.work()
    assert desk.of(invoice).state == State.NEEDS_PERSON
    with acting_for(desk.practice.pk), pytest.raises(Refused, match="waits for a person"):
        uncommit(invoice_ids=[invoice.abtrac_id])


def test_a_contact_refused_on_an_invoice_is_looked_up_anew_by_a_retry(
    desk: Desk, books: Books
) -> None:
    desk.upload(desk.invoice())
    desk.work()
    invoice = desk.invoice(number="A-1")
    books.refusals["A-1"] = till.refused("Till no longer knows the contact.", field="contact")
    desk.upload(invoice)
    desk.work()
    assert desk.of(invoice).state == State.REFUSED
    books.refusals.clear()
    looks = len(books.looks)
    with acting_for(desk.practice.pk):
        retry(upload_ids=[desk.of(invoice).pk], actor=desk.user)
    desk.work()
    assert desk.of(invoice).state == State.SENT
    assert len(books.looks) > looks


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
        assert len(park(invoice_ids=[invoice.pk], reason="", actor=desk.user)) == 0
        assert not unlink(upload_id=upload.pk, actor=desk.user)
        with pytest.raises(CannotLink):
            found = Posted(key="x", remote_id="x")
            link_existing(upload_id=upload.pk, found=found, actor=desk.user)
    assert desk.of(invoice).state == State.REFUSED


def refuse_contact(desk: Desk, books: Books) -> Invoice:
    """An invoice held back by its contact, which Till has refused."""
    invoice = desk.invoice(number="A-1")
    books.refusals["Harbour View Trust"] = till.refused("That e-mail is none.")
    desk.upload(invoice)
    desk.work()
    assert desk.of(invoice).state == State.REFUSED
    return invoice


def retry_all(desk: Desk, *, batch: int = 1) -> Retried:
    """Press Retry all on the page of the batch."""
    with acting_for(desk.practice.pk):
        rows = selectors.retryable(Batch.objects.get(number=batch), upload_ids=None)
        return retry(upload_ids=[one.pk for one in rows], actor=desk.user)


def test_a_refused_contact_is_tried_again_with_its_invoice_and_stays_one(
    desk: Desk, books: Books
) -> None:
    invoice = refuse_contact(desk, books)
    with acting_for(desk.practice.pk):
        assert retry(upload_ids=[desk.of(invoice).pk], actor=desk.user).queued == 1
    desk.work()
    assert [one.state for one in desk.all(kind="contact")] == [State.REFUSED]
    books.refusals.clear()
    retry_all(desk)
    desk.work()
    assert desk.of(invoice).state == State.SENT
    assert books.names(Contact) == ["Harbour View Trust"] * 3
    assert desk.batch().finished_at is not None


def test_a_contact_refused_in_two_batches_is_tried_again_once(desk: Desk, books: Books) -> None:
    invoice = refuse_contact(desk, books)
    desk.upload(invoice)
    desk.work()
    books.refusals.clear()
    with acting_for(desk.practice.pk):
        failed = [one.pk for one in desk.all(state=State.REFUSED)]
        retry(upload_ids=failed, actor=desk.user)
    desk.work()
    assert desk.of(invoice).state == State.SENT
    assert [one.state for one in desk.all(kind="contact")] == [State.REFUSED, State.SENT]


def test_a_contact_that_waits_in_a_newer_batch_is_not_tried_again_beside_it(
    desk: Desk, books: Books
) -> None:
    invoice = refuse_contact(desk, books)
    refused = [one.pk for one in desk.all(kind="contact")]
    desk.upload(invoice)
    # It went on in the newer batch, so the page offers nothing any more; an older page may.
    assert retry_all(desk) == Retried(queued=0, refused=0, left_out=[])
    with acting_for(desk.practice.pk):
        asked = retry(upload_ids=refused, actor=desk.user)
    assert asked.queued == 0
    assert [(one.number, one.reason) for one in asked.left_out] == [
        ("Harbour View Trust", "Already in batch 2.")
    ]


def test_a_contact_refused_under_another_name_is_left_as_it_is(desk: Desk, books: Books) -> None:
    desk.interface.preferences["match_contacts_by"] = "name_on_invoice"
    with acting_for(desk.practice.pk):
        desk.interface.save()
    books.refusals["Old Trust"] = till.refused()
    invoice = desk.invoice(name_on_invoice="Old Trust")
    desk.upload(invoice)
    desk.work()
    with acting_for(desk.practice.pk):
        Invoice.objects.update(name_on_invoice="New Trust")
        retry(upload_ids=[desk.of(invoice).pk], actor=desk.user)
    books.refusals.clear()
    desk.work()
    assert desk.of(invoice).state == State.SENT
    assert books.names(Contact) == ["Old Trust", "New Trust"]


def test_a_pdf_refused_before_another_one_was_sent_is_not_sent_again(
    desk: Desk, books: Books
) -> None:
    invoice = desk.invoice()
    with acting_for(desk.practice.pk):
        keep_pdf(invoice_id=invoice.abtrac_id, content=b"%PDF-1.7 first")
    desk.upload(invoice)
    books.refusals[f"{desk.of(invoice).document['key']}/pdf"] = till.refused("Too large.")
    desk.work()
    books.refusals.clear()
    with acting_for(desk.practice.pk):
        keep_pdf(invoice_id=invoice.abtrac_id, content=b"%PDF-1.7 second")
    desk.work()
    refused, sent = desk.all(kind="pdf")
    assert (refused.state, sent.state) == (State.REFUSED, State.SENT)
    with acting_for(desk.practice.pk):
        asked = retry(upload_ids=[refused.pk], actor=desk.user)
    assert (asked.queued, len(asked.left_out)) == (0, 1)


def lose_answer(desk: Desk, books: Books) -> Upload:
    """An upload whose answer was lost; Till has it."""
    desk.upload(desk.invoice())
    desk.work()
    invoice = desk.invoice(number="A-1")
    books.script = [till.lose_answer]
    desk.upload(invoice)
    desk.work()
    assert desk.of(invoice).state == State.UNKNOWN
    return desk.of(invoice)


def end_link(desk: Desk) -> None:
    """Disconnect, and let the worker take the turn it is rung for."""
    disconnect(practice_id=desk.practice.pk, interface_id=desk.interface.pk, actor=desk.user)
    assert (desk.lane().due or timezone.now()) <= timezone.now()
    lane.drain(practice_id=desk.practice.pk, interface_id=desk.interface.pk)


def test_what_cannot_be_asked_any_more_goes_to_a_person(desk: Desk, books: Books) -> None:
    before = lose_answer(desk, books)
    looks = len(books.looks)
    end_link(desk)
    upload = desk.of_pk(before.pk)
    assert upload.state == State.NEEDS_PERSON
    assert "was disconnected before anybody could find out. Please do not enter" in upload.reason
    # Right whether it arrived or not: parked, it would never be sent.
    assert "and it is sent only if it is not there. Park it only if you have" in upload.next_step
    assert upload.unknown_since == before.unknown_since
    assert desk.batch(2).finished_at is not None
    assert len(books.looks) == looks
    with acting_for(desk.practice.pk):
        invoice = Invoice.objects.get(uploads=upload)
        with pytest.raises(Refused, match="waits for a person"):
            uncommit(invoice_ids=[invoice.abtrac_id])
        assert len(park(invoice_ids=[invoice.pk], reason="It is there", actor=desk.user)) == 1


def test_what_cannot_be_asked_is_retried_only_once_connected_again(
    desk: Desk, books: Books
) -> None:
    upload = lose_answer(desk, books)
    end_link(desk)
    with acting_for(desk.practice.pk):
        asked = retry(upload_ids=[upload.pk], actor=desk.user)
    assert asked.queued == 0
    [left] = asked.left_out
    assert (left.number, "is disconnected. Connect it" in left.reason) == ("A-1", True)
    assert desk.of_pk(upload.pk).state == State.NEEDS_PERSON
    regain(practice_id=desk.practice.pk, interface_id=desk.interface.pk)
    with acting_for(desk.practice.pk):
        tokens = {"access_token": "a", "expires_at": timezone.now().timestamp() + 86400}
        store_tokens(desk.interface.pk, tokens, desk.user)
        assert retry(upload_ids=[upload.pk], actor=desk.user).queued == 1
    desk.work()
    assert desk.of_pk(upload.pk).state == State.SENT
    assert books.names(SalesInvoice).count("A-1") == 1


def test_a_worker_that_died_before_a_disconnect_leaves_nothing_unasked(
    desk: Desk, books: Books
) -> None:
    invoice = desk.invoice()
    desk.upload(invoice)
    desk.work()
    with acting_for(desk.practice.pk):
        Upload.objects.filter(invoice=invoice).update(state="sending", remote_id="")
    end_link(desk)
    assert desk.moves(desk.of(invoice))[-2:] == [State.UNKNOWN, State.NEEDS_PERSON]


def link_wrong(desk: Desk, books: Books, invoice: Invoice) -> Upload:
    """The invoice's failed upload, linked to somebody else's document."""
    upload = desk.of(invoice)
    with acting_for(desk.practice.pk):
        found = Posted(key=upload.document["key"], remote_id="till-wrong")
        link_existing(upload_id=upload.pk, found=found, actor=desk.user)
    return upload


def attached_to(books: Books) -> list[str]:
    """The documents that a PDF was hung on, in order."""
    sent = [one for call in books.posts for one in call if isinstance(one, Attachment)]
    return [one.document_id for one in sent]


def with_pdf(desk: Desk, books: Books) -> Invoice:
    """A refused invoice that has a PDF."""
    invoice = fail(desk, books)
    with acting_for(desk.practice.pk):
        keep_pdf(invoice_id=invoice.abtrac_id, content=b"%PDF-1.7 first")
    return invoice


def test_what_waits_to_follow_a_link_goes_with_it(desk: Desk, books: Books) -> None:
    upload = link_wrong(desk, books, with_pdf(desk, books))
    with acting_for(desk.practice.pk):
        assert unlink(upload_id=upload.pk, actor=desk.user)
    desk.work()
    [step] = desk.all(kind="pdf")
    assert (step.state, attached_to(books)) == (State.CANCELLED, [])
    assert "added" not in desk.of_pk(upload.pk).next_step
    assert desk.batch().finished_at is not None


def test_after_a_link_taken_back_the_right_document_gets_its_pdf(desk: Desk, books: Books) -> None:
    invoice = with_pdf(desk, books)
    upload = link_wrong(desk, books, invoice)
    desk.work()
    with acting_for(desk.practice.pk):
        assert unlink(upload_id=upload.pk, actor=desk.user)
    assert "Take off the document linked before" in desk.of_pk(upload.pk).next_step
    with acting_for(desk.practice.pk):
        retry(upload_ids=[upload.pk], actor=desk.user)
    desk.work(turns=2)
    assert desk.of(invoice).state == State.SENT
    assert attached_to(books) == ["till-wrong", desk.of(invoice).remote_id]
    assert len(set(books.call_keys)) == len(books.call_keys)


def test_a_refused_step_of_a_link_taken_back_is_not_tried_again(desk: Desk, books: Books) -> None:
    invoice = with_pdf(desk, books)
    books.refusals[f"{desk.of(invoice).document['key']}/pdf"] = till.refused("Too large.")
    upload = link_wrong(desk, books, invoice)
    desk.work()
    [step] = desk.all(kind="pdf")
    assert step.state == State.REFUSED
    with acting_for(desk.practice.pk):
        assert unlink(upload_id=upload.pk, actor=desk.user)
        assert retry(upload_ids=[step.pk], actor=desk.user).queued == 0
    assert desk.of_pk(step.pk).state == State.CANCELLED


def test_a_credit_is_not_set_against_a_document_no_longer_linked(desk: Desk, books: Books) -> None:
    invoice = fail(desk, books)
    note = desk.invoice(nets=("-400.00",), credits=invoice)
    desk.upload(note)
    desk.work()
    upload = link_wrong(desk, books, invoice)
    assert [one.state for one in desk.all(kind="allocation")] == [State.QUEUED]
    with acting_for(desk.practice.pk):
        assert unlink(upload_id=upload.pk, actor=desk.user)
        retry(upload_ids=[upload.pk], actor=desk.user)
    desk.work(turns=2)
    made = [one for call in books.posts for one in call if isinstance(one, Allocation)]
    assert [one.invoice_id for one in made] == [desk.of(invoice).remote_id]


@pytest.mark.parametrize("state", [State.CLAIMED, State.SENDING, State.UNKNOWN])
def test_a_link_is_not_taken_back_while_a_step_of_it_is_on_the_wire(
    desk: Desk, books: Books, state: State
) -> None:
    upload = link_wrong(desk, books, with_pdf(desk, books))
    with acting_for(desk.practice.pk):
        Upload.objects.filter(kind="pdf").update(state=state)
        with pytest.raises(CannotUnlink, match="PDF, is on its way to Till"):
            unlink(upload_id=upload.pk, actor=desk.user)
    assert desk.of_pk(upload.pk).state == State.SENT


def test_payments_of_the_wrong_document_go_with_the_link(desk: Desk, books: Books) -> None:
    invoice = fail(desk, books)
    upload = link_wrong(desk, books, invoice)
    with acting_for(desk.practice.pk):
        PaymentReceived.objects.create(
            interface=desk.interface,
            invoice=invoice,
            remote_id="p-1",
            paid_on=invoice.issued,
            amount="99.00",
        )
        Invoice.objects.filter(pk=invoice.pk).update(paid="99.00", package_status="PAID")
        unlink(upload_id=upload.pk, actor=desk.user)
        stored = Invoice.objects.get(pk=invoice.pk)
        assert (stored.paid, stored.package_status) == (Decimal(0), "")
        assert not PaymentReceived.objects.exists()
