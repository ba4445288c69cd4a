"""The calls of the OAuth2 code flow, made by Authlib, and what their answers mean.

Nothing here touches the database. No error raised here carries a token, a code or a secret, nor
the exception that might: `from None` keeps the request out of tracebacks.
"""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Self

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings

from connectors.base.errors import ConnectorError, RetryLater
from connectors.base.protocol import OAuth2, Package
from interfaces.package_apps import PackageApp

log = logging.getLogger("interfaces.oauth")

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 20.0
# Where a package does not say how long a token lives.
SHORT_LIFE = 300
LONGEST_WAIT = 86400


class OAuthRefused(ConnectorError):
    """The package's sign-in service said no; `error` is its code, such as `invalid_grant`."""

    def __init__(self, message: str, *, error: str) -> None:
        super().__init__(message)
        self.error = error


class NotSetUp(RetryLater):
    """This server lacks what it needs to talk to the package; the message names the variable."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What a sign-in yields. Its representation shows none of it."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    # What was agreed to, spaces between; empty where the answer did not say.
    scopes: str = ""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """The tokens in a token endpoint's answer, to which Authlib has added `expires_at`."""
        expires = answer.get("expires_at") or time.time() + SHORT_LIFE
        return cls(
            access_token=str(answer["access_token"]),
            refresh_token=str(answer.get("refresh_token") or ""),
            expires_at=datetime.fromtimestamp(float(expires), tz=UTC),
            scopes=_scopes_in(answer),
        )


def _scopes_in(answer: Mapping[str, Any]) -> str:
    given = answer.get("scope")
    words = given if isinstance(given, list) else str(given or "").split()
    return " ".join(str(one) for one in words)[:1000]


def oauth_of(package: Package) -> OAuth2:
    """How the package is signed in to. Raises NotSetUp when it is not by OAuth."""
    if package.oauth is None:
        raise NotSetUp(f"{package.label} is not connected by signing in.")
    return package.oauth


def redirect_uri(package: Package) -> str:
    """Where the package sends the person back to; registered there exactly like this."""
    return f"{settings.SITE_URL}/oauth/{package.key}/callback"


def authorize_url(app: PackageApp, *, state: str, verifier: str) -> str:
    """The package's sign-in page, asking for this app's scopes. Raises NotSetUp."""
    endpoint, path = oauth_of(app.package).authorize
    with _session(app) as session:
        url, _ = session.create_authorization_url(
            f"{app.pages[endpoint]}{path}",
            state=state,
            code_verifier=verifier or None,
            scope=app.scopes,
        )
    return str(url)


def new_verifier() -> str:
    """A PKCE verifier: 64 characters."""
    return secrets.token_urlsafe(48)


def exchange(app: PackageApp, *, code: str, verifier: str) -> Tokens:
    """The tokens for a code. Raises OAuthRefused, RetryLater, NotSetUp."""
    place = _url(app, oauth_of(app.package).token)
    proof = {"code_verifier": verifier} if verifier else {}
    with _session(app) as session:
        answer = _ask(
            app,
            lambda: session.fetch_token(
                place,
                grant_type="authorization_code",
                code=code,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,
                **proof,
            ),
        )
    return _tokens(app, answer)


def refresh(app: PackageApp, *, refresh_token: str) -> Tokens:
    """New tokens for a refresh token. Raises OAuthRefused, RetryLater, NotSetUp."""
    place = _url(app, oauth_of(app.package).token)
    with _session(app) as session:
        answer = _ask(
            app,
            lambda: session.refresh_token(
                place,
                refresh_token=refresh_token,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,
            ),
        )
    return _tokens(app, answer)


def revoke(app: PackageApp, *, refresh_token: str) -> None:
    """End the whole consent at the package. Raises RetryLater when that is not certain."""
    oauth = oauth_of(app.package)
    if oauth.revoke is None:
        return
    place = _url(app, oauth.revoke)
    with _session(app) as session:
        answer = _ask(
            app,
            lambda: session.revoke_token(
                place,
                token=refresh_token,
                token_type_hint="refresh_token",  # noqa: S106 - the hint's name in RFC 7009
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,
            ),
        )
    if answer.status_code != 200:
        raise _no_answer(app, f"http {answer.status_code}")


