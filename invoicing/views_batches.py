"""Batches: their list, one batch live, and what a person decides about its uploads."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)
from django_htmx.http import HttpResponseClientRefresh

from connectors.base.documents import Posted
from connectors.base.errors import ConnectorError
from connectors.base.protocol import Found
from connectors.registry import label_of
from interfaces import lanes
from interfaces.models import AccountingInterface
from invoicing import (
    batch_files,
    keyset,
    selectors,
    sign_in,
    spreadsheets,
    summaries,
    uploads,
)
from invoicing.columns import laid_out
from invoicing.comparing import are_of_others, side_by_side, told_of, told_of_nothing
from invoicing.filters import BatchesFilter
from invoicing.forms import LinkExistingForm, ParkForm, id_in, where_addresses_stand
from invoicing.models import Batch, Upload
from invoicing.posted import MOST_AT_ONCE, back, ids, may_upload, tell_left_out, to
from invoicing.prospects import look_ahead
from invoicing.tables import (
    TABLES_OF_BATCHES,
    BatchesTable,
    DocumentsTable,
    lay_out,
    order_of,
    sorts,
)
from invoicing.uploads.states import DOCUMENTS, FAILED
from invoicing.views_available import ask_why
from invoicing.words import besides_told, counted, listed, states_of_batch, what_is_in
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Practice, Role
from offices.tenancy import acting_for

SHOWN = [
    ("all", "All", "documents"),
    ("failed", "Failed", "failed"),
    ("not_known", "Not known", "not_known"),
    ("moving", "On the way", "moving"),
    ("sent", "Sent", "sent"),
    ("aside", "Set aside", "aside"),
]
NEEDS_CONSENT = AccountingInterface.State.NEEDS_CONSENT
NOTHING_TICKED = "Nothing was done: tick at least one row first."
# So many rows of a file are read at a time.
AT_ONCE = 500


@require_safe
@practice_view()
def batches(request: PracticeRequest) -> HttpResponse:
    """Every batch, newest first: who made it, how long it took and how it fares."""
    interfaces = selectors.all_interfaces()
    wanted = _filter(request, interfaces)
    table = lay_out(laid_out(BatchesTable, wanted.qs, user=request.user), request)
    selectors.count_besides(row.record for row in table.paginated_rows)
    context = {
        "filter": wanted,
        "table": table,
        "sorts": sorts(table),
        "troubles": selectors.troubles(interfaces, lanes.troubled_packages()),
        "notices": selectors.notices_of(interfaces),
    }
    return render(request, "invoicing/batches.html", context)


@require_GET
@practice_view(network=True)
def batches_file(request: PracticeRequest) -> StreamingHttpResponse:
    """What the list of batches shows, filtered and sorted as there, as a file for a spreadsheet."""
    practice = request.practice
    with acting_for(practice.pk):
        rows = _filter(request, selectors.all_interfaces()).qs
        table = laid_out(BatchesTable, rows, user=request.user)
        order = order_of(table, request.GET.get("sort", ""))
        record_request(request, "batches.exported", practice.name, filter=request.GET.urlencode())
    name = f"batches-{practice.slug}-{timezone.localdate():%Y-%m-%d}.csv"
    return spreadsheets.answer(name, HISTORY, _history(practice, rows, order))


HISTORY = (
    *("Batch", "Made", "Began with", "By", "Rehearsal", "Invoices", "Sent", "Failed"),
    *("Not known", "On the way", "Set aside", "State", "Finished", "Took (seconds)"),
)


def _history(
    practice: Practice, rows: QuerySet[Batch], order: keyset.Order
) -> Iterator[tuple[spreadsheets.Cell, ...]]:
    """All of them, read in pieces, each in a transaction that is over before it is sent."""
    zone, last = ZoneInfo(practice.time_zone), None
    while True:
        with acting_for(practice.pk):
            found = keyset.each(rows, order=order, place=last, size=AT_ONCE)
            selectors.count_besides(found)
        yield from (_as_row(one, zone) for one in found)
        if len(found) < AT_ONCE:
            return
        last = found[-1]


def _as_row(one: Any, zone: ZoneInfo) -> tuple[spreadsheets.Cell, ...]:
    ended = one.first_finished_at
    state = [*(told.words for told in states_of_batch(one)), besides_told(one.besides)]
    return (
        *(one.number, one.created_at.astimezone(zone), one.get_origin_display()),
        *(str(one.created_by or "Abtrac"), one.rehearsed and label_of(one.rehearsed)),
        *(what_is_in(one), one.sent, one.failed, one.not_known, one.moving, one.aside),
        "; ".join(part for part in state if part),
        *(ended and ended.astimezone(zone), one.took and round(one.took.total_seconds())),
    )


def _filter(request: PracticeRequest, interfaces: list[AccountingInterface]) -> BatchesFilter:
    return BatchesFilter(
        request.GET,
        queryset=selectors.batches(),
        request=request,
        makers=selectors.batch_makers(),
        interfaces=interfaces,
    )


@require_safe
@practice_view()
def batch(request: PracticeRequest, *, batch_number: int) -> HttpResponse:
    """One batch: progress while it is on its way, then what became of every invoice."""
    found = _batch(batch_number)
    context = _live(request, found)
    context["summary"] = _summary_once(request, found, context["standing"])
    return render(request, "invoicing/batch.html", context)


@require_safe
@practice_view()
def progress(request: PracticeRequest, *, batch_number: int) -> HttpResponse:
    """What has changed on the page of a batch; nothing at all if nothing has."""
    found = _batch(batch_number)
    if found.finished_at:
        return HttpResponseClientRefresh()
    seen = request.GET.get("seen", "")
    # The links of the fragment lead to the page it is put in, not to this address.
    address = request.GET.copy()
    address.pop("seen", None)
    cast(Any, request).GET = address
    context = _live(request, found)
    if context["seen"] == seen:
        return HttpResponse(status=204)
    return render(request, "invoicing/batch_progress.html", context)


@require_GET
@practice_view()
def download(request: PracticeRequest, *, batch_number: int) -> HttpResponseBase:
    """The whole batch as a file for a spreadsheet."""
    found = _batch(batch_number)
    table = batch_files.whole(found)
    record_request(request, "batch.exported", str(found), rows=len(table.rows))
    return spreadsheets.answer(f"batch-{found.number}.csv", table.columns, table.rows)


@require_GET
@practice_view()
def download_errors(request: PracticeRequest, *, batch_number: int) -> HttpResponseBase:
    """What of the batch is refused or needs a person, each with what to do."""
    found = _batch(batch_number)
    table = batch_files.errors(found)
    record_request(request, "batch.errors_exported", str(found), rows=len(table.rows))
    return spreadsheets.answer(f"batch-{found.number}-errors.csv", table.columns, table.rows)


@require_POST
@practice_view(Role.ACCOUNTS)
def retry(request: PracticeRequest, *, batch_number: int) -> HttpResponse:
    """Try uploads that need a person again: one, those ticked, or all of one sort."""
    found = _batch(batch_number)
    which = request.POST.get("all", "")
    which = which if which in selectors.RETRIED else ""
    wanted = None if which else _ticked(request)
    rows = selectors.retryable(found, upload_ids=wanted, which=which)[:MOST_AT_ONCE]
    if not rows:
        messages.warning(request, NOTHING_TICKED if wanted == [] else "None of these has failed.")
        return back(request, "batch", batch_number=found.number)
    outcome = uploads.retry(upload_ids=[one.pk for one in rows], actor=request.user)
    record_request(
        request,
        "batch.retried",
        str(found),
        uploads=[one.pk for one in rows],
        queued=outcome.queued,
        refused=outcome.refused,
    )
    if outcome.queued:
        messages.success(request, f"{counted(outcome.queued, 'upload')} on the way again.")
    if outcome.refused:
        messages.warning(
            request, f"{counted(outcome.refused, 'upload')} still cannot go; see why below."
        )
    tell_left_out(request, outcome.left_out)
    return back(request, "batch", batch_number=found.number)


@require_POST
@practice_view(Role.ACCOUNTS)
def cancel(request: PracticeRequest, *, batch_number: int) -> HttpResponse:
    """Take uploads that still wait out of the queue."""
    found = _batch(batch_number)
    wanted = _ticked(request)
    mine = list(
        Upload.objects.filter(
            batch=found, pk__in=wanted, kind__in=selectors.kinds_of(found)
        ).values_list("pk", flat=True)
    )
    if not mine:
        messages.warning(request, NOTHING_TICKED)
        return back(request, "batch", batch_number=found.number)
    cancelled = uploads.cancel(upload_ids=mine, actor=request.user)
    if cancelled:
        record_request(request, "batch.cancelled", str(found), uploads=mine, cancelled=cancelled)
        messages.success(
            request,
            f"{counted(cancelled, 'upload')} cancelled. What was cancelled can be uploaded again"
            " later.",
        )
    if cancelled < len(mine):
        messages.warning(
            request,
            f"{counted(len(mine) - cancelled, 'upload')} could not be cancelled: only those that"
            " still wait can.",
        )
    return back(request, "batch", batch_number=found.number)


@require_POST
@practice_view(Role.ACCOUNTS)
def park_failed(request: PracticeRequest, *, batch_number: int) -> HttpResponse:
    """Ask why the invoices of the failed uploads ticked are to be parked."""
    found = _batch(batch_number)
    rows = selectors.retryable(found, upload_ids=_ticked(request))
    invoices = [one.invoice for one in rows if one.invoice and one.kind in DOCUMENTS]
    if not invoices:
        messages.warning(
            request, "Nothing was done: tick at least one that failed or is not known first."
        )
        return back(request, "batch", batch_number=found.number)
    return ask_why(request, ParkForm(), invoices)


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ACCOUNTS, network=True)
def link_existing(request: PracticeRequest, *, upload_id: int) -> HttpResponse:
    """Say that the document is in the package already, and which one it is."""
    with acting_for(request.practice.pk):
        rows = Upload.objects.filter(kind__in=DOCUMENTS, state__in=FAILED)
        row = get_object_or_404(rows.select_related("invoice", "interface", "batch"), pk=upload_id)
        there = told_of(row)
    package, differs = row.interface.package, ""
    known = {"remote_id": _address_of(there.remote_id, there.url)}
    form = LinkExistingForm(request.POST or None, initial=known, package=package)
    where = where_addresses_stand(package)
    if request.method == "POST" and form.is_valid():
        try:
            found = uploads.look_at(
                practice_id=request.practice.pk,
                upload_id=row.pk,
                remote_id=form.cleaned_data["remote_id"],
            )
            if isinstance(found, Posted) or form.cleaned_data["differs"] == found.remote_id:
                return _linked(request, row, found)
            # Told what it is first; the second time it is meant.
            differs, there = found.message, found
            known = {
                "remote_id": _address_of(found.remote_id, found.url),
                "differs": found.remote_id,
            }
            form = LinkExistingForm(initial=known, package=package)
        except uploads.CannotLink as error:
            form.add_error("remote_id", f"{error} {where}")
        except ConnectorError as error:
            form.add_error("remote_id", str(error))
    facts = side_by_side(row, there)
    gone = there.is_taken_back
    context = {
        "form": form,
        "differs": differs,
        "facts": facts,
        # The table tells how they differ: the same is not said again in a sentence.
        "said": any(one.differs for one in facts),
        "taken": are_of_others(facts) and not gone,
        "gone": gone,
        "there": there,
        "nothing": told_of_nothing(row),
        "known": bool(form["remote_id"].value()),
        "upload": row,
        "invoice": row.invoice,
        "package": package,
        "where": where,
    }
    return render(request, "invoicing/link_existing.html", context)


def _linked(request: PracticeRequest, row: Upload, found: Found) -> HttpResponse:
    with acting_for(request.practice.pk):
        uploads.link_existing(upload_id=row.pk, found=found, actor=request.user)
        record_request(
            request,
            "upload.linked",
            str(row.invoice),
            upload=row.pk,
            remote_id=found.remote_id,
            same=isinstance(found, Posted),
        )
    messages.success(request, f"Invoice {row.invoice} is linked to what was there.")
    return to(request, "batch", batch_number=row.batch.number)


@require_POST
@practice_view(Role.ACCOUNTS)
def unlink(request: PracticeRequest, *, upload_id: int) -> HttpResponse:
    """Take back that the document is in the package already."""
    row = get_object_or_404(Upload.objects.select_related("invoice", "batch"), pk=upload_id)
    remote_id = row.remote_id
    try:
        unlinked = uploads.unlink(upload_id=row.pk, actor=request.user)
    except uploads.CannotUnlink as error:
        messages.error(request, str(error))
        return to(request, "batch", batch_number=row.batch.number)
    if unlinked:
        record_request(
            request, "upload.unlinked", str(row.invoice), upload=row.pk, remote_id=remote_id
        )
        messages.success(request, f"Invoice {row.invoice} is no longer linked to what is there.")
    else:
        messages.warning(request, "There was nothing to take back.")
    return to(request, "batch", batch_number=row.batch.number)


def _address_of(remote_id: str, url: str) -> str:
    """What a person can recognise the document by: its address, if that names it."""
    named = id_in(url)
    return url if named and named == (remote_id or named) else remote_id


def _batch(number: int) -> Batch:
    found = selectors.batches_marked().filter(number=number).first()
    if found is None:
        raise Http404
    return found


def _live(request: PracticeRequest, batch: Batch) -> dict[str, Any]:
    """Everything about a batch that may change from one moment to the next."""
    standing = selectors.standing_of(batch)
    show = request.GET.get("show", "all")
    show = show if show in selectors.SHOWN else "all"
    rehearsed: str | None = batch.rehearsed  # type: ignore[attr-defined]
    count = getattr(standing, {name: attribute for name, _, attribute in SHOWN}[show])
    hidden = () if may_upload(request) else ("tick",)
    rows = selectors.documents_of(batch, show=show)
    table = TABLES_OF_BATCHES[batch.origin](rows, exclude=hidden)
    table.mixed = len(standing.totals) > 1
    lay_out(table, request, count=count)
    companions = selectors.companions_of(batch)
    in_trouble = {} if batch.finished_at else lanes.troubled_packages()
    shown = [row.record for row in table.paginated_rows]
    pdfs = selectors.give_pdfs(shown)
    look_ahead([*shown, *companions, *pdfs], in_trouble=in_trouble)
    context: dict[str, Any] = {
        "batch": batch,
        "rehearsal_of": rehearsed and label_of(rehearsed),
        "standing": standing,
        "table": table,
        "show": show,
        "ticks": _ticks(table) if may_upload(request) else set(),
        "tabs": [
            (name, label, getattr(standing, attribute))
            for name, label, attribute in SHOWN
            if name == "all" or getattr(standing, attribute)
        ],
        "companions": companions,
        **_why_it_waits(request, batch, in_trouble),
        "may_upload": may_upload(request),
        "now": timezone.now(),
    }
    # The same text is not put on the page twice: ticks, open details and the reader's place stay.
    live = render_to_string("invoicing/batch_live.html", context, request=request)
    seen = hashlib.sha256(live.encode()).hexdigest()[:16]
    return {**context, "live": live, "seen": seen}


def _why_it_waits(
    request: PracticeRequest, batch: Batch, in_trouble: Mapping[str, datetime]
) -> dict[str, Any]:
    """What stands at the top of a batch: why things wait, and until when."""
    if batch.finished_at:
        return {}
    awaited = selectors.awaited_by(batch)
    interruptions = selectors.interruptions(awaited, in_trouble)
    lapsed = any(one.interface.state == NEEDS_CONSENT for one in interruptions)
    return {
        "interruptions": interruptions,
        "who_signs_in": listed(sign_in.who_can(request)) if lapsed else "",
        "troubles": selectors.troubles(awaited, in_trouble),
        "notices": selectors.notices_of(awaited, kinds=selectors.WHY_NOTHING_MOVES),
        "waits": selectors.waits_of(batch, awaited, in_trouble),
    }


def _ticks(table: DocumentsTable) -> set[str]:
    """What can be ticked among the rows shown: `waiting` uploads, `failed` ones, or none."""
    shown = [row.record for row in table.paginated_rows]
    return {
        "waiting" if one.state == Upload.State.QUEUED else "failed"
        for one in shown
        if one.state in (Upload.State.QUEUED, *FAILED) and not one.later_batch
    }


def _summary_once(request: PracticeRequest, batch: Batch, standing: selectors.Standing) -> str:
    """The summary of a finished batch, told once, to somebody who may act on it."""
    if request.method != "GET" or not batch.finished_at or not may_upload(request):
        return ""
    first = Batch.objects.filter(pk=batch.pk, summary_shown_at__isnull=True)
    if batch.summary_shown_at or not first.update(summary_shown_at=timezone.now()):
        return ""
    return summaries.told(standing)


def _ticked(request: PracticeRequest) -> list[int]:
    return (ids(request, "only") or ids(request, "upload"))[:MOST_AT_ONCE]


BASE = "<slug:practice_slug>/accounting/batches/"
ONE = f"{BASE}<int:batch_number>/"

urlpatterns_batches = [
    path(BASE, batches, name="batches"),
    path(f"{BASE}batches.csv", batches_file, name="batches_file"),
    path(ONE, batch, name="batch"),
    path(f"{ONE}progress/", progress, name="batch_progress"),
    path(f"{ONE}batch.csv", download, name="download_batch"),
    path(f"{ONE}errors.csv", download_errors, name="download_errors"),
    path(f"{ONE}retry/", retry, name="retry"),
    path(f"{ONE}cancel/", cancel, name="cancel"),
    path(f"{ONE}park/", park_failed, name="park_failed"),
    path(
        "<slug:practice_slug>/accounting/uploads/<int:upload_id>/link/",
        link_existing,
        name="link_existing",
    ),
    path("<slug:practice_slug>/accounting/uploads/<int:upload_id>/unlink/", unlink, name="unlink"),
]
