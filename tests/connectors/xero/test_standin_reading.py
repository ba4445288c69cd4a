"""What the rehearsal Xero's lists answer: filters, pages, changes since, payments."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.connectors.xero.xero_caller import (
    UNKNOWN_ID,
    XeroCaller,
    day_of,
    error_of,
    moment_of,
    record_of,
    records_of,
)


@pytest.fixture
def xero() -> Iterator[XeroCaller]:
    with XeroCaller() as caller:
        yield caller


@pytest.fixture
def three(xero: XeroCaller) -> XeroCaller:
    """Three invoices: ours approved, somebody's draft in AUD, somebody's approved and paid."""
    record_of(xero.put("Invoices", xero.invoice()))
    xero.books.add_invoice(
        "INV-2", "Wharf Ltd", "200.00", date(2026, 10, 1), status="DRAFT", currency="AUD"
    )
    xero.books.add_invoice("INV-3", "Wharf Ltd", "300.00", date(2026, 9, 1))
    xero.books.pay_invoice("INV-3", "300.00", date(2026, 11, 2), "bank")
    return xero


def numbers(found: list[dict[str, Any]]) -> list[str]:
    return [one["InvoiceNumber"] for one in found]


def since(xero: XeroCaller, path: str, moment: str) -> Any:
    return records_of(xero.call("GET", path, headers={"If-Modified-Since": moment}))


def test_a_paged_list_has_lines_and_says_where_it_is(three: XeroCaller) -> None:
    body = three.call("GET", "Invoices?page=1&pageSize=2").json()
    assert body["pagination"] == {"page": 1, "pageSize": 2, "pageCount": 2, "itemCount": 3}
    assert numbers(body["Invoices"]) == ["ABT-1001", "INV-2"]
    assert all(one["LineItems"] for one in body["Invoices"])
    assert numbers(three.read("Invoices", page=2, pageSize=2)) == ["INV-3"]
    assert three.read("Invoices", page=3, pageSize=2) == []


def test_a_list_without_pages_has_no_lines(three: XeroCaller) -> None:
    body = three.call("GET", "Invoices").json()
    assert "pagination" not in body
    assert len(body["Invoices"]) == 3
    assert not any(one["LineItems"] for one in body["Invoices"])


@pytest.mark.parametrize(
    ("params", "page", "size"),
    [
        ({"page": 1}, 1, 100),
        ({"page": 0}, 1, 100),
        ({"page": -5, "pageSize": 0}, 1, 1),
        ({"page": 1, "pageSize": 5000}, 1, 1000),
    ],
)
def test_a_page_out_of_range_is_moved_into_it(
    three: XeroCaller, params: dict[str, int], page: int, size: int
) -> None:
    found = three.call("GET", "Invoices", params=params).json()["pagination"]
    assert (found["page"], found["pageSize"]) == (page, size)


def test_a_summary_has_neither_lines_nor_payments(three: XeroCaller) -> None:
    for one in three.read("Invoices", page=1, summaryOnly="true"):
        assert {"LineItems", "Payments"}.isdisjoint(one)


def test_an_invoice_is_read_by_id_or_by_number_with_its_lines(three: XeroCaller) -> None:
    [by_number] = three.read("Invoices/ABT-1001")
    [by_id] = three.read(f"Invoices/{by_number['InvoiceID']}")
    assert by_id == by_number
    assert len(by_id["LineItems"]) == 1


def test_a_credit_note_is_read_by_number(three: XeroCaller) -> None:
    three.books.add_credit_note("CN-1", "Wharf Ltd")
    assert three.read("CreditNotes/CN-1")[0]["CreditNoteNumber"] == "CN-1"
    found = three.read("CreditNotes", where='CreditNoteNumber=="CN-1"', page=1)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"InvoiceNumbers": "ABT-1001,INV-3"}, ["ABT-1001", "INV-3"]),
        ({"InvoiceNumbers": "nothing"}, []),
        ({"Statuses": "DRAFT,PAID"}, ["INV-2", "INV-3"]),
        ({"createdByMyApp": "true"}, ["ABT-1001"]),
        ({"searchTerm": "harbour house"}, ["ABT-1001"]),
        ({"searchTerm": "inv-"}, ["INV-2", "INV-3"]),
        ({"order": "InvoiceNumber DESC"}, ["INV-3", "INV-2", "ABT-1001"]),
        ({"order": "Date"}, ["INV-3", "INV-2", "ABT-1001"]),
        ({"where": 'Type=="ACCREC"'}, ["ABT-1001", "INV-2", "INV-3"]),
        ({"where": 'Type=="ACCREC" AND Status=="PAID"'}, ["INV-3"]),
        ({"where": 'Type=="ACCREC"&&Status=="DRAFT"'}, ["INV-2"]),
        ({"where": "Date==DateTime(2026,10,01)"}, ["INV-2"]),
        ({"where": "Date>=DateTime(2026, 9, 1) AND Date<DateTime(2026,11,1)"}, ["INV-2", "INV-3"]),
        ({"where": 'Contact.Name=="wharf ltd"'}, ["INV-2", "INV-3"]),
        ({"where": "Total==300.00"}, ["INV-3"]),
        ({"where": "AmountDue>0 AND Total!=200"}, ["ABT-1001"]),
        ({"where": 'Reference=="J1234 Harbour House"'}, ["ABT-1001"]),
        ({"where": "Contact.ContactNumber!=null"}, []),
    ],
)
def test_a_list_can_be_narrowed(
    three: XeroCaller, params: dict[str, str], expected: list[str]
) -> None:
    assert numbers(three.read("Invoices", page=1, **params)) == expected


def test_a_list_can_be_narrowed_by_ids(three: XeroCaller) -> None:
    invoice = three.books.invoice("INV-2")
    contact = invoice.contact.id
    found = three.read("Invoices", where=f'Contact.ContactID==Guid("{contact}")', page=1)
    assert numbers(found) == ["INV-2", "INV-3"]
    assert numbers(three.read("Invoices", ContactIDs=contact, page=1)) == ["INV-2", "INV-3"]
    assert numbers(three.read("Invoices", IDs=f"{invoice.id},{UNKNOWN_ID}", page=1)) == ["INV-2"]


@pytest.mark.parametrize(
    "where",
    [
        "Type",
        "Type==",
        'Type="ACCREC"',
        "Type==ACCREC",
        'Type=="ACCREC" AND',
        'Type=="ACCREC" Status=="PAID"',
        'Type=="ACCREC" OR Status=="PAID"',
        'Name.Contains("x")',
        'Nothing=="x"',
        'InvoiceID=="11111111-2222-4333-8444-555555555555"',
        'InvoiceID==Guid("17")',
        "Date==DateTime(2026,13,01)",
        'Date=="2026-10-01"',
        'Type=="AC"CREC"',
        '"ACCREC"==Type',
    ],
)
def test_a_filter_xero_cannot_read_is_refused(three: XeroCaller, where: str) -> None:
    answer = three.call("GET", "Invoices", params={"where": where})
    assert error_of(answer) == (400, 16, "QueryParseException")


@pytest.mark.parametrize("params", [{"IDs": "17"}, {"page": "two"}, {"order": "Nothing"}])
def test_a_parameter_xero_cannot_read_is_refused(three: XeroCaller, params: dict[str, str]) -> None:
    assert error_of(three.call("GET", "Invoices", params=params))[:2] == (400, 16)


def test_an_unencoded_ampersand_cuts_the_filter_off(three: XeroCaller) -> None:
    answer = three.call("GET", 'Invoices?where=Contact.Name=="Harbour%20&%20Co"')
    assert error_of(answer) == (400, 16, "QueryParseException")


# Changes since


@pytest.mark.parametrize(
    "form", ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.9Z"]
)
def test_only_what_changed_since_is_listed(three: XeroCaller, form: str) -> None:
    three.pass_time(minutes=5)
    three.books.pay_invoice("ABT-1001", "15.00")
    assert numbers(since(three, "Invoices?page=1", f"{three.moment:{form}}")) == ["ABT-1001"]


def test_a_moment_counts_by_whole_seconds(three: XeroCaller) -> None:
    three.pass_time(minutes=5, milliseconds=200)
    three.books.pay_invoice("ABT-1001", "15.00")
    late = three.moment + timedelta(milliseconds=700)
    assert numbers(since(three, "Invoices?page=1", f"{late:%Y-%m-%dT%H:%M:%S.%f}")) == ["ABT-1001"]


def test_nothing_changed_is_an_empty_list(three: XeroCaller) -> None:
    assert since(three, "Invoices?page=1", "2026-12-01T00:00:00") == []


@pytest.mark.parametrize("moment", ["yesterday", "1795132800", "20/11/2026"])
def test_a_moment_that_is_none_fails_the_precondition(three: XeroCaller, moment: str) -> None:
    answer = three.call("GET", "Invoices", headers={"If-Modified-Since": moment})
    assert answer.status_code == 412


# Payments


def test_a_payment_changes_the_invoice(three: XeroCaller) -> None:
    three.pass_time(minutes=5)
    three.books.pay_invoice("ABT-1001", "15.00", date(2026, 11, 24), "part")
    [after] = three.read("Invoices/ABT-1001")
    assert (after["Status"], after["AmountPaid"], after["AmountDue"]) == ("AUTHORISED", 15, 100)
    assert moment_of(after["UpdatedDateUTC"]) == three.moment
    [payment] = after["Payments"]
    assert (payment["Amount"], payment["Reference"]) == (15, "part")


def test_the_last_of_the_money_makes_it_paid(three: XeroCaller) -> None:
    [paid] = three.read("Invoices/INV-3")
    assert (paid["Status"], paid["AmountDue"]) == ("PAID", 0)
    assert day_of(paid["FullyPaidOnDate"]) == date(2026, 11, 2)


def test_payments_name_their_invoice_and_account(three: XeroCaller) -> None:
    [payment] = three.read("Payments", page=1)
    assert payment["PaymentType"] == "ACCRECPAYMENT"
    assert (payment["Amount"], payment["Status"]) == (300, "AUTHORISED")
    assert day_of(payment["Date"]) == date(2026, 11, 2)
    assert payment["Invoice"]["InvoiceNumber"] == "INV-3"
    assert payment["Account"]["Code"] == "090"
    assert three.read(f"Payments/{payment['PaymentID']}") == [payment]


def test_a_deleted_payment_comes_back_as_deleted(three: XeroCaller) -> None:
    [payment] = three.books.payments
    three.pass_time(minutes=5)
    three.books.delete_payment(payment.id)
    [found] = since(three, "Payments?page=1", f"{three.moment:%Y-%m-%dT%H:%M:%S}")
    assert (found["PaymentID"], found["Status"]) == (payment.id, "DELETED")
    [invoice] = three.read("Invoices/INV-3")
    assert (invoice["Status"], invoice["AmountDue"]) == ("AUTHORISED", 300)
    assert invoice["Payments"] == []
    assert "FullyPaidOnDate" not in invoice


def test_payments_are_paged_and_filtered(three: XeroCaller) -> None:
    for amount in ("10", "20", "30"):
        three.books.pay_invoice("ABT-1001", amount)
    assert [one["Amount"] for one in three.read("Payments", page=2, pageSize=3)] == [30]
    assert len(three.read("Payments", where='Invoice.InvoiceNumber=="INV-3"', page=1)) == 1


def test_only_what_is_due_can_be_paid(three: XeroCaller) -> None:
    for number, amount in (("ABT-1001", "115.01"), ("INV-2", "1"), ("INV-3", "1")):
        with pytest.raises(ValueError, match="is due"):
            three.books.pay_invoice(number, amount)
