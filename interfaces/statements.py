"""What a practice is charged for its links in a month, on the page and as a file for billing.

All of it is read from the directory: no client's data, and no practice need be acted for.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby, takewhile
from operator import attrgetter

from django.db.models import Q, QuerySet
from django.utils.formats import date_format
from django.utils.text import get_text_list

from connectors.registry import label_of
from interfaces import months, price_books
from interfaces.models import LivePeriod, PriceBook, SetUpFee
from interfaces.price_books import Books, type_of, types_of

COLUMNS = (
    "practice",
    "slug",
    "month",
    "kind",
    "type",
    "description",
    "quantity",
    "amount_ex_gst",
)
LINK, SET_UP_FEE = "link", "set_up_fee"
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One charge; `ends` is None where what is charged goes on after the month."""

    kind: str
    type: str
    description: str
    begins: date
    ends: date | None
    net: Decimal
    quantity: int = 1


@dataclass(frozen=True, kw_only=True)
class Statement:
    """The charges of one month, known by its first day."""

    first: date
    lines: list[Line]

    @property
    def total(self) -> Decimal:
        """All lines together."""
        return sum((one.net for one in self.lines), Decimal("0.00"))


def statement_csv(year: int, month: int, *, practice_id: int | None = None) -> Iterator[str]:
    """The lines of a CSV file of the month, of one practice or of all, by name.

    Text is guarded against being taken for a formula: people open the file in a spreadsheet.
    """
    first = date(year, month, 1)
    periods, fees = _periods_in(first), _fees_in(first)
    if practice_id is not None:
        periods, fees = (
            periods.filter(practice_id=practice_id),
            fees.filter(practice_id=practice_id),
        )
    write = csv.writer(_Echo()).writerow
    yield write(COLUMNS)
    charged: list[LivePeriod | SetUpFee] = sorted(
        [*periods.select_related("practice"), *fees.select_related("practice")],
        key=lambda one: (one.practice.name.casefold(), one.practice_id),
    )
    books = price_books.load()
    for practice, rows in groupby(charged, key=attrgetter("practice")):
        own = list(rows)
        statement = statement_of(
            first,
            periods=[one for one in own if isinstance(one, LivePeriod)],
            fees=[one for one in own if isinstance(one, SetUpFee)],
            books=books,
        )
        for line in statement.lines:
            yield write(
                (
                    guarded(practice.name),
                    practice.slug,
                    f"{first:%Y-%m}",
                    line.kind,
                    line.type,
                    guarded(line.description),
                    line.quantity,
                    f"{line.net:.2f}",
                )
            )


def statements_of(practice_id: int, *, books: Books, today: date) -> list[Statement]:
    """Every month in which something was charged so far, the newest first."""
    periods = list(LivePeriod.objects.filter(practice_id=practice_id))
    fees = list(SetUpFee.objects.filter(practice_id=practice_id))
    days = [one.began_on for one in periods] + [one.charged_on for one in fees]
    begun = min(days, default=today).replace(day=1)
    every = takewhile(lambda first: first >= begun, months.back_from(today))
    made = (statement_of(first, periods=periods, fees=fees, books=books) for first in every)
    return [one for one in made if one.lines]


def statement_of(
    first: date, *, periods: Iterable[LivePeriod], fees: Iterable[SetUpFee], books: Books
) -> Statement:
    """The charges of that month out of these periods and fees of one practice."""
    last, book = months.last_day(first), books.on(first)
    used = [
        one
        for one in periods
        if one.began_on <= last and (one.ended_on is None or one.ended_on >= first)
    ]
    links = [
        _link_line(
            kind, [one for one in used if type_of(book, one.package_key) == kind], first, book
        )
        for kind in types_of(book, {one.package_key for one in used})
    ]
    accepted = sorted(
        (one for one in fees if first <= one.charged_on <= last),
        key=lambda one: (one.charged_on, label_of(one.package_key), one.amount),
    )
    return Statement(first=first, lines=[*links, *(_fee_line(one, book) for one in accepted)])


def guarded(text: str) -> str:
    """The text as a spreadsheet shows it, never as a formula it would work out."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _link_line(kind: str, used: Sequence[LivePeriod], first: date, book: PriceBook) -> Line:
    last = months.last_day(first)
    begins = max(first, min(one.began_on for one in used))
    ended = [one.ended_on for one in used if one.ended_on and one.ended_on <= last]
    ends = max(ended) if len(ended) == len(used) else None
    labels = get_text_list(sorted({label_of(one.package_key) for one in used}), "and")
    return Line(
        kind=LINK,
        type=kind,
        description=f"Accounts link to {labels}, {_days(begins, ends, first)}",
        begins=begins,
        ends=ends,
        net=book.link,
    )


def _days(begins: date, ends: date | None, first: date) -> str:
    if ends is None:
        return "all month" if begins == first else f"in use from {date_format(begins, 'j F')}"
    if begins == ends:
        return f"in use on {date_format(begins, 'j F')}"
    return f"in use {begins.day} to {date_format(ends, 'j F')}"


def _fee_line(fee: SetUpFee, book: PriceBook) -> Line:
    day = date_format(fee.charged_on, "j F")
    return Line(
        kind=SET_UP_FEE,
        type=type_of(book, fee.package_key),
        description=f"Set-up of {label_of(fee.package_key)} by our team, accepted on {day}",
        begins=fee.charged_on,
        ends=fee.charged_on,
        net=fee.amount,
    )


def _periods_in(first: date) -> QuerySet[LivePeriod]:
    still = Q(ended_on=None) | Q(ended_on__gte=first)
    return LivePeriod.objects.filter(still, began_on__lte=months.last_day(first))


def _fees_in(first: date) -> QuerySet[SetUpFee]:
    return SetUpFee.objects.filter(charged_on__range=(first, months.last_day(first)))


class _Echo:
    """A file that hands back each line written to it, for an answer that is streamed."""

    def write(self, line: str) -> str:
        return line
