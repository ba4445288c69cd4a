"""Every package's rehearsal."""

from collections.abc import Iterator

import pytest

from connectors import registry
from tests.connectors.rehearsal import Rehearsal, open_rehearsal
from tests.packages import invented

# A package that only writes files has nothing to rehearse against.
PACKAGES = {key: one for key, one in {**registry.packages(), **invented()}.items() if one.standin}


@pytest.fixture(params=list(PACKAGES))
def rehearsal(request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    """A stand-in of each package in turn, freshly arranged."""
    with open_rehearsal(PACKAGES[request.param]) as opened:
        yield opened
