"""The rehearsal server as a process of its own."""

import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors.base.served import serve_until_stopped
from interfaces import rehearsals


class Command(BaseCommand):
    """`manage.py rehearsals`."""

    help = (
        "Serve the rehearsal companies of every practice until Ctrl-C. They are kept in memory:"
        " when this ends, they are gone. On one computer `serve` does it by itself."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="(default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=4710, help="(default: 4710)")

    def handle(self, *args: Any, **options: Any) -> None:
        # A container's first process is not ended by TERM unless it says so.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        failed = serve_until_stopped(
            rehearsals.server(), host=options["host"], port=options["port"], name="Rehearsals"
        )
        if failed:
            raise CommandError("The rehearsals are not served: see above.")
