"""Our documents in Xero's words, and what they must look like when they come back. Pure.

Xero works out every figure itself: line = quantity x price, tax line by line, then the sum. What
is sent is made so that its figures come out as Abtrac's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_DOWN, Decimal
from enum import StrEnum
from typing import Any, NamedTuple, Self

from connectors.base.cents import CENT, to_cents
from connectors.base.documents import (
    Address,
    Contact,
    CreditNote,
    InvoiceLine,
    LineKind,
    SalesInvoice,
    TaxBasis,
)
from connectors.base.errors import Rejected
from connectors.base.rules import day, tax_differs
from connectors.base.shown import Shown, ShownLine
from connectors.xero.wire import LABEL, clean, cut, money, number, records, text

NUMBER_LENGTH = 255
NAME_LENGTH = 255
REFERENCE_LENGTH = 255
DESCRIPTION_LENGTH = 4000
OPTION_LENGTH = 100
# What a line's tax may differ from Xero's own reckoning before it counts as the wrong tax code.
FEW_CENTS = Decimal("0.05")
DECIMALS = -4
# How documents may arrive, as people read it.
STATUSES = {
    "DRAFT": "Draft",
    "SUBMITTED": "Submitted (awaiting approval)",
    "AUTHORISED": "Authorised (awaiting payment)",
}

CORRECT_IT = "Correct it in Abtrac, then retry."


class Detail(StrEnum):
    """How many lines an invoice has in Xero."""

    LINES = "lines"
    SINGLE = "single"


class Matching(StrEnum):
    """What makes a contact ours."""

    NUMBER = "number"
    NAME = "name"
    NAME_ON_INVOICE = "name_on_invoice"


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """An interface's settings; `tracking` is the category that carries jobs, empty for none."""

    status: str = "DRAFT"
    detail: Detail = Detail.LINES
    tracking: str = ""
    matching: Matching = Matching.NUMBER

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The preferences in the settings of a connection."""
        tracks = settings.get("jobs") == "tracking"
        return cls(
            status=settings.get("delivery_status") or "DRAFT",
            detail=Detail(settings.get("detail") or Detail.LINES),
            tracking=str(settings.get("tracking_category") or "").strip() if tracks else "",
            matching=Matching(settings.get("match_contacts_by") or Matching.NUMBER),
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line as Xero gets it; `lines` are ours, several where they were merged."""

    lines: tuple[int, ...]
    description: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    tax: Decimal
    tax_rate: Decimal
    account_code: str
    tax_code: str
    job_code: str

    @property
    def line(self) -> int:
        """Our line, the first of them."""
        return self.lines[0]


# --- Invoices and credit notes -----------------------------------------------------------------


def to_invoice(invoice: SalesInvoice, preferences: Preferences) -> dict[str, Any]:
    """The invoice for `PUT /Invoices`. Raises Rejected for what Xero would refuse or get wrong."""
    _stop_at([*_contact_missing(invoice), *_refusals(invoice, preferences)])
    return {
        "Type": "ACCREC",
        "InvoiceNumber": invoice.number,
        "DueDate": invoice.due.isoformat(),
        **_common(invoice, preferences),
    }


def to_credit_note(note: CreditNote, preferences: Preferences) -> dict[str, Any]:
    """The credit note for `PUT /CreditNotes`; its amounts are positive credits."""
    _stop_at([*_contact_missing(note), *_refusals(note, preferences)])
    return {
        "Type": "ACCRECCREDIT",
        "CreditNoteNumber": note.number,
        **_common(note, preferences),
    }


def refusals(invoice: SalesInvoice, settings: Mapping[str, Any]) -> Iterator[Rejected]:
    """Why we would not send it, whatever Xero says; but for its contact, which comes last."""
    return _refusals(invoice, Preferences.of(settings))


def notes_on(invoice: SalesInvoice) -> tuple[str, ...]:
    """What had to be shortened."""
    if len(clean(invoice.reference)) <= REFERENCE_LENGTH:
        return ()
    return (f"The reference was shortened to the {REFERENCE_LENGTH} characters {LABEL} takes.",)


