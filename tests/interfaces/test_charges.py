"""What the links cost: one price a month for each type, whatever happens in which order."""

import csv
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from interfaces import charges, months, price_books
from interfaces.calculator import Subscription, subscription
from interfaces.disconnecting import disconnect
from interfaces.models import AccountingInterface, LivePeriod, PriceBook, SetUpFee
from interfaces.price_books import Books
from interfaces.statements import (
    Statement,
    guarded,
    statement_csv,
    statement_of,
    statements_of,
)
from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import make_interface, make_practice, make_user

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
KEYS = ["xero", "keeper", "plain"]


def book(**fields: Any) -> PriceBook:
    """A price book like the first, but for these."""
    return PriceBook(**{**price_books.FIRST, **fields})


def period(key: str, began: date, ended: date | None = None) -> LivePeriod:
    return LivePeriod(package_key=key, began_on=began, ended_on=ended)


def november(
    periods: Sequence[LivePeriod], fees: Sequence[SetUpFee] = (), *books: PriceBook
) -> Statement:
    known = Books(books or (book(),))
    return statement_of(NOVEMBER, periods=periods, fees=fees, books=known)


def last_entry(**fields: Any) -> PriceBook:
    return PriceBook.objects.create(**{**price_books.FIRST, **fields})


def of_2026(practice: Practice) -> list[Statement]:
    """The months of that year in which something was charged, newest first."""
    books = price_books.load()
    return statements_of(practice.pk, books=books, today=date(2026, 12, 31))


def charged(practice: Practice) -> dict[int, Decimal]:
    """What each of those months came to."""
    return {one.first.month: one.total for one in of_2026(practice)}


# --- Rules that hold whatever the rows are


@st.composite
def some_periods(draw: st.DrawFn) -> list[LivePeriod]:
    made = []
    for _ in range(draw(st.integers(0, 6))):
        began = date(2026, 9, 1) + timedelta(days=draw(st.integers(0, 120)))
        length = draw(st.none() | st.integers(0, 90))
        ended = None if length is None else began + timedelta(days=length)
        made.append(period(draw(st.sampled_from(KEYS)), began, ended))
    return made


@st.composite
def some_fees(draw: st.DrawFn) -> list[SetUpFee]:
    return [
        SetUpFee(
            package_key=draw(st.sampled_from(KEYS)),
            amount=draw(st.decimals(0, 2000, places=2)),
            charged_on=date(2026, 10, 15) + timedelta(days=draw(st.integers(0, 60))),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]


@given(some_periods(), st.integers(0, 120), st.data())
def test_another_interface_of_a_type_in_use_never_changes_the_total(
    periods: list[LivePeriod], after: int, data: st.DataObject
) -> None:
    charged = [line.type for line in november(periods).lines]
    if not charged:
        return
    second = period(data.draw(st.sampled_from(charged)), date(2026, 9, 1) + timedelta(days=after))
    assert november([*periods, second]).total == november(periods).total


@given(some_periods(), some_fees(), st.randoms(use_true_random=False))
def test_the_order_of_what_happened_does_not_matter(
    periods: list[LivePeriod], fees: list[SetUpFee], luck: Any
) -> None:
    mixed, mixed_fees = list(periods), list(fees)
    luck.shuffle(mixed)
    luck.shuffle(mixed_fees)
    assert november(mixed, mixed_fees) == november(periods, fees)


@given(some_periods(), some_fees())
def test_a_statement_is_the_sum_of_its_lines_and_exact(
    periods: list[LivePeriod], fees: list[SetUpFee]
) -> None:
    made = november(periods, fees)
    days = [date(2026, 11, day) for day in range(1, 31)]
    live = {
        one.package_key
        for one in periods
        for day in days
        if one.began_on <= day and (one.ended_on is None or day <= one.ended_on)
    }
    accepted = sum(one.amount for one in fees if one.charged_on in days)
    assert made.total == sum(one.net for one in made.lines) == 15 * len(live) + accepted
    assert made.total.as_tuple().exponent == -2


@given(some_periods(), some_periods())
def test_more_in_use_is_never_charged_less(one: list[LivePeriod], more: list[LivePeriod]) -> None:
    assert november([*one, *more]).total >= november(one).total


@st.composite
def some_book(draw: st.DrawFn) -> PriceBook:
    dollars = st.decimals(0, 200, places=2)
    ends = sorted(draw(st.sets(st.integers(1, 60), min_size=1, max_size=5)))
    kinds = {key: {"charged_as": draw(st.sampled_from(KEYS))} for key in KEYS}
    return book(
        base=draw(dollars),
        tiers=[[end, str(draw(dollars))] for end in ends],
        link=draw(dollars),
        debtor_module=draw(dollars),
        packages=draw(st.sampled_from([{}, kinds])),
    )


@given(some_book(), st.integers(1, 60), st.sets(st.sampled_from(KEYS)), st.booleans())
def test_a_subscription_never_falls_when_anything_is_added(
    prices: PriceBook, users: int, keys: set[str], debtor_module: bool
) -> None:
    def cost(users: int, keys: set[str], debtor_module: bool) -> Subscription:
        return subscription(prices, users=users, package_keys=keys, debtor_module=debtor_module)

    now = cost(users, keys, debtor_module)
    if now.total is None:
        assert users > now.most_users
        return
    assert now.total == sum(one.net for one in now.items)
    assert sum(one.quantity for one in now.items if "mployee" in one.description) == users
    more = [cost(users + 1, keys, debtor_module), cost(users, keys, True)]
    more += [cost(users, keys | {key}, debtor_module) for key in KEYS]
    for one in more:
        assert one.total is None or one.total >= now.total


# --- The published scale


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("users", "keys", "debtor_module", "total"),
    [
        (20, ["xero"], False, "300.00"),  # the worked figure of 2014
        (1, [], False, "60.00"),
        (10, [], False, "195.00"),
        (11, [], False, "205.00"),
        (50, ["xero", "xero"], True, "510.00"),
        (51, [], False, None),
    ],
)
def test_the_scale_of_2014_is_there_from_the_start(
    users: int, keys: list[str], debtor_module: bool, total: str | None
) -> None:
    book = price_books.load().of_month(NOVEMBER)
    made = subscription(book, users=users, package_keys=keys, debtor_module=debtor_module)
    assert made.total == (total and Decimal(total))


