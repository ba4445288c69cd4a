"""The rehearsal's Accounting API: which path answers what, and which scope it wants."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Request, Response

from connectors.xero import standin_contacts as contacts
from connectors.xero import standin_documents as documents
from connectors.xero import standin_shapes as shapes
from connectors.xero.standin_answers import (
    Refusal,
    Shape,
    envelope,
    forbidden,
    not_found,
    offline,
    render,
    validation,
    wrong_verb,
)
from connectors.xero.standin_batch import write_all
from connectors.xero.standin_documents import CREDIT_NOTES, INVOICES, Kind
from connectors.xero.standin_ledger import (
    Allocation,
    Attachment,
    Contact,
    Document,
    Note,
    Organisation,
    TrackingCategory,
    TrackingOption,
    fold,
    new_id,
    usual_id,
)
from connectors.xero.standin_posts import (
    Fields,
    day,
    identifier,
    messages,
    nested,
    number,
    read_elements,
    text,
    too_large,
)
from connectors.xero.standin_query import (
    Listing,
    is_true,
    listed,
    listed_ids,
    modified_since,
    select,
)

API = "/api.xro/2.0/"
# Scopes that let each kind of record be read or written; the broad ones belong to older apps.
SETTINGS = ("accounting.settings",)
CONTACTS = ("accounting.contacts",)
INVOICING = ("accounting.invoices", "accounting.transactions")
PAYMENTS = ("accounting.payments", "accounting.transactions")
FILES = ("accounting.attachments",)

LARGEST_FILE = 10_000_000
MOST_FILES = 10
# What Xero refuses in a file name, and what has failed in practice: spaces and number signs.
REFUSED_IN_NAMES = re.compile(r'[<>:"/\\|?*+\x00\s#]')
LONGEST_NOTE = 2500
ACTIVE_CATEGORIES = 2
MOST_CATEGORIES = 4
ACTIONS = (
    "CreateApprovedInvoice",
    "CreateDraftInvoice",
    "CreateInvoicePayment",
    "AttachFilesIntoInvoice",
    "UseMulticurrency",
    "ApproveTransactionsBeforePeriodLockDate",
)

ALLOCATION_FIELDS: Fields = {
    "Amount": number,
    "Date": day,
    "Invoice": nested({"InvoiceID": identifier}),
}


@dataclass(frozen=True)
class Call:
    """One request to the books of one organisation; `key` and `name` come from the path."""

    request: Request
    books: Organisation
    key: str = ""
    name: str = ""

    @property
    def decimals(self) -> int:
        """Decimals of unit amounts: four only when asked for."""
        return 4 if self.request.args.get("unitdp") == "4" else 2

    @property
    def summarize(self) -> bool:
        """Whether one bad element refuses the whole call, as it does unless told otherwise."""
        return is_true(self.request.args, "summarizeErrors", default=True)

    def answer(
        self, plural: str, records: list[Shape], pagination: Shape | None = None
    ) -> Response:
        body = envelope(plural, records, now=self.books.now())
        return render(body | ({"pagination": pagination} if pagination else {}), self.request)


Handler = Callable[[Call], Response]


@dataclass(frozen=True)
class Route:
    """A method and path, the scopes one of which it wants, and who answers."""

    method: str
    path: re.Pattern[str]
    scopes: tuple[str, ...]
    handler: Handler

    def wanted_scopes(self) -> tuple[str, ...]:
        """Reading is also allowed by the `.read` scopes."""
        reading = tuple(f"{one}.read" for one in self.scopes) if self.method == "GET" else ()
        return self.scopes + reading


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a path below API. Raises Refusal: no such path (404), or not that verb (501)."""
    matched = [(one, found) for one in ROUTES if (found := one.path.fullmatch(path))]
    if not matched:
        raise not_found()
    for route, found in matched:
        if route.method == method:
            return route, found.groupdict()
    raise wrong_verb()


def admit(books: Organisation, route: Route) -> None:
    """Raise Refusal where the organisation cannot be reached, or its edition lacks the path."""
    if books.status != "ACTIVE":
        raise offline()
    if books.edition == "PARTNER" and route.scopes in (INVOICING, FILES):
        raise forbidden()


# Settings


def read_organisation(call: Call) -> Response:
    return call.answer("Organisations", [shapes.organisation(call.books)])


