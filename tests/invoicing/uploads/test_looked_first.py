"""What may have arrived, by whatever way it goes on, is asked for before it is sent again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from connectors import registry
from connectors.base.errors import RetryLater
from invoicing.models import ContactLink, Exchange, Upload
from invoicing.uploads import lane
from invoicing.uploads.states import State
from offices.tenancy import acting_for
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.till import Books


@pytest.fixture
def known(desk: Desk) -> Desk:
    """A desk whose client is linked already, so that calls are the invoices' alone."""
    with acting_for(desk.practice.pk):
        ContactLink.objects.create(
            interface=desk.interface, client=desk.client, name="", remote_id="till-0"
        )
    return desk


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
