"""What both invented packages refuse of a contact, a job, an invoice and a credit note."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import Any

Record = dict[str, Any]

AMOUNT = re.compile(r"-?\d{1,12}\.\d{2}")
MEASURE = re.compile(r"-?\d{1,12}(\.\d{1,4})?")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
CURRENCY = re.compile(r"[A-Z]{3}")
CENT = Decimal("0.01")
NUMBER_LENGTH = 20
MOST_LINES = 3


@dataclass(frozen=True)
class Kind:
    """One kind of record and the words for it; texts that are not required may be left out."""

    name: str
    plural: str
    found_by: str
    called: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    has_lines: bool = False


HEAD = ("number", "contact_id", "date", "due_date", "currency", "tax_basis")
LINE = ("quantity", "unit_price", "net", "tax", "account", "tax_code")
MARKS = ("reference", "memo")

CONTACT = Kind(
    "contact", "contacts", "reference", "name", ("name",), ("email", "reference", "address")
)
JOB = Kind("job", "jobs", "code", "code", ("code", "name"))
INVOICE = Kind("invoice", "invoices", "number", "number", HEAD, MARKS, has_lines=True)
CREDIT_NOTE = Kind("credit-note", "credit-notes", "number", "number", HEAD, MARKS, has_lines=True)
KINDS = (CONTACT, JOB, INVOICE, CREDIT_NOTE)


@dataclass(frozen=True)
class Refusal:
    """Why a record is not taken; lines count from 1."""

    field: str
    code: str
    message: str
    line: int | None = None


@dataclass(frozen=True)
class Known:
    """What a record may name: ids of contacts, and whether each code is active."""

    contacts: frozenset[str]
    accounts: Mapping[str, bool]
    taxes: Mapping[str, bool]
    # What this company file asks of documents beyond that.
    demands: frozenset[str] = frozenset()


def refusals(kind: Kind, wire: Any, known: Known) -> list[Refusal]:
    """Everything that is wrong with it; nothing where it is taken."""
    if not isinstance(wire, dict):
        return [Refusal("", "not_an_object", "A record is an object.")]
    lines = wire.get("lines") if kind.has_lines else []
    texts = {name: each for name, each in wire.items() if not (kind.has_lines and name == "lines")}
    found = list(_texts(texts, kind.required, kind.optional))
    if not isinstance(lines, list) or not all(isinstance(each, dict) for each in lines):
        return [*found, Refusal("lines", "not_lines", "Lines are a list of objects.")]
    if kind.has_lines:
        if not found:
            found += _head(wire, known)
        found += [each for at, line in enumerate(lines, 1) for each in _line(line, at, known)]
        if not found:
            found += _demanded(lines, known.demands)
        if not lines:
            found.append(Refusal("lines", "no_lines", "There are no lines."))
        elif not found and total(wire) < 0:
            found.append(Refusal("lines", "negative_total", "The total is below zero."))
    elif kind is CONTACT and "address" in known.demands and not wire.get("address"):
        found.append(Refusal("address", "address_missing", "An address is required."))
    return found


def _demanded(lines: list[Record], demands: frozenset[str]) -> Iterator[Refusal]:
    """What some company files ask: a job on each line, few lines, totals as they reckon them."""
    for at, line in enumerate(lines, 1):
        if "job" in demands and not line.get("job"):
            yield Refusal("job", "job_missing", "A job is required on every line.", at)
    if "few lines" in demands and len(lines) > MOST_LINES:
        yield Refusal("lines", "too_many_lines", f"A document has at most {MOST_LINES} lines.")
    if "total" in demands:
        reckoned = sum(
            (
                (Decimal(one["quantity"]) * Decimal(one["unit_price"])).quantize(CENT, ROUND_DOWN)
                for one in lines
            ),
            Decimal(0),
        )
        sent = sum((Decimal(one["net"]) for one in lines), Decimal(0))
        if reckoned != sent:
            yield Refusal("total", "total_differs", f"The lines come to {reckoned}, not {sent}.")


def total(wire: Record) -> Decimal:
    """Net and tax of all lines."""
    return sum((Decimal(line["net"]) + Decimal(line["tax"]) for line in wire["lines"]), Decimal(0))


def _texts(
    given: Record, required: tuple[str, ...], optional: tuple[str, ...], line: int | None = None
) -> Iterator[Refusal]:
    """Unknown names, missing ones, and what is no text."""
    for name in sorted(given.keys() - {*required, *optional}):
        yield Refusal(name, "unknown_field", f"There is no field {name}.", line)
    for name in (*required, *optional):
        if name not in given:
            if name in required:
                yield Refusal(name, "missing", f"The field {name} is missing.", line)
        elif not isinstance(given[name], str):
            yield Refusal(name, "not_text", f"The field {name} is not text.", line)
        elif name in required and not given[name].strip():
            yield Refusal(name, "empty", f"The field {name} is empty.", line)


def _head(wire: Record, known: Known) -> Iterator[Refusal]:
    if len(wire["number"]) > NUMBER_LENGTH:
        yield Refusal("number", "too_long", f"A number has at most {NUMBER_LENGTH} characters.")
    if wire["contact_id"] not in known.contacts:
        yield Refusal("contact_id", "unknown_contact", "There is no such contact.")
    for name in ("date", "due_date"):
        if not _is_day(wire[name]):
            yield Refusal(name, "not_a_date", "A date is written YYYY-MM-DD.")
    if not CURRENCY.fullmatch(wire["currency"]):
        yield Refusal("currency", "not_a_currency", "A currency is its three-letter code.")
    if wire["tax_basis"] not in ("exclusive", "inclusive"):
        yield Refusal("tax_basis", "not_a_basis", "The tax basis is exclusive or inclusive.")


def _line(line: Record, at: int, known: Known) -> Iterator[Refusal]:
    wrong = list(_texts(line, LINE, ("description", "job"), at))
    yield from wrong
    if wrong:
        return
    for name in ("net", "tax"):
        if not AMOUNT.fullmatch(line[name]):
            many = MEASURE.fullmatch(line[name]) and len(line[name].partition(".")[2]) > 2
            code = "too_many_decimals" if many else "not_an_amount"
            yield Refusal(name, code, "An amount has two decimals.", at)
    for name in ("quantity", "unit_price"):
        if not MEASURE.fullmatch(line[name]):
            yield Refusal(name, "not_a_number", "At most four decimals are kept.", at)
    for name, word, codes in (
        ("account", "account", known.accounts),
        ("tax_code", "tax code", known.taxes),
    ):
        if line[name] not in codes:
            yield Refusal(name, f"unknown_{name}", f"There is no {word} {line[name]}.", at)
        elif not codes[line[name]]:
            yield Refusal(name, f"inactive_{name}", f"The {word} {line[name]} is inactive.", at)


def _is_day(text: str) -> bool:
    try:
        return bool(DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False
