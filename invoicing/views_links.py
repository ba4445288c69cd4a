"""The page that links invoice settings to an accounting interface."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods

from interfaces.models import AccountingInterface
from invoicing.links import AlreadyLinked, link_settings
from invoicing.models import InvoiceSetting
from invoicing.posted import ids
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def link(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Tick the invoice settings whose invoices go through this interface."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    ticked, moved = _ids(request, "setting"), _ids(request, "move")
    if request.method == "POST":
        try:
            changed = link_settings(interface=interface, setting_ids=ticked, move=moved)
        except AlreadyLinked as error:
            messages.error(request, str(error))
        else:
            record_request(
                request,
                "interface.invoice_settings",
                interface.name,
                linked=changed.linked,
                unlinked=changed.unlinked,
            )
            messages.success(request, "Invoice settings are saved.")
            return redirect(
                "interfaces:detail", practice_slug=request.practice.slug, interface_id=interface.pk
            )
    settings = InvoiceSetting.objects.select_related("interface").order_by("name")
    chosen = ticked if request.method == "POST" else _linked(interface)
    context = {"interface": interface, "settings": settings, "chosen": chosen, "moved": moved}
    return render(request, "invoicing/link_settings.html", context)


def _linked(interface: AccountingInterface) -> set[int]:
    return set(InvoiceSetting.objects.filter(interface=interface).values_list("pk", flat=True))


def _ids(request: PracticeRequest, name: str) -> set[int]:
    return set(ids(request, name))


urlpatterns_links = [
    path(
        "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/invoice-settings/",
        link,
        name="link_settings",
    ),
]
