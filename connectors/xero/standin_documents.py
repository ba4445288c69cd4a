"""The rehearsal's rules for invoices and credit notes: creating, overwriting, voiding."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Self

from connectors.xero import standin_contacts as contacts
from connectors.xero import standin_shapes as shapes
from connectors.xero.standin_answers import (
    ZERO_ID,
    Shape,
    bad_post,
    date_string,
    forbidden,
    ms_date,
    not_found,
)
from connectors.xero.standin_batch import Element
from connectors.xero.standin_charts import DAY_RATES
from connectors.xero.standin_contacts import CONTACT_FIELDS
from connectors.xero.standin_ledger import (
    CREDIT_NOTE,
    INVOICE,
    Contact,
    Document,
    Note,
    Organisation,
    fold,
    new_id,
    usual_id,
)
from connectors.xero.standin_lines import LINE_FIELDS, Terms, read_line
from connectors.xero.standin_posts import (
    Fields,
    boolean,
    day,
    identifier,
    listing,
    messages,
    nested,
    number,
    one_of,
    text,
    too_long,
)

STATUSES = ("DRAFT", "SUBMITTED", "AUTHORISED", "DELETED", "PAID", "VOIDED")
CREATED = ("DRAFT", "SUBMITTED", "AUTHORISED")
APPROVING = ("SUBMITTED", "AUTHORISED")
FINAL = ("PAID", "VOIDED", "DELETED")
TRANSITIONS = {
    "DRAFT": {"SUBMITTED", "AUTHORISED", "DELETED"},
    "SUBMITTED": {"DRAFT", "AUTHORISED", "DELETED"},
    "AUTHORISED": {"VOIDED"},
}
TOUCHED = "This document cannot be edited as it has a payment or credit note allocated to it"
# What may still be changed when money stands against an invoice. Nobody polling for changes is
# told: such an edit leaves UpdatedDateUTC alone.
QUIET = {"DueDate", "SentToContact"}


@dataclass(frozen=True)
class Kind:
    """Invoices or credit notes, and Xero's words for them."""

    type: str
    plural: str
    id: str
    number: str
    word: str
    fields: Fields


def _fields(type: str, word: str) -> Fields:
    """The fields that may be written. Totals are not among them: Xero works them out itself."""
    return {
        "Type": one_of(type),
        f"{word}ID": identifier,
        f"{word}Number": text,
        "Contact": nested(CONTACT_FIELDS),
        "Date": day,
        "DueDate": day,
        "Reference": text,
        "LineAmountTypes": one_of("Exclusive", "Inclusive", "NoTax"),
        "CurrencyCode": text,
        "CurrencyRate": number,
        "Status": one_of(*STATUSES),
        "BrandingThemeID": identifier,
        "SentToContact": boolean,
        "LineItems": listing(nested(LINE_FIELDS)),
    } | ({"Url": text} if type == INVOICE else {})


INVOICES = Kind(
    INVOICE, "Invoices", "InvoiceID", "InvoiceNumber", "Invoice", _fields(INVOICE, "Invoice")
)
CREDIT_NOTES = Kind(
    CREDIT_NOTE,
    "CreditNotes",
    "CreditNoteID",
    "CreditNoteNumber",
    "Credit note",
    _fields(CREDIT_NOTE, "CreditNote"),
)


def find(books: Organisation, kind: Kind, key: str, *, by_number: bool = True) -> Document:
    """The document of an identifier, or of a number where that will do. Raises Refusal (404)."""
    documents, known_id = books.documents(kind.type), usual_id(key)
    for one in documents:
        if one.id == known_id:
            return one
    numbered = [one for one in documents if by_number and fold(one.number) == fold(key)]
    if not numbered:
        raise not_found()
    # A deleted draft gives way to the document that has its number now.
    return min(numbered, key=lambda one: one.status == "DELETED")


@dataclass
class Claims:
    """What the documents of one call may not have twice: numbers, and room under the plan."""

    numbers: set[str]
    approved: Counter[tuple[int, int]] = field(default_factory=Counter)

    @classmethod
    def of(cls, books: Organisation, kind: Kind) -> Self:
        """What is taken before the call."""
        return cls(numbers_in_use(books, kind))


