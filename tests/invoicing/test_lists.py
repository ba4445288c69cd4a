"""The long lists: their pages, their columns, and what each costs."""

import csv
import re
from datetime import date, timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.signing import Signer
from django.test import Client as Browser
from django.utils import timezone

from invoicing import keyset, selectors, views_batches, words
from invoicing.columns import choices_of
from invoicing.models import Batch, Client, Invoice, ListLayout
from invoicing.tables import LONG_TABLES
from offices.models import AuditEntry, Office, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_job,
    make_member,
    make_office,
    make_setting,
    make_user,
)
from tests.invoicing.pages import client_of, counted_queries, said, text_of, url
from tests.invoicing.scene import make_batch, make_upload

pytestmark = pytest.mark.django_db

MANY = 60


@pytest.fixture
def accounts(practice: Practice) -> User:
    """Somebody who may upload."""
    return make_member(practice, Role.ACCOUNTS)


@pytest.fixture
def browser(accounts: User) -> Browser:
    """Theirs."""
    return client_of(accounts)


@pytest.fixture
def office(practice: Practice) -> Office:
    """An office whose invoices go through a connected interface."""
    with acting_for(practice.pk):
        return make_office(make_setting(make_interface(name="Xero Auckland")), name="Auckland")


@pytest.fixture
def customer(practice: Practice) -> Client:
    """A client."""
    with acting_for(practice.pk):
        return make_client("Ridgeline Holdings Ltd")


def many(office: Office, client: Client, count: int = MANY, **fields: Any) -> None:
    """So many invoices, each dated a day after the one before. Needs a scope."""
    one = make_invoice(office, client, **fields)
    first, number = one.pk, one.number
    copies = []
    for more in range(1, count):
        one.pk, one.abtrac_id = None, f"copy-{first}-{more}"
        one.number, one.issued = f"{number}-{more:03}", one.issued + timedelta(days=1)
        copies.append(Invoice(**{f.attname: getattr(one, f.attname) for f in one._meta.fields}))
    Invoice.objects.bulk_create(copies)


def each_list(
    practice: Practice, accounts: User, office: Office, client: Client, count: int
) -> None:
    """So many rows in every list."""
    now = timezone.now()
    with acting_for(practice.pk):
        many(office, client, count)
        many(office, client, count, parked_at=now, parked_by=accounts, parked_reason="Disputed")
        many(office, client, count, in_accounts_at=now, in_accounts_by=accounts)
        number = Batch.objects.count()
        for more in range(1, count + 1):
            make_batch(number + more, actor=accounts, finished=True)
        make_upload(Batch.objects.latest("pk"), make_invoice(office, client), "refused")


def numbers(response: Any) -> list[str]:
    """The invoice numbers on the page, in their order."""
    return [row.record.number for row in response.context["table"].paginated_rows]


def link(response: Any, rel: str) -> str:
    """Where Previous or Next leads; nothing where there is none."""
    found = re.search(rf'rel="{rel}" href="([^"]+)"', response.content.decode())
    return found[1].replace("&amp;", "&") if found else ""


LISTS = ("upload/", "parked/", "in-accounts/", "batches/")


@pytest.mark.parametrize("path", LISTS)
def test_every_list_is_light_and_costs_the_same_however_long_it_is(
    practice: Practice,
    accounts: User,
    browser: Browser,
    office: Office,
    customer: Client,
    path: str,
) -> None:
    costs = []
    for count in (2, MANY):
        each_list(practice, accounts, office, customer, count)
        with counted_queries() as queries:
            page = browser.get(url(practice, path))
        costs.append(len(queries))
        assert len(page.content) <= 60_000
    assert costs[0] == costs[1]
    # Besides the session, the person and the practices they are in.
    assert costs[1] - 4 <= 12
    assert len(page.context["table"].paginated_rows) == 50
    with counted_queries() as queries:
        following = browser.get(url(practice, path) + link(page, "next"))
    assert len(queries) == costs[1]
    assert link(following, "prev")


