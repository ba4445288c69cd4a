"""A person says that an invoice is in Xero already; Xero is asked before they are believed."""

import pytest
from django.test import Client as Browser

from connectors.base.standin import Answer
from tests.factories import PASSWORD
from tests.faults.conftest import Firm

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_a_person_says_is_looked_at_and_can_be_taken_back(firm: Firm) -> None:
    invoice = firm.invoice(number="A-1")
    theirs = firm.books.add_invoice("A-1", "Somebody Else Ltd", "99.00")
    firm.upload(invoice)
    firm.work()
    upload = firm.of(invoice)
    assert upload.state == "needs_person"
    browser = Browser()
    assert browser.login(username=firm.user.email, password=PASSWORD)
    link = f"/{firm.practice.slug}/accounting/uploads/{upload.pk}/link/"

    nothing = browser.post(link, {"remote_id": "nonsense"}).content.decode()
    assert "Xero has no invoice with that id." in nothing
    assert firm.of(invoice).state == "needs_person"

    shown = browser.post(link, {"remote_id": theirs.id}).content.decode()
    assert "They are not the same." in shown
    assert "Somebody Else Ltd" in shown
    assert "Link it all the same" in shown
    assert firm.of(invoice).state == "needs_person"

    meant = browser.post(link, {"remote_id": theirs.id, "differs": theirs.id})
    assert meant.status_code == 302
    linked = firm.of(invoice)
    assert (linked.state, linked.remote_id) == ("sent", theirs.id)
    assert "Somebody Else Ltd" in linked.warnings[1]

    unlink = f"/{firm.practice.slug}/accounting/uploads/{upload.pk}/unlink/"
    assert browser.post(unlink).status_code == 302
    assert firm.of(invoice).state == "needs_person"
    assert firm.numbers_in_xero() == ["A-1"]


def test_a_package_that_cannot_be_asked_links_nothing(firm: Firm) -> None:
    invoice = firm.invoice(number="A-1")
    theirs = firm.books.add_invoice("A-1", "Somebody Else Ltd", "99.00")
    firm.upload(invoice)
    firm.work()
    browser = Browser()
    assert browser.login(username=firm.user.email, password=PASSWORD)
    firm.xero.script(method="GET", path=rf".*/Invoices/{theirs.id}", times=5, fault=Answer(503))
    link = f"/{firm.practice.slug}/accounting/uploads/{firm.of(invoice).pk}/link/"
    page = browser.post(link, {"remote_id": theirs.id}).content.decode()
    assert "is in trouble just now" in page or "Xero" in page
    assert firm.of(invoice).state == "needs_person"
