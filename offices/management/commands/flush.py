"""Django's flush, run as the owner of the tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import flush
from django.db import connection

from offices.tenancy import as_owner


class Command(flush.Command):
    """Emptying tables is the owner's right alone; tests do it between cases."""

    def handle(self, **options: Any) -> None:
        with as_owner(), _without_triggers():
            super().handle(**options)


@contextmanager
def _without_triggers() -> Iterator[None]:
    """SQLite empties a table by deleting its rows, which append-only tables refuse."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {connection.ops.quote_name(name)}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for _, sql in triggers:
                cursor.execute(sql)
