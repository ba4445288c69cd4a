"""The pages about money: a practice's charges, the price calculator, the price book of support."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors import registry
from connectors.base.protocol import SetUpBy
from interfaces import charges, price_books
from interfaces.models import AccountingInterface, PriceBook
from offices.models import Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import make_interface, make_member, make_practice, make_user

pytestmark = pytest.mark.django_db

NOVEMBER = date(2026, 11, 1)
LATE_NOVEMBER = time_machine.travel("2026-11-20T00:00Z", tick=False)
BOOKS, NEW = "/support/prices/", "/support/prices/new/"


@pytest.fixture
def admin(practice: Practice) -> User:
    """An admin of the practice."""
    return make_member(practice, Role.ADMIN, "ana@harbour.example")


@pytest.fixture
def support(db: None) -> User:
    """A person of Abtrac's support."""
    return make_user("sam@abtrac.example", is_support=True)


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(answer: Any) -> str:
    """What a person reads, in one line."""
    assert answer.status_code == 200
    body = re.sub(r"<[^>]+>", " ", answer.content.decode().partition("<main")[2])
    return re.sub(r"\s+", " ", body.replace("&#x27;", "'").replace("&gt;", ">"))


def live(name: str, **fields: Any) -> AccountingInterface:
    interface = make_interface(name=name, **fields)
    charges.begin(interface, on=date(2026, 10, 3))
    return interface


def at(practice: Practice, rest: str = "") -> str:
    return f"/{practice.slug}/accounting/charges/{rest}"


# --- The practice's charges


@LATE_NOVEMBER
def test_the_page_says_what_the_links_cost_and_what_would_change_that(
    practice: Practice, admin: User, invented_packages: None
) -> None:
    with acting_for(practice.pk):
        live("Auckland")
        napier = live("Napier")
        charges.record_set_up_fee(napier, amount=Decimal("250.00"), accepted_by=admin)
    page = text_of(browser_of(admin).get(at(practice)))
    for words in (
        "The accounts links cost $15.00 a month, without GST.",
        "Xero Auckland , Napier 3 Oct 2026 $15.00 From 1 December the links cost $0.00",
        "Plain Plain costs $15.00 a month, from the month it goes live: the links then cost $30.00",
        "Xero Xero is charged already, so this interface costs nothing more",
        "You can do this yourself",
        "Xero 20 Nov 2026 ana@harbour.example $250.00",
        "October 2026 Accounts link to Xero, in use from 3 October: $15.00 $15.00 CSV",
        "November 2026 Accounts link to Xero, all month: $15.00",
        "$265.00",
        "so nothing is ever rounded",
    ):
        assert words in page, words


@LATE_NOVEMBER
def test_prices_to_come_are_announced(practice: Practice, admin: User) -> None:
    price_books.enter(
        prices={**price_books.FIRST, "from_day": date(2026, 12, 9), "link": Decimal("20.00")},
        entered_by=admin,
        address=None,
    )
    page = text_of(browser_of(admin).get(at(practice)))
    assert "From 1 January 2027 each type costs $20.00 a month." in page
    assert "No interface is in use now." in page


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ACCOUNTS])
@pytest.mark.parametrize("rest", ["", "2026/11.csv"])
def test_only_admins_see_charges(practice: Practice, role: Role, rest: str) -> None:
    assert browser_of(make_member(practice, role)).get(at(practice, rest)).status_code == 403


@LATE_NOVEMBER
def test_the_statement_of_a_month_is_a_file_of_this_practice_alone(
    practice: Practice, admin: User
) -> None:
    for one in (practice, make_practice("Ridge")):
        with acting_for(one.pk):
            live("Xero")
    answer = browser_of(admin).get(at(practice, "2026/11.csv"))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    name = f"links-{practice.slug}-2026-11.csv"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer.getvalue().decode().splitlines() == [
        "practice,slug,month,kind,type,description,quantity,amount_ex_gst",
        f"Harbour Architects,{practice.slug},2026-11,link,xero,"
        '"Accounts link to Xero, all month",1,15.00',
    ]


@LATE_NOVEMBER
@pytest.mark.parametrize(
    "month", ["2026/12", "2026/13", "2026/0", "0/1", "99999/1", f"{'9' * 30}/1"]
)
def test_a_month_that_has_not_begun_has_no_statement(
    practice: Practice, admin: User, support: User, month: str
) -> None:
    assert browser_of(admin).get(at(practice, f"{month}.csv")).status_code == 404
    assert browser_of(support).get(f"/support/statements/{month}.csv").status_code == 404


