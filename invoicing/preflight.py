"""Everything the package is known to refuse, told before anything is sent.

Nothing here asks the package: each interface's code book and its package's rules are asked of what
was last read from it. All problems of all invoices are told at once, in a number of queries that
does not grow with them.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import TruncMonth
from django.utils import timezone

from connectors.base.documents import Contact, SalesInvoice, TaxBasis
from connectors.base.faults import Fault, Weight
from connectors.base.known import Known, KnownContact, NumberThere
from connectors.base.protocol import (
    ListsContacts,
    PostsCreditNotes,
    PushesContacts,
    ReadsCodes,
    ReadsPayments,
    WritesImportFile,
)
from connectors.base.rules import NumberTaken, OfNewContact, PlanLimit, Rule, day, is_credit
from interfaces.code_book import CodeBook
from interfaces.models import AccountingInterface
from interfaces.preferences import sealed_settings
from invoicing import documents
from invoicing.contact_book import fold, plain
from invoicing.models import ContactLink, Invoice, PackageContact, PackageDocument, Upload
from invoicing.uploads.states import DOCUMENTS, LIVE, State

log = logging.getLogger("invoicing.preflight")

Kind = Upload.Kind
# What was read so long ago may be another way by now.
LASTS = timedelta(days=1)
OF_CONTACT = {"contact", "email"}
RED, AMBER, GREEN = "red", "amber", "green"
# An invoice, and the interface it goes through.
Going = tuple[Invoice, AccountingInterface]
# Whose contact: an interface, a client, and the name its link is kept under.
Whose = tuple[int, int, str]
# Whose number: an interface, a kind of document, and the number as numbers are compared.
Numbered = tuple[int, str, str]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """An invoice as it would be sent, and all that is wrong with it; refusals come first.

    Without an interface, where its invoice setting is linked to none, there is no document.
    """

    invoice: Invoice
    interface: AccountingInterface | None = None
    document: SalesInvoice | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def refusals(self) -> tuple[Fault, ...]:
        """For what it cannot go."""
        return tuple(one for one in self.faults if one.weight is Weight.REFUSED)

    @property
    def remarks(self) -> tuple[Fault, ...]:
        """What is worth knowing though it goes."""
        return tuple(one for one in self.faults if one.weight is Weight.REMARK)

    @property
    def light(self) -> str:
        """Red where it cannot go, amber where something is worth knowing, else green."""
        if self.refusals:
            return RED
        return AMBER if self.faults else GREEN


def check(
    invoices: Sequence[Invoice],
    *,
    lines: documents.Lines | None = None,
    through: AccountingInterface | None = None,
    remarks: bool = True,
) -> dict[int, Checked]:
    """Each of the invoices checked, by its id, as if all were uploaded together. Needs a scope.

    In their order: of two with one number the second is refused, and a plan's limit is reached by
    the last. `lines` are theirs where the caller has read them; `through` is an interface that all
    are to go through, whatever serves their invoice settings; without `remarks` only what keeps an
    invoice from going is asked.
    """
    rows = list(invoices)
    documents.attach(rows, "office", "invoice_setting", "client", "job", "credits")
    if through is None:
        documents.attach(list({one.invoice_setting for one in rows}), "interface")
    lines = lines or documents.lines_of(rows)
    goes = {one.pk: through or one.invoice_setting.interface for one in rows}
    desk = _Desk.open([(one, to) for one in rows if (to := goes[one.pk])], remarks=remarks)
    return {
        one.pk: desk.check(one, to, lines) if (to := goes[one.pk]) else _not_linked(one)
        for one in rows
    }


def refresh(*, practice_id: int, interface_id: int) -> list[str]:
    """Read codes, contacts and documents again now; what could not be read, in words.

    For “Check again”: what was put right in the package is known only when it is read. Not for use
    inside `acting_for`.
    """
    # They ask the queue, which asks this module.
    from interfaces import codes
    from invoicing import contact_list, payments

    readings = (codes.refresh_quietly, contact_list.read_quietly, payments.read_quietly)
    failures = [read(practice_id=practice_id, interface_id=interface_id) for read in readings]
    return list(dict.fromkeys(one for one in failures if one))


def tell_gaps(refused: Iterable[Upload]) -> None:
    """Log what the package refused though no rule had found it, for whoever writes the rules.

    Documents only, and only what can be known beforehand: the package says what cannot.
    """
    for one in refused:
        package = one.interface.package
        if one.kind in DOCUMENTS and one.code not in package.unforeseen:
            log.warning(
                "preflight gap package=%s code=%s field=%s practice=%s upload=%s",
                *(package.key, one.code, one.field, one.practice_id, one.pk),
            )


@dataclass(kw_only=True)
class _Place:
    """One interface: what is known of it, and what it is asked."""

    interface: AccountingInterface
    book: CodeBook
    known: Known
    rules: Sequence[Rule]
    plan: PlanLimit | None
    # Filled as the documents are made, under their keys.
    contacts: dict[str, KnownContact] = field(default_factory=dict)
    numbers: dict[str, NumberThere] = field(default_factory=dict)
    approved_in: Counter[date] = field(default_factory=Counter)


class _Desk:
    """The interfaces of some invoices, and what was read for all of them."""

    def __init__(
        self,
        places: Mapping[int, _Place],
        contacts: Mapping[Whose, KnownContact],
        numbers: dict[Numbered, NumberThere],
    ) -> None:
        self._places = places
        self._contacts = contacts
        self._numbers = numbers

    @classmethod
    def open(cls, going: Sequence[Going], *, remarks: bool) -> "_Desk":
        """All that is known, in a fixed number of queries."""
        interfaces = {to.pk: to for _, to in going}
        if not interfaces:
            return cls({}, {}, {})
        books = CodeBook.load_all(interfaces.values())
        places = {pk: _place(one, books[pk], remarks=remarks) for pk, one in interfaces.items()}
        _count_approved(places, going)
        return cls(places, _contacts_of(places, going), _numbers_of(places, going))

    def check(
        self, invoice: Invoice, interface: AccountingInterface, lines: documents.Lines
    ) -> Checked:
        """One invoice, after those before it."""
        place, kind = self._places[interface.pk], kind_of(invoice)
        key = documents.document_key(interface_id=interface.pk, kind=kind, document_id=invoice.pk)
        document, faults = documents.invoice_of(
            invoice, interface=interface, book=place.book, key=key, lines=lines
        )
        link = documents.link_name(interface, document.contact.name)
        if contact := self._contacts.get((interface.pk, invoice.client_id, link)):
            place.contacts[key] = contact
        numbered = (interface.pk, kind, folded_number(invoice.number))
        if there := self._numbers.get(numbered):
            place.numbers[key] = there
        faults += _by_rules(place, document, faults)
        if not any(one.weight is Weight.REFUSED for one in faults):
            self._goes(place, document, numbered)
        wrong = {one.field for one in faults if one.weight is Weight.REFUSED}
        # What would be done with a contact that is refused is not told as well.
        faults = [
            one
            for one in faults
            if one.weight is Weight.REFUSED or not (one.field == "contact" and wrong & OF_CONTACT)
        ]
        faults.sort(key=lambda one: one.weight is Weight.REMARK)
        return Checked(
            invoice=invoice, interface=interface, document=document, faults=tuple(faults)
        )

    def _goes(self, place: _Place, document: SalesInvoice, numbered: Numbered) -> None:
        """Those after it find its number taken, and one more in its month."""
        self._numbers.setdefault(
            numbered,
            NumberThere(
                remote_id="",
                number=document.number,
                contact_name=document.contact.name,
                issued=document.issued,
                currency=document.currency,
                total=document.total,
            ),
        )
        if place.plan and place.plan.counts(document, place.known.settings):
            place.approved_in[document.issued.replace(day=1)] += 1


def kind_of(invoice: Invoice) -> str:
    """What the package gets of it."""
    return Kind.CREDIT_NOTE if invoice.is_credit_note else Kind.INVOICE


def _by_rules(place: _Place, document: SalesInvoice, before: Sequence[Fault]) -> list[Fault]:
    """What the package's rules find; of what is wrong with a code more follows, which is left."""
    found = [fault for rule in place.rules for fault in rule.faults(document, place.known)]
    if before:
        told = {(one.field, one.line) for one in before}
        found = [one for one in found if not one.line or (one.field, one.line) not in told]
    package = place.interface.package
    takes_notes = package.can(PostsCreditNotes) or package.can(WritesImportFile)
    if is_credit(document) and not takes_notes:
        found.append(
            Fault(
                field="total",
                code="no_credit_notes",
                message=f"{package.label} takes no credit notes from us.",
            )
        )
    return found


