"""What every test may ask for."""

from collections.abc import Iterator
from typing import Any

import pytest

from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import make_practice


@pytest.fixture(autouse=True)
def easy_log_in(settings: Any) -> None:
    """One-time codes are asked for only where a test turns them on, and passwords cost no time."""
    settings.REQUIRE_TOTP = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def practice(db: None) -> Practice:
    """A practice nobody acts for yet."""
    return make_practice()


@pytest.fixture
def acting(practice: Practice) -> Iterator[Practice]:
    """The practice, acted for during the whole test."""
    with acting_for(practice.pk):
        yield practice
