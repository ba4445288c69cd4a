"""A click on Upload to accounts after the package has signed the practice out."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.xero.standin import XeroStandIn
from interfaces.credentials import store_tokens
from interfaces.models import AccountingInterface, Lane
from invoicing.models import Batch, Invoice, Upload
from invoicing.uploads import lane
from offices.models import Practice, Role
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
from tests.rehearsing import sign_in

pytestmark = pytest.mark.django_db

NAME = "Harbour Architects Ltd"


@pytest.fixture
def xero(settings: Any) -> Iterator[XeroStandIn]:
    """A rehearsal Xero, which the product takes for Xero."""
    with XeroStandIn() as running:
        endpoints = dict.fromkeys(running.endpoint_names, running.url)
        app = {
            "endpoints": endpoints,
            "client_id": running.client_id,
            "client_secret": running.client_secret,
        }
        settings.PACKAGE_APPS = {"xero": {**settings.PACKAGE_APPS["xero"], **app}}
        yield running


@pytest.fixture
def lapsed(practice: Practice, xero: XeroStandIn) -> AccountingInterface:
    """An interface that Xero has signed out."""
    with acting_for(practice.pk):
        made = make_interface(
            name="Xero Auckland", company_file_id=xero.organisation(NAME).tenant_id
        )
        store_tokens(made.pk, xero.issue_tokens(), None)
        made.state, made.state_reason = "needs_consent", "Xero has signed us out."
        made.save()
    return made


@pytest.fixture
def invoice(practice: Practice, lapsed: AccountingInterface) -> Invoice:
    """What is to be uploaded through it."""
    with acting_for(practice.pk):
        return make_invoice(make_office(make_setting(lapsed)), make_client())


def test_an_admin_signs_in_comes_back_to_the_batch_and_it_goes_on(
    practice: Practice, lapsed: AccountingInterface, invoice: Invoice
) -> None:
    browser = client_of(make_member(practice, Role.ADMIN))
    away = browser.post(url(practice, "upload/send/"), {"invoice": invoice.pk})
    back = sign_in(browser, away["Location"])
    assert back["Location"] == url(practice, "batches/1/")
    page = browser.get(back["Location"])
    assert said(page)[0].startswith("Batch 1 is made of 1 invoice")
    assert "asks for a new sign-in" not in text_of(page)
    lane.drain(practice_id=practice.pk, interface_id=lapsed.pk)
    with acting_for(practice.pk):
        assert Upload.objects.get(invoice=invoice).state == Upload.State.SENT


def test_others_make_the_batch_and_are_told_who_can_sign_in(
    practice: Practice, lapsed: AccountingInterface, invoice: Invoice
) -> None:
    make_member(practice, Role.ADMIN, "ana@harbour.example")
    browser = client_of(make_member(practice, Role.ACCOUNTS))
    page = browser.post(url(practice, "upload/send/"), {"invoice": invoice.pk}, follow=True)
    assert page.redirect_chain == [(url(practice, "batches/1/"), 302)]
    assert "Xero asks for a new sign-in" in text_of(page)
    assert "These can sign in: ana@harbour.example." in text_of(page)


def test_an_admin_who_cannot_sign_in_is_told_why_on_the_page_of_the_batch(
    practice: Practice, lapsed: AccountingInterface, invoice: Invoice, settings: Any
) -> None:
    settings.PACKAGE_APPS["xero"]["client_id"] = ""
    browser = client_of(make_member(practice, Role.ADMIN))
    page = browser.post(url(practice, "upload/send/"), {"invoice": invoice.pk}, follow=True)
    assert page.redirect_chain == [(url(practice, "batches/1/"), 302)]
    assert any("XERO_CLIENT_ID" in one for one in said(page))


def test_nobody_is_sent_to_sign_in_for_what_only_waits(
    practice: Practice, lapsed: AccountingInterface, invoice: Invoice
) -> None:
    with acting_for(practice.pk):
        AccountingInterface.objects.filter(pk=lapsed.pk).update(state="connected")
        soon = timezone.now() + timedelta(minutes=5)
        Lane.objects.filter(interface=lapsed).update(hold_until=soon)
    browser = client_of(make_member(practice, Role.ADMIN))
    answer = browser.post(url(practice, "upload/send/"), {"invoice": invoice.pk})
    with acting_for(practice.pk):
        assert answer["Location"] == url(practice, f"batches/{Batch.objects.get().number}/")
