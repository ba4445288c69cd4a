"""The rehearsal Xero's invoices: creating, refusing, reckoning, overwriting, voiding."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

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

PUT = "Invoices?unitdp=4"
EACH = "Invoices?summarizeErrors=false&unitdp=4"


@pytest.fixture
def xero() -> Iterator[XeroCaller]:
    with XeroCaller() as caller:
        yield caller


def create(xero: XeroCaller, **changes: Any) -> Any:
    return record_of(xero.put(PUT, xero.invoice(**changes)))


def refuse(xero: XeroCaller, **changes: Any) -> str:
    """What an invoice with the changes is refused for; nothing of it is kept."""
    before = list(xero.books.invoices)
    messages = refusals_of(xero.put(PUT, xero.invoice(**changes)))
    assert xero.books.invoices == before
    return "; ".join(messages)


def misread(xero: XeroCaller, **changes: Any) -> None:
    """Assert that an invoice with the changes cannot even be read."""
    answer = xero.put(PUT, xero.invoice(**changes))
    assert error_of(answer) == (400, 14, "PostDataInvalidException")
    assert xero.books.invoices == []


# Creating


def test_an_approved_invoice_is_answered_in_full(xero: XeroCaller) -> None:
    made = create(xero)
    assert made["InvoiceID"] != ZERO_ID
    assert made["InvoiceNumber"] == "ABT-1001"
    assert (made["Status"], made["HasErrors"]) == ("AUTHORISED", False)
    assert made["StatusAttributeString"] == "OK"
    assert (made["SubTotal"], made["TotalTax"], made["Total"]) == (100, 15, 115)
    assert (made["AmountDue"], made["AmountPaid"], made["AmountCredited"]) == (115, 0, 0)
    [first] = made["LineItems"]
    assert first["LineItemID"]
    assert (first["AccountCode"], first["TaxType"], first["TaxAmount"]) == ("200", "OUTPUT2", 15)


def test_dates_go_out_as_midnight_utc_with_their_companions(xero: XeroCaller) -> None:
    made = create(xero)
    assert made["Date"] == "/Date(1795132800000+0000)/"
    assert day_of(made["Date"]) == date(2026, 11, 20)
    assert made["DateString"] == "2026-11-20T00:00:00"
    assert day_of(made["DueDate"]) == date(2026, 12, 20)


@pytest.mark.parametrize("status", ["DRAFT", "SUBMITTED", "AUTHORISED"])
def test_an_invoice_is_created_in_the_status_asked_for(xero: XeroCaller, status: str) -> None:
    assert create(xero, Status=status)["Status"] == status


def test_what_is_left_out_has_its_default(xero: XeroCaller) -> None:
    made = create(
        xero, Status=None, LineAmountTypes=None, CurrencyCode=None, Date=None, DueDate=None
    )
    assert (made["Status"], made["LineAmountTypes"]) == ("DRAFT", "Exclusive")
    assert (made["CurrencyCode"], made["CurrencyRate"]) == ("NZD", 1)
    # One o'clock UTC on the 25th is afternoon of the same day in New Zealand.
    assert day_of(made["Date"]) == date(2026, 11, 25)


def test_today_is_where_the_organisation_is(xero: XeroCaller) -> None:
    xero.moment = xero.moment.replace(hour=23)
    xero.token = xero.standin.issue_tokens()["access_token"]
    assert day_of(create(xero, Date=None)["Date"]) == date(2026, 11, 26)


def test_an_invoice_without_a_number_is_numbered(xero: XeroCaller) -> None:
    xero.books.add_invoice("INV-0001", "Somebody")
    assert create(xero, InvoiceNumber=None)["InvoiceNumber"] == "INV-0002"


def test_a_line_may_be_text_alone(xero: XeroCaller) -> None:
    made = create(xero, LineItems=[line(), {"Description": "As agreed on site."}])
    assert (made["Total"], len(made["LineItems"])) == (115, 2)
    assert "UnitAmount" not in made["LineItems"][1]


def test_quantity_is_one_where_it_is_left_out(xero: XeroCaller) -> None:
    assert create(xero, LineItems=[line(Quantity=None)])["SubTotal"] == 50


def test_an_account_can_be_named_by_its_id(xero: XeroCaller) -> None:
    account = xero.books.account("210")
    made = create(xero, LineItems=[line(AccountCode=None, AccountID=account.id)])
    assert made["LineItems"][0]["AccountCode"] == "210"


def test_the_tax_is_the_accounts_where_none_is_sent(xero: XeroCaller) -> None:
    made = create(xero, LineItems=[line(TaxType=None), line(TaxType=None, AccountCode="205")])
    assert [one["TaxType"] for one in made["LineItems"]] == ["OUTPUT2", "ZERORATED"]


def test_a_draft_needs_neither_account_nor_due_date(xero: XeroCaller) -> None:
    bare = line(AccountCode=None, TaxType=None)
    made = create(xero, Status="DRAFT", DueDate=None, LineItems=[bare])
    assert "DueDate" not in made
    assert made["Total"] == 100


def test_a_foreign_currency_has_the_rate_sent_or_the_days(xero: XeroCaller) -> None:
    own = create(xero, CurrencyCode="AUD", CurrencyRate=0.9213456)
    assert own["CurrencyRate"] == 0.921346
    assert create(xero, InvoiceNumber="2", CurrencyCode="AUD")["CurrencyRate"] == 0.9137


# Reckoning


def test_tax_is_rounded_on_each_line_and_then_added(xero: XeroCaller) -> None:
    lines = [line(Quantity=1, UnitAmount=amount) for amount in (25.06, 25.61, 25.63)]
    made = create(xero, LineItems=lines)
    assert [one["TaxAmount"] for one in made["LineItems"]] == [3.76, 3.84, 3.84]
    assert (made["SubTotal"], made["TotalTax"], made["Total"]) == (76.30, 11.44, 87.74)


def test_half_a_cent_goes_up(xero: XeroCaller) -> None:
    made = create(xero, LineItems=[line(Quantity=1, UnitAmount=42.375)])
    assert (made["SubTotal"], made["TotalTax"]) == (42.38, 6.36)


def test_a_unit_amount_has_four_decimals_only_when_asked_for(xero: XeroCaller) -> None:
    lines = [line(Quantity=1000, UnitAmount=1.2345)]
    four = record_of(xero.put(PUT, xero.invoice(LineItems=lines)))
    two = record_of(xero.put("Invoices", xero.invoice(InvoiceNumber="2", LineItems=lines)))
    assert (four["SubTotal"], four["LineItems"][0]["UnitAmount"]) == (1234.5, 1.2345)
    assert (two["SubTotal"], two["LineItems"][0]["UnitAmount"]) == (1230, 1.23)


def test_a_unit_amount_is_read_with_four_decimals_only_when_asked_for(xero: XeroCaller) -> None:
    create(xero, LineItems=[line(UnitAmount=1.2345)])
    for params, amount in (({"unitdp": 4}, 1.2345), ({}, 1.23)):
        [read] = xero.read("Invoices/ABT-1001", **params)
        assert read["LineItems"][0]["UnitAmount"] == amount


def test_a_quantity_has_four_decimals(xero: XeroCaller) -> None:
    made = create(xero, LineItems=[line(Quantity=0.33335, UnitAmount=1000)])
    assert made["LineItems"][0]["Quantity"] == 0.3334
    assert made["SubTotal"] == 333.4


def test_tax_inside_is_taken_out_of_each_line(xero: XeroCaller) -> None:
    lines = [line(Quantity=1, UnitAmount=amount) for amount in (9.99, 9.99, 9.99)]
    made = create(xero, LineAmountTypes="Inclusive", LineItems=lines)
    assert [one["TaxAmount"] for one in made["LineItems"]] == [1.30, 1.30, 1.30]
    assert (made["SubTotal"], made["TotalTax"], made["Total"]) == (26.07, 3.90, 29.97)


def test_without_tax_there_is_none(xero: XeroCaller) -> None:
    made = create(xero, LineAmountTypes="NoTax")
    assert (made["TotalTax"], made["Total"], made["LineItems"][0]["TaxType"]) == (0, 100, "NONE")


def test_a_tax_amount_sent_takes_the_place_of_the_reckoned_one(xero: XeroCaller) -> None:
    made = create(xero, LineItems=[line(TaxAmount=15.01)])
    assert (made["TotalTax"], made["Total"]) == (15.01, 115.01)


def test_discounts_come_off_the_line(xero: XeroCaller) -> None:
    made = create(xero, LineItems=[line(DiscountRate=10), line(DiscountAmount=25.5)])
    assert [one["LineAmount"] for one in made["LineItems"]] == [90, 74.5]
    assert made["IsDiscounted"] is True


def test_a_negative_line_lowers_the_total(xero: XeroCaller) -> None:
    made = create(xero, LineItems=[line(), line(Quantity=-1, UnitAmount=30)])
    assert (made["SubTotal"], made["Total"]) == (70, 80.5)


def test_in_australia_retired_taxes_quietly_become_others(xero: XeroCaller) -> None:
    xero.tenant = xero.australian.tenant_id
    contact = {"ContactID": xero.australian.add_contact(name="Quay").id}
    lines = [line(TaxType="NONE"), line(TaxType="OUTPUT")]
    made = create(xero, CurrencyCode="AUD", Contact=contact, LineItems=lines)
    assert [one["TaxType"] for one in made["LineItems"]] == ["BASEXCLUDED", "OUTPUT"]
    assert made["TotalTax"] == 10


# Refusing what does not make sense in the books


def test_a_number_in_use_is_refused_whatever_its_case(xero: XeroCaller) -> None:
    xero.books.add_invoice("abt-1001", "Somebody else")
    assert refuse(xero) == "Invoice # must be unique."


def test_a_number_twice_in_one_call_is_refused_the_second_time(xero: XeroCaller) -> None:
    answer = xero.put(EACH, xero.invoice(), xero.invoice())
    assert [one["StatusAttributeString"] for one in records_of(answer)] == ["OK", "ERROR"]


def test_the_number_of_a_voided_invoice_stays_taken(xero: XeroCaller) -> None:
    create(xero)
    xero.books.void_invoice("ABT-1001")
    assert refuse(xero) == "Invoice # must be unique."


def test_the_number_of_a_deleted_draft_is_free_again(xero: XeroCaller) -> None:
    made = create(xero, Status="DRAFT")
    record_of(xero.post(f"Invoices/{made['InvoiceID']}", {"Status": "DELETED"}))
    again = create(xero)
    assert again["InvoiceID"] != made["InvoiceID"]
    assert xero.read("Invoices/ABT-1001")[0]["InvoiceID"] == again["InvoiceID"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Type": None}, "The Invoice Type must be specified"),
        ({"Contact": None}, "A Contact must be specified for this type of transaction"),
        ({"Contact": {}}, "A Contact must be specified for this type of transaction"),
        ({"LineItems": None}, "One or more line items must be specified"),
        ({"LineItems": []}, "One or more line items must be specified"),
        ({"DueDate": None}, "DueDate"),
        ({"DueDate": None, "Status": "SUBMITTED"}, "DueDate"),
        ({"Status": "PAID"}, "Invoice not of valid status for creation"),
        ({"Status": "VOIDED"}, "Invoice not of valid status for creation"),
        ({"InvoiceNumber": "A" * 256}, "InvoiceNumber exceeds the maximum length of 255"),
        ({"Reference": "A" * 256}, "Reference exceeds the maximum length of 255"),
        ({"CurrencyCode": "GBP"}, "Organisation is not subscribed to currency GBP"),
        ({"Url": "https://go.XERO.com/x"}, "Url must not contain xero"),
        ({"BrandingThemeID": UNKNOWN_ID}, "The branding theme does not exist"),
        ({"SentToContact": True, "Status": "DRAFT"}, "approved documents only"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    xero: XeroCaller, changes: dict[str, Any], message: str
) -> None:
    assert message in refuse(xero, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Description": None}, "Description must be specified"),
        ({"Description": " "}, "Description must be specified"),
        ({"Description": "A" * 4001}, "Description exceeds the maximum length of 4000"),
        ({"AccountCode": None}, "Account code must be specified"),
        ({"AccountCode": "999"}, "Account code '999' is not a valid code for this document"),
        ({"AccountCode": "090"}, "Account code '090' is not a valid code for this document"),
        ({"AccountCode": "610"}, "Account code '610' is not a valid code for this document"),
        ({"AccountCode": "820"}, "Account code '820' is not a valid code for this document"),
        ({"AccountCode": "218"}, "Account code '218' has been archived, or has been deleted"),
        ({"TaxType": "OUTPUT"}, "The TaxType code 'OUTPUT' does not exist or cannot be used"),
        ({"TaxType": "15% GST on Income"}, "does not exist or cannot be used"),
        ({"TaxType": "output2"}, "does not exist or cannot be used"),
        (
            {"TaxType": "INPUT2"},
            "The TaxType code 'INPUT2' cannot be used with account code '200'",
        ),
        ({"ItemCode": "X"}, "Item code 'X' is not valid"),
        ({"LineAmount": 100.01}, "does not match the expected line total 100.00"),
        ({"UnitAmount": 5_000_000_000}, "The line total cannot exceed 9999999999.99"),
        ({"UnitAmount": -50, "DiscountAmount": 0}, "cannot be applied to a negative line"),
        ({"Tracking": [{"Name": "Job"}] * 3}, "at most 2 tracking categories"),
    ],
)
def test_a_line_that_does_not_fit_is_refused_in_words(
    xero: XeroCaller, changes: dict[str, Any], message: str
) -> None:
    assert message in refuse(xero, LineItems=[line(), line(**changes)])


def test_the_rounding_account_may_be_used_on_a_line(xero: XeroCaller) -> None:
    cent = line(Description="Rounding", Quantity=1, UnitAmount=0.01, AccountCode="860")
    assert create(xero, LineItems=[line(), cent | {"TaxType": "NONE"}])["Total"] == 115.01


def test_an_expense_account_takes_the_tax_of_expenses(xero: XeroCaller) -> None:
    assert create(xero, LineItems=[line(AccountCode="320", TaxType="INPUT2")])["Total"] == 115


def test_a_wrong_account_is_refused_on_a_draft_as_well(xero: XeroCaller) -> None:
    assert "'999'" in refuse(xero, Status="DRAFT", LineItems=[line(AccountCode="999")])


def test_a_tax_that_no_account_gives_is_mandatory(xero: XeroCaller) -> None:
    xero.books.add_account("299", "Untaxed", tax_type="")
    lines = [line(AccountCode="299", TaxType=None)]
    assert refuse(xero, LineItems=lines) == "The TaxType field is mandatory"


def test_a_negative_total_is_refused(xero: XeroCaller) -> None:
    assert "negative" in refuse(xero, LineItems=[line(Quantity=-1)])


def test_an_archived_account_is_refused_from_then_on(xero: XeroCaller) -> None:
    create(xero)
    xero.books.archive_account("200")
    assert "has been archived, or has been deleted" in refuse(xero, InvoiceNumber="ABT-1002")


@pytest.mark.parametrize(
    ("end_of_year", "words"),
    [(False, "the period lock date"), (True, "the end of year lock date")],
)
def test_a_document_on_or_before_the_lock_date_is_refused(
    xero: XeroCaller, end_of_year: bool, words: str
) -> None:
    xero.books.set_lock_date(date(2026, 11, 20), end_of_year=end_of_year)
    for status in ("DRAFT", "AUTHORISED"):
        message = refuse(xero, Date="2026-11-20", Status=status)
        assert f"The document date cannot be before {words}" in message
        assert "currently set at 20-Nov-2026" in message
    assert create(xero, Date="2026-11-21")["Total"] == 115


def test_an_archived_contact_is_refused(xero: XeroCaller) -> None:
    gone = xero.books.add_contact(name="Gone Ltd", archived=True)
    assert refuse(xero, Contact={"ContactID": gone.id}) == "The contact Gone Ltd is archived."


def test_an_unknown_contact_id_answers_404_for_the_whole_call(xero: XeroCaller) -> None:
    stray = xero.invoice(InvoiceNumber="2", Contact={"ContactID": UNKNOWN_ID})
    answer = xero.put(EACH, xero.invoice(), stray)
    assert answer.status_code == 404
    assert xero.books.invoices == []


# Refusing what has the wrong form


@pytest.mark.parametrize(
    "changes",
    [
        {"InvoiceNo": "misspelt"},
        {"Total": 115},
        {"RoundingAmount": 0.01},
        {"Type": "ACCPAY"},
        {"Type": "Accrec"},
        {"Status": "Authorised"},
        {"LineAmountTypes": "EXCLUSIVE"},
        {"Date": "20/11/2026"},
        {"Date": "2026-11-20T00:00:00"},
        {"Date": "2026-11-31"},
        {"Date": "/Date(1795132800000+0000)/"},
        {"Date": 20261120},
        {"DueDate": ""},
        {"Contact": {"ContactID": "17"}},
        {"Contact": "Quay Holdings Ltd"},
        {"InvoiceNumber": 1001},
        {"SentToContact": "true"},
        {"CurrencyRate": "1.0"},
        {"InvoiceID": UNKNOWN_ID},
        {"LineItems": {"Description": "one"}},
        {"LineItems": [line(Quantity="2")]},
        {"LineItems": [line(Quantity=True)]},
        {"LineItems": [line(Quantity=10**15)]},
        {"LineItems": [line(Amount=1)]},
        {"LineItems": [line(Tracking={"Name": "Job", "Option": "J1"})]},
        {"LineItems": [line(Tracking=[{"Category": "Job"}])]},
    ],
)
def test_what_has_the_wrong_form_refuses_the_call(
    xero: XeroCaller, changes: dict[str, Any]
) -> None:
    misread(xero, **changes)


@pytest.mark.parametrize("body", [[], {}, {"Invoices": []}, {"Invoices": {}}, {"invoices": []}, 7])
def test_a_body_that_is_no_list_of_invoices_is_not_understood(xero: XeroCaller, body: Any) -> None:
    answer = xero.write("PUT", PUT, body)
    assert answer.status_code == 400
    assert xero.books.invoices == []


@pytest.mark.parametrize("body", [b"", b"{", b'{"Invoices":[{"CurrencyRate":NaN}]}', b"\xff"])
def test_a_body_that_is_no_json_is_not_understood(xero: XeroCaller, body: bytes) -> None:
    answer = xero.call("PUT", PUT, data=body, headers={"Content-Type": "application/json"})
    assert error_of(answer) == (400, 14, "PostDataInvalidException")


def test_a_body_that_does_not_say_it_is_json_is_not_understood(xero: XeroCaller) -> None:
    answer = xero.call("PUT", PUT, data=b"{}", headers={"Content-Type": "text/plain"})
    assert error_of(answer) == (400, 14, "PostDataInvalidException")


def test_fifty_at_once_are_taken_and_fifty_one_are_not(xero: XeroCaller) -> None:
    many = [xero.invoice(InvoiceNumber=f"ABT-{place}") for place in range(51)]
    assert error_of(xero.put(PUT, *many))[1] == 14
    assert len(records_of(xero.put(PUT, *many[:50]))) == len(xero.books.invoices) == 50


def test_a_post_over_ten_megabytes_is_too_large(xero: XeroCaller) -> None:
    body = b'{"Invoices":[' + b" " * (10 * 1024 * 1024) + b"]}"
    answer = xero.call("PUT", PUT, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["Detail"]) == (413, "PayloadTooLarge")


# Several at once


def test_one_bad_invoice_sinks_all_of_them_by_default(xero: XeroCaller) -> None:
    answer = xero.put("Invoices", xero.invoice(), xero.invoice(InvoiceNumber="2", Contact=None))
    assert refusals_of(answer) == ["A Contact must be specified for this type of transaction"]
    assert answer.json()["Message"] == "A validation exception occurred"
    assert [one["InvoiceNumber"] for one in answer.json()["Elements"]] == ["ABT-1001", "2"]
    assert xero.books.invoices == []


def test_each_invoice_stands_for_itself_when_asked(xero: XeroCaller) -> None:
    bad = xero.invoice(InvoiceNumber="2", LineItems=[line(AccountCode="999")])
    answer = xero.put(EACH, bad, xero.invoice(InvoiceNumber="3"))
    first, second = records_of(answer)
    assert answer.status_code == 200
    assert (first["InvoiceID"], first["HasErrors"]) == (ZERO_ID, True)
    assert first["StatusAttributeString"] == "ERROR"
    assert "'999'" in first["ValidationErrors"][0]["Message"]
    assert (first["InvoiceNumber"], day_of(first["Date"])) == ("2", date(2026, 11, 20))
    assert (second["InvoiceNumber"], second["StatusAttributeString"]) == ("3", "OK")
    assert [one.number for one in xero.books.invoices] == ["3"]


# Contacts inside an invoice


def test_a_contact_by_name_is_matched_or_made(xero: XeroCaller) -> None:
    known = xero.client("Quay Holdings Ltd")
    first = create(xero, Contact={"Name": "quay holdings ltd"})
    assert first["Contact"]["ContactID"] == known.id
    lines = [xero.invoice(InvoiceNumber=each, Contact={"Name": "Brand New"}) for each in "23"]
    second, third = records_of(xero.put(PUT, *lines))
    assert second["Contact"]["ContactID"] == third["Contact"]["ContactID"] != known.id


def test_fields_beside_a_contacts_id_are_written_into_it(xero: XeroCaller) -> None:
    known = xero.client("Quay Holdings Ltd")
    create(xero, Contact={"ContactID": known.id, "EmailAddress": "new@quay.example"})
    assert known.details["EmailAddress"] == "new@quay.example"


def test_a_contact_is_not_made_for_an_invoice_that_is_refused(xero: XeroCaller) -> None:
    before = len(xero.books.contacts)
    refuse(xero, Contact={"Name": "Brand New"}, DueDate=None)
    assert len(xero.books.contacts) <= before + 1  # the caller's own client
    with pytest.raises(KeyError):
        xero.books.contact("Brand New")


# Tracking


def test_tracking_is_found_by_name_or_by_id(xero: XeroCaller) -> None:
    option = xero.books.add_tracking_option("J1234")
    [category] = xero.books.tracking_categories
    by_id = {"TrackingCategoryID": category.id, "TrackingOptionID": option.id}
    lines = [line(Tracking=[{"Name": "Job", "Option": "J1234"}]), line(Tracking=[by_id])]
    for one in create(xero, LineItems=lines)["LineItems"]:
        [tracking] = one["Tracking"]
        assert (tracking["Name"], tracking["Option"]) == ("Job", "J1234")
        assert tracking["TrackingOptionID"] == option.id


def test_unknown_tracking_is_dropped_without_a_word(xero: XeroCaller) -> None:
    lines = [line(Tracking=[{"Name": "Job", "Option": "J404"}, {"Name": "X", "Option": "Y"}])]
    made = create(xero, LineItems=lines)
    assert (made["LineItems"][0]["Tracking"], made["StatusAttributeString"]) == ([], "OK")


# Overwriting


def test_posting_a_number_in_use_overwrites_somebody_elses_invoice(xero: XeroCaller) -> None:
    theirs = xero.books.add_invoice("ABT-1001", "Somebody else", "999.00")
    answered = record_of(xero.post(PUT, xero.invoice()))
    assert answered["InvoiceID"] == theirs.id
    assert (theirs.total, theirs.contact.name) == (Decimal("115.00"), "Quay Holdings Ltd")


def test_posting_a_new_number_creates_an_invoice(xero: XeroCaller) -> None:
    assert record_of(xero.post(PUT, xero.invoice()))["InvoiceNumber"] == "ABT-1001"


def test_posting_an_unknown_id_is_refused(xero: XeroCaller) -> None:
    messages = refusals_of(xero.post(PUT, {"InvoiceID": UNKNOWN_ID, "Status": "VOIDED"}))
    assert "could not be found" in messages[0]
    assert xero.post(f"Invoices/{UNKNOWN_ID}", {"Status": "VOIDED"}).status_code == 404


def test_the_id_in_the_body_must_be_that_of_the_path(xero: XeroCaller) -> None:
    made = create(xero, Status="DRAFT")
    path, body = f"Invoices/{made['InvoiceID']}", {"InvoiceID": UNKNOWN_ID, "Status": "DELETED"}
    assert error_of(xero.post(path, body))[1] == 14


def test_lines_sent_without_their_ids_are_new_lines(xero: XeroCaller) -> None:
    made = create(xero, Status="DRAFT", LineItems=[line(), line()])
    first, second = (one["LineItemID"] for one in made["LineItems"])
    path = f"Invoices/{made['InvoiceID']}"
    after = record_of(xero.post(path, {"LineItems": [line(LineItemID=second), line()]}))
    ids = [one["LineItemID"] for one in after["LineItems"]]
    assert ids[0] == second
    assert ids[1] not in (first, second)


def test_lines_not_sent_stay(xero: XeroCaller) -> None:
    made = create(xero, Status="DRAFT")
    path = f"Invoices/{made['InvoiceID']}"
    after = record_of(xero.post(path, {"Reference": "New"}))
    assert (after["Reference"], after["LineItems"]) == ("New", made["LineItems"])


def test_renumbering_to_a_number_in_use_is_refused(xero: XeroCaller) -> None:
    xero.books.add_invoice("TAKEN", "Somebody")
    made = create(xero, Status="DRAFT")
    path = f"Invoices/{made['InvoiceID']}"
    assert refusals_of(xero.post(path, {"InvoiceNumber": "TAKEN"})) == ["Invoice # must be unique."]


def test_approving_a_draft_asks_for_what_a_draft_may_lack(xero: XeroCaller) -> None:
    bare = line(AccountCode=None, TaxType=None)
    made = create(xero, Status="DRAFT", DueDate=None, LineItems=[bare])
    path = f"Invoices/{made['InvoiceID']}"
    messages = "; ".join(refusals_of(xero.post(path, {"Status": "AUTHORISED"})))
    assert "DueDate" in messages
    assert "Account code must be specified" in messages


# Status


@pytest.mark.parametrize(
    ("status", "to", "allowed"),
    [
        ("DRAFT", "SUBMITTED", True),
        ("DRAFT", "AUTHORISED", True),
        ("DRAFT", "DELETED", True),
        ("DRAFT", "VOIDED", False),
        ("SUBMITTED", "DRAFT", True),
        ("SUBMITTED", "AUTHORISED", True),
        ("SUBMITTED", "DELETED", True),
        ("AUTHORISED", "VOIDED", True),
        ("AUTHORISED", "DELETED", False),
        ("AUTHORISED", "DRAFT", False),
        ("AUTHORISED", "PAID", False),
        ("VOIDED", "AUTHORISED", False),
        ("VOIDED", "VOIDED", False),
        ("DELETED", "DRAFT", False),
    ],
)
def test_a_status_changes_only_along_xeros_ways(
    xero: XeroCaller, status: str, to: str, allowed: bool
) -> None:
    invoice = xero.books.add_invoice("INV-7", "Quay", status=status)
    answer = xero.post(f"Invoices/{invoice.id}", {"InvoiceID": invoice.id, "Status": to})
    if allowed:
        assert record_of(answer)["Status"] == invoice.status == to
    else:
        assert refusals_of(answer) == ["Invoice not of valid status for modification"]
        assert invoice.status == status


def test_nothing_is_due_of_a_voided_invoice(xero: XeroCaller) -> None:
    made = create(xero)
    after = record_of(xero.post(f"Invoices/{made['InvoiceID']}", {"Status": "VOIDED"}))
    assert (after["AmountDue"], after["Total"]) == (0, 115)


def test_an_invoice_with_money_against_it_is_neither_voided_nor_edited(xero: XeroCaller) -> None:
    made = create(xero)
    xero.books.pay_invoice("ABT-1001", "15.00")
    path = f"Invoices/{made['InvoiceID']}"
    assert (
        "The status VOIDED cannot be applied"
        in refusals_of(xero.post(path, {"Status": "VOIDED"}))[0]
    )
    assert "This document cannot be edited" in refusals_of(xero.post(path, {"Reference": "X"}))[0]


def test_a_late_due_date_on_a_part_paid_invoice_is_no_change_to_a_poll(xero: XeroCaller) -> None:
    made = create(xero)
    xero.books.pay_invoice("ABT-1001", "15.00")
    [before] = xero.read("Invoices/ABT-1001")
    xero.pass_time(minutes=5)
    after = record_of(xero.post(f"Invoices/{made['InvoiceID']}", {"DueDate": "2027-01-20"}))
    assert day_of(after["DueDate"]) == date(2027, 1, 20)
    assert after["UpdatedDateUTC"] == before["UpdatedDateUTC"]


def test_a_paid_invoice_cannot_be_modified(xero: XeroCaller) -> None:
    made = create(xero)
    xero.books.pay_invoice("ABT-1001", "115.00")
    answer = xero.post(f"Invoices/{made['InvoiceID']}", {"Reference": "X"})
    assert refusals_of(answer) == ["Invoice not of valid status for modification"]


def test_a_document_in_a_closed_period_cannot_be_voided(xero: XeroCaller) -> None:
    made = create(xero)
    xero.books.set_lock_date(date(2026, 11, 30))
    answer = xero.post(f"Invoices/{made['InvoiceID']}", {"Status": "VOIDED"})
    assert "period lock date" in refusals_of(answer)[0]
