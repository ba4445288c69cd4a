"""Which of the package's contacts stands for which client: certain, likely, or none.

What a client is matched by is the interface's setting, as it is for uploads. Only what that rule
finds for certain is ever linked without a look; what merely resembles is shown, each with its
reason, and a person decides.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from interfaces.models import AccountingInterface
from invoicing.documents import BY_NAME_ON_INVOICE, BY_NUMBER, link_name
from invoicing.models import (
    Client,
    ContactLink,
    Invoice,
    InvoiceSetting,
    PackageContact,
    Upload,
)
from invoicing.uploads.states import DOCUMENTS, State

# How a name ends that says what kind of company it is; "Pty Ltd" goes one word at a time.
COMPANY_WORDS = {
    *("ltd", "limited", "pty", "proprietary", "inc", "incorporated", "nl", "plc"),
    *("co", "company", "corp", "corporation", "llc", "llp", "lp", "partnership"),
    *("trust", "trustee", "trustees"),
}
_NOT_LETTERS = re.compile(r"[^\w]+|_+")
_DOTS_AND_APOSTROPHES = re.compile(r"[.'\u2018\u2019\u02bb\u02bc]")
# From so alike on a name is worth showing, and so many at most.
ALIKE = 0.84
MOST_CANDIDATES = 5
# A word that so many contacts have in common tells nothing of one of them.
COMMON = 200
# So many of those that share a word are compared letter by letter.
COMPARED = 8


def plain(name: str) -> str:
    """A name as packages compare them: without case, accents, macrons and surplus spaces."""
    decomposed = unicodedata.normalize("NFKD", name)
    bare = "".join(one for one in decomposed if not unicodedata.combining(one))
    return " ".join(bare.casefold().split())


def words_of(name: str) -> list[str]:
    """The words of a name as `plain` has it, without punctuation, and without "&" or "and"."""
    joined = _DOTS_AND_APOSTROPHES.sub("", plain(name)).replace("&", " and ").replace("+", " and ")
    return [one for one in _NOT_LETTERS.sub(" ", joined).split() if one != "and"]


def fold(name: str) -> str:
    """A name with all that people spell one way or the other left out.

    Its words, without those for kinds of company at its end; a name made of nothing else keeps
    them.
    """
    words = words_of(name)
    kept = list(words)
    while kept and kept[-1] in COMPANY_WORDS:
        kept.pop()
    return " ".join(kept or words) or plain(name)


class Standing(StrEnum):
    """Where a client stands with the contacts of one company file."""

    LINKED = "linked"
    EXACT = "exact"
    LOOKS_LIKE = "looks_like"
    NEW = "new"


class Contact(NamedTuple):
    """What matching needs of a contact, without the weight of a row."""

    pk: int
    remote_id: str
    number: str
    name: str
    folded: str
    email: str
    url: str
    archived: bool


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A contact that may be meant, and why."""

    contact: Contact
    reason: str

    @property
    def can_be_linked(self) -> bool:
        """Whether the package takes invoices for it."""
        return not self.contact.archived


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
    sent = Upload.objects.filter(invoice=OuterRef("pk"), kind__in=DOCUMENTS, state=State.SENT)
    waiting = Invoice.objects.filter(
        ~Exists(sent),
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
        holders.setdefault(link.remote_id, {})[link.client_id] = link.client.name
    by_number = rule_of(interface) == BY_NUMBER
    label = interface.package.label
    found = []
    for place, one in wanted.items():
        linked = links.get(place)
        if linked:
            found.append(_linked(place, one, linked, book, holders))
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
    book: "ContactBook",
    holders: Mapping[str, Mapping[int, str]],
) -> Match:
    others = holders.get(link.remote_id, {})
    return Match(
        client_id=place.client_id,
        number=one.number,
        client=one.client,
        name=one.name,
        link_name=place.link_name,
        invoices=one.invoices,
        standing=Standing.LINKED,
        link=link,
        contact=book.by_id.get(link.remote_id),
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
            claims.setdefault(one.exact.remote_id, {})[one.client_id] = one.client
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


def _shared(match: Match, others: Sequence[str]) -> Match:
    [candidate] = match.candidates
    reason = f"{candidate.reason}; also the contact of {', '.join(others[:3])}"
    told = Candidate(contact=candidate.contact, reason=reason)
    fields = {**vars(match), "standing": Standing.LOOKS_LIKE, "candidates": (told,)}
    return Match(**fields)


@dataclass
class ContactBook:
    """The contacts of one company file, laid out for looking clients up in them."""

    contacts: Iterable[Contact]
    by_id: dict[str, Contact] = field(default_factory=dict)
    _by_number: dict[str, list[Contact]] = field(default_factory=dict)
    _by_fold: dict[str, list[Contact]] = field(default_factory=dict)
    # Names as they are folded, each once, by their words and by how they begin.
    _blocks: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.contacts:
            self.by_id[one.remote_id] = one
            if one.number:
                self._by_number.setdefault(one.number.strip().casefold(), []).append(one)
            self._by_fold.setdefault(one.folded, []).append(one)
        for folded in self._by_fold:
            for mark in _marks(folded):
                self._blocks.setdefault(mark, []).append(folded)

    def look_for(
        self,
        name: str,
        number: str,
        *,
        by_number: bool,
        former: Sequence[ContactLink] = (),
        label: str = "the package",
    ) -> tuple[bool, list[Candidate]]:
        """Whether the rule finds exactly one, and that one; else all that may be meant, and why."""
        number = number.strip()
        numbered = self._by_number.get(number.casefold(), []) if number else []
        alike = self._by_fold.get(fold(name), [])
        same = [one for one in alike if plain(one.name) == plain(name)]
        exact = _exact(numbered, same, name, number, by_number=by_number)
        if exact:
            return True, [exact]
        found: dict[str, Candidate] = {}
        for link in former:
            if link.remote_id in self.by_id:
                _add(found, self.by_id[link.remote_id], "linked to this client before", label)
        for one in numbered:
            told = _told_of_number(one, numbered, name, number)
            _add(found, one, told, label)
        for one in same:
            _add(found, one, _told_of_name(one, same, number), label)
        for one in alike:
            _add(found, one, _told_of_fold(one, name), label)
        # An archived namesake alone is no reason to doubt that another is meant.
        if not any(each.can_be_linked for each in found.values()):
            for one in self._similar(name):
                _add(found, one, "name is similar", label)
        best = sorted(found.values(), key=lambda each: not each.can_be_linked)
        return False, best[:MOST_CANDIDATES]

    def _similar(self, name: str) -> list[Contact]:
        """Contacts whose name is nearly this one: misspelled, or with a word more or less."""
        wanted = fold(name)
        shared: dict[str, int] = {}
        for mark in _marks(wanted):
            block = self._blocks.get(mark, ())
            if len(block) <= COMMON:
                for folded in block:
                    shared[folded] = shared.get(folded, 0) + 1
        shared.pop(wanted, None)
        likely = sorted(shared, key=lambda folded: (-shared[folded], folded))[:COMPARED]
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(wanted)
        scored = []
        for folded in likely:
            score = _likeness(matcher, folded, wanted)
            if score >= ALIKE:
                scored.append((-score, folded))
        return [
            one for _, folded in sorted(scored)[:MOST_CANDIDATES] for one in self._by_fold[folded]
        ]


def _marks(folded: str) -> set[str]:
    """By what a name is found again though it is not quite the same."""
    words = folded.split()
    marks = {f"word {one}" for one in words if len(one) > 2}
    joined = "".join(words)
    return marks | {f"begins {joined[:4]}", f"ends {joined[-5:]}"}


def _likeness(matcher: "SequenceMatcher[str]", folded: str, wanted: str) -> float:
    ours, theirs = set(wanted.split()), set(folded.split())
    fewer, more = sorted((ours, theirs), key=len)
    # "Te Aro Cafe" and "Te Aro Cafe Group": the same words and some more.
    if len(fewer) > 1 and fewer <= more:
        return ALIKE
    matcher.set_seq1(folded)
    if matcher.real_quick_ratio() < ALIKE or matcher.quick_ratio() < ALIKE:
        return 0.0
    return matcher.ratio()


def _exact(
    numbered: Sequence[Contact],
    same: Sequence[Contact],
    name: str,
    number: str,
    *,
    by_number: bool,
) -> Candidate | None:
    """The one active contact that the rule itself finds, or None.

    By number: the one with it, unless its name is altogether another; where none has it, the one
    of the same name that has no number, as uploads take it too.
    """
    active = [one for one in same if not one.archived]
    if not by_number:
        return Candidate(contact=active[0], reason="same name") if len(active) == 1 else None
    if numbered:
        [first, *more] = numbered
        certain = not more and not first.archived and first.number.strip() == number
        if certain and _resembles(first, name):
            return Candidate(contact=first, reason="same number")
        return None
    if len(active) == 1 and not active[0].number:
        return Candidate(contact=active[0], reason="same name, and no number there")
    return None


def _resembles(contact: Contact, name: str) -> bool:
    """Whether the two can be one firm: a name, or a good part of it, is the same."""
    ours, theirs = fold(name), contact.folded
    if ours == theirs or set(ours.split()) & set(theirs.split()):
        return True
    return SequenceMatcher(None, ours, theirs, autojunk=False).ratio() >= ALIKE


def _told_of_number(contact: Contact, numbered: Sequence[Contact], name: str, number: str) -> str:
    if len(numbered) > 1:
        return f"one of {len(numbered)} with this number"
    if contact.number.strip() != number:
        return "same number but for capitals"
    alike = _resembles(contact, name)
    return "same number, similar name" if alike else "same number, other name"


def _told_of_name(contact: Contact, same: Sequence[Contact], number: str) -> str:
    active = [one for one in same if not one.archived]
    if len(active) > 1 and not contact.archived:
        return f"one of {len(active)} with this name"
    return "same name, other number" if contact.number not in {"", number} else "same name"


def _told_of_fold(contact: Contact, name: str) -> str:
    if words_of(contact.name) == words_of(name):
        return "same name, written another way"
    return "same name but for Ltd, Limited, Trust or the like"


def _add(found: dict[str, Candidate], contact: Contact, reason: str, label: str) -> None:
    archived = f"; archived in {label}" if contact.archived else ""
    found.setdefault(contact.remote_id, Candidate(contact=contact, reason=f"{reason}{archived}"))
