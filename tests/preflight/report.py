"""Prints a line for each package: of what it refuses, how much is caught before it is sent.

`python -m tests.preflight.report`; with `--missed` also what was not.
"""

import argparse
import os
import sys


def main() -> int:
    """Judge every corpus on a database that is thrown away; 1 where one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--missed", action="store_true", help="name the cases that were missed")
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "abtrac_link.settings")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    import django
    from django.db import connection

    django.setup()
    from tests.factories import make_practice
    from tests.preflight.corpus import CORPORA
    from tests.preflight.judge import LEAST, judge

    short = False
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        for package in CORPORA:
            report = judge(package, make_practice())
            print(report)
            for name in [*(report.missed if asked.missed else []), *report.blocked]:
                print(f"  {name}")
            short = short or bool(report.blocked) or report.share < LEAST
    finally:
        connection.creation.destroy_test_db("", verbosity=0)
    return int(short)


if __name__ == "__main__":
    sys.exit(main())
