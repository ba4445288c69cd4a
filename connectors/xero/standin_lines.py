"""The rehearsal's rules for lines: accounts, taxes, tracking, and Xero's own arithmetic."""

from dataclasses import dataclass
from decimal import Decimal

from connectors.xero.standin_answers import Shape, rounded
from connectors.xero.standin_ledger import (
    Account,
    Line,
    Organisation,
    TaxRate,
    TrackingCategory,
    TrackingOption,
    fold,
    new_id,
)
from connectors.xero.standin_posts import Fields, identifier, listing, nested, number, text

TRACKING_FIELDS: Fields = {
    "TrackingCategoryID": identifier,
    "TrackingOptionID": identifier,
    "Name": text,
    "Option": text,
}
LINE_FIELDS: Fields = {
    "LineItemID": identifier,
    "Description": text,
    "Quantity": number,
    "UnitAmount": number,
    "ItemCode": text,
    "AccountCode": text,
    "AccountID": identifier,
    "TaxType": text,
    "TaxAmount": number,
    "LineAmount": number,
    "DiscountRate": number,
    "DiscountAmount": number,
    "Tracking": listing(nested(TRACKING_FIELDS)),
}
DESCRIPTION_LENGTH = 4000
MOST_TRACKING = 2
LARGEST_LINE = Decimal("9999999999.99")
FOUR_DECIMALS = Decimal("0.0001")
HUNDRED = Decimal(100)
# A line of these alone is text.
TEXT_ONLY = {"LineItemID", "Description"}


@dataclass(frozen=True)
class Terms:
    """What a line must know of its document."""

    basis: str
    approving: bool
    is_credit_note: bool
    unit_decimals: int


def read_line(books: Organisation, sent: Shape, terms: Terms) -> tuple[Line, list[str]]:
    """The line as Xero works it out, and what is wrong with it."""
    problems: list[str] = []
    description = sent.get("Description", "")
    line = Line(sent.get("LineItemID") or new_id(), description)
    if not description.strip():
        problems.append("Description must be specified for a line item")
    if len(description) > DESCRIPTION_LENGTH:
        problems.append(f"Description exceeds the maximum length of {DESCRIPTION_LENGTH}")
    if set(sent) <= TEXT_ONLY:
        return line, problems
    if sent.get("ItemCode"):
        problems.append(f"Item code '{sent['ItemCode']}' is not valid")
    problems += _work_out(line, sent, terms)
    of_account = _set_account(books, line, sent, approving=terms.approving)
    of_tax = _set_tax(books, line, sent, terms)
    # A tax that only lacks because its account is refused is not named as well.
    problems += of_account + (of_tax if line.account or "TaxType" in sent else [])
    tracking = sent.get("Tracking", [])
    if len(tracking) > MOST_TRACKING:
        problems.append(f"A line item has at most {MOST_TRACKING} tracking categories")
    line.tracking = [found for each in tracking if (found := _tracking(books, each))]
    return line, problems


def _work_out(line: Line, sent: Shape, terms: Terms) -> list[str]:
    """Quantity to four decimals times unit amount to two, or four when asked for, to the cent."""
    problems = []
    quantity = rounded(sent.get("Quantity", Decimal(1)), FOUR_DECIMALS)
    step = FOUR_DECIMALS if terms.unit_decimals == 4 else Decimal("0.01")
    given = sent.get("LineAmount")
    if "UnitAmount" in sent:
        # Cut before it is multiplied, so that a rate of four decimals can drift by dollars.
        unit = rounded(sent["UnitAmount"], step)
    elif given is not None and quantity:
        unit = rounded(given / quantity, step)
    else:
        unit = Decimal("0.00")
    discount = Decimal(0)
    if "DiscountRate" in sent:
        discount = quantity * unit * sent["DiscountRate"] / HUNDRED
        line.discount_rate = sent["DiscountRate"]
    if "DiscountAmount" in sent:
        discount = line.discount = sent["DiscountAmount"]
    discounted = "DiscountRate" in sent or "DiscountAmount" in sent
    if discounted and terms.is_credit_note:
        problems.append("Discounts cannot be applied to credit notes")
    if "DiscountAmount" in sent and quantity * unit < 0:
        problems.append("A discount amount cannot be applied to a negative line item")
    line.quantity, line.unit_amount = quantity, unit
    line.amount = rounded(quantity * unit - discount)
    if given is not None and "UnitAmount" in sent and "Quantity" in sent and given != line.amount:
        problems.append(
            f"The line total {given} does not match the expected line total {line.amount}"
        )
    if abs(line.amount) > LARGEST_LINE:
        problems.append(f"The line total cannot exceed {LARGEST_LINE}")
    return problems


def _set_account(books: Organisation, line: Line, sent: Shape, *, approving: bool) -> list[str]:
    code, account_id = sent.get("AccountCode", ""), sent.get("AccountID")
    if not code and not account_id:
        return ["Account code must be specified"] if approving else []
    shown = code or account_id
    found: list[Account] = [
        one for one in books.accounts if (one.code == code if code else one.id == account_id)
    ]
    if found and found[0].status != "ACTIVE":
        return [f"Account code '{shown}' has been archived, or has been deleted"]
    if not found or not found[0].usable_on_lines:
        return [f"Account code '{shown}' is not a valid code for this document"]
    line.account = found[0]
    return []


def _set_tax(books: Organisation, line: Line, sent: Shape, terms: Terms) -> list[str]:
    """The tax: as sent, else the account's; worked out line by line unless it is given."""
    if terms.basis == "NoTax":
        line.tax_type = books.country.taxes["none"]
        return []
    code = sent.get("TaxType") or (line.account.tax_type if line.account else "")
    code = books.country.retired.get(code, code)
    if not code:
        return ["The TaxType field is mandatory"] if terms.approving else []
    rate = books.tax_rate(code)
    if rate is None or rate.status != "ACTIVE":
        return [
            f"The TaxType code '{code}' does not exist or cannot be used for this type of "
            "transaction"
        ]
    line.tax_type = code
    line.tax = rounded(sent["TaxAmount"]) if "TaxAmount" in sent else tax_of(line, rate, terms)
    if line.account is not None and not rate.suits(line.account):
        return [f"The TaxType code '{code}' cannot be used with account code '{line.account.code}'"]
    return []


def tax_of(line: Line, rate: TaxRate, terms: Terms) -> Decimal:
    """The tax of one line, to the cent; with the tax inside, its share of the line."""
    base = HUNDRED + rate.rate if terms.basis == "Inclusive" else HUNDRED
    return rounded(line.amount * rate.rate / base)


def _tracking(books: Organisation, sent: Shape) -> tuple[TrackingCategory, TrackingOption] | None:
    """What a tracking entry means; an unknown one is dropped without a word, as Xero does."""
    for category in books.tracking_categories:
        named = fold(category.name) == fold(sent.get("Name", ""))
        if category.status != "ACTIVE" or not (
            named or category.id == sent.get("TrackingCategoryID")
        ):
            continue
        for option in category.options:
            named = fold(option.name) == fold(sent.get("Option", ""))
            if option.status == "ACTIVE" and (named or option.id == sent.get("TrackingOptionID")):
                return category, option
    return None