def sent_lines(invoice: SalesInvoice, preferences: Preferences) -> list[tuple[int, str, str]]:
    """For each line that is sent: our line, its account code and its tax code."""
    return [
        (row.line, row.account_code, row.tax_code)
        for row in _rows(invoice, preferences)
        for _ in _pieces(row.description)
    ]


def show(invoice: SalesInvoice, settings: Mapping[str, Any]) -> Shown:
    """The document as Xero will show it. Raises Rejected where it is not sent at all.

    Every figure is worked out as Xero does it, from the very lines that are sent.
    """
    preferences = Preferences.of(settings)
    _stop_at(list(_refusals(invoice, preferences)))
    lines: list[ShownLine] = []
    notes = list(notes_on(invoice))
    for row in _rows(invoice, preferences):
        sent, *texts = _to_lines(row, invoice.tax_basis, preferences)
        lines.append(_shown(row, sent, invoice.tax_basis))
        lines += [ShownLine(description=one["Description"], lines=row.lines) for one in texts]
        notes += _notes_on_row(row, texts, invoice.tax_basis)
    tax = sum((one.tax for one in lines if one.tax is not None), Decimal(0))
    amounts = sum((one.amount for one in lines if one.amount is not None), Decimal(0))
    net = amounts if _is_exclusive(invoice) else amounts - tax
    return Shown(
        lines=tuple(lines),
        net=net,
        tax=tax,
        total=net + tax,
        facts=tuple(_facts(invoice, preferences)),
        notes=tuple(notes),
    )


def _shown(row: Row, sent: Mapping[str, Any], basis: TaxBasis) -> ShownLine:
    quantity, price = Decimal(sent["Quantity"]), Decimal(sent["UnitAmount"])
    amount = to_cents(quantity * price)
    tax = Decimal(sent.get("TaxAmount", _raw_tax(amount, row.tax_rate, basis)))
    [tracked] = sent.get("Tracking") or [{"Option": ""}]
    return ShownLine(
        description=sent["Description"],
        lines=row.lines,
        quantity=quantity,
        unit_price=price,
        amount=amount,
        tax=to_cents(tax),
        account_code=row.account_code,
        tax_code=row.tax_code,
        job_code=tracked["Option"],
    )


def _notes_on_row(row: Row, texts: Sequence[Mapping[str, Any]], basis: TaxBasis) -> Iterator[str]:
    lines = f"line {row.line}" if len(row.lines) == 1 else f"lines {', '.join(map(str, row.lines))}"
    if texts:
        yield (
            f"The text of {lines} is longer than the {DESCRIPTION_LENGTH} characters {LABEL} takes:"
            " it goes on in a line of text."
        )
    more = row.tax - to_cents(_raw_tax(row.amount, row.tax_rate, basis))
    if more:
        yield (
            f"{LABEL} would round the tax of {lines} to {row.tax - more}; Abtrac's {row.tax} is"
            f" sent with it ({abs(more)} {'more' if more > 0 else 'less'})."
        )


def _facts(invoice: SalesInvoice, preferences: Preferences) -> Iterator[tuple[str, str]]:
    """What is sent beside the lines, in Xero's words."""
    note = isinstance(invoice, CreditNote)
    yield "Contact", invoice.contact.name
    yield "Credit note number" if note else "Invoice number", invoice.number
    if reference := cut(clean(invoice.reference), REFERENCE_LENGTH):
        yield "Reference", reference
    yield "Date", day(invoice.issued)
    if not note:
        yield "Due date", day(invoice.due)
    yield "Currency", invoice.currency
    yield "Amounts are", "Tax exclusive" if _is_exclusive(invoice) else "Tax inclusive"
    yield "Status", STATUSES.get(preferences.status, preferences.status)
    if preferences.tracking:
        yield "Tracking category", preferences.tracking


def differences(
    invoice: SalesInvoice, record: Mapping[str, Any], preferences: Preferences
) -> tuple[str, ...]:
    """What came back other than it was sent: totals by a cent or more, and lost jobs."""
    found = []
    total, tax = money(record.get("Total")), money(record.get("TotalTax"))
    if (total is not None and total != invoice.total) or (tax is not None and tax != invoice.tax):
        theirs = f"{total} (tax {tax})" if tax is not None else f"{total}"
        found.append(
            f"{LABEL} shows a total of {theirs}; Abtrac's is {invoice.total} (tax {invoice.tax})."
        )
    if lost := _lost_jobs(invoice, record, preferences):
        found.append(
            f"{LABEL} kept no job on the lines of {', '.join(lost)}: tracking category"
            f" “{preferences.tracking}” has no such option in use."
        )
    return tuple(found)


