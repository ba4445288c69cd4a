"""Amounts agree to the cent, or both numbers are named."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base.documents import TaxBasis
from invoicing import totals

CENT = Decimal("0.01")
money = st.decimals(min_value=-(10**9), max_value=10**9, places=2)
quantities = st.decimals(min_value=-(10**4), max_value=10**4, places=4)
prices = st.decimals(min_value=-(10**5), max_value=10**5, places=4)


def line_messages(
    *, quantity: str, unit_price: str, net: str, tax: str = "0.00", basis: str = "exclusive"
) -> list[str]:
    """What is said of a line."""
    found = totals.check_line(
        quantity=Decimal(quantity),
        unit_price=Decimal(unit_price),
        net=Decimal(net),
        tax=Decimal(tax),
        basis=TaxBasis(basis),
    )
    return [one.message for one in found]


@given(quantity=quantities, unit_price=prices, rate=st.sampled_from([0, 10, 15]))
def test_a_line_worked_out_by_its_rate_agrees_on_either_basis(
    quantity: Decimal, unit_price: Decimal, rate: int
) -> None:
    amount = (quantity * unit_price).quantize(CENT, ROUND_HALF_UP)
    tax_on_top = (amount * rate / 100).quantize(CENT, ROUND_HALF_UP)
    tax_within = (amount * rate / (100 + rate)).quantize(CENT, ROUND_HALF_UP)
    for basis, net, tax in [
        (TaxBasis.EXCLUSIVE, amount, tax_on_top),
        (TaxBasis.INCLUSIVE, amount - tax_within, tax_within),
    ]:
        assert not list(
            totals.check_line(
                quantity=quantity, unit_price=unit_price, net=net, tax=tax, basis=basis
            )
        )


@given(quantity=quantities, unit_price=prices, off=st.integers(min_value=2, max_value=10**6))
def test_a_line_that_is_two_cents_off_or_more_is_named(
    quantity: Decimal, unit_price: Decimal, off: int
) -> None:
    amount = (quantity * unit_price).quantize(CENT, ROUND_HALF_UP)
    for net in (amount + off * CENT, amount - off * CENT):
        [found] = totals.check_line(
            quantity=quantity,
            unit_price=unit_price,
            net=net,
            tax=Decimal(0),
            basis=TaxBasis.EXCLUSIVE,
        )
        assert str(amount) in found.message
        assert str(net) in found.message


@pytest.mark.parametrize("net", ["33.32", "33.33", "33.34"])
def test_a_line_may_be_a_cent_off(net: str) -> None:
    assert not line_messages(quantity="0.3333", unit_price="100.00", net=net)


def test_a_price_that_holds_the_tax_is_compared_with_net_plus_tax() -> None:
    line = {"quantity": "1", "unit_price": "115.00", "net": "100.00", "tax": "15.00"}
    assert not line_messages(**line, basis="inclusive")
    assert line_messages(**line, basis="exclusive") == [
        "1 at 115 (tax exclusive) is 115.00, but the line's net is 100.00."
    ]


@given(lines=st.lists(st.tuples(money, money), min_size=1, max_size=20))
def test_sums_of_the_lines_agree_with_themselves(lines: list[tuple[Decimal, Decimal]]) -> None:
    net = sum((one[0] for one in lines), Decimal(0))
    tax = sum((one[1] for one in lines), Decimal(0))
    assert not list(totals.check_sums(net=net, tax=tax, lines=lines))
    assert not list(totals.check_total(net=net, tax=tax, total=net + tax))
    off = totals.check_sums(net=net + CENT, tax=tax - CENT, lines=lines)
    assert [one.field for one in off] == ["net", "tax"]


def test_a_total_that_is_wrong_is_told_with_both_numbers() -> None:
    [found] = totals.check_total(
        net=Decimal("100.00"), tax=Decimal("15.00"), total=Decimal("115.01")
    )
    assert found.message == "Net plus tax is 115.00, but total is 115.01."
