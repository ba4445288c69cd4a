"""Check and preview, seen as a person sees it: before anything is sent."""

import re
from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.utils import timezone

from connectors.xero.standin import XeroStandIn
from interfaces.models import AccountCode, AccountingInterface
from invoicing.models import Invoice, PackageContact, Upload
from offices.models import Office, Practice, Role, User
from offices.tenancy import acting_for
from tests.connected import ORGANISATION, connect_xero
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_job,
    make_member,
    make_office,
    make_setting,
)
from tests.faults.conftest import xero as xero  # the rehearsal Xero
from tests.invoicing.pages import client_of, counted_queries, said, text_of, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts(practice: Practice) -> User:
    """Somebody who may upload."""
    return make_member(practice, Role.ACCOUNTS)


@pytest.fixture
def interface(practice: Practice) -> AccountingInterface:
    """Connected and live."""
    with acting_for(practice.pk):
        return make_interface(name="Xero Auckland")


@pytest.fixture
def office(practice: Practice, interface: AccountingInterface) -> Office:
    """An office whose invoices go through it."""
    with acting_for(practice.pk):
        return make_office(make_setting(interface), name="Auckland")


def ask(user: User, practice: Practice, invoices: list[Invoice], **posted: Any) -> Any:
    """The preview of these."""
    chosen = {"invoice": [one.pk for one in invoices]}
    return client_of(user).post(url(practice, "upload/preview/"), {**chosen, **posted})


def choose(user: User, practice: Practice, page: Any, **posted: Any) -> Any:
    """Upload what was previewed."""
    form = {"chosen": page.context["chosen"], **posted}
    return client_of(user).post(url(practice, "upload/preview/send/"), form, follow=True)


def sent(practice: Practice) -> dict[str, str]:
    """The state of every invoice that is in a batch, by its number."""
    with acting_for(practice.pk):
        found = Upload.objects.filter(kind__in=["invoice", "credit_note"])
        return dict(found.values_list("invoice__number", "state"))


def test_what_is_chosen_is_shown_grouped_with_its_count_its_value_and_what_is_wrong(
    practice: Practice, accounts: User, office: Office, interface: AccountingInterface
) -> None:
    with acting_for(practice.pk):
        client = make_client("Ridgeline Holdings Ltd")
        good = make_invoice(office, client, nets=["1000.00"], number="A-1")
        bad = make_invoice(
            office, client, nets=["200.00"], number="A-2", line_fields={"account_code": "999"}
        )
        note = make_invoice(office, client, nets=["-100.00"], number="A-3")
    page = ask(accounts, practice, [good, bad, note])
    text = text_of(page).replace("\xa0", " ")
    assert "Preview: 2 of 3 can go Nothing is sent yet." in text
    assert "2 invoices NZD 1,200.00 excl tax, 1,380.00 incl tax · 1 cannot go" in text
    assert "1 credit note NZD -100.00 excl tax, -115.00 incl tax" in text
    assert "A-2 Ridgeline Holdings Ltd NZD 230.00 Cannot go" in text
    assert "999" in text[text.index("Cannot go") :]
    # What cannot go is listed before what can.
    assert text.index("A-2 Ridgeline") < text.index("A-1 Ridgeline")
    assert "1 client to go first" in text
    assert "Ridgeline Holdings Ltd Xero Auckland New: added to Xero. 3 NZD 1,265.00" in text
    assert sent(practice) == {}


def test_the_list_says_of_every_row_whether_it_can_go_and_why_not(
    practice: Practice, accounts: User, office: Office
) -> None:
    with acting_for(practice.pk):
        client = make_client("Ridgeline")
        good = make_invoice(office, client, number="A-1")
        bad = make_invoice(office, client, number="A-2", line_fields={"account_code": "999"})
    browser = client_of(accounts)
    page = browser.get(url(practice, "upload/"))
    # The page itself does not wait for it.
    assert "Cannot go" not in text_of(page)
    [address] = re.findall(r'hx-get="([^"]*/checks/[^"]*)"', page.content.decode())
    part = browser.get(unescape(address)).content.decode()
    told = dict(re.findall(r'(?s)id="check-(\d+)" hx-swap-oob="innerHTML">(.*?)</a>', part))
    assert "Cannot go" in told[str(bad.pk)]
    assert "Account code 999" in part
    assert "Cannot go" not in told[str(good.pk)]
    # Without scripts the same is asked for by a link.
    plain = text_of(browser.get(url(practice, "upload/?checked=yes")))
    assert plain.count("Cannot go") == 1
    assert "Account code 999" in plain