def _refusals(invoice: SalesInvoice, preferences: Preferences) -> Iterator[Rejected]:
    if problem := _problem_of_number(invoice):
        yield problem
    if invoice.total < 0:
        yield Rejected(
            f"{LABEL} takes no negative invoices; this has to be a credit note.",
            field="total",
            code="negative",
            next_step=CORRECT_IT,
        )
    if not invoice.lines:
        yield Rejected(
            "The invoice has no lines.", field="lines", code="no_lines", next_step=CORRECT_IT
        )
    for taxed in _taxed(invoice, preferences):
        if not _is_near(taxed, invoice.tax_basis):
            yield _tax_differs(taxed, invoice.tax_basis)


def _stop_at(reasons: Sequence[Rejected]) -> None:
    """Raise the first of the reasons, which tells the others."""
    if reasons:
        first, *others = reasons
        first.others = tuple(others)
        raise first


def _contact_missing(invoice: SalesInvoice) -> Iterator[Rejected]:
    if not invoice.contact_id:
        yield Rejected(
            f"{invoice.contact.name} is not linked to a contact in {LABEL}.",
            field="contact",
            code="contact_missing",
            subject=invoice.contact.name,
            next_step="Retry: the client is then looked up in Xero again, or added.",
        )


def _common(invoice: SalesInvoice, preferences: Preferences) -> dict[str, Any]:
    common = {
        "Contact": {"ContactID": invoice.contact_id},
        "Date": invoice.issued.isoformat(),
        "LineAmountTypes": "Exclusive" if _is_exclusive(invoice) else "Inclusive",
        "CurrencyCode": invoice.currency,
        "Status": preferences.status,
        "LineItems": [
            line
            for row in _rows(invoice, preferences)
            for line in _to_lines(row, invoice.tax_basis, preferences)
        ],
    }
    reference = cut(clean(invoice.reference), REFERENCE_LENGTH)
    return {**common, "Reference": reference} if reference else common


def _problem_of_number(invoice: SalesInvoice) -> Rejected | None:
    """A number is sent as it is, never shortened or changed."""
    number, code, problem = invoice.number, "number", ""
    if not number or number != number.strip():
        problem = "is empty or has spaces around it"
    elif len(number) > NUMBER_LENGTH:
        code = "number_too_long"
        problem = f"has {len(number)} characters; {LABEL} takes {NUMBER_LENGTH}"
    elif '"' in number or "\\" in number:
        problem = f"has a character by which it could not be found again in {LABEL}"
    if not problem:
        return None
    return Rejected(
        f"The number {number} {problem}.",
        field="number",
        code=code,
        subject=number,
        next_step="Give it another number in Abtrac, then retry.",
    )


def _rows(invoice: SalesInvoice, preferences: Preferences) -> list[Row]:
    rows = [_row(line, place, invoice) for place, line in enumerate(invoice.lines, start=1)]
    return _merged(rows, invoice, preferences) if preferences.detail is Detail.SINGLE else rows


def _row(line: InvoiceLine, place: int, invoice: SalesInvoice) -> Row:
    fallback = "Disbursement" if line.kind is LineKind.DISBURSEMENT else "Fees"
    row = Row(
        lines=(place,),
        description=clean(line.description) or fallback,
        quantity=line.quantity,
        unit_price=line.unit_price,
        amount=line.net if _is_exclusive(invoice) else line.net + line.tax,
        tax=line.tax,
        tax_rate=line.tax_rate,
        account_code=line.account_code,
        tax_code=line.tax_code,
        job_code=line.job_code,
    )
    if _comes_out(row):
        return row
    # A price that was agreed otherwise: the amount stands, quantity and price are told in words.
    told = f"{row.description} ({number(line.quantity)} at {number(line.unit_price)})"
    return replace(
        row,
        description=told if line.quantity not in (0, 1) else row.description,
        quantity=Decimal(1),
        unit_price=row.amount,
    )


