"""Upload to accounts: check, freeze, number the batch, queue, ring."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet

from connectors.base.protocol import PostsCreditNotes
from interfaces import clock, lanes
from interfaces.codes import CodeBook
from interfaces.models import AccountingInterface
from invoicing import documents
from invoicing.models import (
    Batch,
    Client,
    ContactLink,
    Invoice,
    Job,
    JobLink,
    Upload,
    UploadEvent,
)
from invoicing.uploads.kinds import sends_jobs, updates_contacts
from invoicing.uploads.states import DOCUMENTS, LIVE, State
from offices.models import Practice, User
from offices.tenancy import current_practice_id

NAMESPACE = uuid.UUID("5d0e5c0e-6c35-4c1c-9a55-2c1d7d8f3a10")
CORRECT_IT = "Correct it in Abtrac or under Accounting >> Interface Settings, then retry."
# In which invoices are sent, and in which everybody locks them.
ORDER = ("issued", "number", "id")
# A contact or job that was sent has its link; one that was refused is tried again.
LIVE_COMPANION = [State.QUEUED, State.CLAIMED, State.SENDING, State.UNKNOWN, State.NEEDS_PERSON]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What was asked for and did not join the batch, and why: an invoice, or a step of one."""

    invoice_id: int
    number: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Enqueued:
    """What a click led to, in invoices. Without a batch, nothing could be uploaded."""

    batch: Batch | None
    queued: int = 0
    refused: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


def offered() -> QuerySet[Invoice]:
    """The available list: committed, not a write-off, not parked, on no way to the accounts."""
    live = Upload.objects.filter(
        invoice=OuterRef("pk"),
        kind__in=DOCUMENTS,
        state__in=LIVE,
    )
    return Invoice.objects.filter(
        ~Exists(live), status=Invoice.Status.COMMITTED, parked_at__isnull=True
    ).exclude(total=0)


def document_key(*, interface_id: int, kind: str, document_id: int, name: str = "") -> str:
    """Our own name for a document at an interface; the same for ever, whatever is corrected."""
    return str(uuid.uuid5(NAMESPACE, f"{interface_id}/{kind}/{document_id}/{name}"))


@transaction.atomic
def enqueue(*, invoice_ids: Sequence[int], actor: User | None) -> Enqueued:
    """Queue the invoices as one numbered batch; those that cannot go are refused or left out.

    Clicking twice is harmless: what is in a batch already is left out, naming that batch.
    """
    invoices = _locked(invoice_ids)
    left_out = _left_out(invoice_ids, invoices)
    taken = {one.invoice_id for one in left_out}
    chosen = [invoice for invoice in invoices if invoice.pk not in taken]
    if not chosen:
        return Enqueued(batch=None, left_out=left_out)
    batch = _new_batch(actor)
    uploads = _uploads_of(chosen, batch=batch)
    _companions(uploads, batch=batch)
    Upload.objects.bulk_create(uploads)
    _remember(uploads, actor=actor)
    queued = [one for one in uploads if one.state == State.QUEUED]
    for interface_id in sorted({one.interface_id for one in queued}):
        lanes.wake(interface_id)
    if not queued:
        Batch.objects.filter(pk=batch.pk).update(finished_at=clock.now())
    refused = sum(one.state == State.REFUSED for one in uploads)
    return Enqueued(batch=batch, queued=len(chosen) - refused, refused=refused, left_out=left_out)


def _locked(invoice_ids: Sequence[int]) -> list[Invoice]:
    """The invoices, held against a second click until this one is answered."""
    chosen = Invoice.objects.filter(pk__in=invoice_ids)
    hold(chosen)
    return list(
        chosen.order_by(*ORDER)
        .select_related("office", "invoice_setting__interface", "client", "job", "credits")
        .prefetch_related("lines__job")
    )


def hold(invoices: QuerySet[Invoice]) -> None:
    """Lock invoices until the transaction ends; always before their uploads, and in one order."""
    list(invoices.order_by(*ORDER).select_for_update(no_key=True).values_list("pk"))


def _left_out(invoice_ids: Sequence[int], invoices: Sequence[Invoice]) -> list[LeftOut]:
    batches = dict(
        Upload.objects.filter(
            invoice__in=invoices,
            kind__in=DOCUMENTS,
            state__in=LIVE,
        ).values_list("invoice_id", "batch__number")
    )
    missing = set(invoice_ids) - {invoice.pk for invoice in invoices}
    left = [
        LeftOut(invoice_id=one, number="", reason="There is no such invoice.")
        for one in sorted(missing)
    ]
    for invoice in invoices:
        reason = why_not(invoice, batches)
        if reason:
            left.append(LeftOut(invoice_id=invoice.pk, number=invoice.number, reason=reason))
    return left


