"""What some company files in Keeper ask of documents, and how Keeper reckons a total."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

from connectors.base.documents import SalesInvoice
from connectors.base.faults import Weight
from connectors.base.rules import USUAL, LineCount, OfNewContact, Required, Rounding, Rule
from connectors.base.shown import Shown, ShownLine

CENT = Decimal("0.01")
MOST_LINES = 3


def show(invoice: SalesInvoice, settings: Mapping[str, Any]) -> Shown:
    """Quantity times price cut to the cent, and the tax as it is sent."""
    lines = tuple(
        ShownLine(
            description=one.description,
            lines=(place,),
            quantity=one.quantity,
            unit_price=one.unit_price,
            amount=(one.quantity * one.unit_price).quantize(CENT, ROUND_DOWN),
            tax=one.tax,
        )
        for place, one in enumerate(invoice.lines, start=1)
    )
    net = sum((one.amount for one in lines if one.amount), Decimal(0))
    return Shown(lines=lines, net=net, tax=invoice.tax, total=net + invoice.tax)


RULES: tuple[Rule, ...] = (
    *USUAL,
    Required(
        text="line.job_code",
        word="job",
        field="job",
        code="job_missing",
        when=("demands job", "yes"),
    ),
    LineCount(most=MOST_LINES, when=("demands few lines", "yes")),
    Rounding(show=show, weight=Weight.REFUSED, when=("demands total", "yes")),
    OfNewContact(
        rules=(
            Required(
                text="contact.postal.lines",
                word="postal address",
                field="contact",
                code="address_missing",
                when=("demands address", "yes"),
            ),
        )
    ),
)
