"""Invoices that are in the accounts already, and those from before the go-live date."""

from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from interfaces.models import AccountingInterface
from invoicing import uploads
from invoicing.models import Invoice, Upload
from offices.models import AuditEntry, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_member,
    make_office,
    make_setting,
)
from tests.invoicing.pages import client_of, said, text_of, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts(practice: Practice) -> User:
    """Somebody who may upload."""
    return make_member(practice, Role.ACCOUNTS)


@pytest.fixture
def interface(practice: Practice) -> AccountingInterface:
    """A live interface, which offers what is dated from November on."""
    with acting_for(practice.pk):
        return make_interface(name="Xero Auckland", offered_from=date(2026, 11, 1))


@pytest.fixture
def invoices(practice: Practice, interface: AccountingInterface) -> list[Invoice]:
    """Of October, of 1 November, and of a credit note of November."""
    with acting_for(practice.pk):
        office, client = make_office(make_setting(interface)), make_client()
        days = (date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2))
        return [
            make_invoice(office, client, nets=[net], issued=day)
            for day, net in zip(days, ("100.00", "200.00", "-50.00"), strict=True)
        ]


def offered(practice: Practice) -> list[str]:
    with acting_for(practice.pk):
        return [one.number for one in uploads.offered().order_by("issued")]


def test_what_is_dated_before_the_go_live_date_is_not_offered_and_cannot_be_sent(
    practice: Practice, accounts: User, invoices: list[Invoice]
) -> None:
    old, first, credit = invoices
    assert offered(practice) == [first.number, credit.number]
    answer = client_of(accounts).post(
        url(practice, "upload/send/"), {"invoice": [old.pk]}, follow=True
    )
    assert said(answer) == [
        f"{old.number}: It is dated 31 Oct 2026, before the go-live date 1 Nov 2026 of"
        " Xero Auckland."
    ]
    with acting_for(practice.pk):
        assert not Upload.objects.exists()


def test_an_interface_that_is_being_set_up_sends_nothing_but_what_is_tried(
    practice: Practice,
    accounts: User,
    interface: AccountingInterface,
    invoices: list[Invoice],
) -> None:
    with acting_for(practice.pk):
        AccountingInterface.objects.update(live_since=None)
    browser = client_of(accounts)
    page = text_of(browser.get(url(practice, "upload/")))
    assert "Being set up Xero Auckland" in page
    sent = {"invoice": [invoices[1].pk]}
    answer = browser.post(url(practice, "upload/send/"), sent, follow=True)
    assert said(answer) == [
        f"{invoices[1].number}: Xero Auckland is still being set up. Finish that under"
        " Accounting >> Interface Settings."
    ]
    with acting_for(practice.pk):
        tried = uploads.enqueue(invoice_ids=[invoices[1].pk], actor=accounts, before_live=True)
        assert tried.queued == 1


def test_what_is_marked_as_in_the_accounts_leaves_the_list_and_can_come_back(
    practice: Practice, accounts: User, invoices: list[Invoice]
) -> None:
    _, first, credit = invoices
    browser = client_of(accounts)
    posted: dict[str, Any] = {"invoice": [first.pk]}
    asked = browser.post(url(practice, "upload/in-accounts/"), posted)
    assert "1 invoice already in the accounts" in text_of(asked)
    assert offered(practice) == [first.number, credit.number]
    answer = browser.post(
        url(practice, "upload/in-accounts/"), {**posted, "reason": "Typed in by hand"}, follow=True
    )
    assert said(answer) == ["1 invoice marked as already in the accounts: Typed in by hand"]
    assert offered(practice) == [credit.number]
    again = browser.post(url(practice, "upload/send/"), posted, follow=True)
    assert "Marked as already in the accounts. Offer it again first." in said(again)[0]
    twice = browser.post(
        url(practice, "upload/in-accounts/"), {**posted, "reason": "Again"}, follow=True
    )
    assert "could not be marked" in said(twice)[0]
    page = text_of(browser.get(url(practice, "in-accounts/")))
    assert first.number in page
    assert "Typed in by hand" in page
    assert "Already in accounts" in text_of(browser.get(url(practice, f"invoices/{first.pk}/")))
    back = browser.post(url(practice, "in-accounts/return/"), posted, follow=True)
    assert said(back) == ["1 invoice can be uploaded again."]
    assert offered(practice) == [first.number, credit.number]
    with acting_for(practice.pk):
        told = {one.action: one.detail for one in AuditEntry.objects.filter(actor=accounts)}
    assert told["invoice.in_accounts"]["reason"] == "Typed in by hand"
    assert told["invoice.offered_again"]["marked_because"] == {str(first.pk): "Typed in by hand"}


