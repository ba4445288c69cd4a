"""Tells people of what is late: a notice is raised once, kept up to date, and cleared by itself."""

import logging
from collections.abc import Iterable
from datetime import datetime

from django.core.cache import cache
from django.db.models import Exists, OuterRef, Q, QuerySet

from interfaces import clock
from interfaces.models import AccountingInterface, Lane
from invoicing import lateness
from invoicing.lateness import Late
from invoicing.models import Notice
from invoicing.uploads import forgotten
from offices.tenancy import acting_for

log = logging.getLogger("invoicing.notices")

_LOOKED_AT = "notices-looked-at"


def watch(*, everywhere: bool = False) -> None:
    """Raise and clear the notices of interfaces that are at work or have one; of all, everywhere.

    Not for use inside `acting_for`. One practice that cannot be looked at does not hide the others.
    """
    for practice_id, interface_ids in _by_practice(everywhere=everywhere).items():
        try:
            with acting_for(practice_id):
                raised = _look_at(practice_id, interface_ids, thoroughly=everywhere)
        except Exception:
            log.exception("notices not looked at practice=%s", practice_id)
            continue
        for one in raised:
            log.error(
                "notice raised kind=%s practice=%s interface=%s uploads=%s since=%s",
                *(one.kind, practice_id, one.interface_id, one.uploads),
                one.since.isoformat(timespec="seconds"),
            )
    cache.set(_LOOKED_AT, clock.now(), None)


def looked_at() -> datetime | None:
    """When `watch` last came to its end; None where that is not known."""
    moment: datetime | None = cache.get(_LOOKED_AT)
    return moment


def open_notices() -> QuerySet[Notice]:
    """All that stand, the longest first."""
    return Notice.objects.filter(cleared_at__isnull=True).order_by("since", "pk")


def _by_practice(*, everywhere: bool) -> dict[int, list[int]]:
    lanes = Lane.objects.order_by("practice_id", "interface_id")
    if not everywhere:
        at_work = Q(due__isnull=False) | Q(lease_until__isnull=False)
        told = Exists(open_notices().filter(interface=OuterRef("interface")))
        lanes = lanes.filter(at_work | Q(told))
    found: dict[int, list[int]] = {}
    for practice_id, interface_id in lanes.values_list("practice_id", "interface_id"):
        found.setdefault(practice_id, []).append(interface_id)
    return found


def _look_at(practice_id: int, interface_ids: list[int], *, thoroughly: bool) -> list[Notice]:
    """Keep the notices of these interfaces as they should be; those raised are answered."""
    forgotten.put_right(interface_ids, thoroughly=thoroughly)
    rows = AccountingInterface.objects.filter(pk__in=interface_ids).select_related("lane")
    interfaces = {one.pk: one for one in rows}
    late = {(one.interface_id, one.kind): one for one in lateness.late_at(interfaces.values())}
    standing = {
        (one.interface_id, Notice.Kind(one.kind)): one
        for one in open_notices().filter(interface__in=interface_ids)
    }
    _clear([one for key, one in standing.items() if key not in late])
    raised = []
    for key, one in late.items():
        contact = lateness.last_contact(interfaces[one.interface_id])
        if key in standing:
            _bring_up_to_date(standing[key], one, contact)
            continue
        # Another worker may look at the same moment: of the two one raises it.
        notice, is_new = Notice.objects.get_or_create(
            interface_id=one.interface_id,
            kind=one.kind,
            cleared_at=None,
            defaults={
                "practice_id": practice_id,
                "since": one.since,
                "uploads": one.uploads,
                "oldest_upload": one.oldest_upload,
                "oldest_batch": one.oldest_batch,
                "last_contact": contact,
                "raised_at": clock.now(),
            },
        )
        if is_new:
            raised.append(notice)
    return raised


def _bring_up_to_date(notice: Notice, late: Late, contact: datetime | None) -> None:
    now = {
        "since": late.since,
        "uploads": late.uploads,
        "oldest_upload": late.oldest_upload,
        "oldest_batch": late.oldest_batch,
        "last_contact": contact,
    }
    if any(getattr(notice, name) != value for name, value in now.items()):
        Notice.objects.filter(pk=notice.pk).update(**now)


def _clear(notices: Iterable[Notice]) -> None:
    for one in notices:
        Notice.objects.filter(pk=one.pk).update(cleared_at=clock.now())
        log.info(
            "notice cleared kind=%s practice=%s interface=%s",
            *(one.kind, one.practice_id, one.interface_id),
        )
