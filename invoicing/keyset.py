"""Pages of long lists, each found from the row at which the last one ended.

Nothing is counted or skipped to get to a page, so it costs the same however many rows come before
it. Where a page begins is in its address, signed: what somebody else wrote there is passed over.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.core.signing import BadSignature, Signer
from django.db.models import BooleanField, F, Field, Func, Model, Q, QuerySet, Value
from django.db.models.functions import Coalesce

M = TypeVar("M", bound=Model)

_SIGNER = Signer(salt="invoicing.keyset")
AFTER, BEFORE = "after", "before"
# What is counted at all: more than that is said to be more.
MOST_COUNTED = 10_000


def counted_up_to(rows: QuerySet[Any], most: int = MOST_COUNTED) -> int:
    """How many rows there are; `most + 1` stands for any number above `most`."""
    return rows.order_by().values("pk")[: most + 1].count()


@dataclass(frozen=True, kw_only=True)
class Order:
    """By the value at that path of the model, then by id, both the same way.

    What has no value comes last, or first when descending; `filled` says that all of them have one.
    `sorted_out` is for few rows among many that would be gone through in vain in the order of an
    index: the few are found first.
    """

    model: type[Model]
    path: str
    descending: bool = False
    filled: bool = False
    sorted_out: bool = False

    @property
    def name(self) -> str:
        """As addresses name it."""
        return f"-{self.path}" if self.descending else self.path

    @cached_property
    def fields(self) -> list["Field[Any, Any]"]:
        """Those that lead to the value; the last one holds it."""
        found: list[Field[Any, Any]] = []
        model = self.model
        for step in self.path.split("__"):
            field: Any = model._meta.get_field(step)
            found.append(field)
            model = field.related_model or model
        return found

    @property
    def may_be_empty(self) -> bool:
        """Whether rows can be without a value."""
        return not self.filled and any(one.null for one in self.fields)


@dataclass(frozen=True)
class Page(Generic[M]):
    """The rows of a page, and what leads to the pages before and after it; empty where none is."""

    rows: list[M]
    before: str
    after: str


@dataclass(frozen=True)
class _Place:
    """A row's place in an order."""

    value: Any
    pk: int


class _Beyond(Func):
    """`(value, id) > (a value, an id)`: an index on both goes there at once."""

    output_field = BooleanField()

    def __init__(self, *expressions: Any, sign: str) -> None:
        super().__init__(*expressions)
        self.sign = sign

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        """Two rows of values compared."""
        parts = [compiler.compile(one) for one in self.get_source_expressions()]
        value, pk, its_value, its_pk = (sql for sql, _ in parts)
        params = [one for _, some in parts for one in some]
        return f"({value}, {pk}) {self.sign} ({its_value}, {its_pk})", params


def page_of(rows: QuerySet[M], *, order: Order, address: Mapping[str, str], size: int) -> Page[M]:
    """The page that the address leads to, else the first one."""
    walk: _Walk[M] = _Walk(rows.annotate(sorted_by=F(order.path)), order, size)
    found: Page[M] | None = None
    if place := _read(address.get(BEFORE, ""), order):
        found = walk.back(place)
    elif place := _read(address.get(AFTER, ""), order):
        # Where nothing comes after any more, the page that ended there is the last one.
        found = walk.on(place) or walk.back(place, inclusive=True)
    return found or walk.on(None) or Page([], "", "")


def each(rows: QuerySet[M], *, order: Order, place: M | None, size: int) -> list[M]:
    """The next rows after that one, or the first; for reading all of a list piece by piece."""
    walk: _Walk[M] = _Walk(rows.annotate(sorted_by=F(order.path)), order, size)
    start = _Place(place.sorted_by, place.pk) if place else None  # type: ignore[attr-defined]
    return walk.take(start)[:size]


