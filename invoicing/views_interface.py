"""The History and Health tabs of an interface."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from interfaces import selectors
from interfaces.models import AccountingInterface
from invoicing import digests, interface_pages
from invoicing.forms import DigestForm
from invoicing.tables import PER_PAGE
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role


@require_safe
@practice_view()
def history(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Which batches went through it and how they fared, and who changed what of its settings."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    page = Paginator(interface_pages.runs_of(interface), PER_PAGE).get_page(
        request.GET.get("page", "")
    )
    context = {
        "interface": interface,
        "page": page,
        "runs": interface_pages.told(list(page.object_list)),
        # Who did what from where is for those who may do it.
        "changes": interface_pages.changes_of(interface) if _is_admin(request) else [],
    }
    return render(request, "invoicing/interface_history.html", context)


def _is_admin(request: PracticeRequest) -> bool:
    return request.role.includes(Role.ADMIN)


@require_safe
@practice_view()
def health(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Whether the package can be reached, what waits, what is late, and how old its lists are."""
    interface = get_object_or_404(selectors.all_of_practice(), pk=interface_id)
    context = {
        **selectors.standing_of(interface),
        "interface": interface,
        "health": interface_pages.health_of(interface),
    }
    return render(request, "invoicing/health.html", context)


@require_POST
@practice_view(Role.ADMIN)
def save_digest(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Who gets the daily mail of what failed at the interface."""
    interface = get_object_or_404(selectors.all_of_practice(), pk=interface_id)
    form = DigestForm(request.POST, interface=interface)
    if form.is_valid():
        before = digests.readers_of(interface)
        digests.choose(interface, form.cleaned_data["readers"])
        record_request(
            request,
            "interface.digest_set",
            interface.name,
            interface=interface.pk,
            before={DAILY_MAIL: [one.email for one in before]},
            after={DAILY_MAIL: [one.email for one in digests.readers_of(interface)]},
        )
        messages.success(request, "It is saved who gets the daily mail.")
    else:
        messages.error(request, "Nothing was saved: one of those chosen cannot get it any more.")
    return redirect("interfaces:preferences", request.practice.slug, interface.pk)


DAILY_MAIL = "daily mail of what failed"
ONE = "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/"

urlpatterns_interface = [
    path(f"{ONE}history/", history, name="interface_history"),
    path(f"{ONE}digest/", save_digest, name="save_digest"),
    path(f"{ONE}health/", health, name="health"),
]