def read_actions(call: Call) -> Response:
    refused = call.books.forbidden
    return call.answer(
        "Actions",
        [
            {"Name": one, "Status": "NOT-ALLOWED" if one in refused else "ALLOWED"}
            for one in ACTIONS
        ],
    )


def list_accounts(call: Call) -> Response:
    found = select(
        call.books.accounts,
        _unpaged(call),
        facts=shapes.account_facts,
        since=modified_since(call.request.headers.get("If-Modified-Since")),
        updated=lambda one: one.updated_at,
    )
    return call.answer("Accounts", [shapes.account(one) for one in found.records])


def list_tax_rates(call: Call) -> Response:
    found = select(call.books.tax_rates, _unpaged(call), facts=shapes.tax_rate_facts)
    return call.answer("TaxRates", [shapes.tax_rate(one) for one in found.records])


def list_currencies(call: Call) -> Response:
    return call.answer("Currencies", [shapes.currency(one) for one in call.books.currencies])


def list_branding_themes(call: Call) -> Response:
    return call.answer("BrandingThemes", shapes.branding_themes(call.books))


def list_tracking(call: Call) -> Response:
    archived = is_true(call.request.args, "includeArchived")
    found = [one for one in call.books.tracking_categories if archived or one.status == "ACTIVE"]
    return call.answer("TrackingCategories", [shapes.tracking_category(one) for one in found])


def create_tracking_category(call: Call) -> Response:
    sent = read_elements(call.request, "TrackingCategories", {"Name": text})[0]
    known = call.books.tracking_categories
    problems = _problems_of_name(sent, [one.name for one in known])
    if sum(one.status == "ACTIVE" for one in known) >= ACTIVE_CATEGORIES:
        problems.append(f"At most {ACTIVE_CATEGORIES} tracking categories can be active")
    if len(known) >= MOST_CATEGORIES:
        problems.append(f"At most {MOST_CATEGORIES} tracking categories can be kept")
    if problems:
        raise validation([sent | {"ValidationErrors": messages(problems)}])
    made = TrackingCategory(new_id(), sent["Name"])
    known.append(made)
    return call.answer("TrackingCategories", [shapes.tracking_category(made)])


def create_tracking_options(call: Call) -> Response:
    found = [one for one in call.books.tracking_categories if one.id == usual_id(call.key)]
    if not found:
        # Xero does not say that the category is unknown: it breaks.
        raise Refusal(500, "")
    options = found[0].options
    elements = read_elements(call.request, "Options", {"Name": text})
    names = [one.name for one in options]
    active = sum(one.status == "ACTIVE" for one in options)
    echoes = []
    for place, sent in enumerate(elements):
        problems = _problems_of_name(sent, names)
        if active + place >= call.books.option_limit:
            problems.append(f"A category has at most {call.books.option_limit} active options")
        names.append(sent.get("Name", ""))
        echoes.append(sent | {"ValidationErrors": messages(problems)})
    if any(one["ValidationErrors"] for one in echoes):
        raise validation(echoes)
    made = [TrackingOption(new_id(), sent["Name"]) for sent in elements]
    options.extend(made)
    return call.answer("Options", [shapes.tracking_option(one) for one in made])


def _problems_of_name(sent: Shape, taken: list[str]) -> list[str]:
    name = sent.get("Name", "")
    if not name.strip() or len(name) > 100:
        return ["Name must have 1 to 100 characters"]
    if fold(name) in {fold(one) for one in taken}:
        return [f"The name {name} is already in use"]
    return []


# Contacts


def list_contacts(call: Call) -> Response:
    args = call.request.args
    found = call.books.contacts
    if not is_true(args, "includeArchived"):
        found = [one for one in found if one.status != "ARCHIVED"]
    ids = listed_ids(args, "IDs")
    if ids is not None:
        found = [one for one in found if one.id in {str(each) for each in ids}]
    if args.get("searchTerm"):
        found = [one for one in found if _mentions(_words_of_contact(one), args["searchTerm"])]
    listing = select(
        found,
        args,
        facts=shapes.contact_facts,
        since=modified_since(call.request.headers.get("If-Modified-Since")),
        updated=lambda one: one.updated_at,
    )
    full = not is_true(args, "summaryOnly")
    records = [shapes.contact(one, full=full) for one in listing.records]
    return call.answer("Contacts", records, listing.pagination)


