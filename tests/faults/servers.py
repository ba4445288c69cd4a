"""Servers that belong to one test alone, to be stopped and started by it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2  # type: ignore[import-untyped]
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


def _copy(files: Path, place: Path) -> None:
    """With their owner, who alone may read them."""
    subprocess.run(["cp", "-a", str(files), str(place)], check=True)


class OwnPostgres:
    """A PostgreSQL server that keeps what it committed, whatever is done to it."""

    def __init__(self) -> None:
        # Not among the tests' own folders, which are closed to other accounts.
        self._folder = Path(tempfile.mkdtemp())
        self._data = self._folder / "pg"
        self.port = free_port()
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        self._programs = found[-1] if found else Path(str(shutil.which("pg_ctl"))).parent
        self._as: list[str] = []
        if os.getuid() == 0:  # as whom it refuses to run
            shutil.chown(self._folder, "postgres", "postgres")
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]

    def make(self) -> None:
        """Make it, with no database yet."""
        run = [*self._as, str(self._programs / "initdb"), "-D", str(self._data)]
        subprocess.run(
            [*run, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
        )

    def leave_copy(self, place: Path) -> None:
        """Stop it in good order, and leave a copy of all it holds there."""
        self._ctl("stop", "-m", "fast")
        _copy(self._data, place)

    def begin_with(self, place: Path) -> None:
        """Make it from what another one has left there."""
        _copy(place, self._data)

    def url(self, database: str, user: str = "link") -> str:
        """Where the database is."""
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, unless it runs; whatever it had committed is there."""
        if (self._data / "postmaster.pid").exists():
            return
        # A worker that waits for a lock notices a deadlock; the other party never does.
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        options += " -c deadlock_timeout=5s -c log_min_messages=fatal"
        # Only the server goes down, never the machine, which keeps what was given it to write.
        options += " -c fsync=off"
        self._ctl("start", "-o", options, "-l", str(self._folder / "pg.log"))

    def stop(self) -> None:
        """End it at once, as when its host goes down."""
        if (self._data / "postmaster.pid").exists():
            self._ctl("stop", "-m", "immediate")

    def remove(self) -> None:
        """Stop it and forget all it held."""
        self.stop()
        shutil.rmtree(self._folder)

    def restart(self) -> None:
        """Down and up again."""
        self.stop()
        self.start()

    def as_superuser(self, database: str = "postgres") -> Any:
        """A connection of the server's owner; each statement is by itself unless told otherwise."""
        made = psycopg2.connect(self.url(database, user="postgres"))
        made.autocommit = True
        return made

    @contextmanager
    def statements(self) -> Iterator[Callable[..., Any]]:
        """Run statements as the server's owner; each answers its first value, if it has one."""
        session = self.as_superuser()
        try:
            with session.cursor() as cursor:

                def run(statement: str, *values: Any) -> Any:
                    cursor.execute(statement, values)
                    return cursor.fetchone()[0] if cursor.description else None

                yield run
        finally:
            session.close()

    def _ctl(self, *words: str) -> None:
        subprocess.run(
            [*self._as, str(self._programs / "pg_ctl"), "-D", str(self._data), "-w", *words],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
        )
