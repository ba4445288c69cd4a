"""Calls to the package on behalf of uploads, and what each way of failing does to them."""

import logging
from collections.abc import Callable, Sequence
from copy import copy
from datetime import timedelta
from enum import Enum, auto
from typing import TypeVar

from django.db import InterfaceError, OperationalError

from connectors.base.errors import NeedsReconnect, OutcomeUnknown, Rejected, RetryLater
from interfaces import clock, lanes
from interfaces.lanes import Held, LostLane
from invoicing.models import Upload
from invoicing.uploads import outcomes, states
from invoicing.uploads.recorder import LaneRecorder
from invoicing.uploads.states import State
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


class Calls:
    """Makes calls as holder of a lane; a failed one has been recorded when it answers None."""

    def __init__(self, *, held: Held, recorder: LaneRecorder) -> None:
        self.held = held
        self._recorder = recorder
        # How the last call went, for who must decide whether to go on.
        self.said = Said.ANSWERED

    def ask(self, uploads: Sequence[Upload], call: Callable[[], T]) -> T | None:
        """What the call answers. Raises NeedsReconnect and LostLane; every other failure is None.

        Each upload is then where its state and the failure put it: back in the queue when surely
        nothing was written, unknown when something may have been.
        """
        self._recorder.begin()
        self.said = Said.WAIT
        try:
            answer = call()
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
        untouched = [copy(one) for one in uploads]
        try:
            with acting_for(self.held.practice_id):
                lanes.keep(self.held)
                write(uploads)
        except GONE:
            raise
        except Exception as error:
            # What came before it may be a refusal, with texts that no log should hold.
            error.__suppress_context__ = True
            log.exception("our fault interface=%s", self.held.interface_id)
            if len(untouched) == 1:
                self._our_fault(untouched)
                return
            for one in untouched:
                self.write_down([one], write)

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
            if self._recorder.accepted:
                outcomes.unknown(some, reason=reason, held=self.held)
            else:
                outcomes.postpone(some, held=self.held, reason=reason, after=after, counts=counts)

        self._failed(uploads, reason, put_back, after=after, hold=hold)

    def _unknown(self, uploads: Sequence[Upload], reason: str) -> None:
        self._failed(
            uploads, reason, lambda some: outcomes.unknown(some, reason=reason, held=self.held)
        )

    def _refused(self, uploads: Sequence[Upload], error: Rejected) -> None:
        """The call as a whole was refused: several documents go again, each by itself."""
        reason = str(error)

        def refuse(some: Sequence[Upload]) -> None:
            if len(uploads) == 1:
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
            now = clock.now()
            for one in uploads:
                one.reason = "Something went wrong on our side. This is our fault, not yours."
                one.next_step = "Tell Abtrac's support. A retry first looks whether it arrived."
                one.unknown_since = one.unknown_since or now
            states.move(
                uploads,
                State.NEEDS_PERSON,
                held=self.held,
                fields=("reason", "next_step", "unknown_since"),
                same={"due": None},
            )
            outcomes.finish_batches(uploads)

    def _health(self, *, healthy: bool) -> None:
        with acting_for(self.held.practice_id):
            lanes.record_health(self.held, healthy=healthy)


def _go_alone(uploads: Sequence[Upload]) -> None:
    """Too many for one step, whose calls ran into the limit: each by itself from now on.

    Begun anew with all of them it would use up, again and again, what the package allows, and
    never come to its end.
    """
    Upload.objects.filter(pk__in=[one.pk for one in uploads]).update(alone=True)