def read_contact(call: Call) -> Response:
    return call.answer("Contacts", [shapes.contact(contacts.find(call.books, call.key))])


def create_contacts(call: Call) -> Response:
    return _write_contacts(call, contacts.create)


def update_contacts(call: Call) -> Response:
    return _write_contacts(call, contacts.update)


def update_contact(call: Call) -> Response:
    known = contacts.find(call.books, call.key)
    elements = read_elements(call.request, "Contacts", contacts.CONTACT_FIELDS)
    judged = [
        contacts.update(call.books, each | {"ContactID": known.id}, set()) for each in elements
    ]
    return call.answer("Contacts", write_all(judged, summarize=True))


def _write_contacts(call: Call, judge: Callable[..., Any]) -> Response:
    elements = read_elements(call.request, "Contacts", contacts.CONTACT_FIELDS)
    claimed: set[str] = set()
    judged = [judge(call.books, each, claimed) for each in elements]
    return call.answer("Contacts", write_all(judged, summarize=call.summarize))


def _words_of_contact(one: Contact) -> list[str]:
    details = (one.details.get(name, "") for name in ("FirstName", "LastName", "EmailAddress"))
    return [one.name, one.number, *details]


def _mentions(words: list[str], term: str) -> bool:
    return any(fold(term) in fold(each) for each in words)


# Invoices and credit notes


def list_documents(kind: Kind) -> Handler:
    def answer(call: Call) -> Response:
        args = call.request.args
        listing = select(
            _filtered(call, kind),
            args,
            facts=shapes.document_facts,
            since=modified_since(call.request.headers.get("If-Modified-Since")),
            updated=lambda one: one.updated_at,
        )
        return call.answer(kind.plural, _shown(listing, call), listing.pagination)

    return answer


def _filtered(call: Call, kind: Kind) -> list[Document]:
    """What the explicit parameters leave; credit notes have none of them."""
    found, args = call.books.documents(kind.type), call.request.args
    if kind is CREDIT_NOTES:
        return found
    ids, contact_ids = listed_ids(args, "IDs"), listed_ids(args, "ContactIDs")
    numbers, statuses = listed(args, "InvoiceNumbers"), listed(args, "Statuses")
    if ids is not None:
        wanted = {str(one) for one in ids}
        found = [one for one in found if one.id in wanted]
    if contact_ids is not None:
        wanted = {str(one) for one in contact_ids}
        found = [one for one in found if one.contact.id in wanted]
    if numbers is not None:
        wanted = {fold(one) for one in numbers}
        found = [one for one in found if fold(one.number) in wanted]
    if statuses is not None:
        found = [one for one in found if one.status in statuses]
    if is_true(args, "createdByMyApp"):
        found = [one for one in found if one.by_app]
    if args.get("searchTerm"):
        found = [one for one in found if _mentions([one.number, one.reference], args["searchTerm"])]
    return found


def _shown(listing: Listing[Document], call: Call) -> list[Shape]:
    """The documents of a list. Without a page they come without their lines."""
    summary = is_true(call.request.args, "summaryOnly")
    return [
        shapes.document(one, decimals=call.decimals, lines=listing.is_paged, summary=summary)
        for one in listing.records
    ]


def read_document(kind: Kind) -> Handler:
    def answer(call: Call) -> Response:
        found = documents.find(call.books, kind, call.key)
        return call.answer(kind.plural, [shapes.document(found, decimals=call.decimals)])

    return answer


def create_documents(kind: Kind) -> Handler:
    def answer(call: Call) -> Response:
        claims = documents.Claims.of(call.books, kind)
        judged = [
            documents.create(call.books, kind, each, decimals=call.decimals, claims=claims)
            for each in read_elements(call.request, kind.plural, kind.fields)
        ]
        return call.answer(kind.plural, write_all(judged, summarize=call.summarize))

    return answer


def update_documents(kind: Kind) -> Handler:
    def answer(call: Call) -> Response:
        claims = documents.Claims.of(call.books, kind)
        judged = [
            documents.update(
                call.books, kind, each, decimals=call.decimals, claims=claims, key=call.key
            )
            for each in read_elements(call.request, kind.plural, kind.fields)
        ]
        return call.answer(kind.plural, write_all(judged, summarize=call.summarize))

    return answer