def why_not(invoice: Invoice, batches: Mapping[int, int]) -> str:
    """Why the invoice cannot join a batch, or nothing; `batches` are those they are live in."""
    reason = why_not_by_itself(invoice, batches)
    if reason:
        return reason
    interface = invoice.invoice_setting.interface
    if interface is None:
        return (
            f"The invoice setting {invoice.invoice_setting} is not linked to an accounting"
            " interface. Link it under Accounting >> Interface Settings."
        )
    return why_not_through(interface)


def why_not_through(interface: AccountingInterface) -> str:
    """Why nothing can be asked or sent there until somebody connects it, or nothing."""
    if interface.state == AccountingInterface.State.DISCONNECTED:
        return f"{interface} is disconnected. Connect it under Accounting >> Interface Settings."
    return ""


def why_not_by_itself(invoice: Invoice, batches: Mapping[int, int]) -> str:
    """As `why_not`, wherever the invoice would go."""
    if invoice.pk in batches:
        return f"Already in batch {batches[invoice.pk]}."
    if invoice.status != Invoice.Status.COMMITTED:
        return "Not committed yet. Commit it in Abtrac first."
    if invoice.is_write_off:
        return "A zero-value invoice (write-off) is not sent to the accounts."
    if invoice.parked_at:
        return "Parked. Un-park it first."
    return ""


def _new_batch(actor: User | None) -> Batch:
    # The practice's row is the lock that numbers its batches one after the other.
    Practice.objects.select_for_update(no_key=True).get(pk=current_practice_id())
    last = Batch.objects.aggregate(last=Max("number"))["last"] or 0
    return Batch.objects.create(number=last + 1, created_by=actor)


def _uploads_of(invoices: Sequence[Invoice], *, batch: Batch) -> list[Upload]:
    books: dict[int, CodeBook] = {}
    uploads = []
    revisions = _revisions(invoices)
    now = clock.now()
    for invoice in invoices:
        interface = invoice.invoice_setting.interface
        assert interface is not None  # noqa: S101 - those without one were left out
        book = books.get(interface.pk)
        if book is None:
            book = books[interface.pk] = CodeBook.load(interface)
        uploads.append(
            draft(
                invoice,
                interface=interface,
                book=book,
                upload=Upload(
                    interface=interface,
                    batch=batch,
                    invoice=invoice,
                    due=now,
                    revision=revisions.get(invoice.pk, 0) + 1,
                ),
            )
        )
    return uploads


def _revisions(invoices: Sequence[Invoice]) -> dict[int | None, int]:
    return dict(
        Upload.objects.filter(invoice__in=invoices)
        .values("invoice_id")
        .annotate(last=Max("revision"))
        .values_list("invoice_id", "last")
    )


def draft(
    invoice: Invoice, *, interface: AccountingInterface, book: CodeBook, upload: Upload
) -> Upload:
    """Freeze the invoice into the upload: queued when it can go, refused with every reason."""
    kind = Upload.Kind.CREDIT_NOTE if invoice.is_credit_note else Upload.Kind.INVOICE
    key = document_key(interface_id=interface.pk, kind=kind, document_id=invoice.pk)
    document, faults = documents.invoice_of(invoice, interface=interface, book=book, key=key)
    if invoice.is_credit_note and not interface.package.can(PostsCreditNotes):
        label = interface.package.label
        faults.append(
            documents.Fault(field="total", message=f"{label} takes no credit notes from us.")
        )
    upload.kind = kind
    upload.document = documents.to_json(document)
    upload.state = State.REFUSED if faults else State.QUEUED
    upload.reason = "\n".join(_sentence(invoice, fault) for fault in faults)
    upload.field = faults[0].field if faults else ""
    upload.code = faults[0].code if faults else ""
    upload.next_step = "\n".join(dict.fromkeys(one.next_step or CORRECT_IT for one in faults))
    return upload


def _sentence(invoice: Invoice, fault: documents.Fault) -> str:
    where = f"Invoice {invoice.number}, line {fault.line}: " if fault.line else ""
    return f"{where}{fault.message}"


