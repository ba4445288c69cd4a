"""What a person reads of an upload of which nobody knows yet whether it arrived."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from connectors.base.errors import RetryLater
from invoicing.models import Invoice, Upload
from invoicing.uploads.states import State
from offices.tenancy import acting_for
from tests.invoicing.pages import client_of, text_of, url
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.till import Books, Step

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


def page_of(desk: Desk, path: str) -> str:
    """What a page says to an accounts person."""
    return text_of(client_of(desk.user).get(url(desk.practice, path)))


def test_a_look_up_that_fails_leaves_the_warning_and_tells_why_and_when_the_next_one_is(
    known: Desk, books: Books
) -> None:
    invoice = unanswered(known, books)
    books.look_script = [failing(IN_TROUBLE)]
    known.work()
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
    settings.UPLOAD_SETTLE_SECONDS = 600.0
    invoice = unanswered(known, books, till.lose_request)
    known.work()
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
