"""How tests of pages ask for them and count what they cost."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from offices.models import Practice, User

# What a transaction itself says to the database is no query of a page.
BOOKKEEPING = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "SELECT SET_CONFIG")


def client_of(user: User) -> Client:
    """A browser of that person, logged in."""
    client = Client()
    client.force_login(user)
    return client


def url(practice: Practice, path: str = "") -> str:
    """An address below the practice's accounting."""
    return f"/{practice.slug}/accounting/{path}"


def text_of(response: Any) -> str:
    """What a person reads on the page: no tags, one space where there were many."""
    body = re.sub(r"(?s)<head>.*?</head>", " ", response.content.decode())
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body))).strip()


def said(response: Any) -> list[str]:
    """The messages on the page."""
    return [str(one) for one in response.context["messages"]]


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """The queries made meanwhile, without those that only frame a transaction."""
    found: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield found
    found += [
        one["sql"]
        for one in captured.captured_queries
        if not one["sql"].upper().startswith(BOOKKEEPING)
    ]
