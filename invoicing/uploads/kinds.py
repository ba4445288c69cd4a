"""How each kind of upload is built, posted, found again and remembered."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from connectors.base.documents import Allocation, Attachment, Key, Voiding
from connectors.base.protocol import Found, Outcome, Package, PushesJobs, UpdatesContacts
from interfaces.models import AccountingInterface
from invoicing import documents, preflight
from invoicing.contact_book import fold
from invoicing.models import (
    Attempt,
    ContactLink,
    Invoice,
    InvoiceLine,
    InvoicePdf,
    JobLink,
    PackageContact,
    PackageDocument,
    Upload,
)
from invoicing.uploads import followups, states
from invoicing.uploads.states import DOCUMENTS, FAILED, State

Kind = Upload.Kind


class Carrier(ABC):
    """One kind's way to the package and back."""

    # As in the connector's `post_...` and `find_...`.
    plural: ClassVar[str]
    # Goes by itself even where the package takes many a call.
    alone: ClassVar[bool] = False

    @abstractmethod
    def build(
        self, uploads: Sequence[Upload], *, links: Mapping[int, str] | None = None
    ) -> list[Any]:
        """The documents, in order. Reads the database; runs inside a scope.

        `links` are their contact ids where the caller has just asked for them.
        """

    def post(self, connector: Any, built: Sequence[Any], *, call_key: str) -> list[Outcome]:
        """Create them. Runs outside every transaction."""
        outcomes: list[Outcome] = getattr(connector, f"post_{self.plural}")(
            built, call_key=call_key
        )
        return outcomes

    def find(self, connector: Any, built: Sequence[Any]) -> dict[Key, Found]:
        """Ask after them. Runs outside every transaction."""
        found: dict[Key, Found] = getattr(connector, f"find_{self.plural}")(built)
        return found

    def looks_first(self, uploads: Sequence[Upload], package: Package) -> bool:
        """Whether they are looked for before they are created."""
        return package.limits.look_before_create

    def goes_with(self, first: Upload, other: Upload) -> bool:
        """Whether the other may go in one call with the first."""
        return not self.alone

    def remember(self, uploads: Sequence[Upload]) -> list[Upload]:
        """What must be known of documents that have arrived, in the transaction that says so.

        Answers the uploads that moved with them, whose batches the caller finishes.
        """
        return []


class _Contacts(Carrier):
    """A contact is created, or, when it names one that is there, brought up to date."""

    plural = "contacts"

    def looks_first(self, uploads: Sequence[Upload], package: Package) -> bool:
        return not _is_update(uploads[0])

    def goes_with(self, first: Upload, other: Upload) -> bool:
        return _is_update(first) == _is_update(other)

    def build(
        self, uploads: Sequence[Upload], *, links: Mapping[int, str] | None = None
    ) -> list[Any]:
        return [documents.contact_from_json(one.document) for one in uploads]

    def post(self, connector: Any, built: Sequence[Any], *, call_key: str) -> list[Outcome]:
        if not any(one.remote_id for one in built):
            return super().post(connector, built, call_key=call_key)
        outcomes: list[Outcome] = connector.update_contacts(built, call_key=call_key)
        return outcomes

    def find(self, connector: Any, built: Sequence[Any]) -> dict[Key, Found]:
        # Whether an update arrived cannot be seen; doing it again is harmless.
        new = [one for one in built if not one.remote_id]
        return super().find(connector, new) if new else {}

    def remember(self, uploads: Sequence[Upload]) -> list[Upload]:
        # What was matched was not written by us.
        written = set(
            Attempt.objects.filter(upload__in=uploads).values_list("upload_id", flat=True)
        )
        ContactLink.objects.bulk_create(
            [
                ContactLink(
                    interface=one.interface,
                    client_id=one.client_id or 0,
                    name=one.contact_name,
                    remote_id=one.remote_id,
                    remote_url=one.remote_url,
                    written=_fingerprint(one) if one.pk in written else "",
                )
                for one in uploads
            ],
            update_conflicts=True,
            unique_fields=["interface", "client", "name"],
            update_fields=["remote_id", "remote_url", "written"],
        )
        _list(uploads)
        return []


