"""The badge of an invoice: one word wherever it appears, and the way to void what was sent."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from interfaces.codes import CodeBook
from invoicing.badges import badges_of
from invoicing.causes import held_up
from invoicing.documents import invoice_of, to_json
from invoicing.models import Invoice, PackageDocument, Upload
from invoicing.words import money
from offices.models import AuditEntry, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import make_member
from tests.invoicing.pages import client_of, counted_queries, said, text_of, url
from tests.invoicing.scene import Scene, make_batch, make_scene, make_upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(practice: Practice) -> User:
    """An admin."""
    return make_member(practice, Role.ADMIN, "ana@harbour.example")


@pytest.fixture
def browser(admin: User) -> Browser:
    """The admin's."""
    return client_of(admin)


@pytest.fixture
def scene(practice: Practice, admin: User) -> Scene:
    """Every state."""
    with acting_for(practice.pk):
        return make_scene(admin)


def words(practice: Practice, *invoices: Invoice | None) -> list[str]:
    """What the badges of these say, read in one question."""
    rows = [one for one in invoices if one]
    with acting_for(practice.pk), counted_queries() as queries:
        found = badges_of(rows)
    assert len(queries) == 1
    return [found[one.pk].words for one in rows]


def test_every_state_has_its_word(practice: Practice, scene: Scene) -> None:
    expected = {
        **{"sent": "Sent", "credit": "Sent", "warned": "Sent with warning", "refused": "Failed"},
        **{"conflict": "Failed", "not_known": "Not known", "cancelled": "Not sent"},
        **{"went_on": "Sent", "queued": "Queued", "retry": "Queued", "claimed": "Sending"},
        **{"sending": "Sending", "unknown": "Checking", "parked": "Not sent"},
    }
    invoices = [scene.uploads[name].invoice for name in expected]
    assert words(practice, *invoices) == list(expected.values())
    with acting_for(practice.pk):
        there = scene.available[2]
        there.in_accounts_at = scene.parked[0].parked_at
    others = words(practice, scene.available[1], scene.parked[0], there)
    assert others == ["Not sent", "Parked", "Already in accounts"]


def test_what_was_changed_in_the_package_is_told_with_both_totals(
    practice: Practice, scene: Scene
) -> None:
    sent, again = scene.uploads["sent"], scene.uploads["again"]
    with acting_for(practice.pk):
        for one, total in ((sent, sent.remote_total), (again, Decimal("9.00"))):
            PackageDocument.objects.create(
                interface=one.interface,
                kind=one.kind,
                remote_id=one.remote_id,
                number="x",
                folded="x",
                total=total,
            )
    assert words(practice, sent.invoice, again.invoice) == ["Sent", "Changed there"]
    assert again.invoice
    with acting_for(practice.pk):
        badge = badges_of([again.invoice])[again.invoice.pk]
        Invoice.objects.filter(uploads=sent).update(package_status="VOIDED")
        voided = Invoice.objects.get(uploads=sent)
    assert badge.title.startswith(f"{again.invoice.number}, ")
    assert f"Xero: total 9.00, sent {money(again.remote_total)}" in badge.title
    assert words(practice, voided) == ["Changed there"]


@pytest.mark.parametrize(
    ("state", "word"), [("queued", "Being voided"), ("refused", "Sent"), ("voided", "Voided")]
)
def test_a_void_shows_while_it_is_on_its_way_and_once_it_is_through(
    practice: Practice, scene: Scene, state: str, word: str
) -> None:
    upload = scene.uploads["sent"]
    with acting_for(practice.pk):
        assert upload.invoice
        make_upload(make_batch(9), upload.invoice, state, kind="void")
        if state == "voided":
            Upload.objects.filter(pk=upload.pk).update(state=state)
    assert words(practice, upload.invoice) == [word]