def _comes_out(row: Row) -> bool:
    """Whether quantity times price is the amount, in the decimals Xero keeps.

    Which way Xero rounds a half cent is not published, so it must come out either way.
    """
    kept = all(
        amount.normalize().as_tuple().exponent >= DECIMALS  # type: ignore[operator]
        for amount in (row.quantity, row.unit_price)
    )
    product = row.quantity * row.unit_price
    return kept and row.amount == to_cents(product) == product.quantize(CENT, ROUND_HALF_DOWN)


def _merged(rows: Iterable[Row], invoice: SalesInvoice, preferences: Preferences) -> list[Row]:
    """One row for each account, tax code and job tracked: never across codes."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        job = row.job_code if preferences.tracking else ""
        groups.setdefault((row.account_code, row.tax_code, job), []).append(row)
    return [_merge(group, invoice) for group in groups.values()]


def _merge(group: Sequence[Row], invoice: SalesInvoice) -> Row:
    amount = sum((row.amount for row in group), Decimal(0))
    if len(group) == 1:
        return group[0]
    kinds = {invoice.lines[row.line - 1].kind for row in group}
    what = {
        frozenset({LineKind.TIME}): "Fees",
        frozenset({LineKind.DISBURSEMENT}): "Disbursements",
    }.get(frozenset(kinds), "Fees and disbursements")
    word = "credit note" if isinstance(invoice, CreditNote) else "invoice"
    return replace(
        group[0],
        lines=tuple(row.line for row in group),
        description=f"{what} as per {word} {invoice.number}",
        quantity=Decimal(1),
        unit_price=amount,
        amount=amount,
        tax=sum((row.tax for row in group), Decimal(0)),
    )


def _to_lines(row: Row, basis: TaxBasis, preferences: Preferences) -> Iterable[dict[str, Any]]:
    """The row, and after it what its text is too long for."""
    first, *rest = _pieces(row.description)
    line = {
        "Description": first,
        "Quantity": number(row.quantity),
        "UnitAmount": number(row.unit_price),
        "AccountCode": row.account_code,
        "TaxType": row.tax_code,
        **_tax_amount(row, basis),
    }
    if job := _option(row, preferences):
        line["Tracking"] = [{"Name": preferences.tracking, "Option": job}]
    yield line
    for piece in rest:
        yield {"Description": piece}


def _tax_amount(row: Row, basis: TaxBasis) -> dict[str, Any]:
    """The tax, where Xero would come to another by cents. Otherwise it is left to Xero."""
    reckoned = _raw_tax(row.amount, row.tax_rate, basis)
    # Which way Xero rounds a half cent is not published, so it is told.
    if row.tax == to_cents(reckoned) == reckoned.quantize(CENT, ROUND_HALF_DOWN):
        return {}
    return {"TaxAmount": number(row.tax)}


class _Taxed(NamedTuple):
    """What the tax of a line as it is sent depends on."""

    line: int
    merged: int
    amount: Decimal
    tax: Decimal
    rate: Decimal
    tax_code: str


def _taxed(invoice: SalesInvoice, preferences: Preferences) -> Iterable[_Taxed]:
    """Of each line as it is sent, without making the lines: a click asks this of thousands."""
    inside = not _is_exclusive(invoice)
    apart = preferences.detail is Detail.LINES
    sums: dict[Any, _Taxed] = {}
    for place, line in enumerate(invoice.lines, start=1):
        amount = line.net + line.tax if inside else line.net
        job = line.job_code if preferences.tracking else ""
        key = place if apart else (line.account_code, line.tax_code, job)
        before = sums.get(key)
        sums[key] = (
            _Taxed(place, 1, amount, line.tax, line.tax_rate, line.tax_code)
            if before is None
            else before._replace(
                merged=before.merged + 1, amount=before.amount + amount, tax=before.tax + line.tax
            )
        )
    return sums.values()


def _is_near(taxed: _Taxed, basis: TaxBasis) -> bool:
    """Whether the tax is what the rate makes of the amount, but for cents of rounding."""
    reckoned = to_cents(_raw_tax(taxed.amount, taxed.rate, basis))
    return abs(taxed.tax - reckoned) <= FEW_CENTS + CENT * (taxed.merged - 1)


def _tax_differs(taxed: _Taxed, basis: TaxBasis) -> Rejected:
    reckoned = to_cents(_raw_tax(taxed.amount, taxed.rate, basis))
    return Rejected(
        tax_differs(taxed.tax, taxed.tax_code, taxed.rate, taxed.amount, reckoned),
        field="tax_code",
        code="tax_differs",
        subject=taxed.tax_code,
        line=taxed.line,
        next_step="Choose the tax code that fits, or correct the tax in Abtrac, then retry.",
    )


def _raw_tax(amount: Decimal, rate: Decimal, basis: TaxBasis) -> Decimal:
    """The tax Xero works out for a line's amount, in which it is included or not; unrounded."""
    whole = Decimal(100) if basis is TaxBasis.EXCLUSIVE else 100 + rate
    return amount * rate / whole


