"""Invoices that are in the accounts already: typed in by hand, or from before the link."""

from django.contrib import messages
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from invoicing import selectors, uploads
from invoicing.forms import InAccountsForm
from invoicing.posted import back, ids
from invoicing.tables import InAccountsTable
from invoicing.views_available import (
    NOTHING_TICKED,
    ask_why,
    chosen_of,
    set_aside_page,
    tell_back_on_the_list,
)
from invoicing.words import by_reason, counted, listed
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role


@require_POST
@practice_view(Role.ACCOUNTS)
def mark(request: PracticeRequest) -> HttpResponse:
    """Say that invoices are in the accounts already: first asked why, then done."""
    invoice_ids = chosen_of(request)
    if not invoice_ids:
        return back(request, "available")
    form = InAccountsForm(request.POST if "reason" in request.POST else None)
    invoices = selectors.chosen(invoice_ids)
    if gone := len(invoice_ids) - len(invoices):
        messages.warning(request, *by_reason([("", "There is no such invoice.")] * gone))
    if not invoices:
        return back(request, "available")
    if not form.is_valid():
        return ask_why(request, form, invoices, page="mark_in_accounts")
    reason = form.cleaned_data["reason"]
    marked = uploads.mark_in_accounts(invoice_ids=invoice_ids, reason=reason, actor=request.user)
    if marked:
        numbers = listed([one.number for one in invoices if one.pk in marked])
        record_request(request, "invoice.in_accounts", numbers, invoices=marked, reason=reason)
        told = counted(len(marked), "invoice")
        messages.success(request, f"{told} marked as already in the accounts: {reason}")
    if left := len(invoices) - len(marked):
        messages.warning(
            request,
            f"{counted(left, 'invoice')} could not be marked: parked or marked already, on"
            " the way, or sent.",
        )
    return back(request, "available")


@require_safe
@practice_view()
def in_accounts(request: PracticeRequest) -> HttpResponse:
    """What was marked, by whom and why."""
    return set_aside_page(request, InAccountsTable, selectors.in_accounts(), put_back="offer_again")


@require_POST
@practice_view(Role.ACCOUNTS)
def offer_again(request: PracticeRequest) -> HttpResponse:
    """Put marked invoices back on the available list."""
    invoice_ids = ids(request, "only") or ids(request, "invoice")
    if not invoice_ids:
        messages.warning(request, NOTHING_TICKED)
        return back(request, "in_accounts")
    invoices = [one for one in selectors.chosen(invoice_ids) if one.in_accounts_at]
    returned = uploads.unmark_in_accounts(invoice_ids=invoice_ids, actor=request.user)
    if returned:
        numbers = listed([one.number for one in invoices])
        reasons = {str(one.pk): one.in_accounts_reason for one in invoices}
        record_request(request, "invoice.offered_again", numbers, marked_because=reasons)
        tell_back_on_the_list(request, [one.pk for one in invoices])
    else:
        messages.info(request, "Nothing was marked any more.")
    return back(request, "in_accounts")


BASE = "<slug:practice_slug>/accounting/"

urlpatterns_in_accounts = [
    path(f"{BASE}upload/in-accounts/", mark, name="mark_in_accounts"),
    path(f"{BASE}in-accounts/", in_accounts, name="in_accounts"),
    path(f"{BASE}in-accounts/return/", offer_again, name="offer_again"),
]
