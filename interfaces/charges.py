"""What the links cost: one price a month for each type in use, however many interfaces it has.

A type is charged for a calendar month, as the practice's time zone has it, if any of its interfaces
was in use on any day of it. Nothing is divided by days, so nothing is ever rounded. Amounts are
without GST. What a package's type is, and what it costs, says the price book.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import DateField, F, QuerySet, Value
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import get_text_list

from connectors.registry import label_of
from interfaces import months, price_books
from interfaces.models import AccountingInterface, LivePeriod, PriceBook, SetUpFee
from interfaces.price_books import Books, dollars, type_of, types_of
from offices.models import Practice, User


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the links cost a month before and after a step, and that in words."""

    before: Decimal
    after: Decimal
    sentence: str


@dataclass(frozen=True, kw_only=True)
class TypeInUse:
    """A type that is charged now, by which interfaces, and what ending all of them would change."""

    label: str
    interfaces: list[AccountingInterface]
    since: date
    net: Decimal
    if_ended: Change


def today_of(practice: Practice) -> date:
    """The day it is where the practice is."""
    return timezone.localdate(timezone=ZoneInfo(practice.time_zone))


def begin(interface: AccountingInterface, *, on: date | None = None) -> None:
    """Charge for the interface from that day on. Needs a scope.

    Does nothing where it is charged already; a rehearsal company costs nothing.
    """
    if interface.is_rehearsal:
        return
    LivePeriod.objects.get_or_create(
        interface=interface,
        ended_on=None,
        defaults={
            "practice_id": interface.practice_id,
            "package_key": interface.package_key,
            "began_on": on or today_of(interface.practice),
        },
    )


def end(interface: AccountingInterface, *, on: date | None = None) -> None:
    """Charge for the interface no longer after the month of that day. Needs a scope.

    Does nothing where it is not charged. To be called before an interface is removed.
    """
    last_day = Value(on or today_of(interface.practice), output_field=DateField())
    LivePeriod.objects.filter(interface=interface, ended_on=None).update(
        ended_on=Greatest(F("began_on"), last_day)
    )


def record_set_up_fee(
    interface: AccountingInterface,
    *,
    amount: Decimal,
    accepted_by: User | None,
    on: date | None = None,
) -> SetUpFee:
    """Charge the fee for a set-up by our team, as it was accepted. Needs a scope.

    Once for each interface: called again, it answers what was recorded first.
    """
    if amount < 0 or amount != amount.quantize(Decimal("0.01")):
        raise ValueError(f"A fee is a whole number of cents and not below zero: {amount}.")
    fee, _ = SetUpFee.objects.get_or_create(
        interface=interface,
        defaults={
            "practice_id": interface.practice_id,
            "package_key": interface.package_key,
            "amount": amount,
            "charged_on": on or today_of(interface.practice),
            "accepted_by": accepted_by,
        },
    )
    return fee


def quote_for(package_key: str, *, on: date | None = None) -> Decimal | None:
    """The fee for a set-up by our team; None: it is quoted before any work."""
    book = price_books.load().on(on or timezone.localdate())
    return price_books.set_up_fee_of(book, package_key)


def change_if_added(practice: Practice, package_key: str) -> Change:
    """What the links would cost with one more interface of the package in use."""
    book = price_books.load().of_month(today_of(practice))
    keys = open_periods(practice.pk).values_list("package_key", flat=True)
    return if_added(package_key, to=list(keys), book=book)


def change_if_resumed(interface: AccountingInterface) -> Change:
    """What the links would cost with the paused interface in use again. Needs a scope."""
    book = price_books.load().of_month(today_of(interface.practice))
    keys = open_periods(interface.practice_id).values_list("package_key", flat=True)
    return if_added(interface.package_key, to=list(keys), book=book, begins="from this month on")


def change_if_ended(interface: AccountingInterface) -> Change:
    """What the links would cost if the interface were paused or disconnected. Needs a scope."""
    periods = list(open_periods(interface.practice_id).select_related("interface"))
    ending = [one for one in periods if one.interface_id == interface.pk]
    today = today_of(interface.practice)
    if not ending:
        total = _total({one.package_key for one in periods}, price_books.load().of_month(today))
        why = "A rehearsal company costs nothing" if interface.is_rehearsal else "It is not charged"
        sentence = f"{why}, so nothing changes: {dollars(total)} a month in all."
        return Change(before=total, after=total, sentence=sentence)
    return if_ended(ending, of=periods, books=price_books.load(), today=today)


