"""Every address the product answers, for tests that must leave none out."""

import re
from collections.abc import Iterator, Mapping

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

# A part of a route that stands for a value: `<int:interface_id>`, `<slug:practice_slug>`.
PART = re.compile(r"<(?:\w+:)?(\w+)>")


def routes() -> list[str]:
    """All of them, as the URL files write them."""
    return sorted(set(_below(get_resolver().url_patterns, "")))


def parts_of(route: str) -> list[str]:
    """The names of the values the route takes."""
    return PART.findall(route)


def address_of(route: str, values: Mapping[str, str]) -> str:
    """The address of the route with those values; one that is missing raises KeyError."""
    return "/" + PART.sub(lambda found: values[found[1]], route)


def _below(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[str]:
    for one in patterns:
        here = before + _written(one)
        if isinstance(one, URLResolver):
            yield from _below(one.url_patterns, here)
        else:
            yield here


def _written(one: URLPattern | URLResolver) -> str:
    text = str(one.pattern)
    # Only plain beginnings are written as expressions: an address of everything else below them.
    return f"{text.strip('^$')}no-such-page" if isinstance(one.pattern, RegexPattern) else text
