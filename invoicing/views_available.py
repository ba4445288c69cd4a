"""Upload invoices: the available list, sending from it, and what is parked."""

from collections.abc import Sequence
from dataclasses import replace

from django.contrib import messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render, resolve_url
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from connectors.base.faults import Fault
from invoicing import preflight, selectors, sign_in, uploads
from invoicing.columns import laid_out
from invoicing.filters import AvailableFilter
from invoicing.forms import ParkForm
from invoicing.models import Invoice, InvoiceSetting
from invoicing.posted import (
    MOST_AT_ONCE,
    back,
    ids,
    is_id,
    may_upload,
    own_address,
    tell_left_out,
)
from invoicing.preflight import Checked
from invoicing.selectors import CurrencyTotal, Sums
from invoicing.tables import PER_PAGE, AvailableTable, LongTable, ParkedTable, lay_out, sorts
from invoicing.words import by_reason, counted, listed, money
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role

NOTHING_TICKED = "Nothing was done: tick at least one invoice first."
LIST_CHANGED = "The list has changed since you opened it, so nothing was done. Look at it again."


@require_safe
@practice_view()
def available(request: PracticeRequest) -> HttpResponse:
    """What can be uploaded, narrowed down, sorted and added up."""
    settings = selectors.settings_with_interfaces()
    wanted = _filter(request, settings)
    sums = selectors.sums_of(wanted.qs, settings)
    table = laid_out(AvailableTable, wanted.qs, user=request.user, without=_not_for(request))
    table.mixed = len(sums.totals) > 1
    lay_out(
        table,
        request,
        count=sums.count,
        sorted_out=selectors.is_outweighed_by_history(settings),
    )
    shown = [row.record for row in table.paginated_rows] if "check" in table.columns.names() else []
    if request.GET.get("checked"):
        # Without scripts the page has them from the start.
        table.checked = _checked(shown)
        shown = []
    context = {
        "checks": ",".join(str(one.pk) for one in shown),
        "filter": wanted,
        "clients": selectors.offered_clients(selectors.available(settings)),
        "table": table,
        "sums": sums,
        "totals": sums.totals,
        "count": sums.count,
        "whole_list": _fingerprint(sums.totals) if _is_whole(wanted, sums) else "",
        "whole_list_too_long": sums.count > MOST_AT_ONCE,
        "most_at_once": MOST_AT_ONCE,
        "may_upload": may_upload(request),
        "sorts": sorts(table),
    }
    return render(request, "invoicing/available.html", context)


@require_safe
@practice_view()
def checks(request: PracticeRequest) -> HttpResponse:
    """What the check finds of the rows of a page, which are put in their places."""
    rows = request.GET.get("rows", "").split(",")
    wanted = [int(one) for one in rows if is_id(one)][:PER_PAGE]
    found = _checked(selectors.chosen(wanted))
    return render(request, "invoicing/checks.html", {"rows": list(found.values())})


def _checked(invoices: Sequence[Invoice]) -> dict[int, Checked]:
    """What the check finds; of what would not join a batch at all, the reason for that."""
    found = preflight.check(invoices)
    for one in uploads.left_out(invoices):
        fault = Fault(field="", code="left_out", message=one.reason)
        found[one.invoice_id] = replace(found[one.invoice_id], faults=(fault,))
    return found


def _not_for(request: PracticeRequest) -> tuple[str, ...]:
    """Columns of no use to those who only look."""
    return () if may_upload(request) else ("tick",)


def _is_whole(wanted: AvailableFilter, sums: Sums) -> bool:
    """Whether there is more to select than is on the page."""
    return bool(wanted.is_valid()) and sums.count > PER_PAGE


@require_POST
@practice_view(Role.ACCOUNTS)
def upload(request: PracticeRequest) -> HttpResponse:
    """Upload to accounts: one numbered batch of what was ticked."""
    return send(request, chosen_of(request))


def send(request: PracticeRequest, invoice_ids: Sequence[int]) -> HttpResponse:
    """Make the batch of these, and go on to it; back where it is of none."""
    if not invoice_ids:
        return back(request, "available")
    outcome = uploads.enqueue(invoice_ids=invoice_ids, actor=request.user)
    tell_left_out(request, outcome.left_out)
    batch = outcome.batch or selectors.batch_holding(invoice_ids)
    if batch is None:
        return back(request, "available")
    if outcome.batch:
        _tell_batch(request, outcome, selectors.totals_of_rows(outcome.invoices))
    return sign_in.on_from(request, batch)


@require_POST
@practice_view(Role.ACCOUNTS)
def park(request: PracticeRequest) -> HttpResponse:
    """Take invoices off the list without sending them: first asked why, then done."""
    invoice_ids = chosen_of(request)
    if not invoice_ids:
        return back(request, "available")
    form = ParkForm(request.POST if "reason" in request.POST else None)
    invoices = selectors.chosen(invoice_ids)
    if gone := len(invoice_ids) - len(invoices):
        messages.warning(request, *by_reason([("", "There is no such invoice.")] * gone))
    if not invoices:
        return back(request, "available")
    if not form.is_valid():
        return ask_why(request, form, invoices)
    reason = form.cleaned_data["reason"]
    parked = uploads.park(invoice_ids=invoice_ids, reason=reason, actor=request.user)
    if parked:
        numbers = listed([one.number for one in invoices if one.pk in parked])
        record_request(request, "invoice.parked", numbers, invoices=parked, reason=reason)
        messages.success(request, f"{counted(len(parked), 'invoice')} parked: {reason}")
    if left := len(invoices) - len(parked):
        messages.warning(
            request,
            f"{counted(left, 'invoice')} could not be parked: parked already,"
            " already in accounts, on the way, or sent.",
        )
    return back(request, "available")


