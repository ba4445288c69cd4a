"""What is told of invoices and their uploads. Needs a scope."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Prefetch, QuerySet

from interfaces import clock
from invoicing import words
from invoicing.badges import badges_of
from invoicing.models import Invoice, InvoicePdf, PaymentReceived, Upload, UploadEvent
from invoicing.prospects import Prospect, look_ahead
from invoicing.uploads.states import DOCUMENTS, State

# An event may become visible after one that is numbered higher; so young ones are told again.
SETTLED = timedelta(minutes=1)
FIRST = 0
TOLD = (*DOCUMENTS, Upload.Kind.VOID)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Uploads in the order of their latest events; `next` is None on the last page."""

    uploads: list[Upload]
    next: int | None
    mark: int


def invoice(abtrac_id: str) -> Invoice | None:
    """The invoice with all that is told of it."""
    found = (
        Invoice.objects.filter(abtrac_id=abtrac_id)
        .select_related("client", "job", "office", "invoice_setting", "credits")
        .prefetch_related(
            Prefetch("uploads", queryset=_documents().order_by("-pk"), to_attr="documents"),
            Prefetch("payments", queryset=PaymentReceived.objects.order_by("paid_on", "pk")),
        )
        .first()
    )
    if found:
        documents: Sequence[Upload] = found.documents  # type: ignore[assignment]
        look_ahead(documents)
    return found


def changed_since(mark: int, *, limit: int) -> Page:
    """Uploads and voids of documents to which anything has happened since the mark, as now."""
    in_earnest = UploadEvent.objects.filter(upload__interface__rehearsal_token="")
    events = in_earnest.filter(pk__gt=mark, upload__kind__in=TOLD).order_by("pk")
    found = list(events.values_list("pk", "upload_id")[: limit + 1])
    page = found[:limit]
    last = page[-1][0] if page else mark
    uploads = _told().in_bulk([upload_id for _, upload_id in page])
    look_ahead(uploads.values())
    latest = dict.fromkeys(upload_id for _, upload_id in reversed(page))
    return Page(
        uploads=[uploads[one] for one in reversed(latest)],
        next=last if len(found) > limit else None,
        mark=_settled(mark, last),
    )


def _settled(mark: int, last: int) -> int:
    """The last event told that nothing older can still join."""
    settled = UploadEvent.objects.filter(
        pk__gt=mark, pk__lte=last, at__lt=clock.now() - SETTLED
    ).order_by("-pk")
    return settled.values_list("pk", flat=True).first() or mark


def _documents() -> QuerySet[Upload]:
    return _told().filter(kind__in=DOCUMENTS)


def _told() -> QuerySet[Upload]:
    # What was only rehearsed is in no accounts, so Abtrac is told nothing of it.
    uploads = Upload.objects.filter(kind__in=TOLD, interface__rehearsal_token="")
    return uploads.select_related("invoice", "batch", "interface__lane")


def tell_invoice(invoice: Invoice) -> dict[str, Any]:
    """The invoice, what was paid of it, and its latest upload."""
    documents: Sequence[Upload] = invoice.documents  # type: ignore[attr-defined]
    return {
        "abtrac_id": invoice.abtrac_id,
        "number": invoice.number,
        "status": invoice.status,
        "revision": invoice.revision,
        "office": invoice.office.abtrac_id,
        "invoice_setting": invoice.invoice_setting.abtrac_id,
        "client": invoice.client.abtrac_id,
        "job": invoice.job.abtrac_id if invoice.job else "",
        "credits": invoice.credits.abtrac_id if invoice.credits else "",
        "issued": invoice.issued,
        "due": invoice.due,
        "currency": invoice.currency,
        "net": invoice.net,
        "tax": invoice.tax,
        "total": invoice.total,
        "badge": badges_of([invoice])[invoice.pk].words,
        "parked": invoice.parked_at is not None,
        "in_accounts": invoice.in_accounts_at is not None,
        "paid": invoice.paid,
        "package_status": invoice.package_status if _is_there(documents) else "",
        "pdf": _tell_pdf(invoice),
        "upload": tell_upload(documents[0]) if documents else None,
        "payments": [_tell_payment(one) for one in invoice.payments.all()],
    }


def _is_there(documents: Sequence[Upload]) -> bool:
    """How a document stands that was taken back since is nothing to tell."""
    return any(one.state == State.SENT for one in documents)


def tell_upload(upload: Upload) -> dict[str, Any]:
    """Where the upload stands, in words an accounts person understands."""
    assert upload.invoice is not None  # noqa: S101 - a document's upload names its invoice
    prospect: Prospect = upload.prospect  # type: ignore[attr-defined]
    return {
        "invoice": upload.invoice.abtrac_id,
        "number": upload.invoice.number,
        "batch": upload.batch.number,
        "interface": upload.interface.name,
        "package": upload.interface.package.label,
        "kind": upload.kind,
        "state": upload.state,
        "state_in_words": words.state_of(upload).words,
        "reason": prospect.reason,
        "next_step": prospect.next_step,
        "warnings": upload.warnings,
        "next_try": prospect.at,
        "sent_at": upload.sent_at,
        "package_id": upload.remote_id,
        "package_number": upload.remote_number,
        "link": upload.remote_url,
        "paid": upload.invoice.paid,
        "package_status": upload.invoice.package_status if _is_there([upload]) else "",
    }


def _tell_pdf(invoice: Invoice) -> Mapping[str, Any] | None:
    pdf = InvoicePdf.objects.filter(invoice=invoice).defer("content").first()
    return tell_pdf(pdf) if pdf else None


def tell_pdf(pdf: InvoicePdf) -> dict[str, Any]:
    """By what the PDF that is kept can be recognised."""
    return {
        "file_name": pdf.file_name,
        "sha256": pdf.sha256,
        "received_at": pdf.received_at,
    }


def _tell_payment(payment: PaymentReceived) -> dict[str, Any]:
    return {
        "package_id": payment.remote_id,
        "paid_on": payment.paid_on,
        "amount": payment.amount,
        "reference": payment.reference,
        "reversed": payment.reversed,
    }