def create(
    books: Organisation, kind: Kind, sent: Shape, *, decimals: int, claims: Claims
) -> Element:
    """PUT: a new document. `claims` are those of the whole call."""
    if kind.id in sent:
        raise bad_post(f"{kind.word}: {kind.id} is not taken when it is created")
    blank = Document(
        id=new_id(),
        type=kind.type,
        number=sent.get(kind.number, ""),
        contact=Contact("", "", "", books.now()),
        issued=books.today,
        updated_at=books.now(),
        currency=books.currency,
        by_app=True,
    )
    problems = []
    if "Type" not in sent:
        problems.append(f"The {kind.word} Type must be specified")
    if sent.get("Status", "DRAFT") not in CREATED:
        problems.append(f"{kind.word} not of valid status for creation")
    if blank.number:
        problems += _claim(books, kind, blank.number, claims)
    if "Contact" not in sent:
        problems.append("A Contact must be specified for this type of transaction")
    if "LineItems" not in sent:
        problems.append("One or more line items must be specified")
    judged, more, contact = _apply(books, kind, blank, sent, decimals)
    problems += more
    problems += _approve(books, kind, judged, claims, sound=not problems)

    def commit() -> Shape:
        judged.contact = contact()
        judged.number = judged.number or books.number_document(kind.type)
        judged.contact.is_customer = True
        judged.history.append(_history(books, "Created", judged))
        books.documents(kind.type).append(judged)
        return shapes.document(judged, decimals=decimals)

    return _element(kind, sent, problems, commit, ZERO_ID)


def update(
    books: Organisation,
    kind: Kind,
    sent: Shape,
    *,
    decimals: int,
    claims: Claims,
    key: str = "",
) -> Element:
    """POST: the document of that id or number is OVERWRITTEN; without one it is created.

    That a number already in use quietly edits somebody's document is Xero's trap.
    """
    known = _known(books, kind, sent, key)
    if known is None and kind.id in sent:
        message = f"An existing {kind.word} with the specified {kind.id} could not be found"
        return _element(kind, sent, [message], _nothing, sent[kind.id])
    if known is None:
        return create(books, kind, sent, decimals=decimals, claims=claims)
    status = sent.get("Status", known.status)
    problems = _problems_of_edit(books, kind, known, sent, status)
    if problems:
        return _element(kind, sent, problems, _nothing, known.id)
    if status in ("VOIDED", "DELETED"):
        return _element(kind, sent, [], lambda: _end(books, known, status, decimals), known.id)
    judged, problems, contact = _apply(books, kind, replace(known), sent, decimals)
    if fold(judged.number) != fold(known.number):
        problems += _claim(books, kind, judged.number, claims)
    if judged.status != known.status:
        problems += _approve(books, kind, judged, claims, sound=not problems)

    def commit() -> Shape:
        judged.contact = contact()
        judged.updated_at = known.updated_at if known.is_touched else books.now()
        judged.history.append(_history(books, "Edited", judged))
        vars(known).update(vars(judged))
        return shapes.document(known, decimals=decimals)

    return _element(kind, sent, problems, commit, known.id)


def lock_problems(books: Organisation, issued: date) -> list[str]:
    """Why nothing can be dated that day, if it cannot."""
    locked = books.locked(issued)
    if locked is None:
        return []
    which, until = locked
    return [
        f"The document date cannot be before the {which} lock date, "
        f"currently set at {until:%d-%b-%Y}"
    ]


def _known(books: Organisation, kind: Kind, sent: Shape, key: str) -> Document | None:
    """The document a POST means: by its path, else the id, else the number."""
    if key:
        known = find(books, kind, key, by_number=False)
        if sent.get(kind.id, known.id) != known.id:
            raise bad_post(f"{kind.id} is not the one of the path")
        return known
    documents = books.documents(kind.type)
    if kind.id in sent:
        return next((one for one in documents if one.id == sent[kind.id]), None)
    wanted = fold(sent.get(kind.number, ""))
    named = [one for one in documents if wanted and fold(one.number) == wanted]
    return next((one for one in named if one.status != "DELETED"), None)


