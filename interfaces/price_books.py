"""The price book: what everything costs from which day on, without GST.

A book is never changed: support enters another one, which holds from its day on. A month is priced
by the book that holds on its first day.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.apps import apps as installed
from django.core.exceptions import ValidationError
from django.utils import timezone

from connectors import registry
from interfaces.models import PriceBook
from offices.models import User

# The scale Abtrac published in 2014; an installation begins with it.
FIRST: dict[str, Any] = {
    "from_day": date(2014, 1, 1),
    "base": Decimal("45.00"),
    "tiers": [[10, "15.00"], [15, "10.00"], [25, "8.00"], [50, "5.00"]],
    "debtor_module": Decimal("45.00"),
    "link": Decimal("15.00"),
    "set_up_fee": None,
    "packages": {},
    "note": "The scale published in 2014.",
}

QUOTED = "quoted before any work"
IN_THE_PAST = (
    "Prices can begin today or later. Days that are over are charged by the prices they had."
)
# Whoever types a later day has mistyped it, and a book is never taken back.
MOST_YEARS_AHEAD = 5
TOO_FAR_AHEAD = f"Prices can begin within {MOST_YEARS_AHEAD} years."


class Tier(NamedTuple):
    """What each employee costs from the `first`-th to the `last`-th."""

    first: int
    last: int
    each: Decimal


@dataclass(frozen=True)
class Books:
    """All price books in the order in which one takes the other's place; never empty."""

    entries: tuple[PriceBook, ...]

    def on(self, day: date) -> PriceBook:
        """The one that holds on that day; before all of them the first."""
        held = [one for one in self.entries if one.from_day <= day]
        return held[-1] if held else self.entries[0]

    def of_month(self, day: date) -> PriceBook:
        """The one by which the month of that day is priced."""
        return self.on(day.replace(day=1))


def load() -> Books:
    """Every price book there is."""
    return Books(tuple(PriceBook.objects.select_related("entered_by").order_by("from_day", "pk")))


def make_first(*, using: str, apps: Any = installed, **_: Any) -> None:
    """Enter the first price book where there is none. Runs after migrations."""
    try:
        books = apps.get_model("interfaces", "PriceBook").objects.using(using)
    except LookupError:
        return  # migrated to a state before there were price books
    if not books.exists():
        books.create(**FIRST)


def enter(*, prices: dict[str, Any], entered_by: User, address: str | None) -> PriceBook:
    """Enter a price book. Raises ValidationError where it would begin in the past, or too late."""
    day, today = prices["from_day"], timezone.localdate()
    if day < today:
        raise ValidationError(IN_THE_PAST)
    if (day.year - MOST_YEARS_AHEAD, day.month, day.day) > (today.year, today.month, today.day):
        raise ValidationError(TOO_FAR_AHEAD)
    return PriceBook.objects.create(**prices, entered_by=entered_by, address=address)


def type_of(book: PriceBook, package_key: str) -> str:
    """The type a package is charged under: its own key unless the book says otherwise."""
    return str(book.packages.get(package_key, {}).get("charged_as") or package_key)


def types_of(book: PriceBook, package_keys: Collection[str]) -> list[str]:
    """The types under which these packages are charged, each once, by label."""
    return sorted({type_of(book, key) for key in package_keys}, key=registry.label_of)


def set_up_fee_of(book: PriceBook, package_key: str) -> Decimal | None:
    """What our team takes for setting the package up; None: quoted before any work."""
    own = book.packages.get(package_key, {}).get("set_up_fee")
    return Decimal(own) if own is not None else book.set_up_fee


def tiers_of(book: PriceBook) -> list[Tier]:
    """The steps of the scale for employees, lowest first."""
    steps: list[Tier] = []
    for last, each in book.tiers:
        steps.append(Tier(steps[-1].last + 1 if steps else 1, last, Decimal(each)))
    return steps


def dollars(net: Decimal) -> str:
    """An amount as people write it."""
    return f"${net:,.2f}"


def changes(books: Books) -> list[tuple[PriceBook, list[str]]]:
    """Each book, the one that holds last first, and what it changed against the one before."""
    before: Sequence[PriceBook | None] = (None, *books.entries[:-1])
    pairs = zip(books.entries, before, strict=True)
    return [(book, _differences(book, earlier)) for book, earlier in pairs][::-1]


def _differences(book: PriceBook, earlier: PriceBook | None) -> list[str]:
    excepted = {*book.packages, *(earlier.packages if earlier else ())}
    now, was = _in_words(book, excepted), _in_words(earlier, excepted) if earlier else {}
    return [
        f"{name}: {now[name]}, before {was[name]}" if earlier else f"{name}: {now[name]}"
        for name in now
        if now[name] != was.get(name)
    ]


def _in_words(book: PriceBook, package_keys: Collection[str]) -> dict[str, str]:
    steps = [
        f"{_span(one)} {dollars(one.each)}{' each' * (one.first < one.last)}"
        for one in tiers_of(book)
    ]
    words = {
        "Base": dollars(book.base),
        "Employees": ", ".join(steps),
        "Debtor module": dollars(book.debtor_module),
        "Each accounts link": dollars(book.link),
        "Set-up by our team": _fee_in_words(book.set_up_fee),
    }
    for key in sorted(package_keys, key=registry.label_of):
        label, own = registry.label_of(key), book.packages.get(key, {})
        kind = type_of(book, key)
        words[f"{label} is charged as"] = "itself" if kind == key else registry.label_of(kind)
        words[f"Set-up of {label}"] = (
            "as for all packages"
            if own.get("set_up_fee") is None
            else dollars(Decimal(own["set_up_fee"]))
        )
    return words


def _span(tier: Tier) -> str:
    return f"{tier.first} to {tier.last}" if tier.first < tier.last else f"{tier.first}"


def _fee_in_words(fee: Decimal | None) -> str:
    return QUOTED if fee is None else dollars(fee)
