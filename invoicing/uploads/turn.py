"""What the holder of a lane does until its turn ends: look up what is unknown, send what is due.

One thread does everything in order. Where the package takes several calls at once and documents
pile up, others help it with the documents.
"""

import logging
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections

from connectors.base.documents import Key
from connectors.base.errors import NeedsReconnect, Rejected
from connectors.base.protocol import Outcome
from interfaces.connections import open_connector
from interfaces.lanes import Held
from interfaces.models import AccountingInterface
from invoicing.models import Upload
from invoicing.uploads import killpoints, kinds, outcomes, resolve, states, waiting
from invoicing.uploads.calls import GONE, Calls, Said
from invoicing.uploads.kinds import CARRIERS
from invoicing.uploads.recorder import LaneRecorder
from invoicing.uploads.states import DOCUMENTS, State
from invoicing.uploads.wire import Wire
from offices.tenancy import acting_for

log = logging.getLogger("invoicing.uploads")

# Set when the worker is asked to end: the call in hand is finished, nothing more is claimed.
stopping = threading.Event()

# A step of a call takes about that long, and threads that take turns more often get slower.
SWITCH_SECONDS = 0.001


class Turn:
    """One holder's turn at a lane, until nothing is due, the package says wait, or time is up."""

    def __init__(self, *, held: Held) -> None:
        self.held = held
        self._ends = time.monotonic() + settings.UPLOAD_TURN_SECONDS
        self._over = threading.Event()
        # As many calls at once as the package allows; how many that is, the first claim tells.
        self.wire = Wire()
        self._helpers: list[threading.Thread] = []
        self._failed: list[Exception] = []

    def work(self) -> None:
        """Raises what says that the lane is lost or the database away, from whichever thread."""
        try:
            with _Hands(self, helps=False) as hands:
                hands.work()
                self._join()
                # What followed from the documents the others sent.
                hands.work()
        except NeedsReconnect as error:
            # The interface is marked and says so; what waits goes on by itself after the consent.
            log.warning("turn ended, consent needed interface=%s %s", self.held.interface_id, error)
        finally:
            self._over.set()
            self._join()
        if self._failed:
            raise self._failed[0]

    @property
    def goes_on(self) -> bool:
        """Whether more may be taken up."""
        return not self.is_over and time.monotonic() < self._ends

    @property
    def is_over(self) -> bool:
        """Whether not even what was taken up may be called for any more."""
        return self._over.is_set() or stopping.is_set()

    def end(self) -> None:
        """Make no further call, in any thread."""
        self._over.set()

    def call_help(self, *, concurrent: int) -> None:
        """More documents wait than go in one call: let others send them at the same time.

        One more than the package takes calls at once, so that a call's worth is ready when another
        one is answered.
        """
        if self.held.probing or any(one.is_alive() for one in self._helpers):
            return
        if not self._helpers:
            # Python lets a thread that computes go on for 5 ms before another one gets its turn;
            # one whose call is to leave, or is answered, would wait that long at every step.
            sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))
            self.wire.allow_more(concurrent - 1)
        name = f"lane-{self.held.interface_id}"
        self._helpers = [
            threading.Thread(target=self._help, name=f"{name}-{number}", daemon=True)
            for number in range(concurrent)
        ]
        for one in self._helpers:
            one.start()

    def _help(self) -> None:
        try:
            with _Hands(self, helps=True) as hands:
                hands.work()
        except NeedsReconnect:
            self._over.set()
        except Exception as error:  # noqa: BLE001 - raised again in the turn's own thread
            self._failed.append(error)
            self._over.set()
        finally:
            connections.close_all()

    def _join(self) -> None:
        for one in self._helpers:
            one.join()