def check_new_contact(interface: AccountingInterface, contact: Contact) -> list[Fault]:
    """For what the package is known to refuse the contact, were it added there."""
    place = _place(interface, CodeBook.load(interface), remarks=False)
    today, nothing = timezone.localdate(), Decimal(0)
    # The rules are about documents; those of a contact look at nothing else of one.
    bare = SalesInvoice(
        key=contact.key,
        number="",
        reference="",
        contact=contact,
        contact_id="",
        issued=today,
        due=today,
        currency="",
        tax_basis=TaxBasis.EXCLUSIVE,
        net=nothing,
        tax=nothing,
        total=nothing,
        lines=(),
    )
    return [
        fault
        for one in place.rules
        if isinstance(one, OfNewContact)
        for rule in one.rules
        for fault in rule.faults(bare, place.known)
    ]


def _not_linked(invoice: Invoice) -> Checked:
    setting = invoice.invoice_setting
    fault = Fault(
        field="interface",
        code="not_linked",
        subject=setting.name,
        message=f"The invoice setting {setting} is not linked to an accounting interface.",
        next_step="Link it under Accounting >> Interface Settings.",
    )
    return Checked(invoice=invoice, faults=(fault,))


def _place(interface: AccountingInterface, book: CodeBook, *, remarks: bool) -> _Place:
    package = interface.package
    rules = [one for one in package.rules if remarks or one.weight is Weight.REFUSED]
    contacts: dict[str, KnownContact] = {}
    numbers: dict[str, NumberThere] = {}
    approved_in: Counter[date] = Counter()
    known = Known(
        label=package.label,
        company_file=interface.company_file_name,
        number_length=package.limits.number_length,
        settings=sealed_settings(interface),
        facts=interface.facts,
        currencies=interface.currencies,
        lock_date=interface.lock_date,
        contacts=contacts,
        numbers=numbers,
        approved_in=approved_in,
        read_at=_read_at(interface),
    )
    limits = [one for one in rules if isinstance(one, PlanLimit)]
    return _Place(
        interface=interface,
        book=book,
        known=known,
        rules=rules,
        plan=limits[0] if limits else None,
        contacts=contacts,
        numbers=numbers,
        approved_in=approved_in,
    )


