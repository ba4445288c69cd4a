"""Whatever is thrown at the rehearsal Xero, it answers as a server and never falls over."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.connectors.xero.xero_caller import XeroCaller, line

ODD: list[Any] = [
    None,
    "",
    "x" * 5000,
    "\x00",
    "2026-11-20",
    "AUTHORISED",
    0,
    -1,
    10**14,
    1e-30,
    True,
    [],
    [None],
    [[]],
    {},
    {"ContactID": None},
    {"": {}},
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Invoices", "Contacts", "Type", "Contact", "LineItems", "Name", "Date"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
WHERE = st.text(alphabet='TypeDat=&!<>" .()0129GuidDateTimeANDnull,-\t', max_size=40)


@pytest.fixture(scope="module")
def xero() -> Iterator[XeroCaller]:
    """Leaving it fails when the server has failed."""
    with XeroCaller() as caller:
        caller.books.add_invoice("INV-1", "Wharf Ltd")
        yield caller


def answered(xero: XeroCaller, method: str, path: str, **rest: Any) -> None:
    answer = xero.call(method, path, **rest)
    assert answer.status_code in (200, 400, 404, 412), answer.text


def fields() -> list[tuple[str, str]]:
    """Every field of every kind that can be written, and whether it is of a line."""
    invoice = ["Type", "Contact", "InvoiceNumber", "Reference", "Date", "DueDate", "Status"]
    invoice += ["LineAmountTypes", "CurrencyCode", "CurrencyRate", "LineItems", "Url"]
    invoice += ["BrandingThemeID", "SentToContact", "InvoiceID"]
    lines = ["Description", "Quantity", "UnitAmount", "AccountCode", "AccountID", "TaxType"]
    lines += ["TaxAmount", "LineAmount", "DiscountRate", "DiscountAmount", "Tracking", "LineItemID"]
    return [("invoice", one) for one in invoice] + [("line", one) for one in lines]


@pytest.mark.parametrize(("where", "field"), fields())
def test_an_odd_value_anywhere_is_taken_or_refused(
    xero: XeroCaller, where: str, field: str
) -> None:
    for odd in ODD:
        body = xero.invoice(InvoiceNumber=None)
        if where == "line":
            body["LineItems"] = [line() | {field: odd}]
        else:
            body[field] = odd
        for method in ("PUT", "POST"):
            answered(xero, method, "Invoices?summarizeErrors=false", json={"Invoices": [body]})


@pytest.mark.parametrize(
    "field", ["Name", "ContactNumber", "Addresses", "Phones", "ContactPersons", "PaymentTerms"]
)
def test_an_odd_value_in_a_contact_is_taken_or_refused(xero: XeroCaller, field: str) -> None:
    for odd in ODD:
        body = {"Name": "Odd Ltd"} | {field: odd}
        answered(xero, "POST", "Contacts", json={"Contacts": [body]})


def test_the_largest_numbers_are_taken_or_refused(xero: XeroCaller) -> None:
    for large in (10**15 - 1, -(10**15) + 1):
        most = dict.fromkeys(("Quantity", "UnitAmount", "DiscountRate", "TaxAmount"), large)
        for basis in ("Exclusive", "Inclusive"):
            body = xero.invoice(LineAmountTypes=basis, LineItems=[line(**most)] * 3)
            answered(xero, "PUT", "Invoices?unitdp=4", json={"Invoices": [body]})


@given(body=JSON)
@settings(max_examples=25, deadline=None)
def test_any_json_is_answered(xero: XeroCaller, body: Any) -> None:
    for path in ("Invoices", "CreditNotes", "Contacts", "TrackingCategories"):
        answered(xero, "PUT", path, json=body)


@given(where=WHERE)
@settings(max_examples=60, deadline=None)
def test_any_filter_is_answered(xero: XeroCaller, where: str) -> None:
    answered(xero, "GET", "Invoices", params={"where": where})


@given(text=st.text(max_size=20))
@settings(max_examples=25, deadline=None)
def test_any_parameter_is_answered(xero: XeroCaller, text: str) -> None:
    names = ("IDs", "ContactIDs", "InvoiceNumbers", "Statuses", "page", "pageSize", "order")
    for name in (*names, "searchTerm", "unitdp", "summaryOnly"):
        answered(xero, "GET", "Invoices", params={name: text})
