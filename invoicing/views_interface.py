"""The History and Health tabs of an interface."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.http import require_safe

from interfaces import selectors
from interfaces.models import AccountingInterface
from invoicing import interface_pages
from invoicing.tables import PER_PAGE
from offices.access import PracticeRequest, practice_view
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


ONE = "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/"

urlpatterns_interface = [
    path(f"{ONE}history/", history, name="interface_history"),
    path(f"{ONE}health/", health, name="health"),
]
