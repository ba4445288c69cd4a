"""The one writer of an interface: its lease, its fence, its breaker, and the bell that wakes it."""

import logging
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu.exceptions import OperationalError

from connectors.base.protocol import Limits
from interfaces import clock, lanes, registration
from interfaces.lanes import Held, LostLane
from interfaces.models import AccountingInterface, Lane, PackageBreaker
from offices.models import Practice
from offices.tenancy import acting_for
from tests.interfaces.ledger import PACKAGE, LedgerServer

pytestmark = pytest.mark.django_db(transaction=True)

GONE = timedelta(seconds=-1)


@pytest.fixture
def made(practice: Practice, server: LedgerServer) -> AccountingInterface:
    """An interface with its lane."""
    with acting_for(practice.pk):
        return registration.create_interface(package_key="ledger", name="Ledger")


def take(made: AccountingInterface, owner: str = "one") -> Held | None:
    return lanes.take(
        practice_id=made.practice_id, interface_id=made.pk, package=PACKAGE, owner=owner
    )


def held(made: AccountingInterface, owner: str = "one") -> Held:
    taken = take(made, owner)
    assert taken is not None
    return taken


def lane_of(made: AccountingInterface) -> Lane:
    return Lane.objects.get(interface=made)


def put(made: AccountingInterface, **fields: Any) -> None:
    """Set fields of the lane; a time given as a difference counts from now."""
    now = timezone.now()
    values = {
        name: now + value if isinstance(value, timedelta) else value
        for name, value in fields.items()
    }
    Lane.objects.filter(interface=made).update(**values)


# --- Lease and fence ------------------------------------------------------------------------------


def test_one_worker_holds_the_lane_and_nobody_else_meanwhile(made: AccountingInterface) -> None:
    mine = held(made)
    assert take(made, "two") is None
    assert take(made, "one") is None
    lane = lane_of(made)
    assert (lane.owner, lane.fence) == ("one", mine.fence)
    assert lane.lease_until is not None
    assert lane.lease_until > timezone.now()


def test_a_lane_given_back_can_be_taken_with_a_higher_fence(made: AccountingInterface) -> None:
    first = held(made)
    soon = timezone.now() + timedelta(minutes=5)
    lanes.release(first, due=soon)
    lane = lane_of(made)
    assert (lane.owner, lane.lease_until, lane.due) == ("", None, soon)
    assert held(made, "two").fence == first.fence + 1


def test_a_lane_whose_holder_is_gone_is_taken_over(made: AccountingInterface) -> None:
    first = held(made)
    put(made, lease_until=GONE)
    assert held(made, "two").fence == first.fence + 1


def test_whoever_lost_the_lane_changes_nothing_any_more(
    made: AccountingInterface, caplog: pytest.LogCaptureFixture
) -> None:
    stale = held(made)
    put(made, lease_until=GONE)
    held(made, "one")  # the very same worker, later
    before = Lane.objects.values().get(interface=made)
    with caplog.at_level(logging.WARNING), pytest.raises(LostLane):
        lanes.keep(stale)
    lanes.release(stale, due=None)
    lanes.hold(stale, until=timezone.now() + timedelta(hours=1), reason="late")
    for _ in range(6):
        lanes.record_health(stale, healthy=False)
    assert Lane.objects.values().get(interface=made) == before
    assert "lane lost" in caplog.text


def test_keeping_the_lane_lengthens_the_lease(made: AccountingInterface) -> None:
    mine = held(made)
    put(made, lease_until=timedelta(seconds=1))
    until = lanes.keep(mine)
    assert until == lane_of(made).lease_until
    assert until > timezone.now() + timedelta(seconds=30)


def test_a_lease_that_ran_out_and_nobody_took_can_still_be_kept(made: AccountingInterface) -> None:
    mine = held(made)
    put(made, lease_until=GONE)
    lanes.keep(mine)
    assert take(made, "two") is None


def test_a_lease_outlives_the_longest_answer(made: AccountingInterface, settings: Any) -> None:
    settings.UPLOAD_LEASE_SECONDS, settings.UPLOAD_LEASE_MARGIN_SECONDS = 60, 30
    assert lanes.lease_of(PACKAGE) == timedelta(seconds=60)
    settings.PACKAGE_APPS["ledger"]["read_timeout"] = 130.0
    assert lanes.lease_of(PACKAGE) == timedelta(seconds=160)
    elsewhere = replace(PACKAGE, key="unknown", limits=Limits(read_timeout=190))
    assert lanes.lease_of(elsewhere) == timedelta(seconds=220)


