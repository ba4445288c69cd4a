"""What one call carries: rows read one by one, all their problems gathered."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from invoicing.api.fields import Identity, Text
from invoicing.api.problems import Problem, Problems, TooLarge, from_detail, printable
from invoicing.api.rows import (
    UNKNOWN,
    ClientRow,
    InvoiceRow,
    InvoiceSettingRow,
    JobRow,
    OfficeRow,
    Row,
    many,
)

MOST = settings.API_MAX_ROWS
# Ids are looked up as the rows read them, so that none is taken in and then not found.
ID = Text(max_length=40, optional=True)


class InvoiceSettingRows(Row):
    """Invoice settings to be stored."""

    rows = many(InvoiceSettingRow, most=MOST)


class OfficeRows(Row):
    """Offices to be stored."""

    rows = many(OfficeRow, most=MOST)


class ClientRows(Row):
    """Clients to be stored."""

    rows = many(ClientRow, most=MOST)


class JobRows(Row):
    """Jobs to be stored."""

    rows = many(JobRow, most=MOST)


class InvoiceRows(Row):
    """Invoices to be stored."""

    rows = many(InvoiceRow, most=MOST)


class InvoiceIds(Row):
    """The invoices meant, by Abtrac's invoice IDs."""

    invoices = serializers.ListField(child=Text(max_length=40), max_length=MOST)


class VoidReason(Row):
    """Why an invoice is taken back."""

    # It is read in the history beside other words, which nothing unseen in it may turn around.
    reason = Identity(max_length=200)


@dataclass(frozen=True, kw_only=True)
class Given:
    """One row as it came: `values` is None when something is wrong with it."""

    path: str
    raw: Mapping[str, Any]
    values: dict[str, Any] | None

    def names(self, field: str) -> str:
        """What the row names in that field, if it can be looked up at all."""
        return name_in(self.raw, field)


def read_rows(rows: Row, body: Any) -> tuple[list[Given], list[Problem]]:
    """Every row of the body, and everything that is wrong with any. Raises Problems, TooLarge."""
    raws = _list_in(rows, body, "rows")
    child = rows.child_of("rows")
    given: list[Given] = []
    problems: list[Problem] = []
    for index, raw in enumerate(raws):
        path, values = f"rows[{index}]", None
        try:
            values = child.run_validation(raw)
        except ValidationError as error:
            problems += from_detail(error.detail, path)
        if isinstance(raw, Mapping):
            given.append(Given(path=path, raw=raw, values=values))
    return given, problems + _twice(given)


def read_ids(body: Any) -> list[str]:
    """The invoice IDs of the body. Raises Problems, TooLarge."""
    fields = InvoiceIds()
    _list_in(fields, body, "invoices")
    ids: list[str] = fields.run_validation(body)["invoices"]
    return ids


def read_reason(body: Any) -> str:
    """Why the body says an invoice is taken back. Raises ValidationError."""
    return str(VoidReason().run_validation(body)["reason"])


def name_in(raw: Any, field: str) -> str:
    """The id in that field, or nothing where there is none that could be one."""
    value = raw.get(field) if isinstance(raw, Mapping) else None
    try:
        return str(ID.run_validation(value))
    except ValidationError:
        return ""


def _list_in(fields: Row, body: Any, name: str) -> list[Any]:
    """The one list a call carries, not longer than a call may be."""
    if not isinstance(body, Mapping) or not isinstance(body.get(name), list):
        message = f"Give an object with a list named “{name}”."
        raise Problems([Problem(path=name, code="required", message=message)])
    others = body.keys() - fields.fields.keys()
    if others:
        raise Problems(
            [
                Problem(path=printable(one), code="unknown_field", message=UNKNOWN)
                for one in sorted(others)
            ]
        )
    rows: list[Any] = body[name]
    if len(rows) > settings.API_MAX_ROWS:
        raise TooLarge(
            f"One call takes {settings.API_MAX_ROWS} rows; this one has {len(rows)}. Split it.",
            path=name,
        )
    return rows


def _twice(given: Sequence[Given]) -> list[Problem]:
    counts = Counter(one.names("abtrac_id") for one in given)
    return [
        Problem(
            path=f"{one.path}.abtrac_id",
            code="duplicate_id",
            message=f"“{one.names('abtrac_id')}” stands more than once in this call.",
        )
        for one in given
        if one.names("abtrac_id") and counts[one.names("abtrac_id")] > 1
    ]