def _read_at(interface: AccountingInterface) -> str:
    """When the codes were last read, where that is long ago or failed since."""
    at: datetime | None = interface.codes_read_at
    if at is None or not interface.package.can(ReadsCodes):
        return ""
    old = bool(interface.codes_error) or timezone.now() - at > LASTS
    return f"on {day(timezone.localdate(at))}" if old else ""


# --- Contacts ------------------------------------------------------------------------------------


def _contacts_of(places: Mapping[int, _Place], going: Sequence[Going]) -> dict[Whose, KnownContact]:
    """The contact of each invoice, where the package has contacts: two or three queries."""
    named: dict[Whose, tuple[str, str]] = {}
    for one, interface in going:
        if interface.package.can(PushesContacts):
            name = documents.contact_name(interface, one)
            place = (interface.pk, one.client_id, documents.link_name(interface, name))
            named.setdefault(place, (one.client.abtrac_id, name))
    if not named:
        return {}
    links: dict[Whose, tuple[str, datetime]] = {
        (interface_id, client_id, name): (remote_id, linked_at)
        for interface_id, client_id, name, remote_id, linked_at in ContactLink.objects.filter(
            interface__in={place[0] for place in named},
            client__in={place[1] for place in named},
        ).values_list("interface_id", "client_id", "name", "remote_id", "linked_at")
    }
    listed = {
        pk: place.interface.contacts_read_at
        for pk, place in places.items()
        if place.interface.package.can(ListsContacts) and place.interface.contacts_read_at
    }
    linked = {place: links[place] for place in named if place in links}
    others = {place: told for place, told in named.items() if place not in links}
    found = _linked(linked, listed)
    return found | _unlinked(others, listed, places)


