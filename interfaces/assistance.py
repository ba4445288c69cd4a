"""Set-ups that Abtrac's support does for a practice: from asking to the practice's confirmation.

A practice asks, answers, and gives leave to work in it until a stated day. Whoever of support takes
the request on works under that leave and does what an admin would do; only the practice's own
admin confirms. Every function here writes its entry in the practice's record. What is not allowed
raises ValidationError with a sentence for the person who asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from connectors import registry
from connectors.base.protocol import Package
from interfaces import charges, copying, preferences
from interfaces.models import AccountingInterface, SetUpAnswers, SetUpRequest
from interfaces.registration import create_interface
from interfaces.set_up_questions import (
    COMPANY_FILE,
    LISTS,
    lists_missing,
    settings_among,
    unanswered,
)
from offices.audit import record
from offices.models import AuditEntry, Practice, SupportGrant, User
from offices.people import end_grant, grant_support, require_admin
from offices.selectors import live_grants, live_now
from offices.tenancy import acting_for

State = SetUpRequest.State
# Neither confirmed nor withdrawn: there is something to do, for support or for the practice.
OPEN = (State.ASKED, State.WORKING, State.HANDED_OVER)
OVER = (State.CONFIRMED, State.WITHDRAWN)
# How long support may be let in, in days.
LEAVE_DAYS = (7, 14, 30)
MOST_IN_QUEUE = 200


# --- The practice --------------------------------------------------------------------------------


@transaction.atomic
def ask(
    *,
    practice: Practice,
    package: Package,
    name: str,
    answers: Mapping[str, Any],
    days: int,
    actor: User,
    copy_from: AccountingInterface | None = None,
    address: str | None = None,
) -> SetUpRequest:
    """Ask for a set-up: the interface, its answers and the leave. Needs a scope.

    The settings of another interface to the same package can be taken over. A name the practice
    already uses raises IntegrityError.
    """
    require_admin(practice, actor, "ask our team to set a link up")
    interface = create_interface(package_key=package.key, name=name)
    request = SetUpRequest.objects.create(
        practice=practice,
        interface=interface,
        package_key=package.key,
        asked_by=actor,
        access_until=_leave(days),
        # Another price book changes nothing here; only a quote does, and that is shown.
        quoted_fee=charges.quote_for(package.key),
    )
    SetUpAnswers.objects.create(interface=interface)
    if copy_from is not None:
        copying.copy_settings(source=copy_from, target=interface)
    _keep_answers(interface, answers)
    record(
        actor=actor,
        action="set_up.asked",
        subject=interface.name,
        detail={
            "interface": interface.pk,
            "package": package.key,
            "access_until": request.access_until.isoformat(),
            "fee": _text(request.quoted_fee),
            "copied_from": copy_from.name if copy_from else "",
            "answers": dict(answers),
        },
        address=address,
    )
    return request


@transaction.atomic
def answer(
    *,
    interface: AccountingInterface,
    answers: Mapping[str, Any],
    actor: User,
    as_support: bool = False,
    address: str | None = None,
) -> None:
    """Keep the answers, and those that are settings as settings too. Needs a scope."""
    _held(interface, *OPEN, State.WITHDRAWN)
    before = _keep_answers(interface, answers)
    changed = [key for key, value in answers.items() if before.get(key) != value]
    if not changed:
        return
    record(
        actor=actor,
        action="set_up.answered",
        subject=interface.name,
        detail={
            "interface": interface.pk,
            "before": {key: before.get(key) for key in changed},
            "after": {key: answers[key] for key in changed},
        },
        as_support=as_support,
        address=address,
    )


@transaction.atomic
def give_leave(
    *,
    interface: AccountingInterface,
    days: int,
    actor: User,
    address: str | None = None,
) -> SetUpRequest:
    """Let support work in the practice for so many days from now. Needs a scope.

    Whoever has taken the request on goes on under the new leave; access that would outlast it ends.
    A request that was withdrawn is asked for again by this, at the price of today.
    """
    request = _held(interface, *OPEN, State.WITHDRAWN)
    require_admin(request.practice, actor, "let support in")
    before = request.access_until
    if request.state == State.WITHDRAWN:
        request.state = State.ASKED
        request.asked_at = timezone.now()
        request.taken_by = request.taken_at = None
        request.quoted_fee = charges.quote_for(request.package_key)
    request.access_until = _leave(days)
    # The leave is theirs now: it holds as long as they are an admin.
    request.asked_by = actor
    request.changed_at = timezone.now()
    request.save()
    record(
        actor=actor,
        action="set_up.leave_given",
        subject=interface.name,
        detail={
            "interface": interface.pk,
            "before": before.isoformat(),
            "after": request.access_until.isoformat(),
        },
        address=address,
    )
    outlasting = _given_under(request).filter(ends_at__gt=request.access_until)
    _end_access(outlasting, actor=actor, address=address)
    if request.taken_by and request.taken_by.is_active and request.taken_by.is_support:
        _let_in(request, request.taken_by, address=address)
    return request


@transaction.atomic
def withdraw(
    *, interface: AccountingInterface, actor: User, address: str | None = None
) -> SetUpRequest:
    """Take the request back, and with it every access given under it. Needs a scope."""
    request = _held(interface, *OPEN)
    require_admin(request.practice, actor, "withdraw this")
    before = request.state
    _move(request, State.WITHDRAWN)
    _end_access(_given_under(request), actor=actor, address=address)
    record(
        actor=actor,
        action="set_up.withdrawn",
        subject=interface.name,
        detail={"interface": interface.pk, "before": before, "after": request.state},
        address=address,
    )
    return request


# --- Abtrac's support ----------------------------------------------------------------------------


@transaction.atomic
def take_on(*, request_id: int, user: User, address: str | None = None) -> SetUpRequest:
    """Let the support person in under the leave of the request, and put the work in their hands."""
    request = _locked(request_id)
    _must_be(request, *OPEN)
    if request.quoted_fee is None:
        raise ValidationError("Quote the fee first: the practice is told before any work begins.")
    if request.access_until <= timezone.now():
        raise ValidationError(
            f"The leave of {request.practice} ended. Ask {request.asked_by} to give it again."
        )
    before = request.taken_by
    # The practice gave this leave earlier, from elsewhere: the address is of the entry below alone.
    grant = _let_in(request, user, address=None)
    request.taken_by, request.taken_at = user, timezone.now()
    _move(request, State.WORKING if request.state == State.ASKED else State(request.state))
    with acting_for(request.practice_id):
        record(
            actor=user,
            action="set_up.taken_on",
            subject=request.interface.name,
            detail={
                "interface": request.interface_id,
                "grant": grant.pk,
                "until": grant.ends_at.isoformat(),
                "under_leave_of": str(request.asked_by),
                "before": str(before or ""),
                "after": str(user),
            },
            as_support=True,
            address=address,
        )
    return request


@transaction.atomic
def quote(*, request_id: int, fee: Decimal, user: User, address: str | None = None) -> SetUpRequest:
    """Tell the practice what the set-up costs. Once the work has begun it is only lowered.

    What it read before stays on its pages beside it, and it is the last fee that it confirms.
    """
    request = _locked(request_id)
    _must_be(request, State.ASKED, State.WORKING)
    before = request.quoted_fee
    if request.state == State.WORKING and before is not None and fee > before:
        raise ValidationError(f"The work has begun at ${before:.2f}: the fee can only be lowered.")
    request.quoted_fee, request.changed_at = fee, timezone.now()
    request.save(update_fields=["quoted_fee", "changed_at"])
    with acting_for(request.practice_id):
        record(
            actor=user,
            action="set_up.quoted",
            subject=request.interface.name,
            detail={
                "interface": request.interface_id,
                "before": _text(before),
                "after": _text(fee),
            },
            as_support=True,
            address=address,
        )
    return request


@transaction.atomic
def hand_over(
    *, interface: AccountingInterface, actor: User, address: str | None = None
) -> SetUpRequest:
    """Give the finished set-up to the practice, which then confirms it. Needs a scope.

    Whether it is finished is for `invoicing.hand_overs` to say.
    """
    request = _held(interface, State.WORKING)
    _move(request, State.HANDED_OVER)
    _record_move(
        request,
        "set_up.handed_over",
        before=State.WORKING,
        actor=actor,
        as_support=True,
        address=address,
    )
    return request


@transaction.atomic
def confirm(
    *, interface: AccountingInterface, actor: User, address: str | None = None
) -> SetUpRequest:
    """Note that the practice's own admin confirmed it; support's access ends. Needs a scope."""
    request = _held(interface, State.HANDED_OVER)
    require_admin(request.practice, actor, "confirm this")
    _move(request, State.CONFIRMED)
    _end_access(_given_under(request), actor=actor, address=address)
    _record_move(
        request,
        "set_up.confirmed",
        before=State.HANDED_OVER,
        actor=actor,
        address=address,
    )
    return request


def _record_move(
    request: SetUpRequest,
    action: str,
    *,
    before: State,
    actor: User,
    as_support: bool = False,
    address: str | None,
) -> None:
    """That the set-up went on, and at which fee."""
    record(
        actor=actor,
        action=action,
        subject=request.interface.name,
        detail={
            "interface": request.interface_id,
            "before": before,
            "after": request.state,
            "fee": _text(request.quoted_fee),
        },
        as_support=as_support,
        address=address,
    )


# --- What pages show -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the way; `place` is `done`, `here` or `ahead`."""

    label: str
    place: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a set-up stands, for the practice."""

    request: SetUpRequest
    interface: AccountingInterface
    steps: list[Step]
    unanswered: list[str]
    lists: list[str]
    leave_over: bool


def standing_of(interface: AccountingInterface) -> Standing | None:
    """Where the set-up of the interface stands; None where support was not asked. Needs a scope."""
    request: SetUpRequest | None = getattr(interface, "set_up_request", None)
    return _standing(request, interface) if request else None


def open_standing_of(interface: AccountingInterface) -> Standing | None:
    """The same, as long as it is neither confirmed nor withdrawn. Needs a scope."""
    found = standing_of(interface)
    return found if found and found.request.state in OPEN else None


def fee_changed(request: SetUpRequest) -> AuditEntry | None:
    """The last time that support changed a fee the practice had read. Needs a scope."""
    quoted = AuditEntry.objects.filter(
        action="set_up.quoted", detail__interface=request.interface_id, at__gte=request.asked_at
    ).order_by("-at", "-pk")
    changes = (one for one in quoted.select_related("actor") if _changes_fee(one))
    return next(changes, None)


def _changes_fee(entry: AuditEntry) -> bool:
    return entry.detail["before"] not in ("", entry.detail["after"])


def keep_missing(interface: AccountingInterface) -> None:
    """Bring what the queue shows as missing up to date. Needs a scope."""
    known = SetUpAnswers.objects.filter(interface=interface).first()
    if known is not None:
        missing = unanswered(interface.package, known.answers) + lists_missing(interface)
        found = SetUpRequest.objects.filter(interface=interface).exclude(missing=missing)
        found.update(missing=missing, changed_at=timezone.now())


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """One request as support sees it: no client's name, and of the practice only its own."""

    request: SetUpRequest
    package: str
    may_enter: bool
    leave_over: bool
    may_take: bool
    may_quote: bool


