"""One invoice: what it says, where it stands, how it got there, and taking it back from there."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from interfaces.codes import CodeBook, Explained
from interfaces.models import CodeRule
from invoicing import selectors, uploads
from invoicing.badges import badges_of
from invoicing.documents import invoice_from_json, line_facts
from invoicing.forms import VoidForm
from invoicing.models import Invoice, InvoiceEvent, InvoiceLine, Upload
from invoicing.posted import may_upload, to
from invoicing.prospects import look_ahead
from invoicing.uploads.states import DOCUMENTS
from invoicing.uploads.voiding import CannotVoid, is_there, may_be_withdrawn, why_not_void, withdraw
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role

# Of so many uploads it is told line by line what was sent; the newest.
MOST_DOCUMENTS = 5


@require_safe
@practice_view()
def invoice(request: PracticeRequest, *, invoice_id: int) -> HttpResponse:
    """The invoice, its lines, its payments, and the history of its uploads."""
    found = selectors.invoice_page(invoice_id)
    if found is None:
        raise Http404
    shown, credit_notes = found
    # What left, word for word, is for support; an admin reads what it says.
    admin = request.role.includes(Role.ADMIN)
    history = selectors.history_of(
        shown, with_bodies=request.as_support, with_documents=admin or request.as_support
    )
    look_ahead(history)
    events = selectors.events_of(shown)
    _tell_set_aside(history, events)
    documents = [one for one in history if one.kind in DOCUMENTS]
    if admin or request.as_support:
        _read_out(documents)
    beside = [*credit_notes, shown.credits] if shown.credits else credit_notes
    badges = badges_of([shown, *beside])
    context = {
        "invoice": shown,
        "badge": badges[shown.pk],
        "credits_badge": badges.get(shown.credits_id or 0),
        "credit_notes": [(one, badges[one.pk]) for one in credit_notes],
        "lines": _explained(shown, selectors.lines_of(shown)),
        "payments": selectors.payments_of(shown),
        "uploads": history,
        "events": events,
        "latest": documents[0] if documents else None,
        "there": next((one for one in documents if is_there(one)), None),
        "why_not_void": why_not_void(history),
        "may_withdraw": any(may_be_withdrawn(one) for one in history),
        "may_upload": may_upload(request),
        "now": timezone.now(),
    }
    return render(request, "invoicing/invoice.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ACCOUNTS)
def void(request: PracticeRequest, *, invoice_id: int) -> HttpResponse:
    """Take the invoice back out of the accounts: first asked why, then queued."""
    shown = get_object_or_404(Invoice, pk=invoice_id)
    history = selectors.history_of(shown, with_bodies=False, with_documents=False)
    there = next((one for one in history if is_there(one)), None)
    why_not = why_not_void(history)
    if there is None or why_not:
        messages.error(request, f"Invoice {shown} cannot be voided. {why_not}")
        return to(request, "invoice", invoice_id=shown.pk)
    form = VoidForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"invoice": shown, "there": there, "form": form}
        return render(request, "invoicing/void.html", context)
    reason = form.cleaned_data["reason"]
    label = there.interface.package.label
    try:
        batch = uploads.void(invoice_id=shown.pk, reason=reason, actor=request.user)
    except CannotVoid as error:
        messages.error(request, f"Invoice {shown} cannot be voided. {error}")
        return to(request, "invoice", invoice_id=shown.pk)
    record_request(
        request,
        "invoice.voiding",
        shown.number,
        invoice=shown.pk,
        before=f"in {label}: {there.remote_number}",
        after="being voided",
        reason=reason,
        batch=batch.number,
    )
    messages.success(request, f"Invoice {shown} is being voided in {label}, in {batch}.")
    return to(request, "invoice", invoice_id=shown.pk)


@require_POST
@practice_view(Role.ACCOUNTS)
def withdraw_void(request: PracticeRequest, *, invoice_id: int) -> HttpResponse:
    """Leave it in the accounts after all: the void that waits, or failed, is given up."""
    shown = get_object_or_404(Invoice, pk=invoice_id)
    withdrawn = withdraw(invoice_id=shown.pk, actor=request.user)
    if not withdrawn:
        messages.warning(request, "Nothing was withdrawn: no void of it waits or has failed.")
        return to(request, "invoice", invoice_id=shown.pk)
    record_request(
        request,
        "invoice.void_withdrawn",
        shown.number,
        invoice=shown.pk,
        before="to be voided",
        after="stays in the accounts",
        batches=[one.batch.number for one in withdrawn],
    )
    messages.success(request, f"Invoice {shown} stays in the accounts: its void is withdrawn.")
    return to(request, "invoice", invoice_id=shown.pk)


def _tell_set_aside(history: Sequence[Upload], events: Sequence[InvoiceEvent]) -> None:
    """Give each upload that was set aside with its invoice the word for what was said of that."""
    for one in history:
        for move in one.moves:  # type: ignore[attr-defined]
            if move.after != Upload.State.PARKED:
                continue
            # What was said is written down before the uploads follow.
            said = [each for each in events if each.at <= move.at]
            if said and said[-1].move == InvoiceEvent.Move.IN_ACCOUNTS:
                words = said[-1].get_move_display()
                move.words = one.set_aside_as = words  # type: ignore[attr-defined]


def _read_out(documents: Sequence[Upload]) -> None:
    """Give the newest of them `as_sent`: the document as it was frozen."""
    for one in documents[:MOST_DOCUMENTS]:
        if "lines" in one.document:
            one.as_sent = invoice_from_json(one.document, contact_id="")  # type: ignore[attr-defined]


def _explained(
    shown: Invoice, lines: list[InvoiceLine]
) -> list[tuple[InvoiceLine, Explained | None]]:
    """Each line with the codes it gets at its interface, and which rule gave them."""
    interface = shown.invoice_setting.interface
    if interface is None:
        return [(line, None) for line in lines]
    book = CodeBook.load(interface)
    named = {
        CodeRule.Scope.OFFICE.value: shown.office.name,
        CodeRule.Scope.INVOICE_SETTING.value: shown.invoice_setting.name,
    }
    return [
        (line, book.explain(line_facts(line, line.job or shown.job, shown), named=named))
        for line in lines
    ]


urlpatterns_invoices = [
    path(
        "<slug:practice_slug>/accounting/invoices/<int:invoice_id>/",
        invoice,
        name="invoice",
    ),
    path(
        "<slug:practice_slug>/accounting/invoices/<int:invoice_id>/void/",
        void,
        name="void_invoice",
    ),
    path(
        "<slug:practice_slug>/accounting/invoices/<int:invoice_id>/void/withdraw/",
        withdraw_void,
        name="withdraw_void",
    ),
]
