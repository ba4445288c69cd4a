"""The page that links invoice settings to an interface, and says from which date on."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from interfaces.models import AccountingInterface
from invoicing import uploads
from invoicing.forms import OfferedFromForm
from invoicing.links import AlreadyLinked, Changed, link_settings
from invoicing.models import InvoiceSetting
from invoicing.posted import ids
from invoicing.selectors import CurrencyTotal, older_than_go_live, totals_of
from invoicing.words import all_of, counted
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def link(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Tick the invoice settings whose invoices go through this interface, and set the date."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    ticked, moved = set(ids(request, "setting")), set(ids(request, "move"))
    form = OfferedFromForm(request.POST or None, interface=interface)
    asking: list[CurrencyTotal] = []
    if request.method == "POST" and form.is_valid():
        if not ticked and not interface.is_live:
            messages.error(request, "Nothing was saved: tick at least one invoice setting.")
        elif not (asking := _asked_first(request, form, ticked)) and _linked(
            request, interface, form, setting_ids=ticked, move=moved
        ):
            return _onward(request, interface)
    settings = list(InvoiceSetting.objects.select_related("interface").order_by("name"))
    chosen = ticked if request.method == "POST" else _at_first(interface, settings)
    context = {
        "interface": interface,
        "settings": settings,
        "chosen": chosen,
        "moved": moved,
        "form": form,
        "asking": asking,
        "older": older_than_go_live(interface) if interface.offered_from else 0,
    }
    return render(request, "invoicing/link_settings.html", context)


def _linked(
    request: PracticeRequest,
    interface: AccountingInterface,
    form: OfferedFromForm,
    *,
    setting_ids: set[int],
    move: set[int],
) -> bool:
    """Whether all of it is saved; why not has been said."""
    before = _linked_names(interface)
    try:
        changed = link_settings(interface=interface, setting_ids=setting_ids, move=move)
    except AlreadyLinked as error:
        messages.error(request, str(error))
        return False
    _save(request, interface, form, changed, before=before)
    return True


def _onward(request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    """To the interface's own page, or on with its set-up."""
    where = [request.practice.slug, interface.pk]
    if interface.is_live:
        return redirect(reverse("interfaces:detail", args=where))
    return redirect(f"{reverse('invoicing:set_up', args=where)}?after=settings")


def _asked_first(
    request: PracticeRequest, form: OfferedFromForm, ticked: set[int]
) -> list[CurrencyTotal]:
    """What would be marked as already in the accounts, until the person has seen it and is sure."""
    if not form.cleaned_data.get("mark_older") or request.POST.get("sure") == "on":
        return []
    older = uploads.unsent().filter(
        invoice_setting__in=ticked, issued__lt=form.cleaned_data["offered_from"]
    )
    return totals_of(older)


def _save(
    request: PracticeRequest,
    interface: AccountingInterface,
    form: OfferedFromForm,
    changed: Changed,
    *,
    before: list[str],
) -> None:
    """Keep the date, mark what is older where that is asked for, and tell and record it all."""
    date_before = interface.offered_from
    interface.offered_from = form.cleaned_data["offered_from"]
    interface.save(update_fields=["offered_from"])
    marked = 0
    if form.cleaned_data.get("mark_older"):
        marked = uploads.mark_older(
            interface=interface,
            reason=f"Dated before the go-live date of {interface}",
            actor=request.user,
        )
    record_request(
        request,
        "interface.invoice_settings",
        interface.name,
        interface=interface.pk,
        linked=changed.linked,
        unlinked=changed.unlinked,
        before={"settings": before, "offered_from": str(date_before or "")},
        after={
            "settings": _linked_names(interface),
            "offered_from": str(interface.offered_from or ""),
        },
        marked_in_accounts=marked,
    )
    for other, names in changed.moved:
        record_request(
            request,
            "interface.invoice_settings",
            other.name,
            interface=other.pk,
            before={"settings": names},
            after={"settings": f"moved to {interface}"},
        )
        if other.is_live and not interface.is_live:
            messages.warning(
                request,
                f"{all_of(names)} went through {other}, which is live: those invoices cannot be"
                f" uploaded until {interface} is live.",
            )
    text = "Invoice settings are saved."
    if marked:
        text += f" {counted(marked, 'older invoice')} marked as already in the accounts."
    messages.success(request, text)


def _linked_names(interface: AccountingInterface) -> list[str]:
    linked = InvoiceSetting.objects.filter(interface=interface).order_by("name")
    return list(linked.values_list("name", flat=True))


def _at_first(interface: AccountingInterface, settings: list[InvoiceSetting]) -> set[int]:
    """Those linked; before anything was ever linked, the only one there is."""
    linked = {one.pk for one in settings if one.interface_id == interface.pk}
    alone = len(settings) == 1 and settings[0].interface_id is None and not interface.is_live
    return linked or ({settings[0].pk} if alone else set())


urlpatterns_links = [
    path(
        "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/invoice-settings/",
        link,
        name="link_settings",
    ),
]
