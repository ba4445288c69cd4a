"""What the History and Health tabs of an interface tell. Every function here needs a scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from interfaces import clock, lanes
from interfaces.lapsing import days_left
from interfaces.models import AccountingInterface, Lane
from invoicing.models import Exchange, Upload
from invoicing.uploads.states import DOCUMENTS, FAILED, MOVING, NOT_KNOWN, State
from offices.models import AuditEntry

MOST_CHANGES = 100


@dataclass(frozen=True, kw_only=True)
class Run:
    """One batch's part that went through the interface."""

    number: int
    made_at: datetime
    by: str
    sent: int
    failed: int
    moving: int
    other: int
    took: timedelta | None

    @property
    def documents(self) -> int:
        """How many in all."""
        return self.sent + self.failed + self.moving + self.other


def runs_of(interface: AccountingInterface) -> QuerySet[Upload, Any]:
    """A row for each batch that went through it, newest first; `told` puts rows into words."""
    return (
        Upload.objects.filter(interface=interface, kind__in=DOCUMENTS)
        .order_by()
        .values("batch__number", "batch__created_at", "batch__created_by__email")
        .annotate(
            all=Count("pk"),
            sent=Count("pk", filter=Q(state=State.SENT)),
            failed=Count("pk", filter=Q(state__in=FAILED) | NOT_KNOWN),
            moving=Count("pk", filter=Q(state__in=MOVING)),
            last=Max("sent_at"),
        )
        .order_by("-batch__number")
    )


def told(rows: Sequence[dict[str, Any]]) -> list[Run]:
    """The rows of `runs_of` as people read them."""
    return [
        Run(
            number=one["batch__number"],
            made_at=one["batch__created_at"],
            by=one["batch__created_by__email"] or "Abtrac",
            sent=one["sent"],
            failed=one["failed"],
            moving=one["moving"],
            other=one["all"] - one["sent"] - one["failed"] - one["moving"],
            took=_took(one["batch__created_at"], one["last"]),
        )
        for one in rows
    ]


def _took(made_at: datetime, last: datetime | None) -> timedelta | None:
    return max(last - made_at, timedelta(0)) if last else None


def changes_of(interface: AccountingInterface) -> list[AuditEntry]:
    """What people did to its settings, newest first.

    Entries that do not name it by its id are found by its name.
    """
    by_id = Q(detail__interface=interface.pk)
    by_name = Q(subject=interface.name, detail__interface__isnull=True)
    found = AuditEntry.objects.filter(by_id | by_name)
    return list(found.select_related("actor").order_by("-at", "-pk")[:MOST_CHANGES])


@dataclass(frozen=True, kw_only=True)
class Health:
    """How the interface fares."""

    last_call: datetime | None
    last_answer: datetime | None
    last_status: int
    waits_until: datetime | None
    hold_reason: str
    package_in_trouble: bool
    waiting: int
    failed: int
    oldest_waiting: datetime | None
    lapses_in_days: int | None


def health_of(interface: AccountingInterface) -> Health:
    """What is known of its standing, in four queries."""
    last = Exchange.objects.filter(interface=interface).order_by("-pk").defer("body", "answer")
    newest = last.first()
    answered = last.filter(answered_at__isnull=False).first()
    lane = Lane.objects.get(interface=interface)
    trouble = lanes.troubled_packages()
    counts = Upload.objects.filter(interface=interface).aggregate(
        waiting=Count("pk", filter=Q(state__in=MOVING)),
        failed=Count("pk", filter=Q(state__in=FAILED)),
        oldest=Min("created_at", filter=Q(state__in=MOVING)),
    )
    return Health(
        last_call=newest.started_at if newest else None,
        last_answer=answered.answered_at if answered else None,
        last_status=answered.status if answered else 0,
        waits_until=lanes.goes_on_at(lane, trouble, now=clock.now()),
        hold_reason=lane.hold_reason,
        package_in_trouble=lane.package_key in trouble,
        waiting=counts["waiting"],
        failed=counts["failed"],
        oldest_waiting=counts["oldest"],
        lapses_in_days=days_left(interface),
    )