def _list(uploads: Sequence[Upload]) -> None:
    """Contacts that are there now, as the package will list them when it is read again."""
    listed = [one for one in uploads if one.interface.contacts_read_at and not _is_update(one)]
    rows = {(one.interface_id, one.remote_id): one for one in listed}
    if rows:
        PackageContact.objects.bulk_create(
            [
                PackageContact(
                    interface=one.interface,
                    remote_id=one.remote_id,
                    name=one.document["name"][:255],
                    folded=fold(one.document["name"])[:255],
                    number=one.document["number"][:100],
                    email=one.document["email"][:254],
                    url=one.remote_url,
                )
                for one in rows.values()
            ],
            ignore_conflicts=True,
        )


def _is_update(upload: Upload) -> bool:
    return bool(upload.document.get("remote_id"))


def _fingerprint(upload: Upload) -> str:
    return documents.fingerprint(documents.contact_from_json(upload.document))


class _Jobs(Carrier):
    plural = "jobs"

    def looks_first(self, uploads: Sequence[Upload], package: Package) -> bool:
        return True

    def build(
        self, uploads: Sequence[Upload], *, links: Mapping[int, str] | None = None
    ) -> list[Any]:
        return [documents.job_from_json(one.document) for one in uploads]

    def remember(self, uploads: Sequence[Upload]) -> list[Upload]:
        JobLink.objects.bulk_create(
            [
                JobLink(interface=one.interface, job_id=one.job_id or 0, remote_id=one.remote_id)
                for one in uploads
            ],
            update_conflicts=True,
            unique_fields=["interface", "job"],
            update_fields=["remote_id"],
        )
        return []


class _Invoices(Carrier):
    plural = "invoices"

    def build(
        self, uploads: Sequence[Upload], *, links: Mapping[int, str] | None = None
    ) -> list[Any]:
        links = contact_ids(uploads) if links is None else links
        return [
            documents.invoice_from_json(one.document, contact_id=links.get(one.pk, ""))
            for one in uploads
        ]


class _CreditNotes(_Invoices):
    plural = "credit_notes"


class _Allocations(Carrier):
    plural = "allocations"
    alone = True

    def looks_first(self, uploads: Sequence[Upload], package: Package) -> bool:
        return True

    def build(
        self, uploads: Sequence[Upload], *, links: Mapping[int, str] | None = None
    ) -> list[Any]:
        return [
            Allocation(
                key=one.document["key"],
                credit_note_id=one.document["credit_note_id"],
                invoice_id=one.document["invoice_id"],
                issued=one.invoice.issued,
                amount=Decimal(one.document["amount"]),
            )
            for one in uploads
            if one.invoice
        ]


class _Pdfs(Carrier):
    plural = "attachments"
    alone = True

    def build(
        self, uploads: Sequence[Upload], *, links: Mapping[int, str] | None = None
    ) -> list[Any]:
        pdfs = {
            pdf.invoice_id: pdf
            for pdf in InvoicePdf.objects.filter(invoice__in=[one.invoice_id for one in uploads])
        }
        return [
            Attachment(
                key=one.document["key"],
                document_id=one.document["document_id"],
                of_credit_note=one.document["of_credit_note"],
                file_name=pdfs[one.invoice_id].file_name,
                content=bytes(pdfs[one.invoice_id].content),
            )
            for one in uploads
            if one.invoice_id
        ]


class _Voids(Carrier):
    """Takes back what an earlier upload brought there."""

    plural = "voids"
    alone = True

    def build(
        self, uploads: Sequence[Upload], *, links: Mapping[int, str] | None = None
    ) -> list[Any]:
        return [
            Voiding(
                key=one.document["key"],
                document_id=one.document["document_id"],
                of_credit_note=one.document["of_credit_note"],
                number=one.document["number"],
                total=Decimal(one.document["total"]),
            )
            for one in uploads
        ]

    def post(self, connector: Any, built: Sequence[Any], *, call_key: str) -> list[Outcome]:
        outcomes: list[Outcome] = connector.void(built, call_key=call_key)
        return outcomes

    def find(self, connector: Any, built: Sequence[Any]) -> dict[Key, Found]:
        found: dict[Key, Found] = connector.find_voided(built)
        return found

    def remember(self, uploads: Sequence[Upload]) -> list[Upload]:
        return [each for one in uploads for each in _void_with(one)]


