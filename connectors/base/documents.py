"""The neutral documents a connector is given: frozen, complete, and free of any package's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

# Our own name for a document at one interface. It never changes and is never shown as a number.
Key = str


class TaxBasis(StrEnum):
    """Whether unit prices hold the tax or not."""

    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"


class LineKind(StrEnum):
    """What a line charges for."""

    TIME = "time"
    DISBURSEMENT = "disbursement"


@dataclass(frozen=True, kw_only=True)
class Address:
    """A postal or street address; empty parts are empty strings."""

    attention: str = ""
    lines: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A practice's client, as the package should come to know it.

    `name` is already the name chosen by the interface's match rule; `number` is Abtrac's client ID.
    `remote_id` is the package's own id, filled in only to bring a linked contact up to date.
    """

    key: Key
    number: str
    name: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    tax_number: str = ""
    postal: Address = field(default_factory=Address)
    street: Address = field(default_factory=Address)
    remote_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job (project) of one client."""

    key: Key
    code: str
    description: str
    contact: Contact
    contact_id: str = ""


@dataclass(frozen=True, kw_only=True)
class InvoiceLine:
    """One line. `net` and `tax` are in the invoice's currency, two decimals, as Abtrac shows them.

    `tax_rate` is a percentage (15 means 15 %) as the package last listed it for `tax_code`.
    """

    description: str
    kind: LineKind
    quantity: Decimal
    unit_price: Decimal
    net: Decimal
    tax: Decimal
    account_code: str
    tax_code: str
    tax_rate: Decimal
    job_code: str = ""


@dataclass(frozen=True, kw_only=True)
class SalesInvoice:
    """A committed sales invoice.

    `contact_id` is the package's own id, filled in just before posting.
    """

    key: Key
    number: str
    reference: str
    contact: Contact
    contact_id: str
    issued: date
    due: date
    currency: str
    tax_basis: TaxBasis
    net: Decimal
    tax: Decimal
    total: Decimal
    lines: tuple[InvoiceLine, ...]
    order_number: str = ""
    claim_number: str = ""


@dataclass(frozen=True, kw_only=True)
class CreditNote(SalesInvoice):
    """A negative Abtrac invoice with every sign turned: its amounts are positive credits.

    `credits` is the number of the invoice it credits, or empty.
    """

    credits: str = ""


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """Sets part of a credit note against an invoice; both are named by the package's own ids."""

    key: Key
    credit_note_id: str
    invoice_id: str
    issued: date
    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A PDF to hang on a document that already exists in the package."""

    key: Key
    document_id: str
    of_credit_note: bool
    file_name: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Voiding:
    """Takes back a document that is in the package, named by the package's own id.

    `number` and `total` are what it must still have there; `total` as the package shows it.
    """

    key: Key
    document_id: str
    of_credit_note: bool
    number: str
    total: Decimal


@dataclass(frozen=True, kw_only=True)
class ListedContact:
    """A contact as the package lists it, whoever made it; `number` is empty where it has none."""

    remote_id: str
    number: str
    name: str
    email: str = ""
    archived: bool = False
    url: str = ""
    # What else is known of it; None where the list does not tell.
    details: Contact | None = None


@dataclass(frozen=True, kw_only=True)
class ImportFile:
    """A file that a person imports into the package; `name` is what it is called when saved."""

    name: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class CompanyFile:
    """A company file (Xero: organisation) the signed-in person can reach."""

    id: str
    name: str
    country: str = ""
    currency: str = ""
    connection_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account (GL) code as the package lists it; `kind` is its type in words people read."""

    code: str
    name: str
    kind: str
    remote_id: str = ""
    default_tax_code: str = ""
    active: bool = True
    usable_for_sales: bool = True
    # Tax codes the package takes with this account; None where it says nothing.
    allowed_tax_codes: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Tax:
    """A tax code as the package lists it; `rate` is a percentage."""

    code: str
    name: str
    rate: Decimal
    active: bool = True
    usable_for_sales: bool = True


@dataclass(frozen=True, kw_only=True)
class Codes:
    """What a package says of its company file, read at one moment.

    `facts` is what the connector wants to be given back in `Connection.facts`: text only.
    """

    accounts: tuple[Account, ...]
    taxes: tuple[Tax, ...]
    currencies: tuple[str, ...] = ()
    lock_date: date | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Payment:
    """Money received against a document; `reversed` ones were deleted in the package."""

    remote_id: str
    document_id: str
    number: str
    paid_on: date
    amount: Decimal
    reference: str = ""
    reversed: bool = False


@dataclass(frozen=True, kw_only=True)
class DocumentChange:
    """Where a document of ours stands in the package now."""

    remote_id: str
    number: str
    status: str
    total: Decimal
    paid: Decimal
    credited: Decimal
    due: Decimal
    of_credit_note: bool = False
    contact_id: str = ""
    contact_name: str = ""
    issued: date | None = None
    currency: str = ""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Payments and document changes since a mark, and the mark to ask from next time."""

    payments: tuple[Payment, ...]
    documents: tuple[DocumentChange, ...]
    mark: str


@dataclass(frozen=True, kw_only=True)
class Posted:
    """The package has the document. `total` is what it says, None where it says nothing."""

    key: Key
    remote_id: str
    number: str = ""
    url: str = ""
    total: Decimal | None = None
    tax: Decimal | None = None
    warnings: tuple[str, ...] = ()
    # A call that was to create it found that it was there before.
    adopted: bool = False
    # Of a document that was taken back: the package's own word for how it stands now.
    status: str = ""


# How packages say that a document stands no more.
TAKEN_BACK = frozenset({"void", "voided", "deleted", "cancelled"})


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Something else, or several things, are where ours should be: a person decides.

    What is there is told as far as the package shows it; `status` in words people read.
    """

    key: Key
    message: str
    next_step: str = ""
    remote_id: str = ""
    number: str = ""
    contact_name: str = ""
    issued: date | None = None
    currency: str = ""
    total: Decimal | None = None
    status: str = ""
    url: str = ""

    @property
    def is_taken_back(self) -> bool:
        """Whether it stands no more: nothing of ours is that document."""
        return self.status.casefold() in TAKEN_BACK
