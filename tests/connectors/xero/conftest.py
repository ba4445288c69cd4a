"""Xero's stand-in, whose requests are judged by Xero's published description afterwards."""

import os
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlencode

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
    """A credit note's attachments: a documented read that the shortened description lacks."""
    place, _, last = seen.path.rpartition("/")
    of_note = last == "Attachments" and place.startswith(f"{API}/CreditNotes/")
    return seen.method == "GET" and of_note
