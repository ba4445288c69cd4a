"""The product on one computer: pages, worker and scheduler in one process, on SQLite."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from invoicing.ports import PortTaken, free_port


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
        host, port = options["host"], options["port"]
        try:
            port = free_port(host, port)
        except PortTaken:
            raise CommandError(
                f"Port {port} of {host} cannot be used: something else listens there, or it is not"
                " allowed. End that, or choose another: --port 8001"
            ) from None
        self.stdout.write(f"Serving {settings.SITE_URL} on port {port}. Ctrl-C ends it.")
        self.stdout.flush()
        # One process: the worker inside it listens on a doorbell in its memory.
        words = ["--interface", "wsgi", "--workers", "1", "--blocking-threads", "8"]
        words += ["--host", host, "--port", str(port), "abtrac_link.wsgi:application"]
        os.execv(sys.executable, [sys.executable, "-m", "granian", *words])  # noqa: S606 - our own
