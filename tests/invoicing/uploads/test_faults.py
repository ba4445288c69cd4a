"""What happens to an upload when the call for it goes wrong."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import F
from django.utils import timezone

from connectors import registry
from connectors.base.documents import Contact, Posted, SalesInvoice
from connectors.base.errors import NeedsReconnect, RetryLater
from connectors.base.protocol import RateLimit, Scope
from interfaces import lanes, limits
from interfaces.connections import regain
from interfaces.lanes import LostLane
from interfaces.models import AccountingInterface, Lane
from invoicing.models import Invoice, InvoicePdf, Upload
from invoicing.uploads import killpoints, lane, outcomes, retry, states
from invoicing.uploads.states import MOVES, IllegalMove, State
from offices.tenancy import acting_for
from tests.factories import make_client, make_job
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk, open_desk
from tests.invoicing.uploads.till import Books


def test_a_lost_answer_is_looked_up_and_adopted_never_sent_twice(known: Desk, books: Books) -> None:
    invoice = known.invoice()
    books.script = [till.lose_answer]
    known.upload(invoice)
    known.work()
    upload = known.of(invoice)
    assert upload.state == State.UNKNOWN
    assert "do not know yet" in upload.reason
    assert upload.reason.count("Please do not enter it by hand") == 1
    known.work()
    upload = known.of(invoice)
    assert upload.state == State.SENT
    assert upload.remote_id == books.ids[upload.document["key"]]
    assert len(books.copies) == 1
    assert known.moves(upload) == ["queued", "claimed", "sending", "unknown", "sent"]


@pytest.mark.parametrize(
    "trouble",
    [RetryLater("Till is busy."), NeedsReconnect("Signed out."), till.refused("No such page.")],
)
def test_trouble_after_a_write_was_accepted_is_looked_up_and_not_sent_again(
    known: Desk, books: Books, trouble: Exception
) -> None:
    """One step may make several calls; "nothing was written" can then only be said of the last."""
    invoice = known.invoice()
    books.trouble_after = [trouble]
    known.upload(invoice)
    known.work()
    assert known.of(invoice).state == State.UNKNOWN
    regain(practice_id=known.practice.pk, interface_id=known.interface.pk)
    known.work()
    assert known.of(invoice).state == State.SENT
    assert len(books.copies) == 1


def test_what_is_proven_absent_is_sent_again_under_a_new_key(known: Desk, books: Books) -> None:
    invoice = known.invoice()
    books.script = [till.lose_request]
    known.upload(invoice)
    known.work(turns=2)
    assert known.of(invoice).state == State.SENT
    assert len(books.copies) == 1
    assert len(set(books.call_keys)) == 2


def test_absence_proves_nothing_before_the_package_has_surely_finished(
    known: Desk, books: Books, settings: Any
) -> None:
    settings.UPLOAD_SETTLE_SECONDS = None
    invoice = known.invoice()
    books.script = [till.lose_request]
    known.upload(invoice)
    known.work(turns=2)
    upload = known.of(invoice)
    assert upload.state == State.UNKNOWN
    assert upload.due is not None
    assert upload.unknown_since is not None
    # Looked at once, in vain; the next look is when the package's longest time has passed.
    assert upload.due - upload.unknown_since >= till.PACKAGE.limits.settle
    assert len(books.posts) == 1


def test_what_arrives_after_the_first_look_is_still_one_copy(
    known: Desk, books: Books, settings: Any
) -> None:
    settings.UPLOAD_SETTLE_SECONDS = None
    invoice = known.invoice()
    books.script = [till.lose_request]
    known.upload(invoice)
    known.work(turns=2)
    late = books.posts[0][0]
    books.add(late)
    known.work()
    assert known.of(invoice).state == State.SENT
    assert books.copies == [late.key]


def test_a_package_that_cannot_be_asked_is_asked_again_and_then_a_person_decides(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice()
    books.script = [till.lose_answer]
    known.upload(invoice)
    known.work()

    def down() -> None:
        raise RetryLater("Till is not available.")

    books.look_script = [down] * 10
    known.work(turns=10)
    upload = known.of(invoice)
    assert upload.state == State.NEEDS_PERSON
    assert "could not find out" in upload.reason
    assert upload.next_step
    assert len(books.posts) == 1
    with acting_for(known.practice.pk):
        assert retry(upload_ids=[upload.pk], actor=known.user).queued == 1
    books.look_script.clear()
    known.work()
    assert known.of(invoice).state == State.SENT
    assert len(books.copies) == 1


def test_somebody_elses_document_under_our_number_goes_to_a_person(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice(number="A-1")
    books.refusals["A-1"] = till.conflict
    known.upload(invoice)
    known.work()
    upload = known.of(invoice)
    assert upload.state == State.NEEDS_PERSON
    assert "Other Ltd" in upload.reason
    assert (upload.next_step, upload.remote_id) == ("Use another number.", "till-other")
    assert known.batch().finished_at is not None


def test_a_retry_after_a_conflict_looks_first_and_sends_when_the_way_is_free(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice(number="A-1")
    books.refusals["A-1"] = till.conflict
    known.upload(invoice)
    known.work()
    upload = known.of(invoice)
    books.answers[upload.document["key"]] = till.conflict(books.posts[0][0])
    with acting_for(known.practice.pk):
        retry(upload_ids=[upload.pk], actor=known.user)
    known.work()
    assert known.of(invoice).state == State.NEEDS_PERSON
    assert len(books.posts) == 1
    books.answers.clear()
    books.refusals.clear()
    with acting_for(known.practice.pk):
        retry(upload_ids=[upload.pk], actor=known.user)
    known.work(turns=2)
    assert known.of(invoice).state == State.SENT


def test_two_invoices_never_share_one_document(known: Desk, books: Books) -> None:
    """Alike in number, client, date and total: the package can only know them as one."""
    twins = [known.invoice(number="A-1") for _ in range(2)]

    def adopt(document: Any) -> Posted:
        books.ids[document.key] = "till-one"
        return books.posted(document)

    books.refusals["A-1"] = adopt
    known.upload(*twins)
    known.work()
    assert sorted(known.of(one).state for one in twins) == [State.NEEDS_PERSON, State.SENT]
    again = known.invoice(number="A-1")
    known.upload(again)
    known.work()
    shared = known.of(again)
    assert shared.state == State.NEEDS_PERSON
    assert "linked to our invoice A-1 already" in shared.reason
    assert "park this one" in shared.next_step


def test_what_a_person_looks_at_again_long_after_need_not_settle_again(
    known: Desk, books: Books, settings: Any
) -> None:
    settings.UPLOAD_SETTLE_SECONDS = None
    invoice = known.invoice(number="A-1")
    books.refusals["A-1"] = till.conflict
    known.upload(invoice)
    known.work()
    books.refusals.clear()
    with acting_for(known.practice.pk):
        Upload.objects.update(created_at=timezone.now() - timedelta(hours=1))
        retry(upload_ids=[known.of(invoice).pk], actor=known.user)
    known.work()
    assert known.of(invoice).state == State.SENT


def test_a_refusal_names_line_and_next_step_and_is_never_repeated_by_the_machine(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice(number="A-1")
    books.refusals["A-1"] = till.refused(
        "account 205 is archived in Till.", field="account_code", line=2, next_step="Restore it."
    )
    known.upload(invoice)
    known.work(turns=3)
    upload = known.of(invoice)
    assert upload.state == State.REFUSED
    assert upload.reason == "Invoice A-1, line 2: account 205 is archived in Till."
    assert (upload.field, upload.next_step) == ("account_code", "Restore it.")
    assert len(books.posts) == 1


def test_of_a_call_of_ten_one_is_refused_one_conflicts_and_eight_are_sent(
    known: Desk, books: Books
) -> None:
    invoices = [known.invoice(number=f"A-{number}") for number in range(10)]
    books.refusals = {"A-3": till.refused(), "A-7": till.conflict}
    known.upload(*invoices)
    known.work(turns=2)
    found = [str(known.of(one).state) for one in invoices]
    assert found.count("sent") == 8
    assert (found[3], found[7]) == ("refused", "needs_person")
    assert len(books.posts) == 1


def test_a_call_refused_as_a_whole_is_sent_one_by_one(known: Desk, books: Books) -> None:
    invoices = [known.invoice(number=f"A-{number}") for number in range(3)]
    books.script = [till.failing(till.refused("Till cannot read it."))]
    books.refusals = {"A-1": till.refused("Till cannot read this one.")}
    known.upload(*invoices)
    known.work()
    assert [len(call) for call in books.posts] == [3, 1, 1, 1]
    assert [known.of(one).state for one in invoices] == [State.SENT, State.REFUSED, State.SENT]
    assert len(set(books.call_keys)) == 4


def test_what_was_surely_not_executed_waits_by_the_schedule(known: Desk, books: Books) -> None:
    invoice = known.invoice()
    books.script = [till.failing(RetryLater("Till is not available."))]
    known.upload(invoice)
    known.work()
    upload = known.of(invoice)
    assert upload.state == State.QUEUED
    assert upload.reason == "Till is not available."
    assert upload.due is not None
    wait = (upload.due - timezone.now()).total_seconds()
    assert 0 < wait <= 6
    assert known.lane().due == upload.due
    known.work()
    assert known.of(invoice).state == State.SENT
    assert len(books.copies) == 1


def test_the_package_own_wish_to_wait_is_kept(known: Desk, books: Books) -> None:
    invoices = [known.invoice() for _ in range(2)]
    wish = RetryLater("Till asks us to wait.", after=timedelta(hours=9), congested=True)
    books.script = [till.failing(wish)]
    known.upload(*invoices)
    known.work()
    until = timezone.now() + timedelta(hours=8)
    assert all((known.of(one).due or until) > until for one in invoices)
    assert (known.lane().hold_until or until) > until
    assert (known.lane().due or until) > until
    # Nothing calls before then, not even for what is due at once, and health is not in doubt.
    known.upload(known.invoice())
    lane.drain(practice_id=known.practice.pk, interface_id=known.interface.pk)
    assert len(books.posts) == 1
    assert "x" not in known.lane().outcomes


@pytest.fixture
def ten_a_minute(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Till takes ten calls a minute; what is answered lets a minute pass."""
    settings.EMBEDDED = True
    rate = RateLimit(name="minute", scope=Scope.INTERFACE, calls=10, per=timedelta(minutes=1))
    package = replace(till.PACKAGE, limits=replace(till.PACKAGE.limits, rates=(rate,)))
    monkeypatch.setitem(registry.packages(), "till", package)
    now = [1_800_000_000.0]
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: now[0]))

    def a_minute_passes() -> None:
        now[0] += 61

    return a_minute_passes


