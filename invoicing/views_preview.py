"""Check and preview: what an upload would send, row by row, before anything is sent."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render, resolve_url
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from invoicing import documents, preflight, previews, selectors
from invoicing.models import Invoice
from invoicing.posted import MOST_AT_ONCE, back, ids, is_id, may_upload, own_address
from invoicing.views_available import chosen_of, send
from offices.access import PracticeRequest, practice_view
from offices.models import Role
from offices.tenancy import acting_for


@require_POST
@practice_view(Role.ACCOUNTS)
def preview(request: PracticeRequest) -> HttpResponse:
    """What was ticked, grouped, with what is wrong; nothing is sent yet."""
    chosen = _kept(request) or chosen_of(request)
    if not chosen:
        return back(request, "available")
    return _page(request, chosen)


@require_POST
@practice_view(Role.ACCOUNTS, network=True)
def check_again(request: PracticeRequest) -> HttpResponse:
    """Read codes, contacts and documents of the packages anew, and show the preview of that."""
    with acting_for(request.practice.pk):
        invoices = selectors.chosen(_kept(request))
        documents.attach(invoices, "invoice_setting")
        linked = (one.invoice_setting.interface_id for one in invoices)
        interface_ids = {one for one in linked if one}
    troubles = [
        words
        for one in sorted(interface_ids)
        for words in preflight.refresh(practice_id=request.practice.pk, interface_id=one)
    ]
    with acting_for(request.practice.pk):
        if not invoices:
            return back(request, "available")
        return _page(request, [one.pk for one in invoices], troubles=troubles)


@require_POST
@practice_view(Role.ACCOUNTS)
def preview_send(request: PracticeRequest) -> HttpResponse:
    """Upload what was previewed, without what is to be skipped."""
    chosen = _kept(request)
    going = _without_skipped(request, chosen)
    if chosen and not going:
        messages.warning(request, "Nothing was sent: everything was to be skipped.")
    return send(request, going)


@require_safe
@practice_view()
def what_is_sent(request: PracticeRequest, *, invoice_id: int) -> HttpResponse:
    """Exactly what would be sent of one invoice, line by line, and what the package will show."""
    found = selectors.invoice_page(invoice_id)
    if found is None:
        raise Http404
    context = {"sent": previews.what_is_sent(found[0]), "may_upload": may_upload(request)}
    # Within the preview only the part itself is asked for.
    part = "what_is_sent_part" if request.headers.get("HX-Request") else "what_is_sent"
    return render(request, f"invoicing/{part}.html", context)


def _page(
    request: PracticeRequest, invoice_ids: list[int], *, troubles: list[str] | None = None
) -> HttpResponse:
    invoices = selectors.chosen(invoice_ids)
    context = {
        "preview": previews.preview(invoices),
        "chosen": " ".join(str(one.pk) for one in invoices),
        "gone": len(invoice_ids) - len(invoices),
        "troubles": troubles or [],
        # Read again, what was to be skipped still is.
        "skipped": set(ids(request, "skip")),
        "skipped_groups": request.POST.getlist("skip_group"),
        "skipped_clients": set(ids(request, "skip_client")),
        "skipped_jobs": set(ids(request, "skip_job")),
        "next": own_address(request) or resolve_url("invoicing:available", request.practice.slug),
    }
    return render(request, "invoicing/preview.html", context)


def _kept(request: PracticeRequest) -> list[int]:
    """What the preview was of: the ids in one field, however many."""
    posted = request.POST.get("chosen", "").split()[:MOST_AT_ONCE]
    return list(dict.fromkeys(int(one) for one in posted if is_id(one)))


def _without_skipped(request: PracticeRequest, invoice_ids: list[int]) -> list[int]:
    """The invoices whose row, group, client and jobs are not to be skipped."""
    skipped = set(ids(request, "skip"))
    groups = set(request.POST.getlist("skip_group"))
    clients, jobs = set(ids(request, "skip_client")), set(ids(request, "skip_job"))
    if not (groups or clients or jobs):
        return [one for one in invoice_ids if one not in skipped]
    invoices = selectors.chosen(invoice_ids)
    named = previews.jobs_of_lines([one.pk for one in invoices]) if jobs else []
    skipped |= {invoice_id for invoice_id, job_id in named if job_id in jobs}
    skipped |= {
        one.pk
        for one in invoices
        if _kind(one) in groups or one.client_id in clients or one.job_id in jobs
    }
    return [one.pk for one in invoices if one.pk not in skipped]


def _kind(invoice: Invoice) -> str:
    return "credit_note" if invoice.is_credit_note else "invoice"


BASE = "<slug:practice_slug>/accounting/upload/"

urlpatterns_preview = [
    path(f"{BASE}preview/", preview, name="preview"),
    path(f"{BASE}preview/check/", check_again, name="preview_check"),
    path(f"{BASE}preview/send/", preview_send, name="preview_send"),
    path(
        "<slug:practice_slug>/accounting/invoices/<int:invoice_id>/sent/",
        what_is_sent,
        name="what_is_sent",
    ),
]
