"""The line to the package is refused, reset, cut or swallowed, at each place where it can be."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.conftest import Firm
from tests.faults.wire import Cut, Fault, Swallow, Wire

pytestmark = pytest.mark.django_db(transaction=True)

# Into the body of a request or an answer of any package.
MIDDLE = 40


@pytest.fixture
def wire(known: Firm, settings: Any) -> Iterator[Wire]:
    """The line between the product and the package."""
    app = settings.PACKAGE_APPS[known.interface.package_key]
    with Wire(known.standin.url) as wire:
        app["endpoints"] = dict.fromkeys(app["endpoints"], wire.url)
        yield wire


def test_a_package_that_cannot_be_reached_has_surely_nothing(known: Firm, wire: Wire) -> None:
    """Row 10: the invoices stay queued, with the reason and the next time."""
    invoices = [known.invoice() for _ in range(2)]
    known.upload(*invoices)
    wire.refuse()
    known.work()
    uploads = [known.of(one) for one in invoices]
    assert {one.state for one in uploads} == {"queued"}
    tried = [one for one in uploads if one.tries]
    assert tried
    for upload in tried:
        assert "could not be reached. Nothing was sent" in upload.reason
        assert upload.due is not None
    assert known.standin.requests == []
    wire.listen()
    known.work(turns=2)
    known.check(*invoices)
    assert "unknown" not in {move for one in invoices for move in known.moves(known.of(one))}


@pytest.mark.parametrize(
    ("fault", "took_effect"),
    [
        (Cut(), False),
        (Cut(body=MIDDLE), False),
        (Swallow(), False),
        (Cut(of_answer=True), True),
        (Cut(of_answer=True, body=0), True),
        (Cut(of_answer=True, body=MIDDLE), True),
        (Swallow(of_answer=True), True),
    ],
    ids=[
        "reset before a byte has arrived",
        "cut in the request",
        "request swallowed",
        "reset before the answer",
        "cut behind the answer's head",
        "cut in the answer",
        "answer swallowed",
    ],
)
def test_what_was_given_to_a_line_that_fails_is_unknown_until_it_is_asked_for(
    known: Firm, wire: Wire, fault: Fault, took_effect: bool
) -> None:
    """Row 10: whether or not it arrived, one copy is there in the end."""
    invoice = known.invoice(nets=("1000.00", "33.33"))
    known.upload(invoice)
    wire.script(" ".join(known.call), fault)
    known.work()
    upload = known.of(invoice)
    assert upload.state == "unknown"
    assert "checking" in upload.reason
    assert upload.due is not None
    assert known.created_by() == took_effect
    known.work(turns=3)
    known.check(invoice)


def test_a_look_up_that_is_cut_decides_nothing(known: Firm, wire: Wire) -> None:
    """Row 10: neither "it is there" nor "it is absent" comes of an answer nobody could read."""
    invoice = known.invoice()
    known.upload(invoice)
    wire.script(" ".join(known.call), Cut(of_answer=True))
    known.work()
    # Reads are tried three times; and where the call is repeated instead, it is cut as well.
    wire.script("", Cut(of_answer=True, body=0), times=3)
    known.work()
    upload = known.of(invoice)
    assert (upload.state, upload.lookups) == ("unknown", 1)
    assert upload.due is not None
    wire.script("", Cut(), times=3)
    known.work()
    assert known.of(invoice).state == "unknown"
    known.work(turns=3)
    known.check(invoice)


def test_cut_at_every_second_call_a_queue_arrives_all_the_same(known: Firm, wire: Wire) -> None:
    invoices = [known.invoice() for _ in range(5)]
    known.upload(*invoices)
    for _ in range(3):
        wire.script("", Cut(of_answer=True, body=0), after=1)
        wire.script("", Cut(), after=1)
    known.work(turns=14)
    known.check(*invoices)
