"""Bodies as they come in: JSON whose amounts stay exact, and PDFs."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from invoicing.api.problems import printable


class ExactJson(BaseParser):
    """JSON in UTF-8. Numbers are read as Decimal, so no amount ever passes through a float."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            # Windows puts a byte-order mark in front of UTF-8; nothing else is allowed for.
            text = stream.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not UTF-8 (byte {error.start}).") from error
        try:
            return json.loads(
                text,
                parse_float=Decimal,
                parse_constant=_refuse_constant,
                object_pairs_hook=_names_once,
            )
        except json.JSONDecodeError as error:
            raise ParseError(
                f"The body is not JSON: {error.msg}, line {error.lineno} column {error.colno}."
            ) from error
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error
        except (ValueError, ArithmeticError) as error:
            raise ParseError("The body holds a number too long to be read.") from error


class Pdf(BaseParser):
    """The bytes of a PDF, unread."""

    media_type = "application/pdf"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return stream.read()


def _refuse_constant(name: str) -> Any:
    raise ParseError(f"{name} is no number of JSON.")


def _names_once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values under one name either could be meant: neither is taken."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ParseError(f"The name “{printable(name)}” stands twice in one object.")
        found[name] = value
    return found
