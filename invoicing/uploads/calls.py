"""Calls to the package on behalf of uploads, and what each way of failing does to them."""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import Enum, auto
from typing import Any, Protocol, TypeVar

from django.db import IntegrityError, InterfaceError, OperationalError

from connectors.base.documents import Key
from connectors.base.errors import NeedsReconnect, OutcomeUnknown, Rejected, RetryLater
from connectors.base.protocol import Found, Outcome
from interfaces import clock, lanes
from interfaces.lanes import Held, LostLane
from invoicing import reasons
from invoicing.documents import NAMESPACE
from invoicing.models import Exchange, Upload
from invoicing.uploads import killpoints, outcomes, states
from invoicing.uploads.kinds import Carrier
from invoicing.uploads.recorder import LaneRecorder
from invoicing.uploads.states import State
from invoicing.uploads.wire import Wire
from offices.tenancy import acting_for

log = logging.getLogger("invoicing.uploads")

T = TypeVar("T")

# Somebody else's lane by now, or no way to write down what happened: the lease ends, and whoever
# holds the lane next recovers. Anything else would only go wrong for the next holder again.
GONE = (LostLane, OperationalError, InterfaceError)
# Where the package asks for patience without saying how much.
CONGESTED = timedelta(seconds=60)


class Said(Enum):
    """How one step of a turn went."""

    ANSWERED = auto()
    NOTHING_DUE = auto()
    WAIT = auto()


class Shared(Protocol):
    """What the threads of one turn share."""

    held: Held
    wire: Wire

    @property
    def is_over(self) -> bool:
        """Whether not even what was taken up may be called for any more."""

    def end(self) -> None:
        """Make no further call, in any thread."""


