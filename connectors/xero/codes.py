"""What the organisation says of itself: accounts, tax rates, currencies, lock dates."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.base.documents import Account, Codes, Tax
from connectors.base.errors import RetryLater
from connectors.xero.books import Books
from connectors.xero.creating import Record
from connectors.xero.mapping import Preferences
from connectors.xero.wire import LABEL, day, records, remote_id, text

# The tax rate's flag for each class of account.
APPLIES = {
    "ASSET": "CanApplyToAssets",
    "EQUITY": "CanApplyToEquity",
    "EXPENSE": "CanApplyToExpenses",
    "LIABILITY": "CanApplyToLiabilities",
    "REVENUE": "CanApplyToRevenue",
}
# What people call Xero's types of account; its own pages do too.
KINDS = {
    "BANK": "Bank",
    "CURRENT": "Current asset",
    "CURRLIAB": "Current liability",
    "DEPRECIATN": "Depreciation",
    "DIRECTCOSTS": "Direct costs",
    "EQUITY": "Equity",
    "EXPENSE": "Expense",
    "FIXED": "Fixed asset",
    "INVENTORY": "Inventory",
    "LIABILITY": "Liability",
    "NONCURRENT": "Non-current asset",
    "OTHERINCOME": "Other income",
    "OVERHEADS": "Overheads",
    "PAYG": "PAYG withholding",
    "PAYGLIABILITY": "PAYG liability",
    "PREPAYMENT": "Prepayment",
    "REVENUE": "Revenue",
    "SALES": "Sales",
    "SUPERANNUATIONEXPENSE": "Superannuation expense",
    "SUPERANNUATIONLIABILITY": "Superannuation liability",
    "TERMLIAB": "Non-current liability",
    "WAGESEXPENSE": "Wages expense",
}
# Of system accounts only the one for cents of rounding may be used.
USED_ON_LINES = frozenset({"", "ROUNDING"})
# Costs charged on may sit on an expense account, which takes the tax codes of expenses.
SALES_FLAGS = ("CanApplyToRevenue", "CanApplyToExpenses")


def read(books: Books) -> Codes:
    """Accounts and tax codes, archived ones marked, and the facts needed later."""
    about = organisation(books)
    rates = _list(books, "/TaxRates", "TaxRates")
    taxes = [_tax(one) for one in rates if text(one, "TaxType")]
    active = [one for one in rates if text(one, "Status") == "ACTIVE"]
    accounts = [_account(one, active) for one in _list(books, "/Accounts", "Accounts")]
    currencies = [text(one, "Code") for one in _list(books, "/Currencies", "Currencies")]
    locks = {
        name: day(about.get(field))
        for name, field in (("period", "PeriodLockDate"), ("year", "EndOfYearLockDate"))
    }
    return Codes(
        accounts=tuple(accounts),
        taxes=tuple(taxes),
        currencies=tuple(one for one in currencies if one),
        lock_date=max((date for date in locks.values() if date), default=None),
        facts={
            **facts_of(about),
            **_may(books),
            **_tracking(books),
            **{f"{name}_lock_date": date.isoformat() for name, date in locks.items() if date},
        },
    )


def _may(books: Books) -> dict[str, str]:
    """Whether whoever signed in may approve invoices; nothing where Xero does not say."""
    answer: Any = books.http.read("/Organisation/Actions")
    listed = records(answer.get("Actions")) if isinstance(answer, Mapping) else []
    actions = {text(one, "Name"): text(one, "Status") for one in listed}
    approve = actions.get("CreateApprovedInvoice", "")
    return {"may_approve": "no" if approve == "NOT-ALLOWED" else "yes"} if approve else {}


def _tracking(books: Books) -> dict[str, str]:
    """How many options the category that carries jobs has in use; empty where there is none."""
    wanted = Preferences.of(books.settings).tracking
    if not wanted:
        return {}
    there = [
        one
        for one in _list(books, "/TrackingCategories", "TrackingCategories")
        if text(one, "Name").casefold() == wanted.casefold() and text(one, "Status") == "ACTIVE"
    ]
    options = records(there[0].get("Options")) if there else []
    used = sum(text(one, "Status") in {"", "ACTIVE"} for one in options)
    return {"tracking_category": wanted, "tracking_options": str(used) if there else ""}


def organisation(books: Books) -> Record:
    """What Xero says of the organisation."""
    found = _list(books, "/Organisation", "Organisations")
    if not found:
        raise RetryLater(f"{LABEL} said nothing of the organisation.")
    return found[0]


def facts_of(about: Record) -> dict[str, str]:
    """What is worth keeping of an organisation; texts only."""
    named = {
        "name": "Name",
        "short_code": "ShortCode",
        "currency": "BaseCurrency",
        "country": "CountryCode",
        "version": "Version",
        "edition": "Edition",
        "timezone": "Timezone",
    }
    return {ours: text(about, theirs) for ours, theirs in named.items()}


def _account(record: Record, rates: Iterable[Record]) -> Account:
    flag = APPLIES.get(text(record, "Class"), "")
    usable = text(record, "SystemAccount") in USED_ON_LINES and text(record, "Type") != "BANK"
    allowed = tuple(text(rate, "TaxType") for rate in rates if rate.get(flag) is True)
    return Account(
        code=text(record, "Code"),
        name=text(record, "Name"),
        kind=KINDS.get(text(record, "Type"), text(record, "Type").capitalize()),
        remote_id=remote_id(record, "AccountID"),
        default_tax_code=text(record, "TaxType"),
        active=text(record, "Status") == "ACTIVE",
        usable_for_sales=usable,
        allowed_tax_codes=allowed if flag else None,
    )


def _tax(record: Record) -> Tax:
    rate = record.get("EffectiveRate", record.get("DisplayTaxRate"))
    return Tax(
        code=text(record, "TaxType"),
        name=text(record, "Name"),
        rate=Decimal(rate) if isinstance(rate, int | Decimal) else Decimal(0),
        active=text(record, "Status") == "ACTIVE",
        usable_for_sales=any(record.get(flag) is True for flag in SALES_FLAGS),
    )


def _list(books: Books, path: str, plural: str) -> Sequence[Record]:
    answer: Any = books.http.read(path)
    if not isinstance(answer, Mapping) or not isinstance(answer.get(plural), list):
        raise RetryLater(f"{LABEL} gave an answer that cannot be read.")
    return records(answer[plural])
