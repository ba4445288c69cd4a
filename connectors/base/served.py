"""What serves over HTTP in a thread of its own: a stand-in, or a house full of them."""

import errno
import socket
import struct
import threading
import time
from collections.abc import Iterable
from typing import Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

# How often a waiting request looks whether the server is being stopped.
TICK = 0.05


class Served:
    """A little server; subclasses say in `_serve` what it answers."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, as a WSGI application."""
        raise NotImplementedError

    def start(self, host: str = "127.0.0.1", port: int = 0) -> Self:
        """Serve in a thread of its own; port 0 takes a free one. Raises OSError when it is busy."""
        if self._server is not None:
            raise RuntimeError("It is already running.")
        self._stopping.clear()
        with _listen(host, port) as listening:
            self._server = _Server(host, port, self._serve, _QuietHandler, fd=listening.fileno())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(TICK,), daemon=True, name=type(self).__name__
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving; requests that still wait are let go."""
        if self._server is None or self._thread is None:
            return
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self if self._server else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its base URL."""
        if self._server is None:
            raise RuntimeError("It is not running.")
        host = f"[{self._server.host}]" if ":" in self._server.host else self._server.host
        return f"http://{host}:{self._server.port}"


def serve_until_stopped(served: Served, *, host: str, port: int, name: str) -> int:
    """Run it from the command line until Ctrl-C; 1 when its port is busy."""
    try:
        served.start(host, port)
    except OSError as error:
        print(error.strerror or error)
        return 1
    print(f"{name} on {served.url}. Ctrl-C stops it.", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        served.stop()
    return 0


class _Server(ThreadedWSGIServer):
    daemon_threads = True

    def shutdown_request(self, request: Any) -> None:
        """Close a connection; one that is to be reset skips the farewell that would soften it."""
        if _lingers(request):
            self.close_request(request)
        else:
            super().shutdown_request(request)


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: what was asked is in `requests`."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """Wait for no further request on a connection the script has ended."""
        self.close_connection = True


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; Werkzeug left to itself would end the process when the port is busy."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OverflowError as error:
        listening.close()
        raise OSError(f"Port {port} cannot be: give one between 0 and 65535.") from error
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} on {host} is in use by another program."
        else:
            reason = f"Cannot listen on {host} port {port}: {error.strerror}."
        raise OSError(error.errno, reason) from error
    return listening


def _lingers(connection: socket.socket) -> bool:
    """Whether `_reset` was here."""
    on, _ = struct.unpack("ii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
    return bool(on)
