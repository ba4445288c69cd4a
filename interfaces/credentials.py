"""Tokens encrypted at rest; renewed by one worker at a time, because refresh tokens rotate."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db.models import F, Q

from connectors.base.errors import NeedsReconnect, RetryLater
from connectors.base.protocol import Package
from interfaces import clock, oauth
from interfaces.models import AccountingInterface, Credential
from interfaces.oauth import OAuthRefused, Tokens
from interfaces.package_apps import app_of
from interfaces.sealing import Unreadable, seal, unseal
from interfaces.standing import lose_consent
from offices.models import User
from offices.tenancy import acting_for

__all__ = [
    "GivenToken",
    "StoredTokens",
    "Unreadable",
    "erase",
    "refresh_token_of",
    "seal",
    "store_tokens",
    "unseal",
]

log = logging.getLogger("interfaces.credentials")

# A token this close to its end may end on the way.
EARLY = timedelta(seconds=60)
# Longer than the longest renewal, so that a live holder never loses its lease.
LEASE = timedelta(seconds=oauth.CONNECT_TIMEOUT + oauth.READ_TIMEOUT + 15)
# How long another worker's renewal is waited for, and how often it is looked at.
PATIENCE = 15.0
# For how many seconds a token that was read is used without reading it anew; less than EARLY.
MOMENT = 5.0
GLANCE = 0.25


def store_tokens(
    interface_id: int, token: Tokens | Mapping[str, Any], connected_by: User | None
) -> None:
    """Keep a fresh consent, in place of any before it. Needs a scope.

    A mapping is a token endpoint's answer: `access_token`, `refresh_token`, `expires_at`.
    """
    tokens = token if isinstance(token, Tokens) else Tokens.of(token)
    sealed, now = _seal_tokens(tokens), clock.now()
    package = AccountingInterface.objects.get(pk=interface_id).package
    values = {
        "sealed": sealed,
        "expires_at": tokens.expires_at,
        "connected_by": connected_by,
        "connected_at": now,
        "scopes": tokens.scopes,
        **_lasting(package, now),
    }
    replaced = Credential.objects.filter(interface_id=interface_id).update(
        version=F("version") + 1, renewing_by="", renewing_until=None, **values
    )
    if not replaced:
        Credential.objects.create(interface_id=interface_id, **values)


def _lasting(package: Package, now: datetime) -> dict[str, Any]:
    """Until when a sign-in that was used now lasts without further use; no warning given yet."""
    life = package.oauth.lapses_after if package.oauth else None
    return {"lapses_at": now + life if life else None, "warned_days": None}


def erase(interface_id: int) -> None:
    """Forget the tokens. Needs a scope.

    The row stays, so that its version goes on: a worker that still holds the old version never
    takes a later consent for its own.
    """
    Credential.objects.filter(interface_id=interface_id).update(
        sealed="",
        version=F("version") + 1,
        renewing_by="",
        renewing_until=None,
        lapses_at=None,
        warned_days=None,
    )


def refresh_token_of(interface_id: int) -> str:
    """The refresh token as it is now, to revoke it; empty when there is none. Needs a scope."""
    credential = Credential.objects.filter(interface_id=interface_id).exclude(sealed="").first()
    if credential is None:
        return ""
    try:
        return _open_tokens(credential).refresh_token
    except Unreadable:
        return ""


@dataclass(frozen=True, kw_only=True)
class _Held:
    """The tokens of one version of the row."""

    version: int
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime

    @property
    def is_fresh(self) -> bool:
        return self.expires_at - clock.now() > EARLY


class StoredTokens:
    """The tokens of one interface, for as long as one connector is open.

    Of all workers that find a token stale, one takes the lease on the row, asks the package
    outside any transaction, and commits the new tokens before using them. The others wait for the
    row's next version.
    """

    def __init__(
        self,
        practice_id: int,
        interface_id: int,
        *,
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._practice_id = practice_id
        self._interface_id = interface_id
        self._patience = patience
        self._sleep = sleep
        self._me = uuid4().hex
        # Which version of the row was read last, 0 for no row; None before the first call.
        self._seen: int | None = None
        # When a fresh token was read, and which.
        self._read_at: tuple[float, str] | None = None

    def access_token(self) -> str:
        """A token believed valid, renewed when it is about to end.

        One read a moment ago serves again: when it is refused it is renewed, as any other.
        """
        if self._read_at is not None and time.monotonic() - self._read_at[0] < MOMENT:
            return self._read_at[1]
        held = self._read()
        if not held.is_fresh:
            return self._renewed(held)
        self._read_at = time.monotonic(), held.access_token
        return held.access_token

    def renew(self, refused: str) -> str:
        """A newer token than the refused one."""
        self._read_at = None
        held = self._read()
        if held.access_token != refused and held.is_fresh:
            return held.access_token
        return self._renewed(held)

    def lose_consent(self, *, reason: str) -> None:
        """Mark the consent lost that the calls were made with, unless a newer one has arrived.

        A call that went out under the old one may be refused after somebody has connected again.
        """
        with acting_for(self._practice_id):
            rows = Credential.objects.select_for_update().filter(interface_id=self._interface_id)
            newest = rows.first()
            if self._seen in {None, newest.version if newest else 0}:
                lose_consent(
                    practice_id=self._practice_id, interface_id=self._interface_id, reason=reason
                )

    def _renewed(self, stale: _Held) -> str:
        waited = 0.0
        while True:
            if self._take_lease(stale):
                try:
                    return self._renew(stale)
                finally:
                    self._give_lease_back()
            held = self._read()
            if held.version != stale.version:
                return held.access_token
            if waited >= self._patience:
                raise RetryLater(
                    "The sign-in is being renewed by another worker.", after=timedelta(seconds=5)
                )
            self._sleep(GLANCE)
            waited += GLANCE

    def _renew(self, stale: _Held) -> str:
        """Renew as holder of the lease.

        An answer that is lost leaves the old refresh token in place: packages that rotate them
        take the old one again for a while (`OAuth2.refresh_overlap`).
        """
        app = app_of(self._interface())
        if not stale.refresh_token:
            raise self._lost(stale, f"{app.label} gave no lasting sign-in.")
        try:
            tokens = oauth.refresh(app, refresh_token=stale.refresh_token)
        except OAuthRefused as error:
            newer = self._read()
            if newer.version == stale.version:
                raise self._lost(stale, str(error)) from None
            return newer.access_token
        if self._keep(stale, tokens, app.package):
            self._seen = stale.version + 1
            return tokens.access_token
        log.warning("renewal came too late interface=%s", self._interface_id)
        newer = self._read()
        if newer.version != stale.version:
            return newer.access_token
        raise RetryLater("The sign-in is being renewed.", after=timedelta(seconds=5))

    def _read(self) -> _Held:
        with acting_for(self._practice_id):
            row = Credential.objects.filter(interface_id=self._interface_id).first()
        self._seen = row.version if row else 0
        if row is None or not row.sealed:
            raise NeedsReconnect("This interface is not connected. Connect it first.")
        try:
            tokens = _open_tokens(row)
        except Unreadable as error:
            self.lose_consent(reason=str(error))
            raise
        return _Held(
            version=row.version,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            expires_at=tokens.expires_at,
        )

    def _take_lease(self, stale: _Held) -> bool:
        with acting_for(self._practice_id):
            now = clock.now()
            free = Q(renewing_until__isnull=True) | Q(renewing_until__lte=now)
            taken = Credential.objects.filter(
                free, interface_id=self._interface_id, version=stale.version
            ).update(renewing_by=self._me, renewing_until=now + LEASE)
        return taken == 1

    def _give_lease_back(self) -> None:
        with acting_for(self._practice_id):
            Credential.objects.filter(interface_id=self._interface_id, renewing_by=self._me).update(
                renewing_by="", renewing_until=None
            )

    def _keep(self, stale: _Held, tokens: Tokens, package: Package) -> bool:
        """Commit the new tokens, unless the lease or the consent has passed to somebody else."""
        with acting_for(self._practice_id):
            kept = Credential.objects.filter(
                interface_id=self._interface_id, version=stale.version, renewing_by=self._me
            ).update(
                sealed=_seal_tokens(tokens),
                expires_at=tokens.expires_at,
                version=F("version") + 1,
                renewing_by="",
                renewing_until=None,
                **_lasting(package, clock.now()),
            )
        return kept == 1

    def _lost(self, stale: _Held, reason: str) -> NeedsReconnect:
        message = f"{reason} Connect again."
        self._seen = stale.version
        self.lose_consent(reason=message)
        return NeedsReconnect(message)

    def _interface(self) -> AccountingInterface:
        with acting_for(self._practice_id):
            return AccountingInterface.objects.get(pk=self._interface_id)


class GivenToken:
    """One access token that is not kept, for the calls made before a consent is stored."""

    def __init__(self, access_token: str) -> None:
        self._access_token = access_token

    def access_token(self) -> str:
        """The token."""
        return self._access_token

    def renew(self, refused: str) -> str:
        """There is no newer one."""
        raise NeedsReconnect("The sign-in was refused at once. Connect again.")


def _seal_tokens(tokens: Tokens) -> str:
    return seal(json.dumps({"access": tokens.access_token, "refresh": tokens.refresh_token}))


def _open_tokens(row: Credential) -> Tokens:
    opened = json.loads(unseal(row.sealed))
    return Tokens(
        access_token=opened["access"],
        refresh_token=opened["refresh"],
        expires_at=row.expires_at,
    )
