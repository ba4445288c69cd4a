"""`manage.py serve`: the product on one computer."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings as product
from django.db import connection

from invoicing import serving
from tests.commands import ROOT, free_port, fresh_environment, manage

pytestmark = pytest.mark.skipif(
    not product.EMBEDDED, reason="It is of the embedded shape, which is tried on SQLite."
)

PATIENCE = 60.0


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """As on a fresh machine."""
    return fresh_environment(tmp_path / "var")


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> dict[str, str]:
    """With an empty database, which begins as a copy of the tests' own."""
    var = tmp_path_factory.mktemp("made") / "var"
    var.mkdir()
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(var / "abtrac-link.sqlite3")])
    environment = fresh_environment(var)
    assert manage(environment, "migrate").returncode == 0
    return environment


class Served:
    """`manage.py serve` as a process, and what it says."""

    def __init__(self, environment: dict[str, str], port: int, told: Path) -> None:
        self.address = f"http://127.0.0.1:{port}/healthz"
        self._told = told
        with told.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "manage.py", "serve", "--port", str(port)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def told(self) -> str:
        """All it has said so far."""
        return self._told.read_text()

    def workers(self) -> list[int]:
        """The processes it has started to serve and to send, the newest last."""
        return [int(one) for one in re.findall(r"Spawning worker-1 with PID: (\d+)", self.told())]


@pytest.fixture
def serve(made: dict[str, str], tmp_path: Path) -> Iterator[Callable[[int], Served]]:
    """Start it on a port, on one and the same folder."""
    started: list[Served] = []

    def start(port: int) -> Served:
        started.append(Served(made, port, tmp_path / f"told-{len(started)}"))
        return started[-1]

    yield start
    for one in started:
        for process in (one.process.pid, *one.workers()[-1:]):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        one.process.wait()


Serve = Callable[[int], Served]


def test_it_serves_the_pages_until_ctrl_c_which_both_processes_get(serve: Serve) -> None:
    served = serve(free_port())
    assert answers(served.address) == 200
    os.kill(served.workers()[-1], signal.SIGINT)
    assert {answers(served.address) for _ in range(20)} == {200}
    assert len(served.workers()) == 1
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(timeout=PATIENCE) == 0
    assert_gone(served.address)


def test_told_to_stop_it_finishes_the_call_in_hand(serve: Serve) -> None:
    """What `Embedded.stop` does, which the worker's own tests look at."""
    served = serve(free_port())
    assert answers(served.address) == 200
    served.process.terminate()
    assert served.process.wait(timeout=PATIENCE) == 0
    assert "worker and scheduler of this process have ended" in served.told()


def test_told_to_stop_while_it_still_starts_it_stops(serve: Serve) -> None:
    served = serve(free_port())
    until(lambda: bool(served.workers()), "It did not start.")
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=PATIENCE) == 0
    assert_gone(served.address)


def test_killed_it_leaves_nobody_serving_and_starts_again(serve: Serve) -> None:
    port = free_port()
    served = serve(port)
    assert answers(served.address) == 200
    served.process.kill()
    served.process.wait()
    assert_gone(served.address)
    assert answers(serve(port).address) == 200


def test_its_killed_process_is_started_again(serve: Serve) -> None:
    served = serve(free_port())
    assert answers(served.address) == 200
    os.kill(served.workers()[-1], signal.SIGKILL)
    until(lambda: len(served.workers()) == 2, "No other one was started.")
    assert answers(served.address) == 200
    assert "has died. It is started again now." in served.told()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=PATIENCE) == 0


def test_one_that_cannot_come_up_is_given_up_after_longer_and_longer_waits() -> None:
    waited: list[float] = []
    with pytest.raises(serving.CannotStayUp):
        serving.keep_up(lambda: False, sleep=waited.append)
    assert waited == [0, 1, 5, 15, 30]


def test_one_that_dies_now_and_then_is_always_started_again() -> None:
    waited: list[float] = []
    now = iter(range(0, 10_000, 60))  # each look at the clock is a minute after the last one
    lives = iter([False] * 20 + [True])
    serving.keep_up(lambda: next(lives), clock=lambda: next(now), sleep=waited.append)
    assert waited == [0] * 20


def test_a_second_one_on_the_folder_is_refused_whatever_its_port(
    serve: Serve, made: dict[str, str]
) -> None:
    port = free_port()
    served = serve(port)
    until(lambda: "Ctrl-C ends it" in served.told(), "It did not start.")
    for wanted in (port, free_port()):
        second = manage(made, "serve", "--port", str(wanted))
        assert second.returncode != 0
        assert f"only one can: process {served.process.pid}, port {port}." in second.stderr
        assert f"kill {served.process.pid}" in second.stderr
        assert "--port" not in second.stderr
        assert second.stderr.strip().count("\n") == 0


def until(happened: Callable[[], bool], what: str) -> None:
    """Wait for what is certain to come; the bound only ends a broken test."""
    ends = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < ends, what
        time.sleep(0.05)


def assert_gone(address: str) -> None:
    """Nobody listens there any more, or not for longer than a process takes to end."""
    port = urlsplit(address).port or 0

    def refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except ConnectionRefusedError:
            return True
        return False

    until(refused, "It is still served.")


def answers(address: str) -> int:
    """The status, once anybody answers; the bound only ends a broken test."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return requests.get(address, timeout=10).status_code
        except requests.ConnectionError:
            assert time.monotonic() < ends, "Nobody answered."
            time.sleep(0.1)


def test_without_a_database_it_says_what_to_run(environment: dict[str, str]) -> None:
    served = manage(environment, "serve", "--port", str(free_port()))
    assert served.returncode != 0
    assert "manage.py migrate" in served.stderr
    assert served.stderr.strip().count("\n") == 0


def test_a_busy_port_is_named(made: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        served = manage(made, "serve", "--port", port)
    assert served.returncode != 0
    assert f"Port {port} of 127.0.0.1 cannot be used" in served.stderr
    assert served.stderr.strip().count("\n") == 0


def test_a_server_is_not_run_this_way(environment: dict[str, str]) -> None:
    server = {
        "DATABASE_URL": "postgres://link:x@127.0.0.1:1/link",
        "REDIS_URL": "redis://127.0.0.1:1",
        "SECRET_KEY": "x" * 50,
        "CREDENTIAL_KEYS": "aW52ZW50ZWQtZm9yLXRoZS1kZXBsb3ktY2hlY2stMzI=",
    }
    served = manage({**environment, **server}, "serve")
    assert served.returncode != 0
    assert "this is a server" in served.stderr
