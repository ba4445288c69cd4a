"""The rehearsal Xero's plans, editions and roles: what an organisation or a person may not do."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from tests.connectors.xero.xero_caller import (
    XeroCaller,
    line,
    record_of,
    records_of,
    refusals_of,
)

EACH = "Invoices?summarizeErrors=false&unitdp=4"
LIMIT = "You have reached the limit of invoices you can approve"
ISSUED = date(2026, 11, 2)


@pytest.fixture
def xero() -> Iterator[XeroCaller]:
    with XeroCaller() as caller:
        yield caller


def state_of(xero: XeroCaller, action: str) -> str:
    states = {one["Name"]: one["Status"] for one in xero.read("Organisation/Actions")}
    return str(states[action])


# The plan


def test_a_small_plan_approves_so_many_invoices_of_a_month(xero: XeroCaller) -> None:
    xero.books.plan_limit = 2
    xero.books.add_invoice("A", "Quay", issued=ISSUED)
    xero.books.add_invoice("B", "Quay", issued=ISSUED)
    assert refusals_of(xero.put("Invoices", xero.invoice())) == [LIMIT]
    december = xero.invoice(Date="2026-12-01")
    assert record_of(xero.put("Invoices", december))["Status"] == "AUTHORISED"


def test_what_was_approved_counts_even_when_it_is_paid_or_void(xero: XeroCaller) -> None:
    xero.books.plan_limit = 2
    for number in "AB":
        xero.books.add_invoice(number, "Quay", issued=ISSUED)
    xero.books.pay_invoice("A", "115.00")
    xero.books.void_invoice("B")
    assert refusals_of(xero.put("Invoices", xero.invoice())) == [LIMIT]


@pytest.mark.parametrize("status", ["DRAFT", "SUBMITTED"])
def test_a_plan_neither_counts_nor_bounds_what_is_not_approved(
    xero: XeroCaller, status: str
) -> None:
    xero.books.plan_limit = 1
    xero.books.add_invoice("A", "Quay", issued=ISSUED, status=status)
    record_of(xero.put("Invoices", xero.invoice()))
    made = record_of(xero.put("Invoices", xero.invoice(InvoiceNumber="2", Status=status)))
    path = f"Invoices/{made['InvoiceID']}"
    assert refusals_of(xero.post(path, {"Status": "AUTHORISED"})) == [LIMIT]


def test_a_plan_does_not_bound_credit_notes(xero: XeroCaller) -> None:
    xero.books.plan_limit = 0
    assert record_of(xero.put("CreditNotes", xero.credit_note()))["Status"] == "AUTHORISED"


def test_only_sound_invoices_of_a_call_take_room_under_the_plan(xero: XeroCaller) -> None:
    xero.books.plan_limit = 1
    bad = xero.invoice(InvoiceNumber="2", LineItems=[line(AccountCode="999")])
    more = xero.invoice(InvoiceNumber="3")
    answered = records_of(xero.put(EACH, bad, xero.invoice(), more))
    assert [one["StatusAttributeString"] for one in answered] == ["ERROR", "OK", "ERROR"]
    assert answered[2]["ValidationErrors"] == [{"Message": LIMIT}]


def test_a_small_plan_is_the_class_of_its_organisation(xero: XeroCaller) -> None:
    assert xero.read("Organisation")[0]["Class"] == "DEMO"
    xero.books.plan_limit = 20
    assert xero.read("Organisation")[0]["Class"] == "STARTER"


# Edition and status


def test_a_partner_edition_has_no_invoicing(xero: XeroCaller) -> None:
    xero.books.edition = "PARTNER"
    for answer in (xero.put("Invoices", xero.invoice()), xero.call("GET", "CreditNotes?page=1")):
        assert (answer.status_code, answer.content) == (403, b"")
    assert xero.read("Organisation")[0]["Edition"] == "PARTNER"


def test_an_organisation_that_is_not_active_is_offline(xero: XeroCaller) -> None:
    xero.books.status = "SUSPENDED"
    answer = xero.put("Invoices", xero.invoice())
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/plain")
    assert xero.books.invoices == []


# Roles


@pytest.mark.parametrize(
    ("action", "status", "answered"),
    [
        ("CreateApprovedInvoice", "AUTHORISED", 403),
        ("CreateApprovedInvoice", "DRAFT", 200),
        ("CreateApprovedInvoice", "SUBMITTED", 200),
        ("CreateDraftInvoice", "DRAFT", 403),
    ],
)
@pytest.mark.parametrize("kind", ["Invoices", "CreditNotes"])
def test_a_role_that_may_not_is_answered_without_a_word(
    xero: XeroCaller, kind: str, action: str, status: str, answered: int
) -> None:
    xero.books.forbidden.add(action)
    make = xero.invoice if kind == "Invoices" else xero.credit_note
    answer = xero.put(kind, make(Status=status))
    assert answer.status_code == answered
    assert answered == 200 or answer.content == b""
    assert state_of(xero, action) == "NOT-ALLOWED"


def test_a_role_that_may_not_attach_is_refused_the_file(xero: XeroCaller) -> None:
    made = record_of(xero.put("Invoices", xero.invoice()))
    xero.books.forbidden.add("AttachFilesIntoInvoice")
    path = f"Invoices/{made['InvoiceID']}/Attachments/a.pdf"
    answer = xero.call("PUT", path, data=b"%PDF", headers={"Content-Type": "application/pdf"})
    assert (answer.status_code, answer.content) == (403, b"")


def test_without_multicurrency_only_its_own_currency_is_taken(xero: XeroCaller) -> None:
    xero.books.forbidden.add("UseMulticurrency")
    [message] = refusals_of(xero.put("Invoices", xero.invoice(CurrencyCode="AUD")))
    assert message == "Organisation is not subscribed to currency AUD"
    assert record_of(xero.put("Invoices", xero.invoice()))["CurrencyCode"] == "NZD"


# Fields of contacts, wherever they are written


@pytest.mark.parametrize(
    ("contact", "message"),
    [
        ({"Name": "New", "EmailAddress": "nobody"}, "Email address must be valid"),
        ({"Name": "A" * 256}, "Name exceeds the maximum length of 255"),
        ({"Name": "New", "Phones": [{"PhoneNumber": "1" * 51}]}, "PhoneNumber exceeds"),
    ],
)
def test_a_contact_that_an_invoice_would_make_is_judged(
    xero: XeroCaller, contact: dict[str, Any], message: str
) -> None:
    assert message in refusals_of(xero.put("Invoices", xero.invoice(Contact=contact)))[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"EmailAddress": "nobody"}, "Email address must be valid"),
        ({"Name": "WHARF"}, "must be unique across all active contacts"),
    ],
)
def test_what_an_invoice_would_write_into_its_contact_is_judged(
    xero: XeroCaller, fields: dict[str, Any], message: str
) -> None:
    xero.books.add_contact(name="Wharf")
    contact = {"ContactID": xero.client().id} | fields
    assert message in refusals_of(xero.put("Invoices", xero.invoice(Contact=contact)))[0]


def test_four_tracking_categories_are_kept_archived_ones_included(xero: XeroCaller) -> None:
    for name in ("Office", "Region", "Team"):
        record_of(xero.write("PUT", "TrackingCategories", {"Name": name}))
        xero.books.tracking_categories[-1].status = "ARCHIVED"
    assert "At most 4" in refusals_of(xero.write("PUT", "TrackingCategories", {"Name": "More"}))[0]
