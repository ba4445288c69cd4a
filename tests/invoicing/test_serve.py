"""`manage.py serve`: the product on one computer."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.commands import ROOT, free_port, fresh_environment, manage

PATIENCE = 60.0


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """As on a fresh machine."""
    return fresh_environment(tmp_path / "var")


def test_it_serves_the_pages_until_it_is_told_to_stop(environment: dict[str, str]) -> None:
    assert manage(environment, "migrate").returncode == 0
    port = free_port()
    words = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            assert answers(f"http://127.0.0.1:{port}/healthz") == 200
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=PATIENCE)
        finally:
            if server.poll() is None:
                server.kill()


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


def test_a_busy_port_is_named(environment: dict[str, str]) -> None:
    assert manage(environment, "migrate").returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        served = manage(environment, "serve", "--port", port)
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