def test_the_page_takes_as_many_queries_for_many_interfaces_as_for_few(
    practice: Practice, admin: User
) -> None:
    browser, counts = browser_of(admin), []
    for start in (0, 10):
        with acting_for(practice.pk):
            for number in range(start, start + 1 + start):
                one = live(f"Xero {number}")
                charges.record_set_up_fee(one, amount=Decimal(9), accepted_by=make_user())
        browser.get(at(practice))
        with CaptureQueriesContext(connection) as queries:
            browser.get(at(practice))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_what_a_disconnection_changes_is_part_of_the_question(
    practice: Practice, admin: User
) -> None:
    with acting_for(practice.pk):
        one = live("Auckland")
    page = browser_of(admin).get(f"/{practice.slug}/accounting/interfaces/{one.pk}/")
    asked = re.search(r'data-confirm="Disconnect [^"]*"', page.content.decode())
    assert asked
    assert "the links cost $0.00 instead of $15.00 a month: Xero is no longer in use." in asked[0]


# --- The calculator


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            "users=20&packages=xero",
            "Accounts link to Xero 1 at $15.00 $15.00 Total without GST $300.00",
        ),
        ("users=20&packages=xero", "Employees 16 to 20 5 at $8.00 $40.00"),
        ("users=11", "Employee 11 1 at $10.00 $10.00"),
        ("users=1&debtor_module=on", "Debtor module 1 at $45.00 $45.00 Total without GST $105.00"),
        ("users=51", "For more than 50 employees there is no price in this list. Ask us"),
        ("users=0", "greater than or equal to 1"),
        ("users=", "This field is required"),
        ("users=5&packages=abacus", "abacus is not one of the available choices"),
        ("", "Employees 26 to 50: $5.00 each"),
    ],
)
def test_anybody_can_work_out_a_price(asked: str, words: str) -> None:
    assert words in text_of(Client().get(f"/prices/?{asked}"))


@pytest.mark.parametrize(
    ("fee", "words"),
    [({}, "quoted before any work"), ({"set_up_fee": Decimal("250.00")}, "$250.00")],
)
def test_what_our_team_takes_for_a_set_up_is_said_where_it_is_needed(
    practice: Practice, admin: User, monkeypatch: Any, fee: dict[str, Decimal], words: str
) -> None:
    xero = replace(registry.package("xero"), set_up_by=SetUpBy.SUPPORT)
    monkeypatch.setattr(registry, "packages", lambda: {"xero": xero})
    PriceBook.objects.create(**{**price_books.FIRST, **fee})
    page = text_of(Client().get("/prices/?users=1&packages=xero"))
    assert f"Set-up of Xero by our team, once: {words}." in page
    page = text_of(browser_of(admin).get(at(practice)))
    assert "Our team sets this up" in page
    assert words in page


def test_the_calculator_is_found_from_the_log_in_and_the_charges(
    practice: Practice, admin: User
) -> None:
    for page in (Client().get("/accounts/login/"), browser_of(admin).get(at(practice))):
        assert 'href="/prices/"' in page.content.decode()


# --- Support's price book


def filled(browser: Client, **changed: str) -> dict[str, str]:
    """The form as it is shown, with these changes, ready to send."""
    form = browser.get(NEW).context["form"]
    shown = {name: form[name].value() for name in form.fields}
    return {name: "" if value is None else str(value) for name, value in (shown | changed).items()}


def test_new_prices_begin_with_those_that_hold_and_say_what_changed_who_and_from_where(
    support: User, invented_packages: None
) -> None:
    browser = browser_of(support)
    sent = filled(
        browser,
        link="20",
        each_4="4.50",
        up_to_5="80",
        each_5="3",
        charged_as_plain="keeper",
        set_up_fee_xero="250",
        note="From the new year",
    )
    page = text_of(browser.post(NEW, sent, follow=True, REMOTE_ADDR="192.0.2.5"))
    assert "are entered." in page
    assert "From the new year" in page
    assert "sam@abtrac.example 192.0.2.5" in page
    for words in (
        "Each accounts link: $20.00, before $15.00",
        "26 to 50 $4.50 each, 51 to 80 $3.00 each, before 1 to 10 $15.00 each",
        "Plain is charged as: Keeper, before itself",
        "Set-up of Xero: $250.00, before as for all packages",
    ):
        assert words in page, words
    assert "Base: $45.00, before" not in page
    made = PriceBook.objects.get(entered_by=support)
    assert (made.tiers[-1], made.packages) == (
        [80, "3.00"],
        {"plain": {"charged_as": "keeper"}, "xero": {"set_up_fee": "250.00"}},
    )
    again = filled(browser)
    assert (again["charged_as_plain"], again["each_5"]) == ("keeper", "3.00")


