"""The base of every stand-in: a strict little server for rehearsals that can misbehave on demand.

A stand-in answers over loopback HTTP as its package would, keeps what it was sent, and follows a
fault script: the nth request to some path can be delayed, held, dropped, cut off or answered with
anything, before or after it took effect. Packages add their own rules in `answer`.
"""

import itertools
import json
import logging
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, ClassVar

import simplejson
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from connectors.base import alterations
from connectors.base.served import TICK, Served

log = logging.getLogger("connectors.standin")

CONTROL = "/_standin/"
# Where a request carries its number.
NUMBER = "standin.number"
LARGEST_BODY = 40 * 1024 * 1024
SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
# Requests kept for a look afterwards, and bytes of their bodies; a rehearsal may run for weeks.
KEPT = 20_000
KEPT_BYTES = 256 * 1024 * 1024
# The app of every rehearsal; it opens nothing else.
CLIENT_ID = "standin-client"
CLIENT_SECRET = "standin-secret"  # noqa: S105


@dataclass(frozen=True)
class Delay:
    """Answer late. Without `after_effect` the effect is late as well."""

    seconds: float
    after_effect: bool = False


@dataclass(frozen=True)
class Hold:
    """Wait until the event is set, before the effect or between effect and answer."""

    event: threading.Event
    after_effect: bool = False


@dataclass(frozen=True)
class Drop:
    """Reset the connection without an answer."""

    after_effect: bool


@dataclass(frozen=True)
class Answer:
    """Answer this instead; with `after_effect` what was asked is done all the same."""

    status: int
    body: bytes | str | Mapping[str, Any] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after_effect: bool = False


@dataclass(frozen=True)
class Truncate:
    """Take effect, promise the whole answer and send half of it."""


@dataclass(frozen=True)
class Alter:
    """Take effect, and answer what `change` makes of the answer's JSON."""

    change: alterations.Change


Fault = Delay | Hold | Drop | Answer | Truncate | Alter


@dataclass
class Seen:
    """One request as it arrived; `status` stays None while, or when, nothing was answered.

    `let_in` says that it was not refused on arrival, `took_effect` that the package's own rules ran
    and accepted it; `number` counts from 1 over all that ever arrived.
    """

    at: datetime
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    status: int | None = None
    took_effect: bool = False
    number: int = 0
    let_in: bool = False


