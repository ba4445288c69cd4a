"""Upload invoices, seen as a person sees it."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from interfaces.models import AccountingInterface
from invoicing.models import Batch, Client, Invoice, Upload
from offices.models import AuditEntry, Office, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_member,
    make_office,
    make_practice,
    make_setting,
)
from tests.invoicing.pages import client_of, counted_queries, said, text_of, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts(practice: Practice) -> User:
    """Somebody who may upload."""
    return make_member(practice, Role.ACCOUNTS)


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


def make(practice: Practice, office: Office, client: Client, *nets: str, **fields: Any) -> Invoice:
    """A committed invoice."""
    with acting_for(practice.pk):
        return make_invoice(office, client, nets=nets or ("1000.00",), **fields)


def numbers(response: Any) -> list[str]:
    """The invoice numbers on the page, in their order."""
    return [row.record.number for row in response.context["table"].paginated_rows]


def test_the_list_shows_what_can_be_uploaded_with_its_columns(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    shown = make(
        practice,
        office,
        customer,
        "1234.50",
        recipient="Accounts Payable",
        issued=date(2026, 11, 9),
    )
    make(practice, office, customer, "0.00", number="WRITE-OFF")
    make(practice, office, customer, number="NOT-COMMITTED", committed=False)
    page = client_of(accounts).get(url(practice, "upload/"))
    assert numbers(page) == [shown.number]
    head = "Office Invoice No Name on Invoice Recipient Invoice Date ▲ Amount excl Tax"
    assert head.replace(" ▲", "") in text_of(page)
    row = f"Auckland {shown.number} Not sent Ridgeline Holdings Ltd Accounts Payable 9 Nov 2026"
    assert f"{row} 1,234.50 1,419.68" in text_of(page)
    assert "1 invoice , NZD 1,234.50 excl tax, 1,419.68 incl tax" in text_of(page)


def test_a_credit_note_is_negative_and_labelled(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    make(practice, office, customer, "1000.00")
    note = make(practice, office, customer, "-100.00")
    page = client_of(accounts).get(url(practice, "upload/"))
    assert f"{note.number} Credit note" in text_of(page)
    assert "-100.00 -115.00" in text_of(page)
    assert 'data-net="-100.00" data-total="-115.00"' in page.content.decode()
    assert "2 invoices , NZD 900.00 excl tax, 1,035.00 incl tax" in text_of(page)


def test_totals_are_told_apart_by_currency(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    make(practice, office, customer, "1000.00")
    make(practice, office, customer, "200.00", currency="AUD")
    page = text_of(client_of(accounts).get(url(practice, "upload/")))
    assert "AUD 200.00 excl tax, 230.00 incl tax, NZD 1,000.00 excl tax, 1,150.00 incl tax" in page
    assert "AUD 200.00 AUD 230.00" in page.replace("\xa0", " ")


def test_every_column_sorts_both_ways(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        other = make_office(office.invoicing.invoice_setting, name="Wellington")
    small = make(practice, office, customer, "10.00", number="B-1", issued=date(2026, 11, 3))
    large = make(
        practice,
        other,
        customer,
        "90.00",
        number="B-2",
        name_on_invoice="Zed",
        recipient="Zed",
        issued=date(2026, 11, 4),
    )
    browser = client_of(accounts)
    for column in ("office", "number", "name_on_invoice", "recipient", "issued", "net", "total"):
        up = browser.get(url(practice, f"upload/?sort={column}"))
        down = browser.get(url(practice, f"upload/?sort=-{column}"))
        assert numbers(up) == [small.number, large.number], column
        assert numbers(down) == [large.number, small.number], column


def test_filters_narrow_the_list_and_its_totals(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        second = make_interface(name="Xero Wellington")
        other = make_office(make_setting(second, name="Wellington"), name="Wellington")
        unlinked = make_office(make_setting(name="Overseas"), name="Overseas")
        someone = make_client("Kauri Point Marina")
    first = make(practice, office, customer, "100.00", issued=date(2026, 11, 1))
    there = make(practice, other, someone, "200.00", issued=date(2026, 11, 10))
    lonely = make(practice, unlinked, someone, "300.00", issued=date(2026, 11, 20))
    setting = other.invoicing.invoice_setting_id
    expected = {
        f"office={office.pk}": [first],
        f"setting={setting}": [there],
        f"interface={second.pk}": [there],
        "interface=none": [lonely],
        "since=2026-11-10": [there, lonely],
        "until=2026-11-10": [first, there],
        "q=kauri+point": [there, lonely],
        f"q={first.number}": [first],
        "q=nothing+like+this": [],
    }
    browser = client_of(accounts)
    for query, invoices in expected.items():
        page = browser.get(url(practice, f"upload/?{query}"))
        assert numbers(page) == [one.number for one in invoices], query
        assert sum(one.count for one in page.context["totals"]) == len(invoices)
        assert sum(one.net for one in page.context["totals"]) == sum(one.net for one in invoices)


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "before=%00",
        "per_page=100000",
        "sort=nonsense",
        "sort=-",
        "client=%00",
        "office=x",
        "office=999999999999999999999999",
        "setting=1%00",
        "since=yesterday",
        "q=%00",
        "q=" + "x" * 500,
        "interface=0",
    ],
)
def test_a_wrong_address_is_no_error(
    practice: Practice, accounts: User, office: Office, customer: Client, query: str
) -> None:
    make(practice, office, customer)
    assert client_of(accounts).get(url(practice, f"upload/?{query}")).status_code == 200


def test_pages_hold_fifty_rows_whatever_is_asked_for(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    for _ in range(53):
        make(practice, office, customer)
    for more in ("", "&after=x", "&page=2"):
        page = client_of(accounts).get(url(practice, f"upload/?per_page=1000{more}"))
        assert len(numbers(page)) == 50


def test_the_list_costs_the_same_however_many_rows_it_has(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    browser = client_of(accounts)
    costs = []
    for many in (1, 30):
        for _ in range(many):
            make(practice, office, customer)
        with counted_queries() as queries:
            page = browser.get(url(practice, "upload/"))
        costs.append(len(queries))
        assert len(page.content) < 60_000
    assert costs[0] == costs[1]
    assert costs[1] <= 13


def test_rows_that_cannot_go_say_so_and_lead_an_admin_to_the_place(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        lapsed = make_interface(name="Xero Wellington")
        lapsed.state = AccountingInterface.State.NEEDS_CONSENT
        lapsed.save()
        there = make_office(make_setting(lapsed), name="Wellington")
        unlinked = make_office(make_setting(name="Overseas"), name="Overseas")
    make(practice, there, customer)
    make(practice, unlinked, customer)
    settings, one = url(practice, "interfaces/"), url(practice, f"interfaces/{lapsed.pk}/")
    for role, shown in ((Role.ADMIN, True), (Role.ACCOUNTS, False)):
        page = client_of(make_member(practice, role)).get(url(practice, "upload/"))
        assert "Not linked Overseas has no accounting interface." in text_of(page)
        assert "Needs reconnect Xero Wellington" in text_of(page)
        body = page.content.decode()
        notes = body[body.index("<tbody") : body.index("</tbody")]
        assert (f'href="{settings}"' in notes) is shown
        assert (f'href="{one}"' in notes) is shown


def test_an_invoice_that_failed_is_offered_again_and_names_its_batch(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    invoice = make(practice, office, customer, line_fields={"account_code": "999"})
    browser = client_of(accounts)
    browser.post(url(practice, "upload/send/"), {"invoice": invoice.pk})
    page = browser.get(url(practice, "upload/"))
    assert numbers(page) == [invoice.number]
    assert "Failed in batch 1" in text_of(page)


def test_uploading_makes_a_batch_and_says_what_it_comes_to(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    chosen = [make(practice, office, customer, "1000.00"), make(practice, office, customer, "-80")]
    left = make(practice, office, customer)
    browser = client_of(accounts)
    answer = browser.post(
        url(practice, "upload/send/"), {"invoice": [one.pk for one in chosen]}, follow=True
    )
    assert answer.redirect_chain == [(url(practice, "batches/1/"), 302)]
    assert said(answer) == ["Batch 1 is made of 2 invoices: NZD 1,058.00 incl tax."]
    with acting_for(practice.pk):
        batch = Batch.objects.get()
        sent = Upload.objects.filter(batch=batch, kind__in=["invoice", "credit_note"])
        assert {one.invoice_id for one in sent} == {one.pk for one in chosen}
        entry = AuditEntry.objects.get(action="batch.made")
    assert batch.created_by == accounts
    assert entry.actor == accounts
    assert entry.detail["totals"] == "NZD 1,058.00 incl tax"
    assert numbers(browser.get(url(practice, "upload/"))) == [left.number]


def test_a_double_click_answers_that_it_is_in_the_batch_already(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    invoice = make(practice, office, customer)
    browser = client_of(accounts)
    browser.post(url(practice, "upload/send/"), {"invoice": invoice.pk}, follow=True)
    again = browser.post(url(practice, "upload/send/"), {"invoice": invoice.pk}, follow=True)
    assert again.redirect_chain == [(url(practice, "batches/1/"), 302)]
    assert said(again) == [f"{invoice.number}: Already in batch 1."]
    with acting_for(practice.pk):
        assert Batch.objects.count() == 1


def test_what_cannot_go_is_left_out_with_one_sentence_for_each_reason(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        unlinked = make_office(make_setting(name="Overseas"), name="Overseas")
    lost = [make(practice, unlinked, customer), make(practice, unlinked, customer)]
    answer = client_of(accounts).post(
        url(practice, "upload/send/"), {"invoice": [one.pk for one in lost]}, follow=True
    )
    assert answer.redirect_chain == [(url(practice, "upload/"), 302)]
    assert said(answer) == [
        f"{lost[0].number}, {lost[1].number}: The invoice setting Overseas is not linked to an"
        " accounting interface. Link it under Accounting >> Interface Settings."
    ]


def test_nothing_ticked_is_said_and_leads_back_to_the_page_as_it_was(
    practice: Practice, accounts: User
) -> None:
    there = url(practice, "upload/?sort=-total")
    answer = client_of(accounts).post(url(practice, "upload/send/"), {"next": there}, follow=True)
    assert answer.redirect_chain == [(there, 302)]
    assert said(answer) == ["Nothing was done: tick at least one invoice first."]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "javascript:alert(1)",
        "/other/accounting/upload/",
        "\\\\evil.example",
        "/accounts/logout/",
    ],
)
def test_the_way_back_never_leads_out_of_the_practice(
    practice: Practice, accounts: User, elsewhere: str
) -> None:
    answer = client_of(accounts).post(url(practice, "upload/send/"), {"next": elsewhere})
    assert answer["Location"] == url(practice, "upload/")


@pytest.mark.parametrize("posted", ["", "x", "-1", "1e3", "٣", "9" * 30, "1;2"])
def test_what_is_no_id_is_no_error(practice: Practice, accounts: User, posted: str) -> None:
    answer = client_of(accounts).post(url(practice, "upload/send/"), {"invoice": posted})
    assert answer.status_code == 302


def test_the_whole_list_goes_when_it_is_the_list_that_was_seen(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    for _ in range(51):
        make(practice, office, customer, "10.00")
    make(practice, office, customer, "99.00", number="OTHER")
    browser = client_of(accounts)
    page = browser.get(url(practice, "upload/?q=ABT"))
    seen = page.context["whole_list"]
    assert "Select all 51, on every page" in text_of(page)
    browser.post(url(practice, "upload/send/?q=ABT"), {"whole_list": seen})
    with acting_for(practice.pk):
        sent = Upload.objects.filter(kind="invoice")
        assert sent.count() == 51
        assert not sent.filter(invoice__number="OTHER").exists()


def test_the_whole_list_stays_when_it_has_changed_meanwhile(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    for _ in range(51):
        make(practice, office, customer, "10.00")
    browser = client_of(accounts)
    seen = browser.get(url(practice, "upload/")).context["whole_list"]
    make(practice, office, customer, "10.00")
    answer = browser.post(url(practice, "upload/send/"), {"whole_list": seen}, follow=True)
    assert said(answer) == [
        "The list has changed since you opened it, so nothing was done. Look at it again."
    ]
    with acting_for(practice.pk):
        assert not Upload.objects.exists()


def test_parking_asks_for_the_reason_first(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    invoice = make(practice, office, customer, "1000.00")
    browser = client_of(accounts)
    asked = browser.post(url(practice, "upload/park/"), {"invoice": invoice.pk})
    assert "Park 1 invoice" in text_of(asked)
    assert f"{invoice.number}, Ridgeline Holdings Ltd, NZD 1,150.00" in text_of(asked)
    blank = browser.post(url(practice, "upload/park/"), {"invoice": invoice.pk, "reason": " "})
    assert "This field is required" in text_of(blank)
    with acting_for(practice.pk):
        assert Invoice.objects.get().parked_at is None


def test_a_parked_invoice_leaves_the_list_and_can_come_back(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    invoice = make(practice, office, customer)
    browser = client_of(accounts)
    posted = {"invoice": invoice.pk, "reason": "Sent by hand"}
    answer = browser.post(url(practice, "upload/park/"), posted, follow=True)
    assert said(answer) == ["1 invoice parked: Sent by hand"]
    assert numbers(answer) == []
    listed = text_of(browser.get(url(practice, "parked/")))
    assert f"{invoice.number} Parked Ridgeline Holdings Ltd" in listed
    assert f"{accounts.email} Sent by hand" in listed
    back = browser.post(url(practice, "parked/return/"), {"invoice": invoice.pk}, follow=True)
    assert said(back) == ["1 invoice can be uploaded again."]
    assert numbers(browser.get(url(practice, "upload/"))) == [invoice.number]
    with acting_for(practice.pk):
        told = {one.action: one for one in AuditEntry.objects.filter(action__startswith="invoice")}
    assert told["invoice.parked"].detail["reason"] == "Sent by hand"
    assert told["invoice.unparked"].detail["parked_because"] == {str(invoice.pk): "Sent by hand"}


def test_what_is_gone_is_counted_and_not_parked_or_sent(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    invoice, browser = make(practice, office, customer), client_of(accounts)
    gone = [invoice.pk + more for more in (1000, 2000, 3000)]
    for sent in ({}, {"reason": "Sent by hand"}):
        posted = {"invoice": gone, **sent}
        answer = browser.post(url(practice, "upload/park/"), posted, follow=True)
        assert said(answer) == ["3 of those selected: There is no such invoice."]
        assert numbers(answer) == [invoice.number]
    posted = {"invoice": [invoice.pk, gone[0]]}
    asked = browser.post(url(practice, "upload/park/"), posted)
    assert "1 of those selected: There is no such invoice." in text_of(asked)
    assert "Park 1 invoice" in text_of(asked)
    answer = browser.post(url(practice, "upload/send/"), {"invoice": gone}, follow=True)
    assert said(answer) == ["3 of those selected: There is no such invoice."]


def test_only_what_was_parked_is_recorded_as_parked(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    sent, free = make(practice, office, customer), make(practice, office, customer)
    browser = client_of(accounts)
    browser.post(url(practice, "upload/send/"), {"invoice": sent.pk})
    browser.post(url(practice, "upload/park/"), {"invoice": [sent.pk, free.pk], "reason": "x"})
    with acting_for(practice.pk):
        entry = AuditEntry.objects.get(action="invoice.parked")
    assert (entry.subject, entry.detail["invoices"]) == (free.number, [free.pk])


def test_what_is_on_its_way_cannot_be_parked(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    invoice = make(practice, office, customer)
    browser = client_of(accounts)
    browser.post(url(practice, "upload/send/"), {"invoice": invoice.pk})
    posted = {"invoice": invoice.pk, "reason": "Too late"}
    answer = browser.post(url(practice, "upload/park/"), posted, follow=True)
    assert said(answer)[-1] == (
        "1 invoice could not be parked: parked already, already in accounts, on the way, or sent."
    )
    with acting_for(practice.pk):
        assert Invoice.objects.get().parked_at is None
        assert not AuditEntry.objects.filter(action="invoice.parked").exists()


def test_a_viewer_sees_and_cannot_act(practice: Practice, office: Office, customer: Client) -> None:
    invoice = make(practice, office, customer)
    viewer = client_of(make_member(practice, Role.VIEWER))
    page = viewer.get(url(practice, "upload/"))
    assert numbers(page) == [invoice.number]
    body = page.content.decode()
    assert "Upload to accounts" not in body
    assert 'type="checkbox"' not in body
    for path in ("upload/send/", "upload/park/", "parked/return/"):
        posted = {"invoice": invoice.pk, "reason": "x"}
        assert viewer.post(url(practice, path), posted).status_code == 403
    with acting_for(practice.pk):
        assert not Upload.objects.exists()


def test_invoices_of_another_practice_are_neither_seen_nor_touched(
    practice: Practice, office: Office, customer: Client
) -> None:
    invoice = make(practice, office, customer)
    other = make_practice("Elsewhere Architects")
    stranger = client_of(make_member(other, Role.ADMIN))
    assert stranger.get(url(practice, "upload/")).status_code == 404
    assert numbers(stranger.get(url(other, "upload/"))) == []
    for path in ("upload/send/", "upload/park/", "parked/return/"):
        stranger.post(url(other, path), {"invoice": invoice.pk, "reason": "x"})
    with acting_for(practice.pk):
        assert not Upload.objects.exists()
        assert Invoice.objects.get().parked_at is None


def test_what_clients_are_called_is_shown_as_text(
    practice: Practice, accounts: User, office: Office
) -> None:
    with acting_for(practice.pk):
        rogue = make_client("<script>alert(1)</script>")
    make(practice, office, rogue)
    body = client_of(accounts).get(url(practice, "upload/")).content.decode()
    assert "<script>alert(1)" not in body
    assert "&lt;script&gt;alert(1)" in body


def test_amounts_add_up_to_the_cent_over_many_invoices(
    practice: Practice, accounts: User, office: Office, customer: Client
) -> None:
    with acting_for(practice.pk):
        for _ in range(40):
            make_invoice(office, customer, nets=("0.10", "1234567.89"))
    totals = client_of(accounts).get(url(practice, "upload/")).context["totals"]
    assert [one.net for one in totals] == [Decimal("49382719.60")]


@pytest.mark.parametrize("wrong", ["q=" + "x" * 300, "until=someday", "office=99999"])
def test_a_filter_that_cannot_be_used_shows_nothing_and_says_so(
    practice: Practice, accounts: User, office: Office, customer: Client, wrong: str
) -> None:
    make(practice, office, customer)
    page = client_of(accounts).get(url(practice, f"upload/?{wrong}"))
    assert numbers(page) == []
    assert 'class="field-error"' in page.content.decode()
