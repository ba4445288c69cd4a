"""Every package's rehearsal."""

from collections.abc import Iterator

import pytest

from connectors import registry
from tests.connectors.rehearsal import Rehearsal, open_rehearsal


@pytest.fixture(params=list(registry.packages()))
def rehearsal(request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    """A stand-in of each package in turn, freshly arranged."""
    with open_rehearsal(registry.package(request.param)) as opened:
        yield opened
