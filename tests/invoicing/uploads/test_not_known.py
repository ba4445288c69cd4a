"""What a person reads of an upload of which nobody knows yet whether it arrived."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors import registry
from connectors.base.documents import CompanyFile, Posted
from connectors.base.errors import RetryLater
from interfaces.credentials import store_tokens
from interfaces.disconnecting import disconnect
from interfaces.standing import regain
from invoicing.models import Invoice, Upload
from invoicing.uploads import lane, link_existing, park, unlink
from invoicing.uploads.states import State
from offices.tenancy import acting_for
from tests.invoicing.pages import client_of, text_of, url
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.till import Books, Step, TillConnector

IN_TROUBLE = RetryLater("Till is in trouble just now (503).")
BY_HAND = "Please do not enter it by hand."


def unanswered(desk: Desk, books: Books, how: Step = till.lose_answer) -> Invoice:
    """An invoice whose answer was lost; Till has it, unless the request was lost."""
    invoice = desk.invoice(number="A-1")
    books.script = [how]
    desk.upload(invoice)
    desk.work()
    assert desk.of(invoice).state == State.UNKNOWN
    return invoice


def failing(error: Exception) -> Callable[[], None]:
    """A look-up that goes wrong."""

    def look() -> None:
        raise error

    return look


def asked_in_vain(known: Desk, books: Books) -> Invoice:
    """An invoice that may have arrived, after which the package could not be asked."""
    invoice = unanswered(known, books)
    books.look_script = [failing(IN_TROUBLE)]
    known.work()
    return invoice


def looked_for_too_soon(known: Desk, books: Books, settings: Any) -> Invoice:
    """An invoice that did not arrive, looked for while that proves nothing yet."""
    settings.UPLOAD_SETTLE_SECONDS = 600.0
    invoice = unanswered(known, books, till.lose_request)
    known.work()
    return invoice


def page_of(desk: Desk, path: str) -> str:
    """What a page says to an accounts person."""
    return text_of(client_of(desk.user).get(url(desk.practice, path)))


def test_a_look_up_that_fails_leaves_the_warning_and_tells_why_and_when_the_next_one_is(
    known: Desk, books: Books
) -> None:
    invoice = asked_in_vain(known, books)
    due = known.of(invoice).due
    assert due
    told = (
        "We do not know yet whether it arrived in Till: it could not be asked when we last looked."
        f" Till is in trouble just now (503). {BY_HAND}"
    )
    assert told in page_of(known, "batches/1/")
    there = page_of(known, f"invoices/{invoice.pk}/")
    [next_look] = re.findall(rf"Checking {re.escape(told)} We look again at (\d\d:\d\d)", there)
    assert next_look[-2:] == f"{due:%M}"
    with acting_for(known.practice.pk):
        Upload.objects.filter(invoice=invoice).update(due=timezone.now() - timedelta(seconds=1))
        known.interface.state = known.interface.State.NEEDS_CONSENT
        known.interface.save()
    there = page_of(known, f"invoices/{invoice.pk}/")
    assert f"We look again as soon as {known.interface.name} is connected." in there


def test_the_warning_stays_when_all_look_ups_failed(known: Desk, books: Books) -> None:
    invoice = unanswered(known, books)
    books.look_script = [failing(IN_TROUBLE)] * 6
    known.work(turns=6)
    assert known.of(invoice).state == State.NEEDS_PERSON
    told = "We could not find out whether it arrived in Till: it could not be asked when we last"
    assert f"{told} looked. {IN_TROUBLE} {BY_HAND}" in page_of(known, "batches/1/")


def test_the_warning_stays_when_it_was_not_there_so_soon(
    known: Desk, books: Books, settings: Any
) -> None:
    invoice = looked_for_too_soon(known, books, settings)
    assert known.of(invoice).state == State.UNKNOWN
    told = "it was not there when we last looked, which proves nothing so soon."
    assert f"{told} {BY_HAND} We look again at" in page_of(known, f"invoices/{invoice.pk}/")


def test_what_went_wrong_on_our_side_on_the_way_is_told_to_be_not_known(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice()
    books.script = [till.failing(KeyError("our bug"))]
    known.upload(invoice)
    known.work()
    told = page_of(known, "batches/1/")
    assert "We do not know whether it arrived in Till; please do not enter it by hand." in told
    assert "0 of 1 sent, 1 not known: please check" in told


# --- Disconnected, and connected again -----------------------------------------------------------


class TillOfSeveral(TillConnector):
    """Says which company file a consent is for, so that another one is refused."""

    def list_company_files(self) -> list[CompanyFile]:
        raise NotImplementedError


@pytest.fixture
def several(known: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The desk, with a Till that keeps the keys of calls too."""
    limits = replace(till.PACKAGE.limits, keys_kept=timedelta(minutes=6))
    package = replace(till.PACKAGE, connector=TillOfSeveral, limits=limits)
    monkeypatch.setattr(registry, "packages", lambda: {"till": package})
    return known


