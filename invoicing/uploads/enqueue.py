"""Upload to accounts: check, freeze, number the batch, queue, ring."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils.formats import date_format

from connectors.base.faults import Fault
from interfaces import clock, lanes
from interfaces.models import AccountingInterface
from invoicing import causes, documents, preflight
from invoicing.documents import document_key
from invoicing.models import (
    Batch,
    Client,
    ContactLink,
    Invoice,
    InvoiceLine,
    Job,
    JobLink,
    Upload,
)
from invoicing.uploads import adding
from invoicing.uploads.kinds import sends_jobs, updates_contacts
from invoicing.uploads.states import DOCUMENTS, LIVE, MOVING, State, mark_in_upload
from offices.models import Practice, User
from offices.tenancy import current_practice_id

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
    # Those in the batch, whether they could go or not.
    invoices: Sequence[Invoice] = ()


def offered() -> QuerySet[Invoice]:
    """The available list: committed, not a write-off, not parked, on no way to the accounts.

    Nor already in the accounts, or dated before the go-live date of their interface.
    """
    from_date = "invoice_setting__interface__offered_from"
    return unsent().filter(Q(**{f"{from_date}__isnull": True}) | Q(issued__gte=F(from_date)))


def unsent() -> QuerySet[Invoice]:
    """What would be offered if there were no go-live dates; the indexes of lists are of these."""
    return Invoice.objects.filter(
        in_upload=False,
        status=Invoice.Status.COMMITTED,
        parked_at__isnull=True,
        in_accounts_at__isnull=True,
    ).exclude(total=0)


@transaction.atomic
def enqueue(
    *,
    invoice_ids: Sequence[int],
    actor: User | None,
    before_live: bool = False,
    origin: Batch.Origin = Batch.Origin.CLICK,
) -> Enqueued:
    """Queue the invoices as one numbered batch; those that cannot go are refused or left out.

    Clicking twice is harmless: what is in a batch already is left out, naming that batch.
    `before_live` lets them through an interface that is still being set up, to try it. On commit
    nobody looks at the answer, so that what cannot go stays on the list instead of being refused.
    """
    invoices = _locked(invoice_ids)
    before = _before(invoices)
    left_out = _left_out(invoice_ids, invoices, before.batches, before_live=before_live)
    taken = {one.invoice_id for one in left_out}
    chosen = [invoice for invoice in invoices if invoice.pk not in taken]
    if not chosen:
        return Enqueued(batch=None, left_out=left_out)
    batch = new_batch(actor, origin=origin)
    now = clock.now()
    uploads = _uploads_of(chosen, batch=batch, before=before, now=now)
    going = [one for one in uploads if one.state in MOVING]
    if origin == Batch.Origin.COMMIT:
        uploads = going
        if not going:
            batch.delete()
            return Enqueued(batch=None, left_out=left_out)
    # The contacts and jobs that the documents need go in front of them.
    companions = contacts_for(going, batch=batch, now=now) + jobs_for(going, batch=batch, now=now)
    replaced = adding.follow_on(companions)
    adding.add([*companions, *uploads], actor=actor)
    mark_in_upload(going, True)
    for interface_id in sorted({one.interface_id for one in going}):
        lanes.wake(interface_id)
    _in_step(uploads, replaced, before=before)
    if not going:
        Batch.objects.filter(pk=batch.pk).update(finished_at=now, first_finished_at=now)
    return Enqueued(
        batch=batch,
        queued=len(going),
        refused=len(uploads) - len(going),
        left_out=left_out,
        invoices=chosen,
    )


def _locked(invoice_ids: Sequence[int]) -> list[Invoice]:
    """The invoices, held against a second click until this one is answered."""
    invoices = list(locking(Invoice.objects.filter(pk__in=invoice_ids)))
    documents.attach(invoices, "office", "invoice_setting", "client", "job", "credits")
    documents.attach(list({one.invoice_setting for one in invoices}), "interface")
    return invoices


def locking(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """The invoices, locked by being read: always before their uploads, and in one order."""
    return invoices.order_by(*ORDER).select_for_update(no_key=True)


def hold(invoices: QuerySet[Invoice]) -> None:
    """Lock invoices until the transaction ends."""
    list(locking(invoices).values_list("pk"))


@dataclass(frozen=True, kw_only=True)
class _Before:
    """What is known of earlier uploads of the invoices, by invoice."""

    batches: dict[int, int]
    revisions: dict[int, int]
    # Since when it may be there, at an interface, for all that the last upload of it found out.
    unknown: dict[tuple[int, int], datetime | None]
    # The uploads of them that some cause holds up.
    held_up: dict[int, list[int]]


def _before(invoices: Sequence[Invoice]) -> _Before:
    """In which batch each is live, how often it was frozen, and whether it may be there."""
    batches: dict[int, int] = {}
    revisions: dict[int, int] = {}
    unknown: dict[tuple[int, int], datetime | None] = {}
    held_up: dict[int, list[int]] = {}
    earlier = Upload.objects.filter(invoice__in=[one.pk for one in invoices]).order_by("pk")
    for (
        pk,
        invoice_id,
        interface_id,
        kind,
        state,
        revision,
        since,
        number,
        held,
    ) in earlier.values_list(
        *("pk", "invoice_id", "interface_id", "kind", "state", "revision", "unknown_since"),
        *("batch__number", "has_causes"),
    ):
        assert invoice_id is not None  # noqa: S101 - asked for by it
        revisions[invoice_id] = max(revisions.get(invoice_id, 0), revision)
        if kind in DOCUMENTS and state in LIVE:
            batches[invoice_id] = number
        if kind in DOCUMENTS:
            unknown[invoice_id, interface_id] = since
        if kind in DOCUMENTS and held:
            held_up.setdefault(invoice_id, []).append(pk)
    return _Before(batches=batches, revisions=revisions, unknown=unknown, held_up=held_up)


def _left_out(
    invoice_ids: Sequence[int],
    invoices: Sequence[Invoice],
    batches: Mapping[int, int],
    *,
    before_live: bool,
) -> list[LeftOut]:
    missing = set(invoice_ids) - {invoice.pk for invoice in invoices}
    left = [
        LeftOut(invoice_id=one, number="", reason="There is no such invoice.")
        for one in sorted(missing)
    ]
    for invoice in invoices:
        reason = why_not(invoice, batches) or why_not_yet(invoice, before_live=before_live)
        if reason:
            left.append(LeftOut(invoice_id=invoice.pk, number=invoice.number, reason=reason))
    return left


def left_out(invoices: Sequence[Invoice]) -> list[LeftOut]:
    """Those that would not join a batch if they were uploaded now, and why. Needs a scope."""
    documents.attach(invoices, "invoice_setting")
    documents.attach(list({one.invoice_setting for one in invoices}), "interface")
    live = Upload.objects.filter(
        invoice__in=[one.pk for one in invoices], kind__in=DOCUMENTS, state__in=LIVE
    )
    batches = dict(live.values_list("invoice_id", "batch__number"))
    return _left_out([], invoices, batches, before_live=False)


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


def why_not_yet(invoice: Invoice, *, before_live: bool = False) -> str:
    """Why an invoice that could go is not offered: its interface is not live, or not for its date.

    What was offered once stays offered: a retry does not ask this.
    """
    interface = invoice.invoice_setting.interface
    if interface is None:
        return ""
    if interface.offered_from and invoice.issued < interface.offered_from:
        return (
            f"It is dated {dated(invoice.issued)}, before the go-live date"
            f" {dated(interface.offered_from)} of {interface}."
        )
    if not interface.is_live and not before_live:
        return (
            f"{interface} is still being set up. Finish that under"
            " Accounting >> Interface Settings."
        )
    return ""


def dated(day: date) -> str:
    """The day as the pages write it."""
    return date_format(day, "j M Y")


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
    if invoice.in_accounts_at:
        return "Marked as already in the accounts. Offer it again first."
    return ""


def _in_step(uploads: Sequence[Upload], replaced: set[int], *, before: _Before) -> None:
    """The new uploads take the place of earlier ones; those refused at once have their causes."""
    earlier = {pk for one in uploads for pk in before.held_up.get(one.invoice_id or 0, ())}
    refused = [one for one in uploads if one.state == State.REFUSED]
    adding.learn_ids(refused)
    causes.held_up(refused, instead_of=earlier | replaced)


def new_batch(actor: User | None, *, origin: Batch.Origin = Batch.Origin.CLICK) -> Batch:
    """The practice's next batch, empty."""
    # The practice's row is the lock that numbers its batches one after the other.
    practice = Practice.objects.filter(pk=current_practice_id())
    (removed,) = practice.select_for_update(no_key=True).values_list("last_batch").get()
    last = Batch.objects.aggregate(last=Max("number"))["last"] or 0
    number = max(last, removed) + 1
    return Batch.objects.create(number=number, created_by=actor, origin=origin)


