"""Till: an invented package whose every answer a test can script.

It keeps what it is given in memory. A step of the script says how the next write goes; without
one it goes well. What a step does happens after the write was committed as being sent, as on a
real wire.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any, Self

from connectors.base.documents import (
    Allocation,
    Attachment,
    Conflict,
    Contact,
    CreditNote,
    Job,
    Key,
    Posted,
    SalesInvoice,
    Voiding,
)
from connectors.base.errors import NeedsReconnect, OutcomeUnknown, Rejected, RetryLater
from connectors.base.protocol import (
    Connection,
    Found,
    Limits,
    Outcome,
    Package,
    Setting,
    WireAnswer,
    WireRequest,
)

Step = Callable[[Callable[[], list[Outcome]]], list[Outcome]]


@dataclass
class Books:
    """What Till holds, and what it was asked."""

    kept: dict[Key, Any] = field(default_factory=dict)
    ids: dict[Key, str] = field(default_factory=dict)
    copies: list[Key] = field(default_factory=list)
    posts: list[list[Any]] = field(default_factory=list)
    call_keys: list[str] = field(default_factory=list)
    # The keys of the calls whose answer came all the way back.
    answered: list[str] = field(default_factory=list)
    looks: list[list[Any]] = field(default_factory=list)
    script: list[Step] = field(default_factory=list)
    look_script: list[Callable[[], None]] = field(default_factory=list)
    # How many calls it takes to look for so many, and what happens during each.
    calls_to_find: Callable[[int], int] = lambda documents: 1
    during_call: Callable[[], None] = lambda: None
    # Raised after a write was answered well: the trouble is with a further call of the same step.
    trouble_after: list[Exception] = field(default_factory=list)
    refusals: dict[str, Outcome | Callable[[Any], Outcome]] = field(default_factory=dict)
    answers: dict[Key, Found] = field(default_factory=dict)
    # What stands under an id, seen from a document of ours.
    shown: dict[str, Callable[[Any], Found | None]] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: count(1))

    def add(self, document: Any) -> Posted:
        """Keep it, as a new record each time unless it names the one it is."""
        self.kept[document.key] = document
        if getattr(document, "remote_id", ""):
            self.ids[document.key] = document.remote_id
            return self.posted(document)
        self.copies.append(document.key)
        self.ids[document.key] = f"till-{next(self.numbers)}"
        return self.posted(document)

    def write(self, documents: Sequence[Any], call_key: str) -> list[Outcome]:
        """Keep or refuse each of a call's documents."""
        return [self.answer(one) for one in documents]

    def answer(self, document: Any) -> Outcome:
        """Keep it, unless the test says that it is refused."""
        refusal = self.refusals.get(_name(document))
        if refusal is None:
            return self.add(document)
        return refusal(document) if callable(refusal) else refusal

    def find(self, documents: Sequence[Any]) -> dict[Key, Found]:
        """What there is of these documents, and what the test says there is."""
        found: dict[Key, Found] = {
            one.key: self.posted(one) for one in documents if one.key in self.kept
        }
        told = {one.key: self.answers[one.key] for one in documents if one.key in self.answers}
        return {**found, **told}

    def posted(self, document: Any) -> Posted:
        """What Till says of a document it has."""
        return Posted(
            key=document.key,
            remote_id=self.ids[document.key],
            number=getattr(document, "number", ""),
            url=f"https://till.example/{self.ids[document.key]}",
            total=getattr(document, "total", None),
        )

    def names(self, kind: type[Any]) -> list[str]:
        """Numbers, names or codes of what was posted of one kind, in order."""
        sent = [one for call in self.posts for one in call if type(one) is kind]
        return [_name(one) for one in sent]


def _name(document: Any) -> str:
    for word in ("number", "code", "key"):
        value = getattr(document, word, "")
        if value and not isinstance(document, Contact):
            return str(value)
    return str(document.name)


def lose_answer(write: Callable[[], list[Outcome]]) -> list[Outcome]:
    """It is written, and nobody is told."""
    write()
    raise OutcomeUnknown("Till did not answer in time.")


def lose_request(write: Callable[[], list[Outcome]]) -> list[Outcome]:
    """It is not written, and nobody is told."""
    raise OutcomeUnknown("Till did not answer in time.")


def failing(error: Exception) -> Step:
    """Nothing is written; the error is raised."""

    def step(write: Callable[[], list[Outcome]]) -> list[Outcome]:
        raise error

    return step


