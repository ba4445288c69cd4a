"""What lasts longer than it may: for every state of an upload, and for codes and payments.

`KINDS` names what can be late in each state, so none can be added in which an upload could be
forgotten. Everything here reads; every function but `limit_of` needs a scope.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, DateTimeField, Exists, F, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from connectors.base.protocol import ReadsCodes, ReadsPayments
from interfaces import clock, lanes
from interfaces.models import AccountingInterface, Lane
from invoicing import selectors
from invoicing.models import Exchange, Invoice, Notice, Upload, UploadEvent
from invoicing.uploads import waiting
from invoicing.uploads.states import DOCUMENTS, FAILED, MOVING, State

Kind = Notice.Kind

KINDS: Mapping[str, frozenset[Kind]] = {
    State.QUEUED: frozenset({Kind.NOT_TAKEN, Kind.WAITING, Kind.NO_CONSENT}),
    State.CLAIMED: frozenset({Kind.HELD, Kind.WAITING, Kind.NO_CONSENT}),
    State.SENDING: frozenset({Kind.HELD, Kind.WAITING, Kind.NO_CONSENT}),
    State.UNKNOWN: frozenset({Kind.NOT_TAKEN, Kind.CHECKING, Kind.WAITING, Kind.NO_CONSENT}),
    State.REFUSED: frozenset({Kind.UNTOUCHED}),
    State.NEEDS_PERSON: frozenset({Kind.GIVEN_UP, Kind.UNTOUCHED}),
    # Over: nothing more is to happen, however long it stays.
    State.SENT: frozenset(),
    State.PARKED: frozenset(),
    State.CANCELLED: frozenset(),
    State.VOIDED: frozenset(),
}
# From these a person, or a new consent, leads out: the machine's time counts anew afterwards.
STARTS = ("", *FAILED)


@dataclass(frozen=True, kw_only=True)
class Late:
    """One kind of lateness at one interface: since when the oldest, and how many uploads.

    Counted with them are documents that wait for a contact or job that is late. The oldest one is
    named by its id and the number of its batch.
    """

    interface_id: int
    kind: Kind
    since: datetime
    uploads: int = 0
    oldest_upload: int | None = None
    oldest_batch: int | None = None


def limit_of(kind: Kind) -> timedelta:
    """How long it may last."""
    looked_up = sum(settings.UPLOAD_LOOKUP_SECONDS)
    return timedelta(
        seconds={
            Kind.NOT_TAKEN: settings.NOTICE_NOT_TAKEN_SECONDS,
            Kind.HELD: settings.NOTICE_HELD_SECONDS,
            Kind.CHECKING: looked_up + settings.NOTICE_CHECKING_SECONDS,
            # The machine has waited already before it gave up.
            Kind.GIVEN_UP: 0,
            Kind.WAITING: settings.NOTICE_WAITING_SECONDS,
            Kind.NO_CONSENT: settings.NOTICE_CONSENT_SECONDS,
            Kind.UNTOUCHED: settings.NOTICE_UNTOUCHED_SECONDS,
            Kind.PAYMENTS: settings.NOTICE_PAYMENTS_SECONDS,
            Kind.CODES: settings.NOTICE_CODES_SECONDS,
        }[kind]
    )


def late_at(interfaces: Iterable[AccountingInterface]) -> list[Late]:
    """All that is late at these interfaces now; they come with their lanes.

    In a rehearsal nothing is: nobody waits for it.
    """
    rows = [one for one in interfaces if not one.is_rehearsal]
    connected = [one for one in rows if one.is_connected]
    apart = [one for one in rows if not one.is_connected]
    now = clock.now()
    return [
        *_at(rows, Kind.HELD, _held(now)),
        *_at(rows, Kind.CHECKING, _checking(now)),
        *_at(rows, Kind.GIVEN_UP, _given_up()),
        *_at(rows, Kind.UNTOUCHED, _untouched(now)),
        *_at(connected, Kind.WAITING, _waiting(now)),
        *_behind_a_sign_in(apart, now),
        *(late for one in connected for late in _not_taken(one, now)),
        *(late for one in connected for late in _not_read(one, now)),
    ]


def last_contact(interface: AccountingInterface) -> datetime | None:
    """When the package last answered us, as far as is kept."""
    answered = Exchange.objects.filter(interface=interface, status__gt=0).order_by("-id")
    moments = [
        answered.values_list("answered_at", flat=True).first(),
        interface.codes_read_at,
        interface.payments_read_at,
    ]
    return max((one for one in moments if one is not None), default=None)


def _at(
    interfaces: Iterable[AccountingInterface], kind: Kind, uploads: QuerySet[Upload]
) -> list[Late]:
    """Grouped by interface; each upload carries the `late_since` it is late since."""
    found = (
        uploads.filter(interface__in=list(interfaces))
        .order_by()
        .values("interface")
        .annotate(
            first=Min("late_since"),
            uploads=Count("pk"),
            steps=Count("pk", filter=Q(kind__in=waiting.STEPS, state__in=MOVING)),
        )
    )
    return [_late(one, kind, uploads.filter(interface=one["interface"])) for one in found]


def _late(counted: Mapping[str, Any], kind: Kind, uploads: QuerySet[Upload]) -> Late:
    oldest = uploads.order_by(F("late_since"), "pk").values_list("pk", "batch__number").first()
    upload, batch = oldest or (None, None)
    behind = 0
    if counted["steps"]:
        steps = uploads.filter(kind__in=waiting.STEPS, state__in=MOVING)
        documents = Upload.objects.filter(
            waiting.named_by(steps),
            interface=counted["interface"],
            state=State.QUEUED,
            kind__in=DOCUMENTS,
        )
        behind = documents.exclude(pk__in=uploads.values("pk")).count()
    return Late(
        interface_id=counted["interface"],
        kind=kind,
        since=counted["first"],
        uploads=counted["uploads"] + behind,
        oldest_upload=upload,
        oldest_batch=batch,
    )


def _in_states_of(kind: Kind) -> QuerySet[Upload]:
    states = (("state", state) for state in KINDS if kind in KINDS[state])
    # One by one, so that each is found by the index of its own: most uploads have long been sent.
    return Upload.objects.filter(Q(*states, _connector=Q.OR))


def _waiting(now: datetime) -> QuerySet[Upload]:
    """Not through for too long; one that is looked up only where that has led it round before."""
    round_again = UploadEvent.objects.filter(
        upload=OuterRef("pk"),
        before=State.UNKNOWN,
        after__in=[State.QUEUED, State.SENDING],
        at__gte=OuterRef("late_since"),
    )
    under_way = _under_way(Kind.WAITING, now)
    return under_way.filter(~Q(state=State.UNKNOWN) | Q(Exists(round_again)))


def _under_way(kind: Kind, now: datetime) -> QuerySet[Upload]:
    """On their way for too long, whatever tries and look-ups there have been meanwhile."""
    before = now - limit_of(kind)
    started = _moment(Q(before__in=STARTS, after__in=MOVING))
    return (
        # None is on its way for longer than it exists: the few left are asked more.
        _in_states_of(kind)
        .filter(created_at__lte=before)
        .annotate(late_since=Coalesce(started, "created_at"))
        .filter(late_since__lte=before)
    )


def _held(now: datetime) -> QuerySet[Upload]:
    ended = _in_states_of(Kind.HELD).annotate(late_since=Coalesce("lease_until", "created_at"))
    return ended.filter(late_since__lte=now - limit_of(Kind.HELD))


def _checking(now: datetime) -> QuerySet[Upload]:
    """Unknown for too long, also where the same call was repeated meanwhile."""
    events = UploadEvent.objects
    known = Q(before__in=STARTS) | Q(before=State.UNKNOWN, after=State.QUEUED)
    last_known = events.filter(known, upload=OuterRef("upload")).order_by("-pk").values("pk")[:1]
    entered = events.filter(
        upload=OuterRef("pk"), after=State.UNKNOWN, pk__gte=Subquery(last_known)
    ).order_by("pk")
    since = Subquery(entered.values("at")[:1], output_field=DateTimeField())
    checked = _in_states_of(Kind.CHECKING).annotate(
        late_since=Coalesce(since, "unknown_since", "created_at")
    )
    return checked.filter(late_since__lte=now - limit_of(Kind.CHECKING))


def _given_up() -> QuerySet[Upload]:
    """Those the machine has stopped trying, or looking for, because its time was up."""
    tried = Q(code="", unknown_since__isnull=True, waiting_since__isnull=False)
    looked = Q(code="", lookups__gte=len(settings.UPLOAD_LOOKUP_SECONDS))
    given_up = _in_states_of(Kind.GIVEN_UP).filter(tried | looked)
    return given_up.annotate(late_since=Coalesce("unknown_since", "waiting_since", "created_at"))


def _untouched(now: datetime) -> QuerySet[Upload]:
    """Failed ones in whose history nothing has happened, and that nothing has replaced."""
    before = now - limit_of(Kind.UNTOUCHED)
    # Its invoice is being corrected.
    taken_back = Q(state=State.REFUSED, kind__in=DOCUMENTS) & ~Q(
        invoice__status=Invoice.Status.COMMITTED
    )
    return (
        _in_states_of(Kind.UNTOUCHED)
        .filter(created_at__lte=before)
        .annotate(late_since=Coalesce(_moment(Q()), "created_at"))
        .filter(late_since__lte=before)
        .filter(~selectors.went_on(), ~taken_back)
    )


def _moment(which: Q) -> Subquery:
    """When the upload's newest move of that sort was made."""
    # By the index of an upload's own history, which a maximum would not be found by.
    moves = UploadEvent.objects.filter(which, upload=OuterRef("pk")).order_by("-pk")
    return Subquery(moves.values("at")[:1], output_field=DateTimeField())


