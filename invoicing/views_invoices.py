"""One invoice: what it says, where it stands, and how it got there."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from interfaces.codes import CodeBook, Explained
from interfaces.models import CodeRule
from invoicing import selectors
from invoicing.documents import line_facts
from invoicing.models import Invoice, InvoiceLine
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
        "lines": _explained(shown, selectors.lines_of(shown)),
        "payments": selectors.payments_of(shown),
        "uploads": uploads,
        "latest": documents[0] if documents else None,
        "may_upload": may_upload(request),
        "now": timezone.now(),
    }
    return render(request, "invoicing/invoice.html", context)


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
]