def test_what_is_skipped_by_row_group_or_client_stays_on_the_list_and_the_rest_goes(
    practice: Practice, accounts: User, office: Office
) -> None:
    with acting_for(practice.pk):
        ridge, kauri = make_client("Ridgeline"), make_client("Kauri")
        first = make_invoice(office, ridge, nets=["1.00"], number="A-1")
        second = make_invoice(office, ridge, nets=["2.00"], number="A-2")
        of_kauri = make_invoice(office, kauri, nets=["3.00"], number="A-3")
        note = make_invoice(office, ridge, nets=["-4.00"], number="A-4")
    page = ask(accounts, practice, [first, second, of_kauri, note])
    choose(
        accounts,
        practice,
        page,
        skip=[first.pk],
        skip_group=["credit_note"],
        skip_client=[kauri.pk],
    )
    assert sent(practice) == {"A-2": "queued"}


def test_checked_again_what_was_to_be_skipped_still_is(
    practice: Practice, accounts: User, office: Office
) -> None:
    with acting_for(practice.pk):
        client = make_client()
        one, other = (make_invoice(office, client, nets=[net]) for net in ("1.00", "-2.00"))
    page = ask(accounts, practice, [one, other])
    ticks = {"skip": [one.pk], "skip_group": ["credit_note"], "skip_client": [client.pk]}
    again = ask(accounts, practice, [], chosen=page.context["chosen"], **ticks)
    boxes = re.findall(r'name="(skip\w*)" value="(\w+)" checked', again.content.decode())
    assert boxes == [
        ("skip", str(one.pk)),
        ("skip_group", "credit_note"),
        ("skip_client", str(client.pk)),
    ]


def test_what_would_not_join_a_batch_is_left_out_of_the_preview_and_says_why(
    practice: Practice, accounts: User, office: Office, interface: AccountingInterface
) -> None:
    with acting_for(practice.pk):
        client = make_client()
        good = make_invoice(office, client, number="A-1")
        parked = make_invoice(office, client, number="A-2", parked_at=timezone.now())
        draft = make_invoice(office, client, number="A-3", committed=False)
    text = text_of(ask(accounts, practice, [good, parked, draft]))
    assert "Preview: 1 of 1 can go" in text
    assert "A-2: Parked. Un-park it first." in text
    assert "A-3: Not committed yet. Commit it in Abtrac first." in text
    with acting_for(practice.pk):
        AccountingInterface.objects.filter(pk=interface.pk).update(state="disconnected")
    assert "Preview: 0 of 0 can go" in text_of(ask(accounts, practice, [good]))
    told = text_of(client_of(accounts).get(url(practice, "upload/?checked=yes")))
    assert "Cannot go" in told
    assert "Xero Auckland is disconnected." in told


def test_what_would_be_done_with_a_client_is_not_told_where_the_client_is_refused(
    practice: Practice, accounts: User, office: Office, interface: AccountingInterface
) -> None:
    with acting_for(practice.pk):
        read = {"contacts_read_at": timezone.now()}
        AccountingInterface.objects.filter(pk=interface.pk).update(**read)
        one = make_invoice(office, make_client("Smith <Holdings>"))
    text = text_of(ask(accounts, practice, [one]))
    assert "Cannot go" in text
    assert "added" not in text


def test_one_that_cannot_go_does_not_hold_the_others_up(
    practice: Practice, accounts: User, office: Office
) -> None:
    with acting_for(practice.pk):
        client = make_client()
        good = make_invoice(office, client, number="A-1")
        bad = make_invoice(office, client, number="A-2", line_fields={"account_code": "999"})
    choose(accounts, practice, ask(accounts, practice, [good, bad]))
    assert sent(practice) == {"A-1": "queued", "A-2": "refused"}


def test_when_everything_is_skipped_nothing_is_sent_and_it_says_so(
    practice: Practice, accounts: User, office: Office
) -> None:
    with acting_for(practice.pk):
        one = make_invoice(office, make_client())
    page = choose(accounts, practice, ask(accounts, practice, [one]), skip=[one.pk])
    assert said(page) == ["Nothing was sent: everything was to be skipped."]
    assert sent(practice) == {}


def test_a_client_that_the_packages_list_has_is_linked_and_not_added(
    practice: Practice, accounts: User, office: Office, interface: AccountingInterface
) -> None:
    with acting_for(practice.pk):
        client = make_client("Ridgeline")
        PackageContact.objects.create(
            interface=interface,
            remote_id="r1",
            name="Ridgeline",
            folded="ridgeline",
            number=client.abtrac_id,
        )
        one = make_invoice(office, client)
    assert "Found in Xero's list: linked, not added." in text_of(ask(accounts, practice, [one]))


