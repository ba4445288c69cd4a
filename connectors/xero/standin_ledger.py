"""The books of one rehearsal organisation, and what a test or the demo may arrange in them."""

import threading
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from connectors.xero.standin_answers import rounded
from connectors.xero.standin_charts import CHART, CLASSES, NEW_ZEALAND, Country

T = TypeVar("T")

INVOICE = "ACCREC"
CREDIT_NOTE = "ACCRECCREDIT"
# What a document is once it has been approved.
APPROVED = ("AUTHORISED", "PAID", "VOIDED")
# Of the system accounts only this one may be used on a line, to reconcile cents.
ROUNDING = "ROUNDING"
CLASS_LETTERS = {"ASSET": "A", "EQUITY": "Q", "EXPENSE": "E", "LIABILITY": "L", "REVENUE": "R"}


def new_id() -> str:
    """A fresh identifier."""
    return str(uuid4())


@dataclass
class Account:
    """An account. A bank account may have no code."""

    id: str
    code: str
    name: str
    type: str
    tax_type: str
    status: str
    system: str
    updated_at: datetime

    @property
    def account_class(self) -> str:
        return CLASSES[self.type]

    @property
    def usable_on_lines(self) -> bool:
        return self.type != "BANK" and self.system in ("", ROUNDING)


@dataclass
class TaxRate:
    """A tax rate; `classes` are the letters of the account classes it may be used with."""

    code: str
    name: str
    rate: Decimal
    classes: str
    report: str
    status: str = "ACTIVE"

    def suits(self, account: Account) -> bool:
        return CLASS_LETTERS[account.account_class] in self.classes


@dataclass
class Contact:
    """A contact. `details` are the rest of its fields as they were written."""

    id: str
    name: str
    number: str
    updated_at: datetime
    status: str = "ACTIVE"
    merged_to: str = ""
    is_customer: bool = False
    details: dict[str, Any] = field(default_factory=dict)


@dataclass
class TrackingOption:
    """One option, such as a job."""

    id: str
    name: str
    status: str = "ACTIVE"


@dataclass
class TrackingCategory:
    """A tracking category with its options."""

    id: str
    name: str
    options: list[TrackingOption] = field(default_factory=list)
    status: str = "ACTIVE"


@dataclass
class Line:
    """A line as Xero has worked it out. A text line has a description alone."""

    id: str
    description: str
    quantity: Decimal | None = None
    unit_amount: Decimal | None = None
    account: Account | None = None
    tax_type: str = ""
    amount: Decimal = Decimal("0.00")
    tax: Decimal = Decimal("0.00")
    discount_rate: Decimal | None = None
    discount: Decimal | None = None
    tracking: list[tuple[TrackingCategory, TrackingOption]] = field(default_factory=list)


@dataclass
class Attachment:
    """A file on a document."""

    id: str
    name: str
    mime_type: str
    content: bytes
    online: bool


@dataclass
class Note:
    """A line of a document's history."""

    at: datetime
    changes: str
    details: str
    user: str = "System Generated"


@dataclass
class Document:
    """A sales invoice or a sales credit note; its amounts are positive either way."""

    id: str
    type: str
    number: str
    contact: Contact
    issued: date
    updated_at: datetime
    currency: str
    rate: Decimal = Decimal("1.000000")
    due: date | None = None
    reference: str = ""
    status: str = "DRAFT"
    basis: str = "Exclusive"
    lines: list[Line] = field(default_factory=list)
    sub_total: Decimal = Decimal("0.00")
    total_tax: Decimal = Decimal("0.00")
    total: Decimal = Decimal("0.00")
    sent: bool = False
    url: str = ""
    branding_theme: str = ""
    by_app: bool = False
    payments: list["Payment"] = field(default_factory=list)
    allocations: list["Allocation"] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    history: list[Note] = field(default_factory=list)

    @property
    def is_credit_note(self) -> bool:
        return self.type == CREDIT_NOTE

    @property
    def paid(self) -> Decimal:
        live = (one.amount for one in self.payments if one.status == "AUTHORISED")
        return sum(live, Decimal("0.00"))

    @property
    def credited(self) -> Decimal:
        """What credit notes took off an invoice, or what a credit note has given away."""
        return sum((one.amount for one in self.allocations), Decimal("0.00"))

    @property
    def open_amount(self) -> Decimal:
        """What is left to pay of an invoice, or to give of a credit note."""
        return self.total - self.paid - self.credited

    @property
    def is_touched(self) -> bool:
        """Whether a payment or a credit stands against it."""
        return bool(self.paid or self.credited)