def test_of_many_workers_exactly_one_takes_the_lane(made: AccountingInterface) -> None:
    together, got = threading.Barrier(6), []

    def work(number: int) -> None:
        together.wait()
        try:
            got.append(take(made, f"worker {number}"))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [one for one in got if one]
    assert len(got) == 6
    assert len(winners) == 1
    assert lane_of(made).fence == 1


def test_a_locked_lane_is_woken_only_after_the_transaction(
    made: AccountingInterface, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the holder wrote as next due is never written over a bell it has not heard."""
    monkeypatch.setattr(lanes, "ring", lambda *ids: None)
    mine = held(made)
    inside, order = threading.Event(), []

    def wake() -> None:
        inside.wait()
        try:
            with transaction.atomic():
                lanes.wake(made.pk)
                order.append("woken")
        finally:
            connection.close()

    waker = threading.Thread(target=wake)
    waker.start()
    with transaction.atomic():
        lanes.lock(mine)
        inside.set()
        lanes.release(mine, due=None)
        order.append("released")
    waker.join()
    assert order == ["released", "woken"]
    assert lane_of(made).due is not None


# --- Waiting -----


def test_a_lane_the_package_holds_is_not_taken_before_its_time(made: AccountingInterface) -> None:
    mine, until = held(made), timezone.now() + timedelta(minutes=1)
    lanes.hold(mine, until=until, reason="r" * 400)
    lanes.release(mine, due=None)
    assert take(made) is None
    assert lanes.waits_until(made.pk) == until
    assert lane_of(made).hold_reason == "r" * 300
    put(made, hold_until=GONE)
    assert lanes.waits_until(made.pk) is None
    assert take(made) is not None


def test_the_later_of_two_waits_counts(made: AccountingInterface) -> None:
    assert lanes.waits_until(made.pk) is None
    put(made, hold_until=timedelta(minutes=1), open_until=timedelta(minutes=2))
    assert lanes.waits_until(made.pk) == lane_of(made).open_until
    put(made, hold_until=timedelta(minutes=3))
    assert lanes.waits_until(made.pk) == lane_of(made).hold_until


# --- The breaker -----


def is_open(made: AccountingInterface) -> bool:
    until = lane_of(made).open_until
    return until is not None and until > timezone.now()


def fail(made: Held, times: int) -> None:
    for _ in range(times):
        lanes.record_health(made, healthy=False)


def test_five_failures_running_open_the_breaker(made: AccountingInterface, settings: Any) -> None:
    settings.BREAKER_FAILURES, settings.BREAKER_OPEN_SECONDS = 5, 60
    mine = held(made)
    fail(mine, 4)
    lanes.record_health(mine, healthy=True)
    fail(mine, 4)
    assert not is_open(made)
    fail(mine, 1)
    assert is_open(made)
    lanes.release(mine, due=None)
    assert take(made) is None
    assert lane_of(made).open_seconds == 60


def test_half_of_the_last_twenty_open_it_too(made: AccountingInterface) -> None:
    mine = held(made)
    for _ in range(9):
        lanes.record_health(mine, healthy=True)
        lanes.record_health(mine, healthy=False)
    assert not is_open(made)  # eighteen so far: too few to tell
    lanes.record_health(mine, healthy=True)
    lanes.record_health(mine, healthy=False)
    assert is_open(made)
    assert len(lane_of(made).outcomes) == 20


def test_an_open_breaker_lets_one_document_try_and_closes_on_success(
    made: AccountingInterface,
) -> None:
    mine = held(made)
    assert not mine.probing
    fail(mine, 5)
    lanes.release(mine, due=None)
    put(made, open_until=GONE)
    probe = held(made)
    assert probe.probing
    lanes.record_health(probe, healthy=True)
    lane = lane_of(made)
    assert (lane.open_seconds, lane.open_until, lane.outcomes) == (0, None, "o")
    fail(probe, 4)
    assert not is_open(made)
    lanes.release(probe, due=None)
    assert not held(made).probing


def test_a_failed_try_opens_it_for_twice_as_long_up_to_half_an_hour(
    made: AccountingInterface, settings: Any
) -> None:
    settings.BREAKER_OPEN_SECONDS = 60
    mine, opened = held(made), []
    fail(mine, 5)
    for _ in range(7):
        opened.append(lane_of(made).open_seconds)
        lanes.release(mine, due=None)
        put(made, open_until=GONE)
        mine = held(made)
        fail(mine, 1)
    assert opened == [60, 120, 240, 480, 960, 1800, 1800]
    until = lane_of(made).open_until
    assert until is not None
    assert timedelta(seconds=1795) < until - timezone.now() <= timedelta(seconds=1800)


# --- The breaker of a package ---------------------------------------------------------------------


@pytest.fixture
def many(practice: Practice, server: LedgerServer) -> list[AccountingInterface]:
    """Six interfaces of one package, with work waiting at each."""
    with acting_for(practice.pk):
        made = [
            registration.create_interface(package_key="ledger", name=f"Ledger {number}")
            for number in range(6)
        ]
    Lane.objects.update(due=timezone.now())
    return made


def break_down(*made: AccountingInterface) -> None:
    for one in made:
        mine = held(one)
        fail(mine, 5)
        lanes.release(mine, due=timezone.now())


def trouble() -> PackageBreaker | None:
    return PackageBreaker.objects.filter(package_key="ledger").first()


def test_a_package_that_fails_nearly_everybody_is_not_called_by_the_others_either(
    many: list[AccountingInterface],
) -> None:
    break_down(*many[:4])
    assert set(lanes.troubled_packages()) == set()
    assert held(many[5])
    Lane.objects.filter(interface=many[5]).update(owner="", lease_until=None)
    break_down(many[4])
    assert set(lanes.troubled_packages()) == {"ledger"}
    assert take(many[5]) is None
    broken = trouble()
    assert broken is not None
    assert lanes.waits_until(many[5].pk) == broken.open_until


def test_a_few_among_many_in_use_are_their_own_trouble(many: list[AccountingInterface]) -> None:
    with acting_for(many[0].practice_id):
        others = [
            registration.create_interface(package_key="ledger", name=f"Well {number}")
            for number in range(5)
        ]
    Lane.objects.filter(interface__in=[one.pk for one in others]).update(due=timezone.now())
    break_down(*many[:5])
    assert set(lanes.troubled_packages()) == set()
    break_down(many[5])
    assert set(lanes.troubled_packages()) == {"ledger"}


def test_idle_interfaces_and_other_packages_do_not_speak_for_a_package(
    many: list[AccountingInterface],
) -> None:
    with acting_for(many[0].practice_id):
        for number in range(20):
            registration.create_interface(package_key="ledger", name=f"Idle {number}")
    Lane.objects.filter(interface__in=[one.pk for one in many[3:]]).update(package_key="other")
    break_down(*many[:3])
    assert set(lanes.troubled_packages()) == set()
    Lane.objects.update(package_key="ledger")
    break_down(*many[3:5])
    assert set(lanes.troubled_packages()) == {"ledger"}


def test_one_lane_tries_the_package_for_all_and_lets_the_others_try_when_it_answers(
    many: list[AccountingInterface],
) -> None:
    break_down(*many[:5])
    PackageBreaker.objects.update(open_until=timezone.now() + GONE)
    probe = held(many[5])
    assert (probe.probing, probe.probing_package) == (True, True)
    Lane.objects.filter(interface=many[0]).update(open_until=timezone.now() + GONE)
    assert take(many[0]) is None
    lanes.record_health(probe, healthy=True)
    assert set(lanes.troubled_packages()) == set()
    # Each is still careful for itself, but waits no longer.
    assert [held(one).probing for one in many[:5]] == [True] * 5


def test_a_package_that_fails_the_try_is_left_alone_for_twice_as_long(
    many: list[AccountingInterface], settings: Any
) -> None:
    settings.BREAKER_OPEN_SECONDS = 60
    break_down(*many[:5])
    PackageBreaker.objects.update(open_until=timezone.now() + GONE)
    lanes.record_health(held(many[5]), healthy=False)
    broken = trouble()
    assert broken is not None
    assert broken.open_seconds == 120
    assert broken.open_until > timezone.now() + timedelta(seconds=100)


def test_a_try_of_the_package_whose_worker_died_is_somebody_elses_after_its_lease(
    many: list[AccountingInterface],
) -> None:
    break_down(*many[:5])
    PackageBreaker.objects.update(open_until=timezone.now() + GONE)
    assert held(many[5]).probing_package
    broken = trouble()
    assert broken is not None
    assert broken.open_until > timezone.now()
    PackageBreaker.objects.update(open_until=timezone.now() + GONE)
    Lane.objects.filter(interface=many[4]).update(open_until=timezone.now() + GONE)
    assert held(many[4]).probing_package


def test_lanes_of_a_package_in_trouble_are_not_neglected(many: list[AccountingInterface]) -> None:
    break_down(*many[:5])
    Lane.objects.filter(interface=many[5]).update(due=timezone.now() - timedelta(hours=1))
    Lane.objects.exclude(interface=many[5]).update(due=None)
    assert lanes.neglected(before=timezone.now() - timedelta(minutes=1)) == 0
    PackageBreaker.objects.all().delete()
    assert lanes.neglected(before=timezone.now() - timedelta(minutes=1)) == 1


# --- What is due, and the bell -----


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Which lanes were rung for."""
    heard: list[tuple[int, int]] = []
    monkeypatch.setattr(lanes, "ring", lambda *ids: heard.append(ids))
    return heard


def test_waking_makes_the_lane_due_and_rings_when_the_transaction_commits(
    made: AccountingInterface, rung: list[tuple[int, int]]
) -> None:
    with transaction.atomic():
        lanes.wake(made.pk)
        assert rung == []
    assert rung == [(made.practice_id, made.pk)]
    due = lane_of(made).due
    assert due is not None
    assert due <= timezone.now()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        lanes.wake(made.pk)
        _ = 1 / 0
    assert len(rung) == 1


def test_a_dead_broker_is_logged_and_stops_nobody(
    made: AccountingInterface, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (OperationalError("no broker at redis://:CANARY@"), ConnectionRefusedError()):

        def refuse(*args: Any, error: Exception = error, **options: Any) -> None:
            raise error

        monkeypatch.setattr(current_app, "send_task", refuse)
        with caplog.at_level(logging.WARNING):
            lanes.ring(made.practice_id, made.pk)
    assert "doorbell failed" in caplog.text
    assert "CANARY" not in caplog.text


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({}, False),
        ({"due": GONE}, True),
        ({"due": timedelta(minutes=1)}, False),
        ({"due": GONE, "lease_until": timedelta(minutes=1)}, False),
        ({"due": None, "lease_until": GONE}, True),
        ({"due": timedelta(minutes=1), "lease_until": GONE}, True),
    ],
)
def test_a_lane_is_due_by_its_time_or_when_its_holder_is_gone(
    made: AccountingInterface, fields: dict[str, Any], due: bool
) -> None:
    put(made, **fields)
    assert lanes.due_lanes() == ([(made.practice_id, made.pk)] if due else [])


