"""Says whether the workers do what is due: for a container's health check."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from interfaces import clock, lanes


class Command(BaseCommand):
    """`manage.py worker_health`: exit 1 when work has been due too long and nobody takes it."""

    help = "Fail when an interface's uploads have been due for a minute and no worker took them."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--seconds", type=int, default=60, help="how long due work may lie (default: 60)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        late = lanes.neglected(before=clock.now() - timedelta(seconds=options["seconds"]))
        if late:
            raise CommandError(
                f"{late} interface(s) have had work due for over {options['seconds']} seconds and"
                " no worker takes it. Restart the worker."
            )
        self.stdout.write("Workers take what is due.")