def test_new_prices_are_entered_once_however_often_the_form_is_sent(support: User) -> None:
    browser = browser_of(support)
    sent = filled(browser, note="Once")
    browser.post(NEW, sent)
    page = text_of(browser.post(NEW, sent, follow=True))
    assert "That was done already: these prices are in the list." in page
    assert PriceBook.objects.count() == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"from_day": str(timezone.localdate() - timedelta(days=1))},
            "Prices can begin today or later",
        ),
        (
            {"from_day": str(timezone.localdate() + timedelta(days=5 * 366))},
            "Prices can begin within 5 years.",
        ),
        ({"from_day": "soon"}, "Enter a valid date."),
        ({"link": "-1"}, "greater than or equal to 0"),
        ({"link": "1.005"}, "no more than 2 decimal places"),
        ({"link": "NaN"}, "Enter a number."),
        ({"up_to_2": "10"}, "Each step goes up to more than the one before."),
        ({"up_to_2": ""}, "A step needs both; empty both to leave it out."),
        (
            {f"{name}_{step}": "" for name in ("up_to", "each") for step in range(1, 7)},
            "at least one",
        ),
        (
            {"charged_as_plain": "keeper", "charged_as_keeper": "xero"},
            "Keeper is charged as another package, so Plain cannot be charged as Keeper.",
        ),
        ({"note": ""}, "This field is required."),
    ],
)
def test_prices_that_cannot_be_are_refused_and_explained(
    support: User, invented_packages: None, changed: dict[str, str], words: str
) -> None:
    browser = browser_of(support)
    page = text_of(browser.post(NEW, filled(browser, **{"note": "x", **changed})))
    assert words in page
    assert PriceBook.objects.count() == 1


def test_prices_at_the_end_of_the_calendar_are_never_those_to_come(
    practice: Practice, admin: User
) -> None:
    # Books that were entered before such days were refused stay for good.
    far = {"from_day": date(9999, 12, 15), "link": Decimal("99.00")}
    PriceBook.objects.create(**{**price_books.FIRST, **far})
    page = browser_of(admin).get(at(practice))
    assert page.status_code == 200
    assert "$99.00" not in text_of(page)


def test_what_the_book_says_of_a_package_that_is_not_here_is_kept(support: User) -> None:
    kept = {"abacus": {"charged_as": "xero"}}
    PriceBook.objects.create(**{**price_books.FIRST, "packages": kept})
    browser = browser_of(support)
    browser.post(NEW, filled(browser, note="x"))
    made = PriceBook.objects.get(note="x")
    assert made.packages == kept


@LATE_NOVEMBER
def test_support_takes_the_statements_of_all_practices(support: User) -> None:
    for name in ("Harbour", "Ridge"):
        with acting_for(make_practice(name).pk):
            live("Xero")
    browser = browser_of(support)
    page = browser.get(BOOKS).content.decode()
    there = re.findall(r'href="(/support/statements/[^"]+)"', page)
    assert (len(there), there[0]) == (12, "/support/statements/2026/11.csv")
    answer = browser.get(there[0])
    names = [line.partition(",")[0] for line in answer.getvalue().decode().splitlines()]
    assert names == ["practice", "Harbour", "Ridge"]


@pytest.mark.parametrize("address", [BOOKS, NEW, "/support/statements/2026/11.csv"])
def test_prices_and_statements_of_all_are_there_for_support_alone(
    practice: Practice, admin: User, support: User, address: str
) -> None:
    for send in ("get", "post"):
        answer: Callable[..., Any] = getattr(browser_of(admin), send)
        assert answer(address, {"link": "1"}).status_code in {404, 405}
        assert getattr(Client(), send)(address).status_code in {302, 405}
    assert browser_of(support).get(address).status_code == 200
    assert PriceBook.objects.count() == 1


def test_the_menus_lead_there(practice: Practice, admin: User, support: User) -> None:
    assert f'href="{at(practice)}"' in browser_of(admin).get(at(practice)).content.decode()
    assert f'href="{BOOKS}"' in browser_of(support).get("/").content.decode()
