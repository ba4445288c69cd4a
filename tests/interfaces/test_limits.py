"""The shared rate limits: never above a bound, however many ask; a call that waits takes none."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
import time_machine
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.retry import Retry

from connectors.base.errors import RetryLater
from connectors.base.protocol import Limits, Package, RateLimit, Scope
from interfaces import limits
from interfaces.limits import SharedLimiter, bucket_of
from interfaces.models import RateBucket
from tests.interfaces import ledger

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
STORES = ["rows", pytest.param("redis", marks=pytest.mark.services)]


@pytest.fixture(params=STORES)
def store(request: Any, settings: Any, transactional_db: None) -> str:
    """Both places a bucket can be kept in."""
    settings.EMBEDDED = request.param == "rows"
    return str(request.param)


@pytest.fixture
def rows(settings: Any, db: None) -> None:
    """The buckets as database rows, whose clock is this process's and can be moved."""
    settings.EMBEDDED = True


def package_of(*rates: RateLimit) -> Package:
    """A package of its own with these limits, so that no other test's calls count."""
    return replace(ledger.PACKAGE, key=f"ledger-{uuid4().hex[:8]}", limits=Limits(rates=rates))


def rate(
    calls: int, per: timedelta, *, scope: Scope = Scope.INTERFACE, name: str = ""
) -> RateLimit:
    return RateLimit(name=name or f"{calls} in {per}", scope=scope, calls=calls, per=per)


def limiter(
    package: Package,
    interface_id: int = 1,
    *,
    patience: float = 0,
    sleep: Callable[[float], None] = time.sleep,
) -> SharedLimiter:
    return SharedLimiter(1, interface_id, package, patience, sleep=sleep)


def takes(one: SharedLimiter, most: int = 1000) -> int:
    """How many calls may be made at once."""
    for number in range(most):
        try:
            one.acquire()
        except RetryLater:
            return number
    return most


# --- What a limit becomes ----------------------------------------------------------------------


def test_a_limit_of_the_interface_is_its_own_and_one_of_the_package_is_shared() -> None:
    package = package_of()
    own, shared = rate(60, MINUTE, name="a"), rate(60, MINUTE, scope=Scope.PACKAGE, name="b")
    keys = {
        bucket_of(limit, package=package, interface_id=number).key
        for limit in (own, shared)
        for number in (1, 2)
    }
    assert len(keys) == 3


# --- Never above the bound, with a clock that is moved -----------------------------------------


@pytest.mark.parametrize(
    ("calls", "per"),
    [(1, SECOND), (2, SECOND), (5, SECOND), (55, MINUTE), (3, DAY), (97, MINUTE), (7, MINUTE)],
)
def test_no_stretch_of_time_holds_more_calls_than_the_bound(
    rows: None, calls: int, per: timedelta
) -> None:
    made: list[float] = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        one = limiter(
            package_of(rate(calls, per)), patience=per.total_seconds() * 2, sleep=clock.shift
        )
        for _ in range(calls * 3 + 5):
            one.acquire()
            made.append(time.time())
    for number, first in enumerate(made):
        within = [at for at in made[number:] if at < first + per.total_seconds()]
        assert len(within) <= calls
    # And what the bound allows is used, not given away.
    stretch = (made[-1] - made[0]) / per.total_seconds()
    assert len(made) >= 0.95 * calls * stretch


def test_all_of_a_limit_can_be_used_at_once_and_a_pause_saves_up_no_more(rows: None) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        one = limiter(package_of(rate(60, MINUTE)))
        assert takes(one) == 60
        clock.shift(3600)
        assert takes(one) == 60


def test_calls_come_back_as_they_went_out(rows: None) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        one = limiter(package_of(rate(60, MINUTE)))
        assert takes(one, 20) == 20
        clock.shift(30)
        assert takes(one) == 40
        clock.shift(31)
        assert takes(one) == 20
        clock.shift(15)
        assert takes(one) == 0


def test_a_clock_set_back_gives_nothing_away_and_stops_nothing(rows: None) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        one = limiter(package_of(rate(60, MINUTE)))
        takes(one)
        clock.shift(-3600)
        assert takes(one) == 0
        clock.shift(61)
        assert takes(one) == 60


def test_a_call_waits_for_its_turn_when_that_is_soon(rows: None) -> None:
    naps: list[float] = []
    with time_machine.travel(timezone.now(), tick=False) as clock:

        def sleep(seconds: float) -> None:
            naps.append(seconds)
            clock.shift(seconds)

        one = limiter(package_of(rate(60, MINUTE)), patience=5, sleep=sleep)
        for _ in range(60):
            one.acquire()
        clock.shift(58)
        assert naps == []
        one.acquire()
    assert 0 < sum(naps) <= 3


# --- Both stores ---------------------------------------------------------------------------------


