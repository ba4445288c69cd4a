"""Our documents in Xero's words."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st

from connectors.base.documents import Address, LineKind, SalesInvoice, TaxBasis
from connectors.base.errors import Rejected
from connectors.xero import PACKAGE, mapping, wire
from connectors.xero.followups import safe_name
from connectors.xero.mapping import Detail, Matching, Preferences
from tests.connectors import samples
from tests.connectors.samples import Terms

TERMS = Terms(
    fees="200",
    recoveries="210",
    taxed="OUTPUT2",
    rate=Decimal(15),
    untaxed="ZERORATED",
    currency="NZD",
)
CONTACT_ID = "430fa14a-f945-44d3-9f97-5df5e28441b8"
PLAIN = Preferences()
CENT = Decimal("0.01")
# Ways in which Xero may round half a cent.
ROUNDINGS = (ROUND_HALF_UP, ROUND_HALF_DOWN, ROUND_HALF_EVEN)


def invoice(*lines: Any, **changes: Any) -> SalesInvoice:
    return samples.invoice(TERMS, *lines, contact_id=CONTACT_ID, **changes)


def line(*args: Any, **changes: Any) -> Any:
    return samples.line(TERMS, *args, **changes)


def refused(invoice: SalesInvoice, preferences: Preferences = PLAIN) -> Rejected:
    with pytest.raises(Rejected) as caught:
        mapping.to_invoice(invoice, preferences)
    return caught.value


# --- Invoices ------------------------------------------------------------------------------------


def test_an_invoice_is_written_in_xeros_words() -> None:
    made = invoice(
        line(job_code="J1234"),
        line(
            "42.38",
            quantity="1",
            unit_price="42.38",
            description="Disbursements",
            kind=LineKind.DISBURSEMENT,
            account_code="210",
        ),
    )
    preferences = Preferences(status="AUTHORISED", tracking="Job")
    assert mapping.to_invoice(made, preferences) == {
        "Type": "ACCREC",
        "InvoiceNumber": "ABT-1001",
        "Reference": "J1234 Harbour House",
        "Contact": {"ContactID": CONTACT_ID},
        "Date": "2026-11-20",
        "DueDate": "2026-12-20",
        "LineAmountTypes": "Exclusive",
        "CurrencyCode": "NZD",
        "Status": "AUTHORISED",
        "LineItems": [
            {
                "Description": "Concept design",
                "Quantity": Decimal("7.5"),
                "UnitAmount": 185,
                "AccountCode": "200",
                "TaxType": "OUTPUT2",
                # 1387.50 at 15 % is 208.125: which way Xero rounds that is not published.
                "TaxAmount": Decimal("208.13"),
                "Tracking": [{"Name": "Job", "Option": "J1234"}],
            },
            {
                "Description": "Disbursements",
                "Quantity": 1,
                "UnitAmount": Decimal("42.38"),
                "AccountCode": "210",
                "TaxType": "OUTPUT2",
            },
        ],
    }


def test_a_credit_note_has_positive_amounts_and_no_due_date() -> None:
    note = samples.credit_note(TERMS, contact_id=CONTACT_ID)
    body = mapping.to_credit_note(note, PLAIN)
    assert body["Type"] == "ACCRECCREDIT"
    assert body["CreditNoteNumber"] == "ABT-2001"
    assert body["LineItems"][0]["UnitAmount"] == 185
    assert not {"DueDate", "InvoiceNumber"} & set(body)


def test_only_the_id_of_the_contact_goes_along_so_that_nothing_of_it_is_changed() -> None:
    assert mapping.to_invoice(invoice(), PLAIN)["Contact"] == {"ContactID": CONTACT_ID}


def test_an_invoice_without_a_contact_is_refused() -> None:
    assert refused(replace(invoice(), contact_id="")).field == "contact"


def test_a_negative_invoice_is_refused() -> None:
    negative = line("-100.00", quantity="1", unit_price="-100.00")
    assert refused(invoice(negative)).field == "total"


@pytest.mark.parametrize("number", ["", " ABT-1", "ABT-1 ", "x" * 256, 'ABT "1"', "ABT\\1"])
def test_a_number_that_xero_would_change_or_not_find_is_refused(number: str) -> None:
    error = refused(invoice(number=number))
    assert error.field == "number"
    assert error.next_step


@pytest.mark.parametrize("number", ["x" * 255, "A,1", "Ā/1", "12 b", "'"])
def test_other_numbers_go_as_they_are(number: str) -> None:
    assert mapping.to_invoice(invoice(number=number), PLAIN)["InvoiceNumber"] == number


def test_a_long_reference_is_cut_at_a_word_and_said_so() -> None:
    made = invoice(reference="Harbour House stage two " * 20)
    reference = mapping.to_invoice(made, PLAIN)["Reference"]
    assert len(reference) <= 255
    assert made.reference.startswith(f"{reference} ")
    assert mapping.notes_on(made) == (
        "The reference was shortened to the 255 characters Xero takes.",
    )
    assert mapping.notes_on(invoice()) == ()


def test_a_long_text_goes_on_in_lines_of_text_and_keeps_every_word() -> None:
    text = " ".join(f"word{place}" for place in range(1500))
    first, *rest = mapping.to_invoice(invoice(line(description=text)), PLAIN)["LineItems"]
    assert rest
    assert all(set(one) == {"Description"} for one in rest)
    pieces = [first["Description"], *(one["Description"] for one in rest)]
    assert all(len(piece) <= 4000 for piece in pieces)
    assert " ".join(pieces) == text


def test_a_text_without_spaces_is_broken_too() -> None:
    lines = mapping.to_invoice(invoice(line(description="x" * 9001)), PLAIN)["LineItems"]
    assert [len(one["Description"]) for one in lines] == [4000, 4000, 1001]


def test_invisible_characters_are_left_out_of_texts() -> None:
    [sent] = mapping.to_invoice(invoice(line(description="A\x0bB\x00\nC\n")), PLAIN)["LineItems"]
    assert sent["Description"] == "A B \nC"


def test_a_line_without_text_says_what_it_is() -> None:
    lines = (line(description=" "), line(description="", kind=LineKind.DISBURSEMENT))
    sent = mapping.to_invoice(invoice(*lines), PLAIN)["LineItems"]
    assert [one["Description"] for one in sent] == ["Fees", "Disbursement"]


def test_a_price_agreed_otherwise_keeps_the_amount_and_tells_the_rest_in_words() -> None:
    [sent] = mapping.to_invoice(invoice(line("1000.00")), PLAIN)["LineItems"]
    assert (sent["Quantity"], sent["UnitAmount"]) == (1, 1000)
    assert sent["Description"] == "Concept design (7.5 at 185)"


def test_more_decimals_than_xero_keeps_go_as_the_amount() -> None:
    fine = line("300.00", quantity="3", unit_price="100.00001")
    [sent] = mapping.to_invoice(invoice(fine), PLAIN)["LineItems"]
    assert (sent["Quantity"], sent["UnitAmount"]) == (1, 300)


def test_tax_is_left_to_xero_where_it_comes_to_the_same() -> None:
    [sent] = mapping.to_invoice(invoice(line("100.00", quantity="1", unit_price="100")), PLAIN)[
        "LineItems"
    ]
    assert "TaxAmount" not in sent


@pytest.mark.parametrize("tax", ["14.95", "14.99", "15.01", "15.05"])
def test_tax_that_differs_by_cents_is_told(tax: str) -> None:
    made = invoice(line("100.00", quantity="1", unit_price="100", tax=tax))
    assert mapping.to_invoice(made, PLAIN)["LineItems"][0]["TaxAmount"] == Decimal(tax)


@pytest.mark.parametrize("tax", ["14.94", "15.06", "0.00", "10.00"])
def test_tax_that_does_not_fit_the_tax_code_is_refused(tax: str) -> None:
    wrong = line("100.00", quantity="1", unit_price="100", tax=tax)
    error = refused(invoice(line(), wrong))
    assert (error.field, error.line) == ("tax_code", 2)
    assert str(error) == f"Its tax is {tax}, but OUTPUT2 at 15 % of 100.00 is 15.00."


def test_one_line_per_invoice_merges_the_same_codes_and_never_across_them() -> None:
    lines = [
        line("100.00", quantity="1", unit_price="100"),
        line("50.00", quantity="1", unit_price="50", account_code="210"),
        line("25.06", quantity="1", unit_price="25.06"),
        line("10.00", quantity="1", unit_price="10", taxed=False),
        line(
            "5.00",
            quantity="1",
            unit_price="5",
            account_code="210",
            kind=LineKind.DISBURSEMENT,
        ),
    ]
    preferences = Preferences(detail=Detail.SINGLE)
    sent = mapping.to_invoice(invoice(*lines), preferences)["LineItems"]
    told = [(one["AccountCode"], one["TaxType"], one["UnitAmount"]) for one in sent]
    assert told == [
        ("200", "OUTPUT2", Decimal("125.06")),
        ("210", "OUTPUT2", 55),
        ("200", "ZERORATED", 10),
    ]
    assert [one["Description"] for one in sent] == [
        "Fees as per invoice ABT-1001",
        "Fees and disbursements as per invoice ABT-1001",
        "Concept design",
    ]
    assert [one[0] for one in mapping.sent_lines(invoice(*lines), preferences)] == [1, 2, 4]


def test_merged_lines_keep_their_jobs_apart_where_jobs_are_tracked() -> None:
    lines = [line(job_code="J1"), line(job_code="J2"), line(job_code="J1")]
    merged = mapping.to_invoice(invoice(*lines), Preferences(detail=Detail.SINGLE))
    tracked = mapping.to_invoice(invoice(*lines), Preferences(detail=Detail.SINGLE, tracking="Job"))
    assert len(merged["LineItems"]) == 1
    assert [one["Tracking"][0]["Option"] for one in tracked["LineItems"]] == ["J1", "J2"]


def test_amounts_are_plain_numbers_in_json() -> None:
    made = invoice(line("1000000.00", quantity="1E+2", unit_price="10000.0000"))
    text = simplejson.dumps(mapping.to_invoice(made, PLAIN), use_decimal=True)
    [sent] = json.loads(text, parse_float=Decimal)["LineItems"]
    assert (sent["Quantity"], sent["UnitAmount"]) == (100, 10000)
    assert "E+" not in text


def reckoned(
    body: dict[str, Any], rates: dict[str, Decimal], rounding: str = ROUND_HALF_UP
) -> tuple[Decimal, Decimal]:
    """Net and tax as Xero works them out: line by line, rounded, then the sum."""
    net = tax = Decimal(0)
    for one in body["LineItems"]:
        if "Quantity" not in one:
            continue
        amount = (one["Quantity"] * Decimal(one["UnitAmount"])).quantize(CENT, rounding)
        rate = rates[one["TaxType"]]
        if body["LineAmountTypes"] == "Exclusive":
            own = amount * rate / 100
        else:
            own = amount - amount * 100 / (100 + rate)
        line_tax = one.get("TaxAmount", own.quantize(CENT, rounding))
        tax += line_tax
        net += amount if body["LineAmountTypes"] == "Exclusive" else amount - line_tax
    return net, tax


@st.composite
def lines_of(draw: st.DrawFn) -> list[Any]:
    basis = draw(st.sampled_from(list(TaxBasis)))
    made = []
    for _ in range(draw(st.integers(1, 6))):
        quantity = draw(st.decimals("0.2500", "500", places=4))
        price = draw(st.decimals("1.0000", "900", places=4))
        taxed = draw(st.booleans())
        rate = TERMS.rate if taxed else Decimal(0)
        amount = (quantity * price).quantize(CENT, ROUND_HALF_UP)
        whole = 100 + rate if basis is TaxBasis.INCLUSIVE else Decimal(100)
        tax = (amount * rate / whole).quantize(CENT, ROUND_HALF_UP)
        tax += draw(st.sampled_from(["0", "0.01", "-0.01"]).map(Decimal)) if taxed else 0
        net = amount - tax if basis is TaxBasis.INCLUSIVE else amount
        net += draw(st.sampled_from(["0", "0", "13.37"]).map(Decimal)) if not taxed else 0
        made.append(
            line(
                str(net),
                quantity=str(quantity),
                unit_price=str(price),
                taxed=taxed,
                tax=str(tax),
                account_code=draw(st.sampled_from(["200", "210"])),
            )
        )
    return [basis, *made]


@given(lines_of(), st.sampled_from(list(Detail)), st.sampled_from(ROUNDINGS))
def test_xeros_figures_come_out_as_abtracs(drawn: list[Any], detail: Detail, rounding: str) -> None:
    basis, *lines = drawn
    made = invoice(*lines, tax_basis=basis)
    body = mapping.to_invoice(made, Preferences(detail=detail))
    rates = {"OUTPUT2": Decimal(15), "ZERORATED": Decimal(0)}
    assert reckoned(body, rates, rounding) == (made.net, made.tax)


@given(lines_of())
def test_merged_lines_hold_what_lines_of_their_account_and_tax_code_held(drawn: list[Any]) -> None:
    basis, *lines = drawn
    made = invoice(*lines, tax_basis=basis)
    body = mapping.to_invoice(made, Preferences(detail=Detail.SINGLE))
    expected: dict[tuple[str, str], Decimal] = {}
    for one in lines:
        amount = one.net + (one.tax if basis is TaxBasis.INCLUSIVE else 0)
        place = (one.account_code, one.tax_code)
        expected[place] = expected.get(place, Decimal(0)) + amount
    told = [one for one in body["LineItems"] if "Quantity" in one]
    merged = {
        (one["AccountCode"], one["TaxType"]): (
            Decimal(one["Quantity"]) * Decimal(one["UnitAmount"])
        ).quantize(CENT, ROUND_HALF_UP)
        for one in told
    }
    assert len(told) == len(merged)
    assert merged == expected


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("basis", TaxBasis)
@pytest.mark.parametrize("sign", [1, -1])
def test_an_amount_of_half_a_cent_is_not_left_to_xero(
    sign: int, basis: TaxBasis, rounding: str
) -> None:
    """0.5 at 42.37 is 21.185: which way Xero rounds that is not published."""
    amount, tax = sign * Decimal("21.19"), sign * Decimal("2.76")
    half = line(
        str(amount if basis is TaxBasis.EXCLUSIVE else amount - tax),
        quantity=str(sign * Decimal("0.5")),
        unit_price="42.37",
        tax=str(tax if basis is TaxBasis.INCLUSIVE else sign * Decimal("3.18")),
    )
    price = "1000.00" if basis is TaxBasis.EXCLUSIVE else "1150.00"
    made = invoice(line("1000.00", quantity="1", unit_price=price), half, tax_basis=basis)
    body = mapping.to_invoice(made, PLAIN)
    assert reckoned(body, {"OUTPUT2": Decimal(15)}, rounding) == (made.net, made.tax)
    sent = body["LineItems"][1]
    assert (sent["Quantity"], sent["UnitAmount"]) == (1, amount)
    assert sent["Description"] == f"Concept design ({sign * Decimal('0.5')} at 42.37)"


# --- What comes back -----------------------------------------------------------------------------


def echo(invoice: SalesInvoice, preferences: Preferences = PLAIN, **changes: Any) -> dict[str, Any]:
    body = mapping.to_invoice(invoice, preferences)
    return {**body, "Total": invoice.total, "TotalTax": invoice.tax, **changes}


def test_the_same_figures_are_no_difference() -> None:
    assert mapping.differences(invoice(), echo(invoice()), PLAIN) == ()


@pytest.mark.parametrize(
    "changed", [{"Total": Decimal("1595.64")}, {"TotalTax": Decimal("208.12")}]
)
def test_a_cent_is_a_difference(changed: dict[str, Any]) -> None:
    [warning] = mapping.differences(invoice(), echo(invoice(), **changed), PLAIN)
    assert str(next(iter(changed.values()))) in warning
    assert "Abtrac's is 1595.63 (tax 208.13)" in warning


def test_a_job_that_xero_dropped_is_told() -> None:
    preferences = Preferences(tracking="Job")
    made = invoice(line(job_code="J1", description="x " * 3000), line(job_code="J2"))
    whole = echo(made, preferences)
    assert mapping.differences(made, whole, preferences) == ()
    whole["LineItems"][-1]["Tracking"] = []
    [warning] = mapping.differences(made, whole, preferences)
    assert "J2" in warning
    assert "J1" not in warning
    assert mapping.differences(made, {**whole, "LineItems": []}, preferences) == ()


# --- Contacts ------------------------------------------------------------------------------------


def test_a_contact_is_written_in_xeros_words() -> None:
    assert mapping.to_contact(samples.contact(), PLAIN) == {
        "Name": "Harbour, Lane & Co",
        "ContactNumber": "C1001",
        "FirstName": "Aroha",
        "LastName": "Ngata",
        "EmailAddress": "accounts@harbourlane.example",
        "TaxNumber": "123-456-789",
        "Addresses": [
            {
                "AddressType": "POBOX",
                "AttentionTo": "Accounts",
                "AddressLine1": "PO Box 12",
                "City": "Auckland",
                "PostalCode": "1140",
            },
            {
                "AddressType": "STREET",
                "AddressLine1": "12 Quay Street",
                "AddressLine2": "Level 3",
                "City": "Auckland",
                "Region": "Auckland",
                "PostalCode": "1010",
                "Country": "New Zealand",
            },
        ],
        "Phones": [{"PhoneType": "DEFAULT", "PhoneNumber": "09 555 0100"}],
    }


@pytest.mark.parametrize("matching", [Matching.NAME, Matching.NAME_ON_INVOICE])
def test_the_client_id_goes_along_only_where_it_is_what_contacts_are_matched_by(
    matching: Matching,
) -> None:
    assert "ContactNumber" not in mapping.to_contact(
        samples.contact(), Preferences(matching=matching)
    )


@pytest.mark.parametrize(
    "name", ["", "  ", "A <B>", " A", "A ", "A  B", "A\tB", "x" * 256, "A\u00a0\u00a0B"]
)
def test_a_name_is_never_changed_but_refused(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        mapping.to_contact(samples.contact(name=name), PLAIN)
    assert caught.value.field == "contact"
    assert caught.value.next_step


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "1" * 51},
        {"email": "a@" + "b" * 254},
        {"phone": "1" * 51},
        {"tax_number": "1" * 51},
        {"postal": Address(postal_code="1" * 51)},
    ],
)
def test_what_is_of_no_use_in_part_is_refused_when_too_long(changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="longer than"):
        mapping.to_contact(samples.contact(**changes), PLAIN)


def test_free_text_is_shortened_and_said_so() -> None:
    long = Address(attention="a " * 200, lines=tuple(f"Line {place}" for place in range(6)))
    contact = samples.contact(first_name="b" * 300, postal=long)
    body = mapping.to_contact(contact, PLAIN)
    assert len(body["FirstName"]) == 255
    assert len(body["Addresses"][0]["AttentionTo"]) <= 255
    assert body["Addresses"][0]["AddressLine4"] == "Line 3, Line 4, Line 5"
    assert mapping.notes_on_contact(contact) == (
        "Shortened to what Xero takes: name of the person, postal address.",
    )
    assert mapping.notes_on_contact(samples.contact()) == ()


# --- Wire ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "day"),
    [
        ("/Date(1795132800000+0000)/", date(2026, 11, 20)),
        ("/Date(1795132800000)/", date(2026, 11, 20)),
        ("/Date(1795132800000+1300)/", date(2026, 11, 20)),
        ("/Date(-86400000+0000)/", date(1969, 12, 31)),
        ("2026-11-20T00:00:00", date(2026, 11, 20)),
        ("2026-11-20", date(2026, 11, 20)),
        ("soon", None),
        (None, None),
        (17, None),
    ],
)
def test_a_day_is_the_day_in_utc_and_never_shifted(told: Any, day: date | None) -> None:
    assert wire.day(told) == day


def test_a_moment_keeps_its_seconds() -> None:
    assert wire.moment("/Date(1552327126164+0000)/") == datetime(
        2019, 3, 11, 17, 58, 46, 164000, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("Café Ōtākou", "cafe otakou"), ("A  B ", "a b"), ("STRASSE", "Straße"), ("ﬁsh", "Fish")],
)
def test_names_are_compared_without_case_accents_and_spaces(one: str, other: str) -> None:
    assert wire.folded(one) == wire.folded(other)


@pytest.mark.parametrize("value", [True, None, "12.00", []])
def test_what_is_no_amount_is_none(value: Any) -> None:
    assert wire.money(value) is None


@pytest.mark.parametrize("name", ['A "B"', "A\\B"])
def test_a_name_that_cannot_be_written_in_a_filter_says_so(name: str) -> None:
    with pytest.raises(ValueError, match="filter"):
        wire.quoted(name)


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("Invoice ABT-1001.pdf", "Invoice-ABT-1001.pdf"),
        ("a #3/4: ö.PDF", "a-3-4.pdf"),
        ("Ōō.pdf", "invoice.pdf"),
        ("no ending", "no-ending.pdf"),
        ("../../etc/passwd", "etc-passwd.pdf"),
        ("x" * 300 + ".pdf", "x" * 100 + ".pdf"),
    ],
)
def test_file_names_are_made_of_safe_characters(given_name: str, safe: str) -> None:
    assert safe_name(given_name) == safe


# --- Settings ------------------------------------------------------------------------------------


def test_the_defaults_of_the_settings_are_understood() -> None:
    assert Preferences.of(PACKAGE.default_settings()) == Preferences()


def test_settings_become_preferences() -> None:
    settings = {
        "delivery_status": "AUTHORISED",
        "detail": "single",
        "jobs": "tracking",
        "tracking_category": " Project ",
        "match_contacts_by": "name_on_invoice",
    }
    assert Preferences.of(settings) == Preferences(
        status="AUTHORISED",
        detail=Detail.SINGLE,
        tracking="Project",
        matching=Matching.NAME_ON_INVOICE,
    )
    assert Preferences.of({**settings, "jobs": "none"}).tracking == ""
