"""Opens the package's connector for an interface, with all that it may know of the world."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from connectors.base.errors import NeedsReconnect
from connectors.base.protocol import Connection, Limits, Recorder, TokenSource, Unrecorded
from interfaces.credentials import StoredTokens
from interfaces.limits import SharedLimiter
from interfaces.models import AccountingInterface
from interfaces.package_apps import PackageApp, app_of
from interfaces.preferences import settings_for
from interfaces.standing import regain
from offices.tenancy import NoPractice, acting_for, current_practice_id

__all__ = ["open_connector", "open_for_choosing", "open_with", "regain"]

State = AccountingInterface.State
WHY_NOT = {
    State.NOT_CONNECTED: "is not connected yet",
    State.CHOOSE_COMPANY_FILE: "has no {word} chosen yet",
    State.NEEDS_CONSENT: "must be connected again",
    State.PAUSED: "is paused",
    State.DISCONNECTED: "is disconnected",
}


@contextmanager
def open_connector(
    *,
    practice_id: int,
    interface_id: int,
    recorder: Recorder | None = None,
    before_call: Callable[[], None] | None = None,
    patience: float = 5.0,
) -> Iterator[Any]:
    """The interface's connector, closed at the end; `before_call` is told of every call.

    Raises NeedsReconnect, in words, when the interface is not connected; one that comes out of
    the calls made with it marks the consent as lost. Not for use inside `acting_for`: nobody
    waits for a package while a transaction is open.
    """
    with acting_for_nobody(), acting_for(practice_id):
        interface = AccountingInterface.objects.get(pk=interface_id)
    if not interface.is_connected:
        raise NeedsReconnect(why_not(interface))
    with _opened(
        interface, recorder=recorder, before_call=before_call, patience=patience
    ) as connector:
        yield connector


@contextmanager
def open_for_choosing(*, practice_id: int, interface_id: int) -> Iterator[Any]:
    """As `open_connector`, before a company file is chosen: good for listing them only."""
    with acting_for_nobody(), acting_for(practice_id):
        interface = AccountingInterface.objects.get(pk=interface_id)
    if interface.state not in {State.CHOOSE_COMPANY_FILE, State.CONNECTED}:
        raise NeedsReconnect(why_not(interface))
    with _opened(interface) as connector:
        yield connector


@contextmanager
def _opened(interface: AccountingInterface, **options: Any) -> Iterator[Any]:
    """The connector with the stored tokens; losing the consent on the way is marked."""
    tokens = StoredTokens(interface.practice_id, interface.pk)
    try:
        opened = open_with(interface, tokens=tokens, **options)
        with closing(opened) as connector:
            yield connector
    except NeedsReconnect as error:
        tokens.lose_consent(reason=str(error))
        raise


def open_with(
    interface: AccountingInterface,
    *,
    tokens: TokenSource,
    recorder: Recorder | None = None,
    before_call: Callable[[], None] | None = None,
    patience: float = 5.0,
) -> Any:
    """A connector with the tokens given, whatever the interface's state; the caller closes it."""
    package = interface.package
    app = app_of(interface)
    return package.connector.open(
        Connection(
            interface=f"{interface.practice_id}-{interface.pk}",
            company_file=interface.company_file_id,
            endpoints=app.endpoints,
            tokens=tokens,
            settings=settings_for(interface),
            facts=interface.facts,
            limiter=SharedLimiter(
                interface.practice_id,
                interface.pk,
                package,
                patience,
                rehearsal=interface.is_rehearsal,
                before_call=before_call,
            ),
            recorder=recorder or Unrecorded(),
            limits=limits_of(app),
        )
    )


def limits_of(app: PackageApp) -> Limits:
    """What the package declares, with this server's own read timeout."""
    return replace(app.package.limits, read_timeout=app.read_timeout)


def why_not(interface: AccountingInterface) -> str:
    """Why an interface that is not connected cannot be used."""
    if interface.is_rehearsal_over:
        return f"{interface.name} is over. {interface.state_reason}"
    reason = WHY_NOT[State(interface.state)].format(word=interface.package.company_file_word)
    return f"{interface.name} {reason}. {interface.state_reason}".strip()


@contextmanager
def acting_for_nobody() -> Iterator[None]:
    """Refuse to go on while a practice is being acted for: its transaction would stay open."""
    try:
        current_practice_id()
    except NoPractice:
        yield
        return
    raise RuntimeError("A package is called outside acting_for, never inside its transaction.")
