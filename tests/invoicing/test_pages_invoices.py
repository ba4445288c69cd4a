"""The page of one invoice, seen as a person sees it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from connectors.base.documents import LineKind
from interfaces.models import AccountCode, CodeRule
from invoicing.models import Exchange, InvoiceLine, InvoiceSetting
from offices.models import Practice, Role, SupportGrant, User
from offices.tenancy import acting_for
from tests.factories import make_member, make_practice, make_user
from tests.invoicing.pages import client_of, counted_queries, text_of, url
from tests.invoicing.scene import Scene, make_scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(practice: Practice) -> User:
    """An admin."""
    return make_member(practice, Role.ADMIN, "ana@harbour.example")


@pytest.fixture
def scene(practice: Practice, admin: User) -> Scene:
    """Every state."""
    with acting_for(practice.pk):
        return make_scene(admin)


def page_of(practice: Practice, user: User, invoice_id: int | None) -> str:
    """What the page of that invoice says to that person."""
    return text_of(client_of(user).get(url(practice, f"invoices/{invoice_id}/")))


def test_it_tells_the_invoice_and_where_it_stands(
    practice: Practice, admin: User, scene: Scene
) -> None:
    sent = scene.uploads["sent"]
    page = page_of(practice, admin, sent.invoice_id)
    for words in (
        f"Invoice {sent.invoice} Committed Sent",
        "Invoice date 1 Nov 2026",
        "Invoice setting Standard, through Xero Auckland",
        "Order number PO 4471",
        "PDF ABT invoice.pdf",
        "200 Sales Which rule gave this? Line: not set Disbursement type: none on this line",
        "Default for revenue: 200 Sales",
        "Default for taxed lines: OUTPUT2 15% GST on Income 1 12,400.00 12,400.00 1,860.00",
        "Amount excl tax NZD 13,260.00",
        "Amount incl tax NZD 15,249.00",
        "Paid 5,000.00",
        "Status in the package Authorised",
        "20 Nov 2026 Ridgeline part payment 5,000.00",
        f"Credited by {scene.uploads['credit'].invoice}",
    ):
        assert words in page
    note = page_of(practice, admin, scene.uploads["credit"].invoice_id)
    assert f"Credit note {scene.uploads['credit'].invoice} Committed Sent" in note
    assert f"Credits {sent.invoice}" in note
    assert "-860.00" in note


def test_lines_show_codes_quantities_and_prices_as_they_are(
    practice: Practice, admin: User, scene: Scene
) -> None:
    invoice = scene.available[0]
    with acting_for(practice.pk):
        InvoiceLine.objects.filter(invoice=invoice, position=1).update(
            kind=LineKind.DISBURSEMENT,
            quantity=Decimal("1234.2500"),
            unit_price=Decimal("0.1255"),
            account_code="210",
            tax_code="OUTPUT2",
            job=scene.job,
            description="Printing\nA1 sheets",
        )
    page = page_of(practice, admin, invoice.pk)
    job = scene.job.code
    assert f"A1 sheets Disbursement {job} 210 Recoveries Which rule gave this?" in page
    assert "Line: OUTPUT2 15% GST on Income 1,234.25 0.1255" in page


def test_its_history_tells_every_move_and_every_call(
    practice: Practice, admin: User, scene: Scene
) -> None:
    page = page_of(practice, admin, scene.uploads["refused"].invoice_id)
    assert "Invoice in batch 1 , through Xero Auckland Refused" in page
    assert "Waiting → Preparing" in page
    assert "Sending → Refused : Invoice line 2: account 260 is archived" in page
    assert "1 call to Xero" in page
    assert "PUT /api.xro/2.0/Invoices?summarizeErrors=false&unitdp=4: answered 200" in page
    unknown = page_of(practice, admin, scene.uploads["unknown"].invoice_id)
    assert "no readable answer (No answer in 60 seconds)" in unknown


def test_bodies_are_shown_to_support_alone(practice: Practice, admin: User, scene: Scene) -> None:
    invoice_id = scene.uploads["refused"].invoice_id
    support = make_user("sam@abtrac.example", is_support=True)
    SupportGrant.objects.create(
        practice=practice,
        user=support,
        granted_by=admin,
        reason="Look at the refusal",
        ends_at=timezone.now() + timedelta(hours=1),
    )
    sent = 'Sent: {"Invoices": [{"InvoiceNumber": "ABT-1"}]}'
    assert sent not in page_of(practice, admin, invoice_id)
    assert sent in page_of(practice, support, invoice_id)
    with acting_for(practice.pk):
        Exchange.objects.update(body=b"\xff\x00<script>" + b"x" * 100_000)
    client = client_of(support)
    body = client.get(url(practice, f"invoices/{invoice_id}/")).content.decode()
    assert "<script>x" not in body
    assert len(body) < 60_000


def test_one_not_uploaded_or_parked_says_so(practice: Practice, admin: User, scene: Scene) -> None:
    fresh = page_of(practice, admin, scene.available[1].pk)
    assert "Not sent" in fresh
    assert "Not uploaded so far." in fresh
    assert "None read back from the package so far." in fresh
    parked = page_of(practice, admin, scene.parked[0].pk)
    assert "by ana@harbour.example: Sent by hand in October" in parked


def test_it_costs_the_same_however_long_its_history_is(
    practice: Practice, admin: User, scene: Scene
) -> None:
    browser = client_of(admin)
    costs = []
    for invoice_id in (scene.available[1].pk, scene.uploads["sent"].invoice_id):
        with counted_queries() as queries:
            browser.get(url(practice, f"invoices/{invoice_id}/"))
        costs.append(len(queries))
    # Without a history there is none to be read: its moves and its calls are two more.
    assert costs[1] - costs[0] <= 2
    # Those for the log-in and the menu are five of them.
    assert max(costs) <= 18


def test_another_practices_invoice_is_not_there(
    practice: Practice, admin: User, scene: Scene
) -> None:
    other = make_practice("Elsewhere Architects")
    stranger = client_of(make_member(other, Role.ADMIN))
    path = f"invoices/{scene.available[0].pk}/"
    assert stranger.get(url(practice, path)).status_code == 404
    assert stranger.get(url(other, path)).status_code == 404
    for wrong in ("0", "9" * 30):
        assert client_of(admin).get(url(practice, f"invoices/{wrong}/")).status_code == 404


def test_each_line_tells_which_rule_gave_its_codes_and_what_is_wrong_with_them(
    practice: Practice, admin: User, scene: Scene
) -> None:
    invoice = scene.available[0]
    with acting_for(practice.pk):
        rule = {"interface": scene.interface, "scope": CodeRule.Scope.OFFICE}
        account = AccountCode.objects.get(interface=scene.interface, code="260")
        CodeRule.objects.create(subject=invoice.office.abtrac_id, account=account, **rule)
        InvoiceLine.objects.filter(invoice=invoice, position=1).update(tax_code="<b>GST")
    page = page_of(practice, admin, invoice.pk)
    assert f"Office {invoice.office}: 260 Other revenue" in page
    assert "Tax code <b>GST (from the line) is not in Xero's list." in page
    with acting_for(practice.pk):
        InvoiceSetting.objects.filter(pk=invoice.invoice_setting_id).update(interface=None)
    page = page_of(practice, admin, invoice.pk)
    assert "By rule" in page
    assert "Which rule gave this?" not in page


def test_it_tells_who_took_it_off_the_list_and_put_it_back_and_why(
    practice: Practice, admin: User, scene: Scene
) -> None:
    refused, browser = scene.uploads["refused"], client_of(admin)
    # Parked before there was such a history.
    old = {"invoice": scene.parked[0].pk}
    browser.post(url(practice, "parked/return/"), old)
    assert "Parked , by ana@harbour.example: Sent by hand in October" in page_of(
        practice, admin, scene.parked[0].pk
    )
    posted = {"invoice": refused.invoice_id, "reason": "Typed in by hand"}
    browser.post(url(practice, "upload/in-accounts/"), posted)
    browser.post(url(practice, "in-accounts/return/"), posted)
    browser.post(url(practice, "upload/park/"), {**posted, "reason": "Disputed"})
    browser.post(url(practice, "parked/return/"), posted)
    told = page_of(practice, admin, refused.invoice_id)
    start = 0
    for words in (
        "Already in accounts , by ana@harbour.example: Typed in by hand",
        "Offered again , by ana@harbour.example",
        "Parked , by ana@harbour.example: Disputed",
        "Un-parked , by ana@harbour.example",
        "Refused \u2192 Already in accounts , by ana@harbour.example",
    ):
        assert words in told[start:], words
        start = told.index(words, start)
    assert "Refused \u2192 Parked" not in told
