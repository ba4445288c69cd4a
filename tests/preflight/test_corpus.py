"""The corpora are right: stand-ins really refuse each case, and really take what is beside it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connectors import registry
from tests import specs
from tests.preflight import corpus_xero_wire
from tests.preflight.corpus import CORPORA, VALID, Case, Outcome, Valid

# By package, a stand-in that is sent documents in the package's own words.
WIRES: dict[str, Any] = {"xero": corpus_xero_wire.open_wire}
CASES = [
    pytest.param(key, one, id=f"{key}: {one.name}") for key, all in CORPORA.items() for one in all
]
RIGHT = [
    pytest.param(key, one, id=f"{key}: {one.name}") for key, all in VALID.items() for one in all
]


@pytest.fixture(scope="module")
def wires() -> Iterator[dict[str, Any]]:
    """One stand-in for each package; every case is given books of its own in it."""
    with ExitStack() as stack:
        yield {key: stack.enter_context(open_wire()) for key, open_wire in WIRES.items()}


@pytest.mark.parametrize(("package", "case"), CASES)
def test_a_document_at_fault_is_refused_and_its_neighbour_is_taken(
    wires: dict[str, Any], package: str, case: Case
) -> None:
    *before, last = wires[package].send_all(case)
    assert all(one.is_taken for one in before), before
    if case.outcome is Outcome.REFUSED:
        # For this one thing alone, so that a check is judged by it and by nothing else.
        assert case.words and last.refusals
        assert all(case.words in each for each in last.refusals), last.refusals
    elif case.outcome is Outcome.ALTERED:
        assert last.altered and not last.refusals, last
    else:
        assert not (last.refusals or last.altered or last.found), last
    told = wires[package].send_all(case.right())
    assert all(one.is_taken for one in told), told


@pytest.mark.parametrize(("package", "valid"), RIGHT)
def test_what_is_odd_but_right_is_taken(wires: dict[str, Any], package: str, valid: Valid) -> None:
    told = wires[package].send_all(valid)
    assert all(one.is_taken for one in told), told


@pytest.mark.parametrize("package", CORPORA)
def test_a_corpus_is_large_and_names_each_of_its_documents_once(package: str) -> None:
    cases, valid = CORPORA[package], VALID[package]
    assert len([one for one in cases if one.outcome is Outcome.REFUSED]) >= 60
    assert len(valid) >= 40
    everything: list[Case | Valid] = [*cases, *valid]
    names = Counter(one.name for one in everything)
    assert not [name for name, count in names.items() if count > 1]
    settings = {one.key: one for one in registry.packages()[package].settings}
    used = [one.settings for one in everything]
    assert all(each in settings for one in used for each in one)
    assert all(one.field or one.code == "plan_limit" for one in cases)


def test_what_xero_takes_is_allowed_by_its_published_description(wires: dict[str, Any]) -> None:
    specs.xero_api()
    wire = wires["xero"]
    for one in VALID["xero"]:
        wire.send_all(one)
        assert wire.written
        for method, url, headers, body in wire.written:
            specs.validate_xero_request(method, url, headers, body)
