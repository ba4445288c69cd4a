"""What a person decides about uploads: retry, cancel, park, or say that it is there already."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from interfaces import clock, lanes
from interfaces.models import AccountingInterface
from invoicing import causes, documents, preflight
from invoicing.models import Invoice, InvoiceEvent, Upload, UploadEvent
from invoicing.uploads import adding, outcomes, states
from invoicing.uploads.enqueue import (
    LIVE_COMPANION,
    LeftOut,
    contacts_for,
    draft,
    hold,
    jobs_for,
    look_first,
    why_not,
    why_not_through,
    why_not_yet,
)
from invoicing.uploads.states import DOCUMENTS, FAILED, LIVE, MOVING, State
from invoicing.uploads.voiding import may_be_withdrawn
from offices.models import User

Kind = Upload.Kind
Move = InvoiceEvent.Move
# What there may be only one live upload of.
Identity = tuple[object, ...]


class CannotLink(Exception):
    """The upload cannot be said to be there; `str(error)` says why."""


@dataclass(frozen=True, kw_only=True)
class Retried:
    """What came of a retry: queued again, refused again by our own checks, or not tried."""

    queued: int = 0
    refused: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


@transaction.atomic
def retry(*, upload_ids: Sequence[int], actor: User | None) -> Retried:
    """Try failed uploads again, and waiting ones at once.

    A refused document is frozen anew from the invoice as it is now, as a new revision. One that
    needed a person is looked up first, because it may have arrived. Needs a scope.
    """
    uploads = _locked(upload_ids)
    held_back = _held_back(uploads)
    left_out = [_left_out(one, held_back[one.pk]) for one in uploads if one.pk in held_back]
    going = [one for one in uploads if one.pk not in held_back]
    anew = _one_of_each(
        [one for one in going if one.state == State.REFUSED and one.kind in DOCUMENTS]
    )
    refused = _freeze_anew(anew, actor=actor)
    queued = [one for one in anew if one not in refused]
    _look_up_first(
        [one for one in going if one.state == State.NEEDS_PERSON and one.kind in DOCUMENTS],
        actor=actor,
    )
    steps = [one for one in going if one.state in FAILED and one.kind not in DOCUMENTS]
    again = _one_of_each([*_stuck_companions(queued), *steps])
    live = _live_beside(again)
    again = [one for one in again if _identity(one) not in live]
    left_out += [
        _left_out(one, f"Already in batch {live[_identity(one)]}.")
        for one in steps
        if _identity(one) in live
    ]
    _requeue_steps(again, actor=actor)
    again += _companions_of(queued, actor=actor)
    waiting = [one for one in going if one.state == State.QUEUED]
    Upload.objects.filter(pk__in=[one.pk for one in waiting], state=State.QUEUED).update(
        due=clock.now(), tries=0, waiting_since=None
    )
    for interface_id in sorted({one.interface_id for one in going if one.state in MOVING}):
        lanes.wake(interface_id)
    causes.held_up(refused)
    outcomes.finish_batches([*going, *again])
    moving = sum(one.state in MOVING for one in going)
    return Retried(queued=moving, refused=len(refused), left_out=left_out)


def hold_invoices_of(upload_ids: Sequence[int]) -> None:
    """Lock their invoices first, as whoever un-commits, parks or uploads them does."""
    uploads = Upload.objects.filter(pk__in=upload_ids)
    hold(Invoice.objects.filter(pk__in=uploads.values("invoice")))


def _locked(upload_ids: Sequence[int]) -> list[Upload]:
    hold_invoices_of(upload_ids)
    rows = Upload.objects.filter(pk__in=upload_ids).order_by("id")
    list(rows.select_for_update(no_key=True).values_list("pk"))
    return list(
        rows.select_related(
            "interface",
            "batch",
            "client",
            "job__client",
            "invoice__office",
            "invoice__invoice_setting__interface",
            "invoice__client",
            "invoice__job",
            "invoice__credits",
        ).prefetch_related("invoice__lines__job")
    )


def _held_back(uploads: Sequence[Upload]) -> dict[int, str]:
    """Why failed uploads cannot be tried again, by upload.

    Refused documents that were un-committed, parked or sent another way cannot be frozen anew, and
    nothing can be asked of an interface that is disconnected.
    """
    failed = [one for one in uploads if one.state in FAILED]
    refused = [one for one in failed if one.state == State.REFUSED and one.kind in DOCUMENTS]
    batches = dict(
        Upload.objects.filter(
            invoice__in=[one.invoice_id for one in refused], kind__in=DOCUMENTS, state__in=LIVE
        ).values_list("invoice_id", "batch__number")
    )
    newest = {
        invoice_id: (pk, number)
        for invoice_id, pk, number in Upload.objects.filter(
            invoice__in=[one.invoice_id for one in refused], kind__in=DOCUMENTS
        )
        # One that was cancelled is not tried again itself, and so stands in nobody's way.
        .exclude(state=State.CANCELLED)
        .order_by("pk")
        .values_list("invoice_id", "pk", "batch__number")
    }
    reasons = {one.pk: why_not_through(one.interface) for one in failed}
    for one in refused:
        assert one.invoice is not None  # noqa: S101 - documents name their invoice
        # It goes where its invoice setting goes now.
        reasons[one.pk] = (
            why_not(one.invoice, batches) or _went_on(one, newest) or _goes_elsewhere(one)
        )
    return {pk: reason for pk, reason in reasons.items() if reason}


def _goes_elsewhere(upload: Upload) -> str:
    """Why what was refused at one interface cannot be tried again through another, or nothing.

    Through another it is offered, or not yet, as any invoice is; and what was sent in earnest
    never becomes part of a rehearsal, which is removed with all its uploads.
    """
    assert upload.invoice is not None  # noqa: S101 - documents name their invoice
    interface = upload.invoice.invoice_setting.interface
    if interface is None or interface.pk == upload.interface_id:
        return ""
    if interface.is_rehearsal or upload.interface.is_rehearsal:
        return f"It was uploaded through {upload.interface}. Upload it anew through {interface}."
    return why_not_yet(upload.invoice)


def _went_on(upload: Upload, newest: Mapping[int, tuple[int, int]]) -> str:
    """Why an older upload of an invoice is not the one to try again, or nothing."""
    pk, number = newest[upload.invoice_id or 0]
    return "" if pk == upload.pk else f"Uploaded again in batch {number}. Retry it there."


def _left_out(upload: Upload, reason: str) -> LeftOut:
    name = upload.invoice or upload.job or upload.contact_name or upload.client
    return LeftOut(invoice_id=upload.invoice_id or 0, number=str(name), reason=reason)


def _freeze_anew(uploads: Sequence[Upload], *, actor: User | None) -> list[Upload]:
    """Check and freeze again; those our own checks refuse once more are answered."""
    checked = preflight.check([one.invoice for one in uploads if one.invoice], remarks=False)
    passed: list[Upload] = []
    refused: list[Upload] = []
    now = clock.now()
    latest = _latest(uploads)
    for one in uploads:
        assert one.invoice is not None  # noqa: S101 - documents name their invoice
        interface = one.invoice.invoice_setting.interface
        assert interface is not None  # noqa: S101 - those without one were left out
        before = one.state
        draft(checked[one.invoice.pk], upload=one)
        (passed if one.state == State.QUEUED else refused).append(one)
        one.state = before
        one.interface = interface
        one.revision, one.generation = latest[one.invoice.pk][0] + 1, 1
        one.unknown_since = latest[one.invoice.pk][1]
        one.tries = one.lookups = one.repeats = 0
        one.waiting_since = None
        one.alone, one.due = False, now
        one.package_words, one.warnings = "", []
        one.remote_id = one.remote_number = one.remote_url = ""
        one.remote_total = None
    _keep(refused, actor=actor)
    _start(passed, actor=actor)
    return refused


def _latest(uploads: Sequence[Upload]) -> dict[int, tuple[int, datetime | None]]:
    """Of each invoice the highest revision, and since when it may be there for all its last found.

    The last one may have been cancelled after it was tried: nothing goes again under its key.
    """
    found: dict[int, tuple[int, datetime | None]] = {}
    rows = Upload.objects.filter(
        invoice__in=[one.invoice_id for one in uploads], kind__in=DOCUMENTS
    ).order_by("pk")
    for invoice_id, revision, since in rows.values_list("invoice_id", "revision", "unknown_since"):
        highest, _ = found.get(invoice_id or 0, (0, None))
        found[invoice_id or 0] = (max(highest, revision), since)
    return found


FROZEN = (
    *("interface", "kind", "document", "revision", "generation", "tries", "lookups", "due"),
    *("repeats", "waiting_since", "unknown_since", "alone", "reason", "next_step", "field", "code"),
    *("package_words", "warnings", "remote_id", "remote_number", "remote_url", "remote_total"),
)


def _keep(refused: Sequence[Upload], *, actor: User | None) -> None:
    Upload.objects.bulk_update(refused, FROZEN)
    UploadEvent.objects.bulk_create(
        UploadEvent(
            upload=one, before=one.state, after=one.state, reason=one.reason[:500], actor=actor
        )
        for one in refused
    )


def _look_up_first(uploads: Sequence[Upload], *, actor: User | None) -> None:
    now = clock.now()
    for one in uploads:
        one.tries = one.lookups = one.repeats = 0
        # How long it was tried before is over; since when it is unknown stays.
        one.waiting_since, one.due = None, now
        one.reason, one.next_step = look_first(one.interface), ""
        # A clash is told anew where there still is one.
        one.field = one.code = ""
    counts = ("tries", "lookups", "repeats", "waiting_since", "due")
    told = ("reason", "next_step", "field", "code")
    states.move(uploads, State.UNKNOWN, fields=(*counts, *told), actor=actor)


def _stuck_companions(uploads: Sequence[Upload]) -> list[Upload]:
    """Contacts and jobs that need a person, of which there may be no second one meanwhile."""
    if not uploads:
        return []
    invoices = [one.invoice for one in uploads if one.invoice]
    jobs = {one.job_id for one in invoices} | {
        line.job_id for one in invoices for line in one.lines.all()
    }
    stuck = Upload.objects.filter(
        Q(kind=Kind.CONTACT, client__in={one.client_id for one in invoices})
        | Q(kind=Kind.JOB, job__in=jobs - {None}),
        interface__in={one.interface_id for one in uploads},
        state=State.NEEDS_PERSON,
    )
    return _held_steps(stuck)


def _held_steps(steps: QuerySet[Upload]) -> list[Upload]:
    rows = steps.select_related("interface", "client", "job__client").order_by("id")
    return list(rows.select_for_update(of=("self",), no_key=True))


def _one_of_each(steps: Sequence[Upload]) -> list[Upload]:
    """Of several of the same document, contact, job or step the newest one."""
    # One that needs a person is live, so a refused one cannot go beside it.
    rising = sorted(steps, key=lambda one: (one.state == State.NEEDS_PERSON, one.pk))
    return list({_identity(one): one for one in rising}.values())


def _live_beside(steps: Sequence[Upload]) -> dict[Identity, int]:
    """Of which another one is on its way, or waits for a person: the number of its batch."""
    same = (
        Q(invoice__in={one.invoice_id for one in steps} - {None}, state__in=LIVE)
        | Q(client__in={one.client_id for one in steps} - {None}, state__in=LIVE_COMPANION)
        | Q(job__in={one.job_id for one in steps} - {None}, state__in=LIVE_COMPANION)
    )
    live = Upload.objects.filter(same).exclude(pk__in=[one.pk for one in steps])
    return {_identity(one): one.batch.number for one in live.select_related("batch")}


def _requeue_steps(uploads: Sequence[Upload], *, actor: User | None) -> None:
    """Contacts, jobs, allocations, PDFs: each looks first or may be repeated, so built anew."""
    now = clock.now()
    for one in uploads:
        _build_anew(one)
        one.revision, one.generation = one.revision + 1, 1
        one.tries = one.lookups = one.repeats = 0
        one.waiting_since, one.due = None, now
        one.reason = one.next_step = one.field = one.code = one.package_words = ""
    _start(uploads, actor=actor)


def _start(uploads: Sequence[Upload], *, actor: User | None) -> None:
    """Into the queue; what may have arrived, and may do so yet, is looked up first."""
    unknown = [one for one in uploads if one.unknown_since]
    for one in unknown:
        one.reason = look_first(one.interface)
    states.move(unknown, State.UNKNOWN, fields=FROZEN, actor=actor)
    queued = [one for one in uploads if one not in unknown]
    states.move(queued, State.QUEUED, fields=FROZEN, actor=actor)


def _build_anew(upload: Upload) -> None:
    if upload.kind == Kind.CONTACT and upload.client:
        name = upload.contact_name or upload.client.name
        contact = documents.contact_of(upload.client, name=name, key=upload.document["key"])
        upload.document = {
            **documents.to_json(contact),
            "remote_id": upload.document.get("remote_id", ""),
        }
    elif upload.kind == Kind.JOB and upload.job:
        key = upload.document["key"]
        contact = documents.contact_of(upload.job.client, name=upload.job.client.name, key=key)
        upload.document = documents.to_json(documents.job_of(upload.job, contact=contact, key=key))


def _companions_of(uploads: Sequence[Upload], *, actor: User | None) -> list[Upload]:
    """Queue the contacts and jobs the documents need that are not on their way yet.

    Those refused before are tried again, the others are new; answers those tried again.
    """
    wanted: dict[Identity, Upload] = {}
    for batch in {one.batch_id: one.batch for one in uploads}.values():
        own = [one for one in uploads if one.batch_id == batch.pk]
        for companion in contacts_for(own, batch=batch) + jobs_for(own, batch=batch):
            wanted.setdefault(_identity(companion), companion)
    adding.follow_on(list(wanted.values()))
    refused = _refused_before(wanted)
    for identity, one in refused.items():
        one.document = wanted[identity].document
        one.revision = wanted[identity].revision - 1
    _requeue_steps(list(refused.values()), actor=actor)
    new = [one for identity, one in wanted.items() if identity not in refused]
    Upload.objects.bulk_create(new)
    UploadEvent.objects.bulk_create(
        UploadEvent(upload=one, after=one.state, actor=actor) for one in new
    )
    return list(refused.values())


def _refused_before(wanted: Mapping[Identity, Upload]) -> dict[Identity, Upload]:
    """The newest refused upload of each contact and job wanted that has one."""
    if not wanted:
        return {}
    refused = Upload.objects.filter(
        Q(client__in={one.client_id for one in wanted.values()} - {None})
        | Q(job__in={one.job_id for one in wanted.values()} - {None}),
        state=State.REFUSED,
    )
    found = {_identity(one): one for one in _held_steps(refused)}
    return {identity: one for identity, one in found.items() if identity in wanted}


def _identity(upload: Upload) -> Identity:
    if upload.invoice_id:
        return (upload.kind, upload.invoice_id)
    return (upload.kind, upload.interface_id, upload.client_id, upload.job_id, upload.contact_name)


@transaction.atomic
def cancel(*, upload_ids: Sequence[int], actor: User | None) -> int:
    """Take waiting uploads out of the queue; those a worker has already are left. How many."""
    rows = [one for one in _locked(upload_ids) if one.state == State.QUEUED]
    _say(rows, reason="Cancelled before it was sent.")
    states.move(rows, State.CANCELLED, fields=("reason", "next_step"), actor=actor)
    _cancel_idle_companions(rows, actor=actor)
    outcomes.finish_batches(rows)
    return len(rows)


@transaction.atomic
def give_up(*, upload_ids: Sequence[int], actor: User | None) -> list[Upload]:
    """Set failed contacts, jobs, PDFs, credit allocations and voids aside for good; which.

    Documents are parked instead. What is wanted again later is sent by an upload of its own.
    """
    failed = [one for one in _locked(upload_ids) if one.state in FAILED]
    rows = [one for one in failed if one.kind not in DOCUMENTS]
    # Of a void that may have happened it has to be known.
    rows = [one for one in rows if one.kind != Kind.VOID or may_be_withdrawn(one)]
    _say(rows, reason="Given up: nothing more is tried.")
    states.move(
        rows, State.CANCELLED, fields=("reason", "next_step"), actor=actor, same={"due": None}
    )
    outcomes.finish_batches(rows)
    return rows


def _cancel_idle_companions(cancelled: Sequence[Upload], *, actor: User | None) -> None:
    """Contacts and jobs queued for what was cancelled, and for nothing else that still goes."""
    batches = {one.batch_id for one in cancelled if one.kind in DOCUMENTS}
    wanted = Upload.objects.filter(
        kind__in=DOCUMENTS, state__in=MOVING, interface=OuterRef("interface")
    )
    idle = Upload.objects.filter(
        ~Exists(wanted.filter(invoice__client=OuterRef("client"))),
        ~Exists(wanted.filter(invoice__job=OuterRef("job"))),
        ~Exists(wanted.filter(invoice__lines__job=OuterRef("job"))),
        batch__in=batches,
        kind__in=[Kind.CONTACT, Kind.JOB],
        state=State.QUEUED,
    )
    rows = list(idle.select_for_update(no_key=True).order_by("id"))
    _say(rows, reason="No invoice that still goes needs it.")
    states.move(rows, State.CANCELLED, fields=("reason", "next_step"), actor=actor)


def _say(uploads: Sequence[Upload], *, reason: str) -> None:
    for one in uploads:
        one.reason, one.next_step = reason, ""


@transaction.atomic
def park(*, invoice_ids: Sequence[int], reason: str, actor: User | None) -> list[int]:
    """Take committed invoices off the list without sending them; which.

    Those already on their way or sent are left; a failed upload of one becomes parked too.
    """
    parking = _not_gone(Invoice.objects.filter(pk__in=invoice_ids))
    reason = reason.strip()[:200]
    Invoice.objects.filter(pk__in=parking).update(
        parked_at=clock.now(), parked_by=actor, parked_reason=reason
    )
    _tell(parking, Move.PARKED, reason=reason, actor=actor)
    _set_aside(parking, actor=actor)
    return parking


@transaction.atomic
def unpark(*, invoice_ids: Sequence[int], actor: User | None) -> int:
    """Offer parked invoices again; how many."""
    parked = [one for one in _locked_invoices(invoice_ids) if one.parked_at]
    Invoice.objects.filter(pk__in=[one.pk for one in parked]).update(
        parked_at=None, parked_by=None, parked_reason=""
    )
    _recall(
        InvoiceEvent(
            invoice=one,
            move=Move.PARKED,
            at=one.parked_at or clock.now(),
            actor=one.parked_by,
            reason=one.parked_reason,
        )
        for one in parked
    )
    _tell([one.pk for one in parked], Move.UNPARKED, actor=actor)
    return len(parked)


@transaction.atomic
def mark_in_accounts(*, invoice_ids: Sequence[int], reason: str, actor: User | None) -> list[int]:
    """Say that committed invoices are in the accounts already, so that they are not sent; which.

    Those on their way or sent are left; a failed upload of one is set aside.
    """
    return _mark(Invoice.objects.filter(pk__in=invoice_ids), reason=reason, actor=actor)


@transaction.atomic
def mark_older(*, interface: AccountingInterface, reason: str, actor: User | None) -> int:
    """The same of all that is dated before the interface's go-live date; how many."""
    older = Invoice.objects.filter(
        invoice_setting__interface=interface, issued__lt=interface.offered_from, parked_at=None
    ).exclude(total=0)
    return len(_mark(older, reason=reason, actor=actor))


