"""A server that answers exactly the bytes it is told, or cuts the line."""

import socket
import threading
from collections.abc import Callable, Mapping
from typing import Self

# Reads nothing, is given the connection after the request was read, and may close it.
Act = Callable[[socket.socket], None]


class RawServer:
    """Answers each request by the next act; when there is none left it closes the line."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            hang_up(one)
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=[connection], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while request := _read_request(connection):
                self.requests.append(request)
                if not self.acts:
                    break
                self.acts.pop(0)(connection)
        except OSError:
            pass
        hang_up(connection)


def answer(
    status: int = 200,
    body: bytes = b"{}",
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    length: int | None = None,
) -> Act:
    """A whole answer; with a larger `length` than the body it is cut short."""

    def act(connection: socket.socket) -> None:
        told = {
            "Content-Type": content_type,
            "Content-Length": str(len(body) if length is None else length),
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        connection.sendall(f"HTTP/1.1 {status} Told\r\n{head}\r\n".encode() + body)
        if length is not None:
            hang_up(connection)

    return act


def cut(connection: socket.socket) -> None:
    """No answer: the line is closed."""
    hang_up(connection)


def hold_until(event: threading.Event) -> Act:
    """No answer while the event is not set."""

    def act(connection: socket.socket) -> None:
        event.wait(timeout=10)

    return act


def hang_up(connection: socket.socket) -> None:
    """Close the line for both sides, whoever is reading."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        connection.close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _read_request(connection: socket.socket) -> bytes:
    """One request, head and body; empty when the line is closed."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            return b""
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            break
        body += part
    return head + b"\r\n\r\n" + body