def _void_with(upload: Upload) -> list[Upload]:
    """The document stands no more, and with it what hung on it: all of that is over.

    So its invoice may go anew, with a PDF of its own, and be voided again. Answers what moved.
    """
    voided = Upload.objects.select_for_update(of=("self",), no_key=True).get(
        interface=upload.interface_id,
        invoice=upload.invoice_id,
        kind__in=DOCUMENTS,
        state=State.SENT,
        remote_id=upload.document["document_id"],
    )
    steps = [one for one in followups.following(voided) if one.pk != upload.pk]
    voided.reason = f"Voided in {upload.interface.package.label} ({upload.batch})."
    # Nobody need look for it before the invoice goes anew.
    voided.unknown_since = None
    states.move([voided], State.VOIDED, fields=("reason", "unknown_since"))
    _tell_taken_back(voided, upload)
    states.move([upload, *(one for one in steps if one.state == State.SENT)], State.VOIDED)
    left = [one for one in steps if one.state in (State.QUEUED, State.UNKNOWN, *FAILED)]
    # Whether it arrived does not matter any more.
    states.move([one for one in left if one.state == State.UNKNOWN], State.NEEDS_PERSON)
    for one in left:
        one.reason, one.next_step = "What it was to hang on was voided.", ""
    states.move(left, State.CANCELLED, fields=("reason", "next_step"), same={"due": None})
    # How that document stood is over as well. Whoever holds the invoice is not waited for: others
    # lock it before uploads, and the next reading says how what is there then stands.
    free = Invoice.objects.filter(pk=upload.invoice_id or 0)
    free = free.select_for_update(no_key=True, skip_locked=True)
    Invoice.objects.filter(pk__in=free.values("pk")).update(package_status="")
    return [voided, *steps]


def _tell_taken_back(voided: Upload, upload: Upload) -> None:
    """Keep how the document stands now: whether its number is free is asked before it is read."""
    status = (upload.there or {}).get("status", "")
    interface = upload.interface
    if not status:
        return
    if status in interface.package.gone:
        told = PackageDocument.objects.filter(interface=interface, remote_id=voided.remote_id)
        told.filter(kind=voided.kind).delete()
        return
    sent = voided.document
    number = (upload.remote_number or upload.document["number"])[:255]
    PackageDocument.objects.bulk_create(
        [
            PackageDocument(
                interface=interface,
                kind=voided.kind,
                remote_id=voided.remote_id,
                number=number,
                folded=preflight.folded_number(number),
                contact_name=sent.get("contact", {}).get("name", "")[:255],
                issued=sent.get("issued"),
                currency=sent.get("currency", ""),
                total=Decimal(upload.document["total"]),
                status=status[:20],
            )
        ],
        update_conflicts=True,
        unique_fields=["interface", "kind", "remote_id"],
        # What the package told of it stays.
        update_fields=["status"],
    )


CARRIERS: Mapping[str, Carrier] = {
    Kind.CONTACT: _Contacts(),
    Kind.JOB: _Jobs(),
    Kind.INVOICE: _Invoices(),
    Kind.CREDIT_NOTE: _CreditNotes(),
    Kind.ALLOCATION: _Allocations(),
    Kind.PDF: _Pdfs(),
    Kind.VOID: _Voids(),
}


def contact_ids(uploads: Sequence[Upload]) -> dict[int, str]:
    """The package's contact id for each invoice's upload that has one."""
    clients = {one.invoice.client_id for one in uploads if one.invoice}
    if not clients:
        return {}
    known = ContactLink.objects.filter(client__in=clients)
    links = {
        (interface_id, client_id, name): remote_id
        for interface_id, client_id, name, remote_id in known.values_list(
            "interface_id", "client_id", "name", "remote_id"
        )
    }
    found = {}
    for one in uploads:
        if one.invoice is None:
            continue
        name = documents.link_name(one.interface, one.document["contact"]["name"])
        remote_id = links.get((one.interface_id, one.invoice.client_id, name))
        if remote_id:
            found[one.pk] = remote_id
    return found