def ask_why(
    request: PracticeRequest, form: Form, invoices: Sequence[Invoice], *, page: str = "park"
) -> HttpResponse:
    """The page that names what is about to be taken off the list and asks for the reason."""
    context = {
        "form": form,
        "invoices": invoices,
        "totals": selectors.totals_of_rows(invoices),
        "next": own_address(request) or resolve_url("invoicing:available", request.practice.slug),
    }
    return render(request, f"invoicing/{page}.html", context)


def set_aside_page(
    request: PracticeRequest,
    table: type[LongTable],
    invoices: QuerySet[Invoice],
    *,
    put_back: str,
) -> HttpResponse:
    """The list of what people took off the available list, with the way back; `put_back` by name.

    The table comes without its ticks for those who only look.
    """
    listed_there = laid_out(table, invoices, user=request.user, without=_not_for(request))
    listed_there.mixed = True
    lay_out(listed_there, request)
    context = {
        "table": listed_there,
        "heading": table.heading,
        "tab": table.list_key,
        "action": resolve_url(f"invoicing:{put_back}", request.practice.slug),
        "may_upload": may_upload(request),
    }
    return render(request, "invoicing/set_aside.html", context)


@require_safe
@practice_view()
def parked(request: PracticeRequest) -> HttpResponse:
    """What was parked, by whom and why."""
    return set_aside_page(request, ParkedTable, selectors.parked(), put_back="unpark")


@require_POST
@practice_view(Role.ACCOUNTS)
def unpark(request: PracticeRequest) -> HttpResponse:
    """Put parked invoices back on the available list."""
    invoice_ids = ids(request, "only") or ids(request, "invoice")
    if not invoice_ids:
        messages.warning(request, NOTHING_TICKED)
        return back(request, "parked")
    invoices = [one for one in selectors.chosen(invoice_ids) if one.parked_at]
    returned = uploads.unpark(invoice_ids=invoice_ids, actor=request.user)
    if returned:
        numbers = [one.number for one in invoices]
        reasons = {str(one.pk): one.parked_reason for one in invoices}
        record_request(request, "invoice.unparked", listed(numbers), parked_because=reasons)
        tell_back_on_the_list(request, [one.pk for one in invoices])
    else:
        messages.info(request, "Nothing was parked any more.")
    return back(request, "parked")


def tell_back_on_the_list(request: PracticeRequest, invoice_ids: Sequence[int]) -> None:
    """Say how many of what was put back can be uploaded again, and why the others cannot."""
    offered = uploads.offered().filter(pk__in=invoice_ids).count()
    if offered:
        messages.success(request, f"{counted(offered, 'invoice')} can be uploaded again.")
    if left := len(invoice_ids) - offered:
        messages.warning(
            request,
            f"{counted(left, 'invoice')} put back, but not on the list: dated before the go-live"
            " date, or set aside in another way.",
        )


def _filter(request: PracticeRequest, settings: Sequence[InvoiceSetting]) -> AvailableFilter:
    return AvailableFilter(
        request.GET,
        queryset=selectors.available(settings),
        request=request,
        settings=settings,
    )


def chosen_of(request: PracticeRequest) -> list[int]:
    """The invoices ticked, or every one of the list the page showed; if none, it is said why."""
    expected = request.POST.get("whole_list", "")
    if not expected:
        ticked = ids(request, "invoice")[:MOST_AT_ONCE]
        if not ticked:
            messages.warning(request, NOTHING_TICKED)
        return ticked
    settings = selectors.settings_with_interfaces()
    wanted = _filter(request, settings)
    invoices: QuerySet[Invoice] = wanted.qs
    sums = selectors.sums_of(invoices, settings)
    if not wanted.is_valid() or _fingerprint(sums.totals) != expected:
        # Not the list the person saw.
        messages.warning(request, LIST_CHANGED)
        return []
    return list(invoices.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])


def _fingerprint(totals: list[CurrencyTotal]) -> str:
    """What the person saw when ticking the whole list: how many, and what they come to."""
    return " ".join(f"{one.currency}:{one.count}:{one.total}" for one in totals)


def _tell_batch(
    request: PracticeRequest, outcome: uploads.Enqueued, totals: list[CurrencyTotal]
) -> None:
    assert outcome.batch is not None  # noqa: S101 - told to the type checker
    sums = ", ".join(f"{one.currency} {money(one.total)} incl tax" for one in totals)
    made = counted(outcome.queued + outcome.refused, "invoice")
    record_request(
        request,
        "batch.made",
        str(outcome.batch),
        queued=outcome.queued,
        refused=outcome.refused,
        left_out=len(outcome.left_out),
        totals=sums,
    )
    text = f"{outcome.batch} is made of {made}: {sums}."
    if outcome.refused:
        text += (
            f" {counted(outcome.refused, 'invoice')} could not go and"
            f" {'says' if outcome.refused == 1 else 'say'} why below; the others are on their way."
            if outcome.queued
            else " None of them could go; each says why below."
        )
    messages.success(request, text) if outcome.queued else messages.warning(request, text)


BASE = "<slug:practice_slug>/accounting/"

urlpatterns_available = [
    path(f"{BASE}upload/", available, name="available"),
    path(f"{BASE}upload/checks/", checks, name="checks"),
    path(f"{BASE}upload/send/", upload, name="upload"),
    path(f"{BASE}upload/park/", park, name="park"),
    path(f"{BASE}parked/", parked, name="parked"),
    path(f"{BASE}parked/return/", unpark, name="unpark"),
]
