"""What every test may ask for."""

from collections.abc import Iterator

import pytest

from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import make_practice


@pytest.fixture
def practice(db: None) -> Practice:
    """A practice nobody acts for yet."""
    return make_practice()


@pytest.fixture
def acting(practice: Practice) -> Iterator[Practice]:
    """The practice, acted for during the whole test."""
    with acting_for(practice.pk):
        yield practice