def test_an_address_nobody_was_given_leads_to_the_first_page(
    practice: Practice, browser: Browser, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        many(office, customer)
    first = browser.get(url(practice, "upload/"))
    there = link(first, "next")
    assert numbers(browser.get(url(practice, "upload/") + there)) != numbers(first)
    place = there.removeprefix("?after=")
    forged = Signer(salt="elsewhere").sign_object(["issued", "2026-11-25", 1])
    for query in (
        f"after={place[:-1]}",
        f"before=x{place}",
        f"after={forged}",
        f"after={place}&sort=number",
    ):
        assert numbers(browser.get(url(practice, f"upload/?{query}"))) == numbers(first)


def test_pages_keep_the_filter_and_where_all_has_gone_the_last_one_is_shown(
    practice: Practice, browser: Browser, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        many(office, customer)
        make_invoice(office, customer, number="OTHER")
    first = browser.get(url(practice, "upload/?q=ABT&sort=-issued"))
    assert "50 of 60" in text_of(first)
    second = browser.get(url(practice, "upload/") + link(first, "next"))
    assert len(numbers(second)) == 10
    assert numbers(browser.get(url(practice, "upload/") + link(second, "prev"))) == numbers(first)
    with acting_for(practice.pk):
        Invoice.objects.filter(number__in=numbers(second)).update(parked_at=timezone.now())
    last = browser.get(url(practice, "upload/") + link(first, "next"))
    assert numbers(last) == numbers(first)
    assert not link(last, "next")


def test_what_is_more_than_is_counted_is_not_added_up(
    practice: Practice,
    browser: Browser,
    office: Office,
    customer: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with acting_for(practice.pk):
        many(office, customer)
    monkeypatch.setattr(selectors, "MOST_COUNTED", 55)
    monkeypatch.setattr(words, "MOST_COUNTED", 55)
    page = text_of(browser.get(url(practice, "upload/")))
    assert "More than 55 invoices : narrow the list down for totals." in page
    assert "50 of more than 55" in page


def test_totals_are_told_by_interface_and_currency(
    practice: Practice, browser: Browser, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        other = make_office(make_setting(make_interface(name="Xero Wellington")))
        unlinked = make_office(make_setting(name="Overseas"))
        for where, net, currency in (
            (office, "100.00", "NZD"),
            (office, "200.00", "AUD"),
            (other, "-40.00", "NZD"),
            (unlinked, "7.00", "NZD"),
        ):
            make_invoice(where, customer, nets=[net], currency=currency)
    page = text_of(browser.get(url(practice, "upload/")))
    assert "NZD 67.00 excl tax, 77.05 incl tax" in page
    assert "Xero Auckland: 1, AUD 200.00 excl tax, 230.00 incl tax" in page
    assert "Xero Wellington: 1, NZD -40.00 excl tax, -46.00 incl tax" in page
    assert "Not linked: 1, NZD 7.00 excl tax, 8.05 incl tax" in page
    assert "Not linked:" not in text_of(browser.get(url(practice, "upload/?currency=x&q=AUD")))


def test_a_client_is_found_by_name_or_id_among_those_that_are_suggested(
    practice: Practice, browser: Browser, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        other, without = make_client("Kauri Point Marina"), make_client("Nobody Ltd")
        mine, theirs = make_invoice(office, customer), make_invoice(office, other)
    for typed, found in (
        ("kauri", [theirs]),
        (customer.abtrac_id.lower(), [mine]),
        (without.name, []),
    ):
        page = browser.get(url(practice, "upload/"), {"client": typed})
        assert numbers(page) == [one.number for one in found], typed
    assert page.context["clients"] == ["Kauri Point Marina", "Ridgeline Holdings Ltd"]


def test_old_history_is_left_out_and_changes_no_order(
    practice: Practice,
    browser: Browser,
    office: Office,
    customer: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with acting_for(practice.pk):
        interface = office.invoicing.invoice_setting.interface
        assert interface
        unlinked = make_office(make_setting(name="Overseas"))
        old = date(2020, 1, 1)
        makes = [(office, old), (unlinked, old), (office, date(2026, 5, 1)), (unlinked, old)]
        made = [make_invoice(where, customer, issued=day) for where, day in makes]
        interface.offered_from = date(2026, 4, 1)
        interface.save()
    expected = [one.number for one in made[1:]]
    for most in (keyset.MOST_COUNTED, 0):
        monkeypatch.setattr(selectors, "MOST_COUNTED", most or 3)
        monkeypatch.setattr(selectors, "is_outweighed_by_history", lambda _, most=most: not most)
        assert numbers(browser.get(url(practice, "upload/?sort=number"))) == expected
        assert numbers(browser.get(url(practice, "upload/?sort=-number"))) == expected[::-1]


def test_history_outweighs_when_it_is_more_than_is_counted(
    practice: Practice, office: Office, customer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with acting_for(practice.pk):
        interface = office.invoicing.invoice_setting.interface
        assert interface
        for _ in range(2):
            make_invoice(office, customer, issued=date(2020, 1, 1))
        for first, most, outweighed in (
            (None, 1, False),
            (date(2026, 1, 1), 1, True),
            (date(2026, 1, 1), 2, False),
            (date(2019, 1, 1), 1, False),
        ):
            monkeypatch.setattr(selectors, "MOST_COUNTED", most)
            monkeypatch.setattr(
                selectors, "counted_up_to", lambda rows, m=most: keyset.counted_up_to(rows, m)
            )
            interface.offered_from = first
            interface.save()
            settings = selectors.settings_with_interfaces()
            assert selectors.is_outweighed_by_history(settings) is outweighed


def test_columns_are_chosen_ordered_and_sized_by_each_person(
    practice: Practice, accounts: User, browser: Browser, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        job = make_job(customer, code="J-77")
        make_invoice(office, customer, job=job, order_number="PO 9")
    there, back = url(practice, "columns/available/"), url(practice, "upload/?sort=total")
    form = browser.get(there, {"next": back})
    assert "Columns of Upload invoices" in text_of(form)
    assert f'name="next" value="{back}"' in form.content.decode()
    posted = {
        "next": back,
        "shown": ["number", "job", "order_number", "nonsense", "tick"],
        **{"place-number": "2", "place-job": "1", "place-order_number": "x"},
        **{"width-job": "160", "width-number": "9999"},
    }
    answer = browser.post(there, posted, follow=True)
    assert answer.redirect_chain == [(back, 302)]
    assert said(answer) == ["Your columns are saved."]
    assert heads(answer) == ["Select", "Job", "Invoice No", "Order No"]
    cells = dict(re.findall(r'<td class="([^"]*)" data-label="([^"]*)"', answer.content.decode()))
    assert cells == {"tick": "Select", "width-160 words": "Job", "words": "Order No"}
    assert "J-77 Harbour House" in text_of(answer)
    with acting_for(practice.pk):
        kept = ListLayout.objects.get(user=accounts)
    assert kept.columns == [
        {"name": "job", "width": 160},
        {"name": "number", "width": None},
        {"name": "order_number", "width": None},
    ]
    assert heads(browser.get(url(practice, "parked/")))[1] == "Office"
    other = client_of(make_member(practice, Role.VIEWER))
    assert heads(other.get(url(practice, "upload/")))[:2] == ["Office", "Invoice No"]
    none = browser.post(there, {"place-number": "1"}, follow=True)
    assert said(none) == ["Nothing was saved: choose at least one column."]
    reset = browser.post(there, {"reset": "1"}, follow=True)
    assert heads(reset)[1] == "Office"
    with acting_for(practice.pk):
        assert not ListLayout.objects.exists()


def heads(response: Any) -> list[str]:
    """The headings of the list's columns."""
    return [column.header for column in response.context["table"].columns]


def test_every_column_of_every_list_can_be_shown_and_sorted(
    practice: Practice, accounts: User, browser: Browser, office: Office, customer: Client
) -> None:
    each_list(practice, accounts, office, customer, 1)
    for path, table in zip(LISTS, LONG_TABLES.values(), strict=True):
        names = list(choices_of(table))
        there = url(practice, f"columns/{table.list_key}/")
        page = browser.post(there, {"shown": names}, follow=True)
        assert page.redirect_chain == [(url(practice, path), 302)]
        assert set(names) == {column.name for column in page.context["table"].columns} - {"tick"}
        for name in names:
            if table.base_columns[name].orderable is not False:
                shown = browser.get(url(practice, f"{path}?sort=-{name}"))
                assert 'aria-sort="descending"' in shown.content.decode(), (path, name)
    assert browser.get(url(practice, "columns/nonsense/")).status_code == 404


def test_the_history_is_filtered_and_what_failed_stands_out(
    practice: Practice, accounts: User, browser: Browser, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        elsewhere = make_office(make_setting(make_interface(name="Xero Wellington")))
        good, bad = make_batch(1, actor=accounts, finished=True), make_batch(2, finished=True)
        make_upload(good, make_invoice(office, customer), "sent")
        make_upload(bad, make_invoice(elsewhere, customer), "refused")
        began = timezone.now() - timedelta(days=40)
        Batch.objects.filter(pk=good.pk).update(
            created_at=began, first_finished_at=began + timedelta(seconds=125)
        )
        Batch.objects.filter(pk=bad.pk).update(origin=Batch.Origin.COMMIT)
        through = elsewhere.invoicing.invoice_setting.interface_id
    day = timezone.localdate() - timedelta(days=20)
    for query, found in (
        ("", [2, 1]),
        (f"who={accounts.pk}", [1]),
        ("who=abtrac", [2]),
        (f"interface={through}", [2]),
        (f"since={day}", [2]),
        (f"until={day}", [1]),
        ("failed=only", [2]),
        ("who=x&since=y&until=9999-12-31", [2, 1]),
        ("since=0001-01-01", [2, 1]),
    ):
        page = browser.get(url(practice, f"batches/?{query}"))
        shown = [row.record.number for row in page.context["table"].paginated_rows]
        assert shown == found, query
    told = text_of(browser.get(url(practice, "batches/")))
    assert "invalid name" not in told
    assert "On commit Abtrac 1 0 1 0 0 All failed" in told
    assert f"Upload to accounts {accounts.email} 1 1 0 0 0 Finished 2 min 5 s" in told
    assert browser.get(url(practice, "batches/")).content.count(b"row-failed") == 1


def test_the_history_is_downloaded_as_it_is_filtered(
    practice: Practice, browser: Browser, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        formula = make_user("=cmd|calc@harbour.example")
        for number in (1, 2, 3):
            make_batch(number, actor=formula, finished=True)
        make_upload(Batch.objects.get(number=2), make_invoice(office, customer), "sent")
        Batch.objects.filter(number=3).update(created_by=None)
    there = url(practice, f"batches/batches.csv?who={formula.pk}&sort=number")
    with mock.patch.object(views_batches, "AT_ONCE", 1):
        answer = browser.get(there)
        text = b"".join(answer).decode()
    assert re.search(r'filename="batches-.*[.]csv"', answer["Content-Disposition"])
    head, *rows = csv.reader(text.removeprefix("\ufeff").splitlines())
    assert head[:5] == ["Batch", "Made", "Began with", "By", "Rehearsal"]
    assert [row[0] for row in rows] == ["1", "2"]
    assert rows[0][3] == "'=cmd|calc@harbour.example"
    assert rows[1][5:7] == ["1", "1"]
    assert dict(zip(head, rows[1], strict=True))["State"] == "Finished"
    with acting_for(practice.pk):
        assert AuditEntry.objects.get(action="batches.exported").detail == {
            "filter": f"who={formula.pk}&sort=number"
        }
