"""What a package declares, what a connector is given, and what it can promise."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol, Self, runtime_checkable

from connectors.base.documents import (
    Allocation,
    Attachment,
    Changes,
    Codes,
    CompanyFile,
    Conflict,
    Contact,
    CreditNote,
    ImportFile,
    Job,
    Key,
    ListedContact,
    Posted,
    SalesInvoice,
    Voiding,
)
from connectors.base.errors import Rejected
from connectors.base.rules import USUAL, Rule
from connectors.base.shown import Show

Outcome = Posted | Rejected | Conflict
Found = Posted | Conflict


class Link(StrEnum):
    """How documents reach the package."""

    API = "api"
    DESKTOP = "desktop"
    FILE = "file"


class SetUpBy(StrEnum):
    """Who can set the link up."""

    ADMIN = "admin"
    SUPPORT = "support"


class Scope(StrEnum):
    """Whom a rate limit counts: one company file, or the whole app over all practices."""

    INTERFACE = "interface"
    PACKAGE = "package"


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """At most `calls` in any `per`; kept below the vendor's published bound."""

    name: str
    scope: Scope
    calls: int
    per: timedelta
    # With Scope.PACKAGE: packages that share an app key with the vendor share a bucket so named.
    bucket: str = ""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the package can take, by its documentation; the lane waits as long as this says."""

    per_call: int = 1
    concurrent: int = 1
    rates: tuple[RateLimit, ...] = ()
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    # How long after an unanswered write the package may still be working on it.
    settle: timedelta = timedelta(seconds=120)
    number_length: int = 255
    # Packages that keep no key and no unique number are asked before the first create.
    look_before_create: bool = False
    # How long the package answers a repeat of the same bytes under the same key as it answered
    # the first; an unanswered write is repeated so long. Zero: it is looked up.
    keys_kept: timedelta = timedelta(0)
    # How often what proved absent is sent again by itself; then a person decides.
    repeats: int = 3


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One preference of an interface; the settings form is made from these."""

    key: str
    label: str
    kind: str = "text"  # text, choice, boolean, integer, secret
    default: Any = ""
    choices: tuple[tuple[str, str], ...] = ()
    help: str = ""
    required: bool = False
    # Under which heading it stands among the preferences.
    group: str = "Documents"
    # Also required while the setting of that key is the choice of that value.
    required_with: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class OAuth2:
    """The authorization-code round trip; paths are joined to the named endpoint of the package."""

    authorize: tuple[str, str]
    token: tuple[str, str]
    revoke: tuple[str, str] | None
    scopes: tuple[str, ...]
    # How long a used refresh token may be tried again when its answer was lost.
    refresh_overlap: timedelta = timedelta(0)
    # After how long without use a sign-in ends by itself; None where the package names no end.
    lapses_after: timedelta | None = None
    pkce: bool = False


@dataclass(frozen=True, kw_only=True)
class WireRequest:
    """A write as it is about to leave: no header but the idempotency key is kept."""

    method: str
    path: str
    body: bytes
    content_type: str
    idempotency_key: str


@dataclass(frozen=True, kw_only=True)
class WireAnswer:
    """What came back, or `status` 0 and the reason when nothing readable did."""

    status: int
    body: bytes
    reason: str = ""


class TokenSource(Protocol):
    """Where an access token comes from; renewal is somebody else's lock and database."""

    def access_token(self) -> str:
        """A token believed valid. Raises NeedsReconnect, RetryLater."""

    def renew(self, refused: str) -> str:
        """A newer token than the refused one. Raises NeedsReconnect, RetryLater."""


class Limiter(Protocol):
    """The shared rate limits."""

    def acquire(self) -> None:
        """Return when one call may be made. Raises RetryLater when that is not soon."""

    def observe(self, remaining: Mapping[str, int]) -> None:
        """Lower the buckets named to what the package says is left. Never raises.

        It comes after an answer, which counts whether or not this can be written down.
        """


class Recorder(Protocol):
    """Is told of every write, just before the socket is used and just after."""

    def before_write(self, request: WireRequest) -> float | None:
        """Commit what is about to be sent. Whatever it raises stops the call before it is made.

        Answers until when, by `time.monotonic`, it may leave; None: whenever.
        """

    def after_write(self, answer: WireAnswer) -> None:
        """Keep what came back."""


class Unlimited:
    """A limiter that never waits."""

    def acquire(self) -> None:
        return None

    def observe(self, remaining: Mapping[str, int]) -> None:
        return None