def _uploads_of(
    invoices: Sequence[Invoice], *, batch: Batch, before: _Before, now: datetime
) -> list[Upload]:
    uploads = []
    checked = preflight.check(invoices, remarks=False)
    for invoice in invoices:
        interface = invoice.invoice_setting.interface
        assert interface is not None  # noqa: S101 - those without one were left out
        upload = Upload(
            interface=interface,
            batch=batch,
            invoice=invoice,
            due=now,
            created_at=now,
            revision=before.revisions.get(invoice.pk, 0) + 1,
            unknown_since=before.unknown.get((invoice.pk, interface.pk)),
        )
        uploads.append(draft(checked[invoice.pk], upload=upload))
    for one in uploads:
        if one.unknown_since and one.state == State.QUEUED:
            # Parked before anybody knew whether it had arrived.
            one.state, one.reason = State.UNKNOWN, look_first(one.interface)
    return uploads


def look_first(interface: AccountingInterface) -> str:
    """What is said of an upload that may have arrived by an earlier try."""
    return f"Looking in {interface.package.label} first."


def draft(checked: "preflight.Checked", *, upload: Upload) -> Upload:
    """Freeze what was checked into the upload: queued, or refused with every reason.

    Its `faults` are those reasons, for whoever sorts uploads by what is to be mended.
    """
    assert checked.document is not None  # noqa: S101 - those without an interface were left out
    invoice, faults = checked.invoice, checked.refusals
    upload.kind = preflight.kind_of(invoice)
    upload.document = documents.to_json(checked.document)
    upload.state = State.REFUSED if faults else State.QUEUED
    upload.faults = tuple(faults)
    upload.reason = "\n".join(_sentence(invoice, fault) for fault in faults)
    upload.field = faults[0].field if faults else ""
    upload.code = faults[0].code if faults else ""
    upload.next_step = "\n".join(dict.fromkeys(one.next_step or CORRECT_IT for one in faults))
    return upload


