"""Which columns of a list a person sees, in which order and how wide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from invoicing.models import ListLayout
from invoicing.tables import LongTable
from offices.models import User

# In pixels, on a screen wide enough for a table; each has its class in link.css.
WIDTHS = {80: "Narrow", 160: "Medium", 320: "Wide"}


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A column that is shown; `width` is None where it is as wide as it needs to be."""

    name: str
    width: int | None = None


def choices_of(table: type[LongTable]) -> dict[str, str]:
    """The columns of the list that can be shown or not, and their headings."""
    return {
        name: str(column.verbose_name or name.replace("_", " ").capitalize())
        for name, column in table.base_columns.items()
        if name not in table.fixed
    }


def chosen_by(user: User, table: type[LongTable]) -> list[Chosen]:
    """The columns as the person wants them, else as they are for everybody."""
    kept = ListLayout.objects.filter(user=user, list_key=table.list_key).first()
    known = choices_of(table)
    # A column may have been dropped from the product since.
    chosen = [
        Chosen(name=one["name"], width=one["width"])
        for one in (kept.columns if kept else [])
        if one["name"] in known
    ]
    return chosen or [Chosen(name=name) for name in table.usual]


def keep(user: User, table: type[LongTable], chosen: Iterable[Chosen]) -> None:
    """Show the person these from now on; none of them: as for everybody."""
    columns = [{"name": one.name, "width": one.width} for one in chosen]
    mine: dict[str, Any] = {"user": user, "list_key": table.list_key}
    if columns:
        ListLayout.objects.update_or_create(**mine, defaults={"columns": columns})
    else:
        ListLayout.objects.filter(**mine).delete()


def laid_out(
    table: type[LongTable], rows: QuerySet[Any], *, user: User, without: Sequence[str] = ()
) -> LongTable:
    """The table as the person laid it out; `without` are columns this person may not use."""
    chosen = chosen_by(user, table)
    shown = [one for one in table.fixed if one not in without] + [one.name for one in chosen]
    hidden = [one for one in table.base_columns if one not in shown]
    made = table(rows, sequence=[*shown, "..."], exclude=hidden)
    for one in chosen:
        if one.width in WIDTHS:
            _widen(made.columns[one.name].column, one.width)
    return made


def _widen(column: Any, width: int) -> None:
    # Columns of a kind share what they say of themselves.
    for part in ("td", "th"):
        own = column.attrs.get(part, {})
        widened = {**own, "class": f"{own.get('class', '')} width-{width}".strip()}
        column.attrs = {**column.attrs, part: widened}
