"""The rehearsal Xero's credit notes, allocations, attachments and history."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.connectors.xero.xero_caller import (
    UNKNOWN_ID,
    ZERO_ID,
    XeroCaller,
    day_of,
    error_of,
    line,
    record_of,
    records_of,
    refusals_of,
)

PDF = b"%PDF-1.7\nrehearsal"


@pytest.fixture
def xero() -> Iterator[XeroCaller]:
    with XeroCaller() as caller:
        yield caller


def create(xero: XeroCaller, **changes: Any) -> Any:
    return record_of(xero.put("CreditNotes?unitdp=4", xero.credit_note(**changes)))


def invoice(xero: XeroCaller, **changes: Any) -> Any:
    return record_of(xero.put("Invoices?unitdp=4", xero.invoice(**changes)))


def allocate(
    xero: XeroCaller, note: Any, to: Any, amount: float, on: str = "2026-11-21"
) -> requests.Response:
    body = {"Amount": amount, "Date": on, "Invoice": {"InvoiceID": to["InvoiceID"]}}
    return xero.put(f"CreditNotes/{note['CreditNoteID']}/Allocations", body)


def attach(
    xero: XeroCaller,
    document: Any,
    name: str = "ABT-1001.pdf",
    content: bytes = PDF,
    *,
    method: str = "PUT",
    query: str = "?IncludeOnline=true",
) -> requests.Response:
    note = "CreditNoteID" in document
    key = document["CreditNoteID"] if note else document["InvoiceID"]
    path = f"{'CreditNotes' if note else 'Invoices'}/{key}/Attachments/{name}{query}"
    return xero.call(method, path, data=content, headers={"Content-Type": "application/pdf"})


# Credit notes


def test_a_credit_note_is_created_with_its_whole_credit_left(xero: XeroCaller) -> None:
    made = create(xero)
    assert made["CreditNoteID"] != ZERO_ID
    assert (made["Type"], made["CreditNoteNumber"]) == ("ACCRECCREDIT", "ABT-1002")
    assert (made["Total"], made["RemainingCredit"], made["Allocations"]) == (115, 115, [])
    assert day_of(made["Date"]) == date(2026, 11, 20)


def test_a_credit_note_needs_no_due_date(xero: XeroCaller) -> None:
    assert "DueDate" not in create(xero, Status="AUTHORISED")


def test_a_credit_note_and_an_invoice_may_share_a_number(xero: XeroCaller) -> None:
    invoice(xero)
    assert create(xero, CreditNoteNumber="ABT-1001")["CreditNoteID"] != ZERO_ID


def test_a_credit_note_number_is_not_unique_unless_the_books_say_so(xero: XeroCaller) -> None:
    assert create(xero)["CreditNoteID"] != create(xero)["CreditNoteID"]
    xero.books.credit_note_numbers_are_unique = True
    assert "must be unique" in refusals_of(xero.put("CreditNotes", xero.credit_note()))[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"LineItems": [line(Quantity=-1)]}, "total must not be negative"),
        ({"LineItems": [line(DiscountRate=10)]}, "Discounts cannot be applied to credit notes"),
        ({"LineItems": [line(AccountCode="999")]}, "Account code '999' is not a valid code"),
        ({"Status": "PAID"}, "Credit note not of valid status for creation"),
        ({"CreditNoteNumber": "A" * 256}, "CreditNoteNumber exceeds"),
        ({"Contact": None}, "A Contact must be specified"),
    ],
)
def test_a_credit_note_that_does_not_fit_is_refused_in_words(
    xero: XeroCaller, changes: dict[str, Any], message: str
) -> None:
    messages = refusals_of(xero.put("CreditNotes", xero.credit_note(**changes)))
    assert message in "; ".join(messages)
    assert xero.books.credit_notes == []


def test_a_bad_credit_note_has_an_id_of_zeros_in_a_200(xero: XeroCaller) -> None:
    bad = xero.credit_note(LineItems=[])
    answer = xero.put("CreditNotes?summarizeErrors=false", bad, xero.credit_note())
    first, second = records_of(answer)
    assert (answer.status_code, first["CreditNoteID"], first["HasErrors"]) == (200, ZERO_ID, True)
    assert second["StatusAttributeString"] == "OK"


@pytest.mark.parametrize("changes", [{"Type": "ACCREC"}, {"Url": "https://x.nz"}, {"Total": 1}])
def test_a_credit_note_of_the_wrong_form_refuses_the_call(
    xero: XeroCaller, changes: dict[str, Any]
) -> None:
    assert error_of(xero.put("CreditNotes", xero.credit_note(**changes)))[:2] == (400, 14)


def test_posting_a_credit_note_number_in_use_overwrites_it(xero: XeroCaller) -> None:
    theirs = xero.books.add_credit_note("ABT-1002", "Somebody", "999.00")
    answered = record_of(xero.post("CreditNotes", xero.credit_note()))
    assert (answered["CreditNoteID"], theirs.total) == (theirs.id, Decimal("115.00"))


def test_a_credit_note_can_be_voided(xero: XeroCaller) -> None:
    made = create(xero)
    after = record_of(xero.post(f"CreditNotes/{made['CreditNoteID']}", {"Status": "VOIDED"}))
    assert (after["Status"], after["RemainingCredit"]) == ("VOIDED", 0)


# Allocations


def test_an_allocation_lowers_what_is_due_and_what_is_left(xero: XeroCaller) -> None:
    note, owed = create(xero), invoice(xero)
    made = record_of(allocate(xero, note, owed, 40.5))
    assert (made["Amount"], day_of(made["Date"])) == (40.5, date(2026, 11, 21))
    [after] = xero.read(f"Invoices/{owed['InvoiceID']}")
    assert (after["AmountDue"], after["AmountCredited"], after["AmountPaid"]) == (74.5, 40.5, 0)
    [credit] = after["CreditNotes"]
    assert (credit["CreditNoteNumber"], credit["AppliedAmount"]) == ("ABT-1002", 40.5)
    [left] = xero.read(f"CreditNotes/{note['CreditNoteID']}")
    assert (left["RemainingCredit"], left["Status"]) == (74.5, "AUTHORISED")
    [allocation] = left["Allocations"]
    assert (allocation["Amount"], allocation["Invoice"]["InvoiceNumber"]) == (40.5, "ABT-1001")


def test_a_credit_that_covers_all_makes_both_paid(xero: XeroCaller) -> None:
    note, owed = create(xero), invoice(xero)
    record_of(allocate(xero, note, owed, 115))
    [after] = xero.read("Invoices/ABT-1001")
    assert (after["Status"], after["AmountDue"]) == ("PAID", 0)
    assert day_of(after["FullyPaidOnDate"]) == date(2026, 11, 21)
    assert xero.read("CreditNotes/ABT-1002")[0]["Status"] == "PAID"


def test_an_allocation_repeated_credits_twice(xero: XeroCaller) -> None:
    note, owed = create(xero), invoice(xero)
    for _ in range(2):
        record_of(allocate(xero, note, owed, 40))
    assert xero.read("Invoices/ABT-1001")[0]["AmountCredited"] == 80


@pytest.mark.parametrize("amount", [0, -1, 115.01, 10.001])
def test_no_more_than_is_left_and_due_is_allocated(xero: XeroCaller, amount: float) -> None:
    note, owed = create(xero), invoice(xero)
    assert "Amount must be within" in refusals_of(allocate(xero, note, owed, amount))[0]
    assert xero.books.credit_notes[0].allocations == []


def test_allocations_of_one_call_add_up(xero: XeroCaller) -> None:
    note, owed = create(xero), invoice(xero)
    part = {"Amount": 60, "Date": "2026-11-21", "Invoice": {"InvoiceID": owed["InvoiceID"]}}
    answer = xero.put(f"CreditNotes/{note['CreditNoteID']}/Allocations", part, part)
    assert refusals_of(answer)
    assert xero.books.invoices[0].allocations == []


def test_a_draft_is_neither_credited_nor_credits(xero: XeroCaller) -> None:
    note, owed = create(xero, Status="DRAFT"), invoice(xero, Status="DRAFT")
    messages = "; ".join(refusals_of(allocate(xero, note, owed, 10)))
    assert "The credit note is DRAFT" in messages
    assert "The invoice is DRAFT" in messages


def test_a_credit_is_for_the_same_contact_and_currency(xero: XeroCaller) -> None:
    note = create(xero, Contact={"Name": "Another"})
    owed = invoice(xero, CurrencyCode="AUD")
    messages = "; ".join(refusals_of(allocate(xero, note, owed, 10)))
    assert "different contacts" in messages
    assert "different currencies" in messages


def test_a_credit_cannot_be_dated_in_a_closed_period(xero: XeroCaller) -> None:
    note, owed = create(xero), invoice(xero)
    xero.books.set_lock_date(date(2026, 11, 21))
    assert "lock date" in refusals_of(allocate(xero, note, owed, 10))[0]


@pytest.mark.parametrize("missing", ["Amount", "Date", "Invoice"])
def test_amount_date_and_invoice_are_all_needed(xero: XeroCaller, missing: str) -> None:
    note, owed = create(xero), invoice(xero)
    body = {"Amount": 10, "Date": "2026-11-21", "Invoice": {"InvoiceID": owed["InvoiceID"]}}
    del body[missing]
    answer = xero.put(f"CreditNotes/{note['CreditNoteID']}/Allocations", body)
    assert refusals_of(answer) == [f"{missing} must be specified"]


def test_an_unknown_note_or_invoice_is_not_found(xero: XeroCaller) -> None:
    note, owed = create(xero), invoice(xero)
    assert allocate(xero, note, {"InvoiceID": UNKNOWN_ID}, 10).status_code == 404
    assert allocate(xero, {"CreditNoteID": UNKNOWN_ID}, owed, 10).status_code == 404


def test_an_allocated_credit_note_cannot_be_voided_nor_edited(xero: XeroCaller) -> None:
    note, owed = create(xero), invoice(xero)
    record_of(allocate(xero, note, owed, 10))
    path = f"CreditNotes/{note['CreditNoteID']}"
    for body, words in (
        ({"Status": "VOIDED"}, "cannot be applied"),
        ({"Reference": "X"}, "edited"),
    ):
        assert words in refusals_of(xero.post(path, body))[0]


# Attachments


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("make", [create, invoice])
def test_a_pdf_hangs_on_a_document(xero: XeroCaller, make: Any, method: str) -> None:
    document = make(xero)
    made = record_of(attach(xero, document, method=method))
    assert (made["FileName"], made["MimeType"]) == ("ABT-1001.pdf", "application/pdf")
    assert (made["ContentLength"], made["IncludeOnline"]) == (len(PDF), True)
    path = "CreditNotes/ABT-1002" if make is create else "Invoices/ABT-1001"
    assert xero.read(path)[0]["HasAttachments"] is True


def test_an_attachment_is_not_online_unless_it_is_said(xero: XeroCaller) -> None:
    assert record_of(attach(xero, invoice(xero), query=""))["IncludeOnline"] is False


def test_the_same_name_again_takes_the_place_of_the_first(xero: XeroCaller) -> None:
    document = invoice(xero)
    first = record_of(attach(xero, document))
    second = record_of(attach(xero, document, content=PDF + b" newer"))
    assert first["AttachmentID"] == second["AttachmentID"]
    listed = xero.read(f"Invoices/{document['InvoiceID']}/Attachments")
    assert [one["ContentLength"] for one in listed] == [len(PDF) + 6]


def test_an_attachment_can_be_fetched_again(xero: XeroCaller) -> None:
    document = invoice(xero)
    attach(xero, document)
    path = f"Invoices/{document['InvoiceID']}/Attachments/ABT-1001.pdf"
    answer = xero.call("GET", path)
    assert (answer.content, answer.headers["Content-Type"]) == (PDF, "application/pdf")


@pytest.mark.parametrize(
    "name",
    ["a%20b.pdf", "a%23b.pdf", "a%3Fb.pdf", "a%2Fb.pdf", "a%2Bb.pdf", "a%3Ab.pdf", "a%00.pdf"],
)
def test_a_name_xero_cannot_take_is_refused(xero: XeroCaller, name: str) -> None:
    document = invoice(xero)
    assert "characters not allowed" in refusals_of(attach(xero, document, name))[0]
    assert xero.books.invoices[0].attachments == []


def test_an_attachment_needs_content(xero: XeroCaller) -> None:
    assert "must have content" in refusals_of(attach(xero, invoice(xero), content=b""))[0]


def test_a_document_holds_ten_attachments(xero: XeroCaller) -> None:
    document = invoice(xero)
    for place in range(10):
        record_of(attach(xero, document, f"{place}.pdf"))
    assert "at most 10" in refusals_of(attach(xero, document, "11.pdf"))[0]
    record_of(attach(xero, document, "9.pdf"))


def test_ten_megabytes_are_taken_and_a_byte_more_is_too_large(xero: XeroCaller) -> None:
    document, limit = invoice(xero), 10_000_000
    assert attach(xero, document, content=b"x" * limit).status_code == 200
    answer = attach(xero, document, content=b"x" * (limit + 1))
    assert answer.status_code == 413
    assert (answer.json()["Title"], answer.json()["Detail"]) == (
        "RequestEntityTooLarge",
        "PayloadTooLarge",
    )


def test_nothing_hangs_on_a_document_that_is_not_there(xero: XeroCaller) -> None:
    assert attach(xero, {"InvoiceID": UNKNOWN_ID}).status_code == 404
    assert attach(xero, {"InvoiceID": invoice(xero)["InvoiceNumber"]}).status_code == 404


# History


def test_a_note_joins_what_xero_wrote_itself(xero: XeroCaller) -> None:
    document = invoice(xero)
    path = f"Invoices/{document['InvoiceID']}/History"
    record_of(xero.put(path, {"Details": "Sent by Abtrac"}))
    assert [one["Changes"] for one in xero.read(path)] == ["Note", "Created"]


@pytest.mark.parametrize("details", ["", "x" * 2501])
def test_a_note_has_a_length(xero: XeroCaller, details: str) -> None:
    path = f"Invoices/{invoice(xero)['InvoiceID']}/History"
    assert refusals_of(xero.put(path, {"Details": details}))
