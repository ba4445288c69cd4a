"""The package says "not now": what waits shows until when, and nobody calls before."""

import contextlib
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests

from connectors.base.standin import Answer, Drop, Hold
from interfaces.models import Lane
from invoicing.uploads.calls import Calls
from tests.faults.conftest import Firm, OpenFirm

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
DAY_LIMIT = timedelta(hours=9)

# How each package says it.
ANSWERS: Mapping[str, Answer] = {
    "xero": Answer(429, "", {"X-Rate-Limit-Problem": "day"}),
    "keeper": Answer(429, {"code": "too_many_calls", "message": "Wait."}),
    "plain": Answer(403, {"error": "RateLimitError"}),
}


def not_now(firm: Firm, headers: Mapping[str, str]) -> Answer:
    answer = ANSWERS[firm.interface.package_key]
    return replace(answer, headers={**answer.headers, **headers})


def in_seconds(wait: timedelta) -> dict[str, str]:
    return {"Retry-After": str(int(wait.total_seconds()))}


def as_a_date(wait: timedelta) -> dict[str, str]:
    until = datetime.now(UTC).replace(microsecond=0) + wait + timedelta(seconds=1)
    return {"Retry-After": format_datetime(until, usegmt=True)}


@pytest.fixture
def other(known: Firm, open_firm: OpenFirm) -> Firm:
    """A second interface of the practice, to the same package."""
    return open_firm(known.standin, user=known.user, name="Other")


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        (in_seconds, timedelta(hours=1)),
        (as_a_date, timedelta(hours=1)),
        (lambda _: {}, MINUTE),
        (in_seconds, DAY_LIMIT),
        (as_a_date, DAY_LIMIT),
    ],
    ids=["seconds", "a date", "no word of how long", "the day limit", "the day limit as a date"],
)
def test_a_limit_moves_what_waits_and_nobody_calls_before_then(
    known: Firm, other: Firm, headers: Any, wait: timedelta
) -> None:
    """Rows 12 and 13: also where a package says it with 403, which is no lost consent."""
    invoices = [known.invoice() for _ in range(min(known.interface.package.limits.per_call, 2))]
    elsewhere = other.invoice(client=other.client_named("Quay Street Ltd"))
    known.upload(*invoices)
    other.upload(elsewhere)
    began = datetime.now(UTC)
    known.script(not_now(known, headers(wait)))
    known.work()
    ended = datetime.now(UTC)
    for upload in map(known.of, invoices):
        assert (upload.state, upload.tries) == ("queued", 0)
        assert upload.reason
        assert upload.due is not None
        assert began + wait <= upload.due <= ended + wait + timedelta(seconds=2)
    assert known.interface_state() == "connected"
    assert known.created_by() == 0
    # Another interface to the same package is not held up.
    other.work(turns=2)
    assert other.of(elsewhere).state == "sent"
    calls = len(known.standin.requests)
    for passes in (timedelta(0), wait - MINUTE):
        known.pass_time(passes)
        known.turn()
        assert len(known.standin.requests) == calls
    known.pass_time(MINUTE + timedelta(seconds=5))
    known.turn()
    assert {known.of(one).state for one in invoices} == {"sent"}


def test_a_limit_met_at_the_look_up_leaves_it_unknown_until_then(known: Firm) -> None:
    """Row 12: nothing is decided by it, and nobody asks before then."""
    invoice = known.invoice()
    known.upload(invoice)
    known.script(Drop(after_effect=True))
    known.work()
    assert known.of(invoice).state == "unknown"
    known.standin.script(fault=not_now(known, in_seconds(DAY_LIMIT)))
    began = datetime.now(UTC)
    known.work()
    assert known.of(invoice).state == "unknown"
    due = Lane.objects.get(interface=known.interface).due
    assert due is not None
    assert due >= began + DAY_LIMIT
    calls = len(known.standin.requests)
    known.pass_time(DAY_LIMIT - MINUTE)
    known.turn()
    assert len(known.standin.requests) == calls
    known.pass_time(MINUTE + timedelta(seconds=5))
    known.turn()
    known.check(invoice)


@pytest.mark.parametrize("package", ["firm", "plain_firm"], ids=["xero", "plain"])
def test_what_was_to_be_looked_up_shows_when_that_goes_on(
    request: pytest.FixtureRequest, package: str
) -> None:
    """Row 12."""
    firm: Firm = request.getfixturevalue(package)
    invoice = firm.invoice()
    firm.upload(invoice)
    firm.script(Drop(after_effect=True))
    firm.work()
    firm.standin.script(fault=not_now(firm, in_seconds(DAY_LIMIT)))
    began = datetime.now(UTC)
    firm.work()
    upload = firm.of(invoice)
    assert upload.state == "unknown"
    assert upload.reason
    assert upload.due is not None
    assert upload.due >= began + DAY_LIMIT
    firm.work()
    firm.check(invoice)