def test_only_what_was_marked_is_recorded_as_marked(
    practice: Practice, accounts: User, invoices: list[Invoice]
) -> None:
    _, sent, free = invoices
    with acting_for(practice.pk):
        uploads.enqueue(invoice_ids=[sent.pk], actor=accounts)
    posted = {"invoice": [sent.pk, free.pk], "reason": "By hand"}
    client_of(accounts).post(url(practice, "upload/in-accounts/"), posted)
    with acting_for(practice.pk):
        entry = AuditEntry.objects.get(action="invoice.in_accounts")
    assert (entry.subject, entry.detail["invoices"]) == (free.number, [free.pk])


def test_marking_all_older_ones_leaves_what_is_sent_parked_or_newer(
    practice: Practice,
    accounts: User,
    interface: AccountingInterface,
    invoices: list[Invoice],
) -> None:
    old = invoices[0]
    with acting_for(practice.pk):
        AccountingInterface.objects.update(offered_from=None)
        interface.refresh_from_db()
        office = old.office
        sent = make_invoice(office, old.client, issued=date(2026, 10, 2))
        parked = make_invoice(office, old.client, issued=date(2026, 10, 3))
        draft = make_invoice(office, old.client, issued=date(2026, 10, 4), committed=False)
        uploads.enqueue(invoice_ids=[sent.pk], actor=accounts)
        uploads.park(invoice_ids=[parked.pk], reason="Later", actor=accounts)
        interface.offered_from = date(2026, 11, 1)
        interface.save()
        marked = uploads.mark_older(interface=interface, reason="Before", actor=accounts)
        assert marked == 1
        found = Invoice.objects.filter(in_accounts_at__isnull=False)
        assert [one.pk for one in found] == [old.pk]
        assert draft.in_accounts_at is None


def test_what_is_parked_is_not_marked_as_well_nor_the_other_way_round(
    practice: Practice, accounts: User, invoices: list[Invoice]
) -> None:
    _, first, second = invoices
    with acting_for(practice.pk):
        assert len(uploads.park(invoice_ids=[first.pk], reason="Later", actor=accounts)) == 1
        assert uploads.mark_in_accounts(invoice_ids=[first.pk], reason="x", actor=accounts) == []
        uploads.mark_in_accounts(invoice_ids=[second.pk], reason="By hand", actor=accounts)
        assert len(uploads.park(invoice_ids=[second.pk], reason="Later", actor=accounts)) == 0


def test_what_is_put_back_is_only_called_offered_where_it_is(
    practice: Practice, accounts: User, invoices: list[Invoice]
) -> None:
    with acting_for(practice.pk):
        Invoice.objects.filter(pk=invoices[0].pk).update(in_accounts_at=timezone.now())
    answer = client_of(accounts).post(
        url(practice, "in-accounts/return/"), {"invoice": [invoices[0].pk]}, follow=True
    )
    assert said(answer) == [
        "1 invoice put back, but not on the list: dated before the go-live date, or set aside in"
        " another way."
    ]


def test_a_failed_upload_of_what_is_marked_is_set_aside(
    practice: Practice, accounts: User, invoices: list[Invoice]
) -> None:
    with acting_for(practice.pk):
        invoice = invoices[1]
        invoice.lines.update(account_code="999")
        uploads.enqueue(invoice_ids=[invoice.pk], actor=accounts)
        assert Upload.objects.get(kind="invoice").state == "refused"
        uploads.mark_in_accounts(invoice_ids=[invoice.pk], reason="By hand", actor=accounts)
        assert Upload.objects.get(kind="invoice").state == "parked"


@pytest.mark.parametrize("path", ["upload/in-accounts/", "in-accounts/return/"])
def test_whoever_only_looks_cannot_mark(
    practice: Practice, invoices: list[Invoice], path: str
) -> None:
    viewer = client_of(make_member(practice, Role.VIEWER))
    posted = {"invoice": [invoices[1].pk], "reason": "x"}
    assert viewer.post(url(practice, path), posted).status_code == 403
