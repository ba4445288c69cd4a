"""Keeper's connector: twenty a call, each call under a key whose answer Keeper repeats.

Nothing is looked for before it is created: a repeat of the same bytes under the same key does
nothing, which is what the lane relies on.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote, urlencode

from connectors.base.documents import Codes, Contact, CreditNote, Job, Key, SalesInvoice
from connectors.base.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater
from connectors.base.http import Answer, Http
from connectors.base.protocol import Connection, Found, Outcome
from tests.packages import words
from tests.packages.words import Record, text

LABEL = "Keeper"
# What one look-up may ask for.
MOST_ASKED = 20


class Keeper:
    """One company file in Keeper."""

    def __init__(self, connection: Connection) -> None:
        self._http = Http(
            f"{connection.endpoints['api']}/v1",
            connection,
            explain,
            label=LABEL,
            headers={"Company-File": connection.company_file},
            key_header="Request-Id",
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
        listed = self._listed("/contacts", "reference", [one.key for one in contacts])
        wanted = {one.key: one.key for one in contacts}
        return words.found_by(wanted, listed, name="reference", label=LABEL)

    def post_contacts(self, contacts: Sequence[Contact], *, call_key: str) -> list[Outcome]:
        """Create them in one call."""
        return self._post("/contacts", contacts, "name", call_key=call_key)

    def find_jobs(self, jobs: Sequence[Job]) -> dict[Key, Found]:
        """By code."""
        listed = self._listed("/jobs", "code", [one.code for one in jobs])
        wanted = {one.key: one.code for one in jobs}
        return words.found_by(wanted, listed, name="code", label=LABEL)

    def post_jobs(self, jobs: Sequence[Job], *, call_key: str) -> list[Outcome]:
        """Create them in one call."""
        return self._post("/jobs", jobs, "code", call_key=call_key)

    def find_invoices(self, invoices: Sequence[SalesInvoice]) -> dict[Key, Found]:
        """By number; ours by our marker, or when contact, currency, total and date agree."""
        listed = self._listed("/invoices", "number", [one.number for one in invoices])
        return words.found_documents(invoices, listed, label=LABEL)

    def post_invoices(self, invoices: Sequence[SalesInvoice], *, call_key: str) -> list[Outcome]:
        """Create them in one call."""
        return self._post("/invoices", invoices, "number", call_key=call_key)

    def find_credit_notes(self, notes: Sequence[CreditNote]) -> dict[Key, Found]:
        """As invoices."""
        listed = self._listed("/credit-notes", "number", [one.number for one in notes])
        return words.found_documents(notes, listed, label=LABEL)

    def post_credit_notes(self, notes: Sequence[CreditNote], *, call_key: str) -> list[Outcome]:
        """As invoices."""
        return self._post("/credit-notes", notes, "number", call_key=call_key)

    def _listed(self, path: str, name: str, values: Sequence[str]) -> list[Record]:
        listed: list[Record] = []
        for start in range(0, len(values), MOST_ASKED):
            some = [(name, value) for value in values[start : start + MOST_ASKED]]
            answer = self._http.read(f"{path}?{urlencode(some, quote_via=quote)}")
            listed += words.listed(answer, label=LABEL)
        return listed

    def _post(
        self, path: str, things: Sequence[Any], known_by: str, *, call_key: str
    ) -> list[Outcome]:
        """One outcome each, in order; what we know to be refused does not go along."""
        outcomes: dict[Key, Outcome] = {}
        bodies: dict[Key, Mapping[str, Any]] = {}
        for one in things:
            try:
                bodies[one.key] = _body(one)
            except Rejected as error:
                outcomes[one.key] = error
        if bodies:
            items = list(bodies.values())
            answer = self._http.write("POST", path, {"items": items}, idempotency_key=call_key)
            results = words.records(answer, "results")
            if len(results) != len(items):
                raise OutcomeUnknown(f"{LABEL} did not answer for every document.")
            by_key = {one.key: one for one in things}
            for (key, body), result in zip(bodies.items(), results, strict=True):
                outcomes[key] = _outcome(by_key[key], body, result, known_by)
        return [outcomes[one.key] for one in things]


def _body(thing: SalesInvoice | Contact | Job) -> dict[str, Any]:
    if isinstance(thing, SalesInvoice):
        return words.to_invoice(thing, label=LABEL, memo=thing.reference)
    return (
        words.to_contact(thing, label=LABEL) if isinstance(thing, Contact) else words.to_job(thing)
    )


def _outcome(thing: Any, body: Mapping[str, Any], result: Record, known_by: str) -> Outcome:
    """What was said of it; an answer in another order than asked says nothing of anything."""
    if text(result, "status") == "error":
        return words.refused(result, thing, label=LABEL)
    is_it = text(result, "status") == "ok" and text(result, known_by) == body[known_by]
    if not is_it or not words.id_of(result):
        raise OutcomeUnknown(f"{LABEL} gave no id for {body[known_by]}.")
    return words.posted(thing.key, result, name=known_by)


def explain(answer: Answer) -> ConnectorError | None:
    """Keeper's refusals of a whole call."""
    body = answer.json_or_none()
    body = body if isinstance(body, dict) else {}
    code = text(body, "code")
    if answer.status == 503 and code == "busy":
        return RetryLater(f"{LABEL} is busy and did nothing.")
    # The first call under this key may have created it, or be about to.
    if (answer.status, code) in {(409, "in_progress"), (422, "request_id_reused")}:
        return OutcomeUnknown(f"{LABEL} says that an earlier call is in hand.")
    if answer.status in {400, 422}:
        message = text(body, "message") or f"{LABEL} refused the request."
        return Rejected(message, code=code, next_step=words.CORRECT_IT, words=message)
    return None
