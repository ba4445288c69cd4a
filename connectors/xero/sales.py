"""Sales invoices and credit notes: created once, found again, never overwritten."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, cast

from connectors.base.documents import Conflict, Key, Posted, SalesInvoice
from connectors.base.errors import OutcomeUnknown, Rejected
from connectors.base.protocol import Found, Outcome
from connectors.xero import mapping
from connectors.xero.books import MANY, WHOLE_LIST_PAGE, Books, after_a_write, some_of
from connectors.xero.creating import New, Place, Record, create
from connectors.xero.mapping import Preferences
from connectors.xero.refusals import NOT_FOUND, NUMBER_TAKEN, PLAN_LIMIT, refusal, warnings_of
from connectors.xero.wire import LABEL, day, money, quoted, records, remote_id, text

ADOPTED = "It was in Xero already with the same client, date and total; linked, not sent again."
LINK_OR_RENUMBER = (
    "Look at it in Xero. If it is this one, say that it is there already; if not, change one of"
    " the two numbers, then retry."
)
# Documents that Xero still shows, but that stand no more.
TAKEN_BACK = frozenset({"VOIDED", "DELETED"})
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Sort:
    """What distinguishes invoices from credit notes in Xero's words."""

    word: str
    place: Place
    id_name: str
    kind: str
    shown_at: str
    # Whether Xero refuses a number that it has already; otherwise it is asked first.
    unique: bool
    # Whether several can be asked for by a list of their numbers.
    listable: bool
    to_body: Callable[[Any, Preferences], dict[str, Any]]

    def number(self, record: Record) -> str:
        """The record's number."""
        return text(record, self.place.known_by)


INVOICES = Sort(
    word="invoice",
    place=Place(path="/Invoices", plural="Invoices", known_by="InvoiceNumber"),
    id_name="InvoiceID",
    kind="ACCREC",
    shown_at="/AccountsReceivable/View.aspx?InvoiceID=",
    unique=True,
    listable=True,
    to_body=mapping.to_invoice,
)
CREDIT_NOTES = Sort(
    word="credit note",
    place=Place(path="/CreditNotes", plural="CreditNotes", known_by="CreditNoteNumber"),
    id_name="CreditNoteID",
    kind="ACCRECCREDIT",
    shown_at="/AccountsReceivable/ViewCreditNote.aspx?creditNoteID=",
    unique=False,
    listable=False,
    to_body=mapping.to_credit_note,
)


def post(
    books: Books, sort: Sort, documents: Sequence[SalesInvoice], *, call_key: str
) -> list[Outcome]:
    """Create them; one outcome each, in order.

    A number that is taken may be our own earlier attempt: it is looked up before it is refused.
    That credit note numbers are unique is not certain, so those are looked up before they go.
    """
    preferences = Preferences.of(books.settings)
    outcomes: dict[Key, Outcome] = {}
    if not sort.unique:
        there = find(books, sort, documents)
        outcomes |= {key: _already(one) for key, one in there.items()}
    new: list[New] = []
    for one in documents:
        if one.key in outcomes:
            continue
        try:
            new.append(New(key=one.key, body=sort.to_body(one, preferences)))
        except Rejected as refused:
            outcomes[one.key] = refused
    if new:
        answered = create(books, sort.place, new, call_key=call_key)
        by_key = {one.key: one for one in documents}
        for key, answer in answered.items():
            outcomes[key] = _outcome(books, sort, by_key[key], answer, preferences)
        outcomes |= _adopt(books, sort, [one for one in documents if _taken(outcomes[one.key])])
    return [outcomes[one.key] for one in documents]


def find(books: Books, sort: Sort, documents: Sequence[SalesInvoice]) -> dict[Key, Found]:
    """Posted for ours, Conflict for another or a voided one under our number, absent otherwise."""
    preferences = Preferences.of(books.settings)
    listed = _listed(books, sort, [one.number for one in documents])
    found = {one.key: _found(books, sort, one, listed, preferences) for one in documents}
    return {key: one for key, one in found.items() if one is not None}


