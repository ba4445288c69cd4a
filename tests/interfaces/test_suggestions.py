"""Suggestions for codes: each with its reason, exact only where one code alone is as good."""

from decimal import Decimal
from typing import Any

import pytest

from connectors.xero import PACKAGE
from connectors.xero.standin_charts import CHART, CLASSES, NEW_ZEALAND
from interfaces.models import AccountCode, TaxCode
from interfaces.suggestions import Chart, CodesInUse, InUse, Suggestion

# The rehearsal's chart of accounts, as the package lists it.
KINDS = {"SALES": "Sales", "REVENUE": "Revenue", "OTHERINCOME": "Other income"}


def account(pk: int, code: str, name: str, **fields: Any) -> AccountCode:
    return AccountCode(pk=pk, code=code, name=name, **fields)


def tax(pk: int, code: str, name: str, rate: str, **fields: Any) -> TaxCode:
    return TaxCode(pk=pk, code=code, name=name, rate=Decimal(rate), **fields)


def new_zealand() -> tuple[list[AccountCode], list[TaxCode]]:
    rates = [one for one in NEW_ZEALAND.rates if one.status == "ACTIVE"]
    accounts = []
    for pk, row in enumerate(CHART, start=1):
        letter = {"EXPENSE": "E", "REVENUE": "R"}.get(CLASSES[row.type], CLASSES[row.type][0])
        accounts.append(
            account(
                *(pk, row.code, row.name),
                kind=KINDS.get(row.type, row.type),
                active=not row.archived,
                usable_for_sales=not row.system and row.type != "BANK",
                default_tax_code=NEW_ZEALAND.taxes[row.tax] if row.tax != "zero" else "ZERORATED",
                allowed_tax_codes=[one.code for one in rates if letter in one.classes],
            )
        )
    taxes = [
        tax(pk, one.code, one.name, str(one.rate), usable_for_sales=bool({*"RE"} & {*one.classes}))
        for pk, one in enumerate(rates, start=1)
    ]
    return accounts, taxes


def chart(
    accounts: list[AccountCode] | None = None,
    taxes: list[TaxCode] | None = None,
    *,
    taxed: InUse | None = None,
    **chosen: Any,
) -> Chart:
    known_accounts, known_taxes = new_zealand()
    return Chart(
        label="Xero",
        accounts=known_accounts if accounts is None else accounts,
        taxes=known_taxes if taxes is None else taxes,
        usual_kinds=PACKAGE.usual_kinds,
        chosen=chosen,
        in_use=CodesInUse(taxed=taxed),
    )


def seen(code: str = "", *, lines: int = 3, net: str = "1000", rate: str = "15") -> InUse:
    amount = Decimal(net)
    return InUse(code=code, lines=lines, net=amount, tax=amount * Decimal(rate) / 100)


def told(found: Suggestion | None) -> tuple[str, str, bool] | None:
    return (found.code.code, found.reason, found.exact) if found else None


def test_a_new_zealand_practice_is_offered_all_four_defaults_with_their_reasons() -> None:
    asked = chart(taxed=seen())
    assert told(asked.default("revenue_account")) == ("200", "commonly used there: Sales", False)
    assert told(asked.default("revenue_tax")) == ("OUTPUT2", "same rate, 15 %", True)
    assert told(asked.default("tax_free_tax")) == ("ZERORATED", "same rate, 0 %, as 1 other", False)
    assert told(asked.default("disbursement_account")) == ("210", "by its name", False)
    assert asked.default("tax_free_account") is None


def test_without_invoices_the_tax_code_is_the_one_the_account_carries() -> None:
    assert told(chart().default("revenue_tax")) == (
        "OUTPUT2",
        "the tax code account 200 Fees carries in Xero",
        False,
    )


def test_a_rate_no_tax_code_has_is_answered_with_nothing() -> None:
    assert chart(taxed=seen(rate="10")).default("revenue_tax") is None


def test_what_is_chosen_and_can_be_used_gets_no_suggestion() -> None:
    accounts, taxes = new_zealand()
    sales = next(one for one in accounts if one.code == "205")
    asked = chart(accounts, taxes, taxed=seen(), revenue_account=sales)
    assert asked.default("revenue_account") is None
    sales.active = False
    asked = chart(accounts, taxes, taxed=seen(), revenue_account=sales)
    assert told(asked.default("revenue_account")) == ("200", "commonly used there: Sales", False)


@pytest.mark.parametrize(
    "change", [{"active": False}, {"usable_for_sales": False}, {"available": False}]
)
def test_a_code_that_cannot_be_used_or_is_not_offered_is_never_suggested(
    change: dict[str, bool],
) -> None:
    accounts = [account(1, "200", "Fees", kind="Sales", **change)]
    taxes = [tax(1, "GST", "GST", "15", **change)]
    asked = chart(accounts, taxes, taxed=seen())
    assert asked.default("revenue_account") is None
    assert asked.default("revenue_tax") is None
    assert asked.account(InUse(code="200", lines=1)) is None
    assert asked.tax(seen("GST")) is None


