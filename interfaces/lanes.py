"""The one writer of an interface, held as a lease with a fence, and the bell that wakes it.

The rows to be sent are the queue. A message to a worker is only a doorbell: losing, repeating or
delaying it changes nothing but how soon the lane is looked at.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from kombu.exceptions import OperationalError

from connectors.base.protocol import Package
from interfaces import clock
from interfaces.models import AccountingInterface, Lane

log = logging.getLogger("interfaces.lanes")

DRAIN = "invoicing.tasks.drain_lane"
LONGEST_OPEN = 1800
WINDOW = 20


class LostLane(Exception):
    """Another worker holds the lane: whatever this one still wanted to record is not recorded."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A lane this worker holds. `fence` grows with every holder; `probing` allows one document."""

    practice_id: int
    interface_id: int
    owner: str
    fence: int
    lease: timedelta
    probing: bool


def lease_of(package: Package) -> timedelta:
    """How long a claim lasts: longer than the package may take to answer."""
    wait = settings.PACKAGE_APPS.get(package.key, {}).get(
        "read_timeout", package.limits.read_timeout
    )
    return timedelta(
        seconds=max(
            settings.UPLOAD_LEASE_SECONDS, float(wait) + settings.UPLOAD_LEASE_MARGIN_SECONDS
        )
    )


def wake(interface_id: int) -> None:
    """Make the lane due now, and ring for it when the transaction commits."""
    lane = Lane.objects.get(interface_id=interface_id)
    Lane.objects.filter(pk=lane.pk).update(due=clock.now())
    transaction.on_commit(partial(ring, lane.practice_id, interface_id))


def ring(practice_id: int, interface_id: int) -> None:
    """Ask a worker to look at the lane. A dead broker is only logged: the sweeper rings again."""
    try:
        current_app.send_task(DRAIN, args=[practice_id, interface_id], retry=False)
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
    return Lane.objects.filter(free, due__lte=before).exclude(waits).count()


def take(*, practice_id: int, interface_id: int, package: Package, owner: str) -> Held | None:
    """Hold the lane, or None while somebody else does or the breaker or the package says wait."""
    moment = clock.now()
    lease = lease_of(package)
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=moment)
    ready = (Q(hold_until__isnull=True) | Q(hold_until__lte=moment)) & (
        Q(open_until__isnull=True) | Q(open_until__lte=moment)
    )
    with transaction.atomic():
        taken = Lane.objects.filter(free & ready, interface_id=interface_id).update(
            owner=owner, fence=F("fence") + 1, lease_until=moment + lease
        )
        if not taken:
            return None
        lane = Lane.objects.get(interface_id=interface_id)
    return Held(
        practice_id=practice_id,
        interface_id=interface_id,
        owner=owner,
        fence=lane.fence,
        lease=lease,
        probing=lane.open_seconds > 0,
    )


def keep(held: Held) -> datetime:
    """Lengthen the lease; the new end is answered. Raises LostLane when it is not ours any more."""
    until = clock.now() + held.lease
    if not _ours(held).update(lease_until=until):
        log.warning("lane lost interface=%s fence=%s", held.interface_id, held.fence)
        raise LostLane(f"Interface {held.interface_id} is held by another worker.")
    return until


def lock(held: Held) -> None:
    """Lock the lane's row until the transaction ends, so that nobody makes it due meanwhile."""
    list(_ours(held).select_for_update())


def release(held: Held, *, due: datetime | None) -> None:
    """Give the lane back, to be looked at again when due."""
    _ours(held).update(owner="", lease_until=None, due=due)


def hold(held: Held, *, until: datetime, reason: str) -> None:
    """The package asks not to be called before then."""
    _ours(held).update(hold_until=until, hold_reason=reason[:300])


def record_health(held: Held, *, healthy: bool) -> None:
    """Count one call. Five failures running, or half of the last twenty, open the breaker."""
    lane = Lane.objects.get(interface_id=held.interface_id)
    if healthy and lane.open_seconds:
        # The probe went through: start afresh.
        _ours(held).update(outcomes="o", open_seconds=0, open_until=None)
        return
    outcomes = (lane.outcomes + ("o" if healthy else "x"))[-WINDOW:]
    _ours(held).update(outcomes=outcomes)
    limit = settings.BREAKER_FAILURES
    broken = outcomes.endswith("x" * limit) or (
        len(outcomes) == WINDOW and outcomes.count("x") * 2 >= WINDOW
    )
    if not healthy and (broken or lane.open_seconds):
        _open(held, lane)


def _open(held: Held, lane: Lane) -> None:
    seconds = min(lane.open_seconds * 2 or settings.BREAKER_OPEN_SECONDS, LONGEST_OPEN)
    _ours(held).update(open_seconds=seconds, open_until=clock.now() + timedelta(seconds=seconds))
    log.warning("breaker open interface=%s seconds=%s", held.interface_id, seconds)


def waits_until(interface_id: int) -> datetime | None:
    """The time before which nothing is sent: the package's wish or the breaker's; None for now."""
    lane = Lane.objects.get(interface_id=interface_id)
    moments = [moment for moment in (lane.hold_until, lane.open_until) if moment]
    latest = max(moments, default=None)
    return latest if latest and latest > clock.now() else None


def make_for(interface: AccountingInterface) -> Lane:
    """The lane of a new interface."""
    return Lane.objects.create(interface=interface, practice_id=interface.practice_id)


def _ours(held: Held) -> QuerySet[Lane]:
    return Lane.objects.filter(interface_id=held.interface_id, owner=held.owner, fence=held.fence)