def test_a_limit_is_no_reason_to_give_up_however_often_it_comes(known: Firm) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    known.script(not_now(known, in_seconds(DAY_LIMIT)), times=20)
    for _ in range(20):
        known.turn()
        assert known.of(invoice).state == "queued"
        known.pass_time(DAY_LIMIT + MINUTE)
    known.turn()
    known.check(invoice)


def test_a_consent_that_is_gone_is_told_from_a_limit(plain_firm: Firm) -> None:
    """Row 13: Plain answers both with 403."""
    invoice = plain_firm.invoice()
    plain_firm.upload(invoice)
    plain_firm.standin.denied.add(plain_firm.interface.company_file_id)
    plain_firm.work()
    assert plain_firm.interface_state() == "needs_consent"
    assert plain_firm.of(invoice).state == "queued"
    plain_firm.leave_waiting()


def test_while_somebody_else_writes_ours_waits_its_turn(plain_firm: Firm) -> None:
    """Row 13: Plain takes one write at a time for a company file, whoever makes it."""
    first, invoice = plain_firm.invoice(), plain_firm.invoice()
    plain_firm.upload(first)
    plain_firm.work(turns=2)
    plain_firm.upload(invoice)
    plain, go_on = plain_firm.standin, threading.Event()
    plain.script("POST", "/v1/job", fault=Hold(go_on))
    file = plain_firm.interface.company_file_id
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(
            requests.post,
            f"{plain.url}/v1/job",
            json={"code": "J-9", "name": "Somebody else's"},
            headers={"Authorization": "Bearer theirs", "Company-File": file},
            timeout=20,
        )
        plain.wait_for(path="/v1/job", let_in=True)
        plain_firm.work()
        assert plain_firm.of(invoice).state == "queued"
        assert plain_firm.interface_state() == "connected"
        go_on.set()
        assert theirs.result().ok
    plain_firm.work()
    plain_firm.check(first, invoice)
    assert "unknown" not in plain_firm.moves(plain_firm.of(invoice))


def test_a_busy_package_has_surely_done_nothing(keeper_firm: Firm) -> None:
    """Keeper's 503 is documented to mean that; it is not looked up, only tried again."""
    invoice = keeper_firm.invoice()
    keeper_firm.upload(invoice)
    keeper_firm.script(Answer(503, {"code": "busy", "message": "Busy."}))
    keeper_firm.work()
    upload = keeper_firm.of(invoice)
    assert (upload.state, upload.tries) == ("queued", 1)
    keeper_firm.work()
    keeper_firm.check(invoice)
    assert "unknown" not in keeper_firm.moves(keeper_firm.of(invoice))


def test_after_a_limit_whoever_waited_for_its_turn_does_not_go(
    plain_firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 12, where another call's worth stood ready behind the one that met the limit."""
    first, invoices = plain_firm.invoice(), [plain_firm.invoice() for _ in range(3)]
    plain_firm.upload(first)
    plain_firm.work(turns=2)
    plain_firm.standin.clear()
    plain_firm.upload(*invoices)
    plain_firm.script(not_now(plain_firm, in_seconds(DAY_LIMIT)))
    later = Calls._later

    def give_it_time(*given: Any, **named: Any) -> None:
        with contextlib.suppress(TimeoutError):
            plain_firm.standin.wait_for(method="POST", path="/v1/invoice", count=2, timeout=1)
        later(*given, **named)

    monkeypatch.setattr(Calls, "_later", give_it_time)
    plain_firm.work()
    monkeypatch.undo()
    assert len(plain_firm.standin.seen("POST", "/v1/invoice")) == 1
    plain_firm.work(turns=3)
    plain_firm.check(first, *invoices)


def test_a_repeat_that_meets_a_limit_is_due_when_the_limit_ends(keeper_firm: Firm) -> None:
    invoice = keeper_firm.invoice()
    keeper_firm.upload(invoice)
    keeper_firm.script(Drop(after_effect=True))
    keeper_firm.work()
    keeper_firm.standin.script(fault=not_now(keeper_firm, in_seconds(DAY_LIMIT)))
    began = datetime.now(UTC)
    keeper_firm.work()
    upload = keeper_firm.of(invoice)
    assert upload.state == "unknown"
    assert upload.due
    assert upload.due >= began + DAY_LIMIT
    keeper_firm.work(turns=2)
    keeper_firm.check(invoice)
