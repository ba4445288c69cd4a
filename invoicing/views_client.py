"""One client and the contact that stands for it: choose, search, create, unlink."""

from collections.abc import Sequence

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from interfaces.models import AccountingInterface
from invoicing import client_links, client_matching, rechecking
from invoicing.client_links import CannotMatch
from invoicing.client_matching import Match
from invoicing.models import Client, ContactLink, PackageContact, Upload
from invoicing.posted import back, is_id, own_address, to
from invoicing.uploads.states import DOCUMENTS, State
from invoicing.views_causes import tell_checked
from invoicing.views_clients import HERE, LIST_CHANGED, facts_of
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role

# What a search answers at most; more words narrow it down.
MOST_FOUND = 20


@require_safe
@practice_view()
def client(request: PracticeRequest, *, interface_id: int, client_id: int) -> HttpResponse:
    """One client: choose its contact, search for another, create it, or unlink it."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    one = get_object_or_404(Client, pk=client_id)
    found = client_matching.matches(interface, client_id=one.pk)
    query = request.GET.get("q", "").strip()[:100]
    hits = _search(interface, query) if query else []
    context = {
        **facts_of(request, interface),
        "client": one,
        "matches": found,
        "query": query,
        "hits": hits[:MOST_FOUND],
        "too_many": len(hits) > MOST_FOUND,
        "most_found": MOST_FOUND,
        "sent": _sent(interface, one),
        "next": own_address(request),
    }
    return render(request, "invoicing/client.html", context)


@require_POST
@practice_view(Role.ACCOUNTS)
def decide(request: PracticeRequest, *, interface_id: int, client_id: int) -> HttpResponse:
    """Link the client, unlink it, or create it now."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    one = get_object_or_404(Client, pk=client_id)
    found = client_matching.matches(interface, client_id=one.pk)
    wanted = request.POST.get("name", "")
    match = next((each for each in found if each.link_name == wanted), None)
    act = {"link": _link, "unlink": _unlink, "create": _create}.get(request.POST.get("do", ""))
    try:
        if match is None or act is None:
            raise CannotMatch(LIST_CHANGED)
        act(request, interface, match)
    except CannotMatch as error:
        messages.error(request, str(error))
        return to(request, "client", interface_id=interface.pk, client_id=one.pk)
    return back(request, "clients", interface_id=interface.pk)


def _link(request: PracticeRequest, interface: AccountingInterface, match: Match) -> None:
    chosen = request.POST.get("contact", "")
    if not chosen:
        raise CannotMatch("Choose a contact first.")
    rows = PackageContact.objects.filter(
        interface=interface, pk=int(chosen) if is_id(chosen) else 0
    )
    contact = rows.first()
    label = interface.package.label
    if contact is None:
        raise CannotMatch(
            f"That contact is not in {label}'s list any more. Read the contacts again, then choose."
        )
    client_links.link_one(interface=interface, match=match, contact=contact, actor=request.user)
    record_request(
        request,
        "client.linked",
        match.client,
        interface=interface.pk,
        before="",
        after={"name": match.name, "contact": contact.remote_id, "contact_name": contact.name},
    )
    messages.success(request, f"{match.client} is linked to {contact.name} in {label}.")
    _check_again(request, interface, match)
    others = ContactLink.objects.filter(interface=interface, remote_id=contact.remote_id)
    names = others.exclude(client=match.client_id).values_list("client__name", flat=True)
    if sharing := sorted(set(names)):
        messages.warning(
            request,
            f"{contact.name} is the contact of {', '.join(sharing[:5])} as well: their invoices are"
            f" one account in {label}. If that is not meant, unlink one of them.",
        )


def _unlink(request: PracticeRequest, interface: AccountingInterface, match: Match) -> None:
    remote_id = client_links.unlink(interface=interface, match=match)
    record_request(
        request,
        "client.unlinked",
        match.client,
        interface=interface.pk,
        before={
            "name": match.name,
            "contact": remote_id,
            "contact_name": match.contact.name if match.contact else "",
        },
        after="",
    )
    messages.success(request, f"{match.client} is not linked any more.")


def _create(request: PracticeRequest, interface: AccountingInterface, match: Match) -> None:
    batch = client_links.create_now(interface=interface, match=match, actor=request.user)
    record_request(
        request,
        "client.sent",
        match.client,
        interface=interface.pk,
        before="",
        after={"name": match.name, "batch": batch.number},
    )
    label = interface.package.label
    messages.success(
        request, f"{match.client} goes to {label} in batch {batch.number}; it is looked for first."
    )


def _search(interface: AccountingInterface, query: str) -> Sequence[PackageContact]:
    """Contacts by name, however it is spelled, number or e-mail address; those in use first."""
    alike = Q(name__icontains=query) | Q(number__icontains=query) | Q(email__icontains=query)
    if folded := client_matching.fold(query):
        alike |= Q(folded__contains=folded)
    rows = PackageContact.objects.filter(alike, interface=interface)
    return list(rows.order_by("archived", "name", "pk")[: MOST_FOUND + 1])


def _check_again(request: PracticeRequest, interface: AccountingInterface, match: Match) -> None:
    """What waited for the client's contact is checked again, and sent."""
    checked = rechecking.check_client_again(
        practice_id=request.practice.pk,
        interface=interface,
        client_id=match.client_id,
        actor=request.user,
    )
    if not checked.checked:
        return
    record_request(
        request,
        "cause.checked_again",
        match.client,
        interface=interface.pk,
        before={"held up": checked.checked},
        after={"on the way": checked.on_the_way, "held up": len(checked.held_up)},
    )
    tell_checked(request, checked)


def _sent(interface: AccountingInterface, client: Client) -> int:
    sent = Upload.objects.filter(
        interface=interface, invoice__client=client, kind__in=DOCUMENTS, state=State.SENT
    )
    return sent.count()


urlpatterns_client = [
    path(f"{HERE}<int:client_id>/", client, name="client"),
    path(f"{HERE}<int:client_id>/decide/", decide, name="match_client"),
]