def look_at(books: Books, sort: Sort, document: SalesInvoice, document_id: str) -> Found | None:
    """The document of that id: Posted where it is this very one, a Conflict where it is not."""
    if not GUID.fullmatch(document_id):
        return None
    answer = books.http.read_or_none(f"{sort.place.path}/{document_id}", unitdp=4)
    found = records(answer.get(sort.place.plural)) if isinstance(answer, dict) else []
    if not found or text(found[0], "Type") != sort.kind:
        return None
    record = found[0]
    same = sort.number(record).casefold() == document.number.casefold()
    if same and _is_ours(document, record):
        return _posted(books, sort, document, record, Preferences.of(books.settings))
    gone = text(record, "Status") in TAKEN_BACK
    message = _told(sort, document, record)
    return _conflict(
        books,
        sort,
        document,
        record,
        f"It is {text(record, 'Status').lower()} in {LABEL}. {message}" if gone else message,
        LINK_OR_RENUMBER,
    )


def _outcome(
    books: Books,
    sort: Sort,
    document: SalesInvoice,
    answer: Record | Rejected,
    preferences: Preferences,
) -> Outcome:
    if isinstance(answer, Rejected):
        return _refused_alone(answer, document)
    lines = mapping.sent_lines(document, preferences)
    if refused := refusal(answer, lines=lines):
        _name_subjects(refused, document)
        return refused
    if not remote_id(answer, sort.id_name):
        raise OutcomeUnknown(f"{LABEL} gave no id for {sort.word} {document.number}.")
    return _posted(books, sort, document, answer, preferences)


def _name_subjects(refused: Rejected, document: SalesInvoice) -> None:
    """What is to be mended, where Xero's message does not name it."""
    for one in (refused, *refused.others):
        if one.field in {"contact", "email"}:
            one.subject = document.contact.name
        elif one.code == PLAN_LIMIT:
            one.subject = f"{document.issued:%Y-%m}"


def _refused_alone(refused: Rejected, document: SalesInvoice) -> Rejected:
    if refused.code != NOT_FOUND:
        return refused
    # The one thing named by an id in what was sent.
    return Rejected(
        f"{LABEL} no longer knows the contact this client is linked to.",
        field="contact",
        code="contact_gone",
        subject=document.contact.name,
        next_step="Retry: the client is then looked up in Xero again, or added.",
    )


def _posted(
    books: Books,
    sort: Sort,
    document: SalesInvoice,
    record: Record,
    preferences: Preferences,
) -> Posted:
    number = sort.number(record)
    renumbered = () if number == document.number else (f"{LABEL} gave it the number {number}.",)
    return Posted(
        key=document.key,
        remote_id=remote_id(record, sort.id_name),
        number=number,
        url=books.link(sort.shown_at + remote_id(record, sort.id_name)),
        total=money(record.get("Total")),
        tax=money(record.get("TotalTax")),
        warnings=(
            *renumbered,
            *mapping.differences(document, record, preferences),
            *mapping.notes_on(document),
            *warnings_of(record),
        ),
    )


def _taken(outcome: Outcome) -> bool:
    return isinstance(outcome, Rejected) and outcome.code == NUMBER_TAKEN


def _adopt(books: Books, sort: Sort, documents: Sequence[SalesInvoice]) -> dict[Key, Outcome]:
    """What is behind numbers that Xero says are taken."""
    if not documents:
        return {}
    with after_a_write():
        found = find(books, sort, documents)
    adopted: dict[Key, Outcome] = {}
    for one in documents:
        there = found.get(one.key)
        adopted[one.key] = _already(there) if there else _taken_unseen(sort, one)
    return adopted


def _already(found: Found) -> Found:
    """What was there before we sent anything now."""
    if isinstance(found, Posted):
        return replace(found, warnings=(ADOPTED, *found.warnings), adopted=True)
    return found


def _taken_unseen(sort: Sort, document: SalesInvoice) -> Conflict:
    return Conflict(
        key=document.key,
        message=f"{LABEL} says that number {document.number} is taken, but shows no {sort.word}"
        " with it. It may have been deleted there.",
        next_step="Give it another number in Abtrac, then retry.",
        number=document.number,
    )


