"""One invoice: what it says, where it stands, and how it got there."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from invoicing import selectors
from invoicing.posted import may_upload
from invoicing.prospects import look_ahead
from invoicing.uploads.states import DOCUMENTS
from offices.access import PracticeRequest, practice_view


@require_safe
@practice_view()
def invoice(request: PracticeRequest, *, invoice_id: int) -> HttpResponse:
    """The invoice, its lines, its payments, and the history of its uploads."""
    found = selectors.invoice_page(invoice_id)
    if found is None:
        raise Http404
    shown, credit_notes = found
    # What left, word for word, is for support: an accounts person reads what it means.
    uploads = selectors.history_of(shown, with_bodies=request.as_support)
    look_ahead(uploads)
    documents = [one for one in uploads if one.kind in DOCUMENTS]
    context = {
        "invoice": shown,
        "credit_notes": credit_notes,
        "lines": selectors.lines_of(shown),
        "payments": selectors.payments_of(shown),
        "uploads": uploads,
        "latest": documents[0] if documents else None,
        "may_upload": may_upload(request),
        "now": timezone.now(),
    }
    return render(request, "invoicing/invoice.html", context)


urlpatterns_invoices = [
    path(
        "<slug:practice_slug>/accounting/invoices/<int:invoice_id>/",
        invoice,
        name="invoice",
    ),
]
