"""What the package said, written down: one place for first answers and for look-ups."""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.db import connection, transaction

from connectors.base.documents import Conflict, Key, Posted
from connectors.base.errors import Rejected
from connectors.base.protocol import ListsCompanyFiles, Outcome
from interfaces import clock, codes
from interfaces.lanes import Held
from interfaces.models import AccountingInterface
from invoicing import documents, preflight
from invoicing.models import ContactLink, Upload
from invoicing.reasons import (
    CONFLICT,
    GIVEN_UP,
    NOT_ASKED,
    NOT_KNOWN,
    faults_of,
    needs_person,
)
from invoicing.uploads import followups, kinds, states
from invoicing.uploads.states import DOCUMENTS, MOVING, State
from offices.tenancy import current_practice_id

ANSWER_FIELDS = (
    "reason",
    "next_step",
    "field",
    "code",
    "package_words",
    "warnings",
    "remote_id",
    "remote_number",
    "remote_url",
    "remote_total",
    "there",
    "sent_at",
)


def record(
    uploads: Sequence[Upload],
    outcomes: Mapping[Key, Outcome],
    *,
    held: Held | None,
    careful: bool = True,
) -> None:
    """Write the outcome of each upload; in one transaction, guarded by the lane's fence.

    A document that stands for another invoice of ours already is a conflict; where the caller is
    not careful it is an IntegrityError.
    """
    moment = clock.now()
    if careful:
        outcomes = {**outcomes, **_taken_by_others(uploads, outcomes)}
    created = {one.pk for one in uploads if _is_created(one, outcomes[one.document["key"]])}
    steps: list[Upload] = []
    for to, one_kind in _by_state(uploads, outcomes).items():
        for one in one_kind:
            _fill(one, outcomes[one.document["key"]], moment)
        states.move(one_kind, to, held=held, fields=ANSWER_FIELDS, same={"due": None})
        if to == State.REFUSED:
            preflight.tell_gaps(one_kind)
            _forget_contacts(one_kind)
            _read_codes_again(one_kind)
        if to == State.SENT:
            steps += arrived(one_kind, created=created)
    finish_batches([*uploads, *steps])


def _forget_contacts(refused: Sequence[Upload]) -> None:
    """Contacts the package does not take on documents any more: a retry looks them up anew."""
    for one in refused:
        if one.kind in DOCUMENTS and one.field == "contact" and one.invoice:
            name = documents.link_name(one.interface, one.document["contact"]["name"])
            ContactLink.objects.filter(
                interface=one.interface, client=one.invoice.client_id, name=name
            ).delete()


def _read_codes_again(refused: Sequence[Upload]) -> None:
    """The package knows better which codes it takes than the list we last read."""
    stale = {
        (one.practice_id, one.interface_id)
        for one in refused
        if one.field in {"account_code", "tax_code"}
    }
    for practice_id, interface_id in sorted(stale):
        transaction.on_commit(partial(codes.refresh_soon, practice_id, interface_id))


def _taken_by_others(
    uploads: Sequence[Upload], outcomes: Mapping[Key, Outcome]
) -> dict[Key, Outcome]:
    """Documents that stand for another invoice of ours already: a person decides, never two."""
    claimed = [
        (one, outcome)
        for one in uploads
        if one.kind in DOCUMENTS and isinstance(outcome := outcomes[one.document["key"]], Posted)
    ]
    if not claimed:
        return {}
    taken = {
        (one.interface_id, one.kind, one.remote_id): one.document["number"]
        for one in Upload.objects.filter(
            interface__in={one.interface_id for one, _ in claimed},
            kind__in=DOCUMENTS,
            state=State.SENT,
            remote_id__in=[outcome.remote_id for _, outcome in claimed],
        )
    }
    conflicts: dict[Key, Outcome] = {}
    for one, outcome in claimed:
        place = (one.interface_id, one.kind, outcome.remote_id)
        if place in taken:
            conflicts[outcome.key] = _shared(one, outcome, taken[place])
        else:
            taken[place] = one.document["number"]
    return conflicts


def _shared(upload: Upload, posted: Posted, number: str) -> Conflict:
    label = upload.interface.package.label
    return Conflict(
        key=posted.key,
        message=f"{label} has one such document, and it is linked to our invoice {number} already.",
        next_step="Two invoices in Abtrac have the same number, client, date and total. If they"
        " are one, park this one; if not, give it a number of its own, then retry.",
        number=posted.number,
        total=posted.total,
        url=posted.url,
    )


