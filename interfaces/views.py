"""Pages of Interface Settings: the list, one interface, and its preferences."""

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors import registry
from interfaces import charges, selectors
from interfaces import codes as code_lists
from interfaces.connections import why_not
from interfaces.copying import candidates
from interfaces.forms import NAME_TAKEN, AddForm, PreferencesForm
from interfaces.forms_assistance import CopyForm
from interfaces.models import AccountingInterface
from interfaces.registration import create_interface
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role
from offices.tenancy import acting_for


@require_safe
@practice_view()
def interfaces(request: PracticeRequest) -> HttpResponse:
    """Every accounting interface of the practice."""
    return render(request, "interfaces/list.html", {"interfaces": selectors.all_of_practice()})


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def add(request: PracticeRequest) -> HttpResponse:
    """A new interface: which package, and what to call it."""
    form = AddForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                interface = create_interface(**form.cleaned_data)
        except IntegrityError:
            form.add_error("name", NAME_TAKEN)
        else:
            record_request(
                request, "interface.added", interface.name, package=interface.package_key
            )
            messages.success(request, f"{interface.name} is added. Connect it next.")
            return _to("detail", request, interface)
    context = {"form": form, "packages": registry.packages().values()}
    return render(request, "interfaces/add.html", context)


@require_safe
@practice_view()
def detail(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Where one interface stands, and the way to all that can be set."""
    interface = get_object_or_404(selectors.all_of_practice(), pk=interface_id)
    context = {
        **selectors.standing_of(interface),
        "interface": interface,
        "why_not": "" if interface.is_connected else why_not(interface),
        "preferences": selectors.preferences_in_words(interface),
        "if_ended": charges.change_if_ended(interface),
    }
    return render(request, "interfaces/detail.html", context)


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
    """The display name and the package's own settings."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    form = PreferencesForm(request.POST or None, interface=interface)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                form.save()
        except IntegrityError:
            form.add_error("name", NAME_TAKEN)
        else:
            record_request(
                request, "interface.preferences_set", interface.name, changed=form.changed_data
            )
            messages.success(request, "Preferences are saved.")
            return _to("detail", request, interface)
    others = candidates(interface.package_key, but=interface).exists()
    copy_form = CopyForm(interface=interface) if others else None
    context = {"interface": interface, "form": form, "copy_form": copy_form}
    return render(request, "interfaces/preferences.html", context)


def _to(name: str, request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    return redirect(
        f"interfaces:{name}", practice_slug=request.practice.slug, interface_id=interface.pk
    )
