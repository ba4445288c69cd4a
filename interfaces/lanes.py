"""The one writer of an interface, held as a lease with a fence, and the bell that wakes it.

The rows to be sent are the queue. A message to a worker is only a doorbell: losing, repeating or
delaying it changes nothing but how soon the lane is looked at.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from kombu.exceptions import OperationalError

from connectors.base.protocol import Package
from interfaces import clock
from interfaces.models import AccountingInterface, Lane, PackageBreaker
from interfaces.package_apps import read_timeout

log = logging.getLogger("interfaces.lanes")

DRAIN = "invoicing.tasks.drain_lane"
LONGEST_OPEN = 1800
WINDOW = 20
# Of a rehearsal's lane, before its own number: a package that is nobody else's.
REHEARSAL = "rehearsal-"


class LostLane(Exception):
    """Another worker holds the lane: whatever this one still wanted to record is not recorded."""


@dataclass(kw_only=True)
class Health:
    """How the last calls went, `o` well and `x` not, as the lane's holder knows it."""

    outcomes: str = ""
    open_seconds: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


@dataclass(frozen=True, kw_only=True)
class Held:
    """A lane this worker holds. `fence` grows with every holder; `probing` allows one document.

    `probing_package`: the package is in trouble everywhere, and this is the one that tries it.
    """

    practice_id: int
    interface_id: int
    package_key: str
    owner: str
    fence: int
    lease: timedelta
    probing: bool
    probing_package: bool = False
    health: Health = field(default_factory=Health, compare=False)


def lease_of(package: Package) -> timedelta:
    """How long a claim lasts: longer than the package may take to answer."""
    wait = read_timeout(package) + settings.UPLOAD_LEASE_MARGIN_SECONDS
    return timedelta(seconds=max(settings.UPLOAD_LEASE_SECONDS, wait))


def wake(interface_id: int) -> None:
    """Make the lane due now, and ring for it when the transaction commits."""
    lane = Lane.objects.get(interface_id=interface_id)
    Lane.objects.filter(pk=lane.pk).update(due=clock.now())
    transaction.on_commit(partial(ring, lane.practice_id, interface_id))


def ring(practice_id: int, interface_id: int) -> None:
    """Ask a worker to look at the lane. A dead broker is only logged: the sweeper rings again.

    The bell carries the fence it was rung at. Ring only when what it is rung for is committed.
    """
    fence = Lane.objects.filter(interface_id=interface_id).values_list("fence", flat=True).first()
    try:
        current_app.send_task(DRAIN, args=[practice_id, interface_id, fence], retry=False)
    except (OperationalError, OSError) as error:
        log.warning("doorbell failed interface=%s error=%s", interface_id, type(error).__name__)


def due_lanes(*, limit: int = 500) -> list[tuple[int, int]]:
    """(practice, interface) of lanes that are due or whose holder is gone, longest due first."""
    moment = clock.now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=moment)
    wanted = Q(due__lte=moment) | Q(lease_until__lte=moment)
    lanes = Lane.objects.filter(free & wanted).order_by(F("due").asc(nulls_first=True))
    return list(lanes.values_list("practice_id", "interface_id")[:limit])


