"""A Till of each kind that packages are of, in a time that the test moves.

Some keep the key of a call, some take a number once only, some must be looked into first. What
reaches one of them may take effect later than its answer is waited for, and be shown later still,
but never later than the package says it may (`Limits.settle`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any

from django.utils import timezone

from connectors.base.documents import Conflict, Key, Posted, SalesInvoice
from connectors.base.errors import NeedsReconnect, OutcomeUnknown, RetryLater
from connectors.base.protocol import Found, Outcome, Package
from tests.invoicing.uploads import till
from tests.invoicing.uploads.till import Books, Step

SETTLE = timedelta(seconds=120)
KEYS_KEPT = timedelta(minutes=15)
CENT = Decimal("0.01")


class Sort(Enum):
    """What a package does against doubles."""

    KEEPS_KEYS = "keeps keys"
    TAKES_A_NUMBER_ONCE = "takes a number once"
    MUST_BE_LOOKED_INTO = "must be looked into first"


def package_of(sort: Sort, *, per_call: int) -> Package:
    """Till as a package of that sort."""
    limits = replace(
        till.PACKAGE.limits,
        per_call=per_call,
        settle=SETTLE,
        keys_kept=KEYS_KEPT if sort is Sort.KEEPS_KEYS else timedelta(0),
        look_before_create=sort is Sort.MUST_BE_LOOKED_INTO,
    )
    return replace(till.PACKAGE, limits=limits)


@dataclass
class Time:
    """The time for all workers and the package; it stands still until it is moved."""

    now: datetime = field(default_factory=timezone.now)
    begun: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.now

    def monotonic(self) -> float:
        """Seconds since some moment, as `time.monotonic` answers."""
        return (self.now - self.begun).total_seconds()


@dataclass(frozen=True)
class _Coming:
    """A call that has reached the package and takes effect only then."""

    at: datetime
    documents: Sequence[Any]
    call_key: str


@dataclass
class Shop(Books):
    """The books of such a Till. `time` is moved with `wait_until` only, so that things arrive."""

    sort: Sort = Sort.KEEPS_KEYS
    time: Time = field(default_factory=Time)
    # Told of the documents and the call's key as a call arrives.
    arrives: Callable[[Sequence[Any], str], None] = lambda documents, call_key: None
    # Called when a write has had its effect, or not, and before anybody is told.
    on_the_wire: Callable[[], None] = lambda: None
    # When each document was last looked for, and an answer came.
    looked: dict[Key, datetime] = field(default_factory=dict)
    # Under our numbers, by somebody else: the package's id of each.
    typed_in: dict[str, str] = field(default_factory=dict)
    _coming: list[_Coming] = field(default_factory=list)
    _kept_calls: dict[str, tuple[datetime, list[Outcome]]] = field(default_factory=dict)
    _shown_from: dict[Key, datetime] = field(default_factory=dict)
    _totals: dict[Key, Decimal] = field(default_factory=dict)
    _is_in_step: bool = False
    _refuses_next: bool = False
    _miscounts_next: bool = False
    _created: list[tuple[Any, str]] = field(default_factory=list)
    _foreign: Any = field(default_factory=lambda: count(1))

    def wait_until(self, moment: datetime) -> None:
        """Let time pass; what was on its way within the package arrives."""
        self.time.now = max(self.time.now, moment)
        due = [one for one in self._coming if one.at <= self.time.now]
        self._coming = [one for one in self._coming if one not in due]
        for one in due:
            self._take(one.documents, one.call_key)

    def write(self, documents: Sequence[Any], call_key: str) -> list[Outcome]:
        """As a package of its sort does."""
        if not self._is_in_step:
            self.arrives(documents, call_key)
        if any(one.call_key == call_key for one in self._coming):
            raise OutcomeUnknown("Till is still at it.")
        return self._take(documents, call_key)

    def _take(self, documents: Sequence[Any], call_key: str) -> list[Outcome]:
        kept_at, outcomes = self._kept_calls.get(call_key, (None, []))
        if kept_at and kept_at + KEYS_KEPT > self.time.now:
            return outcomes
        outcomes = [self.answer(one) for one in documents]
        if self.sort is Sort.KEEPS_KEYS:
            self._kept_calls[call_key] = (self.time.now, outcomes)
        return outcomes

    def answer(self, document: Any) -> Outcome:
        """Keep it, unless something stands in its place."""
        if self._refuses_next:
            self._refuses_next = False
            return till.refused(next_step="Correct it.")
        if self._is_taken(document):
            return self._clash(document)
        if self.sort is Sort.TAKES_A_NUMBER_ONCE and self.has(document.key):
            return replace(self.posted(document), adopted=True)
        if self._miscounts_next and isinstance(document, SalesInvoice):
            self._miscounts_next = False
            self._totals[document.key] = document.total + CENT
        return self.add(document)

    def add(self, document: Any) -> Posted:
        """Keep it, and remember each copy."""
        posted = super().add(document)
        self._created.append((document, posted.remote_id))
        return posted

    def posted(self, document: Any) -> Posted:
        """What Till says of it, with the total it has there."""
        said = super().posted(document)
        return replace(said, total=self._totals.get(document.key, said.total))

    def find(self, documents: Sequence[Any]) -> dict[Key, Found]:
        """What is shown already, and what stands in the place of the others."""
        now = self.time.now
        self.looked |= {one.key: now for one in documents}
        found: dict[Key, Found] = {}
        for one in documents:
            if self.has(one.key):
                if self._shown_from.get(one.key, now) <= now:
                    found[one.key] = self.posted(one)
            elif self._is_taken(one):
                found[one.key] = self._clash(one)
        return found

    def has(self, key: Key) -> bool:
        """Whether it is there, shown or not."""
        return key in self.kept

    def may_get(self, key: Key) -> bool:
        """Whether it is on its way within the package."""
        return any(key == document.key for one in self._coming for document in one.documents)

    def type_in(self, number: str) -> None:
        """Somebody else enters a document under that number."""
        self.typed_in[number] = f"other-{next(self._foreign)}"

    def show_all(self) -> None:
        """Let a person look at each document by its id."""
        self.shown = {remote_id: self.posted for _, remote_id in self._created}
        self.shown |= dict.fromkeys(self.typed_in.values(), self._clash)

    def record(self, company_files: Mapping[str, str]) -> dict[str, Any]:
        """All invoices there, as a stand-in tells the checker; the file of each by its number."""
        ours = [
            (document.number, remote_id, document.key, self._totals.get(document.key))
            for document, remote_id in self._created
            if isinstance(document, SalesInvoice)
        ]
        others = [(number, remote_id, "", None) for number, remote_id in self.typed_in.items()]
        return {
            "created": [
                {
                    "company_file": company_files[number],
                    "kind": "invoice",
                    "id": remote_id,
                    "number": number,
                    "reference": key,
                    "total": total or (self.kept[key].total if key else None),
                }
                for number, remote_id, key, total in [*ours, *others]
            ]
        }

    def _is_taken(self, document: Any) -> bool:
        return isinstance(document, SalesInvoice) and document.number in self.typed_in

    def _clash(self, document: Any) -> Conflict:
        return replace(till.conflict(document), remote_id=self.typed_in[document.number])

    # How the next write goes; each is a step of the script.

    def goes_well(self, write: Callable[[], list[Outcome]]) -> list[Outcome]:
        """Nothing happens."""
        return write()

    def refuses_one(self, write: Callable[[], list[Outcome]]) -> list[Outcome]:
        """The first of the call's documents is refused."""
        self._refuses_next = True
        try:
            return write()
        finally:
            self._refuses_next = False

    def refuses_all(self, write: Callable[[], list[Outcome]]) -> list[Outcome]:
        """The call is refused as a whole, unless it is known already."""
        if self.call_keys[-1] in self._kept_calls:
            return write()
        raise till.refused(next_step="Correct it.")

    def miscounts(self, write: Callable[[], list[Outcome]]) -> list[Outcome]:
        """One total is a cent more there."""
        self._miscounts_next = True
        try:
            return write()
        finally:
            self._miscounts_next = False

    def takes_effect_later(self, write: Callable[[], list[Outcome]]) -> list[Outcome]:
        """Nobody is told, and it arrives at the last moment."""
        self._later()
        raise OutcomeUnknown("Till did not answer in time.")

    def shows_it_later(self, write: Callable[[], list[Outcome]]) -> list[Outcome]:
        """Nobody is told, and a look-up sees it at the last moment only."""
        before = set(self.kept)
        write()
        shown_from = self.time.now + SETTLE
        self._shown_from |= dict.fromkeys(self.kept.keys() - before, shown_from)
        raise OutcomeUnknown("Till did not answer in time.")

    def breaks_us(self, write: Callable[[], list[Outcome]]) -> list[Outcome]:
        """It is written, and our code fails on the answer."""
        write()
        raise ValueError("An answer nobody has thought of.")

    def breaks_us_and_takes_effect_later(self, write: Callable[[], list[Outcome]]) -> list[Outcome]:
        """Our code fails on an answer, and it arrives at the last moment."""
        self._later()
        raise ValueError("An answer nobody has thought of.")

    def is_in_trouble_after(self, write: Callable[[], list[Outcome]]) -> list[Outcome]:
        """It is written, and a further call of the same step is not executed."""
        self.trouble_after = [RetryLater("Till is not available.")]
        return write()

    def _later(self) -> None:
        documents, call_key = self.posts[-1], self.call_keys[-1]
        kept_at, _ = self._kept_calls.get(call_key, (None, []))
        # One that is known, or on its way, does nothing more.
        if kept_at or any(one.call_key == call_key for one in self._coming):
            return
        self._coming.append(_Coming(self.time.now + SETTLE, documents, call_key))

    def ways(self) -> dict[str, Step]:
        """Every way the next write may go, by its name."""
        return {name: self._wired(step) for name, step in self._steps().items()}

    def _wired(self, step: Step) -> Step:
        def wired(write: Callable[[], list[Outcome]]) -> list[Outcome]:
            self.arrives(self.posts[-1], self.call_keys[-1])
            self._is_in_step = True
            try:
                return step(write)
            finally:
                self._is_in_step = False
                self.on_the_wire()

        return wired

    def _steps(self) -> dict[str, Step]:
        return {
            "goes well": self.goes_well,
            "refuses one": self.refuses_one,
            "refuses all": self.refuses_all,
            "loses the answer": till.lose_answer,
            "loses the request": till.lose_request,
            "takes effect later": self.takes_effect_later,
            "shows it later": self.shows_it_later,
            "has too many calls": till.failing(
                RetryLater("Too many calls.", after=timedelta(minutes=1), congested=True)
            ),
            "is away": till.failing(RetryLater("Till is not available.")),
            "signs us out": till.failing(NeedsReconnect("Till has signed us out.")),
            "miscounts": self.miscounts,
            "breaks us": self.breaks_us,
            "breaks us and takes effect later": self.breaks_us_and_takes_effect_later,
            "is in trouble after": self.is_in_trouble_after,
        }


def ways_to_look() -> dict[str, Callable[[], None]]:
    """Every way the next look-up may go, by its name."""
    return {
        "goes well": lambda: None,
        "is away": _raising(RetryLater("Till is not available.")),
        "signs us out": _raising(NeedsReconnect("Till has signed us out.")),
        "breaks us": _raising(ValueError("An answer nobody has thought of.")),
    }


def _raising(error: Exception) -> Callable[[], None]:
    def step() -> None:
        raise error

    return step
