"""One turn of a lane: recover, look up what is unknown, send what is due, give the lane back.

A turn ends when nothing is due, when the package says wait, after UPLOAD_TURN_SECONDS, or when
the worker is told to stop; what is left is rung for again, behind the other interfaces.
"""

import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings

from connectors.base.documents import Key
from connectors.base.errors import NeedsReconnect, Rejected
from connectors.base.protocol import Outcome
from interfaces import clock, lanes
from interfaces.connections import open_connector
from interfaces.lanes import Held, LostLane
from interfaces.models import AccountingInterface
from invoicing.models import Upload
from invoicing.uploads import calls, killpoints, kinds, outcomes, resolve, states, waiting
from invoicing.uploads.calls import Calls
from invoicing.uploads.enqueue import NAMESPACE
from invoicing.uploads.kinds import CARRIERS, Carrier
from invoicing.uploads.recorder import LaneRecorder
from invoicing.uploads.states import DOCUMENTS, HELD, State
from offices.tenancy import acting_for

log = logging.getLogger("invoicing.uploads")

# Set when the worker is asked to end: the call in hand is finished, nothing more is claimed.
stopping = threading.Event()


def drain(*, practice_id: int, interface_id: int) -> None:
    """Take one turn at the interface's lane, unless somebody else holds it or it must wait.

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
    )
    if held is None:
        return
    try:
        recover(held)
        _work(held)
        due = _give_back(held)
    except LostLane:
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


def _work(held: Held) -> None:
    recorder = LaneRecorder(held=held)
    ends = time.monotonic() + settings.UPLOAD_TURN_SECONDS
    with acting_for(held.practice_id):
        if not waiting.anything_due(held.interface_id):
            return
        interface = AccountingInterface.objects.get(pk=held.interface_id)
        if not interface.is_connected:
            return
    try:
        with open_connector(
            practice_id=held.practice_id,
            interface_id=held.interface_id,
            recorder=recorder,
            before_call=recorder.before_call,
        ) as connector:
            turn = Turn(held=held, connector=connector, recorder=recorder)
            while time.monotonic() < ends and not stopping.is_set() and turn.step():
                pass
    except NeedsReconnect as error:
        # The interface is marked and says so; what waits goes on by itself after the consent.
        log.warning("turn ended, consent needed interface=%s %s", held.interface_id, error)


def _give_back(held: Held) -> datetime | None:
    """Release the lane until it is wanted next; that time, or None while it waits for nothing."""
    with acting_for(held.practice_id):
        lanes.lock(held)
        interface = AccountingInterface.objects.get(pk=held.interface_id)
        if interface.state == AccountingInterface.State.DISCONNECTED:
            lanes.keep(held)
            _ask_no_more(held)
        due = waiting.next_due(held.interface_id) if interface.is_connected else None
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


class Turn:
    """What one holder does with one open connector."""

    def __init__(self, *, held: Held, connector: Any, recorder: LaneRecorder) -> None:
        self._held = held
        self._connector = connector
        self._recorder = recorder
        self._calls = Calls(held=held, recorder=recorder)

    def step(self) -> bool:
        """Look up or send one call's worth; False when the turn should end."""
        with acting_for(self._held.practice_id):
            interface = AccountingInterface.objects.get(pk=self._held.interface_id)
        if not interface.is_connected:
            return False
        did = resolve.look_up_due(self._calls, self._connector, most=self._most(interface))
        if did is calls.Said.NOTHING_DUE:
            did = self._send_due(interface)
        # A half-open breaker lets one call through; how it went decides what follows.
        return did is calls.Said.ANSWERED and not self._held.probing

    def _most(self, interface: AccountingInterface) -> int:
        return 1 if self._held.probing else interface.package.limits.per_call

    def _send_due(self, interface: AccountingInterface) -> calls.Said:
        uploads, moved = self._claim(most=self._most(interface))
        if not uploads:
            return calls.Said.ANSWERED if moved else calls.Said.NOTHING_DUE
        killpoints.reach(killpoints.AFTER_CLAIM)
        self._recorder.carry(uploads)
        carrier = CARRIERS[uploads[0].kind]
        built = self._calls.prepare(uploads, lambda: carrier.build(uploads))
        if built is None:
            return calls.Said.ANSWERED
        missing = uploads
        if carrier.looks_first(uploads, interface.package):
            found = self._calls.ask(uploads, lambda: carrier.find(self._connector, built))
            if found is None:
                return self._calls.said
            missing = self._known_already(uploads, found, interface=interface)
        return self._post(carrier, missing, built) if missing else calls.Said.ANSWERED

    def _claim(self, *, most: int) -> tuple[list[Upload], bool]:
        """The next call's worth, claimed; and whether anything was refused on the way."""
        killpoints.reach(killpoints.BEFORE_CLAIM)
        with acting_for(self._held.practice_id):
            until = lanes.keep(self._held)
            uploads = waiting.next_call(self._held.interface_id, most=most)
            stuck = self._refuse_stuck(uploads)
            going = [one for one in uploads if one not in stuck]
            if going:
                claim = {"owner": self._held.owner, "fence": self._held.fence}
                states.move(going, State.CLAIMED, same={**claim, "lease_until": until})
        return going, bool(stuck)

    def _refuse_stuck(self, uploads: Sequence[Upload]) -> list[Upload]:
        """Documents whose contact or job will not come: they cannot go either, and say why."""
        blocks = kinds.blocked_by([one for one in uploads if one.kind in DOCUMENTS])
        stuck = [one for one in uploads if one.pk in blocks]
        for one in stuck:
            block = blocks[one.pk]
            one.reason, one.field, one.next_step = block.reason, block.field, block.next_step
        if stuck:
            states.move(stuck, State.REFUSED, fields=("reason", "field", "next_step"))
            outcomes.finish_batches(stuck)
        return stuck

    def _known_already(
        self, uploads: list[Upload], found: dict[Key, Any], *, interface: AccountingInterface
    ) -> list[Upload]:
        """Record what the look-up found; answer what must be created still."""
        said: dict[Key, Outcome] = dict(found)
        for one in uploads:
            if one.document["key"] not in said and not kinds.may_create(one.kind, interface):
                said[one.document["key"]] = _not_added(one, interface)
        there = [one for one in uploads if one.document["key"] in said]
        if there:
            self._calls.write_down(there, partial(self._record, said))
        return [one for one in uploads if one not in there]

    def _post(self, carrier: Carrier, uploads: list[Upload], built: Sequence[Any]) -> calls.Said:
        keys = {one.document["key"] for one in uploads}
        documents = [one for one in built if one.key in keys]
        self._recorder.carry(uploads)
        answered = self._calls.ask(
            uploads,
            lambda: carrier.post(self._connector, documents, call_key=call_key(uploads)),
        )
        if answered is None:
            return self._calls.said
        by_key = dict(zip([one.key for one in documents], answered, strict=True))
        self._calls.write_down(uploads, partial(self._record, by_key))
        killpoints.reach(killpoints.AFTER_RECORD)
        return calls.Said.ANSWERED

    def _record(self, said: Mapping[Key, Outcome], uploads: Sequence[Upload]) -> None:
        outcomes.record(uploads, said, held=self._held)


def call_key(uploads: Sequence[Upload]) -> str:
    """The idempotency key of a call: the same for the same documents, revisions and attempts."""
    parts = (f"{one.document['key']}:{one.revision}:{one.generation}" for one in uploads)
    return str(uuid.uuid5(NAMESPACE, " ".join(parts)))


def _not_added(upload: Upload, interface: AccountingInterface) -> Rejected:
    name = upload.document.get("name", "")
    return Rejected(
        f"{interface.package.label} has no contact “{name}”, and “Add clients” is off.",
        field="contact",
        next_step=f"Add it in {interface.package.label}, or turn “Add clients” on in the"
        " preferences of the interface, then retry.",
    )
