"""Believable charts of accounts and tax rates for the rehearsal's two countries."""

from dataclasses import dataclass
from decimal import Decimal

CLASSES = {
    "BANK": "ASSET",
    "CURRENT": "ASSET",
    "FIXED": "ASSET",
    "INVENTORY": "ASSET",
    "NONCURRENT": "ASSET",
    "PREPAYMENT": "ASSET",
    "EQUITY": "EQUITY",
    "DEPRECIATN": "EXPENSE",
    "DIRECTCOSTS": "EXPENSE",
    "EXPENSE": "EXPENSE",
    "OVERHEADS": "EXPENSE",
    "CURRLIAB": "LIABILITY",
    "LIABILITY": "LIABILITY",
    "PAYG": "LIABILITY",
    "TERMLIAB": "LIABILITY",
    "OTHERINCOME": "REVENUE",
    "REVENUE": "REVENUE",
    "SALES": "REVENUE",
}


@dataclass(frozen=True)
class AccountRow:
    """One line of a chart; `output`, `input` and `none` are the country's own tax codes."""

    code: str
    name: str
    type: str
    tax: str
    system: str = ""
    archived: bool = False


@dataclass(frozen=True)
class RateRow:
    """A tax rate, and the letters of the account classes it may be used with.

    A(ssets), Q (equity), E(xpenses), L(iabilities), R(evenue). No letter: a rate of the past.
    """

    code: str
    name: str
    rate: Decimal
    classes: str
    report: str
    status: str = "ACTIVE"


@dataclass(frozen=True)
class Country:
    """What differs between the organisations of two countries."""

    code: str
    currency: str
    timezone: str
    zone: str
    tax_number: str
    year_end: tuple[int, int]
    rates: tuple[RateRow, ...]
    taxes: dict[str, str]
    # Codes withdrawn long ago that are still taken, and quietly become others.
    retired: dict[str, str]


CHART = (
    AccountRow("090", "Business Bank Account", "BANK", "none"),
    AccountRow("091", "Business Savings Account", "BANK", "none"),
    AccountRow("200", "Fees", "SALES", "output"),
    AccountRow("205", "Fees, overseas clients", "SALES", "zero"),
    AccountRow("210", "Disbursements recovered", "REVENUE", "output"),
    AccountRow("215", "Printing recovered", "REVENUE", "output"),
    AccountRow("218", "Fees (old scheme)", "SALES", "output", archived=True),
    AccountRow("260", "Other Revenue", "OTHERINCOME", "output"),
    AccountRow("270", "Interest Income", "OTHERINCOME", "none"),
    AccountRow("310", "Subconsultants", "DIRECTCOSTS", "input"),
    AccountRow("320", "Council and consent fees", "DIRECTCOSTS", "input"),
    AccountRow("400", "Advertising", "EXPENSE", "input"),
    AccountRow("404", "Bank Fees", "EXPENSE", "none"),
    AccountRow("412", "Accounting and legal", "EXPENSE", "input"),
    AccountRow("416", "Depreciation", "DEPRECIATN", "none"),
    AccountRow("429", "General Expenses", "OVERHEADS", "input"),
    AccountRow("433", "Insurance", "OVERHEADS", "input"),
    AccountRow("445", "Light, Power, Heating", "OVERHEADS", "input"),
    AccountRow("453", "Printing and stationery", "EXPENSE", "input"),
    AccountRow("469", "Rent", "OVERHEADS", "input"),
    AccountRow("477", "Salaries", "EXPENSE", "none"),
    AccountRow("485", "Software subscriptions", "EXPENSE", "input"),
    AccountRow("489", "Telephone and internet", "OVERHEADS", "input"),
    AccountRow("493", "Travel", "EXPENSE", "input"),
    AccountRow("610", "Accounts Receivable", "CURRENT", "none", system="DEBTORS"),
    AccountRow("620", "Prepayments", "PREPAYMENT", "none"),
    AccountRow("710", "Office Equipment", "FIXED", "input"),
    AccountRow("800", "Accounts Payable", "CURRLIAB", "none", system="CREDITORS"),
    AccountRow("810", "Client disbursements held", "CURRLIAB", "output"),
    AccountRow("820", "GST", "CURRLIAB", "none", system="GST"),
    AccountRow("860", "Rounding", "CURRLIAB", "none", system="ROUNDING"),
    AccountRow("960", "Retained Earnings", "EQUITY", "none", system="RETAINEDEARNINGS"),
    AccountRow("970", "Owner Funds Introduced", "EQUITY", "none"),
)

