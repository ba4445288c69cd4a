"""Row 25: clocks that jump by an hour, and the nights on which daylight saving begins and ends.

Leases go by the database's clock. Embedded that is the process's own, so there a worker whose
clock is wrong may take a lane over; the fence sees to it that this leaves one copy.
"""

import signal
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings as product

from connectors.base.standin import Answer
from connectors.xero.standin import XeroStandIn
from interfaces import lanes
from invoicing.uploads import killpoints, lane
from tests.faults.conftest import PATIENCE, Firm, OpenFirm, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
# In New Zealand clocks go back from 3 to 2 at the first, and on from 2 to 3 at the second.
BACK, FORWARD = datetime(2027, 4, 3, 14, tzinfo=UTC), datetime(2027, 9, 25, 14, tzinfo=UTC)


def stopped(pid: int) -> bool:
    """Whether the process has been stopped by its own hand."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    return stat.rsplit(")", 1)[1].split()[0] == "T"


@pytest.mark.parametrize("clock", [HOUR, -HOUR])
@pytest.mark.parametrize("place", [killpoints.AFTER_CLAIM, killpoints.AFTER_ANSWER])
def test_a_second_worker_whose_clock_is_an_hour_off_makes_no_second_copy(
    known: Firm, place: str, clock: timedelta
) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    known.make_due()
    first = known.worker(stop_at=place)
    wait_for(lambda: stopped(first.pid))
    state, moves = known.of(invoice).state, known.moves(known.of(invoice))
    second = known.worker(clock=clock)
    _, errors = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, errors
    if clock == -HOUR or not product.EMBEDDED:
        # The lease holds: the second found the lane taken.
        assert (known.of(invoice).state, known.moves(known.of(invoice))) == (state, moves)
    first.send_signal(signal.SIGCONT)
    _, errors = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, errors
    known.work(turns=3)
    known.check(invoice)


@pytest.mark.parametrize("clock", [HOUR, -HOUR])
def test_a_worker_whose_clock_is_an_hour_off_leaves_the_lane_to_the_next(
    known: Firm, clock: timedelta
) -> None:
    """It dies at work; whatever it wrote as the time, the next one finishes."""
    invoice = known.invoice()
    known.upload(invoice)
    known.make_due()
    dying = known.worker(clock=clock, kill_at=killpoints.AFTER_ANSWER)
    _, errors = dying.communicate(timeout=PATIENCE)
    # To a clock of its own that is an hour behind nothing is due yet.
    is_early = clock == -HOUR and product.EMBEDDED
    assert dying.returncode == (0 if is_early else -signal.SIGKILL), errors
    assert known.of(invoice).state == ("queued" if is_early else "sending")
    known.work(turns=3)
    known.check(invoice)


@pytest.mark.skipif(not product.EMBEDDED, reason="The database's clock is not ours to move.")
@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_between_two_tries_sends_once(known: Firm, jump: timedelta) -> None:
    invoice = known.invoice()
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        known.upload(invoice)
        limited = Answer(429, "", {"Retry-After": "600"})
        known.standin.script("POST" if known.invented else "PUT", fault=limited)
        known.work()
        waiting = known.of(invoice)
        assert (waiting.state, bool(waiting.reason)) == ("queued", True)
        clock.shift(jump)
        turn(known)
        assert known.of(invoice).state == ("sent" if jump > timedelta(0) else "queued")
        # The wait that is left is an hour longer by a clock that was set back, and then over.
        clock.shift(HOUR + timedelta(minutes=11))
        turn(known)
        known.check(invoice)


@pytest.fixture
def auckland(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process stands in New Zealand."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.skipif(not product.EMBEDDED, reason="The database's clock is not ours to move.")
@pytest.mark.parametrize("change", [BACK, FORWARD], ids=["back", "forward"])
def test_a_wait_over_the_change_of_the_clocks_is_as_long_as_it_was_asked_for(
    xero: XeroStandIn, open_firm: OpenFirm, change: datetime, auckland: None
) -> None:
    with time_machine.travel(change - timedelta(seconds=30), tick=False) as clock:
        firm = open_firm(xero)
        invoice = firm.invoice()
        firm.upload(invoice)
        limited = Answer(429, "", {"Retry-After": "60"})
        firm.standin.script("PUT", fault=limited)
        turn(firm)
        assert lanes.waits_until(firm.interface.pk) == change + timedelta(seconds=30)
        clock.shift(timedelta(seconds=59))
        before = len(firm.standin.requests)
        turn(firm)
        assert len(firm.standin.requests) == before
        clock.shift(timedelta(seconds=2))
        turn(firm)
        firm.check(invoice)


def turn(firm: Firm) -> None:
    """One turn, by the clock as it stands."""
    lane.drain(practice_id=firm.practice.pk, interface_id=firm.interface.pk)


@pytest.mark.parametrize("change", [BACK, FORWARD], ids=["back", "forward"])
def test_an_invoice_of_that_night_keeps_its_days_wherever_the_worker_stands(
    any_firm: Firm, change: datetime
) -> None:
    day = date(change.year, change.month, change.day + 1)
    invoice = any_firm.invoice(issued=day, due=day + timedelta(days=30))
    any_firm.upload(invoice)
    any_firm.told["TZ"] = "Pacific/Auckland"
    worker = any_firm.worker()
    _, errors = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0, errors
    any_firm.check(invoice)
    written = [one.body.decode() for one in any_firm.standin.requests if one.method != "GET"]
    assert f'"{day.isoformat()}"' in written[-1]
    assert f'"{(day + timedelta(days=30)).isoformat()}"' in written[-1]