def neglected(*, before: datetime) -> int:
    """How many lanes have been due since before then, held by nobody and asked by none to wait."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=before)
    waits = Q(hold_until__gt=before) | Q(open_until__gt=before)
    in_trouble = PackageBreaker.objects.filter(open_until__gt=before).values("package_key")
    waits |= Q(package_key__in=in_trouble)
    return Lane.objects.filter(free, due__lte=before).exclude(waits).count()


def take(
    *,
    practice_id: int,
    interface_id: int,
    package: Package,
    owner: str,
    rung_at: int | None = None,
) -> Held | None:
    """Hold the lane, or None while somebody else does or a breaker or the package says wait.

    Nor is it taken for a bell that was rung before the last turn began: that turn saw all that the
    bell was rung for, and rang again, behind the others, for whatever it left.
    """
    moment = clock.now()
    lease = lease_of(package)
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=moment)
    ready = (Q(hold_until__isnull=True) | Q(hold_until__lte=moment)) & (
        Q(open_until__isnull=True) | Q(open_until__lte=moment)
    )
    if rung_at is not None:
        ready &= Q(fence__lte=rung_at)
    # By its lane: a rehearsal has nothing to do with the package's own trouble.
    known_as = Lane.objects.filter(interface_id=interface_id).values("package_key")[:1]
    trouble = PackageBreaker.objects.filter(package_key=known_as)
    with transaction.atomic():
        known = trouble.first()
        if known and known.open_until > moment:
            return None
        taken = Lane.objects.filter(free & ready, interface_id=interface_id).update(
            owner=owner, fence=F("fence") + 1, lease_until=moment + lease
        )
        if not taken:
            return None
        lane = Lane.objects.get(interface_id=interface_id)
        # The first that comes after the wait tries the package, for all, until it is heard of.
        tries = trouble.filter(open_until__lte=moment).update(open_until=moment + lease)
        if known and not tries:
            Lane.objects.filter(pk=lane.pk).update(owner="", lease_until=None)
            return None
    return Held(
        practice_id=practice_id,
        interface_id=interface_id,
        package_key=lane.package_key,
        owner=owner,
        fence=lane.fence,
        lease=lease,
        probing=lane.open_seconds > 0 or bool(tries),
        probing_package=bool(tries),
        health=Health(outcomes=lane.outcomes, open_seconds=lane.open_seconds),
    )


def keep(held: Held) -> datetime:
    """Lengthen the lease; the new end is answered. Raises LostLane when it is not ours any more."""
    until = clock.now() + held.lease
    # Several times for each call to a package, so without the query builder.
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE interfaces_lane SET lease_until = %s"
            " WHERE interface_id = %s AND owner = %s AND fence = %s",
            [
                connection.ops.adapt_datetimefield_value(until),
                *(held.interface_id, held.owner, held.fence),
            ],
        )
        kept = cursor.rowcount
    if not kept:
        log.warning("lane lost interface=%s fence=%s", held.interface_id, held.fence)
        raise LostLane(f"Interface {held.interface_id} is held by another worker.")
    return until


def take_away(interface_id: int) -> None:
    """Whoever holds the lane has lost it: what they still wanted to record is not recorded."""
    Lane.objects.filter(interface_id=interface_id).update(
        owner="", fence=F("fence") + 1, lease_until=None, due=None
    )


def lock(held: Held) -> None:
    """Lock the lane's row until the transaction ends, so that nobody makes it due meanwhile."""
    list(_ours(held).select_for_update())


def release(held: Held, *, due: datetime | None) -> None:
    """Give the lane back, to be looked at again when due."""
    _ours(held).update(owner="", lease_until=None, due=due, outcomes=held.health.outcomes)


def hold(held: Held, *, until: datetime, reason: str) -> None:
    """The package asks not to be called before then."""
    _ours(held).update(hold_until=until, hold_reason=reason[:300])


def record_health(held: Held, *, healthy: bool) -> None:
    """Count one call. Five failures running, or half of the last twenty, open the breaker.

    While all goes well nothing is written: the holder knows, and the next one learns of it.
    """
    health = held.health
    with health.lock:
        is_news = not healthy or health.open_seconds or held.probing_package
        before, health.outcomes = health.outcomes, (health.outcomes + "ox"[not healthy])[-WINDOW:]
        if is_news or "x" in before:
            with transaction.atomic():
                _write_health(held, healthy=healthy)


def _write_health(held: Held, *, healthy: bool) -> None:
    health = held.health
    if healthy and health.open_seconds:
        # The probe went through: start afresh.
        health.outcomes, health.open_seconds = "o", 0
        _ours(held).update(outcomes="o", open_seconds=0, open_until=None)
    else:
        _ours(held).update(outcomes=health.outcomes)
    if healthy:
        _close_package(held)
    elif health.open_seconds or held.probing_package or _is_broken(health.outcomes):
        _open(held)


