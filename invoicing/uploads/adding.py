"""New uploads and the beginning of each one's history, in two statements however many they are.

Django's bulk_create sends every column of every row, and on SQLite 28 rows at a time. What all
rows have in common is said once here, and the rest is one list that the database takes apart.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import CharField, JSONField, Q, TextField

from invoicing.models import Upload, UploadEvent
from offices.models import User
from offices.tenancy import current_practice_id

TEXT = (CharField, TextField)
# What contacts and jobs are told apart by.
IDENTITY = ("interface_id", "client_id", "job_id", "contact_name")


def add(uploads: Sequence[Upload], *, actor: User | None) -> None:
    """Insert all uploads of a new batch, in order. The rows in hand do not learn their ids."""
    if not uploads:
        return
    for one in uploads:
        one.practice_id = current_practice_id()
    columns = [one for one in Upload._meta.concrete_fields if not one.primary_key]
    own = [one for one in columns if _differs(uploads, one.attname)]
    same = [one for one in columns if one not in own]
    names = ", ".join(_quoted(one) for one in [*same, *own])
    values = ", ".join([*["%s"] * len(same), *(_given(at, one) for at, one in enumerate(own))])
    rows = [[_cell(getattr(row, one.attname), one) for one in own] for row in uploads]
    first = uploads[0]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_table(Upload)} ({names})"  # noqa: S608 - names of our own columns
            f" SELECT {values} FROM {_GIVEN[connection.vendor]}",
            [
                *(one.get_db_prep_save(getattr(first, one.attname), connection) for one in same),
                json.dumps(rows, default=str),
            ],
        )
    _begin_history(first, actor=actor)


def follow_on(steps: Sequence[Upload]) -> set[int]:
    """Give new contacts and jobs the revision after their last: no two go under one key.

    A package that keeps keys would answer an update with what it said to the one before. Answers
    the earlier uploads of them that causes hold up, whose place these take.
    """
    if not steps:
        return set()
    earlier = Upload.objects.filter(
        Q(client__in={one.client_id for one in steps} - {None})
        | Q(job__in={one.job_id for one in steps} - {None})
    )
    last: dict[tuple[object, ...], int] = {}
    held_up: dict[tuple[object, ...], set[int]] = {}
    for pk, revision, has_causes, *place in earlier.values_list(
        "pk", "revision", "has_causes", *IDENTITY
    ):
        identity = tuple(place)
        last[identity] = max(last.get(identity, 0), revision)
        if has_causes:
            held_up.setdefault(identity, set()).add(pk)
    replaced: set[int] = set()
    for one in steps:
        identity = tuple(getattr(one, name) for name in IDENTITY)
        one.revision = last.get(identity, 0) + 1
        replaced |= held_up.get(identity, set())
    return replaced


def learn_ids(uploads: Sequence[Upload]) -> None:
    """Give rows just added to one batch their ids: documents, of which an invoice has one there."""
    if not uploads:
        return
    added = Upload.objects.filter(
        batch=uploads[0].batch_id,
        kind__in={one.kind for one in uploads},
        invoice__in=[one.invoice_id for one in uploads],
    )
    ids = dict(added.values_list("invoice_id", "pk"))
    for one in uploads:
        one.pk = ids[one.invoice_id or 0]


def _begin_history(first: Upload, *, actor: User | None) -> None:
    moment: Any = UploadEvent._meta.get_field("at")
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_table(UploadEvent)}"  # noqa: S608 - names of our own tables
            " (practice_id, upload_id, at, before, after, reason, actor_id)"
            " SELECT practice_id, id, %s, '', state, substr(reason, 1, 500), %s"
            f" FROM {_table(Upload)} WHERE practice_id = %s AND batch_id = %s ORDER BY id",
            [
                moment.get_db_prep_save(first.created_at, connection),
                actor.pk if actor else None,
                current_practice_id(),
                first.batch_id,
            ],
        )


def _differs(rows: Sequence[Upload], name: str) -> bool:
    first = getattr(rows[0], name)
    return any(getattr(row, name) != first for row in rows)


def _cell(value: Any, field: Any) -> Any:
    """As JSON, in which a document is part of the list and not a text within it."""
    if value is None or isinstance(value, str | int) or isinstance(field, JSONField):
        return value
    return field.get_db_prep_save(value, connection)


# The list as rows of one column each, in its order.
_GIVEN = {
    "sqlite": "json_each(%s) AS given ORDER BY given.key",
    "postgresql": "jsonb_array_elements(CAST(%s AS jsonb)) WITH ORDINALITY AS given (value, key)"
    " ORDER BY given.key",
}


def _given(at: int, field: Any) -> str:
    """The value in the list; PostgreSQL must be told its type, where it is no text."""
    if connection.vendor == "sqlite":
        return f"json_extract(given.value, '$[{at}]')"
    if isinstance(field, JSONField):
        return f"given.value -> {at}"
    text = f"given.value ->> {at}"
    return text if isinstance(field, TEXT) else f"CAST({text} AS {field.rel_db_type(connection)})"


def _quoted(field: Any) -> str:
    return connection.ops.quote_name(field.column)


def _table(model: type[Upload] | type[UploadEvent]) -> str:
    return connection.ops.quote_name(model._meta.db_table)