class TillConnector:
    """Everything an API package can do."""

    books: Books

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, connection: Connection) -> Self:
        return cls(connection)

    def close(self) -> None:
        return None

    def post_contacts(self, contacts: Sequence[Contact], *, call_key: str) -> list[Outcome]:
        return self._post(contacts, call_key)

    def find_contacts(self, contacts: Sequence[Contact]) -> dict[Key, Found]:
        return self._find(contacts)

    def update_contacts(self, contacts: Sequence[Contact], *, call_key: str) -> list[Outcome]:
        assert all(one.remote_id for one in contacts)
        return self._post(contacts, call_key)

    def post_jobs(self, jobs: Sequence[Job], *, call_key: str) -> list[Outcome]:
        return self._post(jobs, call_key)

    def find_jobs(self, jobs: Sequence[Job]) -> dict[Key, Found]:
        return self._find(jobs)

    def post_invoices(self, invoices: Sequence[SalesInvoice], *, call_key: str) -> list[Outcome]:
        assert all(one.contact_id for one in invoices)
        return self._post(invoices, call_key)

    def find_invoices(self, invoices: Sequence[SalesInvoice]) -> dict[Key, Found]:
        return self._find(invoices)

    def post_credit_notes(self, notes: Sequence[CreditNote], *, call_key: str) -> list[Outcome]:
        assert all(one.total > 0 for one in notes)
        return self._post(notes, call_key)

    def find_credit_notes(self, notes: Sequence[CreditNote]) -> dict[Key, Found]:
        return self._find(notes)

    def look_at(self, document: SalesInvoice, remote_id: str) -> Found | None:
        return self.books.shown.get(remote_id, lambda one: None)(document)

    def post_allocations(self, given: Sequence[Allocation], *, call_key: str) -> list[Outcome]:
        return self._post(given, call_key)

    def find_allocations(self, given: Sequence[Allocation]) -> dict[Key, Found]:
        return self._find(given)

    def post_attachments(self, given: Sequence[Attachment], *, call_key: str) -> list[Outcome]:
        return self._post(given, call_key)

    def find_attachments(self, given: Sequence[Attachment]) -> dict[Key, Found]:
        return self._find(given)

    def void(self, documents: Sequence[Voiding], *, call_key: str) -> list[Outcome]:
        return self._post(documents, call_key)

    def find_voided(self, documents: Sequence[Voiding]) -> dict[Key, Found]:
        return self._find(documents)

    def _post(self, documents: Sequence[Any], call_key: str) -> list[Outcome]:
        books = self.books
        self._connection.limiter.acquire()
        body = " ".join(one.key for one in documents).encode()
        self._connection.recorder.before_write(
            WireRequest(
                method="PUT",
                path="/documents",
                body=body,
                content_type="application/json",
                idempotency_key=call_key,
            )
        )
        books.posts.append(list(documents))
        books.call_keys.append(call_key)
        step = books.script.pop(0) if books.script else None

        def write() -> list[Outcome]:
            return books.write(documents, call_key)

        try:
            outcomes = step(write) if step else write()
        except OutcomeUnknown as error:
            self._connection.recorder.after_write(WireAnswer(status=0, body=b"", reason=str(error)))
            raise
        except (NeedsReconnect, Rejected, RetryLater):
            books.answered.append(call_key)
            raise
        self._connection.recorder.after_write(WireAnswer(status=200, body=b"kept"))
        if books.trouble_after:
            self._connection.limiter.acquire()
            raise books.trouble_after.pop(0)
        books.answered.append(call_key)
        return outcomes

    def _find(self, documents: Sequence[Any]) -> dict[Key, Found]:
        books = self.books
        books.looks.append(list(documents))
        if books.look_script:
            books.look_script.pop(0)()
        for _ in range(books.calls_to_find(len(documents))):
            self._connection.limiter.acquire()
            books.during_call()
        return books.find(documents)


def conflict(document: Any) -> Conflict:
    """Somebody else's document under our number."""
    return Conflict(
        key=document.key,
        message="Till already has that number: $9.00, Other Ltd.",
        next_step="Use another number.",
        remote_id="till-other",
        total=Decimal("9.00"),
    )


def refused(message: str = "Till does not take it.", **more: Any) -> Rejected:
    """A definite no."""
    return Rejected(message, **more)


PACKAGE = Package(
    key="till",
    label="Till",
    connector=TillConnector,
    settings=(
        Setting(key="match_contacts_by", label="Match clients by", default="number"),
        Setting(key="add_contacts", label="Add clients", kind="boolean", default=True),
        Setting(key="update_contacts", label="Update clients", kind="boolean", default=False),
        Setting(key="jobs", label="Jobs", default="none"),
    ),
    limits=Limits(per_call=10, read_timeout=1.0, number_length=20),
)
