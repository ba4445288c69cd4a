"""Ledger: an invented package with a strict sign-in server, to try interfaces against.

Its refresh tokens rotate; a used one is good again while `overlap` is on. Answers can be told to
get lost or to be wrong.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import requests
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Request, Response

from connectors.base.documents import Account, Codes, CompanyFile, Tax
from connectors.base.errors import NeedsReconnect, RetryLater
from connectors.base.protocol import Connection, Limits, OAuth2, Package, Setting

CLIENT_ID = "ledger-client"
CLIENT_SECRET = "CANARY-client-secret"
POLL = 0.02  # seconds until a server that is told to stop notices
FILES = (
    CompanyFile(id="f1", name="Harbour Ltd", country="NZ", currency="NZD", connection_id="c1"),
    CompanyFile(id="f2", name="Other Ltd", country="AU", currency="AUD", connection_id="c2"),
)
CODES = Codes(
    accounts=(
        Account(code="200", name="Sales", kind="REVENUE", allowed_tax_codes=("GST", "ZERO")),
        Account(code="210", name="Recoveries", kind="REVENUE"),
        Account(code="090", name="Bank", kind="BANK", usable_for_sales=False),
    ),
    taxes=(
        Tax(code="GST", name="GST on income", rate=Decimal(15)),
        Tax(code="ZERO", name="Zero rated", rate=Decimal(0)),
        Tax(code="OLD", name="Old GST", rate=Decimal("12.5"), active=False),
    ),
    currencies=("NZD", "AUD"),
    facts={"country": "NZ", "currency": "NZD"},
)


@dataclass
class LedgerServer:
    """The sign-in and data server, kept in memory."""

    overlap: bool = True
    life: int = 1800
    files: Sequence[CompanyFile] = FILES
    codes: Codes = CODES
    # What the next calls of the token endpoint do: "drop" (take effect, answer nothing), or a
    # status and a body to answer without effect.
    script: list[Any] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    challenges: dict[str, tuple[str, str]] = field(default_factory=dict)
    refresh_tokens: set[str] = field(default_factory=set)
    spent: set[str] = field(default_factory=set)
    access_tokens: set[str] = field(default_factory=set)
    revoked: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    down: bool = False

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._server: BaseWSGIServer = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def consent(self, address: str) -> dict[str, str]:
        """What a person's consent at the sign-in page of that address sends back."""
        asked = {key: value[0] for key, value in parse_qs(urlsplit(address).query).items()}
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"CANARY-code-{next(self._numbers)}"
        self.challenges[code] = (asked["code_challenge"], asked["redirect_uri"])
        return {"state": asked["state"], "code": code}

    def issue(self) -> dict[str, Any]:
        """A fresh pair of tokens."""
        number = next(self._numbers)
        access, refresh = f"CANARY-access-{number}", f"CANARY-refresh-{number}"
        self.access_tokens.add(access)
        self.refresh_tokens.add(refresh)
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": self.life,
            "token_type": "Bearer",
        }

    def _answer(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        with self._lock:
            self.calls.append(f"{request.method} {request.path}")
            response = self._route(request)
        return response(environ, start_response)

    def _route(self, request: Request) -> Response:
        if self.down:
            return Response("CANARY-body down", status=503)
        if request.path == "/token":
            return self._token(request)
        if request.path == "/revoke":
            self.revoked.append(request.form["token"])
            return Response(status=200)
        if request.headers.get("Authorization", "")[7:] not in self.access_tokens:
            return Response(status=401)
        if request.path.startswith("/files/"):
            self.ended.append(request.path.rsplit("/", 1)[1])
            return Response(status=204)
        return Response(json.dumps([one.id for one in self.files]), status=200)

    def _token(self, request: Request) -> Response:
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {basic}":
            return _json(401, {"error": "invalid_client"})
        step = self.script.pop(0) if self.script else None
        if isinstance(step, tuple):
            status, body, *more = step
            headers = {"Content-Type": "application/json", **(more[0] if more else {})}
            return Response(body, status, headers)
        grant = self._exchange if "code" in request.form else self._refresh
        answer = grant(request)
        # An answer that breaks off in the middle: the effect is there, the tokens are lost.
        return Response(b'{"access_tok', status=200) if step == "drop" else answer

    def _exchange(self, request: Request) -> Response:
        challenge, redirect_uri = self.challenges.pop(request.form["code"], ("", ""))
        digest = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if not challenge or proof != challenge or request.form["redirect_uri"] != redirect_uri:
            return _json(400, {"error": "invalid_grant"})
        return _json(200, self.issue())

    def _refresh(self, request: Request) -> Response:
        token = request.form["refresh_token"]
        if token not in self.refresh_tokens and not (self.overlap and token in self.spent):
            return _json(400, {"error": "invalid_grant", "error_description": f"no {token}"})
        self.refresh_tokens.discard(token)
        self.spent.add(token)
        return _json(200, self.issue())


def _json(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")


class LedgerConnector:
    """Lists company files, reads codes, disconnects."""

    server: LedgerServer

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.closed = False

    @classmethod
    def open(cls, connection: Connection) -> Self:
        return cls(connection)

    def close(self) -> None:
        self.closed = True

    def list_company_files(self) -> list[CompanyFile]:
        ids = self._call("GET", "/files").json()
        return [one for one in self.server.files if one.id in ids]

    def read_codes(self) -> Codes:
        self._call("GET", "/codes")
        return self.server.codes

    def disconnect(self, connection_id: str) -> bool:
        self._call("DELETE", f"/files/{connection_id}")
        return len(self.server.files) == 1

    def _call(self, method: str, path: str) -> requests.Response:
        self.connection.limiter.acquire()
        token = self.connection.tokens.access_token()
        answer = self._send(method, path, token)
        if answer.status_code == 401:
            answer = self._send(method, path, self.connection.tokens.renew(token))
        if answer.status_code == 401:
            raise NeedsReconnect("Ledger does not accept the sign-in any more.")
        if answer.status_code >= 500:
            raise RetryLater("Ledger is not available.")
        return answer

    def _send(self, method: str, path: str, token: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        url = self.connection.endpoints["api"] + path
        return requests.request(method, url, headers=headers, timeout=5)


PACKAGE = Package(
    key="ledger",
    label="Ledger",
    connector=LedgerConnector,
    company_file_word="organisation",
    endpoints={"api": "http://127.0.0.1:1"},
    oauth=OAuth2(
        authorize=("api", "/authorize"),
        token=("api", "/token"),
        revoke=("api", "/revoke"),
        scopes=("books",),
        pkce=True,
    ),
    settings=(
        Setting(
            key="status",
            label="Delivery status",
            kind="choice",
            default="draft",
            choices=(("draft", "Draft"), ("approved", "Approved")),
            help="How invoices arrive.",
        ),
        Setting(key="add_clients", label="Add clients", kind="boolean", default=True),
        Setting(key="port", label="Port", kind="integer", default=8080),
        Setting(key="password", label="Password", kind="secret", help="Of the file."),
    ),
    limits=Limits(),
)
