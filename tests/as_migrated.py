"""The database after a test that commits: again as the migrations have left it.

Django empties every table, and has what comes after migrations done anew, which takes longer than
many a test. Here only rows that the test has left are deleted, and what it has changed of the rows
that the migrations made is put back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from offices.tenancy import as_owner

Rows = list[tuple[Any, ...]]


class AsMigrated:
    """The tables of the database as it is now, and what is in them."""

    def __init__(self) -> None:
        self._tables = connection.introspection.django_table_names(only_existing=True)
        with as_owner():
            self._rows = {table: _rows_of(table) for table in self._filled()}

    def again(self) -> None:
        """Put everything back."""
        with as_owner(), transaction.atomic():
            filled = self._filled()
            changed = {table: rows for table, rows in self._rows.items() if _rows_of(table) != rows}
            left = [one for one in filled if one not in self._rows or one in changed]
            if not left and not changed:
                return
            # The keys between them are looked at in the end, so any order will do.
            with _without_triggers(left), connection.cursor() as cursor:
                for table in left:
                    cursor.execute(f"DELETE FROM {_quoted(table)}")  # noqa: S608 - our own names
                for table, rows in changed.items():
                    places = ", ".join(["%s"] * len(rows[0]))
                    cursor.executemany(
                        f"INSERT INTO {_quoted(table)} VALUES ({places})",  # noqa: S608
                        rows,
                    )

    def _filled(self) -> list[str]:
        asked = " UNION ALL ".join(
            f"SELECT '{one}' WHERE EXISTS (SELECT 1 FROM {_quoted(one)})"  # noqa: S608
            for one in self._tables
        )
        with connection.cursor() as cursor:
            cursor.execute(asked)
            return [table for (table,) in cursor.fetchall()]


def _quoted(table: str) -> str:
    return str(connection.ops.quote_name(table))


def _rows_of(table: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {_quoted(table)} ORDER BY 1")  # noqa: S608
        return list(cursor.fetchall())


@contextmanager
def _without_triggers(tables: list[str]) -> Iterator[None]:
    """Rows go from tables as well to which they are only added."""
    on_server = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS_OF_SERVER if on_server else _TRIGGERS_OF_FILE)
        triggers = [one for one in cursor.fetchall() if one[0] in tables]
        for table, name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {_quoted(name)}" + f" ON {_quoted(table)}" * on_server)
        yield
        if on_server and triggers:
            # A table with keys that are still to be looked at cannot be altered.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for _, _, again in triggers:
            cursor.execute(again)


_TRIGGERS_OF_FILE = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'"
_TRIGGERS_OF_SERVER = """
    SELECT relname, tgname, pg_get_triggerdef(pg_trigger.oid)
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE NOT tgisinternal
"""
