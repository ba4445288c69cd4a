"""The list of clients and the package's contacts they are matched to, and the rule for it."""

import hashlib
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from connectors.base.protocol import ListsContacts, PushesContacts
from interfaces.models import AccountingInterface, Credential
from invoicing import client_links, client_matching, contact_list
from invoicing.client_matching import Match, Standing
from invoicing.forms import MatchRuleForm
from invoicing.models import Client, ContactLink
from invoicing.posted import MOST_AT_ONCE, back, may_upload, onward, own_address, to
from invoicing.prospects import look_ahead
from invoicing.tables import PER_PAGE
from invoicing.uploads import alone
from invoicing.words import counted
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role
from offices.tenancy import acting_for

LIST_CHANGED = "The list has changed since you opened it, so nothing was done. Look at it again."
LABELS = {
    Standing.LOOKS_LIKE: "Looks like",
    Standing.EXACT: "Exact match",
    Standing.NEW: "New",
    Standing.LINKED: "Linked",
}


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(network=True)
def clients(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Where every client stands; posted to, it is left for the next step of the set-up."""
    with acting_for(request.practice.pk):
        interface = get_object_or_404(AccountingInterface, pk=interface_id)
        first = _never_read(interface) and may_upload(request)
        if request.method == "POST":
            return _go_on(request, interface)
    if first:
        # Whoever comes here first finds the contacts there; the page tells why where they are not.
        contact_list.read_quietly(practice_id=request.practice.pk, interface_id=interface.pk)
    with acting_for(request.practice.pk):
        interface.refresh_from_db()
        return _page(request, interface)


@require_POST
@practice_view(Role.ADMIN)
def rule(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """By what clients are matched, and whether they are added; asked twice where links exist."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    form = MatchRuleForm(request.POST, interface=interface)
    if not form.is_valid():
        messages.error(request, "Nothing was saved: choose one of the ways to match clients.")
        return back(request, "clients", interface_id=interface.pk)
    before = form.in_words()
    linked = _linked_clients(interface)
    if form.changes_rule and linked and "sure" not in request.POST:
        there = own_address(request)
        context = {
            "interface": interface,
            "form": form,
            "linked": linked,
            "before": form.rule_now,
            "after": form.rule_chosen,
            "next": there or resolve_url("invoicing:clients", request.practice.slug, interface.pk),
        }
        return render(request, "invoicing/match_rule.html", context)
    form.save()
    record_request(
        request,
        "interface.match_rule_set",
        interface.name,
        interface=interface.pk,
        before=before,
        after=form.in_words(),
    )
    messages.success(request, "How clients are matched is saved.")
    return back(request, "clients", interface_id=interface.pk)


@require_POST
@practice_view(Role.ACCOUNTS, network=True)
def read(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Read the contacts from the package now."""
    with acting_for(request.practice.pk):
        interface = get_object_or_404(AccountingInterface, pk=interface_id)
    label = interface.package.label
    if not interface.package.can(ListsContacts):
        messages.warning(request, f"{label} cannot be asked for its contacts.")
        return back(request, "clients", interface_id=interface.pk)
    practice_id = request.practice.pk
    failure = contact_list.read_quietly(practice_id=practice_id, interface_id=interface.pk)
    if failure:
        messages.error(request, f"The contacts could not be read. {failure}")
    else:
        messages.success(request, f"The contacts were read from {label}.")
    return back(request, "clients", interface_id=interface.pk)


@require_POST
@practice_view(Role.ACCOUNTS)
def link_all(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Link every client of the list that has exactly one contact by the rule."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    everyone = request.POST.get("show") == "all"
    found = client_matching.matches(interface, everyone=everyone)
    if request.POST.get("exact") != _fingerprint(found):
        messages.warning(request, LIST_CHANGED)
        return back(request, "clients", interface_id=interface.pk)
    linked = client_links.link_all_exact(interface=interface, found=found, actor=request.user)
    if linked:
        record_request(
            request,
            "clients.linked",
            interface.name,
            interface=interface.pk,
            before="not linked",
            after=[
                {"client": one.number, "name": one.name, "contact": one.exact.remote_id}
                for one in linked
                if one.exact
            ],
        )
    left = sum(one.exact is not None for one in found) - len(linked)
    others = f" {left} left out: linked meanwhile, or on the way." if left else ""
    messages.success(request, f"{counted(len(linked), 'client')} linked.{others}")
    return back(request, "clients", interface_id=interface.pk)


@require_POST
@practice_view(Role.ACCOUNTS)
def send(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Send clients on their own: those ticked, or all of the list that are not there yet."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    found = client_matching.matches(interface, everyone=request.POST.get("show") == "all")
    sendable = [one for one in found if may_be_sent(one)]
    if request.POST.get("do") == "all":
        if request.POST.get("new") != _fingerprint_of_new(sendable):
            messages.warning(request, LIST_CHANGED)
            return back(request, "clients", interface_id=interface.pk)
        chosen = sendable[:MOST_AT_ONCE]
    else:
        ticked = set(request.POST.getlist("place"))
        chosen = [one for one in sendable if place_of(one) in ticked][:MOST_AT_ONCE]
    reason = client_links.why_not_create(interface)
    if reason or not chosen:
        messages.warning(request, reason or "Nothing was done: tick at least one client first.")
        return back(request, "clients", interface_id=interface.pk)
    sent = client_links.create_several(interface=interface, chosen=chosen, actor=request.user)
    if sent is None:
        messages.info(request, "Nothing was sent: they are linked, or on their way, already.")
        return back(request, "clients", interface_id=interface.pk)
    batch, count = sent
    record_request(
        request,
        "clients.sent",
        interface.name,
        interface=interface.pk,
        before="not there",
        after={"batch": batch.number, "clients": count},
    )
    left = len(chosen) - count
    others = f" {left} left out: on the way, or waiting for a person." if left else ""
    messages.success(
        request,
        f"{counted(count, 'client')} on the way to {interface.package.label} in {batch}; each is"
        f" looked for first.{others}",
    )
    return back(request, "clients", interface_id=interface.pk)


def may_be_sent(match: Match) -> bool:
    """Whether it may go unseen with others: what looks like a contact, somebody decides first."""
    return match.standing in (Standing.NEW, Standing.EXACT)


def place_of(match: Match) -> str:
    """What is posted for it."""
    return f"{match.client_id} {match.link_name}".strip()


def _fingerprint_of_new(found: Sequence[Match]) -> str:
    """What is about to be sent, so that nothing else is."""
    places = sorted(map(place_of, found))
    return hashlib.sha256("\n".join(places).encode()).hexdigest()[:16]


def _go_on(request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    """To the next step, saying what becomes of clients left without a decision."""
    left = client_matching.undecided(interface)
    label = interface.package.label
    unsure = sum(one.standing is Standing.LOOKS_LIKE for one in left)
    if left and client_links.why_not_create(interface):
        have = "has" if len(left) == 1 else "have"
        messages.warning(
            request,
            f"{counted(len(left), 'client')} with invoices to send {have} no contact in {label}"
            " yet. Those invoices are refused until there is one.",
        )
    elif unsure:
        look = "looks like a contact" if unsure == 1 else "look like contacts"
        messages.info(
            request,
            f"{counted(unsure, 'client')} not linked {look} in {label}. What the rule does not"
            f" find there with the first invoice is added to {label}, as a second contact perhaps.",
        )
    there = own_address(request)
    if there:
        return redirect(there)
    return to(request, "link_settings", interface_id=interface.pk)


def _page(request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    show = request.GET.get("show", "")
    everyone = show == "all"
    found = client_matching.matches(interface, everyone=everyone)
    if not found and not show:
        # No invoice waits yet: then it is about all of them.
        everyone = True
        found = client_matching.matches(interface, everyone=True)
    state = request.GET.get("state", "")
    query = client_matching.plain(request.GET.get("q", "")[:100])
    shown = [one for one in found if _is_shown(one, state, query)]
    page = Paginator(shown, PER_PAGE).get_page(request.GET.get("page"))
    counts = {one: sum(each.standing is one for each in found) for one in Standing}
    sendable = [one for one in found if may_be_sent(one)]
    latest = alone.latest_of_contacts(interface, {one.client_id for one in page})
    look_ahead(latest.values())
    facts, form = facts_of(request, interface), MatchRuleForm(interface=interface)
    if not facts["may_set"]:
        for field in form.fields.values():
            field.disabled = True
    context = {
        **facts,
        "form": form,
        "page": page,
        "rows": [(one, place_of(one), latest.get((one.client_id, one.link_name))) for one in page],
        "may_send": bool(sendable) and facts["may_change"] and not facts["why_not_create"],
        "sendable": min(len(sendable), MOST_AT_ONCE),
        "new_mark": _fingerprint_of_new(sendable),
        "everyone": everyone,
        "needed": sum(one.is_needed for one in found),
        "all_clients": Client.objects.count(),
        "state": state,
        "query": request.GET.get("q", ""),
        "states": [("", "All", len(found))]
        + [(one.value, label, counts[one]) for one, label in LABELS.items()],
        "exact": counts[Standing.EXACT],
        "exact_mark": _fingerprint(found),
        "next": onward(request, interface, "clients"),
    }
    return render(request, "invoicing/clients.html", context)


def _is_shown(match: Match, state: str, query: str) -> bool:
    if state and match.standing.value != state:
        return False
    words = f"{match.number} {match.client} {match.name}"
    return not query or query in client_matching.plain(words)


def facts_of(request: PracticeRequest, interface: AccountingInterface) -> dict[str, Any]:
    """What both pages tell of the interface and of what the person may do."""
    return {
        "interface": interface,
        "package": interface.package,
        "may_change": may_upload(request),
        "may_set": request.role.includes(Role.ADMIN),
        "lists": interface.package.can(ListsContacts),
        "pushes": interface.package.can(PushesContacts),
        "why_not_create": client_links.why_not_create(interface),
        "by_invoice": client_matching.rule_of(interface) == "name_on_invoice",
    }


def _linked_clients(interface: AccountingInterface) -> int:
    links = ContactLink.objects.filter(interface=interface)
    return links.values("client").distinct().count()


def _fingerprint(found: Sequence[Match]) -> str:
    """What is about to be linked, so that nothing else is."""
    pairs = sorted(
        f"{one.client_id} {one.link_name} {one.exact.remote_id}" for one in found if one.exact
    )
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()[:16]


def _never_read(interface: AccountingInterface) -> bool:
    """Whether the contacts could be read and nobody has tried yet."""
    untried = interface.contacts_read_at is None and not interface.contacts_error
    if not (untried and interface.is_connected and interface.package.can(ListsContacts)):
        return False
    return Credential.objects.filter(interface=interface).exists()


HERE = "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/clients/"

urlpatterns_clients = [
    path(HERE, clients, name="clients"),
    path(f"{HERE}rule/", rule, name="match_rule"),
    path(f"{HERE}read/", read, name="read_contacts"),
    path(f"{HERE}link/", link_all, name="link_exact"),
    path(f"{HERE}send/", send, name="send_clients"),
]