def _linked(
    links: Mapping[Whose, tuple[str, datetime]], listed: Mapping[int, datetime | None]
) -> dict[Whose, KnownContact]:
    """What became of contacts that clients are linked to."""
    wanted = {remote_id for place, (remote_id, _) in links.items() if place[0] in listed}
    there: dict[tuple[int, str], tuple[str, bool]] = {}
    if wanted:
        rows = PackageContact.objects.filter(interface__in=listed, remote_id__in=wanted)
        for pk, remote_id, name, archived in rows.values_list(
            "interface_id", "remote_id", "name", "archived"
        ):
            there[pk, remote_id] = (name, archived)
    found = {}
    for place, (remote_id, linked_at) in links.items():
        read_at = listed.get(place[0])
        name, archived = there.get((place[0], remote_id), ("", False))
        found[place] = KnownContact(
            remote_id=remote_id,
            name=name,
            archived=archived,
            listed=bool(name) or read_at is None or read_at <= linked_at,
        )
    return found


def _unlinked(
    clients: Mapping[Whose, tuple[str, str]],
    listed: Mapping[int, datetime | None],
    places: Mapping[int, _Place],
) -> dict[Whose, KnownContact]:
    """Whether clients that are linked to nothing yet will find their contact, or be added."""
    known = {place: told for place, told in clients.items() if place[0] in listed}
    if not known:
        return {}
    numbers = {number.strip() for number, _ in known.values()} - {""}
    names = {fold(name) for _, name in known.values()}
    rows = PackageContact.objects.filter(
        Q(number__in=numbers) | Q(folded__in=names), interface__in=listed
    )
    alike: dict[tuple[int, str], list[tuple[str, str, bool]]] = {}
    for pk, number, name, archived in rows.values_list(
        "interface_id", "number", "name", "archived"
    ):
        for mark in (f"number {number.strip()}", f"name {plain(name)}"):
            alike.setdefault((pk, mark), []).append((number.strip(), name, archived))
    return {
        place: _expected(
            alike.get((place[0], f"number {number.strip()}"), []) if number.strip() else [],
            alike.get((place[0], f"name {plain(name)}"), []),
            by_number=places[place[0]].known.settings.get("match_contacts_by")
            == documents.BY_NUMBER,
        )
        for place, (number, name) in known.items()
    }


def _expected(
    numbered: Sequence[tuple[str, str, bool]],
    named: Sequence[tuple[str, str, bool]],
    *,
    by_number: bool,
) -> KnownContact:
    """What the package's own matching would come to, of contacts (number, name, archived)."""
    hits = numbered if by_number and numbered else named
    active = [one for one in hits if not one[2]]
    if by_number and not numbered:
        # An archived namesake is no match: another may be added beside it.
        if not active:
            return KnownContact(remote_id="", new=True)
        # One without a number is linked by its name; one with another number may be another.
        certain = len(active) == 1 and not active[0][0]
        return KnownContact(remote_id="", alike=0 if certain else len(active))
    if not hits:
        return KnownContact(remote_id="", new=True)
    if not active:
        return KnownContact(remote_id="", name=hits[0][1], archived=True)
    return KnownContact(remote_id="", alike=0 if len(active) == 1 else len(active))


# --- Numbers -------------------------------------------------------------------------------------


