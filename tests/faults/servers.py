"""Servers that belong to one test alone, to be stopped and started by it."""

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

# Only ends a broken test.
PATIENCE = 60.0


def free_port() -> int:
    """A port of the loopback nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def until(happened: Callable[[], bool], what: str) -> None:
    """Wait for what is certain to come."""
    ends = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < ends, what
        time.sleep(0.05)


class OwnRedis:
    """A Redis that keeps nothing over a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens while it runs."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> Any:
        """A connection that nothing of the product uses."""
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def start(self) -> None:
        """Start it, empty."""
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        words += ["--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            ["redis-server", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._answers, "Redis did not start.")

    def stop(self) -> None:
        """Kill it; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def cut_everybody(self) -> int:
        """Close the connection of every client but our own; how many there were."""
        with self.client() as control:
            kinds = ("normal", "pubsub")
            return sum(int(control.client_kill_filter(_type=one, skipme=True)) for one in kinds)

    def _answers(self) -> bool:
        try:
            with self.client() as asked:
                return bool(asked.ping())
        except redis.RedisError:
            return False