class Unrecorded:
    """A recorder that keeps nothing."""

    def before_write(self, request: WireRequest) -> None:
        return None

    def after_write(self, answer: WireAnswer) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class Connection:
    """All a connector may know of the world.

    `endpoints` are base URLs by the names the package declares; `settings` are the interface's
    preferences by `Setting.key`; `facts` is what `read_codes` last reported of the company file.
    """

    interface: str
    company_file: str
    endpoints: Mapping[str, str]
    tokens: TokenSource
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    limiter: Limiter = field(default_factory=Unlimited)
    recorder: Recorder = field(default_factory=Unrecorded)
    limits: Limits = field(default_factory=Limits)


class Connector(Protocol):
    """Opened for one connection; holds one HTTP session; not shared between threads."""

    @classmethod
    def open(cls, connection: Connection) -> Self:
        """A connector ready to call. Opens no socket yet."""

    def close(self) -> None:
        """Let go of the session."""


@runtime_checkable
class ListsCompanyFiles(Protocol):
    """The signed-in person chooses among several company files."""

    def list_company_files(self) -> list[CompanyFile]:
        """Every company file the consent reaches; works before one is chosen."""


@runtime_checkable
class ReadsCodes(Protocol):
    """Account codes, tax codes and facts of the company file can be read."""

    def read_codes(self) -> Codes:
        """All of them, archived ones included and marked."""


@runtime_checkable
class PushesContacts(Protocol):
    """Clients become contacts, created once and matched afterwards, never overwritten."""

    def find_contacts(self, contacts: Sequence[Contact]) -> dict[Key, Found]:
        """Those that exist, by the match rule; several or archived hits are a Conflict."""

    def post_contacts(self, contacts: Sequence[Contact], *, call_key: str) -> list[Outcome]:
        """Create them, one outcome each in order. Never updates an existing contact."""


@runtime_checkable
class ListsContacts(Protocol):
    """All contacts can be read, so that clients are matched to them before anything is sent."""

    def list_contacts(self) -> Iterator[ListedContact]:
        """Every contact, archived ones included and marked; one that changes may come twice.

        It is read from the package as it is asked for, part by part.
        """


@runtime_checkable
class UpdatesContacts(Protocol):
    """Contacts can be brought up to date, where the practice wants that."""

    def update_contacts(self, contacts: Sequence[Contact], *, call_key: str) -> list[Outcome]:
        """Write ours over the contacts named by `remote_id`, one outcome each in order.

        What we leave empty stays as it is there. Doing it twice is the same as once.
        """


@runtime_checkable
class PushesJobs(Protocol):
    """Jobs have a place in the package."""

    def find_jobs(self, jobs: Sequence[Job]) -> dict[Key, Found]:
        """Those that exist, by code."""

    def post_jobs(self, jobs: Sequence[Job], *, call_key: str) -> list[Outcome]:
        """Create them, one outcome each in order."""


@runtime_checkable
class PostsInvoices(Protocol):
    """Sales invoices can be created and found again."""

    def post_invoices(self, invoices: Sequence[SalesInvoice], *, call_key: str) -> list[Outcome]:
        """Create at most `limits.per_call`, one outcome each in order; never overwrites."""

    def find_invoices(self, invoices: Sequence[SalesInvoice]) -> dict[Key, Found]:
        """Posted for our own, Conflict for another document under our number, absent otherwise."""


@runtime_checkable
class PostsCreditNotes(Protocol):
    """Credit notes can be created and found again."""

    def post_credit_notes(self, notes: Sequence[CreditNote], *, call_key: str) -> list[Outcome]:
        """As `post_invoices`."""

    def find_credit_notes(self, notes: Sequence[CreditNote]) -> dict[Key, Found]:
        """As `find_invoices`."""


@runtime_checkable
class ShowsDocuments(Protocol):
    """A document can be looked at by the package's own id."""

    def look_at(self, document: SalesInvoice, remote_id: str) -> Found | None:
        """Posted where it is this very one, Conflict where it is another, None where none is."""


@runtime_checkable
class AllocatesCredits(Protocol):
    """A credit note can be set against an invoice."""

    def post_allocations(
        self, allocations: Sequence[Allocation], *, call_key: str
    ) -> list[Outcome]:
        """Allocate; at most one is given per call."""

    def find_allocations(self, allocations: Sequence[Allocation]) -> dict[Key, Found]:
        """Those already made."""