def test_a_look_up_that_takes_more_calls_than_are_allowed_is_made_one_by_one(
    desk: Desk, books: Books, ten_a_minute: Callable[[], None]
) -> None:
    """All at once it would use up every minute's calls, and begin anew."""
    with acting_for(desk.practice.pk):
        clients = [make_client(f"Client {number}") for number in range(6)]
    invoices = [desk.invoice(client=one) for one in clients]
    desk.upload(*invoices)
    books.calls_to_find = lambda documents: 1 + 2 * documents
    for _ in range(8):
        desk.work()
        ten_a_minute()
    assert {desk.of(one).state for one in invoices} == {State.SENT}
    assert len(books.copies) == 12
    # What needs no look-up still goes in one call.
    assert [type(one) for one in books.posts[-1]] == [SalesInvoice] * 6


def test_unknown_ones_that_take_more_calls_than_are_allowed_are_asked_for_one_by_one(
    known: Desk, books: Books, ten_a_minute: Callable[[], None]
) -> None:
    invoices = [known.invoice() for _ in range(6)]
    known.upload(*invoices)
    books.script = [till.lose_answer]
    books.calls_to_find = lambda documents: 1 + 2 * documents
    for _ in range(6):
        known.work()
        ten_a_minute()
    assert {known.of(one).state for one in invoices} == {State.SENT}
    assert len(books.copies) == 6


