"""Pages of Interface Settings: the list, one interface, and its preferences."""

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors import registry
from connectors.base.protocol import SetUpBy
from interfaces import charges, lapsing, pausing, selectors, tiles
from interfaces import codes as code_lists
from interfaces.connections import why_not
from interfaces.copying import candidates
from interfaces.forms import NAME_TAKEN, AddForm, PreferencesForm
from interfaces.forms_assistance import CopyForm
from interfaces.models import AccountingInterface
from interfaces.pausing import Actor, CannotPause
from interfaces.registration import create_interface, unfinished
from interfaces.views_consent import begin_consent
from offices.access import PracticeRequest, practice_view
from offices.audit import address_of, record_request
from offices.models import Role
from offices.tenancy import acting_for


@require_safe
@practice_view()
def interfaces(request: PracticeRequest) -> HttpResponse:
    """Every accounting interface of the practice; before there is one, the packages."""
    found = list(selectors.all_of_practice())
    admin = request.role.includes(Role.ADMIN)
    context: dict[str, Any] = {
        "interfaces": found,
        "tiles": tiles.tiles_for(request.practice) if admin and not found else [],
        "form": AddForm(),
    }
    if admin:
        context["prices"] = charges.by_interface(request.practice)
        context["monthly"] = sum(context["prices"].values(), Decimal(0))
    return render(request, "interfaces/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def add(request: PracticeRequest) -> HttpResponse:
    """A new interface: the packages as tiles; the one chosen is connected at once."""
    form = AddForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        package = registry.package(form.cleaned_data["package_key"])
        if package.set_up_by is SetUpBy.SUPPORT:
            return redirect("interfaces:ask", request.practice.slug, package.key)
        begun = None if form.named else unfinished(package.key)
        if begun:
            return _onward(request, begun)
        try:
            with transaction.atomic():
                interface = create_interface(**form.cleaned_data)
        except IntegrityError:
            form.add_error("name", NAME_TAKEN)
        else:
            record_request(
                request,
                "interface.added",
                interface.name,
                interface=interface.pk,
                package=interface.package_key,
            )
            return _onward(request, interface)
    context = {"form": form, "tiles": tiles.tiles_for(request.practice)}
    return render(request, "interfaces/add.html", context)


def _onward(request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    """To the package's sign-in where there is one, and from there to the next step."""
    if interface.package.oauth is None:
        messages.success(request, f"{interface.name} is added.")
        return redirect("invoicing:set_up", request.practice.slug, interface.pk)
    return begin_consent(request, interface)


@require_safe
@practice_view()
def detail(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Where one interface stands, and the way to all that can be set."""
    interface = get_object_or_404(selectors.all_of_practice(), pk=interface_id)
    context = {
        **selectors.standing_of(interface),
        "interface": interface,
        "why_not": "" if interface.is_connected else why_not(interface),
        "ending": charges.change_if_ended(interface) if interface.is_live else None,
        "beginning": _beginning(interface),
        "lapses_soon": lapsing.days_left(interface),
        "preferences": selectors.preferences_in_words(interface),
    }
    return render(request, "interfaces/detail.html", context)


def _beginning(interface: AccountingInterface) -> charges.Change | None:
    """What a paused interface would cost again."""
    paused = interface.state == AccountingInterface.State.PAUSED
    if not paused or not interface.is_live or interface.is_rehearsal:
        return None
    return charges.change_if_resumed(interface)


@require_POST
@practice_view(Role.ADMIN, network=True)
def refresh(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Read the codes from the package now."""
    with acting_for(request.practice.pk):
        interface = get_object_or_404(AccountingInterface, pk=interface_id)
    failure = code_lists.refresh_quietly(practice_id=request.practice.pk, interface_id=interface.pk)
    if failure:
        messages.error(request, f"The codes could not be read. {failure}")
    else:
        messages.success(request, f"The codes were read from {interface.package.label}.")
    return _to("codes", request, interface)


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def preferences(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """The display name and everything that can be set; “preview” only shows what it leads to."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    form = PreferencesForm(request.POST or None, interface=interface)
    if request.method == "POST" and form.is_valid() and "preview" not in request.POST:
        before = selectors.settings_in_words(interface)
        try:
            with transaction.atomic():
                form.save()
        except IntegrityError:
            form.add_error("name", NAME_TAKEN)
        else:
            record_request(
                request,
                "interface.preferences_set",
                interface.name,
                interface=interface.pk,
                before=before,
                after=selectors.settings_in_words(interface),
                # Of a secret nobody may know more than that it is another one.
                secrets_replaced=form.secrets_given(),
            )
            messages.success(request, "Preferences are saved.")
            return _to("detail", request, interface)
    others = candidates(interface.package_key, but=interface).exists()
    copy_form = CopyForm(interface=interface) if others else None
    context = {"interface": interface, "form": form, "copy_form": copy_form}
    return render(request, "interfaces/preferences.html", context)


@require_POST
@practice_view(Role.ADMIN)
def pause(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Send nothing more until it is resumed."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    try:
        pausing.pause(interface, actor=_actor(request))
    except CannotPause as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{interface} is paused. What is uploaded waits.")
    return _to("detail", request, interface)


@require_POST
@practice_view(Role.ADMIN)
def resume(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Go on with what waits."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    try:
        pausing.resume(interface, actor=_actor(request))
    except CannotPause as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{interface} goes on, with what waits first.")
    return _to("detail", request, interface)


def _actor(request: PracticeRequest) -> Actor:
    return Actor(user=request.user, as_support=request.as_support, address=address_of(request))


def _to(name: str, request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    return redirect(
        f"interfaces:{name}", practice_slug=request.practice.slug, interface_id=interface.pk
    )
