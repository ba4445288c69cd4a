"""The shared token buckets: one for each rate limit a package declares, over all workers.

A bucket holds as many tokens as the limit allows calls. A token that is taken comes back one
`per` later, to the next sixtieth of it: so no stretch of `per` ever holds more calls than the
limit, a practice's few calls of the day go out at once, and a long queue uses the limit in full.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from connectors.base.errors import RetryLater
from connectors.base.protocol import Package, RateLimit, Scope
from interfaces.models import RateBucket

log = logging.getLogger("interfaces.limits")

# Into how many slots a limit's time is divided; a slot's tokens come back together.
SLOTS = 60
# A stretch of `per` that begins in the middle of a slot reaches into one slot more.
COUNTED = SLOTS + 1
# COUNTED stands for the number above. Slots of the future, which a clock that was set back has
# left, count as taken now.
SPENT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local function spent(key, length)
  local slot, total, oldest = math.floor(now / length), 0, nil
  local saved = redis.call('HGETALL', key)
  for i = 1, #saved, 2 do
    local at, count = tonumber(saved[i]), tonumber(saved[i + 1])
    if at <= slot - COUNTED then
      redis.call('HDEL', key, saved[i])
    else
      if at > slot then
        redis.call('HDEL', key, saved[i])
        redis.call('HINCRBY', key, string.format('%.0f', slot), count)
        at = slot
      end
      total = total + count
      if oldest == nil or at < oldest then oldest = at end
    end
  end
  return total, slot, oldest
end
local function spend(key, length, slot, count)
  redis.call('HINCRBY', key, string.format('%.0f', slot), count)
  redis.call('EXPIRE', key, math.ceil(length * (COUNTED + 1)))
end
"""
# All buckets are looked at before any is touched: a call that waits for one takes from none.
TAKE = (
    SPENT
    + """
local wait, slots = 0, {}
for i, key in ipairs(KEYS) do
  local calls, length = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local total, slot, oldest = spent(key, length)
  slots[i] = slot
  if total >= calls then
    wait = math.max(wait, (oldest + COUNTED) * length - now, 0.001)
  end
end
if wait == 0 then
  for i, key in ipairs(KEYS) do spend(key, tonumber(ARGV[2 * i]), slots[i], 1) end
end
return string.format('%.6f', wait)
"""
)
LOWER = (
    SPENT
    + """
local calls, length, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local total, slot = spent(KEYS[1], length)
if calls - total > most then spend(KEYS[1], length, slot, calls - total - most) end
return 0
"""
)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """One rate limit as it is kept; `slot` is the length of one in seconds."""

    name: str
    key: str
    calls: int
    slot: float


def bucket_of(
    limit: RateLimit, *, package: Package, interface_id: int, rehearsal: bool = False
) -> Bucket:
    """The bucket of a limit: one per interface, or one for the whole app as the package says.

    A rehearsal calls a stand-in of its own, so that nothing it does counts for anybody else.
    """
    shared_by = f"rehearsal-{package.key}" if rehearsal else limit.bucket or package.key
    key = f"rate:{shared_by}:{limit.name}"
    if limit.scope is Scope.INTERFACE or rehearsal:
        key += f":{interface_id}"
    slot = limit.per.total_seconds() / SLOTS
    return Bucket(name=limit.name, key=key, calls=limit.calls, slot=slot)


