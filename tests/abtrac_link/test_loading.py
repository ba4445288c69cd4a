"""What a web process has done before its first request."""

import gc
from collections.abc import Iterator

import pytest

from abtrac_link.loading import load_for_good


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """Other tests' rubbish is found again."""
    yield
    gc.unfreeze()


def test_what_is_loaded_is_not_looked_through_for_rubbish_again() -> None:
    load_for_good()
    searched = {id(one) for one in gc.get_objects()}
    assert id(load_for_good.__globals__) not in searched
    assert gc.get_freeze_count() > 10_000
