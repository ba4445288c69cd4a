"""Takes in a new practice, with its first admin."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from offices import people


class Command(BaseCommand):
    """`manage.py create_practice NAME COUNTRY ADMIN_EMAIL`."""

    help = (
        "Create a practice and its first admin. A generated password, and the API key asked for,"
        " are printed once and kept nowhere."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the firm's name")
        parser.add_argument("country", choices=sorted(people.TIME_ZONES), help="where it is")
        parser.add_argument("admin_email", help="who sets it up")
        parser.add_argument("--slug", default="", help="the first part of its addresses")
        parser.add_argument("--time-zone", default="", help="such as Pacific/Auckland")
        parser.add_argument(
            "--key", action="store_true", help="also make the key Abtrac calls the API with"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                made, secret = _made(options)
        except ValidationError as error:
            raise CommandError("Nothing was created. " + " ".join(error.messages)) from None
        practice, admin = made.membership.practice, made.membership.user
        self.stdout.write(f"Practice  {practice} at /{practice.slug}/")
        self.stdout.write(f"Admin     {admin.email}")
        self.stdout.write(f"Password  {made.password or 'as before: this person has an account'}")
        if secret:
            self.stdout.write(f"API key   {secret}")


def _made(options: dict[str, Any]) -> tuple[people.NewMember, str]:
    made = people.create_practice(
        name=options["name"],
        country=options["country"],
        admin_email=options["admin_email"],
        slug=options["slug"],
        time_zone=options["time_zone"],
    )
    if not options["key"]:
        return made, ""
    _, secret = people.make_key(practice=made.membership.practice, name="Abtrac", actor=None)
    return made, secret
