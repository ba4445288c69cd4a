"""Every page at a desk's width and a phone's: accessible, in one frame, under the strict policy."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.cache import cache
from django.db.models import Value
from django.db.models.functions import Concat
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from playwright.sync_api import Page, expect

from interfaces.models import AccountingInterface
from invoicing.causes import open_causes
from invoicing.models import Invoice, Upload
from invoicing.uploads.forgotten import put_right
from offices.models import Membership, Practice, Role, SupportGrant, User
from offices.people import make_key
from offices.tenancy import acting_for
from tests.browser.conftest import NARROW, WIDE, OpenAs, Watched, axe, scrolls_sideways
from tests.factories import make_interface, make_member, make_user
from tests.invoicing.scene import Scene

# Addresses that answer no page of their own: they act, redirect, or speak to programs.
NO_PAGES = {
    "offices:practice",
    "offices:healthz",
    "offices:end_support",
    "offices:forget_app",
    "offices:new_password",
    "offices:remove_person",
    "offices:revoke_key",
    "interfaces:save_codes",
    "interfaces:remove_rule",
    "interfaces:refresh",
    "interfaces:connect",
    "interfaces:disconnect",
    *("interfaces:pause", "interfaces:resume"),
    *("invoicing:checks", "invoicing:preview_check", "invoicing:preview_send"),
    *("invoicing:set_up", "invoicing:tried", "invoicing:try_one", "invoicing:offer_again"),
    "interfaces:statement",
    "interfaces:statements_of_all",
    "invoicing:read_contacts",
    "invoicing:link_exact",
    *("invoicing:send_clients", "invoicing:send_jobs"),
    "invoicing:match_client",
    *(
        "invoicing:check_cause",
        "invoicing:give_up_cause",
        "invoicing:check_interface",
        "invoicing:cause_of",
        "invoicing:replace_code",
    ),
    *("interfaces:leave", "interfaces:withdraw", "interfaces:copy_settings"),
    *("interfaces:take_on", "interfaces:quote"),
    *("invoicing:make_dry_run", "invoicing:dry_run_file", "invoicing:dry_run_outcome"),
    *("invoicing:give_hand_over", "invoicing:confirm_set_up"),
    "interfaces:rehearse",
    *("invoicing:remove_rehearsal", "invoicing:remove_interface"),
    "invoicing:upload",
    "invoicing:unlink",
    "invoicing:unpark",
    "invoicing:retry",
    "invoicing:cancel",
    "invoicing:batch_progress",
    *("invoicing:download_batch", "invoicing:download_errors", "invoicing:save_digest"),
    *("invoicing:batches_file", "invoicing:withdraw_void"),
    "mfa_reauthenticate_webauthn",
}
# Pages shown only on the way somewhere; the tests of that way look at them.
ELSEWHERE = {
    "invoicing:match_rule",
    "invoicing:preview",  # test_clearing_the_month
    "invoicing:park",
    *("invoicing:park_failed", "invoicing:park_cause"),
    *("invoicing:mark_in_accounts", "invoicing:test"),  # test_set_up
    "interfaces:choose",
    "interfaces:callback",
    *("interfaces:ask", "interfaces:answers", "interfaces:set_ups"),  # test_assisted_set_up
    *("invoicing:dry_run", "invoicing:hand_over"),  # test_assisted_set_up
    "interfaces:import_codes",
    "account_inactive",
    "account_reauthenticate",
    "mfa_authenticate",
    "mfa_reauthenticate",
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_generate_recovery_codes",
    "mfa_view_recovery_codes",
    "mfa_download_recovery_codes",
}


def causes_of(scene: Scene) -> list[int]:
    """What keeps the uploads of the scene from going, as a look after them finds it."""
    with acting_for(scene.interface.practice_id):
        put_right([scene.interface.pk, scene.lapsed.pk])
        return list(open_causes().values_list("pk", flat=True))


def page_addresses(scene: Scene) -> dict[str, list[str]]:
    """Each page's name and the addresses at which its states are seen, as an admin."""
    one, lapsed = scene.interface.pk, scene.lapsed.pk
    base = "/harbour/accounting/"
    invoices = [
        scene.uploads[name].invoice_id for name in ("sent", "refused", "unknown", "credit")
    ] + [scene.available[1].pk, scene.parked[0].pk]
    batches = [f"{base}batches/{number}/" for number in (1, 2, 3)]
    return {
        "account_login": [],
        "account_logout": ["/accounts/logout/"],
        "account_change_password": ["/accounts/password/change/"],
        "mfa_index": ["/accounts/2fa/"],
        "offices:home": [],
        "invoicing:overdue": [],  # seen by support, below
        "offices:keys": ["/harbour/api-keys/"],
        "offices:people": ["/harbour/people/"],
        "offices:person": [
            f"/harbour/people/{one.pk}/"
            for one in Membership.objects.filter(practice_id=scene.interface.practice_id)
        ],
        "offices:support": ["/harbour/support-access/"],
        "interfaces:list": [f"{base}interfaces/"],
        "interfaces:add": [f"{base}interfaces/add/"],
        "interfaces:detail": [f"{base}interfaces/{one}/", f"{base}interfaces/{lapsed}/"],
        "interfaces:codes": [f"{base}interfaces/{one}/codes/"],
        "interfaces:rules": [f"{base}interfaces/{one}/codes/rules/"],
        "interfaces:rule": [f"{base}interfaces/{one}/codes/rules/{scene.rules[0].pk}/"],
        "interfaces:preferences": [f"{base}interfaces/{one}/preferences/"],
        "interfaces:charges": ["/harbour/accounting/charges/"],
        "interfaces:prices": ["/prices/", "/prices/?users=20&packages=xero", "/prices/?users=0"],
        "interfaces:price_books": [],  # seen by support, below
        "interfaces:add_prices": [],
        "invoicing:link_settings": [f"{base}interfaces/{one}/invoice-settings/"],
        "invoicing:clients": [
            f"{base}interfaces/{one}/clients/{more}" for more in ("", "?show=all")
        ],
        "invoicing:client": [
            f"{base}interfaces/{one}/clients/{scene.clients[place].pk}/{more}"
            for place, more in ((1, ""), (3, ""), (7, "?q=co"))
        ],
        "invoicing:jobs": [f"{base}interfaces/{one}/jobs/"],
        "invoicing:job": [f"{base}interfaces/{one}/jobs/{scene.job.pk}/"],
        "invoicing:void_invoice": [f"{base}invoices/{scene.uploads['warned'].invoice_id}/void/"],
        "invoicing:available": [
            f"{base}upload/",
            f"{base}upload/?q=nothing+like+this",
            f"{base}upload/?office=nonsense",
        ],
        "invoicing:parked": [f"{base}parked/"],
        "invoicing:in_accounts": [f"{base}in-accounts/"],
        "invoicing:go_live": [f"{base}interfaces/{one}/go-live/"],
        "invoicing:needs_attention": [f"{base}attention/", f"{base}attention/?sort=since"],
        "invoicing:cause": [f"{base}attention/{cause_id}/" for cause_id in causes_of(scene)],
        "invoicing:interface_history": [f"{base}interfaces/{one}/history/"],
        "invoicing:health": [
            f"{base}interfaces/{one}/health/",
            f"{base}interfaces/{lapsed}/health/",
        ],
        "invoicing:batches": [f"{base}batches/", f"{base}batches/?failed=only"],
        "invoicing:columns": [f"{base}columns/available/"],
        "invoicing:batch": [*batches, f"{base}batches/1/?show=failed"],
        "invoicing:invoice": [f"{base}invoices/{invoice_id}/" for invoice_id in invoices],
        "invoicing:what_is_sent": [
            f"{base}invoices/{scene.available[1].pk}/sent/",
            f"{base}invoices/{invoices[1]}/sent/",
        ],
        "invoicing:link_existing": [f"{base}uploads/{scene.uploads['conflict'].pk}/link/"],
    }