def open_periods(practice_id: int) -> QuerySet[LivePeriod]:
    """The interfaces of a practice that are charged now, each by the period that is not over."""
    return LivePeriod.objects.filter(practice_id=practice_id, ended_on=None).order_by("pk")


def if_added(
    package_key: str,
    *,
    to: Collection[str],
    book: PriceBook,
    begins: str = "from the month it goes live",
) -> Change:
    """The change when an interface of the package is added to those in use, and when it begins."""
    before, after = _total(to, book), _total([*to, package_key], book)
    label, kind = label_of(package_key), type_of(book, package_key)
    if kind in types_of(book, to):
        charged = label if kind == package_key else f"{label}, as {label_of(kind)},"
        sentence = (
            f"{charged} is charged already, so this interface costs nothing more:"
            f" {dollars(after)} a month in all."
        )
    elif not to:
        sentence = f"{label} costs {dollars(after)} a month, {begins}."
    else:
        sentence = (
            f"{label} costs {dollars(after - before)} a month, {begins}:"
            f" the links then cost {dollars(after)} a month instead of {dollars(before)}."
        )
    return Change(before=before, after=after, sentence=sentence)


def if_ended(
    ending: Sequence[LivePeriod], *, of: Sequence[LivePeriod], books: Books, today: date
) -> Change:
    """The change when interfaces of one type end: that of the next month, for this one is charged.

    Needs their interfaces, to name those that stay.
    """
    next_month = months.after(today)
    book = books.of_month(next_month)
    gone = {one.pk for one in ending}
    staying = [one for one in of if one.pk not in gone]
    before = _total({one.package_key for one in of}, book)
    after = _total({one.package_key for one in staying}, book)
    kind = type_of(book, ending[0].package_key)
    label = label_of(kind)
    keep = [
        str(one.interface or "an interface that was removed")
        for one in staying
        if type_of(book, one.package_key) == kind
    ]
    if keep:
        sentence = (
            f"{label} is still used by {get_text_list(keep, 'and')}, so nothing changes:"
            f" {dollars(after)} a month in all."
        )
    else:
        sentence = (
            f"From {date_format(next_month, 'j F')} the links cost {dollars(after)} instead of"
            f" {dollars(before)} a month: {label} is no longer in use."
            f" {date_format(today, 'F')} is charged in full."
        )
    return Change(before=before, after=after, sentence=sentence)


def by_interface(practice: Practice) -> dict[int, Decimal]:
    """What each interface in use costs a month: the first of a type its price, the others nothing.

    In the order of their names. Needs a scope.
    """
    book = price_books.load().of_month(today_of(practice))
    found: dict[int, Decimal] = {}
    charged: set[str] = set()
    for one in open_periods(practice.pk).order_by("interface__name", "pk"):
        if one.interface_id is not None:
            kind = type_of(book, one.package_key)
            found[one.interface_id] = Decimal(0) if kind in charged else book.link
            charged.add(kind)
    return found


def in_use(periods: Sequence[LivePeriod], *, books: Books, today: date) -> list[TypeInUse]:
    """The types that are charged now, of the periods that are not over. Needs their interfaces."""
    book = books.of_month(today)
    found = []
    for kind in types_of(book, {one.package_key for one in periods}):
        own = [one for one in periods if type_of(book, one.package_key) == kind]
        found.append(
            TypeInUse(
                label=label_of(kind),
                interfaces=[one.interface for one in own if one.interface],
                since=min(one.began_on for one in own),
                net=book.link,
                if_ended=if_ended(own, of=periods, books=books, today=today),
            )
        )
    return found


def price_to_come(books: Books, *, today: date) -> tuple[date, Decimal] | None:
    """The first month in which a link costs something else than now, and what it costs."""
    for book in books.entries:
        first = months.first_from(book.from_day)
        if first and first > today and books.on(first).link != books.of_month(today).link:
            return first, books.on(first).link
    return None


def _total(package_keys: Collection[str], book: PriceBook) -> Decimal:
    return book.link * len(types_of(book, package_keys))
