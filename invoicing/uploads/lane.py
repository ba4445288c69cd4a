"""One turn of a lane: take it, recover what its last holder left, work, give it back.

A turn ends when nothing is due, when the package says wait, after UPLOAD_TURN_SECONDS, or when
the worker is told to stop; what is left is rung for again, behind the other interfaces.
"""

import logging
import uuid
from datetime import datetime

from django.db.models import QuerySet

from interfaces import clock, lanes
from interfaces.lanes import Held, LostLane
from interfaces.models import AccountingInterface
from invoicing.models import Upload
from invoicing.reasons import NOT_ASKED
from invoicing.uploads import outcomes, states, waiting
from invoicing.uploads.states import HELD, State
from invoicing.uploads.turn import Turn, stopping
from offices.tenancy import acting_for

__all__ = ["drain", "recover", "stopping"]

log = logging.getLogger("invoicing.uploads")


def drain(*, practice_id: int, interface_id: int, rung_at: int | None = None) -> None:
    """Take one turn at the interface's lane, unless somebody else holds it or it must wait.

    `rung_at` is the fence of the bell that was heard: one that a turn has answered since is passed
    over, so that ten clicks of one practice are no ten turns before another's.
    Leaves nothing claimed. A worker that dies here loses its lease, and the next holder recovers.
    """
    with acting_for(practice_id):
        interface = AccountingInterface.objects.filter(pk=interface_id).first()
    if interface is None:
        return
    held = lanes.take(
        practice_id=practice_id,
        interface_id=interface_id,
        package=interface.package,
        owner=uuid.uuid4().hex,
        rung_at=rung_at,
    )
    if held is None:
        return
    try:
        recover(held)
        _ask_again(held)
        _work(held)
        due = _give_back(held)
    except (LostLane, AccountingInterface.DoesNotExist):
        # A rehearsal is gone with its lane.
        log.warning("turn ended, lane lost interface=%s fence=%s", interface_id, held.fence)
        return
    if due is not None and due <= clock.now():
        lanes.ring(practice_id, interface_id)


def recover(held: Held) -> None:
    """Take up what an earlier holder left: claimed goes back, what was being sent is unknown.

    For a new holder that has claimed nothing yet.
    """
    with acting_for(held.practice_id):
        lanes.keep(held)
        left = list(
            Upload.objects.filter(interface_id=held.interface_id, state__in=HELD)
            .select_related("interface")
            .order_by("id")
        )
        if not left:
            return
        log.warning("recovering interface=%s uploads=%s", held.interface_id, len(left))
        claimed = [one for one in left if one.state == State.CLAIMED]
        if claimed:
            states.move(claimed, State.QUEUED, same={"due": clock.now()})
        sending = [one for one in left if one.state == State.SENDING]
        if sending:
            outcomes.unknown(sending, reason="The worker sending it was interrupted.", held=None)


def _ask_again(held: Held) -> None:
    """Look for what could not be asked after while the interface was disconnected."""
    with acting_for(held.practice_id):
        interface = AccountingInterface.objects.get(pk=held.interface_id)
        unasked = _unasked(interface).select_related("interface").order_by("id")
        # The uploads before the lane, as a person who decides about them locks them.
        uploads = list(unasked.select_for_update(of=("self",), no_key=True))
        if uploads:
            lanes.keep(held)
            outcomes.ask_again(uploads)


def _unasked(interface: AccountingInterface) -> QuerySet[Upload]:
    """What a person was left with only because it could not be asked after, and now can be."""
    if not interface.is_connected or not outcomes.may_ask_again(interface):
        return Upload.objects.none()
    return Upload.objects.filter(
        interface=interface,
        state=State.NEEDS_PERSON,
        code=NOT_ASKED,
        unknown_since__isnull=False,
    )


def _work(held: Held) -> None:
    with acting_for(held.practice_id):
        if not waiting.anything_due(held.interface_id):
            return
        if not AccountingInterface.objects.get(pk=held.interface_id).is_connected:
            return
    Turn(held=held).work()


def _give_back(held: Held) -> datetime | None:
    """Release the lane until it is wanted next; that time, or None while it waits for nothing."""
    with acting_for(held.practice_id):
        lanes.lock(held)
        interface = AccountingInterface.objects.get(pk=held.interface_id)
        if interface.state == AccountingInterface.State.DISCONNECTED:
            lanes.keep(held)
            _ask_no_more(held)
        due = waiting.next_due(held.interface_id) if interface.is_connected else None
        if _unasked(interface).exists():
            # Connected while this turn went on, whose bell nobody could answer.
            due = clock.now()
        until = lanes.waits_until(held.interface_id)
        if due is not None and until is not None:
            due = max(due, until)
        lanes.release(held, due=due)
    return due


def _ask_no_more(held: Held) -> None:
    unknown = Upload.objects.filter(interface_id=held.interface_id, state=State.UNKNOWN)
    uploads = list(unknown.select_related("interface").order_by("id"))
    if uploads:
        outcomes.cannot_ask(uploads)