def test_lanes_are_looked_at_in_the_order_they_fell_due_and_only_so_many(
    practice: Practice, server: LedgerServer
) -> None:
    with acting_for(practice.pk):
        several = [
            registration.create_interface(package_key="ledger", name=str(number))
            for number in range(4)
        ]
    for one, seconds in zip(several, (-1, -30, -10), strict=False):
        put(one, due=timedelta(seconds=seconds))
    put(several[3], due=None, lease_until=GONE)
    order = [several[number].pk for number in (3, 1, 2, 0)]
    with CaptureQueriesContext(connection) as queries:
        assert [interface for _, interface in lanes.due_lanes()] == order
    assert len([one for one in queries if "interfaces_lane" in one["sql"]]) == 1
    assert [interface for _, interface in lanes.due_lanes(limit=2)] == order[:2]


def test_a_lane_is_neglected_when_it_is_due_and_free_and_nothing_asks_it_to_wait(
    made: AccountingInterface,
) -> None:
    def neglected(before: timedelta = timedelta(seconds=-60)) -> int:
        return lanes.neglected(before=timezone.now() + before)

    assert neglected() == 0
    put(made, due=timedelta(seconds=-61))
    assert neglected() == 1
    put(made, due=timedelta(seconds=-30))
    assert neglected() == 0
    put(made, due=timedelta(seconds=-61), lease_until=timedelta(minutes=1))
    assert neglected() == 0
    put(made, lease_until=None, hold_until=timedelta(minutes=1))
    assert neglected() == 0
    put(made, hold_until=None, open_until=timedelta(minutes=1))
    assert neglected() == 0


def test_times_are_the_databases(made: AccountingInterface) -> None:
    """A lease is compared with the clock that made it; a host's wrong time moves none."""
    moment: datetime = clock.now()
    assert moment.tzinfo is not None
    with CaptureQueriesContext(connection) as queries:
        clock.now()
    assert len(queries) == (1 if connection.vendor == "postgresql" else 0)
