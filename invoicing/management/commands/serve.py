"""The product on one computer: pages, worker and scheduler in one process, on SQLite."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


class Command(BaseCommand):
    """`manage.py serve`, once `manage.py migrate` was run."""

    help = "Serve the pages and send what is uploaded, without PostgreSQL and Redis."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address (default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port (default: 8000)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError(
                "DATABASE_URL is set, so this is a server: web, worker and scheduler are processes"
                " of their own there (docs/deploy.md)."
            )
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError(
                "The database is not made yet. Run `python manage.py migrate` first."
            )
        # Without the product in it, so that it is not the one to be killed where memory is short.
        words = [str(settings.VAR), options["host"], str(options["port"]), settings.SITE_URL]
        os.execv(  # noqa: S606 - our own
            sys.executable, [sys.executable, "-m", "invoicing.serving", *words]
        )
