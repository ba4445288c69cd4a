"""What support sees over all practices: their names, ids, kinds and times; nothing of a client."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.registry import label_of
from interfaces import clock
from interfaces.models import Lane, PackageBreaker
from invoicing import notices
from invoicing.models import Notice
from invoicing.words import advice_on
from offices import selectors as directory
from offices.models import Practice, User

MOST = 500
# It is looked at every minute; after so long nobody looks any more.
LOOKED_AT_LEAST_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """One thing older than its limit; `may_enter` where the practice has let this person in."""

    practice: Practice
    interface_id: int
    package: str
    kind: str
    # What support should do about it.
    advice: str
    uploads: int
    oldest_upload: int | None
    oldest_batch: int | None
    since: datetime
    last_contact: datetime | None
    open_until: datetime | None
    hold_until: datetime | None
    may_enter: bool


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package in trouble with many practices at once."""

    label: str
    since: datetime
    open_until: datetime


@dataclass(frozen=True, kw_only=True)
class Desk:
    """All of it: what is late, how much more there is, and whether anybody still looks."""

    rows: list[Overdue]
    count: int
    packages: list[Package]
    looked_at: datetime | None
    unwatched: bool


def desk_of(person: User) -> Desk:
    """What is older than its limit, by practice; those with the oldest first."""
    now = clock.now()
    standing = notices.open_notices()
    found = list(standing.select_related("practice")[:MOST])
    entered = {one.practice_id for one in directory.live_grants(person)}
    looked_at = notices.looked_at()
    return Desk(
        rows=_rows(found, entered, now),
        count=standing.count(),
        packages=[
            Package(label=label_of(one.package_key), since=one.since, open_until=one.open_until)
            for one in PackageBreaker.objects.order_by("since")
        ],
        looked_at=looked_at,
        unwatched=looked_at is None or looked_at < now - LOOKED_AT_LEAST_EVERY,
    )


def _rows(found: Iterable[Notice], entered: Collection[int], now: datetime) -> list[Overdue]:
    by_practice: dict[int, list[Notice]] = {}
    for one in found:
        by_practice.setdefault(one.practice_id, []).append(one)
    interfaces = {one.interface_id for rows in by_practice.values() for one in rows}
    lanes = {one.interface_id: one for one in Lane.objects.filter(interface__in=interfaces)}
    return [
        _row(one, lanes[one.interface_id], now, may_enter=one.practice_id in entered)
        for rows in by_practice.values()
        for one in rows
    ]


def _row(notice: Notice, lane: Lane, now: datetime, *, may_enter: bool) -> Overdue:
    return Overdue(
        practice=notice.practice,
        interface_id=notice.interface_id,
        package=label_of(lane.package_key),
        kind=notice.get_kind_display(),
        advice=advice_on(notice.kind, label_of(lane.package_key)),
        uploads=notice.uploads,
        oldest_upload=notice.oldest_upload,
        oldest_batch=notice.oldest_batch,
        since=notice.since,
        last_contact=notice.last_contact,
        open_until=lane.open_until if lane.open_until and lane.open_until > now else None,
        hold_until=lane.hold_until if lane.hold_until and lane.hold_until > now else None,
        may_enter=may_enter,
    )