NEW_ZEALAND = Country(
    code="NZ",
    currency="NZD",
    timezone="NEWZEALANDSTANDARDTIME",
    zone="Pacific/Auckland",
    tax_number="071-138-054",
    year_end=(31, 3),
    rates=(
        RateRow("OUTPUT2", "15% GST on Income", Decimal(15), "AQLR", "OUTPUT"),
        RateRow("INPUT2", "15% GST on Expenses", Decimal(15), "AQEL", "INPUT"),
        RateRow("ZERORATED", "Zero Rated", Decimal(0), "LR", "OUTPUT"),
        RateRow("NONE", "No GST", Decimal(0), "AQELR", "NONE"),
        RateRow("GSTONIMPORTS", "GST on Imports", Decimal(0), "L", "GSTONIMPORTS"),
        # The trap: alive and 10 % in Australia under the same code, dead here.
        RateRow("OUTPUT", "12.5% GST on Income", Decimal("12.5"), "", "OUTPUT", "ARCHIVED"),
        RateRow("INPUT", "12.5% GST on Expenses", Decimal("12.5"), "", "INPUT", "ARCHIVED"),
    ),
    taxes={"output": "OUTPUT2", "input": "INPUT2", "zero": "ZERORATED", "none": "NONE"},
    retired={},
)

AUSTRALIA = Country(
    code="AU",
    currency="AUD",
    timezone="AUSEASTERNSTANDARDTIME",
    zone="Australia/Sydney",
    tax_number="12 004 044 937",
    year_end=(30, 6),
    rates=(
        RateRow("OUTPUT", "GST on Income", Decimal(10), "AQLR", "OUTPUT"),
        RateRow("INPUT", "GST on Expenses", Decimal(10), "AQEL", "INPUT"),
        RateRow("EXEMPTOUTPUT", "GST Free Income", Decimal(0), "LR", "EXEMPTOUTPUT"),
        RateRow("EXEMPTEXPENSES", "GST Free Expenses", Decimal(0), "AEL", "EXEMPTEXPENSES"),
        RateRow("BASEXCLUDED", "BAS Excluded", Decimal(0), "AQELR", "BASEXCLUDED"),
        RateRow("EXEMPTEXPORT", "GST Free Exports", Decimal(0), "LR", "EXEMPTOUTPUT"),
        RateRow("INPUTTAXED", "Input Taxed", Decimal(0), "LR", "INPUTTAXED"),
        RateRow("CAPEXINPUT", "GST on Capital", Decimal(10), "A", "INPUT"),
        RateRow("EXEMPTCAPITAL", "GST Free Capital", Decimal(0), "A", "EXEMPTEXPENSES"),
        RateRow("GSTONIMPORTS", "GST on Imports", Decimal(0), "L", "GSTONIMPORTS"),
    ),
    taxes={
        "output": "OUTPUT",
        "input": "INPUT",
        "zero": "EXEMPTEXPORT",
        "none": "BASEXCLUDED",
    },
    retired={"NONE": "BASEXCLUDED", "EXEMPTINPUT": "EXEMPTEXPENSES"},
)

CURRENCY_NAMES = {
    "NZD": "New Zealand Dollar",
    "AUD": "Australian Dollar",
    "USD": "United States Dollar",
    "GBP": "British Pound",
    "EUR": "Euro",
    "SGD": "Singapore Dollar",
}
# A day rate against either base, where a document in a foreign currency brings none.
DAY_RATES = {
    "NZD": Decimal("1.094500"),
    "AUD": Decimal("0.913700"),
    "USD": Decimal("0.598200"),
    "GBP": Decimal("0.449100"),
    "EUR": Decimal("0.519300"),
    "SGD": Decimal("0.778800"),
}
