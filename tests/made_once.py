"""A database with all tables, which a run makes once and copies from then on.

All migrations take seconds, and a run has dozens of processes that begin with an empty database.
The first of them runs the migrations, all of them forwards, and leaves a copy; the others begin
with the copy and run what is missing there, which is nothing. MADE_ONCE names the folder that is
theirs together, as the Makefile does; without it everybody runs all migrations.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection


def folder() -> Path | None:
    """What the processes of this run share; None where there is no such run."""
    named = os.environ.get("MADE_ONCE")
    if not named:
        return None
    Path(named).mkdir(parents=True, exist_ok=True)
    return Path(named)


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """The others wait until the first has made it."""
    with lock.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def copy_test_database() -> None:
    """From here on the test database of this process begins with the copy of another one."""
    shared = folder()
    if shared is None:
        return
    creation: Any = connection.creation
    make: Callable[..., str] = creation.create_test_db
    copy = (_OnServer if connection.vendor == "postgresql" else _InFile)(shared, name())

    def create_test_db(*args: Any, **options: Any) -> str:
        with one_at_a_time(shared / "database.lock"):
            if not copy.is_there():
                made = make(*args, **options)
                copy.leave()
                return made
        copy.begin_with_it()
        return make(*args, **options)

    creation.create_test_db = create_test_db


def name() -> str:
    """Of what has all tables: another one for other migrations."""
    read = hashlib.sha256()
    for app in apps.get_app_configs():
        for migration in sorted(Path(app.path, "migrations").glob("*.py")):
            read.update(migration.read_bytes())
    return f"made_{read.hexdigest()[:16]}"


class _InFile:
    """A file of SQLite."""

    def __init__(self, shared: Path, name: str) -> None:
        self._kept = shared / f"{name}.sqlite3"

    def is_there(self) -> bool:
        return self._kept.exists()

    def leave(self) -> None:
        connection.close()  # with the last connection all is in the one file
        half_made = self._kept.with_suffix(".half")
        shutil.copyfile(connection.settings_dict["NAME"], half_made)
        half_made.rename(self._kept)

    def begin_with_it(self) -> None:
        creation: Any = connection.creation
        make: Callable[..., str] = creation._create_test_db

        def create(*args: Any, **options: Any) -> str:
            return str(shutil.copyfile(self._kept, make(*args, **options)))

        creation._create_test_db = create


class _OnServer:
    """A database of the server's, which makes the copies itself."""

    def __init__(self, shared: Path, name: str) -> None:
        self._kept = name

    def is_there(self) -> bool:
        with self._server() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self._kept])
            return cursor.fetchone() is not None

    def leave(self) -> None:
        connection.close()  # who is copied must be alone
        made, kept = map(connection.ops.quote_name, (connection.settings_dict["NAME"], self._kept))
        with self._server() as cursor:
            cursor.execute(f"CREATE DATABASE {kept} TEMPLATE {made}")

    def begin_with_it(self) -> None:
        connection.settings_dict["TEST"]["TEMPLATE"] = self._kept

    def _server(self) -> Any:
        creation: Any = connection.creation
        return creation._nodb_cursor()
