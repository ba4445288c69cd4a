"""A package's stand-in, arranged for the contract every package must keep."""

import importlib
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, NoReturn, Protocol, Self, TypeVar

import pytest
import requests

from connectors import registry
from connectors.base.documents import Attachment, Contact, SalesInvoice
from connectors.base.errors import NeedsReconnect, RetryLater
from connectors.base.protocol import (
    Connection,
    Limiter,
    Package,
    PushesContacts,
    Recorder,
    TokenSource,
    Unlimited,
    Unrecorded,
    WireAnswer,
    WireRequest,
)
from tests.connectors.samples import Terms

Document = TypeVar("Document", bound=SalesInvoice)


class Rehearsal(ABC):
    """One company file in a running stand-in.

    Each package's twin, `tests/connectors/<package>/rehearsal.py`, has a `Rehearsal` made of this.
    """

    # By capability, the call that creates: its method, and its path as a regular expression.
    creates: ClassVar[Mapping[str, tuple[str, str]]] = {}
    # Whether a number or contact that is there, whoever put it there, is refused a second time.
    refuses_doubles: ClassVar[bool] = True
    # Whether what a look-up shows of a document names its contact.
    names_contacts: ClassVar[bool] = True

    def __init__(self, package: Package) -> None:
        self.package = package
        self.standin: Any = registry.standin_of(package)()
        self._stack = ExitStack()
        self.terms: Terms
        self.company_file: str

    def __enter__(self) -> Self:
        self.standin.start()
        self._stack.callback(self.standin.stop)
        self.tokens = self.sign_in()
        self.arrange()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def sign_in(self) -> "Tokens":
        """Tokens after a consent."""
        return SignedIn(self.package, self.standin)

    def connect(
        self,
        *,
        company_file: str | None = None,
        facts: Mapping[str, str] | None = None,
        tokens: Any = None,
        limiter: Limiter | None = None,
        recorder: Recorder | None = None,
        limits: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Any:
        """A connector to the company file; further names are settings."""
        connector = self.package.connector.open(
            Connection(
                interface="1-1",
                company_file=self.company_file if company_file is None else company_file,
                endpoints=self.standin.endpoints,
                tokens=tokens or self.tokens,
                settings={**self.package.default_settings(), **settings},
                facts=facts or {},
                limiter=limiter or Unlimited(),
                recorder=recorder or Unrecorded(),
                limits=replace(self.package.limits, **{"read_timeout": 10.0, **(limits or {})}),
            )
        )
        self._stack.callback(connector.close)
        return connector

    def misbehave(self, capability: str, fault: Any) -> None:
        """Give the next call that creates the fault."""
        method, path = self.creates[capability]
        self.standin.script(method, path, fault=fault)

    def ready(self, *documents: Document) -> list[Document]:
        """The documents, now naming their contacts by the package's own ids."""
        if not self.package.can(PushesContacts):
            return list(documents)
        connector = self.connect()
        ids: dict[str, str] = {}
        for one in documents:
            if one.contact.key not in ids:
                ids[one.contact.key] = self._contact_id(connector, one.contact)
        return [replace(one, contact_id=ids[one.contact.key]) for one in documents]

    def _contact_id(self, connector: Any, contact: Contact) -> str:
        found = connector.find_contacts([contact]).get(contact.key)
        if found is None:
            [found] = connector.post_contacts([contact], call_key=f"contact-{contact.key}")
        return str(found.remote_id)

    # --- What a twin tells ---------------------------------------------------------------------

    @abstractmethod
    def arrange(self) -> None:
        """Set `terms` and `company_file`, and whatever the samples need."""

    @abstractmethod
    def books(self) -> Any:
        """Everything the company file holds, to be compared."""

    @abstractmethod
    def numbers(self, kind: type[SalesInvoice] = SalesInvoice) -> Sequence[str]:
        """The number of every invoice, or credit note, it holds."""

    @abstractmethod
    def names(self) -> Sequence[str]:
        """The name of every contact it holds."""

    @abstractmethod
    def add_invoice_of_others(self, number: str, total: Decimal) -> None:
        """An invoice somebody else typed in."""

    # --- And what it tells where the package has such a thing ----------------------------------

    def archive_contact(self, name: str) -> None:
        """As a bookkeeper would."""
        self._has_no("archived contacts")

    def pay(self, number: str, amount: Decimal) -> str:
        """Money comes in for an invoice; the id of the payment."""
        self._has_no("payments")

    def take_back(self, payment_id: str) -> None:
        """The payment was a mistake."""
        self._has_no("payments")

    def credited(self, number: str) -> Decimal:
        """How much credit is set against the invoice."""
        self._has_no("allocations")

    def attached(self, attachment: Attachment) -> Sequence[bytes]:
        """The files on the document."""
        self._has_no("files")

    def _has_no(self, what: str) -> NoReturn:
        pytest.skip(f"{self.package.label} has no {what}.")

    def settings_to_allocate(self) -> Mapping[str, Any]:
        """Settings under which documents arrive so that credits can be set against them."""
        return {}

    def settings_for_jobs(self) -> Mapping[str, Any]:
        """Settings under which jobs are sent."""
        return {}


def open_rehearsal(package: Package) -> Rehearsal:
    """The package's own rehearsal, from its twin folder."""
    twin = importlib.import_module(f"tests.connectors.{package.key}.rehearsal")
    rehearsal: Rehearsal = twin.Rehearsal(package)
    return rehearsal


class Tokens(TokenSource, Protocol):
    """Tokens that count how often they were renewed."""

    renewals: int


class SignedIn:
    """Tokens after a consent, renewed over HTTP as the package's sign-in service has it."""

    def __init__(self, package: Package, standin: Any) -> None:
        assert package.oauth is not None
        endpoint, path = package.oauth.token
        self._url = f"{standin.endpoints[endpoint]}{path}"
        self._client = (standin.client_id, standin.client_secret)
        self._held: dict[str, Any] = standin.issue_tokens()
        self.renewals = 0

    def access_token(self) -> str:
        """The token; renewed when it is about to end."""
        if self._held["expires_at"] < time.time():
            return self.renew(self._held["access_token"])
        return str(self._held["access_token"])

    def renew(self, refused: str) -> str:
        """A newer token than the refused one."""
        form = {"grant_type": "refresh_token", "refresh_token": self._held["refresh_token"]}
        answer = requests.post(self._url, data=form, auth=self._client, timeout=5)
        if answer.status_code == 400:
            raise NeedsReconnect("The sign-in is not accepted any more. Connect again.")
        if answer.status_code != 200:
            raise RetryLater("The sign-in service gave no usable answer.")
        self.renewals += 1
        self._held = answer.json()
        self._held.setdefault("expires_at", time.time() + self._held["expires_in"])
        return str(self._held["access_token"])


class Kept:
    """A recorder that keeps all it is told."""

    def __init__(self) -> None:
        self.requests: list[WireRequest] = []
        self.answers: list[WireAnswer] = []

    def before_write(self, request: WireRequest) -> None:
        self.requests.append(request)

    def after_write(self, answer: WireAnswer) -> None:
        self.answers.append(answer)
