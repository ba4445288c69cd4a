"""Pages of an interface's codes: what invoices need, which codes are offered, and code rules."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.base.protocol import ReadsCodes
from interfaces import codes as code_lists
from interfaces import selectors
from interfaces.forms_codes import NeedsForm, RuleForm
from interfaces.models import AccountingInterface, CodeRule, PackageCode
from interfaces.urls import ONE
from invoicing.codes_in_use import codes_in_use, subjects
from invoicing.posted import ids, onward, own_address
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role

INCOMPLETE = "That form came incomplete, so nothing was saved."
RULE_TAKEN = "There is a rule for it already. Change that one."


@require_safe
@practice_view()
def codes(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """What invoices need of the package's codes, which are offered, and what is chosen."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    return _page(request, interface, *_needs(interface))


@require_POST
@practice_view(Role.ADMIN)
def save_codes(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Keep the defaults, what stands for Abtrac's codes, and which codes are offered."""
    # Held, so that what is recorded as before is what was before.
    interface = get_object_or_404(
        AccountingInterface.objects.select_for_update(no_key=True), pk=interface_id
    )
    ticked = {"accounts": ids(request, "account"), "taxes": ids(request, "tax")}
    form, listed = _needs(interface, request.POST, ticked)
    if not form.is_whole:
        messages.error(request, INCOMPLETE)
        return _to("codes", request, interface)
    if not form.is_valid():
        return _page(request, interface, form, listed, ticked)
    before, after = form.save()
    offered, withdrawn = _offers_changed(listed, ticked)
    code_lists.set_available(interface, **ticked)
    if before or offered or withdrawn:
        record_request(
            request,
            "interface.codes_set",
            interface.name,
            interface=interface.pk,
            before=before,
            after=after,
            offered=offered,
            withdrawn=withdrawn,
        )
    messages.success(request, "Codes and defaults are saved.")
    for sentence in form.other_rates():
        messages.warning(request, sentence)
    there = own_address(request)
    if "accept_exact" not in request.POST:
        return redirect(there) if there else _to("codes", request, interface)
    # The others are still to be looked at.
    onwards = f"?{urlencode({'next': there})}" if there else ""
    return redirect(f"{_address('codes', request, interface)}{onwards}")


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view()
def rules(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """The code rules of the interface, and a new one."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    may_change = request.role.includes(Role.ADMIN)
    if request.method == "POST" and not may_change:
        raise PermissionDenied
    listed, named = selectors.codes_of(interface), subjects()
    form = None
    if may_change:
        form = RuleForm(
            request.POST or None,
            interface=interface,
            codes=listed,
            in_use=codes_in_use(interface),
            subjects=named,
        )
        if request.method == "POST" and form.is_valid() and _added(request, interface, form):
            return _to("rules", request, interface)
    context = {
        "interface": interface,
        "form": form,
        "may_change": may_change,
        "rules": _in_order(listed.rules, named),
    }
    return render(request, "interfaces/rules.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def rule(request: PracticeRequest, *, interface_id: int, rule_id: int) -> HttpResponse:
    """Another account for a code rule."""
    interface, found = _rule(interface_id, rule_id)
    named = _in_order([found], subjects())[0][1]
    form = RuleForm(
        request.POST or None,
        interface=interface,
        codes=selectors.codes_of(interface),
        in_use=codes_in_use(interface),
        subjects={},
        rule=found,
    )
    if request.method == "POST" and form.is_valid():
        before, found.account = found.account, form.cleaned_data["account"]
        found.save(update_fields=["account"])
        record_request(
            request,
            "interface.rule_changed",
            interface.name,
            interface=interface.pk,
            rule=named,
            before=str(before),
            after=str(found.account),
        )
        messages.success(request, f"{named} now goes to {found.account}.")
        return _to("rules", request, interface)
    context = {"interface": interface, "form": form, "rule": found, "named": named}
    return render(request, "interfaces/rule.html", context)


@require_POST
@practice_view(Role.ADMIN)
def remove_rule(request: PracticeRequest, *, interface_id: int, rule_id: int) -> HttpResponse:
    """Take a code rule away: its lines go where the next rule or the default says."""
    interface, found = _rule(interface_id, rule_id)
    named = _in_order([found], subjects())[0][1]
    record_request(
        request,
        "interface.rule_removed",
        interface.name,
        interface=interface.pk,
        rule=named,
        before=str(found.account),
        after="",
    )
    found.delete()
    messages.success(request, f"The rule for {named} is removed.")
    return _to("rules", request, interface)


def _rule(interface_id: int, rule_id: int) -> tuple[AccountingInterface, CodeRule]:
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    of_interface = CodeRule.objects.select_related("account").filter(interface=interface)
    return interface, get_object_or_404(of_interface, pk=rule_id)


def _added(request: PracticeRequest, interface: AccountingInterface, form: RuleForm) -> bool:
    """Whether the rule could be kept: somebody else may have made the same one meanwhile."""
    scope, subject = form.cleaned_data["rule"]
    account = form.cleaned_data["account"]
    try:
        with transaction.atomic():
            made = CodeRule.objects.create(
                interface=interface, scope=scope, subject=subject, account=account
            )
    except IntegrityError:
        form.add_error(None, RULE_TAKEN)
        return False
    named = _in_order([made], subjects())[0][1]
    record_request(
        request,
        "interface.rule_added",
        interface.name,
        interface=interface.pk,
        rule=named,
        before="",
        after=str(account),
    )
    messages.success(request, f"{named} goes to {account}.")
    return True


def _in_order(
    found: Iterable[CodeRule], named: Mapping[str, list[tuple[str, str]]]
) -> list[tuple[CodeRule, str]]:
    """The rules as they are asked, each with its subject by the name people know it by."""
    order = {scope: place for place, scope in enumerate(CodeRule.Scope)}
    names = {scope: dict(pairs) for scope, pairs in named.items()}
    rows = [
        (one, f"{one.get_scope_display()} {names.get(one.scope, {}).get(one.subject, one.subject)}")
        for one in found
    ]
    return sorted(rows, key=lambda row: (order[CodeRule.Scope(row[0].scope)], row[1].casefold()))


def _needs(
    interface: AccountingInterface,
    data: QueryDict | None = None,
    ticked: Mapping[str, Collection[int]] | None = None,
) -> tuple[NeedsForm, selectors.CodesOf]:
    listed = selectors.codes_of(interface)
    form = NeedsForm(
        data,
        interface=interface,
        codes=listed,
        in_use=codes_in_use(interface),
        **(ticked or {}),
    )
    return form, listed


def _offers_changed(
    listed: selectors.CodesOf, ticked: Mapping[str, Collection[int]]
) -> tuple[list[str], list[str]]:
    """Which codes are offered from now on, and which no longer."""
    rows: list[tuple[PackageCode, bool]] = [
        *((one, one.pk in ticked["accounts"]) for one in listed.accounts),
        *((one, one.pk in ticked["taxes"]) for one in listed.taxes),
    ]
    return (
        [str(one) for one, chosen in rows if chosen and not one.available],
        [str(one) for one, chosen in rows if one.available and not chosen],
    )


def _page(
    request: PracticeRequest,
    interface: AccountingInterface,
    form: NeedsForm,
    listed: selectors.CodesOf,
    ticked: Mapping[str, Collection[int]] | None = None,
) -> HttpResponse:
    """The page; `ticked` are the codes the person had ticked, where they could not be kept."""
    may_change = request.role.includes(Role.ADMIN)
    if not may_change:
        for field in form.fields.values():
            field.disabled = True
    needs = list(form.needs())
    context: dict[str, Any] = {
        "interface": interface,
        "form": form,
        "needs": needs,
        "suggested": any(one.suggestion for one in needs),
        "exact": [one for one in needs if one.suggestion and one.suggestion.exact],
        "may_change": may_change,
        "can_read": interface.package.can(ReadsCodes),
        "accounts": listed.accounts,
        "taxes": listed.taxes,
        "rule_count": len(listed.rules),
        "missing": selectors.missing_defaults(interface),
        "next": onward(request, interface, "codes"),
    }
    for name, row_ids in (ticked or {}).items():
        for one in context[name]:
            one.available = one.pk in row_ids
    return render(request, "interfaces/codes.html", context)


def _address(name: str, request: PracticeRequest, interface: AccountingInterface) -> str:
    kwargs = {"practice_slug": request.practice.slug, "interface_id": interface.pk}
    return reverse(f"interfaces:{name}", kwargs=kwargs)


def _to(name: str, request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    return redirect(_address(name, request, interface))


urlpatterns_codes = [
    path(f"{ONE}codes/", codes, name="codes"),
    path(f"{ONE}codes/save/", save_codes, name="save_codes"),
    path(f"{ONE}codes/rules/", rules, name="rules"),
    path(f"{ONE}codes/rules/<int:rule_id>/", rule, name="rule"),
    path(f"{ONE}codes/rules/<int:rule_id>/remove/", remove_rule, name="remove_rule"),
]