def folded_number(number: str) -> str:
    """A number as packages compare numbers, in no more characters than are kept."""
    return number.strip().casefold()[:255]


def _numbers_of(
    places: Mapping[int, _Place], going: Sequence[Going]
) -> dict[Numbered, NumberThere]:
    """Which of the numbers are taken, at packages that take each once: two queries."""
    once = {
        pk: place
        for pk, place in places.items()
        if any(isinstance(one, NumberTaken) for one in place.rules)
    }
    asked = [one for one, to in going if to.pk in once]
    if not asked:
        return {}
    found = _told_numbers(once, {folded_number(one.number) for one in asked})
    for pk, kind, remote_id, number, name, total, currency, issued in (
        Upload.objects.filter(
            interface__in=once,
            kind__in=DOCUMENTS,
            state__in=LIVE,
            invoice__number__in=_spellings(one.number for one in asked),
        )
        .exclude(invoice__in=[one.pk for one in asked])
        .values_list(
            *("interface_id", "kind", "remote_id", "invoice__number"),
            *("invoice__name_on_invoice", "invoice__total", "invoice__currency"),
            "invoice__issued",
        )
    ):
        found[pk, kind, folded_number(number)] = NumberThere(
            remote_id=remote_id,
            number=number,
            contact_name=name,
            issued=issued,
            currency=currency,
            total=abs(total),
            ours=number,
        )
    return found


def _spellings(numbers: Iterable[str]) -> set[str]:
    """The numbers as they are mostly written otherwise, for packages that see no difference."""
    return {way for one in numbers for way in (one, one.upper(), one.lower())}


def _told_numbers(
    places: Mapping[int, _Place], numbers: Collection[str]
) -> dict[Numbered, NumberThere]:
    """As the package last told; of several under one number one that still stands."""
    told = {pk for pk, one in places.items() if one.interface.package.can(ReadsPayments)}
    if not told:
        return {}
    rows = PackageDocument.objects.filter(interface__in=told, folded__in=numbers)
    found: dict[Numbered, NumberThere] = {}
    for row in rows.order_by("pk"):
        place = (row.interface_id, row.kind, row.folded)
        if place in found and row.status in _keeps_number(places[row.interface_id]):
            continue
        found[place] = NumberThere(
            remote_id=row.remote_id,
            number=row.number,
            contact_id=row.contact_id,
            contact_name=row.contact_name,
            issued=row.issued,
            currency=row.currency,
            total=row.total,
            status=row.status,
        )
    return found


def _keeps_number(place: _Place) -> frozenset[str]:
    return next(
        (one.never_again for one in place.rules if isinstance(one, NumberTaken)), frozenset()
    )


def _count_approved(places: Mapping[int, _Place], going: Sequence[Going]) -> None:
    """How many invoices of these months count already, where a plan has a limit."""
    limited = {
        pk: place.plan
        for pk, place in places.items()
        if place.plan and place.known.settings.get(place.plan.setting)
    }
    if not limited:
        return
    first = min(one.issued for one, _ in going).replace(day=1)
    counted = set().union(*(one.counted for one in limited.values()))
    rows = PackageDocument.objects.filter(
        interface__in=limited, kind=Kind.INVOICE, issued__gte=first, status__in=counted
    )
    months = rows.order_by().annotate(month=TruncMonth("issued"))
    for pk, month, count in months.values_list("interface_id", "month").annotate(count=Count("pk")):
        places[pk].approved_in[month] += count
    # Sent since the package was last read.
    told = PackageDocument.objects.filter(
        interface=OuterRef("interface"), kind=Kind.INVOICE, remote_id=OuterRef("remote_id")
    )
    sent = Upload.objects.filter(
        ~Exists(told),
        interface__in=limited,
        kind=Kind.INVOICE,
        state=State.SENT,
        invoice__issued__gte=first,
    )
    of_ours = sent.order_by().annotate(month=TruncMonth("invoice__issued"))
    for pk, month, count in of_ours.values_list("interface_id", "month").annotate(
        count=Count("pk")
    ):
        places[pk].approved_in[month] += count
