"""What the machine gives up is told at once, and never mistaken for something else."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.base.errors import OutcomeUnknown, RetryLater
from invoicing import notices
from invoicing.models import Invoice, Notice, Upload
from invoicing.uploads import retry
from invoicing.uploads.states import State
from offices.tenancy import acting_for
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.till import Books

AWAY = RetryLater("Till is not available.")


def told(desk: Desk) -> list[tuple[str, int]]:
    """The notices of uploads that stand after a look at everything."""
    notices.watch(everywhere=True)
    standing = notices.open_notices().filter(interface=desk.interface, uploads__gt=0)
    return [(one.kind, one.uploads) for one in standing]


def be_away_for_five_days(desk: Desk, books: Books, invoice: Invoice) -> None:
    """Till has not been there since the first try, and is not now."""
    books.script = [till.failing(AWAY)] * 2
    desk.work()
    with acting_for(desk.practice.pk):
        Upload.objects.filter(invoice=invoice).update(
            waiting_since=timezone.now() - timedelta(days=5, seconds=1)
        )
    desk.work()


@pytest.fixture
def known(desk: Desk) -> Desk:
    """The desk, with its client in Till already."""
    desk.upload(desk.invoice(number="A-0"))
    desk.work(turns=2)
    assert told(desk) == []
    return desk


def test_an_outage_of_five_days_raises_a_notice_that_ends_with_a_retry(
    known: Desk, books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    be_away_for_five_days(known, books, invoice)
    assert known.of(invoice).state == State.NEEDS_PERSON
    assert told(known) == [(Notice.Kind.GIVEN_UP, 1)]
    assert "notice raised kind=given_up" in caplog.text
    with acting_for(known.practice.pk):
        retry(upload_ids=[known.of(invoice).pk], actor=known.user)
    assert told(known) == []
    known.work(turns=2)
    assert known.of(invoice).state == State.SENT
    assert told(known) == []


def test_look_ups_that_all_fail_raise_it_too(known: Desk, books: Books, settings: Any) -> None:
    settings.UPLOAD_LOOKUP_SECONDS = [1.0, 1.0]
    invoice = known.invoice()
    known.upload(invoice)
    books.script = [till.failing(OutcomeUnknown("Till did not answer."))]
    known.work()

    def not_there() -> None:
        raise AWAY

    books.look_script = [not_there] * 2
    known.work(turns=2)
    assert known.of(invoice).state == State.NEEDS_PERSON
    assert told(known) == [(Notice.Kind.GIVEN_UP, 1)]


def test_what_clashed_and_was_looked_at_again_counts_as_given_up_and_not_as_a_clash(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice(number="A-1")
    books.refusals["A-1"] = till.conflict
    known.upload(invoice)
    known.work()
    assert known.of(invoice).code == "conflict"
    assert told(known) == []
    books.refusals.clear()
    with acting_for(known.practice.pk):
        retry(upload_ids=[known.of(invoice).pk], actor=known.user)
    be_away_for_five_days(known, books, invoice)
    upload = known.of(invoice)
    assert (upload.state, upload.code) == (State.NEEDS_PERSON, "")
    assert told(known) == [(Notice.Kind.GIVEN_UP, 1)]
