"""What the demonstration plays on: a rehearsal Xero, a web server and a worker, all on loopback."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connections
from werkzeug.serving import WSGIRequestHandler, make_server

from connectors import registry
from interfaces import rehearsals
from invoicing import workers
from invoicing.ports import PortTaken

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What is running."""

    standin: Any
    url: str


@contextmanager
def set_up(*, port: int, standin_port: int) -> Iterator[Stage]:
    """Start everything, and stop it at the end. Raises PortTaken."""
    with ExitStack() as stack:
        standin = registry.standin_of(registry.package("xero"))()
        try:
            standin.start(host=HOST, port=standin_port)
        except OSError:
            raise PortTaken(str(standin_port)) from None
        stack.callback(standin.stop)
        if served := rehearsals.serve_embedded():
            stack.callback(served.stop)
        stack.enter_context(_web(port))
        running = workers.start()
        stack.callback(running.stop)
        yield Stage(standin=standin, url=settings.SITE_URL)


@contextmanager
def _web(port: int) -> Iterator[None]:
    try:
        server = make_server(
            HOST, port, _tidy(get_wsgi_application()), threaded=True, request_handler=_Quiet
        )
    except (OSError, SystemExit):
        raise PortTaken(str(port)) from None
    thread = threading.Thread(target=server.serve_forever, name="web", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _tidy(application: Any) -> Any:
    """Each request has a thread of its own here, whose database connection ends with it."""

    def serve(environ: Any, start_response: Any) -> Any:
        answer = application(environ, start_response)
        close = answer.close

        def close_all() -> None:
            close()
            connections.close_all()

        answer.close = close_all
        return answer

    return serve


class _Quiet(WSGIRequestHandler):
    """Says nothing of each request: the addresses of a sign-in hold codes."""

    def log(self, type: str, message: str, *args: Any) -> None:
        logging.getLogger("invoicing.demo").debug("%s request", type)


def is_inside() -> bool:
    """Whether this process has the demonstration's own environment."""
    return os.environ.get("LINK_DEMO") == "1"
