"""HTTP as every connector uses it: this module alone tells "surely not written" from "unknown".

Nothing raised or logged here holds a header, a token or a body.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
import simplejson
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from connectors.base.errors import (
    ConnectorError,
    NeedsReconnect,
    OutcomeUnknown,
    Rejected,
    RetryLater,
)
from connectors.base.protocol import Connection, WireAnswer, WireRequest

log = logging.getLogger("connectors.http")

JSON = "application/json"
LARGEST_ANSWER = 10_000_000
LONGEST_WAIT = timedelta(days=1)
# Reads that met a closed door or a cut line are tried again after these pauses, in seconds.
READ_PAUSES = (0.1, 0.4)
# How long a body may still arrive after the time an answer as a whole may take.
BODY_GRACE = 10.0
# JSON can spell what is no text: half of a pair, as of an emoji that was cut, and NUL.
NO_TEXT = re.compile("[\0\ud800-\udfff]")


class Unreadable(ValueError):
    """The answer is not the JSON it should be."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer, whatever its status; `path` is what was asked, without its query."""

    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, amounts as Decimal, texts as any database holds them.

        Raises Unreadable.
        """
        if "json" not in self.headers.get("Content-Type", "").lower():
            raise Unreadable("not JSON by its content type")
        try:
            return _storable(simplejson.loads(self.body.decode("utf-8-sig"), use_decimal=True))
        except (ValueError, RecursionError):
            raise Unreadable("not JSON") from None

    def json_or_none(self) -> Any:
        """As `json`, None where there is no such thing."""
        try:
            return self.json()
        except Unreadable:
            return None


# A package's reading of a refusal; None leaves it to the general rule for that status.
Explain = Callable[[Answer], ConnectorError | None]


class Http:
    """One session to one base URL, for one connector.

    `explain` is asked about every answer that is no success. For a 401 it answers NeedsReconnect
    only where a newer token cannot help. For a write answered by a 5xx it answers RetryLater only
    where the package documents that nothing was executed. `remaining` names the headers that tell
    how many calls are left, and the limit each belongs to.
    """

    def __init__(
        self,
        base_url: str,
        connection: Connection,
        explain: Explain,
        *,
        label: str,
        headers: Mapping[str, str] | None = None,
        remaining: Mapping[str, str] | None = None,
        key_header: str = "Idempotency-Key",
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._connection = connection
        # The path of the endpoint itself, where it has one: it is the name of a rehearsal, which
        # opens it.
        within = [one for one in connection.endpoints.values() if self._base_url.startswith(one)]
        self._apart = urlsplit(max(within, key=len, default="")).path.rstrip("/")
        self._explain = explain
        self._label = label
        self._remaining = dict(remaining or {})
        self._key_header = key_header
        self._session = _session()
        self._session.headers.update({"Accept": JSON, "User-Agent": "Abtrac-Link"})
        self._session.headers.update(headers or {})

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def read(self, path: str, *, headers: Mapping[str, str] | None = None, **params: Any) -> Any:
        """What a GET answers; None for "not modified".

        Raises Rejected, NeedsReconnect, RetryLater.
        """
        answer = self._read(path, headers or {}, params)
        if answer.status == 304:
            return None
        return self._understood(answer, is_write=False)

    def read_or_none(self, path: str, **params: Any) -> Any:
        """As `read`, but None when there is no such thing (404)."""
        answer = self._read(path, {}, params)
        if answer.status == 404:
            return None
        return self._understood(answer, is_write=False)

    def write(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        idempotency_key: str = "",
        params: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> Any:
        """What a write answers; None for an answer that is empty by its status.

        The body is bytes, or is written as JSON. Raises Rejected and NeedsReconnect (nothing was
        written), RetryLater (surely nothing was written), OutcomeUnknown. The transport repeats
        nothing; only a write refused for its token goes out again, once, with a newer one.
        """
        headers = {self._key_header: idempotency_key} if idempotency_key else {}
        raw = b""
        if body is not None:
            raw = body if isinstance(body, bytes) else _dump(body)
            headers["Content-Type"] = content_type
        request = self._request(method, path, params or {}, headers, raw)
        answer = self._with_token(
            lambda token: self._written(request, token, content_type, idempotency_key)
        )
        return self._understood(answer, is_write=True)

    # --- Calls ---------------------------------------------------------------------------------

    def _read(self, path: str, headers: Mapping[str, str], params: Mapping[str, Any]) -> Answer:
        request = self._request("GET", path, params, headers, b"")
        return self._with_token(lambda token: self._read_patiently(request, token))

    def _read_patiently(self, request: requests.Request, token: str) -> Answer:
        for pause in (*READ_PAUSES, None):
            self._connection.limiter.acquire()
            try:
                answer = self._send(self._prepared(request, token))
            except _Failure as failure:
                if pause is None or not failure.quick:
                    raise self._unreached(failure) from None
            else:
                self._observe(answer)
                return answer
            time.sleep(pause)
        raise AssertionError("The last attempt answers or raises.")

    def _written(
        self, request: requests.Request, token: str, content_type: str, key: str
    ) -> Answer:
        """Send it once, telling the recorder before and after."""
        recorder = self._connection.recorder
        prepared = self._prepared(request, token)
        self._connection.limiter.acquire()
        not_after = recorder.before_write(
            WireRequest(
                method=str(prepared.method),
                path=self._path_of(prepared),
                body=request.data or b"",
                content_type=content_type if request.data else "",
                idempotency_key=key,
            )
        )
        try:
            answer = self._send(prepared, not_after=not_after)
        except _Failure as failure:
            recorder.after_write(
                WireAnswer(status=failure.status, body=failure.body, reason=failure.reason)
            )
            if failure.sent:
                raise self._unknown() from None
            raise self._unreached(failure) from None
        recorder.after_write(WireAnswer(status=answer.status, body=answer.body))
        # Only now: nothing that goes wrong with the counting may hide what was answered.
        self._observe(answer)
        return answer

    def _with_token(self, call: Callable[[str], Answer]) -> Answer:
        """Make the call; when its token is refused, once more with a newer one."""
        token = self._connection.tokens.access_token()
        answer = call(token)
        if answer.status != 401 or isinstance(self._explain(answer), NeedsReconnect):
            return answer
        return call(self._connection.tokens.renew(token))

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        body: bytes,
    ) -> requests.Request:
        url = f"{self._base_url}{path}"
        if params:
            url += "?" + urlencode(
                {key: _text(one) for key, one in params.items()}, quote_via=quote
            )
        return requests.Request(method, url, headers=dict(headers), data=body or None)

    def _prepared(self, request: requests.Request, token: str) -> requests.PreparedRequest:
        request.auth = _Bearer(token)
        try:
            return self._session.prepare_request(request)
        except requests.RequestException:
            raise RetryLater(
                f"The address set on this server for {self._label} is not a web address."
            ) from None

    def _send(
        self, prepared: requests.PreparedRequest, *, not_after: float | None = None
    ) -> Answer:
        """One request, one whole answer. Raises _Failure."""
        limits = self._connection.limits
        deadline = time.monotonic() + limits.connect_timeout + limits.read_timeout + BODY_GRACE
        options = self._session.merge_environment_settings(prepared.url, {}, True, None, None)
        _left.any = False
        _left.not_after = not_after
        try:
            response = self._session.send(
                prepared,
                timeout=(limits.connect_timeout, limits.read_timeout),
                allow_redirects=False,
                **options,
            )
        except (requests.RequestException, HTTPError) as error:
            self._log(prepared, reason := type(error).__name__)
            timed_out = isinstance(error, requests.Timeout)
            raise _Failure(reason, sent=_left.any, quick=not timed_out) from None
        with response:
            body = self._body(prepared, response, deadline)
        self._log(prepared, str(response.status_code))
        return Answer(
            path=self._path_of(prepared).partition("?")[0],
            status=response.status_code,
            headers=CaseInsensitiveDict(response.headers),
            body=body,
        )

    def _body(
        self, prepared: requests.PreparedRequest, response: requests.Response, deadline: float
    ) -> bytes:
        """The body, decoded, at most LARGEST_ANSWER of it. Raises _Failure."""
        body = bytearray()
        reason = ""
        try:
            while part := response.raw.read1(65536, decode_content=True):
                body += part
                if len(body) > LARGEST_ANSWER:
                    reason = "answer too large"
                elif time.monotonic() > deadline:
                    reason = "answer too slow"
                if reason:
                    break
        except (HTTPError, OSError) as error:
            reason = type(error).__name__
        if not reason:
            return bytes(body)
        self._log(prepared, f"{response.status_code} {reason}")
        raise _Failure(
            reason, sent=True, status=response.status_code, body=bytes(body[:LARGEST_ANSWER])
        )

    def _observe(self, answer: Answer) -> None:
        left = {
            limit: int(answer.headers[header])
            for header, limit in self._remaining.items()
            if answer.headers.get(header, "").isdecimal()
        }
        if left:
            self._connection.limiter.observe(left)

    def _path_of(self, prepared: requests.PreparedRequest) -> str:
        """The path as the package names it, query and all: what goes into logs and is kept."""
        return prepared.path_url.removeprefix(self._apart)

    def _log(self, prepared: requests.PreparedRequest, result: str) -> None:
        # Without the query: names of clients are looked up there.
        path = self._path_of(prepared).partition("?")[0]
        interface = self._connection.interface
        log.info(
            "call package=%s interface=%s %s %s result=%s",
            *(self._label, interface, prepared.method, path, result),
        )

    # --- What an answer means ------------------------------------------------------------------

    def _understood(self, answer: Answer, *, is_write: bool) -> Any:
        """The JSON of a success; anything else is raised."""
        if not 200 <= answer.status < 300:
            raise self._refusal(answer, is_write=is_write)
        if answer.status in {204, 205}:
            return None
        try:
            return answer.json()
        except Unreadable:
            if is_write:
                raise self._unknown() from None
            raise RetryLater(f"{self._label} gave an answer that cannot be read.") from None

    def _refusal(self, answer: Answer, *, is_write: bool) -> ConnectorError:
        error = self._explain(answer) or self._by_status(answer, is_write=is_write)
        if isinstance(error, OutcomeUnknown) and not is_write:
            return RetryLater(str(error))
        if isinstance(error, RetryLater):
            error.after = error.after or retry_after(answer.headers)
            error.congested = error.congested or answer.status == 429
        return error

    def _by_status(self, answer: Answer, *, is_write: bool) -> ConnectorError:
        """The general rule, for what the package's `explain` says nothing of."""
        status = answer.status
        if status == 429:
            return RetryLater(f"{self._label} asks us to wait before more calls are made.")
        if status in {401, 403}:
            return NeedsReconnect(
                f"{self._label} does not accept the saved sign-in any more. Connect again."
            )
        # 303 says "done, look there"; the other redirects were not carried out.
        if status in {303, 408} or status >= 500 or status < 200:
            if is_write:
                return self._unknown()
            return RetryLater(f"{self._label} is in trouble just now ({status}).")
        if status < 400:
            return RetryLater(
                f"{self._label} answered from another address than the one set on this server."
                " The address needs correcting there."
            )
        return Rejected(f"{self._label} refused the request ({status}).", code=str(status))

    def _unknown(self) -> OutcomeUnknown:
        return OutcomeUnknown(f"{self._label} gave no clear answer.")

    def _unreached(self, failure: "_Failure") -> RetryLater:
        if failure.sent:
            return RetryLater(f"{self._label} did not answer.")
        return RetryLater(f"{self._label} could not be reached. Nothing was sent.")


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """The wait asked for, in seconds or as a date, at most a day; None where there is none."""
    wish = headers.get("Retry-After", "").strip()
    if wish.isascii() and wish.isdecimal():
        return min(timedelta(seconds=min(int(wish), 10**6)), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(wish)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(until - datetime.now(UTC), timedelta(0)), LONGEST_WAIT)


