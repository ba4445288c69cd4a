"""The checker finds each thing that could be wrong, and nothing where all is well."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from connectors.xero.standin import XeroStandIn
from invoicing.models import Attempt, Exchange, Upload, UploadEvent
from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import make_member
from tests.faults.checker import Checked, Tally, Watched, check
from tests.faults.conftest import Firm, connect
from tests.faults.record import over_http
from tests.packages.plain.standin import PlainStandIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(practice: Practice, xero: XeroStandIn) -> Firm:
    """A firm whose invoice A-1 was sent; what a test spoils is not checked at its end."""
    firm = connect(practice, xero, make_member(practice))
    firm.upload(firm.invoice(number="A-1"))
    firm.work()
    return firm


def looked_at(firm: Firm, *, at_rest: bool = True, **changes: Any) -> Checked:
    """What the checker says of the firm, with parts of what it compares changed."""
    return check([replace(firm.watched(), **changes)], at_rest=at_rest)


def held(firm: Firm) -> Any:
    """A copy of what Xero holds, to be spoiled."""
    return json.loads(json.dumps(firm.xero.state(), default=str))


def books(state: Any) -> Any:
    """The organisation in it that holds A-1."""
    return next(one for one in state["organisations"] if one["Invoices"])


def test_where_all_is_well_nothing_is_found(sent: Firm) -> None:
    assert looked_at(sent) == Checked(tally=Tally(clicked=1, sent=1))


def test_it_looks_from_another_process_as_well(sent: Firm, xero: XeroStandIn) -> None:
    assert looked_at(sent, state=over_http(xero.url)) == Checked(tally=Tally(clicked=1, sent=1))


def test_a_click_without_an_upload_is_lost(sent: Firm) -> None:
    other = sent.invoice(number="A-2")
    checked = looked_at(sent, clicked=[*sent.watched().clicked, other.pk])
    assert checked.findings == ["Invoice A-2 was clicked and has no upload."]
    assert checked.tally == Tally(clicked=2, sent=1, lost=1)


def test_an_upload_without_a_click_is_found(sent: Firm) -> None:
    assert looked_at(sent, clicked=[]).findings == [
        "Invoice A-1 has an upload, and nobody clicked it."
    ]


def test_what_is_said_to_be_sent_and_is_not_there_is_lost(sent: Firm) -> None:
    state = held(sent)
    books(state)["Invoices"].clear()
    checked = looked_at(sent, state=state)
    [finding] = checked.findings
    assert finding.startswith("Invoice A-1 is said to be sent, and Xero has nothing with the id")
    assert checked.tally.lost == 1


def test_what_is_there_twice_is_doubled(sent: Firm) -> None:
    state = held(sent)
    [invoice] = books(state)["Invoices"]
    books(state)["Invoices"].append({**invoice, "InvoiceID": "another"})
    checked = looked_at(sent, state=state)
    [finding] = checked.findings
    assert finding.startswith("Invoice A-1 is in Xero 2 times: ")
    assert checked.tally.doubled == 1


def test_what_was_voided_there_is_no_second_one(sent: Firm) -> None:
    state = held(sent)
    [invoice] = books(state)["Invoices"]
    books(state)["Invoices"].append({**invoice, "InvoiceID": "another", "Status": "VOIDED"})
    assert looked_at(sent, state=state).findings == []


def test_what_is_there_and_nobody_clicked_is_found_unless_somebody_typed_it_in(sent: Firm) -> None:
    theirs = sent.books.add_invoice("B-9", "Somebody Else Ltd", "99.00").id
    [finding] = looked_at(sent).findings
    assert finding == f"Xero has invoice B-9 ({theirs}), and nobody clicked it."
    assert looked_at(sent, typed_in=[theirs]).findings == []


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [
        ("InvoiceNumber", "A-7", "Invoice A-1 has the number A-7 in Xero."),
        ("Total", "1150.01", "Invoice A-1 has a total of 1150.01 in Xero; ours is 1150.00."),
    ],
)
def test_a_difference_is_found_unless_it_is_told(
    sent: Firm, name: str, value: str, finding: str
) -> None:
    state = held(sent)
    books(state)["Invoices"][0][name] = value
    assert looked_at(sent, state=state).findings == [finding]
    change(sent, warnings=["Xero shows another."])
    assert looked_at(sent, state=state).findings == []


@pytest.mark.parametrize("state", ["queued", "refused", "cancelled", "needs_person"])
def test_what_is_there_although_it_was_surely_not_sent_is_found(sent: Firm, state: str) -> None:
    change(sent, state=state, reason="x", next_step="y", due=timezone.now())
    told(sent, state)
    findings = looked_at(sent, at_rest=False).findings
    assert f"Invoice A-1 is in Xero, and its upload says {state}." in findings


@pytest.mark.parametrize("state", ["unknown", "sending", "needs_person"])
def test_what_may_have_arrived_may_be_there(sent: Firm, state: str) -> None:
    now = timezone.now()
    changes = {"due": now, "unknown_since": now, "lease_until": now}
    change(sent, state=state, reason="x", next_step="y", **changes)
    told(sent, state)
    findings = looked_at(sent, at_rest=False).findings
    assert not any("its upload says" in one for one in findings)


def change(firm: Firm, **fields: Any) -> None:
    """Spoil the row of A-1."""
    with acting_for(firm.practice.pk):
        Upload.objects.filter(kind="invoice").update(**fields)


def told(firm: Firm, state: str, *, before: str = "sent") -> None:
    """Write a move into its history, which only grows, legal or not."""
    with acting_for(firm.practice.pk):
        upload = Upload.objects.get(kind="invoice")
        UploadEvent.objects.create(upload=upload, before=before, after=state)


def in_state(state: str, **fields: Any) -> Callable[[Firm], None]:
    def spoil(firm: Firm) -> None:
        change(firm, **{"state": state, "due": timezone.now(), "reason": "x", **fields})

    return spoil


LONG_AGO = timezone.now() - timedelta(days=9)


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (in_state("queued", due=None), "is queued and shows no next time"),
        (in_state("unknown", due=None), "is unknown and shows no next time"),
        (in_state("queued", tries=1, reason=""), "is queued and shows no reason"),
        (in_state("unknown", reason=""), "is unknown and shows no reason"),
        (in_state("refused", reason="", next_step="y"), "is refused and shows no reason"),
        (in_state("refused"), "is refused and shows no next step"),
        (in_state("needs_person", reason=""), "is needs_person and shows no reason"),
        (in_state("needs_person"), "is needs_person and shows no next step"),
        (in_state("queued"), "is still queued"),
        (in_state("claimed"), "is still claimed"),
        (in_state("sending"), "is still sending"),
        (in_state("unknown"), "is still unknown"),
        (in_state("sending", lease_until=LONG_AGO), "has been sending since"),
        (in_state("claimed", lease_until=LONG_AGO), "has been claimed since"),
        (in_state("unknown", unknown_since=LONG_AGO), "has been unknown since"),
        (in_state("queued", waiting_since=LONG_AGO), "has been queued since"),
        (in_state("parked"), "is parked, and its history ends with sent"),
        (lambda firm: told(firm, "parked"), "went from sent to parked, which is no legal move"),
        (
            lambda firm: told(firm, "cancelled", before="queued"),
            "went on from queued when it was sent",
        ),
        (lambda firm: made(firm), "is cancelled, and its history ends with nothing"),
        (lambda firm: made(firm, "claimed"), "began as claimed"),
        (lambda firm: forget_attempts(firm), "was sending 1 times and has 0 attempts"),
        (lambda firm: forget_attempts(firm), "is in Xero, and no attempt of ours sent it"),
        (lambda firm: made(firm, "queued", attempted=True), "has 1 attempts and was never sending"),
        (lambda firm: empty(firm), "and what was sent by it is not known"),
    ],
)
def test_it_finds(sent: Firm, spoil: Callable[[Firm], None], finding: str) -> None:
    spoil(sent)
    findings = looked_at(sent).findings
    assert any(finding in one for one in findings), findings


def forget_attempts(firm: Firm) -> None:
    with acting_for(firm.practice.pk):
        Attempt.objects.filter(upload__kind="invoice").delete()


def made(firm: Firm, *history: str, attempted: bool = False) -> None:
    """An upload of A-9 with that history, which nothing in the product could write."""
    invoice = firm.invoice(number="A-9")
    with acting_for(firm.practice.pk):
        like = Upload.objects.get(kind="invoice")
        upload = Upload.objects.create(
            interface=like.interface,
            batch=like.batch,
            kind=like.kind,
            invoice=invoice,
            document={**like.document, "number": "A-9"},
            state="cancelled",
        )
        for before, after in pairwise(["", *history]):
            UploadEvent.objects.create(upload=upload, before=before, after=after)
        if attempted:
            exchange = Exchange.objects.latest("pk")
            Attempt.objects.create(upload=upload, exchange=exchange, revision=1, generation=1)


def empty(firm: Firm) -> None:
    with acting_for(firm.practice.pk):
        Exchange.objects.update(body=b"")


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ("queued", "waiting"),
        ("claimed", "waiting"),
        ("sending", "waiting"),
        ("unknown", "unknown"),
        ("refused", "refused"),
        ("needs_person", "person"),
        ("parked", "withdrawn"),
        ("cancelled", "withdrawn"),
    ],
)
def test_each_state_is_counted(sent: Firm, state: str, name: str) -> None:
    change(sent, state=state)
    tally = looked_at(sent).tally
    assert (tally.clicked, getattr(tally, name), tally.sent) == (1, 1, 0)


def test_a_contact_that_is_there_twice_is_found(plain_firm: Firm, plain: PlainStandIn) -> None:
    plain_firm.upload(plain_firm.invoice())
    plain_firm.work(turns=2)
    state = json.loads(json.dumps(plain.state(), default=str))
    contact = next(one for one in state["created"] if one["kind"] == "contact")
    state["created"].append({**contact, "id": "another"})
    checked = looked_at(plain_firm, state=state)
    [finding] = checked.findings
    assert finding.endswith(" is in Plain 2 times.")
    assert finding.startswith("The contact ")
    assert checked.tally.doubled == 1


def test_what_one_interface_sent_is_not_unclicked_for_another_to_the_same_books(
    sent: Firm,
) -> None:
    beside = connect(sent.practice, sent.xero, sent.user, name="Xero of the other office")
    both: list[Watched] = [sent.watched(), beside.watched()]
    assert check(both, at_rest=True).findings == []
    assert len(check(both[1:], at_rest=True).findings) == 1
