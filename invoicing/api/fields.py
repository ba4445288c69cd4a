"""Fields that take exactly what they say: no number for a text, no float, no control characters."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from interfaces.typed_names import CONTROL, unseen

CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
INVOICE_ID = "^[A-Za-z0-9][A-Za-z0-9._-]*$"
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2099, 12, 31)


class InOurWords(serializers.Field[Any, Any, Any, Any]):
    """What every field says in the same words, with what to do."""

    default_error_messages = {
        "required": "This is missing. Give it a value.",
        "null": "This is null. Give it a value; where it may be empty, leave it out.",
    }


class Many(InOurWords):
    """The same of a list."""

    default_error_messages = {
        "not_a_list": "Give a list.",
        "empty": "This list is empty. Give at least one element.",
        "min_length": "This list is too short. Give at least {min_length}.",
        "max_length": "This list is too long. Give {max_length} at most.",
    }


class Texts(Many, serializers.ListField):
    """A list of texts."""


class Rows(Many, serializers.ListSerializer[Any]):
    """A list of rows."""


class _OnlyText(InOurWords, serializers.CharField):
    default_error_messages = {
        "invalid": "Give a text.",
        "blank": "This is empty. Give a text.",
        "max_length": "This is too long. Give {max_length} characters at most.",
        "control": "This holds a control character, such as a tab or an end of line.",
    }
    control = CONTROL

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # First of all: the framework would turn anything into a text to see whether it is blank.
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            self.fail("invalid")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        value: str = super().to_internal_value(data)
        if self.control.search(value):
            self.fail("control")
        return value


class Text(_OnlyText):
    """One line of text. Required unless it is `optional`, which may be left out or empty."""

    def __init__(self, *, max_length: int, optional: bool = False, **kwargs: Any) -> None:
        if optional:
            kwargs |= {"required": False, "allow_blank": True, "default": ""}
        super().__init__(max_length=max_length, **kwargs)


class Identity(Text):
    """A number or an ID: two that look the same are the same.

    Names keep such characters: some are spelled with joiners.
    """

    default_error_messages = {
        "invisible": "This holds a character that cannot be seen, {name}. Type it anew in Abtrac"
        " without it, and send it again."
    }

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        hidden = unseen(value)
        if hidden:
            self.fail("invisible", name=hidden)
        return value


class Words(Text):
    """Text that may run over several lines."""

    control = CONTROL_BUT_LINES

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).replace("\r\n", "\n").replace("\r", "\n")


class InvoiceId(_OnlyText, serializers.RegexField):
    """An invoice's ID: it is part of addresses, so it holds nothing that would need escaping."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            INVOICE_ID,
            max_length=40,
            error_messages={
                "invalid": "Give a text of letters, digits, dots, hyphens and underscores."
            },
            **kwargs,
        )


class Pattern(_OnlyText, serializers.RegexField):
    """A text of one shape."""


class Email(_OnlyText, serializers.EmailField):
    """An e-mail address, or nothing."""

    default_error_messages = {"invalid": "Give one e-mail address, such as accounts@firm.example."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, required=False, allow_blank=True, default="", **kwargs)


class Choice(InOurWords, serializers.ChoiceField):
    """One of a few words."""

    default_error_messages = {"invalid_word": "Give one of: {words}."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_word", words=", ".join(self.choices))
        return data


class Whole(InOurWords, serializers.IntegerField):
    """A whole number, given as a number."""

    default_error_messages = {
        "invalid": "Give a whole number.",
        "min_value": "Give a whole number from {min_value} on.",
        "max_value": "Give a whole number up to {max_value}.",
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, Decimal) and data.is_finite() and data.copy_abs() < 10**18:
            data = int(data) if data == int(data) else None
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Day(InOurWords, serializers.DateField):
    """A date as year-month-day."""

    default_error_messages = {
        "invalid": "Give a date such as 2026-11-30.",
        "far": "Give a date between {first} and {last}.",
    }

    def to_internal_value(self, value: Any) -> date:
        if not isinstance(value, str) or not DAY.fullmatch(value):
            self.fail("invalid")
        try:
            day = date.fromisoformat(value)
        except ValueError:
            self.fail("invalid")
        if not FIRST_DAY <= day <= LAST_DAY:
            self.fail("far", first=FIRST_DAY, last=LAST_DAY)
        return day


class Amount(InOurWords, serializers.Field[Decimal, Any, str, Any]):
    """An exact number, as text or as a JSON number, of so many digits round the point."""

    default_error_messages = {
        "invalid": "Give an amount such as 1150.00, as a text or a number.",
        "decimals": "This has more than {places} decimals.",
        "digits": "This has more than {digits} digits before the point.",
    }
    places: int
    digits: int

    def to_internal_value(self, data: Any) -> Decimal:
        value = self._read(data)
        if value.copy_abs() >= 10**self.digits:
            self.fail("digits", digits=self.digits)
        exact = round(value, self.places)
        if exact != value:
            self.fail("decimals", places=self.places)
        return exact + 0  # minus zero is zero

    def to_representation(self, value: Decimal) -> str:
        return f"{value:.{self.places}f}"

    def _read(self, data: Any) -> Decimal:
        if isinstance(data, str):
            text = re.fullmatch(r"-?[0-9]+(?:\.([0-9]+))?", data, flags=re.ASCII)
            if not text or len(data) > 40:
                self.fail("invalid")
            if len(text[1] or "") > self.places:
                self.fail("decimals", places=self.places)
            return Decimal(data)
        if isinstance(data, bool) or not isinstance(data, (int, Decimal)):
            self.fail("invalid")
        return Decimal(data)


def _schema(digits: int, places: int) -> dict[str, Any]:
    pattern = f"^-?[0-9]{{1,{digits}}}(\\.[0-9]{{1,{places}}})?$"
    bound = 10**digits
    return {
        "oneOf": [
            {"type": "string", "pattern": pattern},
            {
                "type": "number",
                "minimum": -bound,
                "exclusiveMinimum": True,
                "maximum": bound,
                "exclusiveMaximum": True,
            },
        ]
    }


@extend_schema_field(_schema(10, 2))
class Money(Amount):
    """An amount of money, two decimals."""

    digits, places = 10, 2


@extend_schema_field(_schema(8, 4))
class Quantity(Amount):
    """Hours or pieces, four decimals."""

    digits, places = 8, 4


@extend_schema_field(_schema(10, 4))
class Price(Amount):
    """A price per unit, four decimals."""

    digits, places = 10, 4
