"""Plain's connector: one document a call, known again by its number and our marker alone.

Nothing is looked for before it is created: the lane does that, as the package's limits ask.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from connectors.base.documents import Codes, Contact, CreditNote, Key, SalesInvoice
from connectors.base.errors import (
    ConnectorError,
    NeedsReconnect,
    OutcomeUnknown,
    Rejected,
    RetryLater,
)
from connectors.base.http import Answer, Http
from connectors.base.protocol import Connection, Found, Outcome
from tests.packages import words
from tests.packages.words import Record, text

LABEL = "Plain"
APP_KEY = "abtrac-link"
MEMO_LENGTH = 255


class ElementRefused(Rejected):
    """The document was refused; `error` is Plain's own record of why."""

    def __init__(self, error: Record) -> None:
        super().__init__(text(error, "message") or f"{LABEL} refused it.")
        self.error = error


class Plain:
    """One company file in Plain."""

    def __init__(self, connection: Connection) -> None:
        self._http = Http(
            f"{connection.endpoints['api']}/v1",
            connection,
            explain,
            label=LABEL,
            headers={"Company-File": connection.company_file, "App-Key": APP_KEY},
        )

    @classmethod
    def open(cls, connection: Connection) -> Self:
        """A connector ready to call. Opens no socket yet."""
        return cls(connection)

    def close(self) -> None:
        """Let go of the session."""
        self._http.close()

    def read_codes(self) -> Codes:
        """Accounts, tax codes and facts of the company file."""
        return words.codes(self._http.read("/codes"), label=LABEL)

    def find_contacts(self, contacts: Sequence[Contact]) -> dict[Key, Found]:
        """By our key, which is their reference."""
        listed = [hit for one in contacts for hit in self._listed("/contacts", reference=one.key)]
        wanted = {one.key: one.key for one in contacts}
        return words.found_by(wanted, listed, name="reference", label=LABEL)

    def post_contacts(self, contacts: Sequence[Contact], *, call_key: str) -> list[Outcome]:
        """Create the one given."""
        return [self._post("/contact", one, _contact) for one in contacts]

    def find_invoices(self, invoices: Sequence[SalesInvoice]) -> dict[Key, Found]:
        """By number; ours by our marker, or when contact, currency, total and date agree."""
        listed = [hit for one in invoices for hit in self._listed("/invoices", number=one.number)]
        return words.found_documents(invoices, listed, label=LABEL)

    def post_invoices(self, invoices: Sequence[SalesInvoice], *, call_key: str) -> list[Outcome]:
        """Create the one given."""
        return [self._post("/invoice", one, _document) for one in invoices]

    def find_credit_notes(self, notes: Sequence[CreditNote]) -> dict[Key, Found]:
        """As invoices."""
        listed = [hit for one in notes for hit in self._listed("/credit-notes", number=one.number)]
        return words.found_documents(notes, listed, label=LABEL)

    def post_credit_notes(self, notes: Sequence[CreditNote], *, call_key: str) -> list[Outcome]:
        """As invoices."""
        return [self._post("/credit-note", one, _document) for one in notes]

    def _listed(self, path: str, **which: Any) -> list[Record]:
        return words.listed(self._http.read(path, **which), label=LABEL)

    def _post(self, path: str, thing: Any, body_of: Any) -> Outcome:
        try:
            body: Mapping[str, Any] = body_of(thing)
            answer = self._http.write("POST", path, body)
        except ElementRefused as error:
            return words.refused(error.error, thing, label=LABEL)
        except Rejected as error:
            return error
        record = answer if isinstance(answer, dict) else {}
        if not words.id_of(record):
            raise OutcomeUnknown(f"{LABEL} gave no id for {thing.key}.")
        return words.posted(thing.key, record, name="number")


def _document(invoice: SalesInvoice) -> dict[str, Any]:
    memo = f"{invoice.key} {invoice.reference}".strip()[:MEMO_LENGTH]
    return words.to_invoice(invoice, label=LABEL, memo=memo)


def _contact(contact: Contact) -> dict[str, Any]:
    return words.to_contact(contact, label=LABEL)


def explain(answer: Answer) -> ConnectorError | None:
    """Plain's refusals; a 403 is a lost consent only where it says so."""
    body = answer.json_or_none()
    body = body if isinstance(body, dict) else {}
    if answer.status == 403 and text(body, "error") == "RateLimitError":
        return RetryLater(f"{LABEL} asks us to wait before more calls are made.", congested=True)
    if answer.status == 403:
        return NeedsReconnect(f"{LABEL} does not accept the saved sign-in any more. Connect again.")
    if answer.status == 400:
        errors = words.records(body, "errors")
        return ElementRefused(errors[0] if errors else {})
    return None