# Allocations, attachments, history, payments


def create_allocations(call: Call) -> Response:
    """Set a credit note against invoices. No source has the wording of these refusals."""
    credit = documents.find(call.books, CREDIT_NOTES, call.key, by_number=False)
    elements = read_elements(call.request, "Allocations", ALLOCATION_FIELDS)
    left, due, echoes, made = credit.open_amount, dict[str, Any](), [], []
    for sent in elements:
        problems = [f"{one} must be specified" for one in ALLOCATION_FIELDS if one not in sent]
        if not problems:
            invoice = documents.find(
                call.books, INVOICES, sent["Invoice"].get("InvoiceID", ""), by_number=False
            )
            open_amount = due.setdefault(invoice.id, invoice.open_amount)
            amount = sent["Amount"]
            problems = _problems_of_allocation(call.books, credit, invoice, sent)
            if not 0 < amount <= min(left, open_amount) or amount != round(amount, 2):
                problems.append("Amount must be within the remaining credit and the amount due")
            made.append(Allocation(new_id(), credit, invoice, sent["Date"], amount))
            left -= amount
            due[invoice.id] -= amount
        echoes.append(
            sent | {"Date": str(sent.get("Date")), "ValidationErrors": messages(problems)}
        )
    if any(one["ValidationErrors"] for one in echoes):
        raise validation(echoes)
    for one in made:
        credit.allocations.append(one)
        one.invoice.allocations.append(one)
        call.books.settle(one.invoice)
    call.books.settle(credit)
    return call.answer("Allocations", [shapes.allocation(one) for one in made])


def _problems_of_allocation(
    books: Organisation, credit: Document, invoice: Document, sent: Shape
) -> list[str]:
    problems = []
    if credit.status != "AUTHORISED":
        problems.append(f"The credit note is {credit.status}; only an approved one is allocated")
    if invoice.status != "AUTHORISED":
        problems.append(f"The invoice is {invoice.status}; a credit needs an approved one")
    if credit.contact is not invoice.contact:
        problems.append("The credit note and the invoice are for different contacts")
    if credit.currency != invoice.currency:
        problems.append("The credit note and the invoice are in different currencies")
    return problems + documents.lock_problems(books, sent["Date"])


def list_attachments(kind: Kind) -> Handler:
    def answer(call: Call) -> Response:
        on = documents.find(call.books, kind, call.key, by_number=False)
        return call.answer("Attachments", [shapes.attachment(one, on) for one in on.attachments])

    return answer


def read_attachment(kind: Kind) -> Handler:
    def answer(call: Call) -> Response:
        on = documents.find(call.books, kind, call.key, by_number=False)
        for one in on.attachments:
            if one.name == call.name or one.id == usual_id(call.name):
                return Response(one.content, content_type=one.mime_type)
        raise not_found()

    return answer


def write_attachment(kind: Kind) -> Handler:
    """Hang a file on a document; the same name again takes the place of the first."""

    def answer(call: Call) -> Response:
        on = documents.find(call.books, kind, call.key, by_number=False)
        if "AttachFilesIntoInvoice" in call.books.forbidden:
            raise forbidden()
        content, mime_type = call.request.get_data(), call.request.mimetype
        if len(content) > LARGEST_FILE:
            raise too_large()
        same = [one for one in on.attachments if one.name == call.name]
        problems = []
        if REFUSED_IN_NAMES.search(call.name):
            problems.append(f"The file name {quote(call.name)} contains characters not allowed")
        if not content or not mime_type:
            problems.append("The file must have content and a content type")
        if not same and len(on.attachments) >= MOST_FILES:
            problems.append(f"A document has at most {MOST_FILES} attachments")
        if problems:
            raise validation([{"FileName": call.name, "ValidationErrors": messages(problems)}])
        online = is_true(call.request.args, "IncludeOnline")
        made = Attachment(same[0].id if same else new_id(), call.name, mime_type, content, online)
        on.attachments[:] = [one for one in on.attachments if one not in same] + [made]
        on.history.append(Note(call.books.now(), "Attached a file", call.name))
        on.updated_at = call.books.now()
        return call.answer("Attachments", [shapes.attachment(made, on)])

    return answer


