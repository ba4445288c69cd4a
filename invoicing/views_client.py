"""One client and the contact that stands for it: choose, search, create, update, unlink."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST, require_safe

from connectors.base.protocol import UpdatesContacts
from interfaces.models import AccountingInterface
from invoicing import client_links, client_matching, rechecking, selectors, uploads
from invoicing.badges import with_badges
from invoicing.client_links import CannotMatch
from invoicing.client_matching import Match
from invoicing.contact_differences import Compared, compare
from invoicing.models import Client, ContactLink, PackageContact, Upload
from invoicing.posted import back, is_id, own_address, tell_left_out
from invoicing.prospects import look_ahead
from invoicing.uploads import alone
from invoicing.uploads.enqueue import why_not_through
from invoicing.uploads.kinds import updates_contacts
from invoicing.uploads.states import DOCUMENTS, FAILED, State
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
    places = _places(interface, one, found)
    context = {
        **facts_of(request, interface),
        "client": one,
        "places": places,
        "updates": updates_contacts(interface),
        "can_update": interface.package.can(UpdatesContacts),
        "invoices": with_badges(selectors.invoices_of(one, interface)),
        "most_invoices": selectors.MOST_INVOICES,
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
    """Link the client, unlink it, create it now, update its contact, or try that again."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    one = get_object_or_404(Client, pk=client_id)
    found = client_matching.matches(interface, client_id=one.pk)
    wanted = request.POST.get("name", "")
    match = next((each for each in found if each.link_name == wanted), None)
    act = ACTS.get(request.POST.get("do", ""))
    try:
        if match is None or act is None:
            raise CannotMatch(LIST_CHANGED)
        act(request, interface, match)
    except CannotMatch as error:
        messages.error(request, str(error))
        return _stay(request, interface, one)
    if act is _unlink:
        # Whoever unlinks has another contact in mind, which is chosen here.
        return _stay(request, interface, one)
    return back(request, "clients", interface_id=interface.pk)


def _stay(request: PracticeRequest, interface: AccountingInterface, one: Client) -> HttpResponse:
    """The same client once more, still with the way back to where the person came from."""
    here = reverse("invoicing:client", args=[request.practice.slug, interface.pk, one.pk])
    there = own_address(request)
    return redirect(f"{here}?{urlencode({'next': there})}" if there else here)


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
    named = others.exclude(client=match.client_id).values_list("client__name", "client__abtrac_id")
    # Of two clients of one name only the IDs tell which.
    if sharing := [f"{name} ({abtrac_id})" for name, abtrac_id in sorted(set(named))]:
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
    # They go behind it.
    _check_again(request, interface, match)


def _update(request: PracticeRequest, interface: AccountingInterface, match: Match) -> None:
    label = interface.package.label
    if not updates_contacts(interface):
        raise CannotMatch(
            f"“Update clients” is off for {interface}: nothing is changed in {label}."
        )
    if match.link is None:
        raise CannotMatch(f"{match.client} is not linked any more.")
    if reason := why_not_through(interface):
        raise CannotMatch(reason)
    match.link.interface = interface
    batch = alone.update_contact(link=match.link, name=match.name, actor=request.user)
    if batch is None:
        raise CannotMatch(f"{match.client} is on its way to {label} already. Look again.")
    before = {one.label: one.theirs for one in _compared(interface, match) if one.differs}
    after = {one.label: one.ours for one in _compared(interface, match) if one.differs}
    record_request(
        request,
        "client.updated",
        match.client,
        interface=interface.pk,
        before=before,
        after={**after, "batch": batch.number},
    )
    messages.success(request, f"{match.client} is brought up to date in {label}, in {batch}.")


def _retry(request: PracticeRequest, interface: AccountingInterface, match: Match) -> None:
    last = alone.latest_of_contacts(interface, [match.client_id])
    upload = last.get((match.client_id, match.link_name))
    if upload is None or upload.state not in FAILED:
        raise CannotMatch(f"Nothing of {match.client} is left to be tried again.")
    tried = uploads.retry(upload_ids=[upload.pk], actor=request.user)
    tell_left_out(request, tried.left_out)
    if tried.queued:
        record_request(
            request,
            "client.sent",
            match.client,
            interface=interface.pk,
            before=upload.state,
            after={"name": match.name, "batch": upload.batch.number},
        )
        messages.success(request, f"{match.client} is tried again, in {upload.batch}.")


ACTS = {"link": _link, "unlink": _unlink, "create": _create, "update": _update, "retry": _retry}


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A match with the last upload of it, and ours beside theirs."""

    match: Match
    upload: Upload | None
    compared: list[Compared]
    # What is compared was listed before that upload wrote there.
    is_old: bool

    @property
    def differs(self) -> bool:
        """Whether an update would change anything, as far as is known."""
        return not self.is_old and any(one.differs for one in self.compared)


def _places(interface: AccountingInterface, client: Client, found: Sequence[Match]) -> list[_Place]:
    latest = alone.latest_of_contacts(interface, [client.pk])
    look_ahead(latest.values())
    contacts = _contacts_of(interface, found)
    read_at = interface.contacts_read_at
    places = []
    for one in found:
        upload = latest.get((client.pk, one.link_name))
        contact = contacts.get(one.link.remote_id) if one.link else None
        sent_at = upload.sent_at if upload and upload.state == State.SENT else None
        places.append(
            _Place(
                match=one,
                upload=upload,
                compared=compare(client, name=one.name, contact=contact) if contact else [],
                is_old=bool(
                    sent_at and read_at and sent_at > read_at and one.link and one.link.written
                ),
            )
        )
    return places


def _compared(interface: AccountingInterface, match: Match) -> list[Compared]:
    contact = _contacts_of(interface, [match]).get(match.link.remote_id if match.link else "")
    if contact is None:
        return []
    client = Client.objects.get(pk=match.client_id)
    return compare(client, name=match.name, contact=contact)


def _contacts_of(
    interface: AccountingInterface, found: Sequence[Match]
) -> dict[str, PackageContact]:
    linked = [one.link.remote_id for one in found if one.link]
    rows = PackageContact.objects.filter(interface=interface, remote_id__in=linked)
    return {one.remote_id: one for one in rows} if linked else {}


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
