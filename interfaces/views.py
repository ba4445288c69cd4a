"""Pages of Interface Settings: the list, one interface, its codes and its preferences."""

from collections.abc import Collection, Mapping
from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors import registry
from interfaces import charges, selectors
from interfaces import codes as code_lists
from interfaces.connections import why_not
from interfaces.forms import NAME_TAKEN, AddForm, DefaultsForm, PreferencesForm
from interfaces.models import AccountingInterface
from interfaces.registration import create_interface
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role
from offices.tenancy import acting_for

LONGEST_ID = 18  # digits: a longer one is no row of any database


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


@require_safe
@practice_view()
def codes(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """The codes as the package last listed them, which are offered, and the defaults."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    return _codes_page(request, interface, DefaultsForm(interface=interface))


@require_POST
@practice_view(Role.ADMIN)
def save_codes(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Keep the defaults and which codes are offered."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    ticked = {"accounts": _ids(request, "account"), "taxes": _ids(request, "tax")}
    form = DefaultsForm(request.POST, interface=interface, **ticked)
    if not form.is_valid():
        return _codes_page(request, interface, form, ticked)
    form.save()
    code_lists.set_available(interface, **ticked)
    chosen = {name: str(code or "") for name, code in form.cleaned_data.items()}
    record_request(request, "interface.codes_set", interface.name, **chosen)
    messages.success(request, "Codes and defaults are saved.")
    return _to("codes", request, interface)


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
    context = {"interface": interface, "form": form}
    return render(request, "interfaces/preferences.html", context)


def _codes_page(
    request: PracticeRequest,
    interface: AccountingInterface,
    form: DefaultsForm,
    ticked: Mapping[str, Collection[int]] | None = None,
) -> HttpResponse:
    """The page; `ticked` are the codes the person had ticked, where they could not be kept."""
    may_change = request.role.includes(Role.ADMIN)
    if not may_change:
        for field in form.fields.values():
            field.disabled = True
    context: dict[str, Any] = {
        "interface": interface,
        "form": form,
        "may_change": may_change,
        "accounts": selectors.accounts_of(interface),
        "taxes": selectors.taxes_of(interface),
        "missing": selectors.missing_defaults(interface),
    }
    for name, row_ids in (ticked or {}).items():
        for one in context[name]:
            one.available = one.pk in row_ids
    return render(request, "interfaces/codes.html", context)


def _ids(request: PracticeRequest, name: str) -> list[int]:
    values = request.POST.getlist(name)
    return [int(value) for value in values if value.isdecimal() and len(value) <= LONGEST_ID]


def _to(name: str, request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    return redirect(
        f"interfaces:{name}", practice_slug=request.practice.slug, interface_id=interface.pk
    )