@dataclass
class Payment:
    """Money received for an invoice. Deleting it leaves it in the list."""

    id: str
    document: Document
    paid_on: date
    amount: Decimal
    account: Account
    updated_at: datetime
    reference: str = ""
    status: str = "AUTHORISED"


@dataclass
class Allocation:
    """A part of a credit note set against an invoice."""

    id: str
    credit_note: Document
    invoice: Document
    made_on: date
    amount: Decimal


class Organisation:
    """One organisation's books. Its methods do what people do inside Xero."""

    def __init__(
        self,
        name: str,
        *,
        country: Country = NEW_ZEALAND,
        currencies: Iterable[str] = (),
        is_demo: bool = True,
    ) -> None:
        """Books with a chart of accounts and nothing written in them yet.

        Identifiers come from the names, so that a restarted rehearsal is still the same company.
        """
        self.name = name
        self.country = country
        self.is_demo = is_demo
        self.tenant_id = _id_of(name)
        self.lock = threading.RLock()
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.opened_at = datetime(2019, 4, 1, tzinfo=UTC)
        self.period_lock_date: date | None = None
        self.year_lock_date: date | None = None
        # How many sales invoices of one month its plan lets it approve; None where it has no bound.
        self.plan_limit: int | None = None
        # ACTIVE while it can be reached at all.
        self.status = "ACTIVE"
        # BUSINESS, or PARTNER, which accountants sell and which has no invoicing.
        self.edition = "BUSINESS"
        # What the person who signed in may not do, by Xero's names of the actions.
        self.forbidden = {"ApproveTransactionsBeforePeriodLockDate"}
        # Xero calls credit note numbers unique; at least one integrator found that it is not so.
        # The rehearsal takes the worse case: nothing there stops a second copy of ours.
        self.credit_note_numbers_are_unique = False
        # The most options a category may have: Xero advises about a hundred, its bound is unknown.
        self.option_limit = 100
        self.currencies = [country.currency, *currencies]
        self.accounts: list[Account] = []
        self.tax_rates = [
            TaxRate(row.code, row.name, row.rate, row.classes, row.report, row.status)
            for row in country.rates
        ]
        self.contacts: list[Contact] = []
        self.invoices: list[Document] = []
        self.credit_notes: list[Document] = []
        self.payments: list[Payment] = []
        self.tracking_categories = [TrackingCategory(_id_of(name, "Job"), "Job")]
        self.branding_themes = [(_id_of(name, "Standard"), "Standard")]
        self.next_number = 1
        for row in CHART:
            self.add_account(
                row.code,
                row.name,
                type=row.type,
                tax_type=country.taxes[row.tax],
                system=row.system,
                status="ARCHIVED" if row.archived else "ACTIVE",
            ).updated_at = self.opened_at

    # Reading

    @property
    def currency(self) -> str:
        """Its base currency."""
        return self.country.currency

    @property
    def today(self) -> date:
        """Today where the organisation is."""
        return self.clock().astimezone(ZoneInfo(self.country.zone)).date()

    def documents(self, type: str) -> list[Document]:
        """Its invoices or its credit notes."""
        return self.credit_notes if type == CREDIT_NOTE else self.invoices

    def account(self, code: str) -> Account:
        """The account of that code. Raises KeyError."""
        return _only([one for one in self.accounts if one.code == code], "account", code)

    def tax_rate(self, code: str) -> TaxRate | None:
        """The tax rate of that code."""
        return next((one for one in self.tax_rates if one.code == code), None)

    def contact(self, name: str) -> Contact:
        """The active contact of that name, or the archived one. Raises KeyError."""
        found = [one for one in self.contacts if fold(one.name) == fold(name)]
        return _only(sorted(found, key=lambda one: one.status), "contact", name)

    def invoice(self, number: str) -> Document:
        """The invoice of that number. Raises KeyError."""
        return _only([one for one in self.invoices if one.number == number], "invoice", number)

    def credit_note(self, number: str) -> Document:
        """The credit note of that number. Raises KeyError."""
        found = [one for one in self.credit_notes if one.number == number]
        return _only(found, "credit note", number)

    def locked(self, day: date) -> tuple[str, date] | None:
        """Which lock date the day falls on or before, and that date."""
        if self.year_lock_date and day <= self.year_lock_date:
            return "end of year", self.year_lock_date
        if self.period_lock_date and day <= self.period_lock_date:
            return "period", self.period_lock_date
        return None

    def approved_in_month(self, day: date) -> int:
        """How many sales invoices dated in that month were ever approved, voided ones included."""
        month = (day.year, day.month)
        return sum(
            one.status in APPROVED and (one.issued.year, one.issued.month) == month
            for one in self.invoices
        )

    # Arranging: the chart

    def add_account(
        self,
        code: str,
        name: str,
        *,
        type: str = "REVENUE",
        tax_type: str | None = None,
        system: str = "",
        status: str = "ACTIVE",
    ) -> Account:
        """A new account; its tax defaults to the one for income."""
        tax_type = self.country.taxes["output"] if tax_type is None else tax_type
        account = Account(
            _id_of(self.name, code or name), code, name, type, tax_type, status, system, self.now()
        )
        with self.lock:
            if code and any(one.code == code for one in self.accounts):
                raise ValueError(f"{self.name} has an account {code} already.")
            self.accounts.append(account)
        return account

    def archive_account(self, code: str) -> Account:
        """Archive an account, as the bookkeeper would."""
        with self.lock:
            account = self.account(code)
            account.status, account.updated_at = "ARCHIVED", self.now()
        return account

    def add_tax_rate(self, code: str, name: str, rate: Decimal, classes: str = "LR") -> TaxRate:
        """A tax rate the organisation made for itself, such as TAX001."""
        made = TaxRate(code, name, rate, classes, "OUTPUT")
        with self.lock:
            self.tax_rates.append(made)
        return made

    def set_lock_date(self, day: date | None, *, end_of_year: bool = False) -> None:
        """Close the books up to and including the day."""
        with self.lock:
            if end_of_year:
                self.year_lock_date = day
            else:
                self.period_lock_date = day

    def add_tracking_option(self, name: str, *, category: str = "Job") -> TrackingOption:
        """A new option of a category."""
        with self.lock:
            found = [one for one in self.tracking_categories if one.name == category]
            option = TrackingOption(new_id(), name)
            _only(found, "tracking category", category).options.append(option)
        return option

    # Arranging: contacts

    def add_contact(
        self, *, name: str, number: str = "", archived: bool = False, **details: Any
    ) -> Contact:
        """A contact; `details` are further fields in Xero's words, such as EmailAddress."""
        status = "ARCHIVED" if archived else "ACTIVE"
        contact = Contact(new_id(), name, number, self.now(), status, details=details)
        with self.lock:
            self.contacts.append(contact)
        return contact

    def archive_contact(self, name: str) -> Contact:
        """Archive a contact."""
        with self.lock:
            contact = self.contact(name)
            contact.status, contact.updated_at = "ARCHIVED", self.now()
        return contact

    def merge_contacts(self, name: str, *, into: str) -> Contact:
        """Merge a contact into another: its documents move, it is archived and points there."""
        with self.lock:
            gone, kept = self.contact(name), self.contact(into)
            gone.status, gone.merged_to, gone.updated_at = "ARCHIVED", kept.id, self.now()
            for document in [*self.invoices, *self.credit_notes]:
                if document.contact is gone:
                    document.contact = kept
        return gone

    # Arranging: documents and money

    def add_invoice(
        self,
        number: str,
        contact: Contact | str,
        total: Decimal | str = "115.00",
        issued: date | None = None,
        *,
        due: date | None = None,
        status: str = "AUTHORISED",
        currency: str = "",
    ) -> Document:
        """An invoice typed in by somebody else; a contact given by name is made when absent."""
        return self._add_document(INVOICE, number, contact, total, issued, due, status, currency)

    def add_credit_note(
        self,
        number: str,
        contact: Contact | str,
        total: Decimal | str = "115.00",
        issued: date | None = None,
        *,
        status: str = "AUTHORISED",
        currency: str = "",
    ) -> Document:
        """A credit note typed in by somebody else."""
        return self._add_document(
            CREDIT_NOTE, number, contact, total, issued, None, status, currency
        )

    def pay_invoice(
        self, number: str, amount: Decimal | str, paid_on: date | None = None, reference: str = ""
    ) -> Payment:
        """Money comes in for an approved invoice; the last of it makes it PAID."""
        with self.lock:
            invoice, amount = self.invoice(number), Decimal(amount)
            if invoice.status != "AUTHORISED" or not 0 < amount <= invoice.open_amount:
                raise ValueError(f"{number} is {invoice.status} and {invoice.open_amount} is due.")
            bank = next(one for one in self.accounts if one.type == "BANK")
            payment = Payment(
                new_id(), invoice, paid_on or self.today, amount, bank, self.now(), reference
            )
            self.payments.append(payment)
            invoice.payments.append(payment)
            self.settle(invoice)
        return payment

    def delete_payment(self, payment_id: str) -> Payment:
        """Take a payment back; the invoice is open again."""
        with self.lock:
            payment = _only(
                [one for one in self.payments if one.id == payment_id], "payment", payment_id
            )
            payment.status, payment.updated_at = "DELETED", self.now()
            self.settle(payment.document)
        return payment

    def void_invoice(self, number: str) -> Document:
        """Void an approved invoice that nothing stands against."""
        with self.lock:
            invoice = self.invoice(number)
            if invoice.status != "AUTHORISED" or invoice.is_touched:
                raise ValueError(f"{number} cannot be voided.")
            invoice.status, invoice.updated_at = "VOIDED", self.now()
        return invoice

    # Used by the server as well

    def now(self) -> datetime:
        """The moment, by the rehearsal's clock."""
        return self.clock()

    def settle(self, document: Document) -> None:
        """Note a change of what stands against a document, and whether that is all of it."""
        document.updated_at = self.now()
        if document.status in ("AUTHORISED", "PAID"):
            document.status = "AUTHORISED" if document.open_amount else "PAID"

    def number_document(self, type: str) -> str:
        """The number Xero gives when none is sent."""
        letters = "CN" if type == CREDIT_NOTE else "INV"
        taken = {one.number for one in self.documents(type)}
        while f"{letters}-{self.next_number:04d}" in taken:
            self.next_number += 1
        return f"{letters}-{self.next_number:04d}"

    def _add_document(
        self,
        type: str,
        number: str,
        contact: Contact | str,
        total: Decimal | str,
        issued: date | None,
        due: date | None,
        status: str,
        currency: str,
    ) -> Document:
        with self.lock:
            if isinstance(contact, str):
                known = [one for one in self.contacts if fold(one.name) == fold(contact)]
                contact = known[0] if known else self.add_contact(name=contact)
            total, day = rounded(Decimal(total)), issued or self.today
            tax_type = self.country.taxes["output"]
            rate = self.tax_rate(tax_type)
            share = rate.rate if rate else Decimal(0)
            tax = rounded(total * share / (100 + share))
            line = Line(
                new_id(),
                "Professional services",
                Decimal(1),
                total,
                self.account("200"),
                tax_type,
                total,
                tax,
            )
            document = Document(
                id=new_id(),
                type=type,
                number=number,
                contact=contact,
                issued=day,
                due=due or (None if type == CREDIT_NOTE else day),
                updated_at=self.now(),
                currency=currency or self.currency,
                status=status,
                basis="Inclusive",
                lines=[line],
                sub_total=total - tax,
                total_tax=tax,
                total=total,
            )
            contact.is_customer = True
            self.documents(type).append(document)
        return document


@lru_cache(maxsize=100_000)
def fold(text: str) -> str:
    """Text as Xero compares it: case and accents do not count."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(one for one in parts if not unicodedata.combining(one)).casefold()


def usual_id(text: str) -> str:
    """An identifier in its usual spelling; empty where the text is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return ""


def _id_of(*names: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join(("https://xero.rehearsal.invalid", *names))))


def _only(found: list[T], what: str, name: str) -> T:
    if not found:
        raise KeyError(f"There is no {what} {name!r}.")
    return found[0]