def _is_created(upload: Upload, outcome: Outcome) -> bool:
    """Whether the package has it only since the call just answered."""
    adopted = isinstance(outcome, Posted) and outcome.adopted
    return upload.state == State.SENDING and not adopted


def arrived(uploads: Sequence[Upload], *, created: Collection[int] = ()) -> list[Upload]:
    """Remember what is there, and queue what comes after it.

    `created` are new in the package. Answers what moved with it or was queued; the caller finishes
    the batches.
    """
    there_before = {
        one.interface_id for one in uploads if one.kind in DOCUMENTS and one.pk not in created
    }
    if there_before:
        # Payments of them may have been read already, when they belonged to nobody.
        AccountingInterface.objects.filter(pk__in=there_before).update(payments_mark="")
    moved: list[Upload] = []
    for kind in {one.kind for one in uploads}:
        moved += kinds.CARRIERS[kind].remember([one for one in uploads if one.kind == kind])
    return moved + followups.queue_after(uploads)


def _by_state(
    uploads: Sequence[Upload], outcomes: Mapping[Key, Outcome]
) -> dict[State, list[Upload]]:
    sorted_out: dict[State, list[Upload]] = {}
    for one in uploads:
        outcome = outcomes[one.document["key"]]
        if isinstance(outcome, Posted):
            to = State.SENT
        else:
            to = State.REFUSED if isinstance(outcome, Rejected) else State.NEEDS_PERSON
        sorted_out.setdefault(to, []).append(one)
    return sorted_out


def _fill(upload: Upload, outcome: Outcome, moment: datetime) -> None:
    upload.reason = upload.next_step = upload.field = upload.code = upload.package_words = ""
    upload.there = None
    if isinstance(outcome, Posted):
        upload.remote_id = outcome.remote_id
        upload.remote_number = outcome.number
        upload.remote_url = page_of(upload, outcome.url)
        upload.remote_total = outcome.total
        upload.warnings = [*outcome.warnings, *_total_warning(upload, outcome)]
        upload.there = {"status": outcome.status} if outcome.status else None
        upload.sent_at = moment
    elif isinstance(outcome, Rejected):
        refusals = (outcome, *outcome.others)
        upload.reason = "\n".join(_with_line(upload, str(one), one.line) for one in refusals)
        steps = dict.fromkeys(one.next_step for one in refusals if one.next_step)
        upload.next_step = "\n".join(steps)
        upload.field, upload.code = outcome.field[:40], outcome.code[:60]
        upload.package_words = outcome.words
        upload.faults = faults_of(outcome)
    else:
        upload.reason, upload.next_step = outcome.message, outcome.next_step
        upload.field, upload.code = "number", CONFLICT
        # What stands in our place there: a person may say that it is ours after all.
        upload.remote_id = outcome.remote_id
        upload.remote_url = page_of(upload, outcome.url)
        upload.remote_total = outcome.total
        upload.remote_number = outcome.number
        upload.there = {
            "contact_name": outcome.contact_name,
            "issued": outcome.issued.isoformat() if outcome.issued else "",
            "currency": outcome.currency,
            "status": outcome.status,
        }


def _with_line(upload: Upload, message: str, line: int | None) -> str:
    number = upload.document.get("number", "")
    if line is None or upload.kind not in (Upload.Kind.INVOICE, Upload.Kind.CREDIT_NOTE):
        return message
    return f"Invoice {number}, line {line}: {message}"


def _total_warning(upload: Upload, posted: Posted) -> list[str]:
    """A total that differs is never silent, even where the connector said nothing of it."""
    if posted.total is None or "total" not in upload.document:
        return []
    ours = Decimal(upload.document["total"])
    if posted.total == ours or any(str(posted.total) in one for one in posted.warnings):
        return []
    label = upload.interface.package.label
    return [f"{label} shows a total of {posted.total}; ours is {ours}."]