class _Hands:
    """One thread's connector, and what it does with it."""

    def __init__(self, turn: Turn, *, helps: bool) -> None:
        self._turn = turn
        self._held = turn.held
        self._helps = helps
        self._recorder = LaneRecorder(held=turn.held, leaves=turn.wire.has_left)
        self._calls = Calls(turn=turn, recorder=self._recorder)
        self._look = resolve.LookUps(self._calls)
        self._opening = open_connector(
            practice_id=turn.held.practice_id,
            interface_id=turn.held.interface_id,
            recorder=self._recorder,
            before_call=self._recorder.before_call,
        )

    def __enter__(self) -> "_Hands":
        self._connector = self._opening.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._opening.__exit__(*raised)

    def work(self) -> None:
        """One call's worth after the other."""
        while self._turn.goes_on:
            did = self._step()
            if did is Said.WAIT or self._held.probing:
                # A half-open breaker lets one call through; how it went decides what follows.
                self._turn.end()
            if did is not Said.ANSWERED:
                return

    def _step(self) -> Said:
        if not self._helps:
            did = self._look.due(self._connector, most=1 if self._held.probing else None)
            if did is not Said.NOTHING_DUE:
                return did
        return self._send_due()

    def _send_due(self) -> Said:
        claim = self._claim()
        if claim is None:
            return Said.NOTHING_DUE
        uploads = claim.uploads
        if not uploads:
            return Said.ANSWERED
        killpoints.reach(killpoints.AFTER_CLAIM)
        limits = claim.interface.package.limits
        if claim.more and uploads[0].kind in DOCUMENTS and not self._helps:
            self._turn.call_help(concurrent=limits.concurrent)
        carrier = CARRIERS[uploads[0].kind]
        built = claim.built or self._calls.prepare(uploads, lambda: carrier.build(uploads))
        if built is None:
            return Said.ANSWERED
        missing = uploads
        if carrier.looks_first(uploads, claim.interface.package):
            found = self._calls.find(carrier, self._connector, uploads, built)
            if found is None:
                return self._calls.said
            missing = self._known_already(uploads, found, interface=claim.interface)
        if not missing:
            return Said.ANSWERED
        return self._calls.post(carrier, self._connector, missing, built)

    def _claim(self) -> "_Claim | None":
        """The next call's worth, claimed and built; None when nothing is due or may go."""
        killpoints.reach(killpoints.BEFORE_CLAIM)
        try:
            return self._claimed(build=True)
        except GONE:
            raise
        except Exception:
            # Which of them it is shows when they are built apart from the others.
            log.exception("not built with the claim interface=%s", self._held.interface_id)
            return self._claimed(build=False)

    def _claimed(self, *, build: bool) -> "_Claim | None":
        held = self._held
        with acting_for(held.practice_id):
            until = self._recorder.keep()
            interface = AccountingInterface.objects.get(pk=held.interface_id)
            if not interface.is_connected:
                return None
            uploads, more = waiting.next_call(
                interface,
                most=1 if held.probing else interface.package.limits.per_call,
                only=DOCUMENTS if self._helps else (),
            )
            if not uploads:
                return None
            are_documents = uploads[0].kind in DOCUMENTS
            links = kinds.contact_ids(uploads) if are_documents else None
            stuck = [] if links is None else self._refuse_stuck(uploads, links)
            going = [one for one in uploads if one not in stuck]
            built = None
            if going:
                claim = {"owner": held.owner, "fence": held.fence, "lease_until": until}
                states.move(going, State.CLAIMED, same=claim)
                if build:
                    built = CARRIERS[going[0].kind].build(going, links=links)
        return _Claim(interface=interface, uploads=going, more=more, built=built)

    def _refuse_stuck(self, uploads: Sequence[Upload], links: Mapping[int, str]) -> list[Upload]:
        """Documents whose contact or job will not come: they cannot go either, and say why."""
        blocks = kinds.blocked_by(uploads, links)
        stuck = [one for one in uploads if one.pk in blocks]
        for one in stuck:
            block = blocks[one.pk]
            one.reason, one.field, one.next_step = block.reason, block.field, block.next_step
            one.waits_for = block.step
            if block.step:
                block.step.interface = one.interface
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
            self._calls.record(there, said)
        return [one for one in uploads if one not in there]


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """What is ours to send; `built` is None where building it together went wrong."""

    interface: AccountingInterface
    uploads: list[Upload]
    # Whether others could go now.
    more: bool
    built: list[Any] | None


def _not_added(upload: Upload, interface: AccountingInterface) -> Rejected:
    name = upload.document.get("name", "")
    return Rejected(
        f"{interface.package.label} has no contact “{name}”, and “Add clients” is off.",
        field="contact",
        next_step=f"Add it in {interface.package.label}, or turn “Add clients” on in the"
        " preferences of the interface, then retry.",
    )
