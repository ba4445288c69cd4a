"""What may have arrived, by whatever way it goes on, is asked for before it is sent again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from connectors import registry
from connectors.base.errors import RetryLater
from invoicing.models import ContactLink, Exchange, Upload
from invoicing.uploads import lane, park, retry, unpark
from invoicing.uploads.states import State
from offices.tenancy import acting_for
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.till import Books


def break_us(write: Any) -> Any:
    """It is written, and our own code fails on the answer."""
    write()
    raise ValueError("An answer nobody has thought of.")


def break_us_unwritten(write: Any) -> Any:
    """It is not written yet, and our own code fails on the answer."""
    raise ValueError("An answer nobody has thought of.")


def in_a_package_that_keeps_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Till answers a repeat of a call as it answered the call, for an hour."""
    limits = replace(till.PACKAGE.limits, keys_kept=timedelta(hours=1))
    packages = {"till": replace(till.PACKAGE, limits=limits)}
    monkeypatch.setattr(registry, "packages", lambda: packages)


def test_what_was_parked_as_unknown_is_looked_for_when_it_is_uploaded_after_all(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice()
    books.script = [break_us]
    known.upload(invoice)
    known.work()
    assert known.of(invoice).state == State.NEEDS_PERSON
    with acting_for(known.practice.pk):
        park(invoice_ids=[invoice.pk], reason="Later.", actor=known.user)
        unpark(invoice_ids=[invoice.pk], actor=known.user)
    assert known.upload(invoice).queued == 1
    upload = known.of(invoice)
    assert upload.state == State.UNKNOWN
    assert upload.reason == "Looking in Till first."
    known.work()
    assert known.of(invoice).state == State.SENT
    assert len(books.copies) == 1


def test_that_it_may_be_there_outlives_a_refusal_by_our_own_checks(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice()
    books.script = [break_us]
    known.upload(invoice)
    known.work()
    with acting_for(known.practice.pk):
        park(invoice_ids=[invoice.pk], reason="Later.", actor=known.user)
        unpark(invoice_ids=[invoice.pk], actor=known.user)
        invoice.lines.update(account_code="999")
    assert known.upload(invoice).refused == 1
    with acting_for(known.practice.pk):
        invoice.lines.update(account_code="200")
        retry(upload_ids=[known.of(invoice).pk], actor=known.user)
    assert known.of(invoice).state == State.UNKNOWN
    known.work()
    assert known.of(invoice).state == State.SENT
    assert len(books.copies) == 1


def test_what_was_parked_as_unknown_and_is_not_there_is_sent_with_its_contact(
    desk: Desk, books: Books
) -> None:
    invoice = desk.invoice()
    desk.upload(invoice)
    books.script = [lambda write: write(), break_us_unwritten]
    desk.work()
    with acting_for(desk.practice.pk):
        park(invoice_ids=[invoice.pk], reason="Later.", actor=desk.user)
        unpark(invoice_ids=[invoice.pk], actor=desk.user)
        ContactLink.objects.all().delete()
    books.kept.clear()
    desk.upload(invoice)
    desk.work(turns=2)
    assert desk.of(invoice).state == State.SENT
    assert desk.batch(2).finished_at is not None


def test_a_contact_that_may_be_there_is_looked_for_until_the_package_has_surely_finished(
    desk: Desk, books: Books, settings: Any
) -> None:
    """A look-up before then proves nothing."""
    settings.UPLOAD_SETTLE_SECONDS = None
    invoice = desk.invoice()
    books.script = [break_us_unwritten]
    desk.upload(invoice)
    desk.work()
    contact = desk.all(kind="contact")[0]
    assert contact.state == State.NEEDS_PERSON
    with acting_for(desk.practice.pk):
        retry(upload_ids=[contact.pk], actor=desk.user)
    desk.work()
    assert desk.of_pk(contact.pk).state == State.UNKNOWN
    # Now it arrives after all.
    books.add(books.posts[0][0])
    desk.work(turns=2)
    assert desk.of_pk(contact.pk).state == State.SENT
    assert books.copies.count(contact.document["key"]) == 1


def test_our_fault_in_a_repeated_call_begins_the_time_it_may_take_anew(
    known: Desk, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_package_that_keeps_keys(monkeypatch)
    invoice = known.invoice()
    books.script = [till.lose_request, break_us_unwritten]
    known.upload(invoice)
    known.work()
    with acting_for(known.practice.pk):
        Upload.objects.update(unknown_since=F("unknown_since") - timedelta(minutes=10))
    known.work()
    upload = known.of(invoice)
    assert upload.state == State.NEEDS_PERSON
    with acting_for(known.practice.pk):
        last = Exchange.objects.latest("pk")
    assert upload.unknown_since is not None
    assert upload.unknown_since >= last.started_at


@pytest.mark.parametrize("whole", [True, False], ids=["whole call", "one of it"])
def test_what_a_repeated_call_is_refused_may_have_arrived_by_the_first(
    known: Desk, books: Books, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    in_a_package_that_keeps_keys(monkeypatch)
    invoice = known.invoice()

    def refuse(write: Any) -> Any:
        if whole:
            raise till.refused("That key is not known here.")
        return [till.refused("That number is taken.")]

    books.script = [till.lose_answer, refuse]
    known.upload(invoice)
    known.work(turns=2)
    assert known.of(invoice).state == State.UNKNOWN
    known.work()
    assert known.of(invoice).state == State.SENT
    assert len(books.copies) == 1


def test_a_key_is_kept_from_the_first_call_on_not_from_its_last_repeat(
    known: Desk, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_package_that_keeps_keys(monkeypatch)
    invoice = known.invoice()
    books.script = [till.lose_answer, till.lose_request]
    books.look_script = [till.failing(RetryLater("Till is away.")).__get__(lambda: [])]
    known.upload(invoice)
    known.work(turns=3)
    assert len(books.posts) == 2
    with acting_for(known.practice.pk):
        first = Exchange.objects.earliest("pk")
        Exchange.objects.filter(pk=first.pk).update(
            started_at=first.started_at - timedelta(hours=1)
        )
    known.work()
    assert known.of(invoice).state == State.SENT
    assert len(books.posts) == 2
    lane.stopping.clear()