@dataclass(frozen=True, kw_only=True)
class Block:
    """Why a document cannot go, and what somebody must do first."""

    field: str
    reason: str
    next_step: str
    # The contact or job itself, where it was tried and failed.
    step: Upload | None


def blocked_by(uploads: Sequence[Upload], linked: Mapping[int, str]) -> dict[int, Block]:
    """For invoices whose contact or job is not there and not coming either: why, by upload."""
    return {**_job_blocks(uploads), **_contact_blocks(uploads, linked)}


def _contact_blocks(uploads: Sequence[Upload], linked: Mapping[int, str]) -> dict[int, Block]:
    if all(one.pk in linked for one in uploads):
        return {}
    stuck = {
        (one.interface_id, one.client_id, one.contact_name): one
        for one in Upload.objects.filter(
            kind=Kind.CONTACT,
            state__in=FAILED,
            client__in={one.invoice.client_id for one in uploads if one.invoice},
        ).order_by("pk")
    }
    blocks = {}
    for one in uploads:
        if one.invoice is None or one.pk in linked:
            continue
        name = one.document["contact"]["name"]
        link = documents.link_name(one.interface, name)
        failed = stuck.get((one.interface_id, one.invoice.client_id, link))
        label = one.interface.package.label
        reason = failed.reason if failed else f"{name} is not linked to a contact in {label}."
        blocks[one.pk] = _block("contact", reason, failed)
    return blocks


def _job_blocks(uploads: Sequence[Upload]) -> dict[int, Block]:
    """Without their job the invoices would arrive incomplete, and nobody would be told."""
    with_jobs = [one for one in uploads if sends_jobs(one.interface)]
    jobs_of = _jobs_of(with_jobs) if with_jobs else {}
    wanted = set().union(*jobs_of.values())
    if not wanted:
        return {}
    linked = set(JobLink.objects.filter(job__in=wanted).values_list("interface_id", "job_id"))
    stuck = {
        (one.interface_id, one.job_id): one
        for one in Upload.objects.filter(kind=Kind.JOB, state__in=FAILED, job__in=wanted)
        .select_related("job")
        .order_by("pk")
        if (one.interface_id, one.job_id) not in linked
    }
    blocks = {}
    for one in uploads:
        failed = next(
            (
                stuck[(one.interface_id, job)]
                for job in sorted(jobs_of.get(one.pk, ()))
                if (one.interface_id, job) in stuck
            ),
            None,
        )
        if failed:
            blocks[one.pk] = _block("job", f"Job {failed.job}: {failed.reason}", failed)
    return blocks


def _jobs_of(uploads: Sequence[Upload]) -> dict[int, set[int]]:
    """The jobs that each upload's invoice and lines name."""
    found: dict[int, set[int]] = {}
    for one in uploads:
        if one.invoice and one.invoice.job_id:
            found.setdefault(one.pk, set()).add(one.invoice.job_id)
    pairs = InvoiceLine.objects.filter(invoice__uploads__in=uploads, job__isnull=False).values_list(
        "invoice__uploads", "job_id"
    )
    for upload_id, job_id in pairs:
        found.setdefault(upload_id, set()).add(job_id)
    return found


def _block(field: str, reason: str, failed: Upload | None) -> Block:
    first = failed.next_step if failed else ""
    if not first:
        first = f"Settle the {field} first, then retry this invoice."
    return Block(field=field, reason=reason, next_step=first, step=failed)


def updates_contacts(interface: AccountingInterface) -> bool:
    """Whether the practice wants contacts that are there brought up to date."""
    return interface.package.can(UpdatesContacts) and bool(interface.preference("update_contacts"))


def sends_jobs(interface: AccountingInterface) -> bool:
    """Whether jobs go to this interface: the package has a place and the practice wants it."""
    wanted = interface.preference("jobs")
    return interface.package.can(PushesJobs) and wanted not in (None, False, "", "none")


def may_create(kind: str, interface: AccountingInterface) -> bool:
    """Whether the practice lets us create what is not there yet."""
    return kind != Kind.CONTACT or interface.preference("add_contacts") is not False
