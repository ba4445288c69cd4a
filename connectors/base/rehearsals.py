"""Any number of rehearsals in one server, each below an address of its own and apart from the rest.

A rehearsal lives at `/<package>/<token>/`: a stand-in made when it is first asked for, whose books
nobody sees who does not know the token. It is emptied when it has long not been used, when too
many others have been used since, when it is told to with DELETE, and when the server ends.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from werkzeug.wrappers import Response

from connectors.base.served import Served
from connectors.base.standin import StandIn

MOST = 200
IDLE = timedelta(days=1)
# What one rehearsal may hold: a person trying things out comes nowhere near.
LARGEST_BODY = 15 * 1024 * 1024
MOST_BYTES = 60 * 1024 * 1024
KEPT, KEPT_BYTES = 200, 1024 * 1024

ADDRESS = re.compile(r"/(?P<package>[a-z0-9_]{1,40})/(?P<token>[A-Za-z0-9_-]{32,64})(?=/|$)")


@dataclass
class _Rehearsal:
    """One stand-in, when it was last asked for, and how much it was sent."""

    standin: StandIn
    used_at: float
    sent: int = 0


class Rehearsals(Served):
    """The server of rehearsals. `make` answers a stand-in, or None where the package has none."""

    def __init__(
        self,
        make: Callable[[str], StandIn | None],
        *,
        admits: Callable[[str], bool] = lambda _: True,
        most: int = MOST,
        idle: timedelta = IDLE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`admits` tells the tokens that were given out from those that somebody made up."""
        super().__init__()
        self._make = make
        self._admits = admits
        self._most = most
        self._idle = idle.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        # The one that was not used for longest comes first.
        self._held: OrderedDict[tuple[str, str], _Rehearsal] = OrderedDict()

    def standin(self, package: str, token: str) -> StandIn | None:
        """The stand-in of a rehearsal that is there, for a look at its books."""
        with self._lock:
            found = self._held.get((package, token))
        return found.standin if found else None

    def forget(self, package: str, token: str) -> bool:
        """Empty the rehearsal; whether there was one."""
        with self._lock:
            return self._held.pop((package, token), None) is not None

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = "/" + environ.get("PATH_INFO", "").lstrip("/")
        if path == "/":
            return Response("Rehearsals are served here.")(environ, start_response)
        address = ADDRESS.match(path)
        if address is None or not self._admits(address["token"]):
            return _refused(404, "There is no such rehearsal.")(environ, start_response)
        inner = path[address.end() :]
        if environ["REQUEST_METHOD"] == "DELETE" and inner in {"", "/"}:
            known = self.forget(address["package"], address["token"])
            return Response(status=204 if known else 404)(environ, start_response)
        held = self._find(address["package"], address["token"])
        if held is None:
            return _refused(404, "This package cannot be rehearsed.")(environ, start_response)
        if "HTTP_TRANSFER_ENCODING" in environ:
            return _refused(411, "Say how long the body is.")(environ, start_response)
        held.sent += _length(environ)
        if held.sent > MOST_BYTES:
            return _refused(413, "This rehearsal is full: begin another.")(environ, start_response)
        below = environ | {
            "SCRIPT_NAME": environ.get("SCRIPT_NAME", "").rstrip("/") + address.group(),
            "PATH_INFO": inner or "/",
        }
        # Of the product's own pages, where they are on the same host.
        below.pop("HTTP_COOKIE", None)
        return held.standin.application(below, start_response)

    def _find(self, package: str, token: str) -> _Rehearsal | None:
        """The rehearsal, made on first use."""
        now, key = self._clock(), (package, token)
        with self._lock:
            self._empty_idle(now)
            held = self._held.get(key)
            if held is None:
                standin = self._make(package)
                if standin is None:
                    return None
                standin.largest_body = LARGEST_BODY
                standin.kept, standin.kept_bytes = KEPT, KEPT_BYTES
                held = self._held[key] = _Rehearsal(standin, now)
            held.used_at = now
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return held

    def _empty_idle(self, now: float) -> None:
        while self._held:
            oldest = next(iter(self._held.values()))
            if now - oldest.used_at < self._idle:
                return
            self._held.popitem(last=False)


def _length(environ: dict[str, Any]) -> int:
    """How long the body says it is; more of it is not read."""
    given = environ.get("CONTENT_LENGTH") or "0"
    return int(given) if given.isascii() and given.isdecimal() else 0


def _refused(status: int, why: str) -> Response:
    return Response(f"{why}\n", status, content_type="text/plain; charset=utf-8")