def _problems_of_edit(
    books: Organisation, kind: Kind, known: Document, sent: Shape, status: str
) -> list[str]:
    """Why a document cannot be changed like this at all."""
    if status == "VOIDED" and known.is_touched:
        return [
            "The status VOIDED cannot be applied to the invoice because it has payments or "
            "credit notes allocated to it"
        ]
    moves = status != known.status
    if known.status in FINAL or (moves and status not in TRANSITIONS[known.status]):
        return [f"{kind.word} not of valid status for modification"]
    if sent.get("LineAmountTypes", known.basis) != known.basis and "LineItems" not in sent:
        # What Xero does then is not known, and the rehearsal does not guess amounts.
        return ["LineAmountTypes cannot be changed without LineItems"]
    changed = set(sent) - {"Type", kind.id, kind.number}
    if known.is_touched and not changed <= QUIET:
        return [TOUCHED]
    return lock_problems(books, known.issued)


def _end(books: Organisation, known: Document, status: str, decimals: int) -> Shape:
    known.status, known.updated_at = status, books.now()
    known.history.append(_history(books, status.capitalize(), known))
    return shapes.document(known, decimals=decimals)


def _apply(
    books: Organisation, kind: Kind, document: Document, sent: Shape, decimals: int
) -> tuple[Document, list[str], Callable[[], Contact]]:
    """The document with the fields sent, what is wrong then, and how to come by its contact."""
    problems = too_long(sent, {kind.number: 255, "Reference": 255})
    document.history = list(document.history)
    document.number = sent.get(kind.number, document.number)
    document.reference = sent.get("Reference", document.reference)
    document.issued = sent.get("Date", document.issued)
    document.due = sent.get("DueDate", document.due)
    document.basis = sent.get("LineAmountTypes", document.basis)
    document.status = sent.get("Status", document.status)
    document.sent = sent.get("SentToContact", document.sent)
    document.url = sent.get("Url", document.url)
    document.branding_theme = sent.get("BrandingThemeID", document.branding_theme)
    approving = document.status in APPROVING
    problems += lock_problems(books, document.issued)
    problems += _set_currency(books, document, sent)
    if approving and document.due is None and kind is INVOICES:
        # No source has Xero's wording of this one.
        problems.append("The DueDate field is mandatory for this status")
    if document.sent and document.status != "AUTHORISED":
        problems.append("SentToContact can be set on approved documents only")
    if "xero" in document.url.lower():
        problems.append("Url must not contain xero")
    themes = [theme for theme, _ in books.branding_themes]
    if document.branding_theme and document.branding_theme not in themes:
        problems.append("The branding theme does not exist")
    contact, more = _judge_contact(books, document, sent)
    problems += more
    problems += _set_lines(books, kind, document, sent, decimals)
    if document.total < 0:
        # General knowledge; Xero's wording is unconfirmed.
        problems.append(f"The {kind.word} total must not be negative")
    return document, problems, contact


def _set_lines(
    books: Organisation, kind: Kind, document: Document, sent: Shape, decimals: int
) -> list[str]:
    """Replace the lines when some are sent (those left out are gone), and total the document."""
    terms = Terms(document.basis, document.status in APPROVING, kind is CREDIT_NOTES, decimals)
    problems = []
    if "LineItems" in sent:
        known = {one.id for one in document.lines}
        judged = [read_line(books, each, terms) for each in sent["LineItems"]]
        document.lines = [line for line, _ in judged]
        problems = [message for _, more in judged for message in more]
        # A line is only the same line by an id that was its own.
        for line in document.lines:
            line.id = line.id if line.id in known else new_id()
        if not document.lines:
            problems.append("One or more line items must be specified")
    elif document.status in APPROVING and any(
        line.quantity is not None and line.account is None for line in document.lines
    ):
        problems.append("Account code must be specified")
    document.total_tax = sum((line.tax for line in document.lines), Decimal("0.00"))
    amounts = sum((line.amount for line in document.lines), Decimal("0.00"))
    inside = document.total_tax if document.basis == "Inclusive" else Decimal("0.00")
    document.sub_total = amounts - inside
    document.total = document.sub_total + document.total_tax
    return problems


def _set_currency(books: Organisation, document: Document, sent: Shape) -> list[str]:
    document.currency = sent.get("CurrencyCode", document.currency)
    single = "UseMulticurrency" in books.forbidden and document.currency != books.currency
    if single or document.currency not in books.currencies:
        return [f"Organisation is not subscribed to currency {document.currency}"]
    if document.currency == books.currency:
        document.rate = Decimal("1.000000")
    else:
        day_rate = DAY_RATES.get(document.currency, Decimal("1.000000"))
        document.rate = sent.get("CurrencyRate", day_rate).quantize(Decimal("0.000001"))
    return []