def test_the_badge_opens_the_document_and_costs_one_question_a_list(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    sent, credit = scene.uploads["sent"], scene.uploads["credit"]
    with acting_for(practice.pk):
        Upload.objects.filter(pk=scene.uploads["sent"].pk).update(state="voided")
        Upload.objects.filter(pk=credit.pk).update(remote_url="javascript:alert(1)")
    for path in ("upload/", "parked/", "batches/1/", f"invoices/{sent.invoice_id}/"):
        page = browser.get(url(practice, path))
        body = page.content.decode()
        assert "javascript:alert" not in body
        assert len(body) < 60_000
    assert "Credited by" in text_of(page)
    assert f"{credit.invoice} Sent" in text_of(page)
    warned = scene.uploads["warned"]
    body = browser.get(url(practice, f"invoices/{warned.invoice_id}/")).content.decode()
    opens = f'<a class="state state-sent_with_warning" href="{warned.remote_url}"'
    assert f'{opens} target="_blank" rel="noopener noreferrer" title="{warned.invoice}, ' in body


def test_a_batch_says_what_became_of_its_invoice_since(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    first = text_of(browser.get(url(practice, "batches/1/")))
    assert f"{scene.uploads['went_on'].invoice} Sent" in first
    assert f"{scene.uploads['sent'].invoice} Ridgeline" in first


def test_admins_read_what_was_sent_line_by_line(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    upload = scene.uploads["sent"]
    assert upload.invoice
    with acting_for(practice.pk):
        book = CodeBook.load(upload.interface)
        document, _ = invoice_of(upload.invoice, interface=upload.interface, book=book, key="k")
        frozen = replace(document, reference="As it was then")
        Upload.objects.filter(pk=upload.pk).update(document=to_json(frozen))
    path = url(practice, f"invoices/{upload.invoice_id}/")
    page = text_of(browser.get(path))
    assert "What was sent, line by line" in page
    assert "Reference As it was then" in page
    assert "200 OUTPUT2 1 12,400.00 12,400.00 1,860.00" in page
    assert "NZD 13,260.00 excl tax, 1,989.00 tax, 15,249.00 incl tax." in page
    accounts = text_of(client_of(make_member(practice, Role.ACCOUNTS)).get(path))
    assert "line by line" not in accounts


# --- Void in Xero --------------------------------------------------------------------------------


def void_page(practice: Practice, upload: Upload) -> str:
    return url(practice, f"invoices/{upload.invoice_id}/void/")


def test_an_invoice_is_voided_from_its_page_and_asked_why(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    upload = scene.uploads["warned"]
    assert upload.invoice
    with acting_for(practice.pk):
        Upload.objects.filter(pk=upload.pk).update(
            document={"key": "k", "number": upload.invoice.number, "total": "1869.33"}
        )
    page = browser.get(url(practice, f"invoices/{upload.invoice_id}/"))
    assert "Void in Xero…" in text_of(page)
    asked = text_of(browser.get(void_page(practice, upload)))
    assert f"Void invoice {upload.invoice} in Xero" in asked
    assert "uploaded under another number" in asked
    assert "This field is required" in text_of(browser.post(void_page(practice, upload)))
    done = browser.post(void_page(practice, upload), {"reason": "Wrong client"}, follow=True)
    assert said(done) == [f"Invoice {upload.invoice} is being voided in Xero, in Batch 4."]
    told = text_of(done)
    assert "Being voided" in told
    assert "Waiting , by ana@harbour.example: Wrong client" in told
    assert "Void in Xero…" not in told
    with acting_for(practice.pk):
        entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.detail["reason"]) == ("invoice.voiding", "Wrong client")
    assert entry.detail["before"] == f"in Xero: {upload.remote_number}"
    again = browser.post(void_page(practice, upload), {"reason": "Wrong client"}, follow=True)
    assert "is being voided already" in said(again)[0]


def test_what_is_paid_or_not_there_says_what_else_there_is(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    paid = scene.uploads["sent"]
    page = text_of(browser.get(url(practice, f"invoices/{paid.invoice_id}/")))
    assert "Xero has payments of 5,000.00 for it. Take them off it there first, or send" in page
    for name in ("sent", "refused"):
        answer: Any = browser.get(void_page(practice, scene.uploads[name]), follow=True)
        assert "cannot be voided" in said(answer)[0]
    viewer = client_of(make_member(practice, Role.VIEWER))
    assert viewer.get(void_page(practice, scene.uploads["warned"])).status_code == 403
    shown = text_of(viewer.get(url(practice, f"invoices/{scene.uploads['warned'].invoice_id}/")))
    assert "Void in Xero…" not in shown


@pytest.mark.parametrize("state", ["queued", "refused", "unknown", "needs_person"])
def test_a_void_that_surely_did_nothing_can_be_withdrawn(
    practice: Practice, scene: Scene, browser: Browser, state: str
) -> None:
    upload = scene.uploads["warned"]
    assert upload.invoice
    may_be = state in ("unknown", "needs_person")
    with acting_for(practice.pk):
        since = timezone.now() if may_be else None
        voiding = make_upload(
            make_batch(9), upload.invoice, state, kind="void", unknown_since=since
        )
        if state == "refused":
            held_up([voiding])
    page = url(practice, f"invoices/{upload.invoice_id}/")
    address = f"{void_page(practice, upload)}withdraw/"
    assert ("Withdraw the void" in text_of(browser.get(page))) is not may_be
    viewer = client_of(make_member(practice, Role.VIEWER))
    assert viewer.post(address).status_code == 403
    assert browser.get(address).status_code == 405
    told = said(browser.post(address, follow=True))
    with acting_for(practice.pk):
        entries = list(AuditEntry.objects.filter(action="invoice.void_withdrawn"))
        voiding.refresh_from_db()
        assert not voiding.has_causes
    if may_be:
        assert told == ["Nothing was withdrawn: no void of it waits or has failed."]
        assert (voiding.state, entries) == (state, [])
        return
    assert told == [f"Invoice {upload.invoice} stays in the accounts: its void is withdrawn."]
    assert voiding.state == "cancelled"
    assert [one.detail["batches"] for one in entries] == [[9]]
    assert "Void in Xero…" in text_of(browser.get(page))


def test_the_page_of_a_refused_void_leads_to_withdrawing_it_and_offers_no_parking(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    upload = scene.uploads["warned"]
    assert upload.invoice
    with acting_for(practice.pk):
        voiding = make_upload(make_batch(9), upload.invoice, "refused", kind="void")
        held_up([voiding])
        cause = voiding.blocked_by.get().cause_id
    page = browser.get(url(practice, f"attention/{cause}/"))
    assert "Park" not in text_of(page)
    assert f'href="{url(practice, f"invoices/{upload.invoice_id}/")}">Withdraw the void…' in (
        page.content.decode()
    )


def test_what_the_package_has_as_paid_is_not_offered_to_be_voided(
    practice: Practice, scene: Scene
) -> None:
    upload = scene.uploads["warned"]
    browser = client_of(make_member(practice, Role.ACCOUNTS))
    assert "Void in Xero" in text_of(browser.get(url(practice, f"invoices/{upload.invoice_id}/")))
    with acting_for(practice.pk):
        Invoice.objects.filter(uploads=upload).update(package_status="PAID")
    told = text_of(browser.get(url(practice, f"invoices/{upload.invoice_id}/")))
    assert "Void in Xero" not in told
    assert "Xero has it as paid, by what is set against it." in told