@pytest.mark.django_db
def test_there_is_one_first_price_book_however_often_it_is_looked_for() -> None:
    price_books.make_first(using="default")
    assert [str(one) for one in PriceBook.objects.all()] == ["Prices from 2014-01-01"]


@pytest.mark.django_db(transaction=True)
def test_emptying_the_tables_leaves_the_first_price_book() -> None:
    last_entry(from_day=NOVEMBER)
    call_command("flush", interactive=False, verbosity=0)
    assert [str(one) for one in PriceBook.objects.all()] == ["Prices from 2014-01-01"]


# --- Prices over time


@pytest.mark.django_db
def test_a_month_is_priced_by_what_holds_on_its_first_day_and_the_later_entry_counts() -> None:
    last_entry(from_day=date(2026, 11, 2), link=Decimal("20.00"), set_up_fee=Decimal("90.00"))
    last_entry(from_day=date(2027, 1, 1), link=Decimal("99.00"))
    last_entry(from_day=date(2027, 1, 1), link=Decimal("25.00"))
    days = [date(2013, 1, 1), date(2026, 11, 30), DECEMBER, date(2027, 1, 31)]
    prices = [price_books.load().of_month(day).link for day in days]
    assert prices == [Decimal(15), Decimal(15), Decimal(20), Decimal(25)]
    # A fee is quoted by the day.
    fees = [charges.quote_for("xero", on=date(2026, 11, day)) for day in (1, 2)]
    assert fees == [None, Decimal("90.00")]
    books, today = price_books.load(), date(2026, 11, 28)
    assert charges.price_to_come(books, today=today) == (DECEMBER, Decimal("20.00"))
    assert charges.price_to_come(books, today=date(2027, 1, 5)) is None


def test_a_package_has_its_own_fee_where_the_book_says_so() -> None:
    own = book(set_up_fee=Decimal(90), packages={"plain": {"set_up_fee": "250.00"}})
    assert price_books.set_up_fee_of(own, "plain") == Decimal(250)
    assert price_books.set_up_fee_of(own, "xero") == Decimal(90)