class SharedLimiter:
    """The rate limits of one interface and its package."""

    def __init__(
        self,
        practice_id: int,
        interface_id: int,
        package: Package,
        patience: float,
        *,
        rehearsal: bool = False,
        before_call: Callable[[], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._buckets = [
            bucket_of(limit, package=package, interface_id=interface_id, rehearsal=rehearsal)
            for limit in package.limits.rates
        ]
        self._label = package.label
        self._patience = patience
        self._before_call = before_call
        self._sleep = sleep
        self._store: _Rows | _Redis = _Rows() if settings.EMBEDDED else _Redis()

    def acquire(self) -> None:
        """Take one call from every bucket, or from none and wait. Raises RetryLater."""
        if self._before_call:
            self._before_call()
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
        """Lower the buckets named to what the package says is left; never raise them.

        A count that cannot be reached is only logged: the answer it came with must not be lost.
        """
        try:
            for bucket in self._buckets:
                if bucket.name in remaining:
                    self._store.lower(bucket, max(0, remaining[bucket.name]))
        except (RetryLater, DatabaseError) as error:
            log.warning("calls left not noted package=%s error=%s", self._label, error)


class _Rows:
    """The buckets as database rows, for the embedded shape with its one process."""

    def take(self, buckets: Sequence[Bucket]) -> float:
        with transaction.atomic():
            now = time.time()
            rows = _locked(buckets, now)
            wait = max(_wait(one, rows[one.key].spent, now) for one in buckets)
            for one in buckets if wait == 0 else ():
                _spend(rows[one.key], _slot(one, now), 1)
            _write(rows.values())
        return wait

    def lower(self, bucket: Bucket, most: int) -> None:
        with transaction.atomic():
            now = time.time()
            row = _locked([bucket], now)[bucket.key]
            too_many = bucket.calls - sum(row.spent.values()) - most
            if too_many > 0:
                _spend(row, _slot(bucket, now), too_many)
            _write([row])


def _locked(buckets: Sequence[Bucket], now: float) -> dict[str, RateBucket]:
    """The rows, made where absent, locked in the order of their names, without what came back."""
    keys = [one.key for one in buckets]
    rows = RateBucket.objects.select_for_update().filter(name__in=keys).order_by("name")
    found = {row.name: row for row in rows}
    if len(found) < len(keys):
        absent = [RateBucket(name=key) for key in keys if key not in found]
        RateBucket.objects.bulk_create(absent, ignore_conflicts=True)
        found = {row.name: row for row in rows.all()}
    for one in buckets:
        row, slot = found[one.key], _slot(one, now)
        spent, row.spent = row.spent, {}
        for at, count in spent.items():
            if int(at) > slot - COUNTED:
                _spend(row, min(int(at), slot), count)
    return found


def _write(rows: Collection[RateBucket]) -> None:
    # With every call to a package, so without the query builder.
    cells = ", ".join(["(%s, %s)"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE interfaces_ratebucket SET spent = {_as_json('given.column2')}"  # noqa: S608
            f" FROM (VALUES {cells}) AS given WHERE name = given.column1",
            [value for row in rows for value in (row.name, json.dumps(row.spent))],
        )


def _as_json(value: str) -> str:
    return f"CAST({value} AS jsonb)" if connection.vendor == "postgresql" else value


def _slot(bucket: Bucket, now: float) -> int:
    return math.floor(now / bucket.slot)


def _spend(row: RateBucket, slot: int, count: int) -> None:
    row.spent[str(slot)] = row.spent.get(str(slot), 0) + count


def _wait(bucket: Bucket, spent: Mapping[str, int], now: float) -> float:
    """Seconds until a token is back; 0 when one is there."""
    if sum(spent.values()) < bucket.calls:
        return 0.0
    back = (min(int(at) for at in spent) + COUNTED) * bucket.slot
    return max(back - now, 0.001)


class _Redis:
    """The buckets in Redis, by its clock, each step one script and so indivisible."""

    def take(self, buckets: Sequence[Bucket]) -> float:
        numbers = [number for one in buckets for number in (one.calls, one.slot)]
        return float(self._run(TAKE, [one.key for one in buckets], numbers))

    def lower(self, bucket: Bucket, most: int) -> None:
        self._run(LOWER, [bucket.key], [bucket.calls, bucket.slot, most])

    def _run(self, script: str, keys: Sequence[str], numbers: Sequence[float]) -> bytes:
        try:
            script = script.replace("COUNTED", str(COUNTED))
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
