"""What is known of a company file without asking it: what rules are asked of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, kw_only=True)
class KnownContact:
    """The contact a document would go to, as the package last listed it.

    `listed` is False where its list, read since the contact was linked, no longer has it: it was
    deleted there or merged into another. An empty `remote_id`: it is not linked yet; it is `new`
    where the list has none that it would be linked to, so that it would be created. `alike` counts
    active contacts of its name, of which a person has to say whether one is meant.
    """

    remote_id: str
    name: str = ""
    archived: bool = False
    listed: bool = True
    new: bool = False
    alike: int = 0


@dataclass(frozen=True, kw_only=True)
class NumberThere:
    """A document that has one of our numbers already, as the package last told of it.

    `ours` is the number of our own invoice that it stands for. Without a `remote_id` it is not
    there yet: it is an invoice of ours that goes before.
    """

    remote_id: str
    number: str
    contact_id: str = ""
    contact_name: str = ""
    issued: date | None = None
    currency: str = ""
    total: Decimal | None = None
    status: str = ""
    ours: str = ""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a company file without asking it.

    `contacts` are by the key of the document that goes to them, `numbers` by the key of the
    document whose number it is; `approved_in` counts by month (its first day) the sales invoices
    dated in it that were approved. `read_at` says, in words, when the package was last read, where
    that is long ago.
    """

    label: str
    company_file: str = ""
    number_length: int = 255
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    # Empty where the package says nothing of currencies.
    currencies: Sequence[str] = ()
    lock_date: date | None = None
    contacts: Mapping[str, KnownContact] = field(default_factory=dict)
    numbers: Mapping[str, NumberThere] = field(default_factory=dict)
    approved_in: Mapping[date, int] = field(default_factory=dict)
    read_at: str = ""