def named_addresses(
    patterns: list[URLPattern | URLResolver], space: str = "", before: str = ""
) -> Iterator[tuple[str, str]]:
    """(name, address) of every address of the product."""
    for one in patterns:
        address = before + str(one.pattern)
        if isinstance(one, URLResolver):
            inner = f"{one.namespace}:" if one.namespace else space
            yield from named_addresses(one.url_patterns, inner, address)
        elif one.name:
            yield f"{space}{one.name}", address


def look_at(window: Watched, path: str, *, status: int = 200) -> None:
    """Open the page and hold it to everything a page must be."""
    answer = window.page.goto(f"{window.base}{path}")
    assert answer is not None
    assert answer.status == status, path
    if status >= 400:  # the browser itself complains of the status
        window.complaints.clear()
    check(window.page, path, body=answer.text())


def check(page: Page, where: str, *, body: str = "") -> None:
    """What every page must be, whatever it shows."""
    assert axe(page) == [], where
    assert not scrolls_sideways(page), where
    assert page.locator("h1").count() == 1, where
    assert page.locator("main").count() == 1, where
    for wrong in (r"<c-", r"\sstyle\s*=", r"<style", r"<script(?![^>]*\ssrc=)", r"\son\w+\s*="):
        assert not re.search(wrong, body), f"{where}: {wrong}"


