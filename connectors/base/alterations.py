"""Ways in which a stand-in's answer can be wrong though what was asked is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

ZERO_ID = "00000000-0000-0000-0000-000000000000"
CENT = Decimal("0.01")

# From the answer's JSON to what is answered instead.
Change = Callable[[Any], Any]


@dataclass(frozen=True)
class Words:
    """A package's names for the id and the total of what it has created."""

    ids: tuple[str, ...] = ("id",)
    total: str = "total"


def named(name: str, words: Words) -> Change:
    """The change of that name, in the package's words. Raises KeyError."""
    change = CHANGES[name]
    return lambda answer: change(answer, words)


def elements(answer: Any) -> list[dict[str, Any]]:
    """The documents of an answer: those of its list, or the answer itself."""
    lists = [each for each in answer.values() if isinstance(each, list)]
    return lists[0] if lists else [answer]


def _fewer(answer: Any, words: Words) -> Any:
    elements(answer).pop()
    return answer


def _reversed(answer: Any, words: Words) -> Any:
    elements(answer).reverse()
    return answer


def _ids(answer: Any, words: Words, value: str) -> Any:
    for element in elements(answer):
        element.update({name: value for name in words.ids if name in element})
    return answer


def _without_ids(answer: Any, words: Words) -> Any:
    for element in elements(answer):
        for name in words.ids:
            element.pop(name, None)
    return answer


def _cent_more(answer: Any, words: Words) -> Any:
    """Text stays text, and a number a number."""
    for element in elements(answer):
        if words.total in element:
            total = element[words.total]
            more = Decimal(total) + CENT
            element[words.total] = str(more) if isinstance(total, str) else more
    return answer


CHANGES: Mapping[str, Callable[[Any, Words], Any]] = {
    "fewer": _fewer,
    "reversed": _reversed,
    "zero ids": lambda answer, words: _ids(answer, words, ZERO_ID),
    "empty ids": lambda answer, words: _ids(answer, words, ""),
    "without ids": _without_ids,
    "a cent more": _cent_more,
}
