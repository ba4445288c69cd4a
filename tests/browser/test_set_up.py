"""The whole set-up of Xero by keyboard, from an empty practice to one uploaded invoice."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from connectors.xero.standin import XeroStandIn
from interfaces.models import AccountingInterface
from invoicing.models import Invoice, Upload
from offices.models import Practice, Role, User
from offices.tenancy import acting_for
from tests.browser.conftest import NARROW, WIDE, OpenAs, Watched
from tests.browser.test_every_page import check
from tests.browser.test_the_main_job import ORGANISATION, work
from tests.browser.test_the_main_job import standin as standin  # the rehearsal Xero
from tests.factories import (
    make_client,
    make_invoice,
    make_member,
    make_office,
    make_setting,
)

MOST_SCREENS = 8
MOST_CHOICES = 25
# So many presses of Tab lead past everything on a page.
MOST_TABS = 300


@pytest.fixture
def invoice(office_practice: Practice, admin: User) -> Invoice:
    """What Abtrac has sent: an office, a client and one committed invoice; nothing is set up."""
    with acting_for(office_practice.pk):
        office = make_office(make_setting(name="Standard"))
        client = make_client("Ridgeline Holdings Ltd")
        return make_invoice(
            office, client, nets=["12400.00", "860.00"], issued=timezone.localdate()
        )


class Keyboard:
    """A person without a mouse; counts what they see and what they choose.

    A screen is a page of the product with a heading of its own. A choice is a key that does
    something: Enter, the space bar, an arrow. Tab only leads there, and letters are typing.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.choices = 0
        self.screens: list[str] = []

    def see(self, heading: str) -> None:
        """Arrive at a screen, which must be like every page."""
        expect(self.page.locator("h1")).to_contain_text(heading)
        if heading not in self.screens:
            self.screens.append(heading)
        check(self.page, heading, body=self.page.content())

    def reach(self, place: Locator) -> None:
        """Press Tab until the place has the focus."""
        expect(place).to_be_visible()
        for _ in range(MOST_TABS):
            if place.evaluate("one => one === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {place}")

    def press(self, place: Locator, key: str = "Enter") -> None:
        """Go there and press the key."""
        self.reach(place)
        self.choices += 1
        self.page.keyboard.press(key)

    def tick(self, place: Locator) -> None:
        """Tick a box or a dot that is not ticked."""
        self.press(place, "Space")
        expect(place).to_be_checked()


@pytest.fixture(params=[WIDE, NARROW], ids=["1280", "390"])
def keyboard(
    request: pytest.FixtureRequest,
    open_as: OpenAs,
    office_practice: Practice,
    invoice: Invoice,
    standin: XeroStandIn,
    admin: User,
) -> Iterator[Keyboard]:
    """An admin's keyboard, at the list of interfaces of a practice that has none."""
    window: Watched = open_as(admin, request.param)
    window.open("/harbour/accounting/interfaces/")
    yield Keyboard(window.page)


def test_xero_is_set_up_by_keyboard_alone(
    keyboard: Keyboard,
    standin: XeroStandIn,
    office_practice: Practice,
    invoice: Invoice,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = keyboard.page
    keyboard.see("Interface Settings")
    keyboard.press(page.get_by_role("button", name="Connect Xero"))

    # At Xero, whose pages are not ours; what is chosen there is counted all the same.
    page.wait_for_url("**/authorize**")
    keyboard.press(page.get_by_role("button", name="Allow access"))

    keyboard.see("Choose the organisation")
    keyboard.tick(page.get_by_label(ORGANISATION))
    keyboard.press(page.get_by_role("button", name="Use this organisation"))

    keyboard.see("Codes and defaults")
    keyboard.press(page.get_by_role("button", name="Accept all exact"))
    expect(page.get_by_text("Codes and defaults are saved.")).to_be_visible()
    for near in page.get_by_role("checkbox", name="Use ").all():
        keyboard.tick(near)
    keyboard.press(page.get_by_role("button", name="Save and continue"))

    keyboard.see("Clients")
    keyboard.press(page.get_by_role("button", name="Continue"))

    keyboard.see("Invoice settings")
    expect(page.get_by_label("Link Standard")).to_be_checked()
    keyboard.press(page.get_by_role("button", name="Save and continue"))

    keyboard.see("Test")
    expect(page.get_by_text("Nothing stands in the way.")).to_be_visible()
    keyboard.tick(page.get_by_label(invoice.number))
    keyboard.press(page.get_by_role("button", name="Send this one as a draft"))
    expect(page.locator("#tried")).to_contain_text(invoice.number)
    work(office_practice)
    expect(page.get_by_role("link", name=f"Open {invoice.number} in Xero")).to_be_visible()
    check(page, "tried", body=page.content())
    keyboard.press(page.get_by_role("link", name="Continue"))

    keyboard.see("Go live")
    keyboard.tick(page.get_by_label("This is right"))
    keyboard.press(page.get_by_role("button", name="Go live"))
    expect(page.get_by_text("Xero is live. Its invoices can be uploaded.")).to_be_visible()

    with acting_for(office_practice.pk):
        assert AccountingInterface.objects.get().is_live
        assert Upload.objects.get(kind="invoice").state == "sent"
    (there,) = standin.organisation(ORGANISATION).invoices
    assert (there.number, there.status, there.total) == (invoice.number, "DRAFT", invoice.total)
    assert len(keyboard.screens) <= MOST_SCREENS
    assert keyboard.choices <= MOST_CHOICES
    with capsys.disabled():
        print(f"\nset-up xero: {len(keyboard.screens)} screens, {keyboard.choices} choices")


def test_a_set_up_that_was_left_goes_on_for_another_admin(
    open_as: OpenAs,
    standin: XeroStandIn,
    office_practice: Practice,
    admin: User,
    invoice: Invoice,
) -> None:
    page = open_as(admin).open("/harbour/accounting/interfaces/")
    page.get_by_role("button", name="Connect Xero").click()
    page.get_by_role("button", name="Allow access").click()
    page.wait_for_url("**/choose/**")
    other: Any = open_as(make_member(office_practice, Role.ADMIN)).open(
        "/harbour/accounting/interfaces/"
    )
    other.get_by_role("link", name="Xero", exact=True).click()
    expect(other.locator("h1")).to_contain_text("Choose the organisation")
