"""Commits what is about to leave before it leaves, and keeps what came back."""

import hashlib
import time
from collections.abc import Sequence

from connectors.base.protocol import WireAnswer, WireRequest
from interfaces import clock, lanes
from interfaces.lanes import Held
from invoicing.models import Attempt, Exchange, Upload
from invoicing.uploads import killpoints, states
from invoicing.uploads.states import State
from offices.tenancy import acting_for

# More of an answer than this helps nobody.
LONGEST_ANSWER = 1_000_000
# After so many seconds a call lengthens the lease anew: it may take nearly all of one.
LEASE_KEPT = 5.0


class LaneRecorder:
    """For one lane turn: the uploads carried become "sending" as the request is stored.

    When that transaction fails, because the lane was lost or the database is away, the call is
    never made.
    """

    def __init__(self, *, held: Held) -> None:
        self._held = held
        self._uploads: Sequence[Upload] = ()
        self._exchange_id = 0
        self._kept_at = time.monotonic()
        self.accepted = False
        # How many calls the step in hand has made, or was about to make when it had to stop.
        self.calls = 0

    def begin(self) -> None:
        """A step begins: however many calls it makes, none of them outlives the lease."""
        lanes.keep(self._held)
        self._kept_at = time.monotonic()
        self.calls = 0

    def before_call(self) -> None:
        """One of the step's calls is about to be made. Raises LostLane."""
        self.calls += 1
        if time.monotonic() - self._kept_at > LEASE_KEPT:
            lanes.keep(self._held)
            self._kept_at = time.monotonic()

    def carry(self, uploads: Sequence[Upload]) -> None:
        """The writes that follow are for these uploads."""
        self._uploads = uploads
        self.accepted = False

    def before_write(self, request: WireRequest) -> None:
        """Store the request; mark the uploads; only then may the socket be used."""
        with acting_for(self._held.practice_id):
            until = lanes.keep(self._held)
            exchange = Exchange.objects.create(
                interface_id=self._held.interface_id,
                started_at=clock.now(),
                method=request.method,
                path=request.path[:500],
                call_key=request.idempotency_key[:64],
                body=_kept(request),
            )
            Attempt.objects.bulk_create(
                Attempt(
                    upload=one,
                    exchange=exchange,
                    revision=one.revision,
                    generation=one.generation,
                )
                for one in self._uploads
            )
            claimed = [one for one in self._uploads if one.state == State.CLAIMED]
            if claimed:
                states.move(claimed, State.SENDING, held=self._held, same={"lease_until": until})
        self._exchange_id = exchange.pk
        killpoints.reach(killpoints.BEFORE_SOCKET)

    def after_write(self, answer: WireAnswer) -> None:
        """Keep the answer, or why there is none."""
        killpoints.reach(killpoints.AFTER_ANSWER)
        # From here on "surely not executed" can only be said of a later call of the same turn.
        self.accepted = self.accepted or 200 <= answer.status < 300
        with acting_for(self._held.practice_id):
            Exchange.objects.filter(pk=self._exchange_id).update(
                answered_at=clock.now(),
                status=answer.status,
                answer=answer.body[:LONGEST_ANSWER],
                failure=answer.reason[:300],
            )


def _kept(request: WireRequest) -> bytes:
    if "json" in request.content_type:
        return request.body
    digest = hashlib.sha256(request.body).hexdigest()
    return f"{len(request.body)} bytes of {request.content_type}, SHA-256 {digest}".encode()
