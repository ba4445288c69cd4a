"""What a person says is in the package already: looked at first, linked, and taken back."""

from django.db import transaction

from connectors.base.documents import Conflict, Posted
from connectors.base.protocol import Found, ShowsDocuments
from interfaces import clock, lanes
from interfaces.connections import open_connector
from invoicing import reasons
from invoicing.models import Invoice, PaymentReceived, Upload
from invoicing.uploads import followups, outcomes, states
from invoicing.uploads.enqueue import why_not_by_itself
from invoicing.uploads.kinds import CARRIERS
from invoicing.uploads.people import CannotLink, hold_invoices_of
from invoicing.uploads.states import DOCUMENTS, FAILED, HELD, LIVE, State
from offices.models import User
from offices.tenancy import acting_for


class CannotUnlink(Exception):
    """The link cannot be taken back just now; `str(error)` says why."""


def look_at(*, practice_id: int, upload_id: int, remote_id: str) -> Found:
    """What the package holds under that id: Posted where it is this very document.

    Calls the package, so not for use inside `acting_for`. Raises CannotLink and ConnectorError.
    """
    with acting_for(practice_id):
        upload = _failed(upload_id)
        built = CARRIERS[upload.kind].build([upload])[0]
        package = upload.interface.package
        interface_id = upload.interface_id
    word = upload.get_kind_display().lower()
    if not package.can(ShowsDocuments):
        return Conflict(
            key=built.key,
            message=f"{package.label} cannot be asked about a single document. Compare the two"
            " yourself.",
            remote_id=remote_id,
        )
    with open_connector(practice_id=practice_id, interface_id=interface_id) as connector:
        found: Found | None = connector.look_at(built, remote_id)
    if found is None:
        raise CannotLink(f"{package.label} has no {word} at that address.")
    return found


@transaction.atomic
def link_existing(*, upload_id: int, found: Found, actor: User | None) -> None:
    """Take a person's word that this is the document; nothing is sent. Raises CannotLink."""
    upload = _failed(upload_id)
    if isinstance(found, Conflict) and found.is_taken_back:
        raise CannotLink(
            f"It is {found.status.lower()} in {upload.interface.package.label}, so nothing can be"
            " linked to it."
        )
    taken = Upload.objects.filter(
        interface=upload.interface, kind=upload.kind, state=State.SENT, remote_id=found.remote_id
    ).exclude(pk=upload.pk)
    other = taken.select_related("invoice").first()
    if other is not None:
        raise CannotLink(f"That one is linked to invoice {other.invoice} already.")
    upload.remote_id, upload.remote_number = found.remote_id, found.number
    upload.remote_url, upload.remote_total = outcomes.page_of(upload, found.url), found.total
    upload.reason = upload.next_step = ""
    if upload.code == reasons.NOT_ASKED:
        # Somebody has decided: taken back, it is not looked for by itself.
        upload.code = ""
    upload.linked = True
    upload.sent_at = clock.now()
    upload.warnings = [f"Linked by {actor} to what was there already; not sent."]
    if isinstance(found, Posted):
        upload.warnings += found.warnings
    else:
        upload.warnings.append(found.message)
    # The lane before the interface and the causes, as its holder locks them.
    lanes.wake(upload.interface_id)
    states.move(
        [upload],
        State.SENT,
        fields=(
            *("remote_id", "remote_number", "remote_url", "remote_total", "reason", "next_step"),
            *("code", "linked", "sent_at", "warnings"),
        ),
        actor=actor,
        same={"due": None},
    )
    steps = outcomes.arrived([upload])
    outcomes.finish_batches([upload, *steps])


@transaction.atomic
def unlink(*, upload_id: int, actor: User | None) -> bool:
    """Take that word back: the invoice needs a person again. False where nobody had given it.

    What followed from it goes with it: the steps that name that document, and its payments. Raises
    CannotUnlink while one of the steps is on the wire.
    """
    hold_invoices_of([upload_id])
    linked = Upload.objects.select_for_update(of=("self",), no_key=True).select_related(
        "interface", "invoice"
    )
    upload = linked.filter(pk=upload_id, state=State.SENT, linked=True).first()
    if upload is None:
        return False
    label = upload.interface.package.label
    left_there = _cancel_steps(upload, actor=actor)
    _forget_payments(upload)
    upload.reason = f"{actor} took back that it is in {label} already."
    upload.next_step = f"Retry, which looks in {label} first; or park it.{left_there}"
    upload.linked, upload.remote_id, upload.remote_url, upload.sent_at = False, "", "", None
    upload.remote_number, upload.remote_total, upload.warnings = "", None, []
    upload.there = None
    upload.faults = reasons.needs_person(upload, reasons.TAKEN_BACK)
    states.move(
        [upload],
        State.NEEDS_PERSON,
        fields=(
            *("reason", "next_step", "linked", "remote_id", "remote_url", "sent_at"),
            *("remote_number", "remote_total", "warnings", "there"),
        ),
        actor=actor,
    )
    return True


def _cancel_steps(upload: Upload, *, actor: User | None) -> str:
    """Cancel what follows from the document linked; what a person must still do there, if any."""
    steps = followups.following(upload)
    label = upload.interface.package.label
    for one in steps:
        if one.state in (*HELD, State.UNKNOWN):
            raise CannotUnlink(
                f"A step that follows from it, {one.get_kind_display()}, is on its way to {label}"
                " just now. Wait until the batch is finished, then take the link back."
            )
    # Steps whose answer was lost and never found may be there as well.
    there = [one for one in steps if one.state == State.SENT or one.unknown_since]
    for one in steps:
        one.reason, one.next_step = "The link to that document was taken back.", ""
    states.move(steps, State.CANCELLED, fields=("reason", "next_step"), actor=actor)
    outcomes.finish_batches(steps)
    if not there:
        return ""
    names = ", ".join(sorted({one.get_kind_display() for one in there}))
    return f" Take off the document linked before what we added to it: {names}."


def _forget_payments(upload: Upload) -> None:
    """They were paid of that document, which is not this invoice."""
    assert upload.invoice is not None  # noqa: S101 - documents name their invoice
    PaymentReceived.objects.filter(invoice=upload.invoice, interface=upload.interface).delete()
    Invoice.objects.filter(pk=upload.invoice.pk).update(paid=0, package_status="")


def _failed(upload_id: int) -> Upload:
    hold_invoices_of([upload_id])
    failed = Upload.objects.filter(pk=upload_id, kind__in=DOCUMENTS, state__in=FAILED)
    upload = (
        failed.select_for_update(of=("self",), no_key=True)
        .select_related("interface", "invoice", "batch")
        .first()
    )
    if upload is None:
        raise CannotLink("Only an upload that failed can be linked to what is there.")
    assert upload.invoice is not None  # noqa: S101 - documents name their invoice
    # Since it failed the invoice may have been un-committed, parked or sent another way.
    others = Upload.objects.filter(invoice=upload.invoice, kind__in=DOCUMENTS, state__in=LIVE)
    batches = dict(others.exclude(pk=upload.pk).values_list("invoice_id", "batch__number"))
    reason = why_not_by_itself(upload.invoice, batches)
    if reason:
        raise CannotLink(f"Invoice {upload.invoice} cannot be linked. {reason}")
    return upload