def _dump(body: Any) -> bytes:
    return bytes(
        simplejson.dumps(
            body, use_decimal=True, allow_nan=False, ensure_ascii=False, separators=(",", ":")
        ).encode()
    )


def _storable(read: Any) -> Any:
    """What was read, with a replacement character for each that no database takes as text."""
    if isinstance(read, str):
        return NO_TEXT.sub("\ufffd", read)
    if isinstance(read, list):
        return [_storable(one) for one in read]
    if isinstance(read, dict):
        return {_storable(name): _storable(one) for name, one in read.items()}
    return read


def _text(param: Any) -> str:
    return str(param).lower() if isinstance(param, bool) else str(param)


class _Failure(Exception):
    """No whole answer came. `quick` says that it took no waiting to know."""

    def __init__(
        self, reason: str, *, sent: bool, status: int = 0, body: bytes = b"", quick: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.status = status
        self.body = body
        self.quick = quick


class _Bearer(AuthBase):
    """The token. As `auth`, so that no .netrc on the server can put another in its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


# --- Whether anything left -----------------------------------------------------------------------
# requests reports a refused connection and one cut while the answer was awaited alike, so the
# connections themselves keep note. One call is made at a time in a thread.


class _Left(threading.local):
    """Whether any byte of the request in hand was given to the socket, and until when it may be."""

    any = False
    not_after: float | None = None


_left = _Left()


class _PlainConnection(HTTPConnection):
    def connect(self) -> None:
        try:
            super().connect()
        finally:
            _left.any = False  # what a proxy was told on the way is not the request

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if _left.not_after is not None and time.monotonic() > _left.not_after:
            # We were stopped on the way: by now somebody else may have found it absent.
            raise requests.ConnectionError("Too late to send.")
        _left.any = True
        super().send(data)


class _SecureConnection(_PlainConnection, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _watch(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        _watch(manager)
        return manager


def _watch(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


def _session() -> requests.Session:
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(max_retries=0))
    session.stream = True
    return session
