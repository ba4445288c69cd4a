"""Template tags that put uploads, amounts and addresses of packages into words and links."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.utils.formats import number_format

from invoicing import words
from invoicing.models import Upload

register = template.Library()

LONGEST_BODY = 20_000

register.filter("money", words.money)
register.filter("state_named", words.state_named)
register.filter("clock_time", words.clock_time)
register.filter("warnings_of", words.warnings_of)
register.filter("up_to", words.up_to)
register.filter("what_is_in", words.what_is_in)
register.filter("states_of_batch", words.states_of_batch)
register.filter("besides_told", words.besides_told)
register.filter("notice_told", words.notice_told)


@register.filter
def told(upload: Upload) -> words.Told:
    """The upload's state in words, and its badge."""
    return words.state_of(upload)


@register.filter
def of(found: Mapping[int, Any] | None, pk: int) -> Any:
    """What was found of the row of that id, or None."""
    return (found or {}).get(pk)


@register.filter
def web_address(address: str) -> str:
    """The address if it is one a browser may open, else nothing: it came from outside."""
    try:
        scheme = urlsplit(address).scheme
    except ValueError:
        return ""
    return address if scheme in ("https", "http") else ""


@register.filter
def plain(amount: Decimal) -> str:
    """The amount as scripts read it: no separators, a point."""
    return f"{amount:.2f}"


@register.filter
def price(amount: Decimal) -> str:
    """A unit price: two decimals, up to four where it has them."""
    places = max(2, -int(amount.normalize().as_tuple().exponent))
    return number_format(amount, decimal_pos=places, use_l10n=True, force_grouping=True)


@register.filter
def shortest(amount: Decimal) -> str:
    """A quantity without the noughts it does not need."""
    places = max(0, -int(amount.normalize().as_tuple().exponent))
    return number_format(amount, decimal_pos=places, use_l10n=True, force_grouping=True)


@register.filter
def as_text(body: bytes | memoryview) -> str:
    """The beginning of a body as text, for support; it is never run or parsed."""
    text = bytes(body[:LONGEST_BODY]).decode(errors="replace")
    return text if len(body) <= LONGEST_BODY else f"{text} …"