def _sentence(invoice: Invoice, fault: Fault) -> str:
    where = f"Invoice {invoice.number}, line {fault.line}: " if fault.line else ""
    return f"{where}{fault.message}"


def contacts_for(
    uploads: Iterable[Upload], *, batch: Batch, now: datetime | None = None
) -> list[Upload]:
    """Uploads of the contacts not yet linked and not already on their way.

    Where the interface says so, also of linked ones that are not there as Abtrac has them now.
    """
    wanted: dict[tuple[int, int, str], tuple[AccountingInterface, Client, str]] = {}
    for one in uploads:
        assert one.invoice is not None  # noqa: S101 - only documents of invoices come here
        name = documents.contact_name(one.interface, one.invoice)
        place = (
            one.interface_id,
            one.invoice.client_id,
            documents.link_name(one.interface, name),
        )
        wanted.setdefault(place, (one.interface, one.invoice.client, name))
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
    interfaces = {interface.pk: interface for interface, _, _ in wanted.values()}
    updated = {pk for pk, interface in interfaces.items() if updates_contacts(interface)}
    due = now or clock.now()
    contacts = []
    for place, (interface, client, name) in wanted.items():
        link = links.get(place)
        if place in coming or (link and interface.pk not in updated):
            continue
        contact = contact_upload(
            client, interface=interface, name=name, link=place[2], batch=batch, due=due
        )
        if link is None or _is_outdated(contact, link):
            contacts.append(contact)
    return contacts


