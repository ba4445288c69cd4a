"""Asks the package after uploads whose outcome is unknown, before anything is sent again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from connectors.base.documents import Key
from connectors.base.protocol import Found, Package
from interfaces import clock
from invoicing.models import Upload
from invoicing.uploads import outcomes, states, waiting
from invoicing.uploads.calls import Calls, Said
from invoicing.uploads.kinds import CARRIERS
from invoicing.uploads.states import State
from offices.tenancy import acting_for


def look_up_due(calls: Calls, connector: Any, *, most: int) -> Said:
    """Ask after one call's worth of unknown uploads that are due."""
    held = calls.held
    with acting_for(held.practice_id):
        uploads = waiting.due_look_ups(held.interface_id, most=most)
    if not uploads:
        return Said.NOTHING_DUE
    carrier = CARRIERS[uploads[0].kind]
    built = calls.prepare(uploads, lambda: carrier.build(uploads))
    if built is None:
        return Said.ANSWERED
    found = calls.ask(uploads, lambda: carrier.find(connector, built))
    if found is None:
        return calls.said
    calls.write_down(uploads, lambda some: _settle(some, found))
    return Said.ANSWERED


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
    """Proven absent: back into the queue under a new key."""
    for one in uploads:
        one.generation += 1
        # The package has just answered, so it is not away any more.
        one.waiting_since = one.unknown_since = None
        one.lookups, one.due = 0, now
        label = one.interface.package.label
        one.reason = f"It has not arrived in {label}, so it is sent again."
    fields = ("generation", "waiting_since", "unknown_since", "lookups", "due", "reason")
    states.move(uploads, State.QUEUED, fields=fields)
