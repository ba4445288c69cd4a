"""The words that Keeper and Plain have in common: our documents in theirs, and back. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.base.documents import (
    Account,
    Codes,
    Conflict,
    Contact,
    Job,
    Key,
    Posted,
    SalesInvoice,
    Tax,
)
from connectors.base.errors import Rejected, RetryLater
from connectors.base.protocol import Found

Record = Mapping[str, Any]

NUMBER_LENGTH = 20
# Our word for what theirs is about.
FIELDS = {
    "account": "account_code",
    "tax_code": "tax_code",
    "number": "number",
    "contact_id": "contact",
    "name": "contact",
    "code": "job",
    "memo": "reference",
    "address": "contact",
}
CORRECT_IT = "Correct it in Abtrac or under Accounting >> Interface Settings, then retry."
LINK_OR_RENUMBER = (
    "Look at it there. If it is this one, say that it is there already; if not, change one of the"
    " two numbers, then retry."
)


# --- Ours in their words -------------------------------------------------------------------------


def to_invoice(invoice: SalesInvoice, *, label: str, memo: str = "") -> dict[str, Any]:
    """The invoice or credit note, marked with our key. Raises Rejected."""
    if not invoice.contact_id:
        raise Rejected(
            f"{invoice.contact.name} is not linked to a contact in {label}.",
            field="contact",
            code="contact_missing",
            next_step=f"Retry: the client is then looked up in {label} again, or added.",
        )
    return {
        "number": invoice.number,
        "reference": invoice.key,
        "contact_id": invoice.contact_id,
        "date": invoice.issued.isoformat(),
        "due_date": invoice.due.isoformat(),
        "currency": invoice.currency,
        "tax_basis": invoice.tax_basis.value,
        "lines": [
            {
                "description": line.description,
                "quantity": f"{line.quantity:f}",
                "unit_price": f"{line.unit_price:f}",
                "net": f"{line.net:.2f}",
                "tax": f"{line.tax:.2f}",
                "account": line.account_code,
                "tax_code": line.tax_code,
                **({"job": line.job_code} if line.job_code else {}),
            }
            for line in invoice.lines
        ],
        "memo": memo,
    }


def to_contact(contact: Contact, *, label: str) -> dict[str, Any]:
    """The contact, marked with our key. Raises Rejected."""
    if not contact.name.strip():
        raise Rejected(
            f"{label} takes no contact without a name.",
            field="contact",
            code="name",
            next_step="Correct the client in Abtrac, then retry.",
        )
    address = ", ".join(contact.postal.lines)
    return {
        **{"name": contact.name, "email": contact.email, "reference": contact.key},
        **({"address": address} if address else {}),
    }


def to_job(job: Job) -> dict[str, Any]:
    """The job; its code is what it is known by."""
    return {"code": job.code, "name": job.description or job.code}


# --- Theirs in our words -------------------------------------------------------------------------


def records(answer: Any, name: str) -> list[Record]:
    """The records of a list in an answer, whatever else was found in its place."""
    found = answer.get(name) if isinstance(answer, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text(record: Record, name: str) -> str:
    """A text of the record, empty where there is none."""
    value = record.get(name)
    return value if isinstance(value, str) else ""


def id_of(record: Record) -> str:
    """The id of the record, empty where it has none or one of nothing but zeros."""
    value = text(record, "id")
    return value if value.strip("0-") else ""


def listed(answer: Any, *, label: str) -> list[Record]:
    """What a look-up found. Raises RetryLater where it cannot be read, or has no id."""
    found = answer.get("items") if isinstance(answer, dict) else None
    there = records(answer, "items")
    if not isinstance(found, list) or len(there) < len(found) or not all(map(id_of, there)):
        raise RetryLater(f"{label} gave an answer that cannot be read.")
    return there


def money(value: Any) -> Decimal | None:
    """An amount written as a text; None where there is none."""
    try:
        return Decimal(value) if isinstance(value, str | int | Decimal) else None
    except InvalidOperation:
        return None


def refused(error: Record, document: Any, *, label: str) -> Rejected:
    """One refusal, with the code it is about where it is about one of a line."""
    theirs = text(error, "field")
    field = FIELDS.get(theirs, theirs)
    line = error.get("line")
    line = line if isinstance(line, int) else None
    words = text(error, "message") or f"{label} refused it."
    named = _named(document, field, line)
    return Rejected(
        f"{label} does not take {named}: {words}" if named else words,
        field=field,
        code=text(error, "code"),
        line=line,
        next_step=CORRECT_IT,
        words=words,
    )


def _named(document: Any, field: str, line: int | None) -> str:
    words = {"account_code": "account", "tax_code": "tax code"}
    if field not in words or line is None or not isinstance(document, SalesInvoice):
        return ""
    if not 1 <= line <= len(document.lines):
        return ""
    return f"{words[field]} {getattr(document.lines[line - 1], field)}"


def found_documents(
    documents: Sequence[SalesInvoice], listed: Iterable[Record], *, label: str
) -> dict[Key, Found]:
    """Posted for ours, Conflict for others or for several under our number, absent otherwise."""
    there = list(listed)
    found: dict[Key, Found] = {}
    for one in documents:
        under_it = [record for record in there if text(record, "number") == one.number]
        ours = [record for record in under_it if _is_ours(one, record)]
        if len(ours) == 1:
            found[one.key] = posted(one.key, ours[0], name="number")
        elif under_it:
            found[one.key] = _conflict(one, under_it, label=label)
    return found


def found_by(
    wanted: Mapping[Key, str], listed: Iterable[Record], *, name: str, label: str
) -> dict[Key, Found]:
    """As `found_documents`, of contacts or jobs by the one field they are known by."""
    there = list(listed)
    found: dict[Key, Found] = {}
    for key, value in wanted.items():
        hits = [record for record in there if text(record, name) == value]
        if len(hits) == 1:
            found[key] = posted(key, hits[0], name=name)
        elif hits:
            found[key] = Conflict(
                key=key,
                message=f"{label} has {len(hits)} records with the {name} {value}.",
                next_step="Merge them there, then retry.",
                remote_id=text(hits[0], "id"),
            )
    return found


def posted(key: Key, record: Record, *, name: str) -> Posted:
    """The record as proof that it is there."""
    return Posted(
        key=key,
        remote_id=id_of(record),
        number=text(record, name),
        total=money(record.get("total")),
    )


def codes(answer: Any, *, label: str) -> Codes:
    """What the company file says of itself. Raises RetryLater where that cannot be read."""
    about = answer.get("organisation") if isinstance(answer, dict) else None
    if not isinstance(about, dict):
        raise RetryLater(f"{label} gave an answer that cannot be read.")
    currency = text(about, "currency")
    return Codes(
        accounts=tuple(
            Account(
                code=text(one, "code"),
                name=text(one, "name"),
                kind=text(one, "kind"),
                active=one.get("active") is True,
            )
            for one in records(answer, "accounts")
        ),
        taxes=tuple(
            Tax(
                code=text(one, "code"),
                name=text(one, "name"),
                rate=money(one.get("rate")) or Decimal(0),
                active=one.get("active") is True,
            )
            for one in records(answer, "taxes")
        ),
        currencies=(currency,),
        facts={
            **{name: text(about, name) for name in ("name", "country", "currency")},
            **{f"demands {one}": "yes" for one in about.get("demands") or ()},
        },
    )


def _is_ours(document: SalesInvoice, record: Record) -> bool:
    """Our marker, or the same contact, currency, total and date."""
    return document.key in text(record, "reference") or (
        text(record, "contact_id") == document.contact_id
        and text(record, "currency") == document.currency
        and money(record.get("total")) == document.total
        and text(record, "date") == document.issued.isoformat()
    )


def _conflict(document: SalesInvoice, there: Sequence[Record], *, label: str) -> Conflict:
    first = there[0]
    theirs, day = money(first.get("total")), text(first, "date")
    many = f" ({len(there)} of them)" if len(there) > 1 else ""
    return Conflict(
        key=document.key,
        message=f"{label} already has {document.number}{many}: {day}, {text(first, 'currency')}"
        f" {_shown(theirs)}. Ours: {document.contact.name}, {document.issued.isoformat()},"
        f" {document.currency} {_shown(document.total)}.",
        next_step=LINK_OR_RENUMBER,
        remote_id=text(first, "id"),
        number=text(first, "number"),
        issued=_day(day),
        total=theirs,
    )


def _shown(amount: Decimal | None) -> str:
    return "no total" if amount is None else f"{amount:,.2f}"


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None
