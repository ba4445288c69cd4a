"""What can be asked of the rehearsal Xero's lists: where, order, pages, and changes since."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

from werkzeug.datastructures import MultiDict

from connectors.xero.standin_answers import Refusal, Shape, bad_query
from connectors.xero.standin_ledger import fold

T = TypeVar("T")

# What a filter may be compared with, and the fields of a record it may look at.
Value = str | UUID | date | Decimal | bool | None
Facts = Mapping[str, Value]

PAGE_SIZE = 100
LARGEST_PAGE = 1000

TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"[^"]*")                                # a double quote inside cannot be escaped
  | (?P<guid>Guid\(\s*"(?P<guid_value>[^"]*)"\s*\))
  | (?P<date>DateTime\(\s*(?P<date_value>\d{4}\s*,\s*\d{1,2}\s*,\s*\d{1,2})\s*\))
  | (?P<both>&&|AND\b|and\b)
  | (?P<compare>==|!=|>=|<=|>|<)
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<field>[A-Za-z]+(?:\.[A-Za-z]+)*)
    )""",
    re.VERBOSE,
)
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
WORDS: Mapping[str, Value] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Condition:
    """One comparison; several are joined by AND."""

    field: str
    compare: str
    value: Value

    def holds(self, facts: Facts) -> bool:
        """Whether a record meets it. Raises Refusal for a field it has not, or another type."""
        if self.field not in facts:
            raise bad_query(f"No property or field '{self.field}' exists")
        known, wanted = facts[self.field], self.value
        if known is None or wanted is None:
            return COMPARISONS[self.compare](known, wanted) if self.compare in "==!=" else False
        if type(known) is not type(wanted):
            raise bad_query(f"Operator '{self.compare}' incompatible with operand types")
        if isinstance(known, str) and isinstance(wanted, str):
            known, wanted = fold(known), fold(wanted)
        return COMPARISONS[self.compare](known, wanted)


def parse_where(text: str) -> list[Condition]:
    """The conditions of a filter. Raises Refusal for anything but `field == value AND ...`."""
    tokens = _tokens(text)
    conditions = []
    for start in range(0, len(tokens), 4):
        clause = tokens[start : start + 4]
        kinds = [kind for kind, _ in clause]
        if kinds[:2] != ["field", "compare"] or len(clause) < 3:
            raise bad_query()
        if (start + 4 < len(tokens) or len(clause) == 4) and kinds[3:] != ["both"]:
            raise bad_query()
        conditions.append(Condition(clause[0][1], clause[1][1], _value(*clause[2])))
    if not tokens or tokens[-1][0] == "both":
        raise bad_query()
    return conditions


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise bad_query()
        kind = match.lastgroup or ""
        kind = next(
            one
            for one in ("text", "guid", "date", "both", "compare", "number", "field")
            if match[one] is not None
        )
        found.append((kind, match[f"{kind}_value"] if kind in ("guid", "date") else match[kind]))
        position = match.end()
    return found


def _value(kind: str, text: str) -> Value:
    try:
        if kind == "text":
            return text[1:-1]
        if kind == "guid":
            return UUID(text)
        if kind == "date":
            year, month, day = (int(one) for one in text.split(","))
            return date(year, month, day)
        if kind == "number":
            return Decimal(text)
    except ValueError:
        raise bad_query() from None
    if kind == "field" and text in WORDS:
        return WORDS[text]
    raise bad_query()


@dataclass
class Listing(Generic[T]):
    """The records a list request gets, and where they lie in all of them."""

    records: list[T]
    pagination: Shape | None

    @property
    def is_paged(self) -> bool:
        return self.pagination is not None


def select(
    records: Sequence[T],
    args: "MultiDict[str, str]",
    *,
    facts: Callable[[T], Facts],
    since: datetime | None = None,
    updated: Callable[[T], datetime] | None = None,
) -> Listing[T]:
    """The records that the filters leave, in order, and of those the page asked for."""
    found = list(records)
    if since is not None and updated is not None:
        found = [one for one in found if updated(one) >= since]
    if args.get("where"):
        conditions = parse_where(args["where"])
        found = [one for one in found if all(it.holds(facts(one)) for it in conditions)]
    if args.get("order"):
        found = _ordered(found, args["order"], facts)
    if "page" not in args:
        return Listing(found, None)
    # Out of range is moved into it, not refused.
    page = max(_integer(args, "page", 1), 1)
    size = min(max(_integer(args, "pageSize", PAGE_SIZE), 1), LARGEST_PAGE)
    pagination = {
        "page": page,
        "pageSize": size,
        "pageCount": max(-(-len(found) // size), 1),
        "itemCount": len(found),
    }
    return Listing(found[(page - 1) * size : page * size], pagination)


def modified_since(header: str | None) -> datetime | None:
    """The moment in an If-Modified-Since header, whole seconds. Raises Refusal (412)."""
    if not header:
        return None
    try:
        moment = datetime.fromisoformat(header.strip())
    except ValueError:
        raise Refusal(412, "The precondition If-Modified-Since is not a time.") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment.replace(microsecond=0)


def listed(args: "MultiDict[str, str]", name: str) -> list[str] | None:
    """A comma-separated parameter; None where it is not given."""
    given = args.get(name)
    return None if given is None else [one.strip() for one in given.split(",") if one.strip()]


def listed_ids(args: "MultiDict[str, str]", name: str) -> set[UUID] | None:
    """A comma-separated parameter of identifiers. Raises Refusal when one is none."""
    given = listed(args, name)
    try:
        return None if given is None else {UUID(one) for one in given}
    except ValueError:
        raise bad_query(f"{name} must be identifiers") from None


def is_true(args: "MultiDict[str, str]", name: str, *, default: bool = False) -> bool:
    """A parameter that is true or false."""
    return args.get(name, str(default)).lower() == "true"


def _ordered(found: list[T], order: str, facts: Callable[[T], Facts]) -> list[T]:
    name, _, direction = order.strip().partition(" ")
    if direction.strip().upper() not in ("", "ASC", "DESC"):
        raise bad_query()
    if any(name not in facts(one) for one in found):
        raise bad_query(f"No property or field '{name}' exists")

    def key(one: T) -> tuple[bool, Any]:
        value = facts(one)[name]
        return value is not None, "" if value is None else value

    return sorted(found, key=key, reverse=direction.strip().upper() == "DESC")


def _integer(args: "MultiDict[str, str]", name: str, default: int) -> int:
    try:
        return int(args.get(name, default))
    except ValueError:
        raise bad_query(f"{name} must be a number") from None
