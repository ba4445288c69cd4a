"""Takes in a person of Abtrac's support."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from offices import people


class Command(BaseCommand):
    """`manage.py create_support EMAIL`."""

    help = (
        "Create a support person, who sees no practice until one of its admins lets them in. The"
        " generated password is printed once and kept nowhere."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user, password = people.create_support(email=options["email"])
        except ValidationError as error:
            raise CommandError("Nobody was created. " + " ".join(error.messages)) from None
        self.stdout.write(f"Support   {user.email}")
        self.stdout.write(f"Password  {password}")
