"""What keeps uploads from going: one entry for one cause, whatever batches it is in.

Kept in step with the uploads, in the transactions that move them. Causes are locked after the lane
and the uploads, and before the batches.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet

from interfaces import clock
from invoicing.models import Blocked, Cause, Upload
from invoicing.reasons import Reason, reasons_of

# Whoever closes a cause just as somebody joins it makes them look again.
_TRIES = 5


class _Place(NamedTuple):
    """What there is one open cause of."""

    interface_id: int
    code: str
    subject: str


def open_causes() -> QuerySet[Cause]:
    """Those that something still waits for. Needs a scope."""
    return Cause.objects.filter(closed_at__isnull=True)


def held_up(uploads: Sequence[Upload], *, instead_of: Collection[int] = ()) -> None:
    """These have failed: from now on exactly the causes they have failed for hold each of them up.

    One that waits for a contact or job that failed joins the causes of that one. What they were
    uploaded `instead_of` is let go; a cause that held that up and holds these stays the same one.
    """
    if not uploads:
        let_go_of(instead_of)
        return
    gone = _holding(instead_of)
    before = _holding([one.pk for one in uploads if one.has_causes])
    theirs = _holding([one.waits_for.pk for one in uploads if one.waits_for])
    joining = {
        one.pk: theirs[one.waits_for.pk]
        for one in uploads
        if one.waits_for and one.waits_for.pk in theirs
    }
    own = {
        one.pk: {
            _Place(one.interface_id, reason.code, reason.subject): reason
            for reason in reasons_of(one.waits_for or one)
        }
        for one in uploads
        if one.pk not in joining
    }
    kept = (*before.values(), *theirs.values(), *gone.values())
    known = {pk for held in kept for pk in held}
    opened = _opened(
        {place: one for places in own.values() for place, one in places.items()}, known
    )
    rows = [
        Blocked(cause_id=opened[place], upload_id=pk, line=reason.line, message=reason.told)
        for pk, places in own.items()
        for place, reason in places.items()
    ]
    rows += [
        Blocked(cause_id=cause_id, upload_id=one.pk, message=one.reason)
        for one in uploads
        for cause_id in joining.get(one.pk, ())
    ]
    Blocked.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["cause", "upload"],
        update_fields=["line", "message", "cleared_at"],
    )
    stays = {(one.upload_id, one.cause_id) for one in rows}
    _clear(
        {
            upload_id: {cause: pk for cause, pk in held.items() if (upload_id, cause) not in stays}
            for upload_id, held in {**gone, **before}.items()
        }
    )
    _mark(uploads, has_causes=True)
    if gone:
        Upload.objects.filter(pk__in=gone).update(has_causes=False)


def let_go(uploads: Sequence[Upload]) -> None:
    """Nothing holds these up any more: they are there, set aside, or uploaded anew."""
    marked = [one for one in uploads if one.has_causes]
    if not marked:
        return
    held = _holding([one.pk for one in marked])
    _lock(Q(pk__in={cause for causes in held.values() for cause in causes}))
    _clear(held)
    _mark(marked, has_causes=False)


def let_go_of(upload_ids: Collection[int]) -> None:
    """As `let_go`, by their ids."""
    if upload_ids:
        let_go(list(Upload.objects.filter(pk__in=upload_ids, has_causes=True).only("has_causes")))


def close_idle(interface_ids: Collection[int]) -> int:
    """Close causes there that nothing waits for, since their uploads were removed; how many."""
    idle = open_causes().filter(interface__in=interface_ids)
    pks = _lock(~Q(Exists(_waiting())), among=idle)
    return _close(pks)


def _waiting() -> QuerySet[Blocked]:
    return Blocked.objects.filter(cause=OuterRef("pk"), cleared_at__isnull=True)


def _holding(upload_ids: Collection[int]) -> dict[int, dict[int, int]]:
    """The causes that hold each upload up, by its id, each with the row that says so."""
    found: dict[int, dict[int, int]] = {}
    if upload_ids:
        held = Blocked.objects.filter(upload__in=upload_ids, cleared_at__isnull=True)
        for upload_id, cause_id, pk in held.values_list("upload_id", "cause_id", "pk"):
            found.setdefault(upload_id, {})[cause_id] = pk
    return found


def _opened(places: Mapping[_Place, Reason], known: Collection[int]) -> dict[_Place, int]:
    """The open causes of these places, made where there is none; locked, with those known."""
    open_of: dict[_Place, int] = {}
    for _ in range(_TRIES):
        missing = sorted(place for place in places if place not in open_of)
        if missing:
            now = clock.now()
            Cause.objects.bulk_create(
                [_new(place, places[place], now) for place in missing],
                # Another worker may be opening the very same one.
                ignore_conflicts=True,
            )
        alike = Q(
            interface__in={one.interface_id for one in missing},
            code__in={one.code for one in missing},
            subject__in={one.subject for one in missing},
        )
        locked = open_causes().filter(alike | Q(pk__in=known)).order_by("pk")
        locked = locked.select_for_update(no_key=True)
        for pk, interface_id, code, subject in locked.values_list(
            "pk", "interface_id", "code", "subject"
        ):
            open_of[_Place(interface_id, code, subject)] = pk
        if all(place in open_of for place in places):
            return open_of
    raise RuntimeError("A cause was closed as often as it was opened.")


def _new(place: _Place, reason: Reason, now: datetime) -> Cause:
    return Cause(
        interface_id=place.interface_id,
        code=place.code,
        subject=place.subject,
        field=reason.field,
        message=reason.message,
        next_step=reason.next_step,
        opened_at=now,
    )


def _lock(which: Q, *, among: QuerySet[Cause] | None = None) -> list[int]:
    causes = (open_causes() if among is None else among).filter(which).order_by("pk")
    return list(causes.select_for_update(no_key=True).values_list("pk", flat=True))


def _clear(held: Mapping[int, Mapping[int, int]]) -> None:
    """Clear these; their causes, which are locked, are closed where nothing waits for them."""
    rows = {pk for causes in held.values() for pk in causes.values()}
    if rows:
        Blocked.objects.filter(pk__in=rows).update(cleared_at=clock.now())
        _close({cause for causes in held.values() for cause in causes})


def _close(causes: Iterable[int]) -> int:
    pks = set(causes)
    if not pks:
        return 0
    idle = open_causes().filter(~Q(Exists(_waiting())), pk__in=pks)
    return idle.update(closed_at=clock.now())


def _mark(uploads: Iterable[Upload], *, has_causes: bool) -> None:
    changed = [one for one in uploads if one.has_causes != has_causes]
    if changed:
        Upload.objects.filter(pk__in=[one.pk for one in changed]).update(has_causes=has_causes)
    for one in changed:
        one.has_causes = has_causes
