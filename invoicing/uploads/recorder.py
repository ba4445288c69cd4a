"""Commits what is about to leave before it leaves, and keeps what came back."""

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import transaction

from connectors.base.errors import OutcomeUnknown
from connectors.base.protocol import WireAnswer, WireRequest
from interfaces import clock, lanes
from interfaces.lanes import Held, LostLane
from invoicing.models import Exchange, Upload
from invoicing.uploads import killpoints, states
from invoicing.uploads.each import add_attempts
from invoicing.uploads.states import State
from offices.tenancy import acting_for

# More of an answer than this helps nobody.
LONGEST_ANSWER = 1_000_000
# After so many seconds, or a quarter of the lease, a call lengthens it anew: it may take nearly all
# of one.
LEASE_KEPT = 5.0


class LaneRecorder:
    """For one lane turn: the uploads carried become "sending" as the request is stored.

    When that transaction fails, because the lane was lost or the database is away, the call is
    never made.
    """

    def __init__(self, *, held: Held, leaves: Callable[[], None] = lambda: None) -> None:
        """`leaves` is told of each request that is about to use its socket."""
        self._held = held
        self._leaves = leaves
        self._uploads: Sequence[Upload] = ()
        self._exchange_id = 0
        self._answer: tuple[datetime, WireAnswer] | None = None
        self._kept_at = time.monotonic()
        self.accepted = False
        # Whether another call was begun after one that was accepted.
        self.accepted_earlier = False
        # The call that is made again, so that what it is about is unknown whatever stops it.
        self.again: Exchange | None = None
        # How many calls the step in hand has made, or was about to make when it had to stop.
        self.calls = 0

    def begin(self) -> None:
        """A step begins: however many calls it makes, none of them outlives the lease."""
        self._keep_in_time()
        self.calls = 0

    def before_call(self) -> None:
        """One of the step's calls is about to be made. Raises LostLane."""
        self.calls += 1
        self.accepted_earlier = self.accepted
        if self._answer:
            with acting_for(self._held.practice_id):
                self.keep()
                self.keep_answer()
        self._keep_in_time()

    def keep(self) -> datetime:
        """Lengthen the lease; the new end is answered. Raises LostLane."""
        until = lanes.keep(self._held)
        self._kept_at = time.monotonic()
        return until

    def _keep_in_time(self) -> None:
        kept_for = min(LEASE_KEPT, self._held.lease.total_seconds() / 4)
        if time.monotonic() - self._kept_at > kept_for:
            self.keep()

    def carry(self, uploads: Sequence[Upload], *, again: Exchange | None = None) -> None:
        """The writes that follow are for these uploads; they must be as they were then, if told."""
        self._uploads = uploads
        self.accepted = self.accepted_earlier = False
        self.again = again

    def before_write(self, request: WireRequest) -> float:
        """Store the request; mark the uploads; only then may the socket be used, and not for long.

        Whoever is stopped on the way past its lease finds somebody else at it, who may have seen
        the package without it: it must not arrive after all.
        """
        if self.again and not _is_the_same(request, self.again):
            # Nothing is sent, and what it is about stays unknown.
            raise OutcomeUnknown("It would not leave as it did before.")
        begun = time.monotonic()
        with acting_for(self._held.practice_id):
            until = self.keep()
            exchange = Exchange.objects.create(
                interface_id=self._held.interface_id,
                started_at=clock.now(),
                method=request.method,
                path=request.path[:500],
                call_key=request.idempotency_key[:64],
                body=_kept(request),
            )
            add_attempts(self._uploads, exchange)
            goes_from = {State.UNKNOWN} if self.again else {State.CLAIMED}
            going = [one for one in self._uploads if one.state in goes_from]
            if going:
                held = self._held
                ours = {"owner": held.owner, "fence": held.fence, "lease_until": until}
                states.move(going, State.SENDING, held=held, same=ours)
        self._exchange_id, self._answer = exchange.pk, None
        killpoints.reach(killpoints.BEFORE_SOCKET)
        not_after = begun + self._held.lease.total_seconds() / 2
        if time.monotonic() > not_after:
            raise LostLane(f"Too late to send for interface {self._held.interface_id}.")
        self._leaves()
        return not_after

    def after_write(self, answer: WireAnswer) -> None:
        """Note the answer, or why there is none."""
        killpoints.reach(killpoints.AFTER_ANSWER)
        # From here on "surely not executed" can only be said of a later call of the same turn.
        self.accepted = self.accepted or 200 <= answer.status < 300
        self._answer = clock.now(), answer

    def keep_answer(self) -> None:
        """Store the answer noted, in the caller's transaction: the one that says what it means."""
        if self._answer is None:
            return
        answered_at, answer = self._answer
        transaction.on_commit(self._answer_is_kept)
        Exchange.objects.filter(pk=self._exchange_id).update(
            answered_at=answered_at,
            status=answer.status,
            answer=answer.body[:LONGEST_ANSWER],
            failure=answer.reason[:300],
        )

    def _answer_is_kept(self) -> None:
        self._answer = None


def _is_the_same(request: WireRequest, earlier: Exchange) -> bool:
    """Whether the package must take it for the very call it had before."""
    path, key = request.path[:500], request.idempotency_key[:64]
    return (
        bool(key)
        and (request.method, path, key) == (earlier.method, earlier.path, earlier.call_key)
        and _kept(request) == bytes(earlier.body)
    )


def _kept(request: WireRequest) -> bytes:
    if "json" in request.content_type:
        return request.body
    digest = hashlib.sha256(request.body).hexdigest()
    return f"{len(request.body)} bytes of {request.content_type}, SHA-256 {digest}".encode()
