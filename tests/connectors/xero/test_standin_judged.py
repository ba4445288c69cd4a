"""Two outsiders judge the rehearsal Xero's answers: the vendor's description and library."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests
import simplejson
from xero_python.accounting import models  # type: ignore[import-untyped]
from xero_python.api_client import ModelFinder, deserialize  # type: ignore[import-untyped]

from tests.connectors.xero.xero_caller import XeroCaller, line, record_of
from tests.specs import IDENTITY, validate_xero_answer, validate_xero_request

PDF = {"Content-Type": "application/pdf"}


@pytest.fixture(scope="module")
def xero() -> Iterator[XeroCaller]:
    """Books with something of everything in them."""
    with XeroCaller() as caller:
        arrange(caller)
        yield caller


def arrange(xero: XeroCaller) -> None:
    books = xero.books
    books.set_lock_date(date(2026, 3, 31), end_of_year=True)
    books.set_lock_date(date(2026, 10, 31))
    books.add_tracking_option("J1234")
    quay = {
        "Name": "Quay Holdings Ltd",
        "ContactNumber": "C-17",
        "EmailAddress": "ap@quay.example",
        "DefaultCurrency": "NZD",
        "Addresses": [{"AddressType": "POBOX", "City": "Napier", "Country": "New Zealand"}],
        "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": "555"}],
        "ContactPersons": [{"FirstName": "Ana", "IncludeInEmails": True}],
        "PaymentTerms": {"Sales": {"Day": 20, "Type": "OFFOLLOWINGMONTH"}},
    }
    record_of(xero.put("Contacts", quay))
    tracked = line(Tracking=[{"Name": "Job", "Option": "J1234"}], UnitAmount=1.2345)
    lines = [tracked, line(DiscountRate=10), {"Description": "Text"}]
    made = record_of(xero.put("Invoices?unitdp=4", xero.invoice(LineItems=lines)))
    note = record_of(xero.put("CreditNotes?unitdp=4", xero.credit_note()))
    key, note_key = made["InvoiceID"], note["CreditNoteID"]
    body = {"Amount": 10.5, "Date": "2026-11-21", "Invoice": {"InvoiceID": key}}
    record_of(xero.put(f"CreditNotes/{note_key}/Allocations", body))
    record_of(xero.call("PUT", f"Invoices/{key}/Attachments/a.pdf", data=b"%PDF", headers=PDF))
    record_of(xero.put(f"Invoices/{key}/History", {"Details": "Sent by Abtrac"}))
    books.pay_invoice("ABT-1001", "20.00", date(2026, 11, 22), "part")
    books.add_invoice("INV-2", "Wharf Ltd", status="DRAFT", currency="USD", due=date(2026, 12, 1))
    books.add_invoice("INV-3", "Wharf Ltd", "57.50")
    books.delete_payment(books.pay_invoice("INV-3", "57.50").id)
    books.pay_invoice("INV-3", "57.50")


READS = (
    ("Organisation", "Organisations"),
    ("Organisation/Actions", "Actions"),
    ("Accounts", "Accounts"),
    ("TaxRates", "TaxRates"),
    ("Currencies", "Currencies"),
    ("BrandingThemes", "BrandingThemes"),
    ("TrackingCategories", "TrackingCategories"),
    ("Contacts?page=1", "Contacts"),
    ("Contacts?page=1&summaryOnly=true", "Contacts"),
    ("Contacts/{contact}", "Contacts"),
    ("Invoices?page=1&unitdp=4", "Invoices"),
    ("Invoices", "Invoices"),
    ("Invoices?page=1&summaryOnly=true", "Invoices"),
    ("Invoices/{invoice}?unitdp=4", "Invoices"),
    ("Invoices/{invoice}/Attachments", "Attachments"),
    ("Invoices/{invoice}/History", "HistoryRecords"),
    ("CreditNotes?page=1&unitdp=4", "CreditNotes"),
    ("CreditNotes/{note}", "CreditNotes"),
    ("Payments?page=1", "Payments"),
    ("Payments/{payment}", "Payments"),
)


def filled(xero: XeroCaller, path: str) -> str:
    return path.format(
        contact=xero.books.contact("Quay Holdings Ltd").id,
        invoice=xero.books.invoice("ABT-1001").id,
        note=xero.books.credit_note("ABT-1002").id,
        payment=xero.books.payments[0].id,
    )


def as_the_library_reads(answer: requests.Response, plural: str) -> Any:
    body = simplejson.loads(answer.content, use_decimal=True)
    return deserialize(plural, body, ModelFinder(models))


def writes(xero: XeroCaller, number: str) -> list[tuple[str, str, str, Any]]:
    """One write of each kind: method, path, what it answers, body."""
    key, note = xero.books.invoice("ABT-1001").id, xero.books.credit_note("ABT-1002").id
    draft = xero.books.add_invoice(f"D-{number}", "Wharf Ltd", status="DRAFT").id
    [category] = xero.books.tracking_categories
    bad = xero.invoice(InvoiceNumber=f"B-{number}", LineItems=[line(AccountCode="999")])
    good = xero.invoice(InvoiceNumber=f"G-{number}")
    return [
        ("PUT", "Invoices?summarizeErrors=false&unitdp=4", "Invoices", {"Invoices": [good, bad]}),
        ("POST", "Invoices?unitdp=4", "Invoices", {"Invoices": [good | {"Reference": "Again"}]}),
        ("POST", f"Invoices/{draft}", "Invoices", {"Invoices": [{"Status": "DELETED"}]}),
        ("PUT", "CreditNotes", "CreditNotes", {"CreditNotes": [xero.credit_note()]}),
        ("PUT", "Contacts", "Contacts", {"Contacts": [{"Name": f"New {number}"}]}),
        ("PUT", f"TrackingCategories/{category.id}/Options", "TrackingOptions", {"Name": number}),
        (
            "PUT",
            f"CreditNotes/{note}/Allocations",
            "Allocations",
            {"Allocations": [{"Amount": 1, "Date": "2026-11-21", "Invoice": {"InvoiceID": key}}]},
        ),
    ]


@pytest.mark.parametrize(("path", "plural"), READS, ids=[path for path, _ in READS])
def test_the_published_description_has_every_answer_to_a_read(
    xero: XeroCaller, path: str, plural: str
) -> None:
    answer = xero.call("GET", filled(xero, path))
    assert answer.json()[plural], "nothing to judge"
    validate_xero_answer("GET", answer.url, answer.content)


@pytest.mark.parametrize(("path", "plural"), READS, ids=[path for path, _ in READS])
def test_the_vendors_library_reads_every_answer(xero: XeroCaller, path: str, plural: str) -> None:
    answer = xero.call("GET", filled(xero, path))
    read = as_the_library_reads(answer, plural)
    [records] = [value for value in vars(read).values() if isinstance(value, list) and value][-1:]
    assert len(records) == len(answer.json()[plural])


@pytest.mark.parametrize("place", range(7))
def test_both_outsiders_accept_the_answers_to_writes(xero: XeroCaller, place: int) -> None:
    method, path, plural, body = writes(xero, f"{place}")[place]
    answer = xero.write(method, path, body)
    assert answer.status_code == 200, answer.text
    sent = answer.request.body
    assert isinstance(sent, bytes)
    validate_xero_request(method, str(answer.url), answer.request.headers, sent)
    validate_xero_answer(method, str(answer.url), answer.content)
    as_the_library_reads(answer, plural)


def test_the_published_description_has_the_answer_to_an_attachment(xero: XeroCaller) -> None:
    path = filled(xero, "Invoices/{invoice}/Attachments/b.pdf?IncludeOnline=true")
    answer = xero.call("PUT", path, data=b"%PDF", headers=PDF)
    validate_xero_answer("PUT", answer.url, answer.content)


def test_the_published_description_has_the_list_of_connections(xero: XeroCaller) -> None:
    answer = xero.call("GET", "/connections")
    assert len(answer.json()) == 2
    url = answer.url.replace("/connections", "/Connections")
    # The description asks for a time zone that its own example, and Xero, leave out.
    zoned = re.sub(rb'(\.\d{7})"', rb'\1Z"', answer.content)
    validate_xero_answer("GET", url, zoned, name=IDENTITY)


def test_the_vendors_library_reads_amounts_dates_and_moments_as_they_are_meant(
    xero: XeroCaller,
) -> None:
    answer = xero.call("GET", "Invoices/ABT-1001?unitdp=4")
    invoice = as_the_library_reads(answer, "Invoices").invoices[0]
    assert (invoice.date, invoice.due_date) == (date(2026, 11, 20), date(2026, 12, 20))
    assert invoice.updated_date_utc == datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
    assert str(invoice.line_items[0].unit_amount) == "1.2345"
    assert invoice.type == "ACCREC"
    assert invoice.total == invoice.sub_total + invoice.total_tax


def test_the_vendors_library_reads_a_refusal(xero: XeroCaller) -> None:
    answer = xero.put("Invoices", xero.invoice(InvoiceNumber="ABT-1001"))
    error = as_the_library_reads(answer, "Error")
    assert (answer.status_code, error.error_number) == (400, 10)
    [element] = error.elements
    assert element.validation_errors[0].message == "Invoice # must be unique."


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'"Status": "AUTHORISED"', b'"Status": "Authorised"'),
        (b'"CurrencyCode": "NZD"', b'"CurrencyCode": "Dollar"'),
        (b'"Total": 115.00', b'"Total": "115.00"'),
    ],
)
def test_the_published_description_is_a_judge_that_refuses(
    xero: XeroCaller, good: bytes, bad: bytes
) -> None:
    number = f"J-{len(xero.books.invoices)}"
    answer = xero.put("Invoices", xero.invoice(InvoiceNumber=number))
    assert good in answer.content
    with pytest.raises(AssertionError, match="Invoices/0/"):
        validate_xero_answer("PUT", answer.url, answer.content.replace(good, bad))
