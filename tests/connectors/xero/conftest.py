"""Xero's stand-in, whose requests are judged by Xero's published description afterwards."""

import os
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

import pytest

from connectors.base.standin import Seen
from connectors.xero import PACKAGE
from connectors.xero.standin_ledger import Organisation
from tests import specs
from tests.connectors.xero.rehearsal import Rehearsal

API = "/api.xro/2.0"


@pytest.fixture
def xero() -> Iterator[Rehearsal]:
    """A rehearsal in which whatever was sent must be allowed by the published description.

    Without the description nothing is judged, but on CI, where it must be there.
    """
    with Rehearsal(PACKAGE) as rehearsal:
        yield rehearsal
        judge(rehearsal)


@pytest.fixture
def organisation(xero: Rehearsal) -> Organisation:
    """The books behind it."""
    return cast(Organisation, xero.organisation)


def judge(rehearsal: Rehearsal) -> None:
    """Hold every request to the API against the description."""
    if not (specs.SPECS / specs.PUSH_SUBSET).is_file() and os.environ.get("CI") != "true":
        return
    for seen in rehearsal.standin.requests:
        if seen.path.startswith(API) and not is_left_out(seen):
            url = f"{rehearsal.standin.url}{seen.path}?{urlencode(dict(seen.query))}"
            specs.validate_xero_request(seen.method, url, seen.headers, seen.body)


def is_left_out(seen: Seen) -> bool:
    """Documented reads that the shortened description lacks.

    They are a contact by its number (it knows the id only) and a credit note's attachments.
    """
    place, _, last = seen.path.rpartition("/")
    if seen.method != "GET":
        return False
    by_number = place == f"{API}/Contacts" and not is_id(last)
    return by_number or (last == "Attachments" and place.startswith(f"{API}/CreditNotes/"))


def is_id(text: str) -> bool:
    """Whether the text is an id of Xero's."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
