"""Reads what is written to the rehearsal Xero: an envelope of elements, each of known fields.

Here a value must only have the right form; whether it makes sense in the books is decided later.
What has the wrong form refuses the whole call with Xero's error 14. Fields nobody knows are refused
as well: Xero probably ignores them, but then a misspelling of ours would never come to light.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import simplejson
from werkzeug.wrappers import Request

from connectors.xero.standin_answers import Shape, bad_post, gateway

Reader = Callable[[str, Any], Any]
Fields = Mapping[str, Reader]

MOST_ELEMENTS = 50
LARGEST_POST = 10 * 1024 * 1024
LARGEST_NUMBER = Decimal(10) ** 15
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_elements(request: Request, plural: str, fields: Fields) -> list[Shape]:
    """The elements sent, one to fifty, bare or in their envelope. Raises Refusal."""
    body = read_json(request)
    if not isinstance(body, dict):
        raise bad_post(f"{plural} expected")
    elements = body[plural] if set(body) == {plural} else [body]
    if not isinstance(elements, list) or not elements:
        raise bad_post(f"{plural} must be a list that is not empty")
    if len(elements) > MOST_ELEMENTS:
        raise bad_post(f"{plural}: {len(elements)} elements, at most {MOST_ELEMENTS} are taken")
    return [read_fields(plural.removesuffix("s"), each, fields) for each in elements]


def read_json(request: Request) -> Any:
    """The JSON sent, its fractions as Decimal. Raises Refusal."""
    if request.mimetype != "application/json":
        # Anything else Xero takes for XML, which the rehearsal does not read.
        raise bad_post("Data at the root level is invalid: send application/json")
    body = request.get_data()
    if len(body) > LARGEST_POST:
        raise too_large()
    try:
        return simplejson.loads(body.decode("utf-8"), use_decimal=True)
    except (ValueError, RecursionError):
        raise bad_post("The JSON sent cannot be read") from None


def read_fields(where: str, value: Any, fields: Fields) -> Shape:
    """An object of known fields only. Raises Refusal."""
    if not isinstance(value, dict):
        raise bad_post(f"{where} must be an object")
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise bad_post(f"{where} has no field {', '.join(unknown)}")
    return {name: fields[name](f"{where}.{name}", each) for name, each in value.items()}


def too_large() -> Exception:
    """The refusal of a body that is too long."""
    return gateway(413, "RequestEntityTooLarge", "PayloadTooLarge")


def text(where: str, value: Any) -> str:
    """A text, as it is."""
    if not isinstance(value, str):
        raise bad_post(f"{where} must be a text")
    return value


def number(where: str, value: Any) -> Decimal:
    """A JSON number, never a text that looks like one."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise bad_post(f"{where} must be a number")
    amount = Decimal(value)
    if not amount.is_finite() or abs(amount) >= LARGEST_NUMBER:
        raise bad_post(f"{where} is out of range")
    return amount


def boolean(where: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise bad_post(f"{where} must be true or false")
    return value


def identifier(where: str, value: Any) -> str:
    """A GUID, in its usual spelling."""
    try:
        return str(UUID(text(where, value)))
    except ValueError:
        raise bad_post(f"Error converting value {value!r} of {where} to type 'Guid'") from None


def day(where: str, value: Any) -> date:
    """YYYY-MM-DD and nothing else: Xero takes more, and moves some of it to another day."""
    try:
        if DAY.fullmatch(text(where, value)):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise bad_post(f"{where} must be a date as YYYY-MM-DD, not {value!r}")


def one_of(*words: str) -> Reader:
    """One of the words, in exactly that case."""

    def read(where: str, value: Any) -> str:
        if text(where, value) not in words:
            raise bad_post(f"Error converting value {value!r} of {where}: not one of {words}")
        return str(value)

    return read


def nested(fields: Fields) -> Reader:
    """An object of known fields."""
    return lambda where, value: read_fields(where, value, fields)


def listing(reader: Reader) -> Reader:
    """A list; an object in its place is refused as Xero does."""

    def read(where: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise bad_post(f"{where} must be a list")
        return [reader(f"{where}[{place}]", each) for place, each in enumerate(value)]

    return read


def too_long(element: Mapping[str, Any], limits: Mapping[str, int]) -> list[str]:
    """A sentence for each text longer than its limit."""
    return [
        f"{name} exceeds the maximum length of {limit}"
        for name, limit in limits.items()
        if len(element.get(name) or "") > limit
    ]


def messages(problems: Sequence[str]) -> list[Shape]:
    """Problems as Xero lists them."""
    return [{"Message": each} for each in problems]
