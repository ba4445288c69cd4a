"""What was paid of the uploaded invoices, read back from the package and kept beside them.

Documents are known by the package's own id, which the upload kept; a number alone proves nothing.
Reading the same changes twice stores them once.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Exists, OuterRef, Sum
from django.db.models.functions import Now

from connectors.base.documents import Changes, DocumentChange, Payment
from connectors.base.errors import ConnectorError
from connectors.base.protocol import ReadsPayments
from interfaces.connections import open_connector
from interfaces.models import AccountingInterface, Lane
from invoicing.models import Invoice, PackageDocument, PaymentReceived, Upload, UploadEvent
from invoicing.preflight import folded_number
from invoicing.uploads.enqueue import ORDER
from invoicing.uploads.states import DOCUMENTS, State
from offices.tenancy import acting_for

log = logging.getLogger("invoicing.payments")

# So many rows are written at a time.
AT_ONCE = 500
# Their answer is lost: the package may have them, and we do not know their id yet.
UNANSWERED = (State.SENDING, State.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class ReadBack:
    """How much one reading changed; `kept_mark` when it will be read again from the same mark."""

    payments: int = 0
    invoices: int = 0
    kept_mark: bool = False


def read_payments(*, practice_id: int, interface_id: int) -> ReadBack:
    """Read payments and document states since the last time. Raises ConnectorError.

    What was read and the mark to go on from are stored together, so neither is ever without the
    other. Not for use inside `acting_for`.
    """
    with acting_for(practice_id):
        interface = AccountingInterface.objects.get(pk=interface_id)
        mark = "" if _never_told(interface) else interface.payments_mark
    if interface.is_rehearsal or not interface.package.can(ReadsPayments):
        return ReadBack()  # what is paid in a rehearsal was never paid
    read_up_to = interface.payments_mark
    with open_connector(practice_id=practice_id, interface_id=interface_id) as connector:
        changes = connector.read_changes(mark)
    with acting_for(practice_id):
        interface = AccountingInterface.objects.select_for_update(no_key=True).get(pk=interface_id)
        if interface.payments_mark != read_up_to:
            return ReadBack()  # somebody else read meanwhile; theirs is stored
        read = _store(interface, changes)
    log.info(
        "payments read practice=%s interface=%s payments=%s invoices=%s kept_mark=%s",
        *(practice_id, interface_id, read.payments, read.invoices, read.kept_mark),
    )
    return read


def _never_told(interface: AccountingInterface) -> bool:
    """Whether no document was kept of a package that has ours: all are read, for their numbers."""
    told = PackageDocument.objects.filter(interface=OuterRef("interface"))
    sent = Upload.objects.filter(interface=interface, kind__in=DOCUMENTS, state=State.SENT)
    return sent.exclude(Exists(told)).exists()


def read_quietly(*, practice_id: int, interface_id: int) -> str:
    """As `read_payments`, but a failure is answered as its words: the next reading catches up."""
    try:
        read_payments(practice_id=practice_id, interface_id=interface_id)
    except ConnectorError as error:
        log.warning(
            "payments not read practice=%s interface=%s error=%s",
            *(practice_id, interface_id, type(error).__name__),
        )
        return str(error)
    return ""


def due_interfaces() -> list[tuple[int, int]]:
    """(practice, interface) of those connected to a package that tells of payments."""
    known = Lane.objects.order_by("practice_id").values_list("practice_id", "interface_id")
    by_practice: dict[int, list[int]] = {}
    for practice_id, interface_id in known:
        by_practice.setdefault(practice_id, []).append(interface_id)
    due: list[tuple[int, int]] = []
    for practice_id, interface_ids in by_practice.items():
        with acting_for(practice_id):
            connected = AccountingInterface.objects.filter(
                pk__in=interface_ids,
                state=AccountingInterface.State.CONNECTED,
                rehearsal_token="",
            )
            due += [(practice_id, one.pk) for one in connected if one.package.can(ReadsPayments)]
    return due


def _store(interface: AccountingInterface, changes: Changes) -> ReadBack:
    ours, wait = _ours(interface, changes)
    received = [one for one in changes.payments if one.document_id in ours]
    _keep(interface, received, ours)
    changed = _update(ours, received=received, documents=changes.documents)
    _keep_documents(interface, changes.documents)
    interface.payments_read_at = Now()  # the database's own clock, as everywhere
    if not wait:
        interface.payments_mark = changes.mark
    interface.save(update_fields=["payments_mark", "payments_read_at"])
    return ReadBack(payments=len(received), invoices=changed, kept_mark=wait)


def _ours(interface: AccountingInterface, changes: Changes) -> tuple[dict[str, Upload], bool]:
    """The upload that brought each document there, with its invoice held against other writers.

    And whether a change may concern one whose id is still being found out: it must be read again
    once the id is known, or its payment would be missed.
    """
    remote_ids = {one.document_id for one in changes.payments}
    remote_ids |= {one.remote_id for one in changes.documents}
    numbers = {one.number for one in changes.payments}
    numbers |= {one.number for one in changes.documents}
    documents = Upload.objects.filter(interface=interface, kind__in=DOCUMENTS).select_related(
        "interface"
    )
    sent = documents.filter(state=State.SENT, remote_id__in=remote_ids)
    waiting = documents.filter(state__in=UNANSWERED, invoice__number__in=numbers)
    invoices = (
        Invoice.objects.select_for_update(no_key=True)
        .filter(pk__in=sent.values("invoice"))
        .order_by(*ORDER)
        .in_bulk()
    )
    ours: dict[str, Upload] = {}
    wait = False
    # Looked at only once the invoices are held: a link taken back meanwhile is none of ours. All in
    # one statement, so that nothing is answered between the one question and the other.
    for one in sent.union(waiting, all=True):
        invoice = invoices.get(one.invoice_id or 0)
        if one.state == State.SENT and invoice is not None:
            one.invoice = invoice
            ours[one.remote_id] = one
        else:
            wait = True
    return ours, wait


def _keep(
    interface: AccountingInterface, received: Sequence[Payment], ours: Mapping[str, Upload]
) -> None:
    """One row for each payment, whenever it is read; the package's latest word of it counts."""
    rows = {
        one.remote_id: PaymentReceived(
            interface=interface,
            invoice=_invoice(ours[one.document_id]),
            remote_id=one.remote_id,
            paid_on=one.paid_on,
            amount=one.amount * _sign(ours[one.document_id]),
            reference=one.reference[:255],
            reversed=one.reversed,
        )
        for one in received
    }
    PaymentReceived.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["interface", "remote_id"],
        update_fields=["invoice", "paid_on", "amount", "reference", "reversed"],
    )


