"""What comes after a document has arrived: its PDF, and the credit set against its invoice."""

from collections.abc import Sequence

from django.db.models import Q

from connectors.base.protocol import AllocatesCredits, AttachesPdf
from interfaces import clock
from interfaces.common_settings import ATTACH_PDF
from invoicing.models import Invoice, InvoicePdf, Upload, UploadEvent
from invoicing.uploads.states import DOCUMENTS, LIVE, State

Kind = Upload.Kind
STEPS = (Kind.ALLOCATION, Kind.PDF, Kind.VOID)


def queue_after(uploads: Sequence[Upload]) -> list[Upload]:
    """Queue the next steps of documents just sent; each step fails and is retried by itself.

    Answers the steps: they may come long after their batch was finished, which the caller opens.
    """
    sent = [one for one in uploads if one.kind in DOCUMENTS]
    if not sent:
        return []
    steps = _pdfs(sent) + _allocations(sent)
    if not steps:
        return []
    live: set[tuple[int | None, str]] = set()
    last: dict[tuple[int | None, str], int] = {}
    earlier = Upload.objects.filter(invoice__in=[one.invoice_id for one in steps], kind__in=STEPS)
    earlier = earlier.defer("document", "package_words", "warnings")
    for one in earlier:
        place = (one.invoice_id, one.kind)
        last[place] = max(last.get(place, 0), one.revision)
        if one.state in LIVE:
            live.add(place)
    new = [one for one in steps if (one.invoice_id, one.kind) not in live]
    for one in new:
        # Another document or another PDF than before, so never under a key used for that.
        one.revision = max(one.revision, last.get((one.invoice_id, one.kind), 0) + 1)
    Upload.objects.bulk_create(new)
    UploadEvent.objects.bulk_create(UploadEvent(upload=one, after=one.state) for one in new)
    return new


def following(upload: Upload) -> list[Upload]:
    """The steps that name this very document in the package, at either end; locked."""
    steps = Upload.objects.filter(
        Q(invoice=upload.invoice_id) | Q(invoice__credits=upload.invoice_id),
        interface=upload.interface_id,
        kind__in=STEPS,
    ).exclude(state__in=(State.CANCELLED, State.VOIDED))
    locked = steps.order_by("id").select_for_update(of=("self",), no_key=True)
    return [one for one in locked if upload.remote_id in one.document.values()]


def _pdfs(sent: Sequence[Upload]) -> list[Upload]:
    able = [
        one
        for one in sent
        if one.interface.package.can(AttachesPdf) and one.interface.preference(ATTACH_PDF)
    ]
    with_pdf = set(
        InvoicePdf.objects.filter(invoice__in=[one.invoice_id for one in able]).values_list(
            "invoice_id", flat=True
        )
    )
    return [
        _step(
            one,
            Kind.PDF,
            document_id=one.remote_id,
            of_credit_note=one.kind == Kind.CREDIT_NOTE,
        )
        for one in able
        if one.invoice_id in with_pdf
    ]


def _allocations(sent: Sequence[Upload]) -> list[Upload]:
    """A credit note is set against its invoice once both are there, whichever came first."""
    able = [one for one in sent if one.interface.package.can(AllocatesCredits)]
    ids = [one.invoice_id for one in able]
    # Nearly always there is no credit among them, and that is cheap to know.
    notes_among = any(one.kind == Kind.CREDIT_NOTE for one in able)
    if not notes_among and not Invoice.objects.filter(credits__in=ids).exists():
        return []
    notes = (
        Upload.objects.filter(kind=Kind.CREDIT_NOTE, state=State.SENT)
        .filter(Q(invoice__in=ids) | Q(invoice__credits__in=ids))
        .exclude(invoice__credits__isnull=True)
        .select_related("invoice", "interface")
        .order_by("id")
        # Nobody takes a link back meanwhile, which would leave the step behind.
        .select_for_update(of=("self",), no_key=True)
    )
    originals = {
        (one.invoice_id, one.interface_id): one
        for one in Upload.objects.filter(
            kind=Kind.INVOICE,
            state=State.SENT,
            invoice__in=[one.invoice.credits_id for one in notes if one.invoice],
        )
        .select_related("invoice")
        .order_by("id")
        .select_for_update(of=("self",), no_key=True)
    }
    steps = []
    for note in notes:
        assert note.invoice is not None  # noqa: S101 - documents name their invoice
        original = originals.get((note.invoice.credits_id, note.interface_id))
        if original is None or original.invoice is None:
            continue
        steps.append(
            _step(
                note,
                Kind.ALLOCATION,
                credit_note_id=note.remote_id,
                invoice_id=original.remote_id,
                amount=str(min(-note.invoice.total, original.invoice.total)),
            )
        )
    return steps


def _step(after: Upload, kind: Kind, **document: object) -> Upload:
    return Upload(
        interface_id=after.interface_id,
        batch_id=after.batch_id,
        kind=kind,
        invoice_id=after.invoice_id,
        revision=after.revision,
        due=after.sent_at or clock.now(),
        document={"key": f"{after.document['key']}/{kind}", **document},
    )
