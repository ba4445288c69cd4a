"""The states of an upload, the moves allowed between them, and the only code that makes them."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from django.db.models import Q

from interfaces.lanes import Held, LostLane
from invoicing import causes
from invoicing.models import Invoice, Upload
from invoicing.reasons import CONFLICT as CONFLICT  # a word of states
from invoicing.uploads.each import add_events, update_each
from offices.models import User
from offices.tenancy import current_practice_id

log = logging.getLogger("invoicing.uploads")

State = Upload.State

MOVES: Mapping[str, frozenset[str]] = {
    State.QUEUED: frozenset(
        {State.CLAIMED, State.REFUSED, State.NEEDS_PERSON, State.CANCELLED, State.PARKED}
    ),
    State.CLAIMED: frozenset(
        # SENT and NEEDS_PERSON: a look-up before the first create found it, or several.
        {State.SENDING, State.QUEUED, State.SENT, State.REFUSED, State.NEEDS_PERSON}
    ),
    State.SENDING: frozenset(
        {State.SENT, State.REFUSED, State.QUEUED, State.UNKNOWN, State.NEEDS_PERSON}
    ),
    # SENDING: the very call once more, to a package that keeps its key.
    State.UNKNOWN: frozenset({State.SENT, State.NEEDS_PERSON, State.QUEUED, State.SENDING}),
    # A person resends, says that it is there, or gives up on it. What may have arrived is asked
    # for first, so a resend goes through UNKNOWN; what could not be asked after goes there by
    # itself once its interface is connected again. What clashed is withdrawn by un-committing it.
    State.REFUSED: frozenset(
        {State.QUEUED, State.UNKNOWN, State.PARKED, State.SENT, State.CANCELLED}
    ),
    State.NEEDS_PERSON: frozenset(
        {State.QUEUED, State.UNKNOWN, State.PARKED, State.SENT, State.CANCELLED}
    ),
    # Only what a person said was there, and takes back; and the steps that followed from it. What
    # was voided there is not in the accounts any more.
    State.SENT: frozenset({State.NEEDS_PERSON, State.CANCELLED, State.VOIDED}),
    State.PARKED: frozenset(),
    State.CANCELLED: frozenset(),
    State.VOIDED: frozenset(),
}

# What the ledger sees; the other kinds are steps before and after.
DOCUMENTS = (Upload.Kind.INVOICE, Upload.Kind.CREDIT_NOTE)
# Still on their way.
MOVING = (State.QUEUED, State.CLAIMED, State.SENDING, State.UNKNOWN)
# Somebody must do something.
FAILED = (State.REFUSED, State.NEEDS_PERSON)
# Nothing more is to be done with it.
OVER = (State.SENT, State.PARKED, State.CANCELLED, State.VOIDED)
# Of these it may hold ours: nobody has found out, so they are never called or counted as failed.
NOT_KNOWN = Q(state=State.NEEDS_PERSON, unknown_since__isnull=False) & ~Q(code=CONFLICT)
# Such an invoice is not offered again.
LIVE = (*MOVING, State.SENT, State.NEEDS_PERSON)
# Only the holder of the lane may move these.
HELD = (State.CLAIMED, State.SENDING)


def is_not_known(upload: Upload) -> bool:
    """`NOT_KNOWN`, of a row in hand."""
    unknown = upload.state == State.NEEDS_PERSON and upload.unknown_since is not None
    return unknown and upload.code != CONFLICT


class IllegalMove(RuntimeError):
    """A move the state diagram does not have: a bug."""


def move(
    uploads: Sequence[Upload],
    to: State,
    *,
    held: Held | None = None,
    fields: Iterable[str] = (),
    actor: User | None = None,
    same: Mapping[str, Any] | None = None,
) -> None:
    """Move all of them, or none, and write their history, in the caller's transaction.

    Whoever holds a lane, or wakes one, does that first: the causes of what failed are locked here.

    `fields` are those already set on each row; `same` are values all of them get. A row that is
    not in the state we saw it in, or claimed under another fence, makes all of it raise LostLane.
    """
    values = {"owner": "", "lease_until": None} if to not in HELD else {}
    values.update(same or {})
    for before, group in groupby(sorted(uploads, key=lambda one: one.state), lambda one: one.state):
        rows = list(group)
        if to not in MOVES[before]:
            raise IllegalMove(f"An upload cannot go from {before} to {to}.")
        _write(rows, before=before, to=to, held=held, fields=list(fields), values=values)
        if (before in LIVE) != (to in LIVE):
            mark_in_upload(rows, to in LIVE)
        add_events(rows, before=before, after=to, actor=actor)
    # On its way again it is being tried: what held it up is over when it is there.
    if to in FAILED:
        causes.held_up(uploads)
    elif to in OVER:
        causes.let_go(uploads)


def mark_in_upload(uploads: Iterable[Upload], live: bool) -> None:
    """Take the invoices of these uploads off the available list, or put them back.

    A person's click has them locked already. A lane has its uploads locked, and others lock
    invoices first: one that somebody holds is passed over, and put back by `forgotten` instead.
    """
    ids = [one.invoice_id for one in uploads if one.kind in DOCUMENTS and one.invoice_id]
    if ids:
        free = Invoice.objects.filter(pk__in=ids).order_by("pk")
        free = free.select_for_update(no_key=True, skip_locked=True)
        Invoice.objects.filter(pk__in=free.values("pk")).update(in_upload=live)


def _write(
    rows: Sequence[Upload],
    *,
    before: str,
    to: State,
    held: Held | None,
    fields: Sequence[str],
    values: Mapping[str, Any],
) -> None:
    guard: dict[str, Any] = {"practice": current_practice_id(), "state": before}
    if before in HELD and held is not None:
        guard |= {"owner": held.owner, "fence": held.fence}
    for row in rows:
        row.state = to
        for name, value in values.items():
            setattr(row, name, value)
    same = {"state": to, **values}
    own = [name for name in fields if name not in same]
    moved = update_each(rows, own, guard=guard, same=same)
    if moved != len(rows):
        log.warning("stale move to=%s wanted=%s moved=%s", to, len(rows), moved)
        raise LostLane("Somebody else has moved these uploads meanwhile.")
