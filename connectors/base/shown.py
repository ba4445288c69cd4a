"""A document as the package will show it, worked out before it is sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.base.documents import SalesInvoice


@dataclass(frozen=True, kw_only=True)
class ShownLine:
    """One line as it is sent. `lines` are ours that it stands for; amounts in the currency.

    A line that is only text has no amounts and no codes.
    """

    description: str
    lines: tuple[int, ...] = ()
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    amount: Decimal | None = None
    tax: Decimal | None = None
    account_code: str = ""
    tax_code: str = ""
    job_code: str = ""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The document as it is sent, and the totals the package will come to.

    `facts` are (label, value) of what else is sent, in the package's words and in its order;
    `notes` what is shortened or left out.
    """

    lines: tuple[ShownLine, ...]
    net: Decimal
    tax: Decimal
    total: Decimal
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


# The document and the interface's settings. Raises Rejected where it cannot be sent at all.
Show = Callable[[SalesInvoice, Mapping[str, Any]], Shown]
