"""The set-up step by step, its test, going live, pausing, and sign-ins that lapse."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connectors.base.standin import Answer
from connectors.xero.standin import XeroStandIn
from interfaces import lapsing
from interfaces.models import AccountCode, AccountingInterface, Credential, LivePeriod
from interfaces.preferences import settings_for
from invoicing import set_up, set_up_checks
from invoicing.models import Invoice, InvoiceSetting, Upload
from invoicing.set_up_checks import Check
from invoicing.uploads import lane
from offices.models import AuditEntry, Practice, Role, User
from offices.people import grant_support
from offices.tenancy import acting_for
from tests.connected import ORGANISATION, connect_xero
from tests.factories import (
    make_client,
    make_invoice,
    make_member,
    make_office,
    make_setting,
    make_user,
)
from tests.invoicing.pages import client_of, counted_queries, said, text_of, url

pytestmark = pytest.mark.django_db

State = AccountingInterface.State


@pytest.fixture
def xero(settings: Any) -> Iterator[XeroStandIn]:
    """A rehearsal Xero, which the product takes for Xero."""
    with XeroStandIn() as running:
        app = {**settings.PACKAGE_APPS["xero"], "endpoints": running.endpoints}
        app |= {"client_id": running.client_id, "client_secret": running.client_secret}
        settings.PACKAGE_APPS = {**settings.PACKAGE_APPS, "xero": app}
        yield running


@pytest.fixture
def admin(practice: Practice) -> User:
    """The admin who sets up."""
    return make_member(practice, Role.ADMIN, "ana@harbour.example")


@pytest.fixture
def browser(admin: User) -> Client:
    """Her browser."""
    return client_of(admin)


@pytest.fixture
def interface(practice: Practice, xero: XeroStandIn, admin: User) -> AccountingInterface:
    """Connected, its codes read and its defaults set; not live."""
    made = connect_xero(practice, xero, admin)
    with acting_for(practice.pk):
        made.live_since = None
        made.save()
    return made


@pytest.fixture
def setting(practice: Practice) -> InvoiceSetting:
    """The practice's only invoice setting, linked to nothing yet."""
    with acting_for(practice.pk):
        made = make_setting(name="Standard")
        make_office(made)
        return made


def page_of(name: str, interface: AccountingInterface) -> str:
    return reverse(name, args=[interface.practice.slug, interface.pk])


def make(practice: Practice, setting: InvoiceSetting, **fields: Any) -> Invoice:
    with acting_for(practice.pk):
        office = setting.offices.get().office
        return make_invoice(office, make_client(), **{"issued": date(2026, 11, 20), **fields})


def step_of(browser: Client, interface: AccountingInterface, after: str = "") -> str:
    """Where the set-up goes on."""
    address = page_of("invoicing:set_up", interface) + (f"?after={after}" if after else "")
    there: str = browser.get(address)["Location"]
    pages = {page_of(page, interface): key for key, page in set_up.PAGES.items()}
    return pages[there]


def sign_in(xero: XeroStandIn, address: str) -> str:
    """Allow access at Xero; the way back."""
    asked = dict(parse_qsl(urlsplit(address).query))
    given = {"organisation": xero.organisation(ORGANISATION).tenant_id, "decision": "allow"}
    answer = requests.post(
        address.split("?")[0], data=asked | given, allow_redirects=False, timeout=10
    )
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def link(browser: Client, interface: AccountingInterface, **posted: Any) -> Any:
    posted = {"offered_from": "2026-11-01", **posted}
    return browser.post(page_of("invoicing:link_settings", interface), posted, follow=False)


def checks_of(practice: Practice, interface: AccountingInterface) -> dict[str, Check]:
    found = set_up_checks.run(practice=practice, interface_id=interface.pk)
    return {one.name: one for one in found}


# --- Steps -----