@transaction.atomic
def unmark_in_accounts(*, invoice_ids: Sequence[int], actor: User | None) -> int:
    """Offer again what was said to be in the accounts; how many."""
    marked = [one for one in _locked_invoices(invoice_ids) if one.in_accounts_at]
    Invoice.objects.filter(pk__in=[one.pk for one in marked]).update(
        in_accounts_at=None, in_accounts_by=None, in_accounts_reason=""
    )
    _recall(
        InvoiceEvent(
            invoice=one,
            move=Move.IN_ACCOUNTS,
            at=one.in_accounts_at or clock.now(),
            actor=one.in_accounts_by,
            reason=one.in_accounts_reason,
        )
        for one in marked
    )
    _tell([one.pk for one in marked], Move.OFFERED_AGAIN, actor=actor)
    return len(marked)


def _mark(invoices: QuerySet[Invoice], *, reason: str, actor: User | None) -> list[int]:
    marking = _not_gone(invoices)
    for some in batched(marking):
        Invoice.objects.filter(pk__in=some).update(
            in_accounts_at=clock.now(), in_accounts_by=actor, in_accounts_reason=reason[:200]
        )
        _tell(some, Move.IN_ACCOUNTS, reason=reason[:200], actor=actor)
        _set_aside(some, actor=actor)
    return marking