def _is_exclusive(invoice: SalesInvoice) -> bool:
    return invoice.tax_basis is TaxBasis.EXCLUSIVE


def _option(row: Row, preferences: Preferences) -> str:
    """The job as a tracking option, where jobs are tracked and it can be one."""
    return row.job_code if preferences.tracking and len(row.job_code) <= OPTION_LENGTH else ""


def _pieces(description: str) -> list[str]:
    """The text in pieces that Xero takes, broken at words."""
    pieces = []
    while len(description) > DESCRIPTION_LENGTH:
        piece = cut(description, DESCRIPTION_LENGTH)
        pieces.append(piece)
        description = description[len(piece) :].lstrip()
    return [*pieces, description] if description or not pieces else pieces


def _lost_jobs(
    invoice: SalesInvoice, record: Mapping[str, Any], preferences: Preferences
) -> list[str]:
    """Jobs sent that did not come back: Xero drops what it does not know without a word."""
    if not preferences.tracking:
        return []
    returned = records(record.get("LineItems"))
    sent = [
        job
        for row in _rows(invoice, preferences)
        for job in [row.job_code, *[""] * (len(_pieces(row.description)) - 1)]
    ]
    if len(returned) != len(sent):
        return []  # no lines came back: nothing can be said
    lost = []
    for job, line in zip(sent, returned, strict=True):
        kept = {text(one, "Option").casefold() for one in records(line.get("Tracking"))}
        if job and job.casefold() not in kept and job not in lost:
            lost.append(job)
    return lost


# --- Contacts ----------------------------------------------------------------------------------

# What a contact has several of: the field that tells them apart, and those that can be written.
_LISTS = {
    "Addresses": (
        "AddressType",
        (
            "AttentionTo",
            *(f"AddressLine{n}" for n in range(1, 5)),
            "City",
            "Region",
            "PostalCode",
            "Country",
        ),
    ),
    "Phones": ("PhoneType", ("PhoneNumber", "PhoneAreaCode", "PhoneCountryCode")),
}
# Free text is cut; what is of no use in part is refused.
_TEXTS = {"FirstName": 255, "LastName": 255}
_ADDRESS_TEXTS = {"AttentionTo": 255, "City": 255, "Region": 255}
LINE_LENGTH = 500
LINES = 4


def to_contact(contact: Contact, preferences: Preferences) -> dict[str, Any]:
    """The contact for `PUT /Contacts`. Raises Rejected.

    The number goes along only where it is what contacts are matched by: a client has one, but by
    “Name on Invoice” several contacts.
    """
    _check_name(contact.name)
    for what, value, length in (
        ("client ID", contact.number, 50),
        ("e-mail address", contact.email, 255),
        ("phone number", contact.phone, 50),
        ("tax number", contact.tax_number, 50),
    ):
        if len(value.strip()) > length:
            raise _contact_refused(f"The {what} of {contact.name} is longer than {length}.")
    by_number = preferences.matching is Matching.NUMBER
    fields = {
        "Name": contact.name,
        "ContactNumber": contact.number.strip() if by_number else "",
        "FirstName": _free(contact.first_name, _TEXTS["FirstName"]),
        "LastName": _free(contact.last_name, _TEXTS["LastName"]),
        "EmailAddress": contact.email.strip(),
        "TaxNumber": contact.tax_number.strip(),
        "Addresses": _addresses(contact),
        "Phones": _phones(contact),
    }
    return {name: value for name, value in fields.items() if value}


