"""What a package refuses, as rules that are asked of what is known of a company file already.

Nothing here opens a connection. A package lists its rules in `Package.rules`; each is data: which
field, which length, which characters, which list. What a rule finds carries the code that the
package's own refusal for the same reason has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from connectors.base.documents import Account, SalesInvoice, Tax
from connectors.base.faults import Fault


@dataclass(frozen=True, kw_only=True)
class KnownContact:
    """The contact a document would go to, as the package last listed it.

    `listed` is False where its list, read since the contact was linked, no longer has it: it was
    deleted there or merged into another. An empty `remote_id`: it is not linked yet.
    """

    remote_id: str
    name: str = ""
    archived: bool = False
    listed: bool = True


@dataclass(frozen=True, kw_only=True)
class NumberThere:
    """A document that has one of our numbers in the package already, as it last told."""

    remote_id: str
    number: str
    contact_id: str = ""
    contact_name: str = ""
    issued: date | None = None
    currency: str = ""
    total: Decimal | None = None
    status: str = ""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a company file without asking it.

    `contacts` are by the key of the document that goes to them, `numbers` by the key of the
    document whose number it is; `approved_in` counts by month (its first day) the sales invoices
    dated in it that were sent approved.
    """

    label: str
    company_file: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    taxes: Mapping[str, Tax] = field(default_factory=dict)
    # Empty where the package says nothing of currencies.
    currencies: Sequence[str] = ()
    lock_date: date | None = None
    contacts: Mapping[str, KnownContact] = field(default_factory=dict)
    numbers: Mapping[str, NumberThere] = field(default_factory=dict)
    approved_in: Mapping[date, int] = field(default_factory=dict)


class Rule(Protocol):
    """One reason for which the package refuses documents, or takes them otherwise than meant."""

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """All that the rule finds wrong with the document."""