@dataclass(frozen=True)
class _Walk(Generic[M]):
    rows: QuerySet[Any]
    order: Order
    size: int

    def on(self, start: _Place | None) -> Page[M] | None:
        found = self.take(start)
        if not found:
            return None
        shown = found[: self.size]
        more = len(found) > self.size
        return self._page(shown, before=start is not None, after=more)

    def back(self, start: _Place, *, inclusive: bool = False) -> Page[M] | None:
        found = self.take(start, backwards=True, inclusive=inclusive)
        if len(found) <= self.size:
            # The beginning: a whole page, as the first one is.
            return self.on(None) if found else None
        shown = found[: self.size][::-1]
        return self._page(shown, before=True, after=not inclusive)

    def _page(self, rows: list[M], *, before: bool, after: bool) -> Page[M]:
        return Page(
            rows,
            cursor_of(rows[0], self.order) if before else "",
            cursor_of(rows[-1], self.order) if after else "",
        )

    def take(
        self, start: _Place | None, *, backwards: bool = False, inclusive: bool = False
    ) -> list[M]:
        """Up to one more than a page of rows from there on, or back."""
        found: list[M] = []
        for part, terms in self._parts(start, backwards=backwards, inclusive=inclusive):
            # Which rows they are is found by what the order and the filters need, without all that
            # is to be shown of them: who plans the query then sees the index that has the order.
            wanted = part.order_by(*terms).values("pk")[: self.size + 1 - len(found)]
            found += self.rows.filter(pk__in=wanted).order_by(*terms)
            if len(found) > self.size:
                break
        return found

    def _parts(
        self, start: _Place | None, *, backwards: bool, inclusive: bool
    ) -> Iterator[tuple[QuerySet[Any], list[Any]]]:
        """Those that have a value and those that have none: each in an order an index can have."""
        down = self.order.descending != backwards
        parts = [False, True] if self.order.may_be_empty else [False]
        if down:
            parts.reverse()
        if start:
            parts = parts[parts.index(start.value is None) :]
        for empty in parts:
            part = self.rows
            if self.order.may_be_empty:
                part = part.filter(**{f"{self.order.path}__isnull": empty})
            if start:
                part = part.filter(_beyond(self.order, start, down=down, inclusive=inclusive))
                start = None
            yield part, _terms(self.order, empty=empty, down=down)


def _terms(order: Order, *, empty: bool, down: bool) -> list[Any]:
    by_id = F("pk").desc() if down else F("pk").asc()
    if empty:
        return [by_id]
    # The same value, but in no index: what the filters leave is found first, and sorted then.
    value: Any = Coalesce(F(order.path), F(order.path)) if order.sorted_out else F(order.path)
    return [value.desc() if down else value.asc(), by_id]


def _beyond(order: Order, start: _Place, *, down: bool, inclusive: bool) -> Q | _Beyond:
    side = ("lt" if down else "gt") + ("e" if inclusive else "")
    if start.value is None:
        return Q(**{f"pk__{side}": start.pk})
    if len(order.fields) == 1:
        sign = ("<" if down else ">") + ("=" if inclusive else "")
        values = Value(start.value, output_field=order.fields[-1]), Value(start.pk)
        return _Beyond(F(order.path), F("pk"), *values, sign=sign)
    # No index holds a value of one table and an id of another.
    strictly = side[:2]
    return Q(**{f"{order.path}__{strictly}e": start.value}) & (
        Q(**{f"{order.path}__{strictly}": start.value}) | Q(**{f"pk__{side}": start.pk})
    )


def cursor_of(row: Model, order: Order) -> str:
    """The place of a row that was read in that order, as an address carries it."""
    value = row.sorted_by  # type: ignore[attr-defined]
    text = None if value is None else value.isoformat() if isinstance(value, date) else str(value)
    return _SIGNER.sign_object([order.name, text, row.pk])


def _read(cursor: str, order: Order) -> _Place | None:
    """The place that was written into an address by us, for this order; else None."""
    try:
        name, text, pk = _SIGNER.unsign_object(cursor)
    except BadSignature:
        return None
    if name != order.name or (text is None and not order.may_be_empty):
        return None
    return _Place(None if text is None else order.fields[-1].to_python(text), pk)