def queue(user: User, *, over: bool) -> list[QueueRow]:
    """The requests of all practices, the oldest first; those that are over the newest first."""
    found = SetUpRequest.objects.filter(state__in=OVER if over else OPEN)
    order = ("-changed_at", "-pk") if over else ("asked_at", "pk")
    rows = found.select_related("practice", "taken_by", "asked_by").order_by(*order)
    inside = {one.practice_id for one in live_grants(user)}
    return [_row(one, user, inside) for one in rows[:MOST_IN_QUEUE]]


def _row(request: SetUpRequest, user: User, inside: set[int]) -> QueueRow:
    may_enter = request.practice_id in inside
    mine = request.taken_by_id == user.pk and may_enter
    return QueueRow(
        request=request,
        package=registry.label_of(request.package_key),
        may_enter=may_enter,
        leave_over=request.state in OPEN and request.access_until <= timezone.now(),
        may_take=request.state in OPEN and not mine,
        may_quote=request.state in (State.ASKED, State.WORKING),
    )


def _standing(request: SetUpRequest, interface: AccountingInterface) -> Standing:
    return Standing(
        request=request,
        interface=interface,
        steps=_steps(request),
        unanswered=[one for one in request.missing if one not in LISTS],
        lists=[one for one in request.missing if one in LISTS],
        leave_over=request.state in OPEN and request.access_until <= timezone.now(),
    )