def postpone(
    uploads: Sequence[Upload],
    *,
    held: Held | None,
    reason: str,
    after: timedelta | None = None,
    counts: bool = True,
) -> None:
    """Surely not executed: wait as the package wishes, or by the schedule; then a person decides.

    A try that does not count, for a consent or a limit, says nothing of how long the package has
    been away, so it is no reason to give up.
    """
    moment = clock.now()
    waiting: list[Upload] = []
    given_up: list[Upload] = []
    for one in uploads:
        old = False
        if counts:
            one.tries += 1
            one.waiting_since = one.waiting_since or moment
            waited = (moment - one.waiting_since).total_seconds()
            old = waited > settings.UPLOAD_GIVE_UP_SECONDS
        one.generation += 1
        one.reason = reason
        one.due = moment + (_step(one.tries) if after is None else after)
        (given_up if old else waiting).append(one)
    fields = ("tries", "generation", "waiting_since", "reason", "due", "next_step")
    if waiting:
        states.move(waiting, State.QUEUED, held=held, fields=fields)
    for one in given_up:
        one.next_step = "Find out what is wrong there, then retry."
        one.faults = needs_person(one, GIVEN_UP)
    if given_up:
        states.move(given_up, State.NEEDS_PERSON, held=held, fields=fields)
        finish_batches(given_up)


def unknown(
    uploads: Sequence[Upload],
    *,
    reason: str,
    held: Held | None,
    after: timedelta | None = None,
) -> None:
    """They may have arrived: ask, not before `after`, before anything else is done with them."""
    moment = clock.now()
    for one in uploads:
        label = one.interface.package.label
        one.reason = (
            f"{reason} So we do not know yet whether it arrived in {label} and are checking."
            " Please do not enter it by hand."
        )
        one.next_step = ""
        # A call made once more has been asked after before, and does not begin from the start.
        one.lookups = one.lookups + 1 if one.unknown_since else 0
        one.unknown_since = moment
        one.due = moment + max(_look_up_after(one.lookups), after or timedelta(0))
    states.move(
        uploads,
        State.UNKNOWN,
        held=held,
        fields=("reason", "next_step", "unknown_since", "lookups", "due"),
    )


def look_again(
    uploads: Sequence[Upload],
    *,
    reason: str = "",
    after: timedelta | None = None,
    not_before: Callable[[Upload], datetime] | None = None,
) -> None:
    """The look-up decided nothing: ask again by the schedule; at its end a person decides.

    `reason` says why it failed. Without one it is not there, before that proves anything.
    """
    moment = clock.now()
    how = (
        f"it could not be asked when we last looked. {reason}"
        if reason
        else "it was not there when we last looked, which proves nothing so soon."
    )
    for one in uploads:
        one.lookups += 1
        one.due = moment + max(_look_up_after(one.lookups), after or timedelta(0))
        if not_before is not None:
            # A look before the package has surely finished proves nothing, one just after does.
            one.due = max(moment, not_before(one))
        one.reason = f"We do not know yet {_whether_there(one, how)}"
        if not reason:
            one.not_there_at = moment
    last = len(settings.UPLOAD_LOOKUP_SECONDS)
    going = [one for one in uploads if one.lookups < last]
    Upload.objects.bulk_update(going, ["lookups", "due", "reason", "not_there_at"])
    given_up = [one for one in uploads if one.lookups >= last]
    for one in given_up:
        label = one.interface.package.label
        one.reason = f"We could not find out {_whether_there(one, how)}"
        one.next_step = f"Look in {label}. Say so here if it is there, else retry."
        one.faults = needs_person(one, NOT_KNOWN)
    if given_up:
        states.move(
            given_up,
            State.NEEDS_PERSON,
            fields=("lookups", "reason", "next_step", "not_there_at"),
            same={"due": None},
        )
        finish_batches(given_up)


def _whether_there(upload: Upload, how: str) -> str:
    label = upload.interface.package.label
    return f"whether it arrived in {label}: {how} Please do not enter it by hand."


def cannot_ask(uploads: Sequence[Upload]) -> None:
    """Their interface is disconnected, and nothing says that it ever comes back: a person decides.

    Since when they are unknown stays: after the next consent they are asked after first.
    """
    for one in uploads:
        label = one.interface.package.label
        how = f"{one.interface} was disconnected before anybody could find out."
        one.reason = f"We do not know {_whether_there(one, how)}"
        connect = f"Connect {one.interface} again"
        if may_ask_again(one.interface):
            connect += f": {label} is then asked by itself"
        else:
            connect += f" and retry: {label} is asked first"
        one.next_step = (
            f"{connect}, and it is sent only if it is not there. Park it only if you have seen it"
            f" in {label}: what is parked is not sent."
        )
        one.code = NOT_ASKED
        one.faults = needs_person(one, NOT_ASKED)
    fields = ("reason", "next_step", "code")
    states.move(uploads, State.NEEDS_PERSON, fields=fields, same={"due": None})
    finish_batches(uploads)


