"""Writing several elements at once: each is judged first, then kept or refused as was asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connectors.xero.standin_answers import Shape, validation


@dataclass
class Element:
    """One element, judged: its problems, its echo with them, and what keeping it does."""

    problems: Sequence[str]
    echo: Shape
    commit: Callable[[], Shape]


def write_all(elements: Sequence[Element], *, summarize: bool) -> list[Shape]:
    """The records as they are now, one for each element, in their order.

    With `summarize` (what Xero does unless told otherwise) one bad element refuses the whole call
    and nothing is kept; without it the good ones are kept and the bad ones say so beside them.
    """
    if summarize and any(each.problems for each in elements):
        raise validation([each.echo for each in elements])
    return [
        each.echo | {"StatusAttributeString": "ERROR"}
        if each.problems
        else each.commit() | {"StatusAttributeString": "OK"}
        for each in elements
    ]