def test_a_pair_the_package_refuses_is_never_suggested() -> None:
    accounts = [account(1, "200", "Fees", kind="Sales", allowed_tax_codes=["ZERO"])]
    taxes = [tax(1, "GST", "GST", "15"), tax(2, "ZERO", "Zero rated", "0")]
    asked = chart(accounts, taxes, taxed=seen(), revenue_account=accounts[0])
    assert asked.default("revenue_tax") is None
    assert told(asked.default("tax_free_tax")) == ("ZERO", "same rate, 0 %", True)
    assert told(asked.tax(seen("GST"))) is None
    asked = chart(accounts, taxes[:1], revenue_tax=taxes[0])
    assert asked.default("revenue_account") is None
    assert asked.account(InUse(code="fees", lines=1)) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("200", ("200", "same code", True)),
        ("2-00", ("200", "same code", True)),
        ("  FEES ", ("200", "same name", True)),
        ("Wāhi Tapu", ("300", "same name", True)),
        ("waahi", None),
        ("Twice", ("400", "same name, as 1 more", False)),
        ("--", None),
    ],
)
def test_an_account_code_of_abtracs_is_found_by_code_then_by_name(
    code: str, expected: tuple[str, str, bool] | None
) -> None:
    accounts = [
        account(1, "200", "Fees"),
        account(2, "300", "Wahi tapu"),
        account(3, "400", "Twice"),
        account(4, "401", "TWICE!"),
    ]
    assert told(chart(accounts, []).account(InUse(code=code, lines=1))) == expected


@pytest.mark.parametrize(
    ("in_use", "expected"),
    [
        (seen("output2"), ("OUTPUT2", "same code", True)),
        (seen("15% GST on Income"), ("OUTPUT2", "same name", True)),
        (seen("S15"), ("OUTPUT2", "same rate, 15 %", True)),
        (seen("S12", rate="12.5"), None),
        (seen("Z", rate="0"), ("ZERORATED", "same rate, 0 %, as 1 other", False)),
        # The same word for another rate is a trap, not a match.
        (seen("output2", rate="10"), ("OUTPUT2", "same code, but 15 % there", False)),
        # Nothing but credits and charges of nought: no rate was seen.
        (InUse(code="S15", lines=2), None),
    ],
)
def test_a_tax_code_of_abtracs_is_found_by_code_name_and_rate(
    in_use: InUse, expected: tuple[str, str, bool] | None
) -> None:
    accounts, taxes = new_zealand()
    sales = next(one for one in accounts if one.code == "200")
    assert told(chart(accounts, taxes, revenue_account=sales).tax(in_use)) == expected


def test_rounding_of_each_line_to_cents_hides_no_rate_and_small_sums_prove_none() -> None:
    cents = InUse(code="S", lines=3, net=Decimal("100.00"), tax=Decimal("15.01"))
    assert cents.fits(Decimal(15))
    assert not cents.fits(Decimal("12.5"))
    taxes = [tax(1, "A", "Fifteen", "15"), tax(2, "B", "Twelve", "12.5")]
    small = InUse(code="S", lines=1, net=Decimal("0.10"), tax=Decimal("0.02"))
    assert told(chart([], taxes).tax(small)) is None


@pytest.mark.parametrize(
    ("carried", "taxed", "tax_free"),
    [
        ("", None, None),
        (
            *("B", ("B", "same rate, 15 %, as 1 other; account 200 Fees carries it", False)),
            None,
        ),
        (
            *("Z", None),
            ("Z", "same rate, 0 %, as 2 others; account 200 Fees carries it", False),
        ),
    ],
)
def test_of_equal_rates_the_one_the_account_carries_is_suggested_else_none(
    carried: str,
    taxed: tuple[str, str, bool] | None,
    tax_free: tuple[str, str, bool] | None,
) -> None:
    accounts = [account(1, "200", "Fees", kind="Sales", default_tax_code=carried)]
    taxes = [
        tax(1, "A", "GST on Goods", "15"),
        tax(2, "B", "GST on Income", "15"),
        tax(3, "E", "Exempt", "0"),
        tax(4, "N", "No GST", "0"),
        tax(5, "Z", "Zero rated", "0"),
    ]
    asked = chart(accounts, taxes, taxed=seen())
    assert told(asked.default("revenue_tax")) == taxed
    assert told(asked.tax(seen("S15"))) == taxed
    assert told(asked.default("tax_free_tax")) == tax_free