def turn(desk: Desk) -> None:
    """What the worker does when it is rung for, at once."""
    lane.drain(practice_id=desk.practice.pk, interface_id=desk.interface.pk)


def end_link(desk: Desk) -> None:
    """Disconnect, with the turn that follows."""
    disconnect(practice_id=desk.practice.pk, interface_id=desk.interface.pk, actor=desk.user)
    turn(desk)


def connect(desk: Desk) -> None:
    """Sign in again, to the same company file."""
    with acting_for(desk.practice.pk):
        tokens = {"access_token": "a", "expires_at": timezone.now().timestamp() + 86400}
        store_tokens(desk.interface.pk, tokens, desk.user)
    regain(practice_id=desk.practice.pk, interface_id=desk.interface.pk)


def test_connected_again_it_is_asked_after_by_itself_and_not_sent_again(
    several: Desk, books: Books
) -> None:
    invoice = unanswered(several, books)
    end_link(several)
    name = several.interface.name
    told = page_of(several, "batches/1/")
    assert f"We do not know whether it arrived in Till: {name} was disconnected before" in told
    assert f"Connect {name} again: Till is then asked by itself" in told
    connect(several)
    turn(several)
    assert several.moves(several.of(invoice))[-3:] == ["needs_person", "unknown", "sent"]
    assert several.of(invoice).code == ""
    # Not by the same call once more, though Till keeps its key.
    assert (len(books.posts), len(books.looks)) == (1, 1)
    assert several.batch().finished_at is not None


def test_what_did_not_arrive_is_sent_again_only_after_the_settle_time(
    several: Desk, books: Books, settings: Any
) -> None:
    settings.UPLOAD_SETTLE_SECONDS = 600.0
    invoice = unanswered(several, books, till.lose_request)
    since = several.of(invoice).unknown_since
    end_link(several)
    connect(several)
    turn(several)
    upload = several.of(invoice)
    assert (upload.state, upload.unknown_since, len(books.posts)) == (State.UNKNOWN, since, 1)
    assert since is not None
    assert upload.due == since + timedelta(minutes=10)
    assert several.batch().finished_at is None
    with acting_for(several.practice.pk):
        early = since - timedelta(minutes=11)
        Upload.objects.filter(pk=upload.pk).update(unknown_since=early, lookups=1)
    several.work(turns=2)
    assert several.of(invoice).state == State.SENT
    assert len(books.copies) == 1


def test_where_nobody_knows_which_company_file_a_consent_is_for_a_person_decides(
    known: Desk, books: Books
) -> None:
    invoice = unanswered(known, books)
    end_link(known)
    connect(known)
    known.work()
    assert known.of(invoice).state == State.NEEDS_PERSON
    told = page_of(known, "batches/1/")
    assert f"Connect {known.interface.name} again and retry: Till is asked first" in told
    assert len(books.looks) == 0


