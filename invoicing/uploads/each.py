"""Many rows updated by one statement, each with values of its own.

Django's bulk_update does the same with a CASE for every field, which for a call's worth of uploads
takes longer than the call.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Field

from invoicing.models import Upload

MOST = 500


def update_each(
    rows: Sequence[Upload],
    fields: Sequence[str],
    *,
    guard: Mapping[str, Any],
    same: Mapping[str, Any],
) -> int:
    """Write the fields of each row and what is the same for all; how many rows were written.

    A row is written only while it has all the values of the guard.
    """
    return sum(
        _update(rows[start : start + MOST], fields, guard=guard, same=same)
        for start in range(0, len(rows), MOST)
    )


def _update(
    rows: Sequence[Upload],
    fields: Sequence[str],
    *,
    guard: Mapping[str, Any],
    same: Mapping[str, Any],
) -> int:
    own = [_field(name) for name in fields]
    table = connection.ops.quote_name(Upload._meta.db_table)
    sets = [f"{_column(name)} = %s" for name in same]
    sets += [f"{_column(name)} = {_given(at, own[at])}" for at, name in enumerate(fields)]
    cells = f"({', '.join(['%s'] * (len(own) + 1))})"
    where = "".join(f" AND {table}.{_column(name)} = %s" for name in guard)
    statement = (
        f"UPDATE {table} SET {', '.join(sets)}"  # noqa: S608 - names of our own columns
        f" FROM (VALUES {', '.join([cells] * len(rows))}) AS given"
        f" WHERE {table}.id = given.column1{where}"
    )
    values = [
        *(_field(name).get_db_prep_save(value, connection) for name, value in same.items()),
        *(value for row in rows for value in _cells(row, own)),
        *(_field(name).get_db_prep_save(value, connection) for name, value in guard.items()),
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def _field(name: str) -> Any:
    return Upload._meta.get_field(name)


def _column(name: str) -> str:
    return connection.ops.quote_name(_field(name).column)


def _cells(row: Upload, own: Sequence[Any]) -> list[Any]:
    return [
        row.pk,
        *(one.get_db_prep_save(getattr(row, one.attname), connection) for one in own),
    ]


def _given(at: int, field: "Field[Any, Any]") -> str:
    """The value in the list; PostgreSQL must be told its type, which SQLite's columns know."""
    value = f"given.column{at + 2}"
    if connection.vendor != "postgresql":
        return value
    return f"CAST({value} AS {field.db_type(connection)})"