def _listed(books: Books, sort: Sort, numbers: Iterable[str]) -> list[Record]:
    """Every document of the sort under one of the numbers, whatever its status."""
    # A number that cannot be written in a filter was never sent by us.
    wanted = [one for one in dict.fromkeys(numbers) if '"' not in one and "\\" not in one]
    if not sort.listable:
        found = _listed_singly(books, sort, wanted)
    else:
        plain = [one for one in wanted if "," not in one]
        found = _listed_singly(books, sort, [one for one in wanted if "," in one])
        for some in some_of(plain):
            found += _read(books, sort, InvoiceNumbers=",".join(some))
    return [one for one in found if text(one, "Type") == sort.kind]


def _listed_singly(books: Books, sort: Sort, numbers: Sequence[str]) -> list[Record]:
    """Number by number; of many all that there are, where that takes fewer calls."""
    place = sort.place
    if len(numbers) >= MANY:
        whole = books.pages(
            place.path,
            place.plural,
            sort.id_name,
            size=WHOLE_LIST_PAGE,
            most=len(numbers),
            unitdp=4,
        )
        if whole is not None:
            return whole.records
    return [
        record
        for one in numbers
        for record in _read(books, sort, where=f"{place.known_by}=={quoted(one)}")
    ]


def _read(books: Books, sort: Sort, **which: str) -> list[Record]:
    place = sort.place
    return books.whole_list(place.path, place.plural, sort.id_name, unitdp=4, **which).records


def _found(
    books: Books,
    sort: Sort,
    document: SalesInvoice,
    listed: Iterable[Record],
    preferences: Preferences,
) -> Found | None:
    under_it = [
        one
        for one in listed
        if sort.number(one).casefold() == document.number.casefold()
        and text(one, "Status") != "DELETED"
    ]
    if not under_it:
        return None
    ours = [one for one in under_it if _is_ours(document, one)]
    if len(ours) == 1:
        return _posted(books, sort, document, ours[0], preferences)
    standing = [one for one in under_it if text(one, "Status") != "VOIDED"]
    if len(ours) > 1:
        message = f"{LABEL} has {len(ours)} {sort.word}s {document.number} like ours."
        return _conflict(books, sort, document, ours[0], message, LINK_OR_RENUMBER)
    if standing:
        return _conflict(
            books, sort, document, standing[0], _told(sort, document, standing[0]), LINK_OR_RENUMBER
        )
    return _conflict(
        books,
        sort,
        document,
        under_it[0],
        f"{LABEL} has a voided {sort.word} {document.number}; a number is never used twice.",
        "Give it another number in Abtrac, then retry.",
    )


def _is_ours(document: SalesInvoice, record: Record) -> bool:
    """Same contact, currency, total and date, and standing."""
    return (
        text(record, "Status") not in TAKEN_BACK
        and _contact(record).get("ContactID") == document.contact_id
        and text(record, "CurrencyCode") == document.currency
        and money(record.get("Total")) == document.total
        and day(record.get("Date")) == document.issued
    )


def _told(sort: Sort, document: SalesInvoice, record: Record) -> str:
    theirs = _described(
        text(_contact(record), "Name"),
        day(record.get("Date")),
        money(record.get("Total")),
        text(record, "CurrencyCode"),
    )
    ours = _described(document.contact.name, document.issued, document.total, document.currency)
    return f"{LABEL} already has {sort.word} {sort.number(record)}: {theirs}. Ours: {ours}."


def _described(contact: str, issued: date | None, total: Decimal | None, currency: str) -> str:
    on = f"{issued.day} {issued:%B %Y}" if issued else "no date"
    return f"{contact}, {on}, {currency} {total:,.2f}" if total is not None else f"{contact}, {on}"


def _conflict(
    books: Books,
    sort: Sort,
    document: SalesInvoice,
    record: Record,
    message: str,
    next_step: str,
) -> Conflict:
    return Conflict(
        key=document.key,
        message=message,
        next_step=next_step,
        remote_id=remote_id(record, sort.id_name),
        number=sort.number(record),
        contact_name=text(_contact(record), "Name"),
        issued=day(record.get("Date")),
        currency=text(record, "CurrencyCode"),
        total=money(record.get("Total")),
        status=text(record, "Status").capitalize(),
        url=books.link(sort.shown_at + remote_id(record, sort.id_name)),
    )


def _contact(record: Record) -> Mapping[str, Any]:
    contact = record.get("Contact")
    return cast(Mapping[str, Any], contact) if isinstance(contact, dict) else {}