@pytest.fixture(params=[WIDE, NARROW], ids=["1280", "390"])
def viewport(request: pytest.FixtureRequest) -> Any:
    """The width of a desk's screen, then of a phone's."""
    return request.param


def test_every_page_is_named_in_these_tests(scene: Scene) -> None:
    known = set(page_addresses(scene)) | NO_PAGES | ELSEWHERE
    found = {
        name
        for name, address in named_addresses(get_resolver().url_patterns)
        if not address.lstrip("^").startswith("api/")
    }
    assert found - known == set()


def test_every_page_of_a_practice(
    open_as: OpenAs, scene: Scene, office_practice: Practice, admin: User, viewport: Any
) -> None:
    make_key(practice=office_practice, name="Abtrac server", actor=admin)
    vi = make_member(office_practice, Role.VIEWER, "vi@harbour.example")
    TOTP.activate(vi, generate_totp_secret())
    window = open_as(admin, viewport)
    for paths in page_addresses(scene).values():
        for path in paths:
            look_at(window, path)


def test_a_generated_password_is_shown_in_a_page_like_any_other(
    open_as: OpenAs, office_practice: Practice, admin: User, viewport: Any
) -> None:
    window = open_as(admin, viewport)
    page = window.open("/harbour/people/")
    page.get_by_label("E-mail").fill("bo.with.a.long.name@accounts.harbour-architects.example")
    page.get_by_label("Role").select_option("Viewer")
    page.get_by_role("button", name="Add person").click()
    expect(page.get_by_text("can log in now")).to_be_visible()
    check(page, "people, with a password", body=page.content())
    page.get_by_role("link", name="Change bo.with").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="New password").click()
    expect(page.get_by_text("is logged out everywhere")).to_be_visible()
    check(page, "person, with a password", body=page.content())


def test_every_state_of_an_interface(
    open_as: OpenAs, scene: Scene, office_practice: Practice, admin: User, viewport: Any
) -> None:
    window = open_as(admin, viewport)
    with acting_for(office_practice.pk):
        every = []
        for state in AccountingInterface.State.values:
            one = make_interface(name=f"Interface {state}")
            one.state, one.state_reason = state, "Xero has signed us out."
            one.save()
            every.append(one)
    for one in every:
        look_at(window, f"/harbour/accounting/interfaces/{one.pk}/")
        with acting_for(office_practice.pk):
            AccountingInterface.objects.filter(pk=scene.lapsed.pk).update(state=one.state)
        look_at(window, "/harbour/accounting/batches/3/")
        look_at(window, "/harbour/accounting/upload/")
    look_at(window, "/harbour/accounting/interfaces/")


