"""The line between product and package: a little TCP proxy that resets, cuts, holds and swallows.

The script goes by request: a line of it takes the next requests that begin with its words.
"""

import fcntl
import select
import socket
import struct
import termios
import threading
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

TICK = 0.05
HEAD_ENDS = b"\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to a request, or to its answer."""

    of_answer: bool = False


@dataclass(frozen=True, kw_only=True)
class Cut(Fault):
    """Reset both ends once the head and `body` bytes of it have passed; None: before any has."""

    body: int | None = None


@dataclass(frozen=True, kw_only=True)
class Hold(Fault):
    """Pass it on only when the event is set."""

    event: threading.Event


@dataclass(frozen=True, kw_only=True)
class Swallow(Fault):
    """A black hole: it is taken, not passed on, and nothing ends the line."""


@dataclass
class _Rule:
    begins: bytes
    times: int
    after: int
    fault: Fault


class _Passing:
    """What passes in one direction of a line, under the fault of the request in hand."""

    def __init__(self) -> None:
        self.turn_to(None)

    def turn_to(self, fault: Fault | None) -> None:
        """A request begins."""
        self.fault, self._seen = fault, bytearray()

    def take(self, part: bytes) -> tuple[bytes, bool]:
        """What of the part may pass, and whether the line is cut behind it."""
        before = len(self._seen)
        self._seen += part
        if isinstance(self.fault, Swallow):
            return b"", False
        if not isinstance(self.fault, Cut):
            return part, False
        if self.fault.body is None:
            return b"", True
        head = self._seen.find(HEAD_ENDS)
        if head < 0:
            return part, False
        most = head + len(HEAD_ENDS) + self.fault.body
        return bytes(self._seen[before:most]), len(self._seen) >= most


class Wire:
    """A proxy before the server at `url`; stops with its context."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._far = (address.hostname or "", address.port or 0)
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._accepting: threading.Thread | None = None
        self._links: list[threading.Thread] = []
        self._deaf = threading.Event()
        self.port = 0
        self.listen()

    @property
    def url(self) -> str:
        """Where the product finds it."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.refuse()
        for link in self._links:
            link.join()

    def script(self, begins: str, fault: Fault, *, times: int = 1, after: int = 0) -> None:
        """Give the next `times` requests that begin so the fault, after letting `after` pass."""
        with self._lock:
            self._rules.append(_Rule(begins.encode(), times, after, fault))

    @property
    def still_to_come(self) -> int:
        """How many requests the script would still meet."""
        with self._lock:
            return sum(one.times for one in self._rules)

    def clear(self) -> None:
        """Forget the script."""
        with self._lock:
            self._rules.clear()

    def refuse(self) -> None:
        """Listen no more: whoever connects is refused. What is connected stays."""
        self._deaf.set()
        if self._accepting:
            self._accepting.join()
        self._accepting = None

    def listen(self) -> None:
        """Listen, again at the same port."""
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._deaf.clear()
        self._accepting = threading.Thread(target=self._accept, args=(listening,), daemon=True)
        self._accepting.start()

    def _accept(self, listening: socket.socket) -> None:
        with listening:
            while not self._deaf.is_set():
                if select.select([listening], [], [], TICK)[0]:
                    near, _ = listening.accept()
                    link = threading.Thread(target=self._link, args=(near,), daemon=True)
                    self._links.append(link)
                    link.start()

    def _link(self, near: socket.socket) -> None:
        """Pass on between the two ends until one of them ends it, or the script does."""
        try:
            with near, socket.create_connection(self._far) as far:
                passing = {near: _Passing(), far: _Passing()}
                last = far
                while not self._over.is_set():
                    for end in select.select([near, far], [], [], TICK)[0]:
                        part = end.recv(65536)
                        if not part:
                            return
                        if end is near and last is far:
                            self._begin(part, passing[near], passing[far])
                        last = end
                        if self._pass(part, passing[end], far if end is near else near):
                            self._let_arrive(far if end is near else near)
                            _reset_when_closed(near, far)
                            return
        except OSError:
            return  # one end has gone; now the other goes too

    def _begin(self, part: bytes, asked: _Passing, answered: _Passing) -> None:
        """A request begins: it, or its answer, gets the fault of the first line that takes it."""
        fault = None
        with self._lock:
            for rule in self._rules:
                if not part.startswith(rule.begins) or not rule.times:
                    continue
                if rule.after:
                    rule.after -= 1
                    continue
                rule.times -= 1
                fault = rule.fault
                break
        asked.turn_to(fault if fault and not fault.of_answer else None)
        answered.turn_to(fault if fault and fault.of_answer else None)

    def _let_arrive(self, other: socket.socket) -> None:
        """A reset throws away what was passed on and has not arrived yet: wait for that."""
        over = self._over
        while _on_the_way(other) and not over.is_set():
            over.wait(0.001)

    def _pass(self, part: bytes, passing: _Passing, other: socket.socket) -> bool:
        """Pass the part on as far as the fault lets it; True when the line is to be cut."""
        if isinstance(passing.fault, Hold):
            while not passing.fault.event.wait(TICK) and not self._over.is_set():
                pass
        some, is_cut = passing.take(part)
        other.sendall(some)
        return is_cut


def _on_the_way(end: socket.socket) -> int:
    """How many bytes written to it the other side has not acknowledged."""
    (left,) = struct.unpack("i", fcntl.ioctl(end, termios.TIOCOUTQ, bytes(4)))
    return int(left)


def _reset_when_closed(*ends: socket.socket) -> None:
    """No farewell: whoever is at the other end gets a reset."""
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
