"""A person says that an invoice is in Xero already; Xero is asked before they are believed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client as Browser
from django.utils import timezone

from connectors.base.standin import Answer
from interfaces.models import AccountingInterface
from invoicing import payments
from invoicing.models import Invoice
from invoicing.uploads import retry
from offices.tenancy import acting_for
from tests.factories import PASSWORD
from tests.faults.conftest import Firm
from tests.invoicing.pages import text_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_a_person_says_is_looked_at_and_can_be_taken_back(firm: Firm) -> None:
    invoice = firm.invoice(number="A-1")
    theirs = firm.type_in("A-1", "99.00")
    firm.upload(invoice)
    firm.work()
    upload = firm.of(invoice)
    assert upload.state == "needs_person"
    browser = Browser()
    assert browser.login(username=firm.user.email, password=PASSWORD)
    link = f"/{firm.practice.slug}/accounting/uploads/{upload.pk}/link/"

    compared = text_of(browser.get(link))
    assert "Number A-1 A-1 Client" in compared
    assert "Somebody Else Ltd differs" in compared
    assert "NZD 99.00 differs Status Committed in Abtrac Authorised" in compared

    nothing = browser.post(link, {"remote_id": "nonsense"}).content.decode()
    assert "Xero has no invoice at that address. Open the document in Xero, and copy" in nothing
    assert firm.of(invoice).state == "needs_person"

    shown = browser.post(link, {"remote_id": theirs}).content.decode()
    assert "They are not the same." in shown
    assert "Somebody Else Ltd" in shown
    assert "Link it all the same" in shown
    assert firm.of(invoice).state == "needs_person"

    meant = browser.post(link, {"remote_id": theirs, "differs": theirs})
    assert meant.status_code == 302
    linked = firm.of(invoice)
    assert (linked.state, linked.remote_id) == ("sent", theirs)
    assert "Somebody Else Ltd" in linked.warnings[1]

    unlink = f"/{firm.practice.slug}/accounting/uploads/{upload.pk}/unlink/"
    assert browser.post(unlink).status_code == 302
    assert firm.of(invoice).state == "needs_person"
    assert firm.numbers_there() == ["A-1"]


def test_a_package_that_cannot_be_asked_links_nothing(firm: Firm) -> None:
    invoice = firm.invoice(number="A-1")
    theirs = firm.type_in("A-1", "99.00")
    firm.upload(invoice)
    firm.work()
    browser = Browser()
    assert browser.login(username=firm.user.email, password=PASSWORD)
    firm.xero.script(method="GET", path=rf".*/Invoices/{theirs}", times=5, fault=Answer(503))
    link = f"/{firm.practice.slug}/accounting/uploads/{firm.of(invoice).pk}/link/"
    page = browser.post(link, {"remote_id": theirs}).content.decode()
    assert "is in trouble just now" in page or "Xero" in page
    assert firm.of(invoice).state == "needs_person"


@pytest.fixture
def settled(firm: Firm) -> Firm:
    """The firm, with its client in Xero and all that was paid so far read back."""
    firm.earlier = [firm.invoice(number="A-0")]
    firm.upload(*firm.earlier)
    firm.work()
    return firm


def read_up_to_now(firm: Firm) -> None:
    """Read payments, and let time pass until the mark is after all that happened."""
    payments.read_payments(practice_id=firm.practice.pk, interface_id=firm.interface.pk)
    with acting_for(firm.practice.pk):
        later = timezone.now() + timedelta(minutes=5)
        AccountingInterface.objects.filter(payments_mark__gt="").update(
            payments_mark=later.isoformat(timespec="seconds")
        )


def paid_of(firm: Firm, invoice: Invoice) -> Decimal:
    """What is known to be paid of the invoice after the next reading."""
    payments.read_payments(practice_id=firm.practice.pk, interface_id=firm.interface.pk)
    with acting_for(firm.practice.pk):
        return Invoice.objects.get(pk=invoice.pk).paid


def test_what_was_paid_while_a_person_was_asked_is_read_once_it_is_found(settled: Firm) -> None:
    invoice = settled.invoice(number="A-1")
    settled.upload(invoice)
    settled.work()
    upload = settled.of(invoice)
    # As after a lost answer and look-ups that all failed.
    settled.put(
        upload,
        "needs_person",
        remote_id="",
        unknown_since=timezone.now(),
        reason="We could not find out whether it arrived.",
        next_step="Retry.",
    )
    settled.books.pay_invoice("A-1", str(invoice.total))
    read_up_to_now(settled)
    with acting_for(settled.practice.pk):
        retry(upload_ids=[upload.pk], actor=settled.user)
    settled.work()
    assert settled.of(invoice).state == "sent"
    assert paid_of(settled, invoice) == invoice.total


def test_what_was_paid_of_an_invoice_already_there_is_read_once_it_is_adopted(
    settled: Firm,
) -> None:
    invoice = settled.invoice(number="A-1")
    settled.upload(invoice)
    settled.work()
    # As if it had been entered there by hand.
    settled.put(settled.of(invoice), "cancelled", remote_id="")
    settled.books.pay_invoice("A-1", str(invoice.total))
    read_up_to_now(settled)
    settled.upload(invoice)
    settled.work()
    settled.check(invoice)
    assert paid_of(settled, invoice) == invoice.total


def test_what_is_newly_created_has_no_earlier_payments_to_read(settled: Firm) -> None:
    read_up_to_now(settled)
    with acting_for(settled.practice.pk):
        mark = AccountingInterface.objects.get(pk=settled.interface.pk).payments_mark
    invoice = settled.invoice(number="A-1")
    settled.upload(invoice)
    settled.work()
    settled.check(invoice)
    with acting_for(settled.practice.pk):
        assert AccountingInterface.objects.get(pk=settled.interface.pk).payments_mark == mark