class Calls:
    """Makes calls as holder of a lane; a failed one has been recorded when it answers None."""

    def __init__(self, *, turn: Shared, recorder: LaneRecorder) -> None:
        self.held = turn.held
        self._turn = turn
        self._recorder = recorder
        # How the last call went, for who must decide whether to go on.
        self.said = Said.ANSWERED
        self._careful = False

    def post(
        self,
        carrier: Carrier,
        connector: Any,
        uploads: Sequence[Upload],
        built: Sequence[Any],
        *,
        again: Exchange | None = None,
    ) -> Said:
        """Create these of what was built, and write down what the package says of each.

        With `again` it is that call once more: the same bytes under the same key, or no call.
        """
        keys = {one.document["key"] for one in uploads}
        documents = [one for one in built if one.key in keys]
        self._recorder.carry(uploads, again=again)
        answered = self.ask(
            uploads, lambda: carrier.post(connector, documents, call_key=call_key(uploads))
        )
        if answered is None:
            return self.said
        said = dict(zip([one.key for one in documents], answered, strict=True))
        if again:
            uploads = self._ask_about_refused(uploads, said)
        self.record(uploads, said)
        killpoints.reach(killpoints.AFTER_RECORD)
        return Said.ANSWERED

    def find(
        self, carrier: Carrier, connector: Any, uploads: Sequence[Upload], built: Sequence[Any]
    ) -> dict[Key, Found] | None:
        """What the package has of them, as `ask` answers."""
        self._recorder.carry(uploads)
        return self.ask(uploads, lambda: self._look(carrier, connector, built))

    def _look(self, carrier: Carrier, connector: Any, built: Sequence[Any]) -> dict[Key, Found]:
        # Nothing is stored before a look-up leaves, so nobody need wait for that.
        self._turn.wire.has_left()
        return carrier.find(connector, built)

    def _ask_about_refused(
        self, uploads: Sequence[Upload], said: Mapping[Key, Outcome]
    ) -> list[Upload]:
        """Of a call made again: what it refuses may have arrived by the first. Answers the rest."""
        refused = [one for one in uploads if isinstance(said[one.document["key"]], Rejected)]
        for one in refused:
            self._unknown([one], str(said[one.document["key"]]))
        return [one for one in uploads if one not in refused]

    def record(self, uploads: Sequence[Upload], said: Mapping[Key, Outcome]) -> None:
        """Write down what the package said of each."""

        def write(some: Sequence[Upload]) -> None:
            outcomes.record(some, said, held=self.held, careful=self._careful)

        self.write_down(uploads, write)

    def ask(self, uploads: Sequence[Upload], call: Callable[[], T]) -> T | None:
        """What the call answers. Raises NeedsReconnect and LostLane; every other failure is None.

        Each upload is then where its state and the failure put it: back in the queue when surely
        nothing was written, unknown when something may have been.
        """
        self.said = Said.WAIT
        try:
            with self._turn.wire.taken():
                if self._turn.is_over:
                    self._give_back(uploads)
                    return None
                self._recorder.begin()
                answer = self._on_the_wire(call)
            self._turn.wire.let_next_leave()
        except GONE:
            raise
        except NeedsReconnect as error:
            self._not_executed(uploads, error, after=timedelta(0), counts=False)
            raise
        except RetryLater as error:
            self._later(uploads, error)
        except OutcomeUnknown as error:
            self._health(healthy=False)
            self._unknown(uploads, str(error))
        except Rejected as error:
            self.said = Said.ANSWERED
            self._health(healthy=True)
            self._refused(uploads, error)
        except Exception:
            log.exception("our fault interface=%s", self.held.interface_id)
            self.said = Said.ANSWERED
            self._our_fault(uploads)
        else:
            self.said = Said.ANSWERED
            self._health(healthy=True)
            return answer
        return None

    def _on_the_wire(self, call: Callable[[], T]) -> T:
        """Make the call; after one that says wait nobody of the turn makes another."""
        try:
            return call()
        except (*GONE, NeedsReconnect, RetryLater, OutcomeUnknown):
            # Before the wire is let go, or whoever stands in line for it would be sooner.
            self._turn.end()
            raise

    def prepare(self, uploads: Sequence[Upload], make: Callable[[], T]) -> T | None:
        """What is made for a call before it. What cannot be made must not hold up the others."""
        try:
            with acting_for(self.held.practice_id):
                return make()
        except GONE:
            raise
        except Exception:
            log.exception("our fault interface=%s", self.held.interface_id)
            self._our_fault(uploads)
            return None

    def write_down(
        self, uploads: Sequence[Upload], write: Callable[[Sequence[Upload]], None]
    ) -> None:
        """Write down what the package said of them, as holder of the lane.

        What cannot be written is our fault and a person's from here on; of several only the one
        it is in. Never does it stop the lane, nor go back into the queue as if it had not been
        sent. Raises LostLane, and what says that the database is away.
        """
        untouched = [_as_it_is(one) for one in uploads]
        try:
            with acting_for(self.held.practice_id):
                lanes.keep(self.held)
                self._recorder.keep_answer()
                write(uploads)
        except GONE:
            raise
        except Exception as error:
            if isinstance(error, IntegrityError) and not self._careful:
                # Something is there already. Once more, looking first where each would go.
                self._careful = True
                try:
                    self.write_down(untouched, write)
                finally:
                    self._careful = False
                return
            # What came before it may be a refusal, with texts that no log should hold.
            error.__suppress_context__ = True
            log.exception("our fault interface=%s", self.held.interface_id)
            if len(untouched) == 1:
                self._our_fault(untouched)
                return
            for one in untouched:
                self.write_down([one], write)

    def _give_back(self, uploads: Sequence[Upload]) -> None:
        """The turn ended while they waited for their call: as if they had not been claimed."""
        claimed = [one for one in uploads if one.state == State.CLAIMED]
        if claimed:
            with acting_for(self.held.practice_id):
                lanes.keep(self.held)
                states.move(claimed, State.QUEUED, held=self.held)

    def _later(self, uploads: Sequence[Upload], error: RetryLater) -> None:
        if error.congested:
            self._not_executed(
                uploads, error, after=error.after or CONGESTED, counts=False, hold=True
            )
            return
        self._health(healthy=False)
        self._not_executed(uploads, error, after=error.after or None, counts=True)

    def _not_executed(
        self,
        uploads: Sequence[Upload],
        error: Exception,
        *,
        after: timedelta | None,
        counts: bool,
        hold: bool = False,
    ) -> None:
        """Back into the queue, unless an earlier call of the same step was accepted after all."""
        reason = str(error)

        def put_back(some: Sequence[Upload]) -> None:
            if self._recorder.accepted or self._recorder.again:
                outcomes.unknown(some, reason=reason, held=self.held, after=after)
            else:
                outcomes.postpone(some, held=self.held, reason=reason, after=after, counts=counts)

        self._failed(uploads, reason, put_back, after=after, hold=hold)

    def _unknown(self, uploads: Sequence[Upload], reason: str) -> None:
        self._failed(
            uploads, reason, lambda some: outcomes.unknown(some, reason=reason, held=self.held)
        )

    def _refused(self, uploads: Sequence[Upload], error: Rejected) -> None:
        """The call as a whole was refused: several documents go again, each by itself.

        What an earlier call may have brought there is asked for instead.
        """
        reason = str(error)

        def refuse(some: Sequence[Upload]) -> None:
            if self._recorder.accepted_earlier or self._recorder.again:
                outcomes.unknown(some, reason=reason, held=self.held)
            elif len(uploads) == 1:
                said = {uploads[0].document["key"]: error}
                outcomes.record(some, said, held=self.held)
            else:
                outcomes.send_alone(some, reason=reason, held=self.held)

        self._failed(uploads, reason, refuse)

    def _failed(
        self,
        uploads: Sequence[Upload],
        reason: str,
        write: Callable[[Sequence[Upload]], None],
        *,
        after: timedelta | None = None,
        hold: bool = False,
    ) -> None:
        """Write down a call that failed. What was looked for by it is looked for again."""
        looked = any(one.state == State.UNKNOWN for one in uploads)

        def write_failure(some: Sequence[Upload]) -> None:
            if hold and after is not None:
                lanes.hold(self.held, until=clock.now() + after, reason=reason)
                if self._recorder.calls > 1 and len(uploads) > 1:
                    _go_alone(some)
            if looked:
                outcomes.look_again(some, reason=reason, after=after)
            else:
                write(some)

        self.write_down(uploads, write_failure)

    def _our_fault(self, uploads: Sequence[Upload]) -> None:
        with acting_for(self.held.practice_id):
            lanes.keep(self.held)
            self._recorder.keep_answer()
            now = clock.now()
            for one in uploads:
                one.reason = (
                    "Something went wrong on our side. This is our fault, not yours. We do not know"
                    f" whether it arrived in {one.interface.package.label}; please do not enter it"
                    " by hand."
                )
                one.next_step = "Tell Abtrac's support. A retry first looks whether it arrived."
                if one.state == State.SENDING or one.unknown_since is None:
                    # A call made once more may take effect as late as if it were the first.
                    one.unknown_since = now
                one.faults = reasons.needs_person(one, reasons.OUR_FAULT)
            states.move(
                uploads,
                State.NEEDS_PERSON,
                held=self.held,
                fields=("reason", "next_step", "unknown_since"),
                same={"due": None},
            )
            outcomes.finish_batches(uploads)

    def _health(self, *, healthy: bool) -> None:
        lanes.record_health(self.held, healthy=healthy)


def _as_it_is(upload: Upload) -> Upload:
    """A copy, so that what a failed attempt filled in is not taken for what is stored."""
    twin = Upload.__new__(Upload)
    twin.__dict__ = dict(upload.__dict__)
    return twin


def call_key(uploads: Sequence[Upload]) -> str:
    """The idempotency key of a call: the same for the same documents, revisions and attempts."""
    parts = (f"{one.document['key']}:{one.revision}:{one.generation}" for one in uploads)
    return str(uuid.uuid5(NAMESPACE, " ".join(parts)))


def _go_alone(uploads: Sequence[Upload]) -> None:
    """Too many for one step, whose calls ran into the limit: each by itself from now on.

    Begun anew with all of them it would use up, again and again, what the package allows, and
    never come to its end.
    """
    Upload.objects.filter(pk__in=[one.pk for one in uploads]).update(alone=True)
