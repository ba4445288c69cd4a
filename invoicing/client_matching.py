"""Which of the package's contacts stands for which client: certain, likely, or none.

What a client is matched by is the interface's setting, as it is for uploads. Only what that rule
finds for certain is ever linked without a look; what merely resembles is shown, each with its
reason, and a person decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from django.db.models import Count, Q, QuerySet

from interfaces.models import AccountingInterface
from invoicing.contact_book import Candidate, Contact, ContactBook, fold, plain
from invoicing.documents import BY_NAME_ON_INVOICE, BY_NUMBER, link_name
from invoicing.models import (
    Client,
    ContactLink,
    Invoice,
    InvoiceSetting,
    PackageContact,
    Upload,
)
from invoicing.uploads.states import DOCUMENTS, MOVING, State

__all__ = ["Match", "Place", "Standing", "fold", "matches", "plain", "rule_of", "undecided"]


class Standing(StrEnum):
    """Where a client stands with the contacts of one company file."""

    LINKED = "linked"
    EXACT = "exact"
    LOOKS_LIKE = "looks_like"
    NEW = "new"


@dataclass(frozen=True, kw_only=True)
class Match:
    """One client, under one name where names distinguish, and what the package has for it."""

    client_id: int
    number: str
    client: str
    # The name it goes by there, and what the link is kept under.
    name: str
    link_name: str
    # How many of its invoices wait to be sent.
    invoices: int
    standing: Standing
    candidates: Sequence[Candidate] = ()
    link: ContactLink | None = None
    # Of the contact linked, where the list still has it.
    contact: Contact | None = None
    # The list was read after the link was made, and does not have its contact.
    gone: bool = False
    # Other clients of ours that are linked to the same contact.
    shared_with: Sequence[str] = ()

    @property
    def is_needed(self) -> bool:
        """Whether an invoice waits for it."""
        return self.invoices > 0

    @property
    def exact(self) -> Contact | None:
        """The one contact that the rule finds."""
        return self.candidates[0].contact if self.standing is Standing.EXACT else None


class Place(NamedTuple):
    """A client and the name its link is kept under."""

    client_id: int
    link_name: str


@dataclass(kw_only=True)
class _Wanted:
    number: str
    client: str
    name: str
    invoices: int = 0


def waiting_invoices(interface: AccountingInterface) -> QuerySet[Invoice]:
    """Committed invoices that go, or could go, through the interface and were not sent yet.

    Before any invoice setting is linked to it: those of settings that no interface has.
    """
    own = InvoiceSetting.objects.filter(interface=interface).exists()
    through = Q(invoice_setting__interface=interface if own else None)
    # Those that were sent are many, and these few: each kind is found by an index of its own.
    under_way = Upload.objects.filter(
        interface=interface, kind__in=DOCUMENTS, state__in=(*MOVING, State.NEEDS_PERSON)
    )
    waiting = Invoice.objects.filter(
        Q(in_upload=False) | Q(pk__in=under_way.order_by().values("invoice")),
        through,
        status=Invoice.Status.COMMITTED,
        parked_at__isnull=True,
        in_accounts_at__isnull=True,
    ).exclude(total=0)
    if interface.offered_from:
        waiting = waiting.filter(issued__gte=interface.offered_from)
    return waiting


def rule_of(interface: AccountingInterface) -> str:
    """What clients are matched by: the value of the package's setting."""
    return str(interface.preference("match_contacts_by") or "")


def matches(
    interface: AccountingInterface, *, everyone: bool = False, client_id: int | None = None
) -> list[Match]:
    """Where each client stands whose invoices wait, or everyone, or one; those needed first.

    A handful of queries, however many they are. Needs a scope.
    """
    wanted = _wanted(interface, everyone=everyone, client_id=client_id)
    links = _links(interface)
    book = ContactBook(_contacts(interface))
    earlier: dict[int, list[ContactLink]] = {}
    holders: dict[str, dict[int, str]] = {}
    for link in links.values():
        earlier.setdefault(link.client_id, []).append(link)
        holder = _told(link.client.name, link.client.abtrac_id)
        holders.setdefault(link.remote_id, {})[link.client_id] = holder
    by_number = rule_of(interface) == BY_NUMBER
    label, read_at = interface.package.label, interface.contacts_read_at
    found = []
    for place, one in wanted.items():
        linked = links.get(place)
        if linked:
            gone = bool(read_at and read_at > linked.linked_at)
            found.append(_linked(place, one, linked, book, holders, gone=gone))
            continue
        former = [each for each in earlier.get(place.client_id, ()) if each.name != place.link_name]
        exact, candidates = book.look_for(
            one.name, one.number, by_number=by_number, former=former, label=label
        )
        found.append(_match(place, one, exact=exact, candidates=candidates))
    found = _not_twice(found, holders)
    return sorted(found, key=lambda one: (not one.is_needed, plain(one.client), one.name))


def undecided(interface: AccountingInterface) -> list[Match]:
    """Clients whose invoices wait and who have no contact yet. Needs a scope."""
    return [one for one in matches(interface) if one.standing is not Standing.LINKED]