def test_the_set_up_goes_on_where_anybody_left_it(
    practice: Practice, interface: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    assert step_of(browser, interface) == "clients"
    assert step_of(browser, interface, after="clients") == "settings"
    other = client_of(make_member(practice, Role.ADMIN))
    assert step_of(other, interface) == "settings"
    answer = link(other, interface, setting=[setting.pk])
    assert answer["Location"].endswith("?after=settings")
    assert step_of(other, interface, after="settings") == "test"
    assert step_of(browser, interface) == "test"
    assert step_of(browser, interface, after="test") == "go_live"
    # Going back leaves nothing behind undone.
    with acting_for(practice.pk):
        AccountingInterface.objects.update(revenue_account=None)
    assert step_of(browser, interface) == "codes"
    assert step_of(browser, interface, after="test") == "codes"


def test_nobody_but_an_admin_sets_up(interface: AccountingInterface, practice: Practice) -> None:
    for role in (Role.ACCOUNTS, Role.VIEWER):
        person = client_of(make_member(practice, role))
        for page in ("set_up", "test", "tried", "go_live", "link_settings"):
            assert person.get(page_of(f"invoicing:{page}", interface)).status_code == 403
        for page in ("invoicing:try_one", "invoicing:go_live", "interfaces:pause"):
            assert person.post(page_of(page, interface)).status_code == 403


# --- Invoices: settings, and from which date on -----


def test_settings_and_date_are_saved_together_and_recorded_before_and_after(
    practice: Practice, interface: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    page = browser.get(page_of("invoicing:link_settings", interface))
    first = timezone.localdate().replace(day=1)
    assert f'value="{first:%Y-%m-%d}"' in page.content.decode()
    assert setting.pk in page.context["chosen"]  # the only one there is
    assert link(browser, interface, setting=[setting.pk], offered_from="").status_code == 200
    with acting_for(practice.pk):
        assert not InvoiceSetting.objects.filter(interface=interface).exists()
    old = make(practice, setting, issued=date(2026, 10, 5))
    asked = link(browser, interface, setting=[setting.pk], mark_older="on")
    assert "1 invoice, NZD 1,150.00 incl tax, would be marked" in text_of(asked)
    with acting_for(practice.pk):
        assert not Invoice.objects.filter(in_accounts_at__isnull=False).exists()
    answer = link(browser, interface, setting=[setting.pk], mark_older="on", sure="on")
    assert answer.status_code == 302
    with acting_for(practice.pk):
        interface.refresh_from_db()
        entry = AuditEntry.objects.get(action="interface.invoice_settings")
        assert Invoice.objects.get(pk=old.pk).in_accounts_at is not None
    assert interface.offered_from == date(2026, 11, 1)
    assert entry.detail["before"] == {"settings": [], "offered_from": ""}
    assert entry.detail["after"] == {"settings": ["Standard"], "offered_from": "2026-11-01"}
    assert entry.detail["marked_in_accounts"] == 1
    assert entry.address == "127.0.0.1"


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "9999-12-31", "soon"])
def test_a_date_nobody_means_is_refused(
    practice: Practice,
    interface: AccountingInterface,
    setting: InvoiceSetting,
    browser: Client,
    day: str,
) -> None:
    answer = link(browser, interface, setting=[setting.pk], offered_from=day)
    assert answer.status_code == 200
    with acting_for(practice.pk):
        assert AccountingInterface.objects.get().offered_from is None