@pytest.mark.django_db
def test_a_price_book_cannot_be_changed_or_removed() -> None:
    for statement in (
        "UPDATE interfaces_pricebook SET link = 1",
        "DELETE FROM interfaces_pricebook",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_two_packages_charged_as_one_type_cost_once(invented_packages: None) -> None:
    together = book(packages={"plain": {"charged_as": "keeper"}})
    periods = [period("plain", NOVEMBER), period("keeper", date(2026, 11, 9))]
    (line,) = november(periods, (), together).lines
    assert (line.type, line.net) == ("keeper", Decimal(15))
    assert line.description == "Accounts link to Keeper and Plain, all month"
    change = charges.if_added("plain", to=["keeper"], book=together)
    assert change.sentence == (
        "Plain, as Keeper, is charged already, so this interface costs nothing more:"
        " $15.00 a month in all."
    )


@pytest.mark.parametrize(
    ("began", "ended", "words"),
    [
        (date(2026, 8, 9), None, "all month"),
        (date(2026, 11, 3), None, "in use from 3 November"),
        (date(2026, 11, 3), date(2026, 12, 4), "in use from 3 November"),
        (date(2026, 8, 9), date(2026, 11, 12), "in use 1 to 12 November"),
        (date(2026, 11, 12), date(2026, 11, 12), "in use on 12 November"),
    ],
)
def test_a_line_says_on_which_days_the_link_was_in_use(
    began: date, ended: date | None, words: str
) -> None:
    (line,) = november([period("xero", began, ended)]).lines
    assert line.description == f"Accounts link to Xero, {words}"


def test_months_follow_one_another_over_the_year() -> None:
    assert months.after(date(2026, 12, 31)) == date(2027, 1, 1)
    assert months.before(date(2027, 1, 31)) == DECEMBER
    assert months.last_day(date(2028, 2, 3)) == date(2028, 2, 29)
    assert months.first_day(2026, 13) is None
    assert [months.first_from(date(2026, 11, day)) for day in (1, 2)] == [NOVEMBER, DECEMBER]
    assert months.first_from(date(9999, 12, 15)) is None


# --- Interfaces that come and go


@pytest.mark.django_db
def test_an_interface_is_charged_from_its_begin_to_the_month_of_its_end(acting: Practice) -> None:
    interface = make_interface()
    charges.begin(interface, on=date(2026, 10, 31))
    charges.begin(interface, on=date(2026, 11, 9))  # charged already
    charges.end(interface, on=date(2026, 11, 1))
    charges.end(interface, on=date(2026, 12, 24))  # not charged any more
    assert charged(acting) == {10: 15, 11: 15}
    charges.begin(interface, on=date(2026, 12, 31))
    assert charged(acting) == {10: 15, 11: 15, 12: 15}
    assert LivePeriod.objects.count() == 2


@pytest.mark.django_db
def test_an_end_before_the_beginning_ends_it_that_day(acting: Practice) -> None:
    interface = make_interface()
    charges.begin(interface, on=NOVEMBER)
    charges.end(interface, on=date(2026, 10, 31))
    assert LivePeriod.objects.get().ended_on == NOVEMBER


@pytest.mark.django_db
@time_machine.travel("2026-11-30T11:30Z", tick=False)
def test_days_are_those_of_the_practice() -> None:
    for zone, began in (("Pacific/Auckland", DECEMBER), ("Australia/Perth", date(2026, 11, 30))):
        practice = make_practice(time_zone=zone)
        with acting_for(practice.pk):
            charges.begin(make_interface())
        assert LivePeriod.objects.get(practice=practice).began_on == began


@pytest.mark.django_db
def test_a_rehearsal_company_costs_nothing(acting: Practice) -> None:
    rehearsal = make_interface(rehearsal_token="unguessable")
    charges.begin(rehearsal)
    assert not LivePeriod.objects.exists()
    change = charges.change_if_ended(rehearsal)
    assert change.sentence == (
        "A rehearsal company costs nothing, so nothing changes: $0.00 a month in all."
    )


@pytest.mark.django_db
def test_disconnecting_ends_the_charge(practice: Practice) -> None:
    admin = make_user()
    with acting_for(practice.pk):
        interface = make_interface()
        charges.begin(interface)
    disconnect(practice_id=practice.pk, interface_id=interface.pk, actor=admin)
    assert LivePeriod.objects.get().ended_on is not None


@pytest.mark.django_db
def test_what_was_charged_stays_explained_when_the_interface_is_gone(acting: Practice) -> None:
    interface, admin = make_interface(), make_user()
    charges.begin(interface, on=date(2026, 11, 3))
    charges.record_set_up_fee(interface, amount=Decimal("250.00"), accepted_by=admin, on=NOVEMBER)
    charges.end(interface, on=date(2026, 11, 12))
    [before] = of_2026(acting)
    AccountingInterface.objects.filter(pk=interface.pk).delete()
    assert of_2026(acting) == [before]
    assert [line.description for line in before.lines] == [
        "Accounts link to Xero, in use 3 to 12 November",
        "Set-up of Xero by our team, accepted on 1 November",
    ]
    assert before.total == Decimal("265.00")


@pytest.mark.django_db
def test_a_set_up_fee_is_charged_once(acting: Practice) -> None:
    interface = make_interface()
    for amount in ("250.00", "300.00"):
        fee = charges.record_set_up_fee(interface, amount=Decimal(amount), accepted_by=None)
        assert fee.amount == Decimal("250.00")
    for wrong in ("-1", "0.005"):
        with pytest.raises(ValueError, match="whole number of cents"):
            charges.record_set_up_fee(interface, amount=Decimal(wrong), accepted_by=None)


# --- What a step would change


@pytest.mark.django_db
@time_machine.travel("2026-11-20T00:00Z", tick=False)
def test_what_adding_an_interface_changes_is_said_before(
    acting: Practice, invented_packages: None
) -> None:
    first = charges.change_if_added(acting, "xero")
    assert [first.before, first.after] == [0, 15]
    assert first.sentence == "Xero costs $15.00 a month, from the month it goes live."
    charges.begin(make_interface())
    again = charges.change_if_added(acting, "xero")
    assert [again.before, again.after] == [15, 15]
    assert again.sentence == (
        "Xero is charged already, so this interface costs nothing more: $15.00 a month in all."
    )
    other = charges.change_if_added(acting, "plain")
    assert [other.before, other.after] == [15, 30]
    assert other.sentence == (
        "Plain costs $15.00 a month, from the month it goes live: the links then cost $30.00 a"
        " month instead of $15.00."
    )


@pytest.mark.django_db
@time_machine.travel("2026-11-20T00:00Z", tick=False)
def test_what_ending_an_interface_changes_is_said_before(acting: Practice) -> None:
    auckland, napier = make_interface(name="Auckland"), make_interface(name="Napier")
    charges.begin(auckland)
    nothing = charges.change_if_ended(napier)
    assert nothing.sentence == "It is not charged, so nothing changes: $15.00 a month in all."
    charges.begin(napier)
    kept = charges.change_if_ended(auckland)
    assert [kept.before, kept.after] == [15, 15]
    assert kept.sentence == (
        "Xero is still used by Napier, so nothing changes: $15.00 a month in all."
    )
    charges.end(napier)
    ended = charges.change_if_ended(auckland)
    assert [ended.before, ended.after] == [15, 0]
    assert ended.sentence == (
        "From 1 December the links cost $0.00 instead of $15.00 a month: Xero is no longer in use."
        " November is charged in full."
    )


# --- The file for billing


def rows_of(*args: Any, **kwargs: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO("".join(statement_csv(*args, **kwargs)), newline="")))


