"""The checks before sending catch what the package would refuse, and hold up nothing else."""

import pytest

from offices.models import Practice
from tests.preflight.corpus import CORPORA
from tests.preflight.judge import LEAST, judge

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("package", CORPORA)
def test_what_a_package_refuses_is_caught_and_what_it_takes_is_not_held_up(
    package: str, practice: Practice
) -> None:
    report = judge(package, practice)
    assert not report.blocked
    assert report.share >= LEAST, report.missed