def may_ask_again(interface: AccountingInterface) -> bool:
    """Whether a new consent is surely for the company file that its uploads were sent to.

    Of a package that does not say which one it is for, only a person knows.
    """
    return interface.package.can(ListsCompanyFiles)


def ask_again(uploads: Sequence[Upload]) -> None:
    """What `cannot_ask` gave up: its interface is connected again, so it is looked for now."""
    moment = clock.now()
    for one in uploads:
        how = f"{one.interface} is connected again, so it is asked now."
        one.reason = f"We do not know yet {_whether_there(one, how)}"
        one.next_step = one.code = ""
        # Not as the first look-up, which may be the same call once more: after another consent
        # nobody knows whether the package still keeps its key.
        one.lookups = 1
        one.due = moment
    states.move(uploads, State.UNKNOWN, fields=("reason", "next_step", "code", "lookups", "due"))
    finish_batches(uploads)


def send_alone(uploads: Sequence[Upload], *, reason: str, held: Held) -> None:
    """A call of several was refused as a whole, so nothing of it was kept: one by one, then."""
    moment = clock.now()
    for one in uploads:
        one.alone = True
        one.generation += 1
        one.due = moment
        one.reason = reason
    states.move(uploads, State.QUEUED, held=held, fields=("alone", "generation", "due", "reason"))


def _look_up_after(lookups: int) -> timedelta:
    schedule = settings.UPLOAD_LOOKUP_SECONDS
    return timedelta(seconds=schedule[min(lookups, len(schedule) - 1)])


def _step(tries: int) -> timedelta:
    schedule = settings.UPLOAD_RETRY_SECONDS
    seconds = schedule[min(max(tries, 1), len(schedule)) - 1]
    # A fifth more or less, so that many waiting together do not all come back together.
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 - no secret


def page_of(upload: Upload, url: str) -> str:
    """Where a person can look at it in the package; a rehearsal company has no pages."""
    return "" if upload.interface.is_rehearsal else url


def finish_batches(uploads: Sequence[Upload]) -> None:
    """Mark their batches in which nothing is on its way any more, and open those in which it is.

    Last in a transaction: whoever locks a lane locks it before a batch.
    """
    ids = sorted({one.batch_id for one in uploads})
    if not ids:
        return
    # With every call to a package, so without the query builder.
    marks = ", ".join(["%s"] * len(ids))
    moving = ", ".join(["%s"] * len(MOVING))
    with connection.cursor() as cursor:
        if connection.features.has_select_for_update:
            # Of two that end at once the second waits here, and then sees that the first has ended.
            cursor.execute(
                f"SELECT id FROM invoicing_batch WHERE id IN ({marks})"  # noqa: S608 - marks only
                " ORDER BY id FOR NO KEY UPDATE",
                ids,
            )
        now = connection.ops.adapt_datetimefield_value(clock.now())
        goes_on = (
            "WHEN EXISTS (SELECT 1 FROM invoicing_upload WHERE batch_id ="  # noqa: S608 - marks only
            f" invoicing_batch.id AND state IN ({moving}))"
        )
        cursor.execute(
            f"UPDATE invoicing_batch SET finished_at = CASE {goes_on} THEN NULL"  # noqa: S608
            f" ELSE COALESCE(finished_at, {_moment()}) END,"
            # What is retried later does not make it take longer.
            f" first_finished_at = CASE {goes_on} THEN first_finished_at"
            f" ELSE COALESCE(first_finished_at, {_moment()}) END"
            f" WHERE practice_id = %s AND id IN ({marks})",
            [
                *MOVING,
                now,
                *MOVING,
                now,
                current_practice_id(),
                *ids,
            ],
        )


def _moment() -> str:
    return "CAST(%s AS timestamptz)" if connection.vendor == "postgresql" else "%s"
