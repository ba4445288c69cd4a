"""Pauses an interface, and lets it go on. What is queued waits meanwhile; nothing is lost."""

from dataclasses import dataclass

from django.db import transaction

from interfaces import charges, clock, lanes
from interfaces.models import AccountingInterface
from interfaces.standing import regain
from offices.audit import record
from offices.models import User

State = AccountingInterface.State


class CannotPause(Exception):
    """It is not in a state for that; `str(error)` says why."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who does it, in what capacity and from where."""

    user: User
    as_support: bool = False
    address: str | None = None


@transaction.atomic
def pause(interface: AccountingInterface, *, actor: Actor) -> None:
    """Send nothing more until somebody resumes it. Needs a scope. Raises CannotPause."""
    # The lane before the interface, as its holder locks them.
    lanes.wake(interface.pk)
    paused = AccountingInterface.objects.filter(pk=interface.pk, state=State.CONNECTED).update(
        state=State.PAUSED, state_reason="", state_changed_at=clock.now()
    )
    if not paused:
        raise CannotPause(f"{interface} is not connected, so there is nothing to pause.")
    charges.end(interface)
    _record(interface, "interface.paused", before=State.CONNECTED, after=State.PAUSED, actor=actor)


@transaction.atomic
def resume(interface: AccountingInterface, *, actor: Actor) -> None:
    """Go on with what waits. Needs a scope. Raises CannotPause."""
    lanes.wake(interface.pk)
    held = AccountingInterface.objects.select_for_update(no_key=True).get(pk=interface.pk)
    if held.state != State.PAUSED:
        raise CannotPause(f"{interface} is not paused.")
    regain(practice_id=held.practice_id, interface_id=held.pk)
    _record(held, "interface.resumed", before=State.PAUSED, after=State.CONNECTED, actor=actor)


def _record(
    interface: AccountingInterface, action: str, *, before: State, after: State, actor: Actor
) -> None:
    record(
        actor=actor.user,
        action=action,
        subject=interface.name,
        detail={"interface": interface.pk, "before": before.label, "after": after.label},
        as_support=actor.as_support,
        address=actor.address,
    )
