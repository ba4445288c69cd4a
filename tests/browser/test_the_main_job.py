"""The main job end to end: log in, connect to the rehearsal Xero, upload, reconnect, go on."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from connectors.xero.standin import XeroStandIn
from interfaces.models import AccountingInterface
from invoicing.models import Invoice, InvoiceSetting, Upload
from invoicing.uploads import lane
from offices.models import Practice, User
from offices.tenancy import acting_for
from tests.browser.conftest import NARROW, WIDE, OpenAs
from tests.browser.test_every_page import check
from tests.factories import PASSWORD, make_client, make_invoice, make_office, make_setting

ORGANISATION = "Harbour Architects Ltd"


@pytest.fixture
def standin(live_server: LiveServer, settings: Any) -> Iterator[XeroStandIn]:
    """The rehearsal Xero, which the product takes for the real one."""
    running = XeroStandIn()
    running.start()
    settings.SITE_URL = live_server.url
    app = {
        "client_id": running.client_id,
        "client_secret": running.client_secret,
        "endpoints": running.endpoints,
    }
    apps = copy.deepcopy(settings.PACKAGE_APPS)
    apps["xero"] |= app
    settings.PACKAGE_APPS = apps
    policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
    policy["DIRECTIVES"]["form-action"] = ["'self'", running.endpoints["login"]]
    settings.CONTENT_SECURITY_POLICY = policy
    yield running
    running.stop()


@pytest.fixture
def invoices(office_practice: Practice, admin: User) -> list[Invoice]:
    """Two invoices and a credit note, whose invoice setting is linked to nothing yet."""
    with acting_for(office_practice.pk):
        office = make_office(make_setting(name="Standard"))
        ridgeline, kauri = make_client("Ridgeline Holdings Ltd"), make_client("Kauri Point Marina")
        return [
            make_invoice(office, ridgeline, nets=["12400.00", "860.00"]),
            make_invoice(office, kauri, nets=["990.00"]),
            make_invoice(office, ridgeline, nets=["-860.00"]),
        ]


def log_in(page: Page, user: User) -> None:
    """As a person does."""
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def menu(page: Page, wide: bool, entry: str) -> None:
    """Accounting >> entry."""
    if not wide:
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Accounting").click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name=entry).click()


def work(practice: Practice) -> None:
    """What a worker does when the bell rings."""
    with acting_for(practice.pk):
        interface = AccountingInterface.objects.get()
    lane.drain(practice_id=practice.pk, interface_id=interface.pk)


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "390"])
def test_from_logging_in_to_sent_and_on_after_a_new_sign_in(
    open_as: OpenAs,
    standin: XeroStandIn,
    office_practice: Practice,
    admin: User,
    invoices: list[Invoice],
    viewport: Any,
) -> None:
    wide = viewport is WIDE
    page = open_as(None, viewport).open("/")
    log_in(page, admin)
    page.wait_for_url("**/accounting/upload/")
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("tbody")).to_contain_text("Not linked")

    menu(page, wide, "Interface Settings")
    page.get_by_role("button", name="Connect Xero").click()
    page.get_by_role("button", name="Allow access").click()
    page.wait_for_url("**/choose/**")
    check(page, "choose the organisation")
    page.get_by_label(ORGANISATION).check()
    page.get_by_role("button", name="Use this organisation").click()
    expect(page.get_by_text(f"Xero is connected to {ORGANISATION}.")).to_be_visible()

    for label, code in (
        ("Account for revenue", "200"),
        ("Account for disbursements", "210"),
        ("Tax code for taxed lines", "(OUTPUT2,"),
        ("Tax code for tax-free lines", "(ZERORATED,"),
    ):
        choice = page.get_by_label(label)
        value = choice.locator("option", has_text=code).first.get_attribute("value")
        choice.select_option(value)
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Codes and defaults are saved.")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Link Standard").check()
    page.get_by_label("Go-live date").fill("2026-11-01")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("link", name="Continue").click()
    page.get_by_label("This is right").check()
    page.get_by_role("button", name="Go live").click()
    with acting_for(office_practice.pk):
        assert InvoiceSetting.objects.get().interface is not None

    menu(page, wide, "Upload invoices")
    expect(page.locator("tbody")).not_to_contain_text("Not linked")
    page.get_by_label(f"Select invoice {invoices[0].number}").check()
    page.get_by_label(f"Select invoice {invoices[2].number}").check()
    page.get_by_role("button", name="Upload to accounts").click()
    expect(page.locator("#batch-words")).to_have_text("0 of 2 sent, 2 on the way")
    work(office_practice)
    expect(page.get_by_text("Batch 1 is finished.")).to_be_visible()
    expect(page.locator("#batch-words")).to_have_text("2 of 2 sent")
    books = standin.organisation(ORGANISATION)
    assert [one.number for one in books.invoices] == [invoices[0].number]
    assert [one.number for one in books.credit_notes] == [invoices[2].number]

    # The bookkeeper takes our access away inside Xero; the next upload waits for a new sign-in.
    standin.disconnect(ORGANISATION)
    menu(page, wide, "Upload invoices")
    page.get_by_label(f"Select invoice {invoices[1].number}").check()
    page.get_by_role("button", name="Upload to accounts").click()
    work(office_practice)
    reconnect = page.get_by_role("button", name="Reconnect to Xero")
    expect(reconnect).to_be_visible()
    expect(page.get_by_text("Everything waits and goes by itself afterwards")).to_be_visible()
    check(page, "needs a new sign-in")
    reconnect.click()
    page.get_by_role("button", name="Allow access").click()
    page.wait_for_url("**/batches/2/")
    work(office_practice)
    expect(page.locator("#batch-words")).to_have_text("1 of 1 sent")
    assert [one.number for one in books.invoices] == [invoices[0].number, invoices[1].number]

    page.get_by_role("link", name=invoices[1].number, exact=True).click()
    check(page, "invoice")
    expect(page.get_by_role("link", name=re.compile("^Open in Xero"))).to_be_visible()
    with acting_for(office_practice.pk):
        assert Upload.objects.filter(kind__in=["invoice", "credit_note"], state="sent").count() == 3


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "390"])
def test_a_sign_in_that_was_declined_says_so(
    open_as: OpenAs,
    standin: XeroStandIn,
    office_practice: Practice,
    admin: User,
    viewport: Any,
) -> None:
    window = open_as(admin, viewport)
    page = window.open("/harbour/accounting/interfaces/add/")
    page.get_by_role("button", name="Connect Xero").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h1")).to_have_text("Not connected")
    window.complaints.clear()  # the browser's own, of the status 400
    check(page, "declined")
