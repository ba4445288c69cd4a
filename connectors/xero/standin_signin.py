"""The rehearsal Xero's sign-in: consent page, codes, rotating tokens, connections, revocation."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from connectors.base.standin import StandIn
from connectors.xero.standin_answers import gateway, json_response, not_found

AUTHORIZE = "/identity/connect/authorize"
TOKEN = "/connect/token"  # noqa: S105 - a path
REVOKE = "/connect/revocation"
CONNECTIONS = "/connections"

CODE_LIFE = timedelta(minutes=5)
ACCESS_LIFE = timedelta(minutes=30)
REFRESH_LIFE = timedelta(days=60)
# How long a refresh token that was used may be used again, in case its answer was lost.
OVERLAP = timedelta(minutes=30)
PERSON = "rehearsal@abtrac.example"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

SIGN_IN = ("openid", "profile", "email", "offline_access")
# What an app made since 2 March 2026 can ask for. (The two broad ones below, an older app only.)
GRANULAR_SCOPES = frozenset(
    {
        *SIGN_IN,
        "accounting.invoices",
        "accounting.invoices.read",
        "accounting.payments",
        "accounting.payments.read",
        "accounting.contacts",
        "accounting.contacts.read",
        "accounting.settings",
        "accounting.settings.read",
        "accounting.attachments",
        "accounting.attachments.read",
        "projects",
        "projects.read",
    }
)
BROAD_SCOPES = frozenset({"accounting.transactions", "accounting.transactions.read"})


@dataclass
class Code:
    """An authorization code, bound to who asked for it."""

    client_id: str
    redirect_uri: str
    grant: "Grant"
    expires_at: datetime


@dataclass(frozen=True)
class Grant:
    """What a person agreed to in one round trip."""

    person: str
    scopes: tuple[str, ...]
    event: str


@dataclass
class Access:
    """An access token."""

    grant: Grant
    expires_at: datetime


@dataclass
class Refresh:
    """A refresh token; `used_at` is when it was first exchanged for the next one."""

    grant: Grant
    issued_at: datetime
    used_at: datetime | None = None


@dataclass
class TenantConnection:
    """One person's link from the app to one organisation; its id is not the tenant's."""

    id: str
    person: str
    tenant_id: str
    event: str
    created_at: datetime
    updated_at: datetime


class SignIn:
    """Who may do what in which organisation."""

    def __init__(
        self,
        standin: StandIn,
        tenants: Mapping[str, str],
        *,
        scopes: Iterable[str] = GRANULAR_SCOPES,
        redirect_uris: Sequence[str] | None = None,
    ) -> None:
        """`tenants` are names by tenant id. Without `redirect_uris` any plausible one will do."""
        self.scopes = frozenset(scopes)
        self.redirect_uris = redirect_uris
        self.connections: list[TenantConnection] = []
        self._standin = standin
        self._tenants = tenants
        self._codes: dict[str, Code] = {}
        self._access: dict[str, Access] = {}
        self._refresh: dict[str, Refresh] = {}
        self._signing_key = secrets.token_bytes(32)

    def handles(self, path: str) -> bool:
        """Whether the path is one of the sign-in's."""
        return path in (AUTHORIZE, TOKEN, REVOKE)

    def answer(self, request: Request) -> Response:
        """Answer a request to one of them."""
        if request.path == AUTHORIZE:
            return self._authorize(request)
        if request.method != "POST":
            return Response(status=405)
        return self._token(request) if request.path == TOKEN else self._revoke(request)

    # For tests and the demo

    def issue(
        self, *, person: str = PERSON, tenant_ids: Iterable[str], scopes: Iterable[str]
    ) -> dict[str, Any]:
        """A token answer as after a consent to those organisations, with `expires_at` added."""
        grant = self._consent(person, scopes, tenant_ids)
        return self._tokens(grant) | {
            "expires_at": (self._now() + ACCESS_LIFE).timestamp(),
        }

    def expire_access_tokens(self) -> None:
        """Let every access token issued so far run out now."""
        for access in self._access.values():
            access.expires_at = min(access.expires_at, self._now())

    def disconnect(self, tenant_id: str) -> None:
        """End every connection to an organisation, as its users would inside Xero."""
        self.connections[:] = [one for one in self.connections if one.tenant_id != tenant_id]

    # What the API asks

    def admit(self, request: Request) -> Access:
        """The access token of a request. Raises Refusal in Xero's three kinds of 401."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        access = self._access.get(token) if kind == "Bearer" else None
        if access is None:
            raise gateway(
                401,
                "Unauthorized",
                "AuthenticationUnsuccessful",
                WWW_Authenticate="Bearer error=invalid_token",
            )
        if access.expires_at <= self._now():
            when = f"{access.expires_at.astimezone(UTC):%m/%d/%Y %H:%M:%S}"
            raise gateway(401, "Unauthorized", f"TokenExpired: token expired at {when}")
        return access

    def require(self, access: Access, *, one_of: Iterable[str]) -> None:
        """Raises Refusal unless the token has one of the scopes; renewing it never helps."""
        if not set(one_of) & set(access.grant.scopes):
            raise gateway(
                401,
                "Unauthorized",
                "AuthorizationUnsuccessful",
                WWW_Authenticate="Bearer error=insufficient_scope",
            )

    def tenant(self, access: Access, request: Request) -> str:
        """The organisation the request is for. Raises Refusal when it is not connected."""
        tenant_id = request.headers.get("xero-tenant-id", "")
        reached = {one.tenant_id for one in self._connections_of(access.grant.person)}
        # No source says what a missing header answers; a wrong one is a 403.
        if tenant_id not in reached:
            raise gateway(403, "Forbidden", "AuthenticationUnsuccessful")
        return tenant_id

    def answer_connections(self, request: Request, access: Access) -> Response:
        """The connections of the token's person: listed, or ended by their own id."""
        mine = self._connections_of(access.grant.person)
        if request.path == CONNECTIONS and request.method == "GET":
            event = request.args.get("authEventId")
            shown = [one for one in mine if event in (None, one.event)]
            return json_response([self._shown(one) for one in shown])
        ended = [one for one in mine if request.path == f"{CONNECTIONS}/{one.id}"]
        if request.method != "DELETE" or not ended:
            raise not_found()
        self.connections.remove(ended[0])
        return Response(status=204)

    # Consent

    def _authorize(self, request: Request) -> Response:
        asked = request.form if request.method == "POST" else request.args
        problem = self._problem(asked)
        if problem:
            # Never sent back to an address that may not be the app's.
            return _page("Xero cannot go on", f"<p>{escape(problem)}</p>", status=400)
        back = asked["redirect_uri"]
        if request.method != "POST":
            return self._consent_page(request, asked)
        if asked.get("decision") != "allow":
            return _redirect(back, error="access_denied", state=asked["state"])
        chosen = [one for one in request.form.getlist("organisation") if one in self._tenants]
        if not chosen:
            return self._consent_page(request, asked, "Choose at least one organisation.")
        person = asked.get("person", "").strip() or PERSON
        code = secrets.token_urlsafe(32)
        self._codes[code] = Code(
            asked["client_id"],
            back,
            self._consent(person, asked["scope"].split(), chosen),
            self._now() + CODE_LIFE,
        )
        return _redirect(back, code=code, state=asked["state"])

    def _problem(self, asked: Mapping[str, str]) -> str:
        """Why the app cannot be let in at all; empty when it can."""
        unknown = set(asked.get("scope", "").split()) - self.scopes
        if asked.get("client_id") != self._standin.client_id:
            return "unauthorized_client: Unknown client."
        if not self._may_return_to(asked.get("redirect_uri", "")):
            return "invalid_request: Invalid redirect_uri."
        if asked.get("response_type") != "code":
            return "unsupported_response_type: Only code is answered."
        if unknown or not asked.get("scope"):
            return f"invalid_scope: Invalid scope for client. {' '.join(sorted(unknown))}"
        if not asked.get("state"):
            return "invalid_request: The state is missing."  # Xero lets it pass; our app may not
        return ""

    def _may_return_to(self, uri: str) -> bool:
        """Whether the app may be returned to there.

        Xero itself takes https and http://localhost, and refuses http://127.0.0.1. The rehearsal
        takes that too: the demo's pages are served there, and nobody registers an app with it.
        """
        if self.redirect_uris is not None:
            return uri in self.redirect_uris
        parts = urlsplit(uri)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        )

    def _consent_page(
        self, request: Request, asked: Mapping[str, str], problem: str = ""
    ) -> Response:
        kept = ("response_type", "client_id", "redirect_uri", "scope", "state")
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{escape(asked[name])}">' for name in kept
        )
        ticks = "".join(
            f'<label><input type="checkbox" name="organisation" value="{escape(tenant)}" checked> '
            f"{escape(name)}</label>"
            for tenant, name in self._tenants.items()
        )
        wants = "".join(f"<li>{escape(one)}</li>" for one in asked["scope"].split())
        alert = f'<p role="alert">{escape(problem)}</p>' if problem else ""
        return _page(
            "Abtrac Link wants access to",
            f'{alert}<form method="post" action="{request.root_path}{AUTHORIZE}">{hidden}'
            f"<fieldset><legend>Organisations</legend>{ticks}</fieldset>"
            f'<label>Signed in as <input name="person" value="{PERSON}"></label>'
            f"<p>It asks for:</p><ul>{wants}</ul>"
            '<button name="decision" value="allow">Allow access</button> '
            '<button name="decision" value="cancel">Cancel</button></form>',
        )

    def _consent(self, person: str, scopes: Iterable[str], tenant_ids: Iterable[str]) -> Grant:
        """Connect the organisations; one that was connected keeps its connection's id."""
        grant = Grant(person, tuple(scopes), str(uuid4()))
        now = self._now()
        known = {one.tenant_id: one for one in self._connections_of(person)}
        for tenant_id in tenant_ids:
            if tenant_id in known:
                known[tenant_id].event, known[tenant_id].updated_at = grant.event, now
            else:
                self.connections.append(
                    TenantConnection(str(uuid4()), person, tenant_id, grant.event, now, now)
                )
        return grant

    # Tokens

    def _token(self, request: Request) -> Response:
        if not self._is_client(request):
            return _oauth_error(401, "invalid_client", **{"WWW-Authenticate": "Basic"})
        grant_type = request.form.get("grant_type")
        if grant_type == "authorization_code":
            return self._exchange(request)
        if grant_type == "refresh_token":
            return self._renew(request)
        return _oauth_error(400, "unsupported_grant_type")

    def _exchange(self, request: Request) -> Response:
        code = self._codes.pop(request.form.get("code", ""), None)
        if (
            code is None
            or code.expires_at <= self._now()
            or code.client_id != self._standin.client_id
            or code.redirect_uri != request.form.get("redirect_uri")
        ):
            return _oauth_error(400, "invalid_grant")
        return _tokens_response(self._tokens(code.grant))

    def _renew(self, request: Request) -> Response:
        token = self._refresh.get(request.form.get("refresh_token", ""))
        now = self._now()
        if (
            token is None
            or now >= token.issued_at + REFRESH_LIFE
            or (token.used_at is not None and now >= token.used_at + OVERLAP)
        ):
            return _oauth_error(400, "invalid_grant")
        token.used_at = token.used_at or now
        return _tokens_response(self._tokens(token.grant))

    def _revoke(self, request: Request) -> Response:
        """End the whole consent of the token's person; an unknown token is no error."""
        if not self._is_client(request):
            return _oauth_error(401, "invalid_client", **{"WWW-Authenticate": "Basic"})
        token = self._refresh.get(request.form.get("token", ""))
        if token is not None:
            person = token.grant.person
            for known in [k for k, v in self._refresh.items() if v.grant.person == person]:
                del self._refresh[known]
            self.connections[:] = [one for one in self.connections if one.person != person]
        return Response(status=200)

    def _is_client(self, request: Request) -> bool:
        """Basic, as documented, or in the form, as the vendor's own library does."""
        basic = request.authorization
        if basic is not None and basic.type == "basic":
            given = basic.username or "", basic.password or ""
        else:
            given = request.form.get("client_id", ""), request.form.get("client_secret", "")
        known = self._standin.client_id, self._standin.client_secret
        return all(
            hmac.compare_digest(ours.encode(), theirs.encode())
            for ours, theirs in zip(known, given, strict=True)
        )

    def _tokens(self, grant: Grant) -> dict[str, Any]:
        now = self._now()
        access_token = self._jwt(grant, now)
        self._access[access_token] = Access(grant, now + ACCESS_LIFE)
        answer: dict[str, Any] = {
            "access_token": access_token,
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "token_type": "Bearer",
            "scope": " ".join(grant.scopes),
        }
        if "openid" in grant.scopes:
            answer["id_token"] = self._jwt(grant, now)
        if "offline_access" in grant.scopes:
            answer["refresh_token"] = secrets.token_urlsafe(32)
            self._refresh[answer["refresh_token"]] = Refresh(grant, now)
        return answer

    def _jwt(self, grant: Grant, now: datetime) -> str:
        """A token that can be read like Xero's; signed with a key that nobody else has."""
        claims = {
            "iss": "https://identity.xero.com",
            "aud": "https://identity.xero.com/resources",
            "client_id": self._standin.client_id,
            "sub": hashlib.sha256(grant.person.encode()).hexdigest()[:32],
            "nbf": int(now.timestamp()),
            "exp": int((now + ACCESS_LIFE).timestamp()),
            "jti": uuid4().hex,
            "authentication_event_id": grant.event,
            "scope": list(grant.scopes),
        }
        parts = [_segment(json.dumps(one).encode()) for one in ({"alg": "HS256"}, claims)]
        signed = ".".join(parts).encode()
        parts.append(_segment(hmac.digest(self._signing_key, signed, "sha256")))
        return ".".join(parts)

    def _connections_of(self, person: str) -> list[TenantConnection]:
        return [one for one in self.connections if one.person == person]

    def _shown(self, one: TenantConnection) -> dict[str, str]:
        return {
            "id": one.id,
            "authEventId": one.event,
            "tenantId": one.tenant_id,
            "tenantType": "ORGANISATION",
            "tenantName": self._tenants[one.tenant_id],
            "createdDateUtc": f"{one.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0",
            "updatedDateUtc": f"{one.updated_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0",
        }

    def _now(self) -> datetime:
        return self._standin.clock()


def _segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _redirect(uri: str, **query: str) -> Response:
    joint = "&" if urlsplit(uri).query else "?"
    return Response(status=302, headers={"Location": f"{uri}{joint}{urlencode(query)}"})


def _tokens_response(answer: dict[str, Any]) -> Response:
    response = json_response(answer)
    response.headers["Cache-Control"] = "no-store"
    return response


def _oauth_error(status: int, error: str, **headers: str) -> Response:
    response = json_response({"error": error}, status)
    response.headers.update(headers)
    return response


def _page(title: str, inner: str, *, status: int = 200) -> Response:
    style = (
        "body{font:16px system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}"
        "label{display:block;margin:.5rem 0}button{padding:.5rem 1rem}"
    )
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head><body><main><p>Xero, rehearsal only</p>"
        f"<h1>{title}</h1>{inner}</main></body></html>"
    )
    response = Response(page, status, content_type="text/html; charset=utf-8")
    # No form-action: browsers hold the redirect after the form to it as well.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    response.headers["Cache-Control"] = "no-store"
    return response
