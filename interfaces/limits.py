"""The shared token buckets: one for each rate limit a package declares, over all workers.

A bucket holds `capacity` calls and refills at `rate`. In any stretch of `per` at most `capacity`
plus what is refilled can go out, so `rate` is what is left of the bound after the capacity. Short
bounds keep a small burst and refill fast; a day's bound is mostly burst, because a practice's
uploads come on a few days of the month and would otherwise trickle.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import redis
from django.conf import settings
from django.db import transaction

from connectors.base.errors import RetryLater
from connectors.base.protocol import Package, RateLimit, Scope
from interfaces.models import RateBucket

SHORT = timedelta(hours=1)
SHORT_BURST = 0.2
LONG_BURST = 0.8
# All buckets are looked at before any is touched: a call that waits for one takes from none.
LEVEL = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local function level(key, capacity, rate)
  local saved = redis.call('HMGET', key, 'tokens', 'at')
  local tokens, at = tonumber(saved[1] or capacity), tonumber(saved[2] or now)
  return math.min(capacity, tokens + math.max(0, now - at) * rate)
end
local function keep(key, capacity, rate, tokens)
  tokens = string.format('%.9f', tokens)
  redis.call('HSET', key, 'tokens', tokens, 'at', string.format('%.6f', now))
  redis.call('EXPIRE', key, math.ceil(capacity / rate) + 1)
end
"""
TAKE = (
    LEVEL
    + """
local wait, levels = 0, {}
for i, key in ipairs(KEYS) do
  local capacity, rate = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  levels[i] = level(key, capacity, rate)
  if levels[i] < 1 then wait = math.max(wait, (1 - levels[i]) / rate, 0.001) end
end
for i, key in ipairs(KEYS) do
  local left = levels[i]
  if wait == 0 then left = left - 1 end
  keep(key, tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i]), left)
end
return string.format('%.6f', wait)
"""
)
LOWER = (
    LEVEL
    + """
local capacity, rate, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
keep(KEYS[1], capacity, rate, math.min(level(KEYS[1], capacity, rate), most))
return 0
"""
)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """One rate limit as it is kept."""

    name: str
    key: str
    capacity: int
    rate: float


def bucket_of(limit: RateLimit, *, package: Package, interface_id: int) -> Bucket:
    """The bucket of a limit: one per interface, or one for the whole package."""
    share = SHORT_BURST if limit.per < SHORT else LONG_BURST
    capacity = max(1, int(limit.calls * share))
    key = f"rate:{package.key}:{limit.name}"
    if limit.scope is Scope.INTERFACE:
        key += f":{interface_id}"
    # One more than what the capacity leaves: the refill of a whole `per` is never quite complete
    # within it, and a bound of one call must refill at all.
    rate = (limit.calls - capacity + 1) / limit.per.total_seconds()
    return Bucket(name=limit.name, key=key, capacity=capacity, rate=rate)


class SharedLimiter:
    """The rate limits of one interface and its package."""

    def __init__(
        self,
        practice_id: int,
        interface_id: int,
        package: Package,
        patience: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._buckets = [
            bucket_of(limit, package=package, interface_id=interface_id)
            for limit in package.limits.rates
        ]
        self._label = package.label
        self._patience = patience
        self._sleep = sleep
        self._store: _Rows | _Redis = _Rows() if settings.EMBEDDED else _Redis()

    def acquire(self) -> None:
        """Take one call from every bucket, or from none and wait. Raises RetryLater."""
        if not self._buckets:
            return
        waited = 0.0
        while wait := self._store.take(self._buckets):
            if waited + wait > self._patience:
                raise RetryLater(
                    f"As many calls as {self._label} allows have been made; it goes on by itself.",
                    after=timedelta(seconds=wait),
                    congested=True,
                )
            self._sleep(wait)
            waited += wait

    def observe(self, remaining: Mapping[str, int]) -> None:
        """Lower the buckets named to what the package says is left; never raise them."""
        for bucket in self._buckets:
            if bucket.name in remaining:
                self._store.lower(bucket, max(0, remaining[bucket.name]))


class _Rows:
    """The buckets as database rows, for the embedded shape with its one process."""

    def take(self, buckets: Sequence[Bucket]) -> float:
        with transaction.atomic():
            rows, now = _locked(buckets), time.time()
            levels = {one.key: _level(one, rows[one.key], now) for one in buckets}
            wait = max(
                (1 - levels[one.key]) / one.rate if levels[one.key] < 1 else 0.0 for one in buckets
            )
            for key, row in rows.items():
                row.tokens = levels[key] if wait else levels[key] - 1
                row.updated_at = now
            RateBucket.objects.bulk_update(rows.values(), ["tokens", "updated_at"])
        return wait

    def lower(self, bucket: Bucket, most: int) -> None:
        with transaction.atomic():
            row, now = _locked([bucket])[bucket.key], time.time()
            row.tokens = min(_level(bucket, row, now), float(most))
            row.updated_at = now
            row.save(update_fields=["tokens", "updated_at"])


def _locked(buckets: Sequence[Bucket]) -> dict[str, RateBucket]:
    """The rows, made full where absent, locked in the order of their names."""
    RateBucket.objects.bulk_create(
        (RateBucket(name=one.key, tokens=one.capacity, updated_at=time.time()) for one in buckets),
        ignore_conflicts=True,
    )
    keys = [one.key for one in buckets]
    rows = RateBucket.objects.select_for_update().filter(name__in=keys).order_by("name")
    return {row.name: row for row in rows}


def _level(bucket: Bucket, row: RateBucket, now: float) -> float:
    # A clock set back refills nothing, and does not stop the refill either.
    return min(bucket.capacity, row.tokens + max(0.0, now - row.updated_at) * bucket.rate)


class _Redis:
    """The buckets in Redis, by its clock, each step one script and so indivisible."""

    def take(self, buckets: Sequence[Bucket]) -> float:
        numbers = [number for one in buckets for number in (one.capacity, one.rate)]
        return float(self._run(TAKE, [one.key for one in buckets], numbers))

    def lower(self, bucket: Bucket, most: int) -> None:
        self._run(LOWER, [bucket.key], [bucket.capacity, bucket.rate, most])

    def _run(self, script: str, keys: Sequence[str], numbers: Sequence[float]) -> bytes:
        try:
            answer: bytes = client().eval(script, len(keys), *keys, *numbers)
        except redis.RedisError:
            raise RetryLater(
                "The count of calls cannot be reached just now.",
                after=timedelta(seconds=5),
                congested=True,
            ) from None
        return answer


@cache
def client() -> redis.Redis:
    """The connection pool to Redis."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=3, health_check_interval=30
    )
