"""Many uploads changed by one statement, each with values of its own, and their history beside it.

Written as SQL, because the query builder takes longer over a call's worth of uploads than the call:
Django's bulk_update has a CASE for every field, bulk_create an object for every row.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Field
from django.utils import timezone

from invoicing.models import Attempt, Exchange, Upload, UploadEvent
from offices.models import User

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
    return sum(_update(part, *_split(part, fields, same), guard=guard) for part in _parts(rows))


def add_events(
    rows: Sequence[Upload], *, before: str, after: str, actor: User | None = None
) -> None:
    """Write into the history of each that it moved, and why, as it stands in its row now."""
    event, upload = _table(UploadEvent), _table(Upload)
    for part in _parts(rows):
        _execute(
            f'INSERT INTO {event} (practice_id, upload_id, "at", "before", "after", reason,'  # noqa: S608
            " actor_id)"
            f" SELECT practice_id, id, {_typed('timestamptz')}, {_typed('text')}, {_typed('text')},"
            f" substr(reason, 1, 500), {_typed('bigint')}"
            f" FROM {upload} WHERE id IN ({_marks(part)}) ORDER BY id",
            [
                connection.ops.adapt_datetimefield_value(timezone.now()),
                *(before, after, actor.pk if actor else None),
                *(one.pk for one in part),
            ],
        )


def add_attempts(rows: Sequence[Upload], exchange: Exchange) -> None:
    """Write that these uploads, as they stand, are what the exchange carries."""
    attempt, upload = _table(Attempt), _table(Upload)
    for part in _parts(rows):
        _execute(
            f"INSERT INTO {attempt} (practice_id, upload_id, exchange_id, revision, generation)"  # noqa: S608
            f" SELECT practice_id, id, {_typed('bigint')}, revision, generation"
            f" FROM {upload} WHERE id IN ({_marks(part)}) ORDER BY id",
            [exchange.pk, *(one.pk for one in part)],
        )


def _split(
    rows: Sequence[Upload], fields: Sequence[str], same: Mapping[str, Any]
) -> tuple[list[str], dict[str, Any]]:
    """The fields that differ between the rows, and the values of all that do not."""
    own, alike = [], dict(same)
    for name in fields:
        attribute = _field(name).attname
        first = getattr(rows[0], attribute)
        if all(getattr(row, attribute) == first for row in rows):
            alike[name] = first
        else:
            own.append(name)
    return own, alike


def _update(
    rows: Sequence[Upload],
    own: Sequence[str],
    same: Mapping[str, Any],
    *,
    guard: Mapping[str, Any],
) -> int:
    fields = [_field(name) for name in own]
    table = _table(Upload)
    sets = [f"{_column(name)} = %s" for name in same]
    sets += [f"{_column(name)} = {_given(at, fields[at])}" for at, name in enumerate(own)]
    where = "".join(f" AND {table}.{_column(name)} = %s" for name in guard)
    values: list[Any] = [_prepared(name, value) for name, value in same.items()]
    if own:
        cells = f"({', '.join(['%s'] * (len(own) + 1))})"
        given = f" FROM (VALUES {', '.join([cells] * len(rows))}) AS given"
        which = f" WHERE {table}.id = given.column1{where}"
        values += [value for row in rows for value in _cells(row, fields)]
    else:
        given, which = "", f" WHERE {table}.id IN ({_marks(rows)}){where}"
        values += [row.pk for row in rows]
    values += [_prepared(name, value) for name, value in guard.items()]
    return _execute(f"UPDATE {table} SET {', '.join(sets)}{given}{which}", values)  # noqa: S608


def _execute(statement: str, values: Sequence[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def _parts(rows: Sequence[Upload]) -> Iterable[Sequence[Upload]]:
    return (rows[start : start + MOST] for start in range(0, len(rows), MOST))


def _table(model: Any) -> str:
    return connection.ops.quote_name(model._meta.db_table)


@cache
def _field(name: str) -> Any:
    return Upload._meta.get_field(name)


def _column(name: str) -> str:
    return connection.ops.quote_name(_field(name).column)


def _prepared(name: str, value: Any) -> Any:
    return _field(name).get_db_prep_save(value, connection)


def _marks(rows: Sequence[Upload]) -> str:
    return ", ".join(["%s"] * len(rows))


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
    kind = str(field.db_type(connection))
    # A cast to varchar(n) would cut what is too long, where the column itself refuses it.
    return f"CAST({value} AS {'text' if kind.startswith('varchar') else kind})"


def _typed(kind: str) -> str:
    """A value among selected columns, whose type PostgreSQL cannot tell from where it goes."""
    return f"CAST(%s AS {kind})" if connection.vendor == "postgresql" else "%s"