@pytest.mark.django_db
def test_the_file_has_a_row_for_each_line_of_each_practice_by_name() -> None:
    for name, slug in (("Ridge, Moana", "ridge"), ("=Harbour+1", "harbour")):
        practice = make_practice(name, slug=slug)
        with acting_for(practice.pk):
            interface = make_interface()
            charges.begin(interface, on=date(2026, 11, 3))
        if slug == "ridge":
            charges.record_set_up_fee(
                interface, amount=Decimal("1250.00"), accepted_by=None, on=date(2026, 11, 4)
            )
    rows = rows_of(2026, 11)
    assert rows[0] == {
        "practice": "'=Harbour+1",
        "slug": "harbour",
        "month": "2026-11",
        "kind": "link",
        "type": "xero",
        "description": "Accounts link to Xero, in use from 3 November",
        "quantity": "1",
        "amount_ex_gst": "15.00",
    }
    amounts = [(one["practice"], one["kind"], one["amount_ex_gst"]) for one in rows[1:]]
    assert amounts == [
        ("Ridge, Moana", "link", "15.00"),
        ("Ridge, Moana", "set_up_fee", "1250.00"),
    ]
    assert rows_of(2026, 11, practice_id=practice.pk) == rows[:1]
    assert rows_of(2026, 10) == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_name_like_a_formula_is_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"


def test_any_other_name_is_left_alone() -> None:
    assert guarded("Ngā Pōhutukawa = 1") == "Ngā Pōhutukawa = 1"


@pytest.mark.django_db
def test_the_file_takes_as_many_queries_for_many_practices_as_for_few() -> None:
    counts = []
    for more in (1, 8):
        for _ in range(more):
            practice = make_practice()
            with acting_for(practice.pk):
                charges.begin(make_interface(), on=NOVEMBER)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(rows_of(2026, 11)) == LivePeriod.objects.count()
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_months_in_which_nothing_was_charged_are_left_out(acting: Practice) -> None:
    interface = make_interface()
    charges.begin(interface, on=date(2026, 3, 9))
    charges.end(interface, on=date(2026, 4, 1))
    charges.begin(interface, on=date(2026, 11, 9))
    made = statements_of(acting.pk, books=price_books.load(), today=date(2026, 11, 20))
    assert [f"{one.first:%m}" for one in made] == ["11", "04", "03"]
