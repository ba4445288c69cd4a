"""Uploading in the browser: ticking and adding up, by keyboard, and without scripts."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from invoicing.models import Batch, Invoice, Upload
from offices.models import Practice, User
from offices.tenancy import acting_for
from tests.browser.conftest import NARROW, WIDE, OpenAs, axe, scrolls_sideways
from tests.browser.test_every_page import check
from tests.factories import make_invoice
from tests.invoicing.scene import Scene

UPLOAD = "/harbour/accounting/upload/"


def tick(page: Page, invoice: Invoice) -> None:
    """Tick the invoice's row."""
    page.get_by_label(f"Select invoice {invoice.number}").check()


def test_the_selection_is_added_up_by_currency_and_credit_notes_count_negative(
    open_as: OpenAs, scene: Scene, admin: User
) -> None:
    page = open_as(admin).open(UPLOAD)
    words, button = page.locator("[data-sums]"), page.get_by_role("button", name="Upload to")
    expect(words).to_have_text("Nothing selected")
    expect(button).to_be_disabled()
    plain, note, abroad = scene.available[1], scene.available[2], scene.available[5]
    tick(page, plain)
    expect(words).to_have_text("1 selected: NZD 5,150.25 excl tax, 5,922.79 incl tax")
    expect(button).to_be_enabled()
    tick(page, note)
    expect(words).to_have_text("2 selected: NZD 4,730.25 excl tax, 5,439.79 incl tax")
    tick(page, abroad)
    expect(words).to_have_text(
        "3 selected: AUD 10,250.50 excl tax, 11,788.08 incl tax;"
        " NZD 4,730.25 excl tax, 5,439.79 incl tax"
    )
    everything = page.get_by_label("Select all")
    assert everything.evaluate("box => box.indeterminate")
    everything.check()
    expect(words).to_have_text(
        "9 selected: AUD 10,250.50 excl tax, 11,788.08 incl tax;"
        " NZD 44,627.75 excl tax, 51,321.91 incl tax"
    )
    everything.uncheck()
    expect(words).to_have_text("Nothing selected")
    expect(button).to_be_disabled()


def test_names_without_a_space_leave_the_amounts_in_sight(
    open_as: OpenAs, scene: Scene, office_practice: Practice, admin: User
) -> None:
    word = "Pohutukawaapartmentsbodycorporate"
    with acting_for(office_practice.pk):
        Invoice.objects.update(recipient=word * 2, name_on_invoice=word, parked_reason=word * 2)
        scene.office.name = word
        scene.office.save()
    window = open_as(admin, WIDE)
    for path in (UPLOAD, "/harbour/accounting/parked/", "/harbour/accounting/batches/1/"):
        page = window.open(path)
        assert not scrolls_sideways(page), path


def test_only_a_credit_note_is_a_negative_sum(open_as: OpenAs, scene: Scene, admin: User) -> None:
    page = open_as(admin).open(UPLOAD)
    tick(page, scene.available[2])
    expect(page.locator("[data-sums]")).to_have_text(
        "1 selected: NZD -420.00 excl tax, -483.00 incl tax"
    )


def test_a_list_of_several_pages_can_be_chosen_as_a_whole(
    open_as: OpenAs, scene: Scene, office_practice: Practice, admin: User
) -> None:
    with acting_for(office_practice.pk):
        for _ in range(60):
            make_invoice(scene.office, scene.clients[0], nets=["10.00"], number="")
        for one in Invoice.objects.filter(number=""):
            one.number = f"MANY-{one.pk}"
            one.save()
    page = open_as(admin).open(f"{UPLOAD}?q=MANY")
    page.get_by_label("Select this page").check()
    words = page.locator("[data-sums]")
    expect(words).to_have_text("50 selected: NZD 500.00 excl tax, 575.00 incl tax")
    page.get_by_label("Select all 60, on every page").check()
    expect(words).to_have_text("60 invoices: NZD 600.00 excl tax, 690.00 incl tax")
    page.get_by_role("button", name="Upload to accounts").click()
    expect(page.locator("#batch-words")).to_have_text("0 of 60 sent, 60 on the way")
    with acting_for(office_practice.pk):
        assert Upload.objects.filter(invoice__number__startswith="MANY").count() == 60


