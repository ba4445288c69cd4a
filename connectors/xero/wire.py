"""How Xero writes dates, amounts and ids, and ours for it."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from connectors.base.cents import to_cents

LABEL = "Xero"
NO_ID = "00000000-0000-0000-0000-000000000000"

_MILLISECONDS = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
# Not allowed in Xero's texts: control characters other than tab and line break.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def moment(value: Any) -> datetime | None:
    """The time in `/Date(1552327126164+0000)/` or ISO form; None where there is none."""
    if not isinstance(value, str):
        return None
    if match := _MILLISECONDS.fullmatch(value):
        return datetime.fromtimestamp(int(match[1]) / 1000, tz=UTC)
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def day(value: Any) -> date | None:
    """The calendar day: Xero writes it as midnight UTC, whatever the organisation's time zone."""
    at = moment(value)
    return at.astimezone(UTC).date() if at else None


def money(value: Any) -> Decimal | None:
    """An amount to the cent; None where there is none."""
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        return None
    return to_cents(Decimal(value))


def number(amount: Decimal) -> Decimal | int:
    """An amount as a plain JSON number: no exponent, no trailing zeros."""
    return int(amount) if amount == amount.to_integral_value() else amount.normalize()


def text(record: Mapping[str, Any], name: str) -> str:
    """A text of the record, empty where there is none."""
    value = record.get(name)
    return value if isinstance(value, str) else ""


def remote_id(record: Mapping[str, Any], name: str) -> str:
    """The record's id; empty where there is none, or only zeros, which says "not created"."""
    value = text(record, name)
    return "" if value == NO_ID else value


def records(value: Any) -> list[Mapping[str, Any]]:
    """The records of a list, whatever else was found in its place."""
    if not isinstance(value, list):
        return []
    return [one for one in value if isinstance(one, dict)]


def folded(name: str) -> str:
    """A name as Xero compares names: without case, accents and surplus spaces."""
    plain = unicodedata.normalize("NFKD", name)
    bare = "".join(one for one in plain if not unicodedata.combining(one))
    return " ".join(bare.casefold().split())


def clean(free_text: str) -> str:
    """Free text without the invisible characters that Xero cannot store."""
    return _CONTROL.sub(" ", free_text).strip()


def cut(free_text: str, length: int) -> str:
    """At most so long, cut at a word where there is one."""
    if len(free_text) <= length:
        return free_text
    head, _, _ = free_text[: length + 1].rpartition(" ")
    return (head if len(head) > length // 2 else free_text[:length]).rstrip()


def quoted(name: str) -> str:
    """A text for a `where` filter, in which a double quote or backslash cannot be written."""
    if '"' in name or "\\" in name:
        raise ValueError("A double quote cannot be written in a Xero filter.")
    return f'"{name}"'