def _companions(uploads: list[Upload], *, batch: Batch) -> None:
    """Put the contacts and jobs that the queued documents need in front of them."""
    going = [one for one in uploads if one.state == State.QUEUED]
    uploads[:0] = contacts_for(going, batch=batch) + jobs_for(going, batch=batch)


def contacts_for(uploads: Iterable[Upload], *, batch: Batch) -> list[Upload]:
    """Uploads of the contacts not yet linked and not already on their way.

    Where the interface says so, also of linked ones that are not there as Abtrac has them now.
    """
    wanted: dict[tuple[int, int, str], Upload] = {}
    now = clock.now()
    for one in uploads:
        assert one.invoice is not None  # noqa: S101 - only documents of invoices come here
        client, interface = one.invoice.client, one.interface
        name = documents.contact_name(interface, one.invoice)
        link = documents.link_name(interface, name)
        wanted.setdefault(
            (interface.pk, client.pk, link),
            _contact(client, interface=interface, name=name, link=link, batch=batch, due=now),
        )
    clients = {client_id for _, client_id, _ in wanted}
    links = {
        (link.interface_id, link.client_id, link.name): link
        for link in ContactLink.objects.filter(client__in=clients)
    }
    coming = set(
        Upload.objects.filter(
            kind=Upload.Kind.CONTACT, state__in=LIVE_COMPANION, client__in=clients
        ).values_list("interface_id", "client_id", "contact_name")
    )
    return [
        upload
        for key, upload in wanted.items()
        if key not in coming and _is_missing(upload, links.get(key))
    ]


def _is_missing(upload: Upload, link: ContactLink | None) -> bool:
    """Whether the contact must go; one that is there is then named, to be brought up to date."""
    if link is None:
        return True
    if not updates_contacts(upload.interface):
        return False
    contact = documents.contact_from_json(upload.document)
    if documents.fingerprint(contact) == link.written:
        return False
    upload.document["remote_id"] = link.remote_id
    return True


def _contact(
    client: Client,
    *,
    interface: AccountingInterface,
    name: str,
    link: str,
    batch: Batch,
    due: datetime,
) -> Upload:
    key = document_key(
        interface_id=interface.pk, kind=Upload.Kind.CONTACT, document_id=client.pk, name=link
    )
    return Upload(
        interface=interface,
        batch=batch,
        kind=Upload.Kind.CONTACT,
        client=client,
        contact_name=link,
        due=due,
        document=documents.to_json(documents.contact_of(client, name=name, key=key)),
    )


def jobs_for(uploads: Iterable[Upload], *, batch: Batch) -> list[Upload]:
    """Uploads of the jobs not yet linked, where the interface sends jobs at all."""
    wanted: dict[tuple[int, int], tuple[AccountingInterface, Job]] = {}
    for one in uploads:
        interface = one.interface
        if not sends_jobs(interface):
            continue
        assert one.invoice is not None  # noqa: S101 - only documents of invoices come here
        for job in [one.invoice.job, *(line.job for line in one.invoice.lines.all())]:
            if job is not None:
                wanted.setdefault((interface.pk, job.pk), (interface, job))
    if not wanted:
        return []
    job_ids = {job_id for _, job_id in wanted}
    known = set(JobLink.objects.filter(job__in=job_ids).values_list("interface_id", "job_id"))
    known |= set(
        Upload.objects.filter(
            kind=Upload.Kind.JOB, state__in=LIVE_COMPANION, job__in=job_ids
        ).values_list("interface_id", "job_id")
    )
    now = clock.now()
    return [_job(*pair, batch=batch, due=now) for key, pair in wanted.items() if key not in known]


def _job(interface: AccountingInterface, job: Job, *, batch: Batch, due: datetime) -> Upload:
    key = document_key(interface_id=interface.pk, kind=Upload.Kind.JOB, document_id=job.pk)
    contact = documents.contact_of(job.client, name=job.client.name, key=key)
    return Upload(
        interface=interface,
        batch=batch,
        kind=Upload.Kind.JOB,
        job=job,
        due=due,
        document=documents.to_json(documents.job_of(job, contact=contact, key=key)),
    )


def _remember(uploads: Sequence[Upload], *, actor: User | None) -> None:
    UploadEvent.objects.bulk_create(
        UploadEvent(upload=one, after=one.state, reason=one.reason[:500], actor=actor)
        for one in uploads
    )
