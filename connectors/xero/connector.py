"""Xero's connector: each capability is a module of its own."""

from collections.abc import Iterator, Sequence
from typing import Self

from connectors.base.documents import (
    Allocation,
    Attachment,
    Changes,
    Codes,
    CompanyFile,
    Contact,
    CreditNote,
    Job,
    Key,
    ListedContact,
    SalesInvoice,
    Voiding,
)
from connectors.base.protocol import Connection, Found, Outcome
from connectors.xero import codes, followups, organisations, payments, sales, voiding
from connectors.xero import contacts as contact_list
from connectors.xero import jobs as job_options
from connectors.xero.books import Books
from connectors.xero.sales import CREDIT_NOTES, INVOICES


class Xero:
    """One organisation in Xero."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._books = Books(connection)

    @classmethod
    def open(cls, connection: Connection) -> Self:
        """A connector ready to call. Opens no socket yet."""
        return cls(connection)

    def close(self) -> None:
        """Let go of the sessions."""
        self._books.close()

    def list_company_files(self) -> list[CompanyFile]:
        """Every organisation the sign-in reaches; works before one is chosen."""
        return organisations.listed(self._books, self._connection)

    def disconnect(self, connection_id: str) -> bool:
        """End the connection to one organisation; True when it was the sign-in's last."""
        return organisations.disconnect(self._books, connection_id)

    def read_codes(self) -> Codes:
        """Accounts, tax rates, currencies, lock date, and facts for later."""
        return codes.read(self._books)

    def find_contacts(self, contacts: Sequence[Contact]) -> dict[Key, Found]:
        """By contact number, then name; or by name alone, as the interface matches."""
        return contact_list.find(self._books, contacts)

    def post_contacts(self, contacts: Sequence[Contact], *, call_key: str) -> list[Outcome]:
        """Create contacts; a name that is taken is linked or left to a person."""
        return contact_list.post(self._books, contacts, call_key=call_key)

    def list_contacts(self) -> Iterator[ListedContact]:
        """Every contact of the organisation, page by page."""
        return contact_list.listed(self._books)

    def update_contacts(self, contacts: Sequence[Contact], *, call_key: str) -> list[Outcome]:
        """Bring linked contacts up to date."""
        return contact_list.update(self._books, contacts, call_key=call_key)

    def find_jobs(self, jobs: Sequence[Job]) -> dict[Key, Found]:
        """Jobs that are options of the tracking category."""
        return job_options.find(self._books, jobs)

    def post_jobs(self, jobs: Sequence[Job], *, call_key: str) -> list[Outcome]:
        """Add jobs as options of the tracking category."""
        return job_options.post(self._books, jobs, call_key=call_key)

    def find_invoices(self, invoices: Sequence[SalesInvoice]) -> dict[Key, Found]:
        """By invoice number; ours when contact, currency, total and date agree."""
        return sales.find(self._books, INVOICES, invoices)

    def post_invoices(self, invoices: Sequence[SalesInvoice], *, call_key: str) -> list[Outcome]:
        """Create invoices; a number that is taken is looked up before it is refused."""
        return sales.post(self._books, INVOICES, invoices, call_key=call_key)

    def find_credit_notes(self, notes: Sequence[CreditNote]) -> dict[Key, Found]:
        """As invoices."""
        return sales.find(self._books, CREDIT_NOTES, notes)

    def look_at(self, document: SalesInvoice, remote_id: str) -> Found | None:
        """The invoice or credit note of that id, and whether it is this one."""
        sort = CREDIT_NOTES if isinstance(document, CreditNote) else INVOICES
        return sales.look_at(self._books, sort, document, remote_id)

    def post_credit_notes(self, notes: Sequence[CreditNote], *, call_key: str) -> list[Outcome]:
        """As invoices."""
        return sales.post(self._books, CREDIT_NOTES, notes, call_key=call_key)

    def find_allocations(self, allocations: Sequence[Allocation]) -> dict[Key, Found]:
        """Credits already set against the invoice."""
        return followups.find_allocations(self._books, allocations)

    def post_allocations(
        self, allocations: Sequence[Allocation], *, call_key: str
    ) -> list[Outcome]:
        """Set a credit against its invoice, unless that is done already."""
        return followups.post_allocations(self._books, allocations, call_key=call_key)

    def find_attachments(self, attachments: Sequence[Attachment]) -> dict[Key, Found]:
        """PDFs already on their document."""
        return followups.find_attachments(self._books, attachments)

    def post_attachments(
        self, attachments: Sequence[Attachment], *, call_key: str
    ) -> list[Outcome]:
        """Hang the PDF on its document; the same name replaces."""
        return followups.post_attachments(self._books, attachments, call_key=call_key)

    def find_voided(self, documents: Sequence[Voiding]) -> dict[Key, Found]:
        """Invoices and credit notes that are voided, or deleted, there."""
        return voiding.find(self._books, documents)

    def void(self, documents: Sequence[Voiding], *, call_key: str) -> list[Outcome]:
        """Void what is approved, delete what is not, unless that is done already."""
        return voiding.void(self._books, documents, call_key=call_key)

    def read_changes(self, since: str) -> Changes:
        """Payments and document states since the mark."""
        return payments.read(self._books, since)
