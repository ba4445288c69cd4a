"""Jobs on their own: where each stands with one interface, and sending them there."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from connectors.base.protocol import PushesJobs
from interfaces.models import AccountingInterface
from invoicing import client_links, selectors, uploads
from invoicing.badges import with_badges
from invoicing.models import Job, JobLink, Upload
from invoicing.posted import MOST_AT_ONCE, back, ids, may_upload, own_address, tell_left_out
from invoicing.prospects import look_ahead
from invoicing.tables import PER_PAGE
from invoicing.uploads import alone
from invoicing.uploads.enqueue import why_not_through
from invoicing.uploads.kinds import sends_jobs
from invoicing.uploads.states import FAILED, MOVING
from invoicing.words import counted
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role

# What a job may be asked for by; in the order the page offers them.
STATES = {
    "": ("All", Q()),
    "new": ("Not sent", Q(is_there=False) & (Q(last=None) | Q(last="cancelled"))),
    "moving": ("On the way", Q(is_there=False, last__in=MOVING)),
    "failed": ("Failed", Q(is_there=False, last__in=FAILED)),
    "there": ("There", Q(is_there=True)),
}


@require_safe
@practice_view()
def jobs(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Every job and where it stands with the interface."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    rows = _wanted(request, interface)
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    latest = alone.latest_of_jobs(interface, [one.pk for one in page])
    look_ahead(latest.values())
    new = _annotated(interface).filter(STATES["new"][1]).count()
    context = {
        **_facts_of(request, interface),
        "page": page,
        "rows": [(one, latest.get(one.pk)) for one in page],
        "state": request.GET.get("state", ""),
        "states": [(key, label) for key, (label, _) in STATES.items()],
        "query": request.GET.get("q", ""),
        "new": new,
        "moving": MOVING,
        "most_at_once": MOST_AT_ONCE,
    }
    return render(request, "invoicing/jobs.html", context)


@require_safe
@practice_view()
def job(request: PracticeRequest, *, interface_id: int, job_id: int) -> HttpResponse:
    """One job: what Abtrac has of it, whether it is there, and its invoices."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    shown = get_object_or_404(Job.objects.select_related("client"), pk=job_id)
    latest = alone.latest_of_jobs(interface, [shown.pk])
    look_ahead(latest.values())
    context = {
        **_facts_of(request, interface),
        "job": shown,
        "link": JobLink.objects.filter(interface=interface, job=shown).first(),
        "upload": latest.get(shown.pk),
        "invoices": with_badges(selectors.invoices_of_job(shown)),
        "most_invoices": selectors.MOST_INVOICES,
        "next": own_address(request),
    }
    return render(request, "invoicing/job.html", context)


@require_POST
@practice_view(Role.ACCOUNTS)
def send(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Send jobs on their own: those ticked, or all that were not sent yet."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    chosen = ids(request, "job")[:MOST_AT_ONCE]
    if request.POST.get("do") == "all":
        left = _annotated(interface).filter(STATES["new"][1]).order_by("code", "pk")
        chosen = list(left.values_list("pk", flat=True)[:MOST_AT_ONCE])
    if reason := why_not_sent(interface):
        messages.error(request, reason)
        return back(request, "jobs", interface_id=interface.pk)
    if not chosen:
        messages.warning(request, "Nothing was done: tick at least one job first.")
        return back(request, "jobs", interface_id=interface.pk)
    failed = [
        one.pk for one in alone.latest_of_jobs(interface, chosen).values() if one.state in FAILED
    ]
    tried = uploads.retry(upload_ids=failed, actor=request.user) if failed else uploads.Retried()
    tell_left_out(request, tried.left_out)
    sent = alone.enqueue_jobs(interface=interface, job_ids=chosen, actor=request.user)
    count = tried.queued + (sent[1] if sent else 0)
    if not count:
        messages.info(request, "Nothing was sent: they are there, or on their way, already.")
        return back(request, "jobs", interface_id=interface.pk)
    batch = sent[0].number if sent else None
    record_request(
        request,
        "jobs.sent",
        interface.name,
        interface=interface.pk,
        before="not there",
        after={"jobs": count, "batch": batch},
    )
    where = f" in {sent[0]}" if sent else ""
    again = f", {tried.queued} of them tried again" if tried.queued else ""
    messages.success(
        request,
        f"{counted(count, 'job')} on the way to {interface.package.label}{where}{again}; each is"
        " looked for first.",
    )
    return back(request, "jobs", interface_id=interface.pk)


def why_not_sent(interface: AccountingInterface) -> str:
    """Why no job can be sent there now, or nothing."""
    label = interface.package.label
    if not interface.package.can(PushesJobs):
        return f"{label} has no place for jobs."
    if not sends_jobs(interface):
        return "Jobs are not sent: that is switched off in the preferences of the interface."
    if interface.state in client_links.CANNOT_SEND:
        return f"{interface} is not connected yet."
    return why_not_through(interface)


def _facts_of(request: PracticeRequest, interface: AccountingInterface) -> dict[str, Any]:
    why_not = why_not_sent(interface)
    return {
        "interface": interface,
        "package": interface.package,
        "may_set": request.role.includes(Role.ADMIN),
        "why_not": why_not,
        "may_send": may_upload(request) and not why_not,
    }


def _annotated(interface: AccountingInterface) -> QuerySet[Job]:
    """Every job with whether it is there, and the state of its last upload."""
    last = Upload.objects.filter(interface=interface, kind=Upload.Kind.JOB, job=OuterRef("pk"))
    return Job.objects.annotate(
        is_there=Exists(JobLink.objects.filter(interface=interface, job=OuterRef("pk"))),
        last=Subquery(last.order_by("-pk").values("state")[:1]),
    )


def _wanted(request: PracticeRequest, interface: AccountingInterface) -> QuerySet[Job]:
    _, which = STATES.get(request.GET.get("state", ""), STATES[""])
    rows = _annotated(interface).filter(which).select_related("client")
    if query := request.GET.get("q", "").strip()[:100]:
        alike = Q(code__icontains=query) | Q(description__icontains=query)
        rows = rows.filter(alike | Q(client__name__icontains=query))
    return rows.order_by("code", "pk")


HERE = "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/jobs/"

urlpatterns_jobs = [
    path(HERE, jobs, name="jobs"),
    path(f"{HERE}<int:job_id>/", job, name="job"),
    path(f"{HERE}send/", send, name="send_jobs"),
]
