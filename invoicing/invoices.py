"""The life of an invoice: Draft, Approved, Committed, and the way back while nothing is sent.

Every function takes Abtrac's own invoice IDs, does all of them or none, and is harmless when
repeated. Needs a scope.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.text import get_valid_filename

from interfaces import clock, lanes
from interfaces.common_settings import UPLOAD_ON_COMMIT
from interfaces.models import AccountingInterface
from invoicing import causes, rehearsals
from invoicing.models import Batch, Invoice, InvoicePdf, Upload
from invoicing.uploads import enqueue, followups, states, voiding
from invoicing.uploads.outcomes import finish_batches
from invoicing.uploads.states import CONFLICT, DOCUMENTS, LIVE, MOVING, State
from invoicing.uploads.voiding import CannotVoid, why_not_void

Status = Invoice.Status
# Something else stands in its place there, and no write of ours was left unanswered: it surely was
# not taken.
_CLASHING = Q(state=State.NEEDS_PERSON, code=CONFLICT, unknown_since__isnull=True)

# No more than the packages take, so that no PDF is kept that cannot be attached.
PDF_MAX_BYTES = 10_000_000
PDF_MAGIC = b"%PDF-"


# What may be done about an invoice that is in the accounts.
VOID, CREDIT_NOTE = "void", "credit_note"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why one invoice could not be moved, in words. `clash`: it exists, but stands otherwise.

    `choices` are what can be done instead.
    """

    invoice_id: str
    code: str
    message: str
    clash: bool = True
    choices: Sequence[str] = ()


class Refused(Exception):
    """Nothing was changed; `refusals` names every invoice that stood in the way."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(" ".join(one.message for one in refusals))
        self.refusals = refusals


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Abtrac's IDs of the invoices that moved, and of those that were there already."""

    changed: list[str]
    unchanged: list[str]


@dataclass(frozen=True, kw_only=True)
class Committed(Moved):
    """Likewise, and the number of the batch in which some of them go to the accounts at once."""

    batch: int | None


@dataclass(frozen=True, kw_only=True)
class KeptPdf:
    """The PDF as it is kept now; `changed` unless the very same one was there before."""

    pdf: InvoicePdf
    changed: bool


def approve(*, invoice_ids: Sequence[str]) -> Moved:
    """Approve drafts. Those that are approved or committed stay as they are. Raises Refused."""
    return _move(invoice_ids, {Status.DRAFT}, {"status": Status.APPROVED}, lambda _: [])


def commit(*, invoice_ids: Sequence[str]) -> Committed:
    """Lock approved invoices, so that they are offered for upload. Raises Refused.

    Where their interface has the preference, those with which nothing is wrong are uploaded.
    """

    def drafts(invoices: Iterable[Invoice]) -> list[Refusal]:
        return [
            Refusal(
                invoice_id=one.abtrac_id,
                code="not_approved",
                message=f"Invoice {one.number} is a draft. Approve it first.",
            )
            for one in invoices
            if one.status == Status.DRAFT
        ]

    now = {"status": Status.COMMITTED, "committed_at": clock.now()}
    moved = _move(invoice_ids, {Status.APPROVED}, now, drafts)
    batch = _upload(moved.changed)
    return Committed(**vars(moved), batch=batch.number if batch else None)


def _upload(invoice_ids: Sequence[str]) -> Batch | None:
    """Upload those just committed that go to the accounts by themselves."""
    wanted = {f"preferences__{UPLOAD_ON_COMMIT}": True}
    through = AccountingInterface.objects.filter(**wanted, live_since__isnull=False)
    interfaces = list(through.values_list("pk", flat=True)) if invoice_ids else []
    if not interfaces:
        return None
    chosen = Invoice.objects.filter(
        abtrac_id__in=invoice_ids, invoice_setting__interface__in=interfaces
    )
    ids = list(chosen.values_list("pk", flat=True))
    return enqueue(invoice_ids=ids, actor=None, origin=Batch.Origin.COMMIT).batch


