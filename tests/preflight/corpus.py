"""The documents by which the checks before sending are judged, by package.

A package that has a stand-in adds its own here: what the stand-in refuses, each beside a neighbour
it takes, and documents that are odd but right. They are written from the package's published
facts, not from its connector, whose misreadings they would share.
"""

from tests.preflight import corpus_xero_cases, corpus_xero_valid
from tests.preflight.corpus_cases import Case, Outcome, Valid

__all__ = ["CORPORA", "VALID", "Case", "Outcome", "Valid"]

CORPORA: dict[str, tuple[Case, ...]] = {"xero": corpus_xero_cases.CASES}
VALID: dict[str, tuple[Valid, ...]] = {"xero": corpus_xero_valid.VALID}