@transaction.atomic
def enqueue_contacts(
    *, interface: AccountingInterface, contacts: Sequence[tuple[Client, str]], actor: User | None
) -> Batch | None:
    """Queue clients, each with the name it goes by there, as a batch without invoices.

    Those linked or on their way already are left out; None where nothing is left.
    """
    named = {
        (client.pk, documents.link_name(interface, name)): (client, name)
        for client, name in contacts
    }
    clients = [client.pk for client, _ in contacts]
    links = ContactLink.objects.filter(interface=interface, client__in=clients)
    coming = Upload.objects.filter(
        interface=interface,
        kind=Upload.Kind.CONTACT,
        state__in=LIVE_COMPANION,
        client__in=clients,
    )
    there = set(links.values_list("client_id", "name"))
    there |= set(coming.values_list("client_id", "contact_name"))
    new = {place: named[place] for place in named if place not in there}
    if not new:
        return None
    batch, now = new_batch(actor, origin=Batch.Origin.CLIENTS), clock.now()
    uploads = [
        contact_upload(client, interface=interface, name=name, link=link, batch=batch, due=now)
        for (_, link), (client, name) in new.items()
    ]
    replaced = adding.follow_on(uploads)
    adding.add(uploads, actor=actor)
    lanes.wake(interface.pk)
    causes.let_go_of(replaced)
    return batch


def _is_outdated(upload: Upload, link: ContactLink) -> bool:
    """Whether the linked contact is not there as it is now; it is then named, to be updated."""
    contact = documents.contact_from_json(upload.document)
    if documents.fingerprint(contact) == link.written:
        return False
    upload.document["remote_id"] = link.remote_id
    return True


def contact_upload(
    client: Client,
    *,
    interface: AccountingInterface,
    name: str,
    link: str,
    batch: Batch,
    due: datetime,
) -> Upload:
    """The client as a contact on its way there; `link` is what its link is kept under."""
    key = document_key(
        interface_id=interface.pk, kind=Upload.Kind.CONTACT, document_id=client.pk, name=link
    )
    return Upload(
        interface=interface,
        batch=batch,
        kind=Upload.Kind.CONTACT,
        created_at=due,
        client=client,
        contact_name=link,
        due=due,
        document=documents.to_json(documents.contact_of(client, name=name, key=key)),
    )


def jobs_for(
    uploads: Sequence[Upload], *, batch: Batch, now: datetime | None = None
) -> list[Upload]:
    """Uploads of the jobs not yet linked, where the interface sends jobs at all."""
    interfaces = {one.interface_id: one.interface for one in uploads}
    sending = {pk for pk, interface in interfaces.items() if sends_jobs(interface)}
    going = [one for one in uploads if one.interface_id in sending]
    if not going:
        return []
    wanted = _wanted_jobs(going)
    job_ids = {job_id for _, job_id in wanted}
    known = set(JobLink.objects.filter(job__in=job_ids).values_list("interface_id", "job_id"))
    known |= set(
        Upload.objects.filter(
            kind=Upload.Kind.JOB, state__in=LIVE_COMPANION, job__in=job_ids
        ).values_list("interface_id", "job_id")
    )
    missing = [place for place in wanted if place not in known]
    named = Job.objects.filter(pk__in=[job_id for _, job_id in missing]).select_related("client")
    jobs = {one.pk: one for one in named}
    due = now or clock.now()
    return [
        job_upload(interfaces[interface_id], jobs[job_id], batch=batch, due=due)
        for interface_id, job_id in missing
    ]


def _wanted_jobs(uploads: Sequence[Upload]) -> dict[tuple[int, int], None]:
    """(interface, job) of each job that the invoices and their lines name, once and in order."""
    of_lines: dict[int, list[int]] = {}
    lines = InvoiceLine.objects.filter(
        invoice__in=[one.invoice_id for one in uploads], job__isnull=False
    )
    for invoice_id, job_id in lines.values_list("invoice_id", "job_id"):
        of_lines.setdefault(invoice_id, []).append(job_id)
    wanted: dict[tuple[int, int], None] = {}
    for one in uploads:
        assert one.invoice is not None  # noqa: S101 - only documents of invoices come here
        own = [one.invoice.job_id] if one.invoice.job_id else []
        for job_id in [*own, *of_lines.get(one.invoice.pk, [])]:
            wanted[(one.interface_id, job_id)] = None
    return wanted


def job_upload(interface: AccountingInterface, job: Job, *, batch: Batch, due: datetime) -> Upload:
    """The job on its way there; it comes with its client."""
    key = document_key(interface_id=interface.pk, kind=Upload.Kind.JOB, document_id=job.pk)
    contact = documents.contact_of(job.client, name=job.client.name, key=key)
    return Upload(
        interface=interface,
        batch=batch,
        kind=Upload.Kind.JOB,
        created_at=due,
        job=job,
        due=due,
        document=documents.to_json(documents.job_of(job, contact=contact, key=key)),
    )
