"""The documents every package is tried on, in a package's own account and tax codes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from connectors.base.documents import (
    Address,
    Contact,
    CreditNote,
    InvoiceLine,
    Job,
    LineKind,
    SalesInvoice,
    TaxBasis,
)

CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The codes of the company file that the samples are written in."""

    fees: str
    recoveries: str
    taxed: str
    rate: Decimal
    untaxed: str
    currency: str


def contact(number: str = "C1001", name: str = "Harbour, Lane & Co", **changes: Any) -> Contact:
    """A client with all particulars."""
    made = Contact(
        key=f"contact-{number}",
        number=number,
        name=name,
        first_name="Aroha",
        last_name="Ngata",
        email="accounts@harbourlane.example",
        phone="09 555 0100",
        tax_number="123-456-789",
        postal=Address(
            attention="Accounts", lines=("PO Box 12",), city="Auckland", postal_code="1140"
        ),
        street=Address(
            lines=("12 Quay Street", "Level 3"),
            city="Auckland",
            region="Auckland",
            postal_code="1010",
            country="New Zealand",
        ),
    )
    return replace(made, **changes)


def job(code: str = "J1234", **changes: Any) -> Job:
    """A job of the sample client."""
    made = Job(key=f"job-{code}", code=code, description="Harbour House", contact=contact())
    return replace(made, **changes)


def line(
    terms: Terms,
    net: str = "1387.50",
    *,
    quantity: str = "7.5",
    unit_price: str = "185.00",
    taxed: bool = True,
    tax: str | None = None,
    **changes: Any,
) -> InvoiceLine:
    """A line; its tax is the rate of its net unless given."""
    rate = terms.rate if taxed else Decimal(0)
    reckoned = (Decimal(net) * rate / 100).quantize(CENT, ROUND_HALF_UP)
    made = InvoiceLine(
        description="Concept design",
        kind=LineKind.TIME,
        quantity=Decimal(quantity),
        unit_price=Decimal(unit_price),
        net=Decimal(net),
        tax=reckoned if tax is None else Decimal(tax),
        account_code=terms.fees,
        tax_code=terms.taxed if taxed else terms.untaxed,
        tax_rate=rate,
    )
    return replace(made, **changes)


def invoice(
    terms: Terms, *lines: InvoiceLine, number: str = "ABT-1001", **changes: Any
) -> SalesInvoice:
    """An invoice of the lines, or of one; its totals are theirs."""
    lines = lines or (line(terms),)
    net = sum((one.net for one in lines), Decimal(0))
    tax = sum((one.tax for one in lines), Decimal(0))
    made = SalesInvoice(
        key=f"key-{number}",
        number=number,
        reference="J1234 Harbour House",
        contact=contact(),
        contact_id="",
        issued=date(2026, 11, 20),
        due=date(2026, 12, 20),
        currency=terms.currency,
        tax_basis=TaxBasis.EXCLUSIVE,
        net=net,
        tax=tax,
        total=net + tax,
        lines=lines,
        order_number="PO 7",
        claim_number="3",
    )
    return replace(made, **changes)


def credit_note(
    terms: Terms, *lines: InvoiceLine, number: str = "ABT-2001", credits: str = "", **changes: Any
) -> CreditNote:
    """A credit note of the lines, its amounts positive."""
    made = invoice(terms, *lines, number=number, **changes)
    return CreditNote(**vars(made), credits=credits)


def invoices(terms: Terms) -> Mapping[str, SalesInvoice]:
    """What every package must take as it stands, by what is special about it."""
    disbursement = line(
        terms,
        "42.38",
        quantity="1",
        unit_price="42.38",
        description='Prints, A1 "full set"',
        kind=LineKind.DISBURSEMENT,
        account_code=terms.recoveries,
    )
    inclusive = line(terms, "100.00", quantity="2", unit_price="57.50")
    return {
        "one line": invoice(terms, number="ABT-1001"),
        "several codes": invoice(
            terms,
            line(terms),
            disbursement,
            line(terms, "80.00", quantity="1", unit_price="80.00", taxed=False),
            number="ABT-1002",
        ),
        "tax included in prices": invoice(
            terms, inclusive, number="ABT-1003", tax_basis=TaxBasis.INCLUSIVE
        ),
        "four decimals": invoice(
            terms,
            line(terms, "411.36", quantity="3.2500", unit_price="126.5725"),
            number="ABT-1004",
        ),
        "a deduction": invoice(
            terms,
            line(terms),
            line(terms, "-87.50", quantity="-1", unit_price="87.50", description="Goodwill"),
            number="ABT-1005",
        ),
        "a price agreed otherwise": invoice(
            terms,
            line(terms, "1000.00", quantity="7.5", unit_price="185.00"),
            number="ABT-1006",
        ),
        "tax rounded on the total": invoice(
            terms,
            line(terms, "25.06", quantity="1", unit_price="25.06", tax="3.76"),
            line(terms, "25.61", quantity="1", unit_price="25.61", tax="3.84"),
            line(terms, "25.63", quantity="1", unit_price="25.63", tax="3.85"),
            number="ABT-1007",
        ),
        "letters of all kinds": invoice(
            terms,
            line(terms, description="Ōtākou: façade & “roof”, 5 < 6 > 4\nsecond line"),
            number="ABT-1008/Ā",
            reference="Überprüfung; Ōtākou, 100 % & more",
        ),
        "long text": invoice(
            terms, line(terms, description="Site visits and reports. " * 200), number="ABT-1009"
        ),
        "no text": invoice(terms, line(terms, description=""), number="ABT-1010", reference=""),
    }