def _session(app: PackageApp) -> OAuth2Session:
    package = app.package
    for part in ("client_id", "client_secret"):
        if not getattr(app, part):
            raise NotSetUp(
                f"{package.key.upper()}_{part.upper()} is not set on this server, so"
                f" {package.label} cannot be connected yet."
            )
    session = OAuth2Session(
        client_id=app.client_id,
        client_secret=app.client_secret,
        token_endpoint_auth_method="client_secret_basic",  # noqa: S106 - a method's name
        revocation_endpoint_auth_method="client_secret_basic",
        redirect_uri=redirect_uri(package),
        code_challenge_method="S256" if oauth_of(package).pkce else None,
    )
    for answer in ("access_token_response", "refresh_token_response"):
        session.register_compliance_hook(answer, _stop_at_429)
    return session


def _stop_at_429(response: requests.Response) -> requests.Response:
    """Authlib would read it as a token that is incomplete, and lose how long to wait."""
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        response.raise_for_status()
    return response


def _url(app: PackageApp, place: tuple[str, str]) -> str:
    endpoint, path = place
    return f"{app.endpoints[endpoint]}{path}"


def _ask(app: PackageApp, call: Callable[[], Any]) -> Any:
    """Make the call; a missing or unreadable answer is RetryLater, a refusal OAuthRefused."""
    try:
        return call()
    except OAuthError as error:
        raise _refusal(app, _code(error.error)) from None
    except requests.HTTPError as error:
        raise _not_now(app, error.response) from None
    except requests.RequestException as error:
        raise _no_answer(app, type(error).__name__) from None
    except (ValueError, TypeError, AttributeError, OverflowError):
        # Authlib takes it for granted that the answer is an object with numbers where due.
        raise _no_answer(app, "unreadable") from None


def _code(error: Any) -> str:
    """The refusal's code, fit for one line of a log."""
    return "".join(one for one in str(error or "unknown") if one.isprintable())[:60]


def _refusal(app: PackageApp, error: str) -> ConnectorError:
    log.warning("sign-in refused package=%s error=%s", app.package.key, error)
    if error == "invalid_grant":
        return OAuthRefused(f"{app.label} no longer accepts the saved sign-in.", error=error)
    if error in {"invalid_client", "unauthorized_client"}:
        variable = f"{app.package.key.upper()}_CLIENT_ID"
        return RetryLater(
            f"{app.label} does not accept this server's app details ({variable} and"
            f" {app.package.key.upper()}_CLIENT_SECRET). Your own sign-in is not affected."
        )
    return RetryLater(f"{app.label}'s sign-in service refused the request ({error}).")


def _not_now(app: PackageApp, response: requests.Response) -> RetryLater:
    if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
        return _no_answer(app, f"http {response.status_code}")
    seconds = response.headers.get("Retry-After", "")
    after = timedelta(seconds=min(int(seconds), LONGEST_WAIT)) if seconds.isdecimal() else None
    message = f"{app.label}'s sign-in service asks us to wait."
    return RetryLater(message, after=after, congested=True)


def _no_answer(app: PackageApp, reason: str) -> RetryLater:
    log.warning("sign-in unanswered package=%s reason=%s", app.package.key, reason)
    return RetryLater(f"{app.label}'s sign-in service gave no usable answer.")


def _tokens(app: PackageApp, answer: Mapping[str, Any]) -> Tokens:
    if not isinstance(answer.get("access_token"), str) or not answer["access_token"]:
        raise _no_answer(app, "no access token")
    try:
        return Tokens.of(answer)
    except (ValueError, TypeError, OverflowError):
        raise _no_answer(app, "no time of expiry") from None
