"""Whether the amounts of an invoice agree with each other, to the cent. Pure functions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connectors.base.cents import CENT, to_cents
from connectors.base.documents import TaxBasis


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """Two amounts that should be one; `field` is the one that was given."""

    field: str
    message: str


def check_line(
    *, quantity: Decimal, unit_price: Decimal, net: Decimal, tax: Decimal, basis: TaxBasis
) -> Iterator[Disagreement]:
    """A line's amount is its quantity times its price, give or take a cent.

    The price holds the tax or not, as the invoice's tax basis says.
    """
    product = to_cents(quantity * unit_price)
    amount = net if basis == TaxBasis.EXCLUSIVE else net + tax
    if abs(product - amount) > CENT:
        what = "net" if basis == TaxBasis.EXCLUSIVE else "net plus tax"
        yield Disagreement(
            field="net",
            message=f"{_plain(quantity)} at {_plain(unit_price)} (tax {basis}) is {product}, but"
            f" the line's {what} is {amount}.",
        )


def check_sums(
    *, net: Decimal, tax: Decimal, lines: Sequence[tuple[Decimal, Decimal]]
) -> Iterator[Disagreement]:
    """The invoice's net and tax are the sums of its lines' (net, tax) exactly."""
    nets = sum((line[0] for line in lines), Decimal(0))
    taxes = sum((line[1] for line in lines), Decimal(0))
    if net != nets:
        yield Disagreement(
            field="net", message=f"The lines' net amounts add up to {nets}, but net is {net}."
        )
    if tax != taxes:
        yield Disagreement(
            field="tax", message=f"The lines' taxes add up to {taxes}, but tax is {tax}."
        )


def check_total(*, net: Decimal, tax: Decimal, total: Decimal) -> Iterator[Disagreement]:
    """The total is net plus tax exactly."""
    if total != net + tax:
        yield Disagreement(
            field="total", message=f"Net plus tax is {net + tax}, but total is {total}."
        )


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