def uncommit(*, invoice_ids: Sequence[str]) -> Moved:
    """Unlock committed invoices, back to approved.

    Raises Refused for those uploaded, or on their way: what the accounts hold must stay true here.
    What was only rehearsed is forgotten.
    """
    back = {"status": Status.APPROVED, "committed_at": None}
    moved = _move(invoice_ids, {Status.COMMITTED}, back, _uploaded)
    rehearsals.forget_invoices(invoice_ids)
    _withdraw(invoice_ids)
    refused = Upload.objects.filter(invoice__abtrac_id__in=invoice_ids, has_causes=True)
    causes.let_go(list(refused.select_for_update(of=("self",), no_key=True).order_by("id")))
    return moved


def _withdraw(invoice_ids: Sequence[str]) -> None:
    """What clashed with something else there was not taken, and may be corrected and sent anew."""
    clashing = list(
        Upload.objects.filter(invoice__abtrac_id__in=invoice_ids, kind__in=DOCUMENTS)
        .filter(_CLASHING)
        .select_for_update(of=("self",))
        .order_by("id")
    )
    for one in clashing:
        one.reason, one.next_step = "Un-committed in Abtrac, to be corrected.", ""
    states.move(clashing, State.CANCELLED, fields=("reason", "next_step"))


def void(*, invoice_id: str, reason: str) -> Batch:
    """Queue the voiding of the invoice where it was sent to. Raises Refused."""
    invoice = Invoice.objects.filter(abtrac_id=invoice_id).first()
    if invoice is None:
        raise Refused([_unknown(invoice_id)])
    try:
        return voiding.void(invoice_id=invoice.pk, reason=reason, actor=None)
    except CannotVoid as error:
        message = f"Invoice {invoice.number} cannot be voided. {error}"
        raise Refused(
            [Refusal(invoice_id=invoice_id, code="cannot_be_voided", message=message)]
        ) from None


def keep_pdf(*, invoice_id: str, content: bytes) -> KeptPdf:
    """Keep the PDF as the invoice's own; one that was sent already gets it as a step of its own.

    Raises Refused when there is no such invoice, it is no PDF, or another one is on its way.
    """
    invoice = Invoice.objects.select_for_update(no_key=True).filter(abtrac_id=invoice_id).first()
    if invoice is None:
        raise Refused([_unknown(invoice_id)])
    if not content.startswith(PDF_MAGIC):
        raise Refused([_not_a_pdf(invoice)])
    digest = hashlib.sha256(content).hexdigest()
    before = InvoicePdf.objects.filter(invoice=invoice).defer("content").first()
    if before and before.sha256 == digest:
        return KeptPdf(pdf=before, changed=False)
    pdfs = Upload.objects.filter(invoice=invoice, kind=Upload.Kind.PDF, state__in=LIVE)
    gone = pdfs.filter(interface__rehearsal_token="").first()
    if gone:
        raise Refused([_pdf_gone(invoice, gone)])
    rehearsals.forget_invoices([invoice_id], kinds=[Upload.Kind.PDF])
    pdf, _ = InvoicePdf.objects.update_or_create(
        invoice=invoice,
        defaults={
            "file_name": f"{get_valid_filename(f'Invoice {invoice.number}')[:190]}.pdf",
            "content": content,
            "sha256": digest,
            "received_at": clock.now(),
        },
    )
    _follow(invoice)
    return KeptPdf(pdf=pdf, changed=True)


def _move(
    invoice_ids: Sequence[str],
    moved_from: set[Status],
    values: Mapping[str, Any],
    why_not: Callable[[list[Invoice]], list[Refusal]],
) -> Moved:
    invoices = _locked(invoice_ids)
    known = {one.abtrac_id for one in invoices}
    refusals = [_unknown(one) for one in dict.fromkeys(invoice_ids) if one not in known]
    refusals += why_not(invoices)
    if refusals:
        raise Refused(refusals)
    changed = [one for one in invoices if one.status in moved_from]
    Invoice.objects.filter(pk__in=[one.pk for one in changed]).update(**values)
    return Moved(
        changed=[one.abtrac_id for one in changed],
        unchanged=[one.abtrac_id for one in invoices if one.status not in moved_from],
    )