@dataclass
class _Rule:
    """A line of the fault script: for whom, how often, after how many, what."""

    method: str | None
    path: re.Pattern[str] | None
    times: int | None
    after: int
    fault: Fault

    def takes(self, request: Request) -> bool:
        """Whether this request gets the fault; counts it when it matches."""
        if self.method not in (None, request.method):
            return False
        if self.path is not None and not self.path.fullmatch(request.path):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class StandIn(Served):
    """A stand-in server. Subclasses say what it answers; the lock is held while they do."""

    # The base URLs the package declares; here they are all this one server.
    endpoint_names: ClassVar[tuple[str, ...]] = ("api",)
    words: ClassVar[alterations.Words] = alterations.Words()

    def __init__(self) -> None:
        super().__init__()
        self.client_id = CLIENT_ID
        self.client_secret = CLIENT_SECRET
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.lock = threading.RLock()
        self.crashes: list[Exception] = []
        self.largest_body = LARGEST_BODY
        self.kept, self.kept_bytes = KEPT, KEPT_BYTES
        self._arrived = threading.Condition()
        self._seen: deque[Seen] = deque()
        self._seen_bytes = 0
        self._numbers = itertools.count(1)
        self._script: list[_Rule] = []
        self._holds: dict[str, threading.Event] = {}

    # What a package adds

    def answer(self, request: Request) -> Response:
        """Do what is asked and answer it, as the package would."""
        raise NotImplementedError

    def arrive(self, request: Request) -> Response | None:
        """Told of each request before it waits for anything; an answer here refuses it."""
        return None

    def leave(self, request: Request) -> None:
        """Told when a request that arrived is over, however it ended."""

    def takes(self, request: Request) -> float:
        """Seconds it works at the request before it answers, without holding up others."""
        return 0.0

    def keeps_body(self, request: Request) -> bool:
        """Whether the body may be kept; not where it carries secrets."""
        return True

    def state(self) -> dict[str, Any]:
        """What it holds, for a look from another process."""
        return {}

    def control(self, name: str, body: Mapping[str, Any]) -> bool:
        """Do what a control of the package's own asks; False where there is none of that name."""
        return False

    # Where it is

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if self.crashes:
            raise ExceptionGroup("The stand-in itself failed.", self.crashes)

    @property
    def endpoints(self) -> Mapping[str, str]:
        """The endpoint names of the package, all led here."""
        return dict.fromkeys(self.endpoint_names, self.url)

    # Looking

    @property
    def requests(self) -> list[Seen]:
        """All requests so far, oldest first (control requests are not among them)."""
        with self._arrived:
            return list(self._seen)

    def seen(self, method: str | None = None, path: str | None = None) -> list[Seen]:
        """Those of that method whose path matches the whole expression."""
        return [one for one in self.requests if _matches(one, method, path)]

    def wait_for(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        count: int = 1,
        answered: bool = False,
        took_effect: bool = False,
        let_in: bool = False,
        timeout: float = 20.0,
    ) -> Seen:
        """The count-th such request, waited for. Raises TimeoutError when it does not come."""

        def nth() -> Seen | None:
            found = [one for one in self._seen if _matches(one, method, path)]
            found = [one for one in found if one.status is not None or not answered]
            found = [one for one in found if one.took_effect or not took_effect]
            found = [one for one in found if one.let_in or not let_in]
            return found[count - 1] if len(found) >= count else None

        with self._arrived:
            if not self._arrived.wait_for(lambda: nth() is not None, timeout):
                raise TimeoutError(f"No request {count} of {method or '*'} {path or '*'} came.")
            found = nth()
        if found is None:
            raise TimeoutError("The request was forgotten again.")
        return found

    # Misbehaving

    def altered(self, name: str) -> Alter:
        """The alteration of that name, in this package's words. Raises KeyError."""
        return Alter(alterations.named(name, self.words))

    def script(
        self,
        method: str | None = None,
        path: str | None = None,
        *,
        times: int | None = 1,
        after: int = 0,
        fault: Fault,
    ) -> None:
        """Give the next `times` matching requests the fault, letting the first `after` pass.

        `path` is a regular expression for the whole path; `times=None` never ends. Where several
        lines of the script match a request, the one written first that is not used up counts.
        """
        pattern = None if path is None else re.compile(path)
        method = None if method is None else method.upper()
        with self.lock:
            self._script.append(_Rule(method, pattern, times, after, fault))

    @property
    def still_to_come(self) -> int:
        """How many requests the script would still meet; endless lines of it do not count."""
        with self.lock:
            return sum(one.times or 0 for one in self._script)

    def clear(self) -> None:
        """Forget the script and the requests seen; what the package holds stays."""
        with self.lock:
            self._script.clear()
        with self._arrived:
            self._seen.clear()
            self._seen_bytes = 0

    # Serving

    def application(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The package alone, as a WSGI application at whatever prefix: no controls."""
        request = Request(environ)
        request.max_content_length = self.largest_body
        try:
            request.get_data()
        except RequestEntityTooLarge as error:
            return error.get_response(environ)(environ, start_response)
        except ClientDisconnected as error:
            raise ConnectionAbortedError("Its body was cut off: it is no request.") from error
        seen = self._note(request)
        with self.lock:
            rule = next((one for one in self._script if one.takes(request)), None)
        fault = rule.fault if rule else None
        if isinstance(fault, Drop) and not fault.after_effect:
            _reset(environ)
        if isinstance(fault, Answer) and not fault.after_effect:
            response = _scripted(fault)
        else:
            response = self._answer_with(fault, request, seen)
        if isinstance(fault, Drop):
            _reset(environ)
        with self._arrived:
            seen.status = response.status_code
            self._arrived.notify_all()
        if isinstance(fault, Truncate):
            return _half(response, environ, start_response)
        return response(environ, start_response)

    def _answer_with(self, fault: Fault | None, request: Request, seen: Seen) -> Response:
        """What the package answers, once it has waited as the fault says."""
        with self.lock:
            response = self.arrive(request)
        with self._arrived:
            seen.let_in = response is None
            self._arrived.notify_all()
        try:
            if isinstance(fault, Delay | Hold) and not fault.after_effect:
                self._wait(fault)
            if response is None:
                self._stopping.wait(self.takes(request))
                with self.lock:
                    response = self._guarded(request)
                with self._arrived:
                    seen.took_effect = response.status_code < 400
                    self._arrived.notify_all()
            if isinstance(fault, Delay | Hold) and fault.after_effect:
                self._wait(fault)
        finally:
            with self.lock:
                self.leave(request)
        if isinstance(fault, Alter):
            with self.lock:
                answered = response
                response = self._guarded(request, lambda _: _alter(answered, fault))
        return _scripted(fault) if isinstance(fault, Answer) else response

    def _guarded(
        self, request: Request, answer: Callable[[Request], Response] | None = None
    ) -> Response:
        """The answer; a bug of the stand-in is kept and said, so no test takes it for a rule."""
        try:
            return (answer or self.answer)(request)
        except HTTPException as error:
            return Response(error.get_body(), error.code, error.get_headers())
        except Exception as error:
            log.exception("The stand-in failed at %s %s", request.method, request.path)
            self.crashes.append(error)
            return Response("The stand-in itself failed; see its log.", 500)

    def _wait(self, fault: Delay | Hold) -> None:
        if isinstance(fault, Delay):
            self._stopping.wait(fault.seconds)
            return
        while not fault.event.wait(TICK) and not self._stopping.is_set():
            pass

    def _note(self, request: Request) -> Seen:
        headers = {k: v for k, v in request.headers if k.lower() not in SECRET_HEADERS}
        body = request.get_data() if self.keeps_body(request) else b""
        seen = Seen(
            self.clock(), request.method, request.path, request.args.to_dict(), headers, body
        )
        with self._arrived:
            request.environ[NUMBER] = seen.number = next(self._numbers)
            self._seen.append(seen)
            self._seen_bytes += len(body)
            while len(self._seen) > self.kept or (
                self._seen_bytes > self.kept_bytes and self._seen
            ):
                self._seen_bytes -= len(self._seen.popleft().body)
            self._arrived.notify_all()
        return seen

    # Control over HTTP, for tests and rehearsals in another process

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        if not request.path.startswith(CONTROL):
            return self.application(environ, start_response)
        request.max_content_length = self.largest_body
        return self._control(request)(environ, start_response)

    def _control(self, request: Request) -> Response:
        if not ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104 - compared
            return _json(403, {"error": "Only from this computer."})
        # A page in a browser can post a form to loopback, but not this content type.
        if request.method == "POST" and request.mimetype != "application/json":
            return _json(415, {"error": "Send application/json."})
        asked = request.method, request.path.removeprefix(CONTROL)
        try:
            body = json.loads(request.get_data() or b"{}")
            if asked == ("GET", "requests"):
                return _json(200, {"requests": [_shown(one) for one in self.requests]})
            if asked == ("GET", "state"):
                with self.lock:
                    return _json(200, self.state())
            if asked == ("POST", "script"):
                self.script(
                    body.get("method"),
                    body.get("path"),
                    times=body.get("times", 1),
                    after=body.get("after", 0),
                    fault=self._fault(dict(body["fault"])),
                )
            elif asked == ("POST", "release"):
                self._hold(body["name"]).set()
            elif asked == ("POST", "clear"):
                self.clear()
            elif request.method != "POST" or not self.control(asked[1], body):
                return _json(404, {"error": "There is no such control."})
        except (AttributeError, KeyError, TypeError, ValueError, re.error) as error:
            return _json(400, {"error": f"Not understood: {error!r}"})
        return _json(200, {"ok": True})

    def _fault(self, asked: dict[str, Any]) -> Fault:
        """A fault as written in JSON: its kind and its fields; a hold has a name instead."""
        kind = asked.pop("kind")
        if kind == "hold":
            return Hold(self._hold(asked.pop("name")), **asked)
        if kind == "alter":
            return self.altered(**asked)
        kinds: dict[str, Callable[..., Fault]] = {
            "delay": Delay,
            "drop": Drop,
            "answer": Answer,
            "truncate": Truncate,
        }
        return kinds[kind](**asked)

    def _hold(self, name: str) -> threading.Event:
        with self.lock:
            return self._holds.setdefault(name, threading.Event())


def _matches(seen: Seen, method: str | None, path: str | None) -> bool:
    return method in (None, seen.method) and (
        path is None or re.fullmatch(path, seen.path) is not None
    )


def _reset(environ: dict[str, Any]) -> None:
    """End the connection with a reset; the server takes the error for a client that went away."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError("Dropped by the fault script.")


def _half(response: Response, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    """The headers of the whole answer and the first half of its body."""
    body = response.get_data()
    response.headers["Content-Length"] = str(len(body))
    list(response(environ, start_response))
    yield body[: len(body) // 2]
    raise ConnectionAbortedError("Cut off by the fault script.")


def _scripted(fault: Answer) -> Response:
    body = fault.body if isinstance(fault.body, bytes | str) else json.dumps(fault.body)
    kind = "text/html" if isinstance(fault.body, bytes | str) else "application/json"
    response = Response(body, fault.status, content_type=kind)
    response.headers.update(fault.headers)
    return response


def _alter(response: Response, fault: Alter) -> Response:
    """The answer changed; amounts keep every digit."""
    read = simplejson.loads(response.get_data(), use_decimal=True)
    written = simplejson.dumps(fault.change(read), use_decimal=True)
    altered = Response(written, response.status_code, content_type=response.content_type)
    kept = {name: each for name, each in response.headers if name.lower() != "content-length"}
    altered.headers.update(kept)
    return altered


def _json(status: int, body: Mapping[str, Any]) -> Response:
    return Response(json.dumps(body, default=str), status, content_type="application/json")


def _shown(seen: Seen) -> dict[str, Any]:
    return asdict(seen) | {"body": seen.body.decode(errors="replace")}
