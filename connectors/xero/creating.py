"""Writing several things in one call: one answer for each, whatever Xero makes of the call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.base.documents import Key
from connectors.base.errors import OutcomeUnknown, Rejected
from connectors.base.protocol import Outcome
from connectors.xero.books import Books, after_a_write
from connectors.xero.refusals import ElementsRefused, refusal
from connectors.xero.wire import LABEL, records, text

Thing = TypeVar("Thing")
Record = Mapping[str, Any]
Answered = dict[Key, Record | Rejected]


@dataclass(frozen=True, kw_only=True)
class New:
    """One thing to create or update."""

    key: Key
    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where things of one sort are created, and the field by which each is known again."""

    path: str
    plural: str
    known_by: str


def create(books: Books, place: Place, new: Sequence[New], *, call_key: str) -> Answered:
    """The record Xero answers for each, or the refusal of the call as a whole.

    Always PUT: a POST would overwrite what has the same number or name.
    """
    return _write("PUT", books, place, new, call_key=call_key)


def update(books: Books, place: Place, changed: Sequence[New], *, call_key: str) -> Answered:
    """The same for what is there: every body names its record by Xero's own id."""
    return _write("POST", books, place, changed, call_key=call_key)


def _write(
    method: str, books: Books, place: Place, new: Sequence[New], *, call_key: str
) -> Answered:
    """A call refused as a whole wrote nothing: it is made again without what is at fault.

    Where that is not told, as for one contact that is gone, it is made again in halves. So one
    bad thing does not stop the others.
    """
    try:
        answer = books.http.write(
            method,
            place.path,
            {place.plural: [one.body for one in new]},
            idempotency_key=call_key,
            params={"summarizeErrors": False, "unitdp": 4},
        )
    except Rejected as refused:
        if len(new) == 1:
            return _why(place, new, refused) or {new[0].key: refused}
        if why := _why(place, new, refused):
            rest = [one for one in new if one.key not in why]
            if not rest:
                return why
            return {**why, **_write(method, books, place, rest, call_key=f"{call_key}r")}
    else:
        elements = records(answer.get(place.plural)) if isinstance(answer, dict) else []
        matched = match(place, new, elements)
        if len(matched) < len(new):
            raise OutcomeUnknown(f"{LABEL} did not answer for every document.")
        return dict(matched)
    half = len(new) // 2
    with after_a_write():
        return {
            **_write(method, books, place, new[:half], call_key=f"{call_key}a"),
            **_write(method, books, place, new[half:], call_key=f"{call_key}b"),
        }


def _why(place: Place, new: Sequence[New], refused: Rejected) -> Answered:
    """What was at fault in a call refused as a whole, as far as Xero told."""
    elements = refused.elements if isinstance(refused, ElementsRefused) else []
    answered = match(place, new, elements)
    return {key: element for key, element in answered.items() if refusal(element)}


def one_by_one(
    things: Sequence[Thing], create_one: Callable[[Thing, str], Outcome], *, call_key: str
) -> list[Outcome]:
    """What Xero takes one a call: each with a key of its own."""
    outcomes: list[Outcome] = []
    for place, thing in enumerate(things):
        if place == 0:
            outcomes.append(create_one(thing, call_key))
        else:
            with after_a_write():
                outcomes.append(create_one(thing, f"{call_key}.{place}"))
    return outcomes


def match(place: Place, new: Sequence[New], elements: Sequence[Record]) -> dict[Key, Record]:
    """The element that answers each: by number or name, and where that says nothing by position."""
    found: dict[Key, Record] = {}
    left = dict(enumerate(elements))
    ours = {_known_by(place, one.body) for one in new}
    in_place = len(elements) == len(new)
    for position, one in enumerate(new):
        name = _known_by(place, one.body)
        same = [at for at, element in left.items() if _known_by(place, element) == name]
        if same:
            at = position if position in same else same[0]
            found[one.key] = left.pop(at)
    for position, one in enumerate(new):
        element = left.get(position)
        if one.key in found or element is None or not in_place:
            continue
        if _known_by(place, element) not in ours:
            found[one.key] = left.pop(position)
    return found


def _known_by(place: Place, record: Mapping[str, Any]) -> str:
    return text(record, place.known_by)