def _steps(request: SetUpRequest) -> list[Step]:
    working = State.WORKING.label
    if request.taken_by:
        working = f"{working} ({request.taken_by})"
    labels = ["Asked", working, State.HANDED_OVER.label, "Live"]
    way = [State.ASKED, State.WORKING, State.HANDED_OVER, State.CONFIRMED]
    here = way.index(State(request.state)) if request.state in way else -1
    done = len(way) if request.state == State.CONFIRMED else here
    return [
        Step(label=label, place="done" if number < done else "here" if number == here else "ahead")
        for number, label in enumerate(labels)
    ]


# --- Within --------------------------------------------------------------------------------------


def _keep_answers(interface: AccountingInterface, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Keep them beside those that were not asked now; the answers as they were before."""
    kept = SetUpAnswers.objects.select_for_update().get(interface=interface)
    before = dict(kept.answers)
    kept.answers = {**before, **answers}
    kept.changed_at = timezone.now()
    kept.save(update_fields=["answers", "changed_at"])
    preferences.save_preferences(interface, settings_among(interface.package, answers))
    if not interface.package.signs_in and answers.get(COMPANY_FILE):
        # Nobody signs in, so nothing else tells the name.
        interface.company_file_name = str(answers[COMPANY_FILE])[:255]
        interface.save(update_fields=["company_file_name"])
    keep_missing(interface)
    return before


def _locked(request_id: int) -> SetUpRequest:
    together = ("practice", "asked_by", "taken_by")
    found = SetUpRequest.objects.select_related(*together).select_for_update(of=("self",))
    return found.get(pk=request_id)


def _held(interface: AccountingInterface, *states: State) -> SetUpRequest:
    """The request of the interface, locked and in one of these states."""
    request = _locked(SetUpRequest.objects.get(interface=interface).pk)
    _must_be(request, *states)
    return request


def _must_be(request: SetUpRequest, *states: State) -> None:
    if request.state not in states:
        raise ValidationError(f"This set-up is “{request.get_state_display()}” by now.")


def _move(request: SetUpRequest, state: State) -> None:
    request.state, request.changed_at = state, timezone.now()
    request.save()


def _leave(days: int) -> datetime:
    if days not in LEAVE_DAYS:
        raise ValidationError("Choose how long our team may work in your practice.")
    # By the clock that ends grants, which may not last longer than the leave.
    return timezone.now() + timedelta(days=days)


def _let_in(request: SetUpRequest, user: User, *, address: str | None) -> SupportGrant:
    """A grant until the leave ends; the one they have, where it lasts as long."""
    given = _given_under(request).filter(user=user)
    lasting = given.filter(ends_at__gte=request.access_until).first()
    if lasting is not None:
        return lasting
    return grant_support(
        practice=request.practice,
        user=user,
        granted_by=request.asked_by,
        reason=_reason(request),
        ends_at=request.access_until,
        address=address,
    )


def _given_under(request: SetUpRequest) -> QuerySet[SupportGrant]:
    """The access of all support people that was given under the request and is not over."""
    return SupportGrant.objects.filter(
        live_now(), practice_id=request.practice_id, reason=_reason(request)
    )


def _end_access(given: QuerySet[SupportGrant], *, actor: User, address: str | None) -> None:
    for grant in given.select_related("user"):
        end_grant(grant=grant, actor=actor, address=address)


def _reason(request: SetUpRequest) -> str:
    """What the grants made under a request are known by, in the practice's list of them."""
    return f"Set-up of {registry.label_of(request.package_key)}, request {request.pk}"


def _text(fee: Decimal | None) -> str:
    return "" if fee is None else f"{fee:.2f}"