def _wanted(
    interface: AccountingInterface, *, everyone: bool, client_id: int | None
) -> dict[Place, _Wanted]:
    """The clients asked for; with a match by the name on the invoice once for each such name."""
    of_invoices = waiting_invoices(interface)
    if client_id is not None:
        of_invoices = of_invoices.filter(client=client_id)
    by_invoice = rule_of(interface) == BY_NAME_ON_INVOICE
    names = ["client_id", "client__abtrac_id", "client__name"]
    names += ["name_on_invoice"] if by_invoice else []
    wanted: dict[Place, _Wanted] = {}
    for row in of_invoices.order_by().values_list(*names).annotate(count=Count("pk")):
        pk, number, client, *name_on_invoice, count = row
        name = name_on_invoice[0] if name_on_invoice else client
        place = Place(pk, link_name(interface, name))
        one = wanted.setdefault(place, _Wanted(number=number, client=client, name=name))
        one.invoices += count
    if not everyone and client_id is None:
        return wanted
    if by_invoice:
        _add_linked_names(wanted, interface, client_id=client_id)
    clients = Client.objects.all()
    if client_id is not None:
        clients = clients.filter(pk=client_id)
    named = {place.client_id for place in wanted}
    for pk, number, name in clients.values_list("pk", "abtrac_id", "name"):
        if not by_invoice or pk not in named:
            one = _Wanted(number=number, client=name, name=name)
            wanted.setdefault(Place(pk, link_name(interface, name)), one)
    return wanted


def _add_linked_names(
    wanted: dict[Place, _Wanted], interface: AccountingInterface, *, client_id: int | None
) -> None:
    """Names that are linked and that no invoice has just now: there to be looked at and undone."""
    linked = ContactLink.objects.filter(interface=interface).exclude(name="")
    if client_id is not None:
        linked = linked.filter(client=client_id)
    for pk, name, number, client in linked.values_list(
        "client_id", "name", "client__abtrac_id", "client__name"
    ):
        wanted.setdefault(Place(pk, name), _Wanted(number=number, client=client, name=name))


def _links(interface: AccountingInterface) -> dict[Place, ContactLink]:
    rows = ContactLink.objects.filter(interface=interface).select_related("client")
    return {Place(one.client_id, one.name): one for one in rows}


def _contacts(interface: AccountingInterface) -> Iterator[Contact]:
    rows = PackageContact.objects.filter(interface=interface).order_by("name", "pk")
    return map(Contact._make, rows.values_list(*Contact._fields))


def _linked(
    place: Place,
    one: _Wanted,
    link: ContactLink,
    book: ContactBook,
    holders: Mapping[str, Mapping[int, str]],
    *,
    gone: bool,
) -> Match:
    """A client that is linked; `gone` says what it means where the list lacks the contact."""
    others = holders.get(link.remote_id, {})
    contact = book.by_id.get(link.remote_id)
    return Match(
        client_id=place.client_id,
        number=one.number,
        client=one.client,
        name=one.name,
        link_name=place.link_name,
        invoices=one.invoices,
        standing=Standing.LINKED,
        link=link,
        contact=contact,
        gone=gone and contact is None,
        shared_with=sorted(name for pk, name in others.items() if pk != place.client_id),
    )


def _match(place: Place, one: _Wanted, *, exact: bool, candidates: Sequence[Candidate]) -> Match:
    resembling = Standing.LOOKS_LIKE if candidates else Standing.NEW
    return Match(
        client_id=place.client_id,
        number=one.number,
        client=one.client,
        name=one.name,
        link_name=place.link_name,
        invoices=one.invoices,
        standing=Standing.EXACT if exact else resembling,
        candidates=candidates,
    )


def _not_twice(found: Sequence[Match], holders: Mapping[str, Mapping[int, str]]) -> list[Match]:
    """Two clients with one contact is for a person to say, so neither of them is certain."""
    claims: dict[str, dict[int, str]] = {}
    for one in found:
        if one.exact:
            claimed = claims.setdefault(one.exact.remote_id, {})
            claimed[one.client_id] = _told(one.client, one.number)
    sure = []
    for one in found:
        if not one.exact:
            sure.append(one)
            continue
        remote_id = one.exact.remote_id
        others = {**claims[remote_id], **holders.get(remote_id, {})}
        others.pop(one.client_id, None)
        sure.append(_shared(one, sorted(others.values())) if others else one)
    return sure


def _told(client: str, number: str) -> str:
    """Of two clients of one name only the IDs tell which."""
    return f"{client} ({number})"


def _shared(match: Match, others: Sequence[str]) -> Match:
    [candidate] = match.candidates
    reason = f"{candidate.reason}; also the contact of {', '.join(others[:3])}"
    told = Candidate(contact=candidate.contact, reason=reason)
    fields = {**vars(match), "standing": Standing.LOOKS_LIKE, "candidates": (told,)}
    return Match(**fields)
