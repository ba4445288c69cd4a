"""A set-up by Abtrac's support in the browser: asked for, done, handed over, confirmed."""

import pytest
from playwright.sync_api import FilePayload, Page, expect

from offices.models import Practice, User
from offices.tenancy import acting_for
from tests.browser import test_every_page as every_page
from tests.browser.conftest import NARROW, WIDE, OpenAs, Watched
from tests.factories import make_client, make_invoice, make_office, make_setting, make_user

BASE = "/harbour/accounting/interfaces/"
ACCOUNTS = "Account No;Account Name;Type\n4-1000;Fees;Income\n4-2000;Recoveries;Income\n"
TAXES = "\ufeffTax Code,Description,Rate\nS15,GST on sales,15%\nS0,No GST,0%\n"


def check(page: Page, where: str, *, body: str) -> None:
    """What every page must be, at a phone's width and at a desk's."""
    for size in (NARROW, WIDE):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        every_page.check(page, where, body=body)


def look_at(window: Watched, path: str) -> None:
    """Open the page and hold it to the same."""
    every_page.look_at(window, path)
    check(window.page, path, body=window.page.content())


@pytest.mark.usefixtures("invented_packages")
def test_support_sets_a_package_up_and_the_practice_confirms(
    open_as: OpenAs, office_practice: Practice, admin: User
) -> None:
    with acting_for(office_practice.pk):
        setting = make_setting(name="Head office")
        make_invoice(make_office(setting), make_client("Ridge Trust"), number="ABT-1")
    sam = make_user("sam@abtrac.example", is_support=True)
    ours, support = open_as(admin), open_as(sam)

    one = _ask(ours)
    _give_list(ours, one, "Account codes", ACCOUNTS)
    _give_list(ours, one, "Tax codes", TAXES)
    _take_on(support)
    _set(support, one)

    page = support.open(f"{one}dry-run/")
    page.get_by_role("button", name="Make a dry run").click()
    expect(page.get_by_text("This is what would be sent.")).to_be_visible()
    check(page, "dry run", body=page.content())
    page = support.open(f"{one}hand-over/")
    check(page, "hand-over, by support", body=page.content())
    page.get_by_role("button", name="Hand over to Harbour Architects").click()
    expect(page.get_by_text("Harbour Architects can confirm it now.")).to_be_visible()

    _judge(ours, one)
    page = ours.open(one)
    page.get_by_role("link", name="Look at it and confirm").click()
    check(page, "hand-over, by the practice", body=page.content())
    page.get_by_label("This is how we want it").check()
    page.get_by_role("button", name="Confirm and go live").click()
    expect(page.get_by_text("is live: its invoices can be uploaded.")).to_be_visible()
    check(page, "hand-over, confirmed", body=page.content())
    look_at(support, "/support/set-ups/?show=done")
    expect(support.page.get_by_text("Confirmed", exact=True)).to_be_visible()


def _ask(window: Watched) -> str:
    """Fill the checklist; the address of the interface it made."""
    look_at(window, f"{BASE}ask/drawer/")
    page = window.page
    page.get_by_label("Version or year").fill("v7")
    page.get_by_label("Name of the company file").fill("Harbour 2026")
    page.get_by_label("Jobs").select_option("Leave them out")
    page.get_by_label("Sample invoice").fill("ABT-1")
    page.get_by_label("Who will work with it").fill("Bo, accounts")
    page.get_by_label("14 days").check()
    page.get_by_role("button", name="Ask our team").click()
    expect(page.get_by_text("Our team has been asked.")).to_be_visible()
    check(page, "answers", body=page.content())
    page.get_by_label("Edition of Drawer").fill("Standard")
    page.get_by_role("button", name="Save the answers").click()
    expect(page.get_by_text("The answers are saved.")).to_be_visible()
    one = page.url.removeprefix(window.base).removesuffix("answers/")
    look_at(window, one)
    look_at(window, BASE)
    return one


def _give_list(window: Watched, one: str, kind: str, text: str) -> None:
    """Bring in what the practice exported from its package."""
    look_at(window, f"{one}codes/import/")
    page = window.page
    page.get_by_label(kind, exact=True).check()
    file: FilePayload = {"name": "list.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("The list, as CSV").set_input_files(file)
    page.get_by_role("button", name="Look at the list").click()
    expect(page.get_by_role("heading", name="What this list changes")).to_be_visible()
    check(page, "list of codes", body=page.content())
    page.get_by_role("button", name="Import these").click()
    page.wait_for_url("**/codes/**")


def _take_on(window: Watched) -> None:
    look_at(window, "/support/set-ups/")
    page = window.page
    page.get_by_label("Fee for Drawer").fill("240.00")
    page.get_by_role("button", name="Quote").click()
    expect(page.get_by_text("now reads a set-up fee of $240.00.")).to_be_visible()
    page.get_by_role("button", name="Take it on").click()
    expect(page.get_by_text("Harbour Architects is open to you.")).to_be_visible()
    check(page, "answers, by support", body=page.content())


def _set(window: Watched, one: str) -> None:
    """Codes and invoice settings, on the pages an admin has."""
    page = window.open(f"{one}codes/")
    page.get_by_label("Account for revenue").select_option("4-1000 Fees")
    page.get_by_label("Account for disbursements").select_option("4-2000 Recoveries")
    page.get_by_label("Tax code for taxed lines").select_option(index=2)
    page.get_by_label("Tax code for tax-free lines").select_option(index=1)
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Codes and defaults are saved.")).to_be_visible()
    page = window.open(f"{one}invoice-settings/")
    page.get_by_label("Link Head office").check()
    page.get_by_label("Go-live date").fill("2026-11-01")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Invoice settings are saved.")).to_be_visible()


def _judge(window: Watched, one: str) -> None:
    """Fetch the file, try it, and say how it went."""
    look_at(window, f"{one}dry-run/")
    page = window.page
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download drawer-sales.csv").click()
    assert b"ABT-1" in downloading.value.path().read_bytes()
    page.get_by_label("It worked").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Thank you: that is noted")).to_be_visible()
    check(page, "dry run, told", body=page.content())