def _is_broken(outcomes: str) -> bool:
    return outcomes.endswith("x" * settings.BREAKER_FAILURES) or (
        len(outcomes) == WINDOW and outcomes.count("x") * 2 >= WINDOW
    )


def _open(held: Held) -> None:
    health, moment = held.health, clock.now()
    health.open_seconds = _longer(health.open_seconds)
    wait = timedelta(seconds=health.open_seconds)
    if not _ours(held).update(open_seconds=health.open_seconds, open_until=moment + wait):
        return
    log.warning(
        "breaker open interface=%s seconds=%s", held.interface_id, int(wait.total_seconds())
    )
    _open_package(held.package_key, moment)


def _longer(seconds: int) -> int:
    return min(seconds * 2 or settings.BREAKER_OPEN_SECONDS, LONGEST_OPEN)


def _open_package(package_key: str, moment: datetime) -> None:
    """Open the package's breaker when several interfaces, and half of those in use, are open."""
    lanes = Lane.objects.filter(package_key=package_key)
    is_open = Q(open_until__gt=moment)
    count = lanes.filter(is_open).count()
    if count < settings.PACKAGE_BREAKER_INTERFACES:
        return
    # Idle ones say nothing: nobody has called them.
    in_use = lanes.filter(is_open | Q(due__isnull=False) | Q(lease_until__isnull=False)).count()
    if count * 2 < in_use:
        return
    known = PackageBreaker.objects.select_for_update().filter(package_key=package_key).first()
    seconds = _longer(known.open_seconds if known else 0)
    PackageBreaker.objects.update_or_create(
        package_key=package_key,
        defaults={
            "open_seconds": seconds,
            "open_until": moment + timedelta(seconds=seconds),
        },
    )
    log.warning("breaker open package=%s interfaces=%s seconds=%s", package_key, count, seconds)


def _close_package(held: Held) -> None:
    """The package answers again: every lane of it may try, each with one document at first."""
    closed, _ = PackageBreaker.objects.filter(package_key=held.package_key).delete()
    if not closed:
        return
    log.warning("breaker closed package=%s", held.package_key)
    now = clock.now()
    waiting = Lane.objects.filter(package_key=held.package_key, open_until__gt=now)
    waiting.exclude(interface_id=held.interface_id).update(open_until=now)
    Lane.objects.filter(package_key=held.package_key, due__gt=now, open_until=now).update(due=now)


def troubled_packages() -> dict[str, datetime]:
    """The packages in trouble with many practices at once, by key: when each is tried again."""
    return dict(PackageBreaker.objects.values_list("package_key", "open_until"))


def waits_until(interface_id: int) -> datetime | None:
    """The time before which nothing is sent: the package's wish or the breaker's; None for now."""
    lane = Lane.objects.get(interface_id=interface_id)
    return goes_on_at(lane, troubled_packages(), now=clock.now())


def goes_on_at(lane: Lane, in_trouble: Mapping[str, datetime], *, now: datetime) -> datetime | None:
    """`waits_until` of a lane in hand; `in_trouble` is what `troubled_packages` answers."""
    moments = [lane.hold_until, lane.open_until, in_trouble.get(lane.package_key)]
    latest = max((moment for moment in moments if moment), default=None)
    return latest if latest and latest > now else None


def make_for(interface: AccountingInterface) -> Lane:
    """The lane of a new interface."""
    is_rehearsal = interface.is_rehearsal
    return Lane.objects.create(
        interface=interface,
        practice_id=interface.practice_id,
        package_key=f"{REHEARSAL}{interface.pk}" if is_rehearsal else interface.package_key,
    )


def _ours(held: Held) -> QuerySet[Lane]:
    return Lane.objects.filter(interface_id=held.interface_id, owner=held.owner, fence=held.fence)
