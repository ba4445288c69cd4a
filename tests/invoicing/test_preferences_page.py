"""The preferences of an interface, seen as a person sees them."""

from typing import Any

import pytest
from django.test import Client as Browser

from interfaces import references
from interfaces.codes import CodeBook
from interfaces.models import AccountingInterface
from invoicing.documents import _FIELDS, invoice_of
from invoicing.models import Invoice
from offices.models import AuditEntry, Practice, Role
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_job,
    make_member,
    make_office,
    make_setting,
)
from tests.invoicing.pages import client_of, text_of, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def interface(practice: Practice) -> AccountingInterface:
    """A live interface to Xero."""
    with acting_for(practice.pk):
        return make_interface(name="Xero Auckland")


@pytest.fixture
def invoice(interface: AccountingInterface, practice: Practice) -> Invoice:
    """One that goes through it."""
    with acting_for(practice.pk):
        job = make_job(make_client(), code="26001", client_reference="HV-9")
        office = make_office(make_setting(interface))
        return make_invoice(office, job.client, job=job, order_number="PO 4471")


@pytest.fixture
def browser(practice: Practice) -> Browser:
    """An admin's."""
    return client_of(make_member(practice, Role.ADMIN))


def given(interface: AccountingInterface, **changed: Any) -> dict[str, Any]:
    """The page as it is sent where only this is changed."""
    sent: dict[str, Any] = {"name": interface.name}
    for one in interface.settings:
        value = interface.preference(one.key)
        if one.kind != "boolean" or value:
            sent[f"set_{one.key}"] = value
    sent |= {f"set_{key}": value for key, value in changed.items()}
    return {key: value for key, value in sent.items() if value not in (None, False)}


def test_preferences_stand_in_groups_those_of_every_package_among_them(
    practice: Practice, interface: AccountingInterface, browser: Browser
) -> None:
    page = browser.get(url(practice, f"interfaces/{interface.pk}/preferences/"))
    groups = {
        heading: [field.label for field in fields]
        for heading, fields in page.context["form"].groups
    }
    assert list(groups) == ["Documents", "Clients", "Jobs", "Uploads"]
    assert groups["Documents"][-2:] == ["Reference or memo", "Attach the PDF"]
    assert groups["Uploads"] == ["Upload on commit", "Mail the summary of a batch"]
    told = text_of(page)
    assert all(heading in told for heading in groups)


def test_a_reference_is_shown_with_a_real_invoice_before_it_is_kept(
    practice: Practice, interface: AccountingInterface, invoice: Invoice, browser: Browser
) -> None:
    address = url(practice, f"interfaces/{interface.pk}/preferences/")
    page = text_of(browser.get(address))
    assert f"Invoice {invoice} gets: 26001 Harbour House, Order PO 4471" in page
    sent = given(interface, reference="{client's reference} / {job code}")
    shown = text_of(browser.post(address, sent | {"preview": "1"}))
    assert f"Invoice {invoice} gets: HV-9 / 26001" in shown
    with acting_for(practice.pk):
        interface.refresh_from_db()
        assert interface.preference("reference") == references.DEFAULT
    browser.post(address, sent)
    with acting_for(practice.pk):
        interface.refresh_from_db()
        book = CodeBook.load(interface)
        document, _ = invoice_of(invoice, interface=interface, book=book, key="k")
        changed = AuditEntry.objects.get(action="interface.preferences_set").detail
    assert document.reference == "HV-9 / 26001"
    assert changed["before"]["Reference or memo"] == references.DEFAULT
    assert changed["after"]["Reference or memo"] == "{client's reference} / {job code}"


def test_a_reference_with_a_field_that_is_none_is_refused_with_those_there_are(
    practice: Practice, interface: AccountingInterface, invoice: Invoice, browser: Browser
) -> None:
    address = url(practice, f"interfaces/{interface.pk}/preferences/")
    page = text_of(browser.post(address, given(interface, reference="{project}")))
    assert "{project} is no field. The fields are: {invoice number}, {invoice ID}, {job}" in page
    assert "Preferences are saved." not in page


def test_every_field_of_a_reference_has_its_value(invoice: Invoice, practice: Practice) -> None:
    assert set(_FIELDS) == set(references.FIELDS)
    with acting_for(practice.pk):
        told = {name: value(invoice) for name, value in _FIELDS.items()}
    empty = {name for name, value in told.items() if not value}
    assert empty == {"claim number"}