def test_a_limit_met_by_the_first_call_of_a_step_takes_nothing_apart(
    known: Desk, books: Books, ten_a_minute: Callable[[], None]
) -> None:
    invoices = [known.invoice() for _ in range(6)]
    known.upload(*invoices)
    wish = RetryLater("Till asks us to wait.", after=timedelta(minutes=1), congested=True)
    books.script = [till.failing(wish)]
    known.work(turns=2)
    assert {known.of(one).state for one in invoices} == {State.SENT}
    assert [len(call) for call in books.posts] == [6, 6]


def test_one_interface_told_to_wait_does_not_stop_another(
    known: Desk, books: Books, practice: Any
) -> None:
    other = open_desk(practice, books, known.user, name="Till two")
    mine, theirs = known.invoice(), known.invoice(office=other.office)
    wish = RetryLater("Wait.", after=timedelta(hours=1), congested=True)
    known.upload(mine, theirs)
    books.script = [till.failing(wish)]
    known.work()
    other.work()
    assert (known.of(mine).state, known.of(theirs).state) == (State.QUEUED, State.SENT)


def test_after_five_days_of_outage_a_person_is_asked(known: Desk, books: Books) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    books.script = [till.failing(RetryLater("Till is not available."))] * 2
    known.work()
    with acting_for(known.practice.pk):
        Upload.objects.filter(invoice=invoice).update(
            waiting_since=timezone.now() - timedelta(days=5, seconds=1)
        )
    known.work()
    upload = known.of(invoice)
    assert upload.state == State.NEEDS_PERSON
    assert upload.next_step


