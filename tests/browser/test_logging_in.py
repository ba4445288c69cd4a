"""Logging in with a password and a one-time code, and the pages on which the code is set up."""

import time
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from playwright.sync_api import Page, expect

from offices.models import Practice, User
from tests.browser.conftest import NARROW, WIDE, OpenAs
from tests.browser.test_every_page import check
from tests.factories import PASSWORD


def code_now(secret: str) -> str:
    """What the app on the phone shows."""
    counter = int(time.time()) // 30
    return str(totp.format_hotp_value(totp.hotp_value(secret, counter)))


def log_in(page: Page, user: User, password: str = PASSWORD) -> None:
    """As a person does."""
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "390"])
def test_an_admin_sets_the_app_up_and_logs_in_with_it(
    open_as: OpenAs, office_practice: Practice, admin: User, settings: Any, viewport: Any
) -> None:
    settings.REQUIRE_TOTP = True
    settings.MFA_TOTP_TOLERANCE = 1  # the app may show the next code while this one is typed
    window = open_as(None, viewport)
    page = window.open("/harbour/accounting/upload/")
    log_in(page, admin, "wrong")
    check(page, "a wrong password")
    log_in(page, admin)
    expect(page.get_by_text("to log in with a one-time code as well")).to_be_visible()
    check(page, "confirming")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/2fa/totp/activate/**")
    check(page, "setting up")
    secret = page.locator(".secret").inner_text()
    page.get_by_label("Authenticator code").fill("000000")
    page.get_by_role("button", name="Start using it").click()
    check(page, "a wrong code")
    page.get_by_label("Authenticator code").fill(code_now(secret))
    page.get_by_role("button", name="Start using it").click()
    page.wait_for_url("**/recovery-codes/**")
    check(page, "recovery codes")
    page.get_by_role("link", name="Make new ones").click()
    check(page, "new recovery codes")
    window.open("/accounts/2fa/")
    check(page, "one-time codes")
    page.get_by_role("link", name="Stop using it").click()
    check(page, "stopping")
    recovery = first_recovery_code(window.open("/accounts/2fa/recovery-codes/"))
    window.open("/accounts/logout/").get_by_role("button", name="Log out").click()
    window.open("/harbour/accounting/upload/")
    log_in(page, admin)
    page.wait_for_url("**/2fa/authenticate/**")
    check(page, "asking for the code")
    page.get_by_label("Code").fill(recovery)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url("**/harbour/accounting/upload/")
    expect(page.locator("h1")).to_have_text("Upload invoices")


def first_recovery_code(page: Page) -> str:
    """The first that is unused."""
    return page.locator(".recovery-codes li").first.inner_text()


def test_people_find_their_way_from_their_own_pages_to_the_practice(
    open_as: OpenAs, office_practice: Practice, admin: User
) -> None:
    page = open_as(admin).open("/accounts/2fa/")
    page.get_by_role("button", name="Your practices").click()
    page.get_by_role("link", name="Harbour Architects").click()
    page.wait_for_url("**/harbour/accounting/upload/")
