"""Lets somebody in again who has lost their password, or the phone as well."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from offices import members


class Command(BaseCommand):
    """`manage.py reset_password EMAIL`."""

    help = (
        "Give a person, of whatever practice or of support, a new password, which is printed once"
        " and kept nowhere. It ends all their sessions."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--forget-app", action="store_true", help="also forget their authenticator app"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            password = members.reset_account(email=options["email"], with_app=options["forget_app"])
        except ValidationError as error:
            raise CommandError("Nothing has changed. " + " ".join(error.messages)) from None
        self.stdout.write(f"Person    {options['email'].strip().lower()}")
        self.stdout.write(f"Password  {password}")