def test_jobs_that_go_first_are_shown_and_can_be_skipped_with_their_invoices(
    practice: Practice, accounts: User, office: Office, interface: AccountingInterface
) -> None:
    with acting_for(practice.pk):
        preferences = {"jobs": "tracking", "tracking_category": "Job"}
        AccountingInterface.objects.filter(pk=interface.pk).update(preferences=preferences)
        client = make_client()
        job = make_job(client, code="26001", description="House")
        with_job = make_invoice(office, client, number="A-1", job=job)
        without = make_invoice(office, client, number="A-2")
    page = ask(accounts, practice, [with_job, without])
    assert "1 job to go first" in text_of(page)
    assert "26001 House" in text_of(page)
    choose(accounts, practice, page, skip_job=[job.pk])
    assert sent(practice) == {"A-2": "queued"}


@pytest.mark.parametrize("part", [False, True], ids=["page", "within the preview"])
def test_a_row_opens_exactly_what_will_be_sent_with_names_and_the_packages_total(
    practice: Practice, accounts: User, office: Office, part: bool
) -> None:
    with acting_for(practice.pk):
        one = make_invoice(office, make_client("Ridgeline"), nets=["1000.00", "0.35"])
    headers = {"HX-Request": "true"} if part else {}
    page = client_of(accounts).get(url(practice, f"invoices/{one.pk}/sent/"), headers=headers)
    text = text_of(page).replace("\xa0", " ")
    assert ("<h1" in page.content.decode()) is not part
    with acting_for(practice.pk):
        account = AccountCode.objects.get(code="200")
    assert str(account) in text
    assert "OUTPUT2" in text
    assert "15 %" in text
    assert f"Xero will show NZD {one.total:,.2f}" in text
    assert "as Abtrac does" in text


def test_lines_that_go_as_one_say_which_of_ours_they_stand_for(
    practice: Practice, accounts: User, office: Office, interface: AccountingInterface
) -> None:
    with acting_for(practice.pk):
        AccountingInterface.objects.filter(pk=interface.pk).update(preferences={"detail": "single"})
        one = make_invoice(office, make_client("Ridgeline"), nets=["1000.00", "0.35"])
    text = text_of(client_of(accounts).get(url(practice, f"invoices/{one.pk}/sent/")))
    assert "(lines 1, 2 together)" in text


def test_the_preview_asks_as_much_of_the_database_for_forty_as_for_four(
    practice: Practice, accounts: User, office: Office
) -> None:
    with acting_for(practice.pk):
        clients = [make_client() for _ in range(8)]
        many = [make_invoice(office, clients[n % 8], nets=["10.00"]) for n in range(40)]
    counts = []
    for chosen in (many[:4], many):
        with counted_queries() as queries:
            ask(accounts, practice, chosen)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[1] <= 34


def test_of_many_the_page_shows_some_counts_all_and_sends_all(
    practice: Practice, accounts: User, office: Office
) -> None:
    with acting_for(practice.pk):
        client = make_client()
        many = [make_invoice(office, client, nets=["10.00"]) for _ in range(120)]
    page = ask(accounts, practice, many)
    assert "Preview: 120 of 120 can go" in text_of(page)
    assert "And 20 more, which are ready." in text_of(page)
    choose(accounts, practice, page)
    assert set(sent(practice).values()) == {"queued"}
    assert len(sent(practice)) == 120


def test_a_viewer_may_see_what_is_sent_but_not_upload(practice: Practice, office: Office) -> None:
    viewer = make_member(practice, Role.VIEWER)
    with acting_for(practice.pk):
        one = make_invoice(office, make_client())
    assert client_of(viewer).get(url(practice, f"invoices/{one.pk}/sent/")).status_code == 200
    assert ask(viewer, practice, [one]).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_check_again_reads_what_the_package_says_now(
    practice: Practice, accounts: User, xero: XeroStandIn
) -> None:
    connected = connect_xero(practice, xero, accounts)
    books = xero.organisation(ORGANISATION)
    with acting_for(practice.pk):
        office = make_office(make_setting(connected), name="Auckland")
        AccountingInterface.objects.filter(pk=connected.pk).update(lock_date=date(2026, 10, 31))
        one = make_invoice(office, make_client(), nets=[str(Decimal(10))], issued=date(2026, 10, 5))
    page = ask(accounts, practice, [one])
    assert "0 of 1 can go" in text_of(page)
    books.set_lock_date(None)
    again = client_of(accounts).post(
        url(practice, "upload/preview/check/"), {"chosen": page.context["chosen"]}
    )
    assert "1 of 1 can go" in text_of(again)