def has_lists(fields: Mapping[str, Any]) -> bool:
    """Whether an update writes any addresses or phones."""
    return any(name in fields for name in _LISTS)


def beside_theirs(fields: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an update, and in its lists what the record has of the types not written.

    Persons left out of an update are known to be gone; so may be addresses and phones.
    """
    beside = dict(fields)
    for name in _LISTS.keys() & fields.keys():
        kind, parts = _LISTS[name]
        ours = {one[kind] for one in fields[name]}
        theirs = [
            {kind: text(one, kind), **{part: text(one, part) for part in parts if text(one, part)}}
            for one in records(record.get(name))
            if text(one, kind) not in ours and any(text(one, part) for part in parts)
        ]
        beside[name] = [*fields[name], *sorted(theirs, key=lambda one: one[kind])]
    return beside


def notes_on_contact(contact: Contact) -> tuple[str, ...]:
    """What had to be shortened or left out."""
    cuts = []
    if len(clean(contact.first_name)) > 255 or len(clean(contact.last_name)) > 255:
        cuts.append("name of the person")
    for word, address in (("postal address", contact.postal), ("street address", contact.street)):
        if _is_cut(address):
            cuts.append(word)
    return (f"Shortened to what {LABEL} takes: {', '.join(cuts)}.",) if cuts else ()


def _check_name(name: str) -> None:
    """A name is never changed silently: what Xero does not take is refused."""
    if not name.strip():
        raise _contact_refused("The client has no name.")
    if len(name) > NAME_LENGTH:
        raise _contact_refused(f"The name {name[:60]}… is longer than {NAME_LENGTH} characters.")
    if "<" in name or ">" in name:
        raise _contact_refused(f"{LABEL} takes no < or > in a name, as in “{name}”.")
    if name != " ".join(name.split()):
        raise _contact_refused(
            f"{LABEL} takes no spaces at an end of a name or several together, as in “{name}”."
        )


def _contact_refused(message: str) -> Rejected:
    return Rejected(
        message,
        field="contact",
        code="contact",
        next_step="Correct the client in Abtrac, then retry.",
    )


def _addresses(contact: Contact) -> list[dict[str, Any]]:
    both = (("POBOX", contact.postal), ("STREET", contact.street))
    return [_to_address(kind, address) for kind, address in both if address != Address()]


def _to_address(kind: str, address: Address) -> dict[str, Any]:
    if len(address.postal_code) > 50 or len(address.country) > 50:
        raise _contact_refused("The postal code or country of the client is longer than 50.")
    lines = [_free(line, LINE_LENGTH) for line in _four(address.lines)]
    fields = {
        "AddressType": kind,
        "AttentionTo": _free(address.attention, _ADDRESS_TEXTS["AttentionTo"]),
        **{f"AddressLine{place}": line for place, line in enumerate(lines, start=1)},
        "City": _free(address.city, _ADDRESS_TEXTS["City"]),
        "Region": _free(address.region, _ADDRESS_TEXTS["Region"]),
        "PostalCode": address.postal_code.strip(),
        "Country": address.country.strip(),
    }
    return {name: value for name, value in fields.items() if value}


def _phones(contact: Contact) -> list[dict[str, Any]]:
    phone = contact.phone.strip()
    return [{"PhoneType": "DEFAULT", "PhoneNumber": phone}] if phone else []


def _four(lines: Sequence[str]) -> list[str]:
    """At most four lines; those beyond are put behind the fourth."""
    told = [one for one in (clean(line) for line in lines) if one]
    return told if len(told) <= LINES else [*told[: LINES - 1], ", ".join(told[LINES - 1 :])]


def _is_cut(address: Address) -> bool:
    texts = (address.attention, address.city, address.region)
    return any(len(clean(one)) > 255 for one in texts) or any(
        len(line) > LINE_LENGTH for line in _four(address.lines)
    )


def _free(free_text: str, length: int) -> str:
    return cut(clean(free_text), length)