def test_pages_for_those_who_only_look(
    open_as: OpenAs, scene: Scene, office_practice: Practice, viewport: Any
) -> None:
    window = open_as(make_member(office_practice, Role.VIEWER), viewport)
    base = "/harbour/accounting/"
    for path in ("upload/", "parked/", "batches/", "batches/1/", "batches/2/", "batches/3/"):
        look_at(window, f"{base}{path}")
    look_at(window, f"{base}interfaces/{scene.interface.pk}/codes/")
    look_at(window, "/harbour/api-keys/", status=403)
    look_at(window, "/harbour/nothing/", status=404)
    look_at(window, f"{base}batches/99/", status=404)


def test_pages_for_support_and_for_several_practices(
    open_as: OpenAs, scene: Scene, office_practice: Practice, admin: User, viewport: Any
) -> None:
    support = make_user("sam@abtrac.example", is_support=True)
    window = open_as(support, viewport)
    look_at(window, "/")
    look_at(window, "/support/prices/")
    look_at(window, "/support/prices/new/")
    look_at(window, "/support/")
    expect(window.page.get_by_text("Nobody looks at present.")).to_be_visible()
    expect(window.page.get_by_role("link", name="Harbour Architects")).to_have_count(0)
    SupportGrant.objects.create(
        practice=office_practice,
        user=support,
        granted_by=admin,
        reason="Set up Xero with Ana",
        ends_at=timezone.now() + timedelta(hours=3),
    )
    look_at(window, "/")
    cache.set("notices-looked-at", timezone.now())
    look_at(window, "/support/")
    expect(window.page.get_by_text("Nobody looks at present.")).to_have_count(0)
    expect(window.page.get_by_role("link", name="Harbour Architects").first).to_be_visible()
    look_at(window, f"/harbour/accounting/invoices/{scene.uploads['sent'].invoice_id}/")
    window.page.get_by_text("1 call to Xero").click()
    check(window.page, "calls")


# The labels of cards that are narrower than their longest word: broken letter by letter.
BROKEN_LABELS = """() => {
  const pen = document.createElement("canvas").getContext("2d");
  return [...document.querySelectorAll("td[data-label]")].filter((cell) => {
    const label = getComputedStyle(cell, "::before");
    if (label.content === "none" || !cell.offsetWidth) return false;
    pen.font = `${label.fontWeight} ${label.fontSize} ${label.fontFamily}`;
    const words = cell.dataset.label.split(" ").map((word) => pen.measureText(word).width);
    return parseFloat(label.width) < Math.max(...words) - 1;
  }).map((cell) => cell.dataset.label);
}"""


def test_long_names_without_a_space_stay_within_the_page(
    open_as: OpenAs, scene: Scene, office_practice: Practice, admin: User, viewport: Any
) -> None:
    word = "Pohutukawaapartmentsbodycorporate" * 7
    upload = scene.uploads["conflict"]
    with acting_for(office_practice.pk):
        Invoice.objects.update(number=Concat(Value(word), "abtrac_id"), name_on_invoice=word)
        Upload.objects.filter(pk=upload.pk).update(
            reason=word, next_step=word, warnings=[word], package_words=word, remote_number=word
        )
        AccountingInterface.objects.filter(pk=scene.lapsed.pk).update(
            name=word[:100], state_reason=word, company_file_name=word
        )
        scene.job.client.name = word
        scene.job.client.save()
    window = open_as(admin, viewport)
    for paths in page_addresses(scene).values():
        for path in paths:
            window.open(path)
            assert not scrolls_sideways(window.page), path
            assert window.page.evaluate(BROKEN_LABELS) == [], path


def test_pages_of_a_practice_with_nothing_in_it(
    open_as: OpenAs, office_practice: Practice, admin: User, viewport: Any
) -> None:
    window = open_as(admin, viewport)
    for path in ("upload/", "parked/", "batches/", "interfaces/"):
        look_at(window, f"/harbour/accounting/{path}")


def test_pages_for_nobody(open_as: OpenAs, office_practice: Practice, viewport: Any) -> None:
    window = open_as(None, viewport)
    look_at(window, "/accounts/login/")
    look_at(window, "/accounts/inactive/")
    look_at(window, "/prices/?users=60")
    look_at(window, "/harbour/accounting/upload/")
    assert "/accounts/login/" in window.page.url
