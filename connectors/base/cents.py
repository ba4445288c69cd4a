"""Amounts of money in whole cents."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def to_cents(amount: Decimal) -> Decimal:
    """The amount in whole cents, halves away from zero as ledgers do."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)
