"""The OAuth2 round trip, driven by what the package declares.

A trip is known by its state: 256 random bits, of which only the hash is kept. It serves once, for
ten minutes, in the session it began in, for the same person, practice, interface and package.
"""

import hashlib
import logging
import re
import secrets
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.sessions.backends.base import SessionBase

from connectors.base.documents import CompanyFile
from connectors.base.errors import ConnectorError
from connectors.base.protocol import ListsCompanyFiles, Package
from interfaces import clock, company_files, credentials, oauth, selectors
from interfaces.connections import open_with
from interfaces.credentials import GivenToken
from interfaces.models import AccountingInterface, ConsentRequest
from interfaces.oauth import OAuthRefused, Tokens
from interfaces.package_apps import app_of
from interfaces.sealing import seal, unseal
from interfaces.standing import regain
from offices.models import User
from offices.tenancy import acting_for

log = logging.getLogger("interfaces.consent")

LIFE = timedelta(minutes=10)
TRIPS = "consent-trips"
# Trips begun and not finished that one session may hold; older ones are forgotten.
MOST_TRIPS = 10

State = AccountingInterface.State


class ConsentRefused(Exception):
    """The trip ends here; `str(error)` says why and what to do. Nothing was stored."""


@dataclass(frozen=True, kw_only=True)
class Trip:
    """Which interface a person left to connect."""

    practice_id: int
    interface_id: int
    sealed_verifier: str
    next_url: str


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What came of a trip: connected, or several company files to choose from."""

    interface: AccountingInterface
    connected: bool
    next_url: str
    # The state it was in, in words.
    before: str


def start(
    *, interface: AccountingInterface, user: User, session: SessionBase, next_url: str = ""
) -> str:
    """The address of the package's sign-in page. Needs a scope. Raises NotSetUp.

    NeedsReconnect, for a rehearsal, where there are none.
    """
    app = app_of(interface)
    package = app.package
    state = secrets.token_urlsafe(32)
    verifier = oauth.new_verifier() if oauth.oauth_of(package).pkce else ""
    address = oauth.authorize_url(app, state=state, verifier=verifier)
    trip = ConsentRequest.objects.create(
        interface=interface,
        user=user,
        state_hash=_hash(state),
        sealed_verifier=seal(verifier) if verifier else "",
        next_url=next_url[:300],
        created_at=clock.now(),
    )
    trips = {**session.get(TRIPS, {}), trip.state_hash: [interface.practice_id, interface.pk]}
    session[TRIPS] = dict(list(trips.items())[-MOST_TRIPS:])
    log.info("consent begun interface=%s package=%s", interface.pk, package.key)
    return address


def begun_for(session: SessionBase, state: str) -> tuple[int, int] | None:
    """The practice and the interface a trip of this session began for, while it is under way."""
    trip = session.get(TRIPS, {}).get(_hash(state))
    return (int(trip[0]), int(trip[1])) if trip else None


def finish(
    *, package: Package, session: SessionBase, user: User, answer: Mapping[str, str]
) -> Arrival:
    """Store the consent the package sent the person back with. Raises ConsentRefused.

    Calls the package, so not for use inside `acting_for`.
    """
    trip = _arrive(package=package, session=session, user=user, state=answer.get("state", ""))
    if answer.get("error") or not answer.get("code"):
        raise _declined(package, answer.get("error", ""))
    with acting_for(trip.practice_id):
        interface = AccountingInterface.objects.filter(pk=trip.interface_id).first()
    if interface is None:
        raise refused("interface removed", package, user)
    try:
        verifier = unseal(trip.sealed_verifier) if trip.sealed_verifier else ""
        tokens = oauth.exchange(app_of(interface), code=answer["code"], verifier=verifier)
        files = _company_files(interface, tokens)
    except OAuthRefused as error:
        raise _declined(package, error.error) from None
    except ConnectorError as error:
        raise ConsentRefused(f"{interface.name} could not be connected. {error}") from None
    try:
        return _store(trip, user=user, tokens=tokens, files=files)
    except AccountingInterface.DoesNotExist:
        raise refused("interface removed", package, user) from None


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _arrive(*, package: Package, session: SessionBase, user: User, state: str) -> Trip:
    """The trip that ends here, used up. Raises ConsentRefused for any other."""
    key = _hash(state)
    trips = dict(session.get(TRIPS, {}))
    begun = trips.pop(key, None)
    if not state or begun is None:
        raise refused("unknown state", package, user)
    session[TRIPS] = trips
    practice_id, interface_id = begun
    with acting_for(practice_id):
        trip = ConsentRequest.objects.select_related("interface").filter(state_hash=key).first()
        if trip is None:
            raise refused("interface removed", package, user)
        # Used up whatever is wrong with it: nobody gets a second try with the same state.
        first = ConsentRequest.objects.filter(pk=trip.pk, used_at__isnull=True).update(
            used_at=clock.now(), sealed_verifier=""
        )
        wrong = _wrong_with(trip, package=package, user=user, interface_id=interface_id)
        wrong = wrong or ("" if first else "state used before")
    if wrong:
        raise refused(wrong, package, user)
    return Trip(
        practice_id=practice_id,
        interface_id=interface_id,
        sealed_verifier=trip.sealed_verifier,
        next_url=trip.next_url,
    )


def _wrong_with(trip: ConsentRequest, *, package: Package, user: User, interface_id: int) -> str:
    if trip.user_id != user.pk:
        return "another person"
    if trip.interface_id != interface_id:
        return "another interface"
    if trip.interface.package_key != package.key:
        return "another package"
    return "too late" if clock.now() - trip.created_at > LIFE else ""


def refused(why: str, package: Package, user: User) -> ConsentRefused:
    """Log why the trip ends here, and word it for the person."""
    log.warning("consent refused package=%s user=%s why=%s", package.key, user.pk, why)
    if why == "too late":
        return ConsentRefused("The sign-in took longer than ten minutes. Press Connect again.")
    if why == "interface removed":
        return ConsentRefused(
            "What was to be connected has been removed meanwhile. Nothing has changed."
        )
    return ConsentRefused(
        "This sign-in was not begun here, or was used before. Nothing has changed."
        " Open the interface and press Connect again."
    )


def _declined(package: Package, error: str) -> ConsentRefused:
    code = re.sub(r"[^a-z_]", "", error.lower())[:40]
    log.warning("consent declined package=%s error=%s", package.key, code or "no code")
    if code == "access_denied":
        return ConsentRefused(f"{package.label} was not connected: access was not allowed there.")
    if code in {"invalid_scope", "unauthorized_client"}:
        return ConsentRefused(
            f"{package.label} does not grant this server the permissions it asked for."
            f" Check {package.key.upper()}_SCOPES and {package.key.upper()}_CLIENT_ID."
        )
    return ConsentRefused(
        f"{package.label} did not complete the sign-in ({code or 'no code came back'}). Try again."
    )


def _company_files(interface: AccountingInterface, tokens: Tokens) -> list[CompanyFile]:
    """What the consent reaches; asked with the new token before it replaces the old one."""
    if not interface.package.can(ListsCompanyFiles):
        return []
    with closing(open_with(interface, tokens=GivenToken(tokens.access_token))) as connector:
        found: list[CompanyFile] = connector.list_company_files()
    return found


def _store(trip: Trip, *, user: User, tokens: Tokens, files: list[CompanyFile]) -> Arrival:
    with acting_for(trip.practice_id):
        interface = AccountingInterface.objects.select_for_update(no_key=True).get(
            pk=trip.interface_id
        )
        before = interface.get_state_display()
        chosen = _pick(interface, files)
        credentials.store_tokens(interface.pk, tokens, user)
        connected = chosen is not None or not interface.package.can(ListsCompanyFiles)
        if chosen is not None:
            company_files.assign(interface, chosen)
        if connected and interface.state == State.PAUSED:
            log.info("signed in while paused interface=%s", interface.pk)
        elif connected:
            regain(practice_id=trip.practice_id, interface_id=interface.pk)
        else:
            company_files.ask_for_one(interface)
        interface.refresh_from_db()
    return Arrival(interface=interface, connected=connected, next_url=trip.next_url, before=before)


def _pick(interface: AccountingInterface, files: list[CompanyFile]) -> CompanyFile | None:
    """The interface's own company file, or the only one; None when a person must choose.

    One that another interface uses already is never taken without a person's saying so.
    """
    if not interface.package.can(ListsCompanyFiles):
        return None
    word = interface.package.company_file_word
    names = ", ".join(sorted(one.name for one in files)) or f"no {word}"
    if not files:
        raise ConsentRefused(f"This sign-in reaches {names}. Nothing has changed.")
    if interface.company_file_id:
        own = [one for one in files if one.id == interface.company_file_id]
        if own:
            return own[0]
        log.warning("consent refused interface=%s why=another company file", interface.pk)
        raise ConsentRefused(
            f"{interface.name} belongs to {interface.company_file_name}, but this sign-in reaches"
            f" {names}. Nothing has changed. Sign in as somebody who can reach"
            f" {interface.company_file_name}, or add another interface."
        )
    if len(files) > 1 or selectors.sharing_company_file(interface, files[0].id):
        return None
    return files[0]