def _judge_contact(
    books: Organisation, document: Document, sent: Shape
) -> tuple[Callable[[], Contact], list[str]]:
    """How to come by the contact, and what is wrong with it.

    One named only by name or number is matched, or made. Whatever is sent beside its id is written
    into it: the second of Xero's traps.
    """
    given = sent.get("Contact")
    if given is None:
        return lambda: document.contact, []
    known = contacts.match(books, given)
    beside = {key for key in given if key not in ("ContactID", "ContactStatus")}
    if known is None:
        name = given.get("Name", "")
        if not name.strip():
            return _no_contact, ["A Contact must be specified for this type of transaction"]
        return lambda: _made_contact(books, given), contacts.problems_of(books, given)
    if known.status != "ACTIVE":
        return lambda: known, [f"The contact {known.name} is archived."]
    if "ContactID" in given and beside:
        problems = contacts.problems_of_edit(books, known, given)
        return lambda: _edited_contact(books, known, given), problems
    return lambda: known, []


def _made_contact(books: Organisation, given: Shape) -> Contact:
    """A new contact, or the one an earlier document of the same call has made."""
    known = contacts.match(books, given)
    if known is None:
        known = Contact(new_id(), given["Name"], given.get("ContactNumber", ""), books.now())
        books.contacts.append(known)
        contacts.write(books, known, given)
    return known


def _edited_contact(books: Organisation, known: Contact, given: Shape) -> Contact:
    contacts.write(books, known, {k: v for k, v in given.items() if k != "ContactStatus"})
    return known


def numbers_in_use(books: Organisation, kind: Kind) -> set[str]:
    """The numbers no new document may have. A deleted draft's is free, a voided document's not.

    Neither is documented: the product never uses a number twice.
    """
    if kind is CREDIT_NOTES and not books.credit_note_numbers_are_unique:
        return set()
    documents = books.documents(kind.type)
    return {fold(one.number) for one in documents if one.status != "DELETED"}


def _approve(
    books: Organisation, kind: Kind, document: Document, claims: Claims, *, sound: bool
) -> list[str]:
    """Why a document cannot be approved, where it is to be. Raises Refusal (403) for the person.

    Only what is refused for nothing else takes room under the plan. That a document submitted for
    approval takes none follows from Xero's wording; credit notes are no invoices.
    """
    if "CreateDraftInvoice" in books.forbidden:
        raise forbidden()
    if document.status != "AUTHORISED":
        return []
    if "CreateApprovedInvoice" in books.forbidden:
        raise forbidden()
    if kind is not INVOICES or books.plan_limit is None:
        return []
    month = (document.issued.year, document.issued.month)
    if books.approved_in_month(document.issued) + claims.approved[month] >= books.plan_limit:
        return ["You have reached the limit of invoices you can approve"]
    claims.approved[month] += sound
    return []


def _claim(books: Organisation, kind: Kind, number: str, claims: Claims) -> list[str]:
    """Take a number for a document; the refusal when somebody has it."""
    if fold(number) in claims.numbers:
        return [f"{'Invoice' if kind is INVOICES else 'Credit Note'} # must be unique."]
    if kind is INVOICES or books.credit_note_numbers_are_unique:
        claims.numbers.add(fold(number))
    return []


def _history(books: Organisation, changes: str, document: Document) -> Note:
    details = f"{document.number or 'Document'} to {document.contact.name} for {document.total}."
    return Note(books.now(), changes, details)


def _element(
    kind: Kind,
    sent: Shape,
    problems: list[str],
    commit: Callable[[], Shape],
    known_id: str,
) -> Element:
    """The element with its echo: what was sent, in the form it would be answered in."""
    echo: Shape = {kind.id: known_id} | sent
    for name in ("Date", "DueDate"):
        if name in sent:
            echo |= {name: ms_date(sent[name]), f"{name}String": date_string(sent[name])}
    if "LineItems" in sent:
        echo["LineItems"] = [each | {"ValidationErrors": []} for each in sent["LineItems"]]
    echo |= {"HasErrors": True, "ValidationErrors": messages(problems)}
    return Element(problems, echo, commit)


def _nothing() -> Any:
    raise AssertionError("An element with problems is never kept.")


def _no_contact() -> Contact:
    raise AssertionError("A document without a contact is never kept.")