def test_a_call_that_would_wait_long_is_told_how_long_and_takes_nothing(store: str) -> None:
    naps: list[float] = []
    package = package_of(rate(3, DAY))
    one = limiter(package, patience=5, sleep=naps.append)
    assert takes(one) == 3
    with pytest.raises(RetryLater, match="As many calls as Ledger allows") as refused:
        one.acquire()
    assert refused.value.congested
    assert refused.value.after is not None
    # A day from the first call, to the next sixtieth of a day.
    assert 86400 <= refused.value.after.total_seconds() <= 86400 + 1440
    assert naps == []


def test_all_buckets_are_taken_from_or_none(store: str) -> None:
    wide, narrow = rate(10, DAY, name="wide"), rate(2, DAY, name="narrow")
    package = package_of(wide, narrow)
    assert takes(limiter(package)) == 2
    for _ in range(5):
        with pytest.raises(RetryLater):
            limiter(package).acquire()
    # Only the two calls went out of the wide one.
    assert takes(limiter(replace(package, limits=Limits(rates=(wide,))))) == 8


def test_a_package_limit_counts_the_calls_of_every_interface(store: str) -> None:
    package = package_of(rate(10, DAY, name="own"), rate(5, DAY, scope=Scope.PACKAGE, name="all"))
    assert takes(limiter(package, 1), 3) == 3
    assert takes(limiter(package, 2)) == 2
    assert takes(limiter(package, 3)) == 0


def test_a_limit_of_one_interface_leaves_the_others_alone(store: str) -> None:
    package = package_of(rate(5, DAY))
    assert takes(limiter(package, 1)) == 5
    assert takes(limiter(package, 2)) == 5


def test_what_the_package_says_is_left_lowers_the_bucket_and_never_raises_it(store: str) -> None:
    package = package_of(rate(100, DAY, name="day"))
    one = limiter(package)
    one.observe({"day": 3, "unknown": 0})
    assert takes(one) == 3
    one.observe({"day": 50})
    assert takes(one) == 0
    one.observe({"day": -7})
    assert takes(one) == 0


def test_lowering_a_bucket_nobody_has_used_yet_counts(store: str) -> None:
    package = package_of(rate(100, DAY, name="day"))
    limiter(package).observe({"day": 1})
    assert takes(limiter(package)) == 1


def test_a_package_without_limits_is_never_asked_to_wait(store: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert takes(limiter(package_of()), 50) == 50
    assert not queries


def test_many_workers_together_stay_below_the_bound(store: str) -> None:
    """However threads are scheduled: what went out fits into the time it took."""
    bound, per, want, workers = 60, SECOND, 75, 6
    package = package_of(rate(bound, per), rate(500, DAY, scope=Scope.PACKAGE))
    together, failed = threading.Barrier(workers + 1), []

    def work() -> None:
        one = limiter(package, patience=60)
        together.wait()
        try:
            for _ in range(want // workers):
                one.acquire()
        except Exception as error:  # noqa: BLE001 - told to the test, whatever it is
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    together.wait()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    assert failed == []
    made = want // workers * workers
    assert made <= bound * math.ceil(took / per.total_seconds())
    shared = replace(package, limits=Limits(rates=package.limits.rates[1:]))
    assert takes(limiter(shared), 1000) == 500 - made


@pytest.mark.services
def test_a_bucket_in_redis_is_forgotten_once_it_is_full(settings: Any) -> None:
    settings.EMBEDDED = False
    package = package_of(rate(60, MINUTE))
    limiter(package).acquire()
    key = bucket_of(package.limits.rates[0], package=package, interface_id=1).key
    assert 60 < int(limits.client().ttl(key)) <= 63


@pytest.fixture
def no_redis(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets in a Redis that is not there."""
    settings.EMBEDDED = False
    at_once = Retry(NoBackoff(), 0)
    nowhere = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=1, retry=at_once)
    monkeypatch.setattr(limits, "client", lambda: nowhere)


def test_an_unreachable_redis_holds_calls_back_and_says_so(no_redis: None) -> None:
    with pytest.raises(RetryLater, match="cannot be reached") as refused:
        limiter(package_of(rate(60, MINUTE))).acquire()
    assert refused.value.congested
    assert refused.value.after == timedelta(seconds=5)
    assert refused.value.__suppress_context__


def test_what_is_left_is_noted_or_logged_and_never_in_the_way_of_an_answer(
    no_redis: None, caplog: pytest.LogCaptureFixture
) -> None:
    limiter(package_of(rate(60, MINUTE, name="minute"))).observe({"minute": 1})
    assert "calls left not noted package=Ledger" in caplog.text


def test_a_database_that_is_away_is_not_in_the_way_of_an_answer_either(
    rows: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("the database is locked")

    monkeypatch.setattr(limits, "_locked", away)
    limiter(package_of(rate(60, MINUTE, name="minute"))).observe({"minute": 1})
    assert "calls left not noted package=Ledger" in caplog.text


def test_a_call_costs_as_many_queries_for_four_limits_as_for_one(rows: None) -> None:
    counts = []
    for number in (1, 4):
        one = limiter(package_of(*(rate(60, MINUTE, name=str(n)) for n in range(number))))
        one.acquire()
        with CaptureQueriesContext(connection) as queries:
            one.acquire()
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 5
    assert RateBucket.objects.count() == 5