def _behind_a_sign_in(interfaces: list[AccountingInterface], now: datetime) -> list[Late]:
    """What waits for somebody to connect: as long as both have lasted."""
    before = now - limit_of(Kind.NO_CONSENT)
    lost = {one.pk: one.state_changed_at for one in interfaces if one.state_changed_at <= before}
    ready = [one for one in interfaces if one.pk in lost]
    return [
        replace(late, since=max(late.since, lost[late.interface_id]))
        for late in _at(ready, Kind.NO_CONSENT, _under_way(Kind.NO_CONSENT, now))
    ]


def _not_taken(interface: AccountingInterface, now: datetime) -> list[Late]:
    """Due, nothing says wait, and yet nobody has called the package for it."""
    before = now - limit_of(Kind.NOT_TAKEN)
    if _is_served(interface.lane, before) or _called_since(interface, before):
        return []
    due: list[QuerySet[Upload]] = [
        waiting.ready(interface.pk),
        Upload.objects.filter(interface=interface, state=State.UNKNOWN),
    ]
    late = [
        one
        for queue in due
        for one in _at(
            [interface],
            Kind.NOT_TAKEN,
            queue.filter(due__lte=before).annotate(late_since=F("due")),
        )
    ]
    if not late:
        return []
    first = min(late, key=lambda one: one.since)
    return [replace(first, uploads=sum(one.uploads for one in late))]


def _is_served(lane: Lane, before: datetime) -> bool:
    """Whether somebody holds the lane, or it was to wait until after that moment."""
    if lane.lease_until and lane.lease_until > before:
        return True
    until = lanes.waits_until(lane.interface_id)
    moments = (lane.hold_until, lane.open_until, until)
    return any(one is not None and one > before for one in moments)


def _called_since(interface: AccountingInterface, before: datetime) -> bool:
    calls = Exchange.objects.filter(interface=interface).order_by("-id")
    newest = calls.values_list("started_at", flat=True).first()
    return newest is not None and newest > before


def _not_read(interface: AccountingInterface, now: datetime) -> list[Late]:
    """Codes and payments that should have been read again by now."""
    read: list[tuple[Kind, type, datetime | None]] = [
        (Kind.CODES, ReadsCodes, interface.codes_read_at),
        (Kind.PAYMENTS, ReadsPayments, interface.payments_read_at),
    ]
    return [
        Late(interface_id=interface.pk, kind=kind, since=since)
        for kind, capability, read_at in read
        # Whatever was read before, nothing could be while it was not connected.
        if interface.package.can(capability)
        and (since := max(read_at or interface.state_changed_at, interface.state_changed_at))
        <= now - limit_of(kind)
    ]