def list_history(kind: Kind) -> Handler:
    def answer(call: Call) -> Response:
        on = documents.find(call.books, kind, call.key, by_number=False)
        newest_first = reversed(on.history)
        return call.answer("HistoryRecords", [shapes.note(one) for one in newest_first])

    return answer


def write_history(kind: Kind) -> Handler:
    def answer(call: Call) -> Response:
        on = documents.find(call.books, kind, call.key, by_number=False)
        sent = read_elements(call.request, "HistoryRecords", {"Details": text})
        problems = [
            f"Details must have 1 to {LONGEST_NOTE} characters"
            for each in sent
            if not 1 <= len(each.get("Details", "")) <= LONGEST_NOTE
        ]
        if problems:
            raise validation([each | {"ValidationErrors": messages(problems)} for each in sent])
        made = [Note(call.books.now(), "Note", each["Details"], "Rehearsal") for each in sent]
        on.history.extend(made)
        return call.answer("HistoryRecords", [shapes.note(one) for one in made])

    return answer


def list_payments(call: Call) -> Response:
    listing = select(
        call.books.payments,
        call.request.args,
        facts=shapes.payment_facts,
        since=modified_since(call.request.headers.get("If-Modified-Since")),
        updated=lambda one: one.updated_at,
    )
    shown = [shapes.payment(one) for one in listing.records]
    return call.answer("Payments", shown, listing.pagination)


def read_payment(call: Call) -> Response:
    for one in call.books.payments:
        if one.id == usual_id(call.key):
            return call.answer("Payments", [shapes.payment(one)])
    raise not_found()


def _unpaged(call: Call) -> Any:
    """The parameters of a list that has no pages."""
    args = call.request.args.copy()
    args.pop("page", None)
    return args


def _route(method: str, path: str, scopes: tuple[str, ...], handler: Handler) -> Route:
    pattern = path.replace("{key}", "(?P<key>[^/]+)").replace("{name}", "(?P<name>.+)")
    return Route(method, re.compile(pattern), scopes, handler)


def _document_routes(kind: Kind) -> list[Route]:
    path = kind.plural
    file, history = f"{path}/{{key}}/Attachments/{{name}}", f"{path}/{{key}}/History"
    return [
        _route("GET", path, INVOICING, list_documents(kind)),
        _route("PUT", path, INVOICING, create_documents(kind)),
        _route("POST", path, INVOICING, update_documents(kind)),
        _route("GET", f"{path}/{{key}}", INVOICING, read_document(kind)),
        _route("POST", f"{path}/{{key}}", INVOICING, update_documents(kind)),
        _route("GET", f"{path}/{{key}}/Attachments", FILES, list_attachments(kind)),
        _route("GET", file, FILES, read_attachment(kind)),
        _route("PUT", file, FILES, write_attachment(kind)),
        _route("POST", file, FILES, write_attachment(kind)),
        _route("GET", history, INVOICING, list_history(kind)),
        _route("PUT", history, INVOICING, write_history(kind)),
    ]


TRACKING = "TrackingCategories"
ROUTES = [
    _route("GET", "Organisation", SETTINGS, read_organisation),
    _route("GET", "Organisation/Actions", SETTINGS, read_actions),
    _route("GET", "Accounts", SETTINGS, list_accounts),
    _route("GET", "TaxRates", SETTINGS, list_tax_rates),
    _route("GET", "Currencies", SETTINGS, list_currencies),
    _route("GET", "BrandingThemes", SETTINGS, list_branding_themes),
    _route("GET", TRACKING, SETTINGS, list_tracking),
    _route("PUT", TRACKING, SETTINGS, create_tracking_category),
    _route("PUT", f"{TRACKING}/{{key}}/Options", SETTINGS, create_tracking_options),
    _route("GET", "Contacts", CONTACTS, list_contacts),
    _route("PUT", "Contacts", CONTACTS, create_contacts),
    _route("POST", "Contacts", CONTACTS, update_contacts),
    _route("GET", "Contacts/{key}", CONTACTS, read_contact),
    _route("POST", "Contacts/{key}", CONTACTS, update_contact),
    *_document_routes(INVOICES),
    *_document_routes(CREDIT_NOTES),
    _route("PUT", "CreditNotes/{key}/Allocations", INVOICING, create_allocations),
    _route("GET", "Payments", PAYMENTS, list_payments),
    _route("GET", "Payments/{key}", PAYMENTS, read_payment),
]