@runtime_checkable
class AttachesPdf(Protocol):
    """The invoice's PDF can hang on the document."""

    def post_attachments(
        self, attachments: Sequence[Attachment], *, call_key: str
    ) -> list[Outcome]:
        """Attach; at most one is given per call. Repeating it is harmless or looked up first."""

    def find_attachments(self, attachments: Sequence[Attachment]) -> dict[Key, Found]:
        """Those already there."""


@runtime_checkable
class VoidsInvoices(Protocol):
    """Documents that were sent can be taken back there, so that nothing is owed on them."""

    def void(self, documents: Sequence[Voiding], *, call_key: str) -> list[Outcome]:
        """Take them back, one outcome each in order; what is taken back already is Posted."""

    def find_voided(self, documents: Sequence[Voiding]) -> dict[Key, Found]:
        """Those that are taken back there."""


@runtime_checkable
class ReadsPayments(Protocol):
    """Payments and document states can be read back."""

    def read_changes(self, since: str) -> Changes:
        """All since the mark of the last call; an empty mark means from the beginning."""


@runtime_checkable
class Disconnects(Protocol):
    """The package can be told that the link to this company file ends."""

    def disconnect(self, connection_id: str) -> bool:
        """End it there; True when the person's consent reaches no other company file any more."""


@runtime_checkable
class WritesImportFile(Protocol):
    """Documents reach the package in a file that a person imports there."""

    def write_file(self, documents: Sequence[SalesInvoice]) -> ImportFile:
        """Invoices and credit notes in one file, in their order. Opens no socket.

        The same documents make the same bytes. Raises Rejected for what the package cannot take.
        """


CAPABILITIES: Mapping[str, type] = {
    "company files": ListsCompanyFiles,
    "codes": ReadsCodes,
    "contacts": PushesContacts,
    "contact list": ListsContacts,
    "contact updates": UpdatesContacts,
    "jobs": PushesJobs,
    "invoices": PostsInvoices,
    "credit notes": PostsCreditNotes,
    "look by id": ShowsDocuments,
    "allocations": AllocatesCredits,
    "pdf": AttachesPdf,
    "void": VoidsInvoices,
    "payments": ReadsPayments,
    "disconnect": Disconnects,
    "import file": WritesImportFile,
}


@dataclass(frozen=True, kw_only=True)
class Package:
    """One accounting package: all the product needs to know without opening a connection."""

    key: str
    label: str
    connector: type[Any]
    link: Link = Link.API
    set_up_by: SetUpBy = SetUpBy.ADMIN
    summary: str = ""
    company_file_word: str = "company file"
    endpoints: Mapping[str, str] = field(default_factory=dict)
    oauth: OAuth2 | None = None
    settings: tuple[Setting, ...] = ()
    limits: Limits = field(default_factory=Limits)
    # Loads the stand-in's class; a function so that the web process need not import a server.
    standin: str = ""
    # The setting, and its value, with which documents arrive as drafts: so until go-live.
    draft: tuple[str, str] | None = None
    # Where each default usually lies, best first, by the kind of account people read there.
    usual_kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # What support asks a practice before it sets the link up, beside what is asked of everybody.
    questions: tuple[Setting, ...] = ()
    # How staff work with the link day by day, step by step, for the hand-over page.
    hand_over: tuple[str, ...] = ()
    # What it refuses, told before anything is sent.
    rules: Collection[Rule] = USUAL
    # Its words for documents that were deleted there, so that their numbers are free again.
    gone: frozenset[str] = frozenset()
    # Codes of its refusals that nothing that is read beforehand can tell: no check has missed them.
    unforeseen: frozenset[str] = frozenset()
    # How it will show a document; None where that is as Abtrac shows it.
    show: Show | None = None

    @property
    def signs_in(self) -> bool:
        """Whether somebody signs in to it; an import file is carried there by a person."""
        return self.link is not Link.FILE

    def can(self, capability: type) -> bool:
        """Whether the package's connector implements the capability."""
        return issubclass(self.connector, capability)

    def capabilities(self) -> list[str]:
        """The names of all it can do, in the order of CAPABILITIES."""
        return [name for name, protocol in CAPABILITIES.items() if self.can(protocol)]

    def default_settings(self) -> dict[str, Any]:
        """Every preference at its default."""
        return {setting.key: setting.default for setting in self.settings}
