"""Asks the package after uploads whose outcome is unknown, before anything is sent again."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Min

from connectors.base.documents import Key
from connectors.base.protocol import Found, Package
from interfaces import clock
from interfaces.models import AccountingInterface
from invoicing.models import Attempt, Exchange, Upload
from invoicing.uploads import outcomes, states, waiting
from invoicing.uploads.calls import Calls, Said
from invoicing.uploads.kinds import CARRIERS
from invoicing.uploads.states import State
from offices.tenancy import acting_for

# How often a turn that is busy sending looks whether a look-up has come due, in seconds.
GLANCE = 2.0


class LookUps:
    """The look-ups of one turn."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._next_glance = 0.0

    def due(self, connector: Any, *, most: int | None) -> Said:
        """Ask after one call's worth of unknown uploads that are due, `most` at most.

        A package that keeps keys is asked by the very call once more, while it keeps them.
        """
        if time.monotonic() < self._next_glance:
            return Said.NOTHING_DUE
        calls, held = self._calls, self._calls.held
        with acting_for(held.practice_id):
            interface = AccountingInterface.objects.get(pk=held.interface_id)
            if not interface.is_connected:
                return Said.NOTHING_DUE
            per_call = most or interface.package.limits.per_call
            uploads = waiting.due_look_ups(held.interface_id, most=per_call)
            repeat = _repeat_of(uploads, interface.package) if uploads else None
        if not uploads:
            self._next_glance = time.monotonic() + GLANCE
            return Said.NOTHING_DUE
        if repeat:
            uploads = list(repeat.uploads)
        carrier = CARRIERS[uploads[0].kind]
        built = calls.prepare(uploads, lambda: carrier.build(uploads))
        if built is None:
            return Said.ANSWERED
        if repeat:
            return calls.post(carrier, connector, uploads, built, again=repeat.exchange)
        found = calls.find(carrier, connector, uploads, built)
        if found is None:
            return calls.said
        calls.write_down(uploads, lambda some: _settle(some, found))
        return Said.ANSWERED


@dataclass(frozen=True, kw_only=True)
class _Repeat:
    """A call without an answer that may be made once more, and all that it carried."""

    exchange: Exchange
    uploads: Sequence[Upload]


def _repeat_of(uploads: Sequence[Upload], package: Package) -> _Repeat | None:
    """The call the first of them last went in, while repeating it cannot do it twice.

    Every other time it is looked up, for what stands in the way of repeating may last.
    """
    first = uploads[0]
    may_repeat = not first.code and first.lookups % 2 == 0
    if not package.limits.keys_kept or not may_repeat or _is_spent(first):
        return None
    attempts = Attempt.objects.filter(upload=first).select_related("exchange").order_by("-pk")
    last = attempts.first()
    if last is None:
        return None
    # The package keeps the key since it had it first, however often it was repeated.
    begun = Attempt.objects.filter(
        upload=first, revision=last.revision, generation=last.generation
    ).aggregate(first=Min("exchange__started_at"))["first"]
    if begun + package.limits.keys_kept <= clock.now():
        return None
    with_it = Upload.objects.filter(attempts__exchange=last.exchange).annotate(
        went_as=F("attempts__generation"), went_with=F("attempts__revision")
    )
    together = list(
        with_it.select_related("interface", "invoice", "client", "job").order_by(*waiting.ORDER)
    )
    same = all(
        (one.state, one.generation, one.revision) == (State.UNKNOWN, one.went_as, one.went_with)
        for one in together
    )
    return _Repeat(exchange=last.exchange, uploads=together) if same else None


def _is_spent(upload: Upload) -> bool:
    return upload.lookups >= len(settings.UPLOAD_LOOKUP_SECONDS)


def _settle(uploads: Sequence[Upload], found: Mapping[Key, Found]) -> None:
    there = [one for one in uploads if one.document["key"] in found]
    if there:
        outcomes.record(there, found, held=None)
    absent = [one for one in uploads if one.document["key"] not in found]
    now = clock.now()
    proven = [one for one in absent if settled_at(one) <= now]
    if proven:
        _send_again(proven, now)
    early = [one for one in absent if settled_at(one) > now]
    if early:
        outcomes.look_again(early, not_before=settled_at)


def settled_at(upload: Upload) -> datetime:
    """From when on "not there" proves that it never arrived."""
    since = upload.unknown_since or upload.created_at
    return since + settle_of(upload.interface.package)


def settle_of(package: Package) -> timedelta:
    """How long the package may still be working on an unanswered write."""
    if settings.UPLOAD_SETTLE_SECONDS is not None:
        return timedelta(seconds=settings.UPLOAD_SETTLE_SECONDS)
    return package.limits.settle


def _send_again(uploads: Sequence[Upload], now: datetime) -> None:
    """Proven absent: back into the queue under a new key, unless that came of it too often."""
    for one in uploads:
        one.generation += 1
        one.repeats += 1
        # The package has just answered, so it is not away any more.
        one.waiting_since = one.unknown_since = None
        one.lookups, one.due, one.not_there_at = 0, now, now
        label = one.interface.package.label
        one.reason = f"It has not arrived in {label}, so it is sent again."
    going = [one for one in uploads if one.repeats <= one.interface.package.limits.repeats]
    fields = (
        *("generation", "repeats", "waiting_since", "unknown_since", "lookups", "due", "reason"),
        "not_there_at",
    )
    states.move(going, State.QUEUED, fields=fields)
    stuck = [one for one in uploads if one not in going]
    for one in stuck:
        label = one.interface.package.label
        one.reason = (
            f"It was sent {one.repeats} times, {label} gave no clear answer, and it is not there."
        )
        one.next_step = f"Find out what is wrong with it in {label}, then retry."
    if stuck:
        states.move(stuck, State.NEEDS_PERSON, fields=(*fields, "next_step"), same={"due": None})
        outcomes.finish_batches(stuck)