def _locked(invoice_ids: Sequence[str]) -> list[Invoice]:
    """The invoices, held against an upload or a change; in the order in which uploads hold them."""
    chosen = Invoice.objects.filter(abtrac_id__in=set(invoice_ids))
    return list(chosen.select_for_update(no_key=True).order_by("issued", "number", "id"))


def _uploaded(invoices: Sequence[Invoice]) -> list[Refusal]:
    committed = [one for one in invoices if one.status == Status.COMMITTED]
    live: dict[int, Upload] = {}
    beside: dict[int, list[Upload]] = {}
    for one in Upload.objects.filter(
        ~_CLASHING, invoice__in=committed, state__in=LIVE, interface__rehearsal_token=""
    ).select_related("interface", "batch", "invoice"):
        beside.setdefault(one.invoice_id or 0, []).append(one)
        if one.kind in DOCUMENTS:
            live[one.invoice_id or 0] = one
    return [_locked_by(live[one.pk], beside[one.pk]) for one in committed if one.pk in live]


def _locked_by(upload: Upload, beside: Sequence[Upload]) -> Refusal:
    """Why an invoice stays committed, and by which ways it can be taken out of the accounts."""
    assert upload.invoice is not None  # noqa: S101 - a document's upload names its invoice
    choices: list[str] = []
    voiding = next((one for one in beside if one.kind == Upload.Kind.VOID), None)
    if upload.state == State.SENT and voiding is None:
        choices = [CREDIT_NOTE] if why_not_void(beside) else [VOID, CREDIT_NOTE]
    return Refusal(
        invoice_id=upload.invoice.abtrac_id,
        code="uploaded",
        message=(
            _why_being_voided(upload.invoice, voiding)
            if voiding
            else _why_locked(upload.invoice, upload, may_void=VOID in choices)
        ),
        choices=choices,
    )


def _why_being_voided(invoice: Invoice, voiding: Upload) -> str:
    where = f"Invoice {invoice.number} is being voided in {voiding.interface.package.label}"
    if voiding.state in MOVING:
        return (
            f"{where} ({voiding.batch}). Wait until that is through: then it can be un-committed."
        )
    return f"{where} ({voiding.batch}), which waits for a person. Open the batch and settle it."


def _why_locked(invoice: Invoice, upload: Upload, *, may_void: bool) -> str:
    package, batch = upload.interface.package.label, upload.batch
    if upload.state == State.SENT:
        instead = "Void it there, or credit it" if may_void else "Credit it"
        return (
            f"Invoice {invoice.number} is in {package} ({batch}), so it cannot be un-committed."
            f" {instead} instead."
        )
    if upload.state in MOVING:
        return (
            f"Invoice {invoice.number} is on its way to {package} ({batch}). Cancel that upload"
            " while it waits, or see how it ends."
        )
    return (
        f"Invoice {invoice.number} was uploaded to {package} ({batch}) and waits for a person to"
        " say what became of it. Open the batch and settle it first."
    )


def _follow(invoice: Invoice) -> None:
    sent = Upload.objects.filter(invoice=invoice, kind__in=DOCUMENTS, state=State.SENT)
    uploads = list(sent.select_related("interface"))
    for one in uploads:
        lanes.wake(one.interface_id)
    finish_batches(followups.queue_after(uploads))


def _unknown(invoice_id: str) -> Refusal:
    return Refusal(
        invoice_id=invoice_id,
        code="unknown_invoice",
        message=f"There is no invoice with the ID “{invoice_id}”. Send it first.",
        clash=False,
    )


def _not_a_pdf(invoice: Invoice) -> Refusal:
    return Refusal(
        invoice_id=invoice.abtrac_id,
        code="not_a_pdf",
        message="This is not a PDF: it does not begin with “%PDF-”.",
        clash=False,
    )


def _pdf_gone(invoice: Invoice, upload: Upload) -> Refusal:
    package = upload.interface.package.label
    where = "is in" if upload.state == State.SENT else "is on its way to"
    return Refusal(
        invoice_id=invoice.abtrac_id,
        code="pdf_uploaded",
        message=f"Another PDF of invoice {invoice.number} {where} {package} ({upload.batch})."
        " Replace it there by hand.",
    )
