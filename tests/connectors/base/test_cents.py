"""Amounts in whole cents."""

from decimal import Decimal

from connectors.base.cents import to_cents


def test_half_a_cent_is_rounded_away_from_zero() -> None:
    assert to_cents(Decimal("0.125")) == Decimal("0.13")
    assert to_cents(Decimal("-0.125")) == Decimal("-0.13")