def let_pass(desk: Desk, invoice: Invoice, days: int) -> None:
    """As if it had begun to wait, and to be unknown, so many days earlier."""
    with acting_for(desk.practice.pk):
        for name in ("waiting_since", "unknown_since"):
            Upload.objects.filter(invoice=invoice, **{f"{name}__isnull": False}).update(
                **{name: F(name) - timedelta(days=days)}
            )


def test_a_long_wait_for_a_consent_is_no_reason_to_give_up(known: Desk, books: Books) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    books.script = [
        till.failing(NeedsReconnect("Till has signed us out.")),
        till.failing(RetryLater("Too many calls.", congested=True)),
        till.failing(RetryLater("Till is not available.")),
    ]
    known.work()
    for _ in range(2):
        let_pass(known, invoice, days=14)
        regain(practice_id=known.practice.pk, interface_id=known.interface.pk)
        known.work()
        assert known.of(invoice).state == State.QUEUED
    assert known.of(invoice).tries == 1


def test_a_limit_met_after_a_long_outage_is_no_reason_to_give_up(known: Desk, books: Books) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    books.script = [
        till.failing(RetryLater("Till is not available.")),
        till.failing(RetryLater("Too many calls.", congested=True)),
    ]
    known.work()
    let_pass(known, invoice, days=14)
    known.work()
    assert known.of(invoice).state == State.QUEUED


def test_what_a_person_retries_has_its_five_days_anew(known: Desk, books: Books) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    books.script = [till.failing(RetryLater("Till is not available."))] * 3
    known.work()
    let_pass(known, invoice, days=6)
    known.work()
    assert known.of(invoice).state == State.NEEDS_PERSON
    with acting_for(known.practice.pk):
        retry(upload_ids=[known.of(invoice).pk], actor=known.user)
    known.work()
    upload = known.of(invoice)
    assert (upload.state, upload.tries) == (State.QUEUED, 1)


def test_what_a_look_up_proved_absent_has_its_five_days_anew(known: Desk, books: Books) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    books.script = [till.lose_request, till.failing(RetryLater("Till is not available."))]
    known.work()
    let_pass(known, invoice, days=14)
    known.work()
    upload = known.of(invoice)
    assert (upload.state, upload.reason) == (State.QUEUED, "Till is not available.")


