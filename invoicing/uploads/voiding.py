"""Taking back a document that was sent, where the package can: an upload like any other."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Max

from connectors.base.protocol import VoidsInvoices
from interfaces import clock, lanes
from invoicing import causes
from invoicing.models import Batch, Invoice, Upload
from invoicing.uploads import adding, outcomes, states
from invoicing.uploads.enqueue import hold, new_batch, why_not_through
from invoicing.uploads.states import DOCUMENTS, FAILED, HELD, LIVE, State
from offices.models import User

Kind = Upload.Kind
# Of these the package may be at work on the document this very moment.
AT_WORK = (*HELD, State.UNKNOWN)


class CannotVoid(Exception):
    """The document cannot be taken back, or not now; `str(error)` says why."""


@transaction.atomic
def void(*, invoice_id: int, reason: str, actor: User | None) -> Batch:
    """Queue the voiding of what stands in the accounts for this invoice. Raises CannotVoid.

    Once it is through, the invoice is not in the accounts any more.
    """
    hold(Invoice.objects.filter(pk=invoice_id))
    uploads = Upload.objects.filter(invoice=invoice_id).select_related("interface", "invoice")
    rows = list(uploads.select_related("batch").order_by("pk"))
    if why := why_not_void(rows):
        raise CannotVoid(why)
    [sent] = [one for one in rows if is_there(one)]
    assert sent.invoice is not None  # noqa: S101 - documents name their invoice
    total = sent.document["total"] if sent.remote_total is None else sent.remote_total
    batch, now = new_batch(actor, origin=Batch.Origin.VOID), clock.now()
    latest = uploads.order_by().aggregate(latest=Max("revision"))["latest"]
    voiding = Upload(
        interface=sent.interface,
        batch=batch,
        kind=Kind.VOID,
        invoice=sent.invoice,
        created_at=now,
        due=now,
        reason=reason.strip(),
        # Never under a key that was used to void an earlier document of the invoice.
        revision=latest + 1,
        document={
            "key": f"{sent.document['key']}/{Kind.VOID}",
            "document_id": sent.remote_id,
            "of_credit_note": sent.kind == Kind.CREDIT_NOTE,
            "number": sent.remote_number or sent.document["number"],
            "total": str(total),
        },
    )
    adding.add([voiding], actor=actor)
    lanes.wake(sent.interface_id)
    causes.let_go([one for one in rows if one.kind == Kind.VOID])
    return batch


@transaction.atomic
def withdraw(*, invoice_id: int, actor: User | None) -> list[Upload]:
    """Leave the invoice in the accounts after all; the voids that were withdrawn, if any.

    Only those that wait, and those that failed and surely did nothing.
    """
    hold(Invoice.objects.filter(pk=invoice_id))
    voids = Upload.objects.filter(invoice=invoice_id, kind=Kind.VOID).select_related("batch")
    locked = voids.order_by("pk").select_for_update(of=("self",), no_key=True)
    rows = [one for one in locked if may_be_withdrawn(one)]
    for one in rows:
        one.reason, one.next_step = "Withdrawn: it stays in the accounts.", ""
    states.move(
        rows, State.CANCELLED, fields=("reason", "next_step"), actor=actor, same={"due": None}
    )
    outcomes.finish_batches(rows)
    return rows


def may_be_withdrawn(upload: Upload) -> bool:
    """Whether it is a void that has surely not happened, and does not happen just now."""
    if upload.kind != Kind.VOID:
        return False
    failed = upload.state in FAILED and upload.unknown_since is None
    return failed or upload.state == State.QUEUED


def is_there(upload: Upload) -> bool:
    """Whether it brought the document that stands in the accounts now."""
    return upload.kind in DOCUMENTS and upload.state == State.SENT


def why_not_void(uploads: Iterable[Upload]) -> str:
    """Why nothing of an invoice can be voided now, or nothing; given all of its uploads.

    They come with their interface, invoice and batch.
    """
    rows = list(uploads)
    sent = next((one for one in rows if is_there(one)), None)
    if sent is None or sent.invoice is None:
        return "It is not in the accounts, so there is nothing to void."
    label = sent.interface.package.label
    if not sent.interface.package.can(VoidsInvoices):
        return f"{label} does not let us void what was sent. Credit it instead, or void it there."
    if why := why_not_through(sent.interface):
        return why
    if sent.invoice.paid:
        return (
            f"{label} has payments of {abs(sent.invoice.paid):,.2f} for it. Take them off it there"
            " first, or send a credit note."
        )
    if sent.invoice.package_status.casefold() == "paid":
        # Without a payment: other documents are set against it.
        return (
            f"{label} has it as paid, by what is set against it. Take that off it there and read"
            " the payments again, or send a credit note."
        )
    voiding = next((one for one in rows if one.kind == Kind.VOID and one.state in LIVE), None)
    if voiding:
        return f"It is being voided already ({voiding.batch}): see there how that ends."
    at_work = next((one for one in rows if one.state in AT_WORK), None)
    if at_work:
        word = at_work.get_kind_display()
        return f"Its {word} is on its way to {label} just now. Wait until that is through."
    return ""