def test_what_a_person_has_decided_meanwhile_stays_as_decided(several: Desk, books: Books) -> None:
    invoice = unanswered(several, books)
    end_link(several)
    with acting_for(several.practice.pk):
        park(invoice_ids=[invoice.pk], reason="It is there", actor=several.user)
    connect(several)
    several.work()
    assert several.of(invoice).state == State.PARKED


def test_a_link_taken_back_is_not_asked_after_by_itself(several: Desk, books: Books) -> None:
    invoice = unanswered(several, books)
    end_link(several)
    upload = several.of(invoice)
    with acting_for(several.practice.pk):
        found = Posted(key=upload.document["key"], remote_id="till-wrong")
        link_existing(upload_id=upload.pk, found=found, actor=several.user)
        unlink(upload_id=upload.pk, actor=several.user)
    connect(several)
    several.work()
    assert several.of(invoice).state == State.NEEDS_PERSON


def test_what_was_given_up_for_another_reason_stays_with_a_person(
    several: Desk, books: Books, settings: Any
) -> None:
    settings.UPLOAD_LOOKUP_SECONDS = [1.0]
    invoice = unanswered(several, books)
    with acting_for(several.practice.pk):
        # The time in which the call could have been made once more is over.
        Upload.objects.filter(invoice=invoice).update(code="x")
    books.look_script = [failing(IN_TROUBLE)]
    several.work()
    assert several.of(invoice).state == State.NEEDS_PERSON
    end_link(several)
    connect(several)
    several.work()
    assert several.of(invoice).state == State.NEEDS_PERSON


def test_a_consent_that_comes_while_a_turn_goes_on_is_not_missed(
    several: Desk, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = unanswered(several, books)
    end_link(several)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(lane, "_work", lambda held: connect(several))
        turn(several)
    assert several.of(invoice).state == State.NEEDS_PERSON
    assert (several.lane().due or timezone.now() + timedelta(days=1)) <= timezone.now()


# --- What the page of what is there already tells of looking -------------------------------------


def compared(desk: Desk, invoice: Invoice) -> str:
    """The page to say that it is there already."""
    upload = desk.of(invoice)
    assert upload.state in (State.NEEDS_PERSON, State.REFUSED)
    return page_of(desk, f"uploads/{upload.pk}/link/")


def test_where_nobody_could_ask_it_says_so_and_not_that_nothing_was_found(
    known: Desk, books: Books
) -> None:
    invoice = asked_in_vain(known, books)
    end_link(known)
    told = compared(known, invoice)
    assert "Till could not be asked yet, so it may be there. Please do not enter it in" in told
    assert "Nothing was found" not in told


def test_a_look_before_the_settle_time_is_said_to_prove_nothing(
    known: Desk, books: Books, settings: Any
) -> None:
    invoice = looked_for_too_soon(known, books, settings)
    books.look_script = [failing(IN_TROUBLE)]
    known.work()
    end_link(known)
    asked = known.of(invoice).not_there_at
    assert asked
    told = compared(known, invoice)
    [at] = re.findall(r"Till was asked at \d\d:(\d\d) and did not have it then, which proves", told)
    assert at == f"{asked:%M}"
    assert "it may have arrived since. Please do not enter it in Till by hand." in told
    with acting_for(known.practice.pk):
        # Sent once more since, and again without an answer.
        Upload.objects.filter(invoice=invoice).update(unknown_since=asked + timedelta(minutes=1))
    assert "Till could not be asked yet" in compared(known, invoice)


def test_what_was_looked_for_after_the_settle_time_is_said_to_be_absent(
    known: Desk, books: Books
) -> None:
    invoice = unanswered(known, books, till.lose_request)
    books.script = [till.lose_request] * 9
    known.work(turns=9)
    told = compared(known, invoice)
    assert "and did not have it. That was late enough to be sure that it had not arrived." in told


def test_of_what_was_refused_it_says_that_nobody_has_asked(known: Desk, books: Books) -> None:
    invoice = known.invoice(number="A-1")
    books.refusals["A-1"] = till.refused()
    known.upload(invoice)
    known.work()
    assert "Till has not been asked yet whether it is there." in compared(known, invoice)