def test_an_upload_by_keyboard_alone(
    open_as: OpenAs, scene: Scene, office_practice: Practice, admin: User
) -> None:
    page = open_as(admin).open("/harbour/accounting/batches/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    expect(page.get_by_text("Skip to content")).to_be_in_viewport()
    menu = page.get_by_role("button", name="Accounting")
    tab_to(page, menu)
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Upload invoices"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{UPLOAD}")
    box = page.get_by_label(f"Select invoice {scene.available[1].number}")
    tab_to(page, box)
    page.keyboard.press("Enter")  # sends nothing: a tick is a space
    expect(page).to_have_url(re.compile(f"{UPLOAD}$"))
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    tab_to(page, page.get_by_role("button", name="Upload to accounts"))
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Batch 4")
    with acting_for(office_practice.pk):
        sent = Upload.objects.get(batch__number=4, kind=Upload.Kind.INVOICE)
    assert sent.invoice_id == scene.available[1].pk


def tab_to(page: Page, wanted: Any) -> None:
    """Press Tab until it has the focus, each stop being one that can be seen."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
        assert page.evaluate(
            "() => { const box = document.activeElement.getBoundingClientRect();"
            " return document.activeElement === document.body || box.width * box.height > 0; }"
        )
    raise AssertionError(f"Tab does not reach {wanted}")


def test_a_phone_has_filters_sorting_and_all_of_a_row(
    open_as: OpenAs, scene: Scene, admin: User
) -> None:
    page = open_as(admin, NARROW).open(UPLOAD)
    expect(page.get_by_label("Office")).to_be_hidden()
    page.get_by_role("button", name="Filter and sort").click()
    # What still unfolds moves away from under a click.
    expect(page.locator("#filters:not(.collapsing).show")).to_be_visible()
    page.get_by_label("Office", exact=True).select_option("Wellington")
    page.get_by_label("Sort by").select_option("-total")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("button", name="Filter and sort (1 set)")).to_be_visible()
    expect(page.locator("tbody")).to_contain_text("Needs reconnect")
    assert not scrolls_sideways(page)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Accounting").click()
    expect(page.get_by_role("link", name="Batches")).to_be_visible()
    assert axe(page) == []
    assert not scrolls_sideways(page)


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "390"])
def test_parking_and_taking_back(
    open_as: OpenAs, scene: Scene, office_practice: Practice, admin: User, viewport: Any
) -> None:
    page = open_as(admin, viewport).open(UPLOAD)
    invoice = scene.available[1]
    tick(page, invoice)
    page.get_by_role("button", name="Park…").click()
    check(page, "park")
    page.get_by_label("Reason").fill("Sent by hand")
    page.get_by_role("button", name="Park", exact=True).click()
    expect(page.get_by_text("1 invoice parked: Sent by hand")).to_be_visible()
    page.get_by_role("link", name="Parked").click()
    tick(page, invoice)
    page.get_by_role("button", name="Put back on the list").click()
    expect(page.get_by_text("1 invoice can be uploaded again.")).to_be_visible()
    assert axe(page) == []


def test_without_scripts_everything_works_and_the_answer_has_the_sums(
    open_as: OpenAs, scene: Scene, office_practice: Practice, admin: User
) -> None:
    page = open_as(admin, scripts=False).open(UPLOAD)
    tick(page, scene.available[1])
    tick(page, scene.available[2])
    page.get_by_role("button", name="Upload to accounts").click()
    expect(
        page.get_by_text("Batch 4 is made of 2 invoices: NZD 5,439.79 incl tax.")
    ).to_be_visible()
    expect(page.get_by_role("link", name="Look again")).to_be_visible()
    with acting_for(office_practice.pk):
        assert Batch.objects.filter(number=4).exists()
