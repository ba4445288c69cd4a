"""What the benchmarks share: a database that is made and thrown away, and the line each prints.

A benchmark compares two things in one run on one machine, because a ratio travels and a time does
not. `--quick` is small and forgives a quarter of the target, for a busy machine.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from statistics import median
from typing import Any

FORGIVEN = 1.25

missed: list[str] = []


def size(*, full: int, quick: int) -> int:
    """How much to do."""
    return quick if asked().quick else full


def asked() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small, for every change")
    return parser.parse_args()


@contextmanager
def product() -> Iterator[None]:
    """The product on a database of its own: SQLite, or PostgreSQL where DATABASE_URL says so."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "abtrac_link.settings")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VAR_DIR"] = folder
        os.environ.setdefault("LOG_LEVEL", "WARNING")
        import django
        from django.db import connection

        django.setup()
        from tests.made_once import copy_test_database

        copy_test_database()
        # Of pages the answers are wanted here, not the files that go with them.
        warnings.filterwarnings("ignore", message="No directory at")
        # Only the test database, whatever DATABASE_URL names is not touched.
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            yield
        finally:
            connection.creation.destroy_test_db("", verbosity=0)


def timed(work: Callable[[], Any]) -> float:
    """The seconds it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def medians(*arms: Callable[[], Any], rounds: int = 3) -> list[float]:
    """Seconds per arm, each tried that often in turn with the others."""
    taken: list[list[float]] = [[] for _ in arms]
    for _ in range(rounds):
        for seconds, arm in zip(taken, arms, strict=True):
            seconds.append(timed(arm))
    return [median(seconds) for seconds in taken]


def middle(arm: Callable[[], tuple[float, ...]], rounds: int) -> tuple[float, ...]:
    """The median of each number the arm answers."""
    return tuple(median(numbers) for numbers in zip(*(arm() for _ in range(rounds)), strict=True))


def report(
    name: str,
    value: float,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    reached: float | None = None,
    n: int,
    seed: int = 0,
    **raw: Any,
) -> None:
    """Print the line: whether the target is met, and the raw numbers behind the ratio.

    `reached` is how far a target that is out of reach was come to: the line says that the target is
    missed, and the run as a whole is so only when even that is lost again.
    """

    wanted = at_least if at_most is None else at_most

    def holds(bound: float | None, forgiven: float) -> bool:
        if bound is None:
            return False
        return value >= bound / forgiven if at_most is None else value <= bound * forgiven

    ok = holds(wanted, FORGIVEN if asked().quick else 1.0)
    # How far one came depends on the machine more than a target does: a quarter at any size.
    if not ok and not holds(reached, FORGIVEN):
        missed.append(name)
    target = f"<= {at_most:g}" if at_most is not None else f">= {at_least:g}"
    line = {
        "name": name,
        "value": round(value, 4),
        "target": target,
        "ok": ok,
        "n": n,
        "seed": seed,
        **{
            key: round(given, 6) if isinstance(given, float) else given
            for key, given in raw.items()
        },
        "load": round(os.getloadavg()[0], 1),
        "versions": {"python": platform.python_version(), "django": version("django")},
    }
    print(json.dumps(line), flush=True)


def end() -> None:
    """Exit 1 when a target was missed."""
    if missed:
        sys.exit(f"Missed: {', '.join(missed)}")
