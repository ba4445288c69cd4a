"""Lists the accounting packages this installation can link to."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from connectors import registry
from connectors.base.protocol import Package

COLUMNS = ("key", "label", "link", "set up by", "can")


def facts_of(package: Package) -> dict[str, Any]:
    """What is told of a package."""
    return {
        "key": package.key,
        "label": package.label,
        "link": str(package.link),
        "set_up_by": str(package.set_up_by),
        "capabilities": package.capabilities(),
    }


class Command(BaseCommand):
    """`manage.py packages`: a plain table, or JSON."""

    help = "List the accounting packages: key, label, how they link, who sets up, what they can."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        packages = [facts_of(one) for one in registry.packages().values()]
        if options["json"]:
            self.stdout.write(json.dumps(packages, indent=2))
            return
        rows = [COLUMNS, *(_row(one) for one in packages)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    can = ", ".join(facts["capabilities"])
    return (facts["key"], facts["label"], facts["link"], facts["set_up_by"], can)