def _keep_documents(interface: AccountingInterface, documents: Sequence[DocumentChange]) -> None:
    """Whose numbers are taken in the package; what was deleted there frees its own."""
    for some in _batches(documents):
        # One that changed while the list was read may come twice; one statement takes each once.
        told = {(one.of_credit_note, one.remote_id): one for one in some}
        gone = [one.remote_id for one in told.values() if one.status in interface.package.gone]
        if gone:
            PackageDocument.objects.filter(interface=interface, remote_id__in=gone).delete()
        PackageDocument.objects.bulk_create(
            [
                _document(interface, one)
                for one in told.values()
                if one.status not in interface.package.gone
            ],
            update_conflicts=True,
            unique_fields=["interface", "kind", "remote_id"],
            update_fields=[
                *("number", "folded", "contact_id", "contact_name", "issued", "currency"),
                *("total", "status"),
            ],
        )


def _batches(documents: Sequence[DocumentChange]) -> Iterator[Sequence[DocumentChange]]:
    for start in range(0, len(documents), AT_ONCE):
        yield documents[start : start + AT_ONCE]


def _document(interface: AccountingInterface, told: DocumentChange) -> PackageDocument:
    number = told.number[:255]
    return PackageDocument(
        interface=interface,
        kind=Upload.Kind.CREDIT_NOTE if told.of_credit_note else Upload.Kind.INVOICE,
        remote_id=told.remote_id[:100],
        number=number,
        folded=folded_number(number),
        contact_id=told.contact_id[:100],
        contact_name=told.contact_name[:255],
        issued=told.issued,
        currency=told.currency[:3],
        total=told.total,
        status=told.status[:20],
    )


def _update(
    ours: Mapping[str, Upload],
    *,
    received: Sequence[Payment],
    documents: Sequence[DocumentChange],
) -> int:
    """Say on each invoice what is paid and where it stands, and in its history when that changed.

    The package's own sum counts; where it told only of payments, they are added up.
    """
    told = {one.remote_id: one for one in documents if one.remote_id in ours}
    only_paid = {one.document_id for one in received} - told.keys()
    added_up = _added_up([ours[one] for one in only_paid])
    changed: dict[int, str] = {}
    for remote_id in {*told, *only_paid}:
        invoice, change = _invoice(ours[remote_id]), told.get(remote_id)
        before = invoice.paid, invoice.package_status
        if change:
            invoice.paid = change.paid * _sign(ours[remote_id])
            invoice.package_status = change.status[:20]
        else:
            invoice.paid = added_up.get(invoice.pk, Decimal(0))
        if before != (invoice.paid, invoice.package_status):
            changed[ours[remote_id].pk] = _in_words(ours[remote_id], *before)
    uploads = [one for one in ours.values() if one.pk in changed]
    Invoice.objects.bulk_update([_invoice(one) for one in uploads], ["paid", "package_status"])
    UploadEvent.objects.bulk_create(
        UploadEvent(upload=one, before=State.SENT, after=State.SENT, reason=changed[one.pk])
        for one in uploads
    )
    return len(changed)


def _added_up(uploads: Sequence[Upload]) -> dict[int, Decimal]:
    standing = PaymentReceived.objects.filter(
        invoice__in=[one.invoice_id for one in uploads], reversed=False
    )
    return dict(standing.values_list("invoice_id").annotate(paid=Sum("amount")))


def _invoice(upload: Upload) -> Invoice:
    assert upload.invoice is not None  # noqa: S101 - a document's upload names its invoice
    return upload.invoice


def _sign(upload: Upload) -> int:
    """Credit notes are negative here and positive in every package."""
    return -1 if upload.kind == Upload.Kind.CREDIT_NOTE else 1


def _in_words(upload: Upload, paid: Decimal, status: str) -> str:
    """What changed, for the upload's history."""
    invoice, told = _invoice(upload), []
    if invoice.paid != paid:
        told.append(f"Paid {invoice.paid:,.2f} of {invoice.total:,.2f}.")
    if invoice.package_status != status:
        label = upload.interface.package.label
        told.append(f"{label} says {invoice.package_status.lower()}.")
    return " ".join(told)