def test_a_date_is_read_as_it_is_written_here(
    practice: Practice, interface: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    link(browser, interface, setting=[setting.pk], offered_from="1/12/2026")
    with acting_for(practice.pk):
        assert AccountingInterface.objects.get().offered_from == date(2026, 12, 1)


def test_without_an_invoice_setting_the_step_is_not_left(
    interface: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    answer = link(browser, interface)
    assert said(answer) == ["Nothing was saved: tick at least one invoice setting."]


def test_moving_a_setting_asks_and_names_both_interfaces(
    practice: Practice,
    interface: AccountingInterface,
    xero: XeroStandIn,
    admin: User,
    setting: InvoiceSetting,
    browser: Client,
) -> None:
    other = connect_xero(practice, xero, admin, name="Xero Napier")
    with acting_for(practice.pk):
        InvoiceSetting.objects.update(interface=other)
    page = text_of(browser.get(page_of("invoicing:link_settings", interface)))
    assert "Move it from Xero Napier to Xero" in page
    refused = link(browser, interface, setting=[setting.pk])
    assert said(refused) == [
        "Standard is linked to Xero Napier. Tick “move” beside it to link it here instead."
    ]
    link(browser, interface, setting=[setting.pk], move=[setting.pk])
    with acting_for(practice.pk):
        assert InvoiceSetting.objects.get().interface == interface
    lost = browser.get(page_of("invoicing:interface_history", other))
    assert "Settings: Standard → moved to Xero" in text_of(lost)
    assert said(lost)[0] == (
        "Standard went through Xero Napier, which is live: those invoices cannot be uploaded until"
        " Xero is live."
    )


# --- Test -----


def test_all_is_well(
    practice: Practice, interface: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    link(browser, interface, setting=[setting.pk])
    invoice = make(practice, setting)
    checks = checks_of(practice, interface)
    assert {one.state for one in checks.values()} == {"ready"}, checks
    assert checks["Organisation"].sentence == f"{ORGANISATION} (NZ, NZD)"
    assert invoice.number in checks["Next invoice number"].sentence
    page = text_of(browser.get(page_of("invoicing:test", interface)))
    assert "Nothing stands in the way." in page


def test_the_checks_write_nothing(
    practice: Practice,
    interface: AccountingInterface,
    setting: InvoiceSetting,
    browser: Client,
    xero: XeroStandIn,
) -> None:
    link(browser, interface, setting=[setting.pk])
    make(practice, setting)
    browser.get(page_of("invoicing:test", interface))
    assert {one.method for one in xero.requests} <= {"GET"}


def test_each_thing_that_is_wrong_is_red_with_the_way_to_mend_it(
    practice: Practice,
    interface: AccountingInterface,
    setting: InvoiceSetting,
    browser: Client,
    xero: XeroStandIn,
) -> None:
    link(browser, interface, setting=[setting.pk])
    invoice = make(practice, setting)
    books = xero.organisation(ORGANISATION)
    books.archive_account("200")
    books.set_lock_date(date(2026, 11, 25))
    books.add_contact(name="Somebody Else Ltd")
    books.add_invoice(number=invoice.number, contact="Somebody Else Ltd", total="9.00")
    with acting_for(practice.pk):
        Credential.objects.update(scopes="accounting.invoices")
        AccountingInterface.objects.update(codes_read_at=timezone.now() - timedelta(minutes=2))
        Practice.objects.update(country="AU")
    practice.refresh_from_db()
    checks = checks_of(practice, interface)
    assert checks["Accounts"].state == "error"
    assert (
        "200 Fees (from the default for revenue) is archived in Xero."
        in checks["Accounts"].sentence
    )
    assert checks["Accounts"].step == "codes"
    assert checks["Permission to write"].state == "error"
    assert "accounting.contacts" in checks["Permission to write"].sentence
    assert checks["Currency"].state == "error"
    assert checks["Lock date"].state == "warning"
    assert invoice.number in checks["Lock date"].sentence
    assert checks["Next invoice number"].state == "warning"
    page = browser.get(page_of("invoicing:test", interface))
    assert page_of("interfaces:codes", interface) in page.content.decode()
    assert "need mending" in text_of(page)


def test_tax_that_the_rate_does_not_explain_is_told_before_anything_is_sent(
    practice: Practice, interface: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    link(browser, interface, setting=[setting.pk])
    invoice = make(practice, setting, nets=["1035.00"])
    with acting_for(practice.pk):
        interface.refresh_from_db()
        interface.revenue_tax = interface.tax_free_tax
        interface.save()
    check = checks_of(practice, interface)["Tax codes"]
    assert (check.state, check.step) == ("error", "codes")
    assert check.sentence == (
        f"{invoice.number}, line 1: Its tax is 155.25, but ZERORATED at 0 % of 1,035.00 is 0.00."
    )
    page = text_of(browser.get(page_of("invoicing:go_live", interface)))
    assert check.sentence in page
    assert "in spite of what is said above" in page


def test_a_package_that_wants_us_to_wait_is_nothing_to_mend(
    practice: Practice, interface: AccountingInterface, xero: XeroStandIn
) -> None:
    xero.script(fault=Answer(429, headers={"Retry-After": "30"}), times=20)
    checks = checks_of(practice, interface)
    assert checks["Sign-in"].label == "Later"
    assert "Check again in a minute." in checks["Sign-in"].sentence


def test_codes_read_a_moment_ago_are_not_read_again(
    practice: Practice, interface: AccountingInterface, xero: XeroStandIn
) -> None:
    before = len(xero.seen("GET", ".*/Accounts"))
    assert checks_of(practice, interface)["Reading accounts and tax codes"].state == "ready"
    assert len(xero.seen("GET", ".*/Accounts")) == before


def test_a_lost_sign_in_is_told_and_nothing_else_is_asked(
    practice: Practice, interface: AccountingInterface, xero: XeroStandIn
) -> None:
    xero.disconnect(ORGANISATION)
    checks = checks_of(practice, interface)
    assert checks["Sign-in"].state == "error" or checks["Organisation"].state == "error"


def test_one_invoice_is_tried_as_a_draft_and_shown_with_its_link(
    practice: Practice,
    interface: AccountingInterface,
    setting: InvoiceSetting,
    browser: Client,
    xero: XeroStandIn,
) -> None:
    link(browser, interface, setting=[setting.pk])
    invoice = make(practice, setting)
    with acting_for(practice.pk):
        interface.refresh_from_db()
        assert interface.preferences["delivery_status"] == "AUTHORISED"
        assert settings_for(interface)["delivery_status"] == "DRAFT"
    nothing = browser.post(page_of("invoicing:try_one", interface), follow=True)
    assert said(nothing)[-1] == "Nothing was sent: choose one of the invoices first."
    browser.post(page_of("invoicing:try_one", interface), {"invoice": [invoice.pk]})
    lane.drain(practice_id=practice.pk, interface_id=interface.pk)
    page = browser.get(page_of("invoicing:tried", interface))
    assert f"{invoice.number} Sent Open {invoice.number} in Xero" in text_of(page)
    (there,) = xero.organisation(ORGANISATION).invoices
    assert there.status == "DRAFT"
    with acting_for(practice.pk):
        assert Upload.objects.filter(kind="invoice", state="sent").count() == 1


# --- Going live -----


def test_going_live_shows_the_summary_and_begins_the_charge(
    practice: Practice, interface: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    make_member(practice, Role.ACCOUNTS, "bo@harbour.example")
    link(browser, interface, setting=[setting.pk])
    page = text_of(browser.get(page_of("invoicing:go_live", interface)))
    for words in (f"{ORGANISATION} (NZ, NZD) in Xero", "Standard", "1 Nov 2026", "$15.00"):
        assert words in page
    assert "ana@harbour.example" in page
    assert "bo@harbour.example" in page
    unsure = browser.post(page_of("invoicing:go_live", interface))
    assert said(unsure) == ["Tick that the summary is right first."]
    live = browser.post(page_of("invoicing:go_live", interface), {"sure": "on"}, follow=True)
    assert said(live) == ["Xero is live. Its invoices can be uploaded."]
    with acting_for(practice.pk):
        interface.refresh_from_db()
        assert interface.is_live
        assert settings_for(interface)["delivery_status"] == "AUTHORISED"
        entry = AuditEntry.objects.get(action="interface.live")
    assert (entry.detail["before"], entry.detail["after"]) == ("being set up", "live")
    assert LivePeriod.objects.filter(practice=practice, ended_on=None).count() == 1
    # A second press changes nothing.
    browser.post(page_of("invoicing:go_live", interface), {"sure": "on"})
    assert LivePeriod.objects.filter(practice=practice).count() == 1
    detail = browser.get(page_of("interfaces:detail", interface))
    for tab in ("Connection", "Codes", "Clients", "Invoice settings", "History", "Health"):
        assert tab in text_of(detail)


def test_support_does_not_take_a_practice_live(
    practice: Practice, interface: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    link(browser, interface, setting=[setting.pk])
    support = make_user("sam@abtrac.example", is_support=True)
    grant_support(
        practice=practice,
        user=support,
        granted_by=make_member(practice, Role.ADMIN),
        reason="Help",
        ends_at=timezone.now() + timedelta(hours=1),
    )
    answer = client_of(support).post(page_of("invoicing:go_live", interface), {"sure": "on"})
    assert said(answer) == ["Only an admin of Harbour Architects takes a link live."]
    with acting_for(practice.pk):
        assert not AccountingInterface.objects.get().is_live


def test_what_is_missing_keeps_it_from_going_live(
    practice: Practice, interface: AccountingInterface, browser: Client
) -> None:
    with acting_for(practice.pk):
        AccountingInterface.objects.update(revenue_tax=None)
    answer = browser.post(page_of("invoicing:go_live", interface), {"sure": "on"})
    assert said(answer) == [
        "Not live yet. Not set yet: tax code for revenue. No invoice setting is linked to it."
        " No go-live date is set."
    ]
    with acting_for(practice.pk):
        assert not AccountingInterface.objects.get().is_live


# --- Pausing -----


@pytest.fixture
def live(
    practice: Practice, interface: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> AccountingInterface:
    """The interface, live."""
    link(browser, interface, setting=[setting.pk])
    browser.post(page_of("invoicing:go_live", interface), {"sure": "on"})
    with acting_for(practice.pk):
        interface.refresh_from_db()
    return interface


def test_a_paused_interface_lets_what_is_uploaded_wait_and_goes_on_when_resumed(
    practice: Practice, live: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    invoice = make(practice, setting)
    page = browser.get(page_of("interfaces:detail", live)).content.decode()
    assert "Xero is no longer in use" in page
    paused = browser.post(page_of("interfaces:pause", live), follow=True)
    assert said(paused) == ["Xero is paused. What is uploaded waits."]
    assert LivePeriod.objects.get(practice=practice).ended_on is not None
    browser.post(url(practice, "upload/send/"), {"invoice": [invoice.pk]})
    lane.drain(practice_id=practice.pk, interface_id=live.pk)
    with acting_for(practice.pk):
        assert Upload.objects.get(kind="invoice").state == "queued"
    twice = browser.post(page_of("interfaces:pause", live), follow=True)
    assert said(twice)[-1] == "Xero is not connected, so there is nothing to pause."
    resumed = browser.post(page_of("interfaces:resume", live), follow=True)
    assert said(resumed) == ["Xero goes on, with what waits first."]
    assert LivePeriod.objects.filter(practice=practice, ended_on=None).count() == 1
    lane.drain(practice_id=practice.pk, interface_id=live.pk)
    with acting_for(practice.pk):
        assert Upload.objects.get(kind="invoice").state == "sent"
        told = list(AuditEntry.objects.filter(action__in=["interface.paused", "interface.resumed"]))
    assert [(one.detail["before"], one.detail["after"]) for one in told] == [
        ("Connected", "Paused"),
        ("Paused", "Connected"),
    ]


def test_a_paused_interface_says_what_it_waits_for_and_offers_that_first(
    browser: Client, live: AccountingInterface
) -> None:
    browser.post(page_of("interfaces:pause", live))
    page = browser.get(page_of("interfaces:detail", live)).content.decode()
    assert "Invoices wait until it is resumed; nothing is lost." in page
    assert page.index(">Resume</button>") < page.index(">Reconnect to Xero</button>")
    [primary] = re.findall(
        r'<button class="btn btn-primary"[^>]*>([^<]*)', page.split("</nav>")[-1]
    )
    assert primary == "Resume"
    [asked] = re.findall(r'data-confirm="(Resume [^"]*)"', page)
    assert asked == (
        "Resume Xero? What waits goes at once. Xero costs $15.00 a month, from this month on."
    )
    charged = text_of(browser.get(f"/{live.practice.slug}/accounting/charges/"))
    assert "No interface is in use now." in charged


def test_signing_in_again_leaves_a_paused_interface_paused(
    practice: Practice, live: AccountingInterface, browser: Client, xero: XeroStandIn
) -> None:
    browser.post(page_of("interfaces:pause", live))
    there = browser.post(page_of("interfaces:connect", live))["Location"]
    answer = browser.get(sign_in(xero, there), follow=True)
    assert said(answer)[-1] == "Xero is signed in again. It stays paused until it is resumed."
    with acting_for(practice.pk):
        assert AccountingInterface.objects.get().state == State.PAUSED
    assert not LivePeriod.objects.filter(ended_on=None).exists()


def test_a_sign_in_for_what_was_removed_meanwhile_says_so(
    practice: Practice, interface: AccountingInterface, browser: Client, xero: XeroStandIn
) -> None:
    there = browser.post(page_of("interfaces:connect", interface))["Location"]
    back = sign_in(xero, there)
    with acting_for(practice.pk):
        interface.delete()
    answer = browser.get(back)
    assert answer.status_code == 400
    assert "has been removed meanwhile. Nothing has changed." in text_of(answer)


# --- Sign-ins that lapse -----


@pytest.mark.parametrize("state", [State.NEEDS_CONSENT, State.DISCONNECTED])
def test_what_is_lost_already_is_not_about_to_lapse(
    practice: Practice, live: AccountingInterface, state: State
) -> None:
    with acting_for(practice.pk):
        Credential.objects.update(lapses_at=timezone.now() + timedelta(days=1))
        AccountingInterface.objects.update(state=state)
    assert lapsing.warn_all() == 0


@pytest.mark.parametrize(("days", "warned"), [(15, None), (13, 14), (6, 7), (1, 2)])
def test_a_sign_in_that_is_about_to_lapse_is_told_once_each_time(
    practice: Practice,
    live: AccountingInterface,
    browser: Client,
    days: int,
    warned: int | None,
) -> None:
    make_member(practice, Role.VIEWER)
    with acting_for(practice.pk):
        found = Credential.objects.get()
        assert found.lapses_at is not None  # sixty days after it was last used
        assert found.lapses_at - timezone.now() > timedelta(days=59)
        Credential.objects.update(lapses_at=timezone.now() + timedelta(days=days, hours=1))
    assert lapsing.warn_all() == (1 if warned else 0)
    assert lapsing.warn_all() == 0
    assert [one.to for one in mail.outbox] == ([["ana@harbour.example"]] if warned else [])
    with acting_for(practice.pk):
        assert Credential.objects.get().warned_days == warned
    page = text_of(browser.get(page_of("interfaces:detail", live)))
    assert ("ends this sign-in on" in page) == (warned is not None)
    if warned:
        assert f"in {days} day" in page
        assert f"within {warned} days" in mail.outbox[0].body
        assert page_of("interfaces:detail", live) in mail.outbox[0].body


def test_nobody_is_warned_of_a_rehearsal(practice: Practice, live: AccountingInterface) -> None:
    with acting_for(practice.pk):
        Credential.objects.update(lapses_at=timezone.now() + timedelta(days=1))
        AccountingInterface.objects.update(rehearsal_token="rehearsed")
    assert lapsing.warn_all() == 0
    assert mail.outbox == []


# --- History and health -----


def test_history_tells_of_batches_and_of_changes_with_what_was_before(
    practice: Practice, live: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    invoice = make(practice, setting)
    browser.post(url(practice, "upload/send/"), {"invoice": [invoice.pk]})
    lane.drain(practice_id=practice.pk, interface_id=live.pk)
    support = make_user("sam@abtrac.example", is_support=True)
    grant_support(
        practice=practice,
        user=support,
        granted_by=make_member(practice, Role.ADMIN),
        reason="Help",
        ends_at=timezone.now() + timedelta(hours=1),
    )
    client_of(support).post(page_of("interfaces:pause", live))
    page = text_of(browser.get(page_of("invoicing:interface_history", live)))
    assert "Batch 1" in page
    assert "sam@abtrac.example (support)" in page
    assert "Connected → Paused" in page
    assert "Settings: nothing → Standard" in page
    assert "127.0.0.1" in page


def test_health_tells_of_the_last_call_and_of_what_vanished(
    practice: Practice, live: AccountingInterface, setting: InvoiceSetting, browser: Client
) -> None:
    invoice = make(practice, setting)
    browser.post(url(practice, "upload/send/"), {"invoice": [invoice.pk]})
    lane.drain(practice_id=practice.pk, interface_id=live.pk)
    with acting_for(practice.pk):
        AccountCode.objects.filter(code="200").update(vanished_at=timezone.now())
    page = text_of(browser.get(page_of("invoicing:health", live)))
    assert "Last written there" in page
    assert "(200)" in page
    assert "200 Fees (a default) is no longer in" in page


@pytest.mark.parametrize("page", ["invoicing:interface_history", "invoicing:health"])
def test_tabs_cost_as_many_queries_for_many_rows_as_for_few(
    practice: Practice,
    live: AccountingInterface,
    setting: InvoiceSetting,
    browser: Client,
    page: str,
) -> None:
    counts = []
    for _ in range(2):
        for _ in range(3):
            invoice = make(practice, setting)
            browser.post(url(practice, "upload/send/"), {"invoice": [invoice.pk]})
        browser.get(page_of(page, live))  # tells the messages that waited
        with counted_queries() as queries:
            assert browser.get(page_of(page, live)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