def _tell(invoice_ids: Sequence[int], move: Move, *, reason: str = "", actor: User | None) -> None:
    """Write into the history of each invoice what was done with it: before its uploads follow."""
    InvoiceEvent.objects.bulk_create(
        InvoiceEvent(invoice_id=one, move=move, reason=reason, actor=actor) for one in invoice_ids
    )


def _recall(events: Iterable[InvoiceEvent]) -> None:
    """Write down what was done before there was such a history, while it is still known."""
    rows = list(events)
    ids = [one.invoice_id for one in rows]
    told = set(InvoiceEvent.objects.filter(invoice__in=ids).values_list("invoice", "move"))
    InvoiceEvent.objects.bulk_create(one for one in rows if (one.invoice_id, one.move) not in told)


def _not_gone(invoices: QuerySet[Invoice]) -> list[int]:
    """Of these the committed ones that wait, held until the end.

    What is on its way, sent, parked or in the accounts already is none of them; asked again once
    they are held, for somebody else may have been faster.
    """
    committed = invoices.filter(
        status=Invoice.Status.COMMITTED, parked_at__isnull=True, in_accounts_at__isnull=True
    )
    hold(committed)
    gone = Upload.objects.filter(
        invoice=OuterRef("pk"), kind__in=DOCUMENTS, state__in=(*MOVING, State.SENT)
    )
    return list(committed.filter(~Exists(gone)).order_by("pk").values_list("pk", flat=True))


def _set_aside(invoice_ids: Sequence[int], *, actor: User | None) -> None:
    """Whatever failed of these invoices needs nobody any more."""
    failed = list(
        Upload.objects.filter(invoice__in=invoice_ids, kind__in=DOCUMENTS, state__in=FAILED)
        .select_for_update(no_key=True)
        .order_by("id")
    )
    states.move(failed, State.PARKED, actor=actor, same={"due": None})


def batched(rows: Sequence[int], size: int = 1000) -> Iterator[Sequence[int]]:
    """The rows in portions, as many as a statement takes."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _locked_invoices(invoice_ids: Sequence[int]) -> list[Invoice]:
    chosen = Invoice.objects.filter(pk__in=invoice_ids)
    hold(chosen)
    return list(chosen.select_related("parked_by", "in_accounts_by").order_by("id"))