def test_lost_consent_keeps_everything_and_goes_on_by_itself(
    known: Desk, books: Books, settings: Any
) -> None:
    settings.UPLOAD_RETRY_SECONDS = [600]  # the consent is all it waits for
    invoices = [known.invoice() for _ in range(2)]
    known.upload(*invoices)
    books.script = [till.failing(NeedsReconnect("Till has signed us out."))]
    known.work()
    assert known.reload().state == AccountingInterface.State.NEEDS_CONSENT
    assert {known.of(one).state for one in invoices} == {State.QUEUED}
    known.work()
    assert len(books.posts) == 1
    regain(practice_id=known.practice.pk, interface_id=known.interface.pk)
    known.work()
    assert {known.of(one).state for one in invoices} == {State.SENT}


def test_a_mistake_of_ours_goes_to_a_person_and_stops_nobody_else(
    known: Desk, books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    first = known.invoice()
    known.upload(first)
    books.script = [till.failing(ZeroDivisionError("CANARY"))]
    known.work()
    upload = known.of(first)
    assert upload.state == State.NEEDS_PERSON
    assert "our fault" in upload.reason
    assert "CANARY" not in upload.reason
    assert "ZeroDivisionError" in caplog.text
    second = known.invoice()
    known.upload(second)
    known.work()
    assert known.of(second).state == State.SENT
    # It may have been written: a retry asks first.
    with acting_for(known.practice.pk):
        retry(upload_ids=[upload.pk], actor=known.user)
    known.work(turns=2)
    assert known.of(first).state == State.SENT


# Half of an emoji can be written down nowhere, a NUL at least not in PostgreSQL.
NOT_TEXT = ["cut in an emoji \ud83d", "a NUL \x00 inside"]


@pytest.mark.parametrize("words", NOT_TEXT, ids=["half", "NUL"])
def test_an_answer_that_cannot_be_written_down_is_a_persons_and_stops_nobody_else(
    known: Desk, books: Books, words: str
) -> None:
    invoices = [known.invoice(number=f"A-{number}") for number in range(3)]
    books.refusals["A-1"] = till.refused("No.", words=words)
    known.upload(*invoices)
    known.work(turns=2)
    assert [known.of(one).state for one in (invoices[0], invoices[2])] == [State.SENT] * 2
    upload = known.of(invoices[1])
    if upload.state != State.REFUSED:
        assert upload.state == State.NEEDS_PERSON
        assert "our fault" in upload.reason
    assert known.batch().finished_at is not None
    assert known.lane().lease_until is None
    # It was sent, so a retry asks first.
    assert len(books.posts) == 1
    books.add(books.posts[0][1])
    if upload.state == State.NEEDS_PERSON:
        with acting_for(known.practice.pk):
            retry(upload_ids=[upload.pk], actor=known.user)
        known.work()
        assert known.of(invoices[1]).state == State.SENT
        assert len(books.posts) == 1


def test_a_refusal_of_the_whole_call_that_cannot_be_written_down_is_a_persons(
    known: Desk, books: Books
) -> None:
    several, one = [known.invoice(), known.invoice()], known.invoice(number="A-1")
    books.script = [till.failing(till.refused(NOT_TEXT[0]))] * 2
    known.upload(*several)
    known.work(turns=2)
    assert {known.of(each).state for each in several} == {State.NEEDS_PERSON}
    known.upload(one)
    known.work(turns=2)
    assert known.of(one).state == State.NEEDS_PERSON
    assert len(books.posts) == 2


@pytest.mark.parametrize("congested", [True, False])
def test_trouble_that_cannot_be_written_down_is_a_persons_too(
    known: Desk, books: Books, congested: bool
) -> None:
    books.script = [till.failing(RetryLater(NOT_TEXT[0], congested=congested))]
    invoice, good = known.invoice(), known.invoice()
    known.upload(invoice)
    known.work(turns=2)
    assert known.of(invoice).state == State.NEEDS_PERSON
    known.upload(good)
    known.work()
    assert known.of(good).state == State.SENT


def test_what_is_found_and_cannot_be_written_down_is_a_persons(known: Desk, books: Books) -> None:
    invoice, good = known.invoice(), known.invoice()
    known.upload(invoice, good)
    books.script = [till.lose_answer]
    known.work()
    key = known.of(invoice).document["key"]
    books.answers[key] = Posted(key=key, remote_id="till-1", number=NOT_TEXT[0])
    known.work()
    assert known.of(invoice).state == State.NEEDS_PERSON
    assert known.of(good).state == State.SENT
    assert len(books.posts) == 1


def test_a_database_that_is_away_when_an_answer_is_written_down_leaves_it_to_the_next_holder(
    known: Desk, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    with monkeypatch.context() as patch:

        def away(*_: Any, **__: Any) -> None:
            raise OperationalError("server closed the connection unexpectedly")

        patch.setattr(outcomes, "record", away)
        with pytest.raises(OperationalError):
            known.work()
    assert known.of(invoice).state == State.SENDING
    Lane.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    known.work(turns=2)
    assert known.of(invoice).state == State.SENT
    assert len(books.copies) == 1


def test_a_document_that_cannot_even_be_read_holds_up_nobody(known: Desk, books: Books) -> None:
    broken, good = known.invoice(), known.invoice()
    known.upload(broken)
    with acting_for(known.practice.pk):
        Upload.objects.filter(invoice=broken).update(document={"key": "x", "contact": {"name": ""}})
    known.work()
    known.upload(good)
    known.work()
    assert known.of(broken).state == State.NEEDS_PERSON
    assert known.of(good).state == State.SENT


def test_a_total_that_comes_back_different_is_a_warning_nobody_misses(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice(number="A-1")

    def a_cent_more(document: Any) -> Posted:
        posted = books.add(document)
        return Posted(**{**vars(posted), "total": document.total + Decimal("0.01")})

    books.refusals["A-1"] = a_cent_more
    known.upload(invoice)
    known.work()
    upload = known.of(invoice)
    assert upload.state == State.SENT
    assert "1150.01" in upload.warnings[0]
    assert "1150.00" in upload.warnings[0]


def test_a_refused_contact_refuses_its_invoices_in_words_and_a_retry_mends_both(
    desk: Desk, books: Books
) -> None:
    invoices = [desk.invoice(), desk.invoice()]
    books.refusals["Harbour View Trust"] = till.refused("Till does not take < in names.")
    desk.upload(*invoices)
    desk.work()
    uploads = [desk.of(one) for one in invoices]
    assert {one.state for one in uploads} == {State.REFUSED}
    assert all("does not take < in names" in one.reason for one in uploads)
    books.refusals.clear()
    with acting_for(desk.practice.pk):
        assert retry(upload_ids=[one.pk for one in uploads], actor=desk.user).queued == 2
    desk.work()
    assert {desk.of(one).state for one in invoices} == {State.SENT}
    assert len(books.copies) == 3


def test_two_contacts_that_match_go_to_a_person_never_to_a_third(desk: Desk, books: Books) -> None:
    invoice = desk.invoice()
    desk.upload(invoice)
    [contact] = desk.all(kind="contact")
    books.answers[contact.document["key"]] = till.conflict(
        Contact(key=contact.document["key"], number="", name="")
    )
    desk.work()
    assert desk.all(kind="contact")[0].state == State.NEEDS_PERSON
    assert desk.of(invoice).state == State.REFUSED
    assert books.posts == []
    books.answers.clear()
    with acting_for(desk.practice.pk):
        retry(upload_ids=[desk.of(invoice).pk], actor=desk.user)
    desk.work()
    assert desk.of(invoice).state == State.SENT
    assert books.names(Contact) == ["Harbour View Trust"]


def test_with_add_clients_off_an_unknown_contact_is_refused_in_words(
    desk: Desk, books: Books
) -> None:
    desk.interface.preferences["add_contacts"] = False
    with acting_for(desk.practice.pk):
        desk.interface.save()
    invoice = desk.invoice()
    desk.upload(invoice)
    desk.work()
    assert "has no contact “Harbour View Trust”" in desk.of(invoice).reason
    assert "turn “Add clients” on" in desk.of(invoice).next_step
    assert books.posts == []


def test_an_update_whose_answer_was_lost_is_made_again(desk: Desk, books: Books) -> None:
    desk.interface.preferences["update_contacts"] = True
    with acting_for(desk.practice.pk):
        desk.interface.save()
    desk.upload(desk.invoice())
    desk.work()
    with acting_for(desk.practice.pk):
        desk.client.phone = "09 555 0199"
        desk.client.save()
    books.script = [till.lose_answer]
    desk.upload(desk.invoice())
    desk.work(turns=3)
    assert {one.state for one in desk.all()} == {State.SENT}
    assert books.names(Contact) == ["Harbour View Trust"] * 3
    assert len(books.copies) == 3


def test_a_refused_job_keeps_its_invoices_back(desk: Desk, books: Books) -> None:
    desk.interface.preferences["jobs"] = "tracking"
    with acting_for(desk.practice.pk):
        desk.interface.save()
        job = make_job(desk.client, code="J-1")
    with_job, without = desk.invoice(job=job), desk.invoice()
    books.refusals["J-1"] = till.refused("Till holds no more jobs.")
    desk.upload(with_job, without)
    desk.work()
    assert desk.of(with_job).state == State.REFUSED
    assert "J-1" in desk.of(with_job).reason
    assert "holds no more jobs" in desk.of(with_job).reason
    assert desk.of(without).state == State.SENT


def test_a_failed_pdf_never_fails_its_invoice(known: Desk, books: Books) -> None:
    invoice = known.invoice()
    with acting_for(known.practice.pk):
        InvoicePdf.objects.create(
            invoice=invoice, file_name="a.pdf", content=b"%PDF", sha256="0" * 64
        )
    known.upload(invoice)
    key = f"{known.of(invoice).document['key']}/pdf"
    books.refusals[key] = till.refused("Too large.")
    known.work()
    assert known.of(invoice).state == State.SENT
    [pdf] = known.all(kind="pdf")
    assert (pdf.state, pdf.reason) == (State.REFUSED, "Too large.")
    books.refusals.clear()
    with acting_for(known.practice.pk):
        retry(upload_ids=[pdf.pk], actor=known.user)
    known.work()
    assert known.all(kind="pdf")[0].state == State.SENT
    assert books.names(SalesInvoice) == [invoice.number]


def test_five_failures_running_open_the_breaker_and_one_document_tries_it(
    known: Desk, books: Books
) -> None:
    invoices = [known.invoice() for _ in range(12)]
    known.upload(*invoices)
    books.script = [till.failing(RetryLater("Till is not available."))] * 5
    for _ in range(5):
        known.work()
    assert (known.lane().open_until or timezone.now()) > timezone.now()
    posts = len(books.posts)
    lane.drain(practice_id=known.practice.pk, interface_id=known.interface.pk)
    assert len(books.posts) == posts
    known.work()
    assert [len(call) for call in books.posts[posts:]] == [1]
    assert known.lane().open_seconds == 0
    known.work()
    assert {known.of(one).state for one in invoices} == {State.SENT}


def test_refusals_never_open_the_breaker(known: Desk, books: Books) -> None:
    for number in range(6):
        books.refusals[f"A-{number}"] = till.refused()
        known.upload(known.invoice(number=f"A-{number}"))
        known.work()
    assert known.lane().open_until is None


@pytest.mark.parametrize("place", [killpoints.AFTER_CLAIM, killpoints.BEFORE_SOCKET])
def test_a_late_worker_changes_nothing_and_sends_nothing(
    known: Desk, books: Books, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It slept past its lease; meanwhile another one took the lane and did the work."""
    invoice = known.invoice()
    known.upload(invoice)
    taken: list[str] = []
    passed = [0.0]

    def sleep_here(reached: str) -> None:
        if reached != place or taken:
            return
        taken.append(reached)
        past = timezone.now() - timedelta(seconds=1)
        with acting_for(known.practice.pk):
            Lane.objects.filter(interface=known.interface).update(lease_until=past)
        known.work(turns=3)
        passed[0] += 60.0

    monkeypatch.setattr(killpoints, "reached", sleep_here)
    monkeypatch.setattr("time.monotonic", lambda: passed[0])
    posts = len(books.posts)
    known.work()
    assert taken
    assert len(books.posts) == posts + 1
    assert known.of(invoice).state == State.SENT
    assert len(books.copies) == 1
    [row] = known.all(kind="invoice")
    assert known.moves(row)[-1] == "sent"


def test_a_step_of_many_slow_calls_never_outlives_its_lease(
    desk: Desk, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call takes no longer than it may; all of them together take longer than the lease."""
    invoice = desk.invoice()
    desk.upload(invoice)
    passed, others = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: passed[0])

    def forty_seconds_pass() -> None:
        passed[0] += 40
        row = desk.lane()
        assert row.lease_until is not None
        Lane.objects.update(lease_until=row.lease_until - timedelta(seconds=40))
        others.append(
            lanes.take(
                practice_id=desk.practice.pk,
                interface_id=desk.interface.pk,
                package=till.PACKAGE,
                owner="another",
            )
        )

    books.calls_to_find, books.during_call = lambda documents: 5, forty_seconds_pass
    desk.work(turns=2)
    assert others == [None] * 5
    assert desk.of(invoice).state == State.SENT
    assert len(books.copies) == 2


def test_what_a_dead_worker_left_is_taken_up(known: Desk, books: Books) -> None:
    claimed, sending = known.invoice(), known.invoice()
    known.upload(claimed)
    known.upload(sending)
    with acting_for(known.practice.pk):
        past = timezone.now() - timedelta(seconds=1)
        left = {"owner": "dead", "fence": 7, "lease_until": past}
        Upload.objects.filter(invoice=claimed).update(state="claimed", **left)
        Upload.objects.filter(invoice=sending).update(state="sending", **left)
        Lane.objects.filter(interface=known.interface).update(owner="dead", fence=7)
    held = lanes.take(
        practice_id=known.practice.pk,
        interface_id=known.interface.pk,
        package=till.PACKAGE,
        owner="new",
    )
    assert held is not None
    lane.recover(held)
    assert known.of(claimed).state == State.QUEUED
    assert known.of(sending).state == State.UNKNOWN


def test_moves_the_diagram_does_not_have_raise(known: Desk) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    known.work()
    upload = known.of(invoice)
    for to in State:
        if to in MOVES[State.SENT]:
            continue
        with acting_for(known.practice.pk), pytest.raises(IllegalMove):
            states.move([upload], to)


def test_a_row_somebody_else_moved_is_left_alone(known: Desk) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    upload = known.of(invoice)
    with acting_for(known.practice.pk):
        Upload.objects.filter(pk=upload.pk).update(state="cancelled")
        with pytest.raises(LostLane):
            states.move([upload], State.CLAIMED)
    assert known.moves(upload) == ["queued"]


def test_a_worker_told_to_stop_claims_nothing_more(known: Desk, books: Books) -> None:
    known.upload(*(known.invoice() for _ in range(25)))

    def stop(write: Any) -> Any:
        lane.stopping.set()
        return write()

    books.script = [stop]
    known.work()
    assert [len(call) for call in books.posts] == [10]
    assert {one.state for one in known.all(kind="invoice")} == {State.SENT, State.QUEUED}
    assert known.lane().lease_until is None
    assert (known.lane().due or timezone.now()) <= timezone.now()


def test_a_turn_ends_after_its_time_and_rings_for_the_rest(
    known: Desk, books: Books, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UPLOAD_TURN_SECONDS = 5
    passed = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: passed[0])

    def six_seconds_pass(write: Any) -> Any:
        passed[0] += 6.0
        return write()

    books.script = [six_seconds_pass]
    posts = len(books.posts)
    rung: list[int] = []
    monkeypatch.setattr(lanes, "ring", lambda practice_id, interface_id: rung.append(interface_id))
    known.upload(*(known.invoice() for _ in range(25)))
    known.work()
    assert len(books.posts) == posts + 1
    assert rung == [known.interface.pk]
