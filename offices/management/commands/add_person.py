"""Takes a person into a practice."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from offices import people
from offices.models import Practice, Role


class Command(BaseCommand):
    """`manage.py add_person PRACTICE_SLUG EMAIL ROLE`."""

    help = (
        "Add a person to a practice. A generated password is printed once and kept nowhere; who"
        " has an account already keeps theirs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("practice_slug", help="the first part of the practice's addresses")
        parser.add_argument("email")
        parser.add_argument("role", choices=Role.values)

    def handle(self, *args: Any, **options: Any) -> None:
        practice = Practice.objects.filter(slug=options["practice_slug"]).first()
        if practice is None:
            raise CommandError(
                f"Nobody was added. There is no practice at /{options['practice_slug']}/."
            )
        try:
            made = people.add_member(
                practice=practice, email=options["email"], role=Role(options["role"])
            )
        except ValidationError as error:
            raise CommandError("Nobody was added. " + " ".join(error.messages)) from None
        member = made.membership
        self.stdout.write(f"Practice  {practice} at /{practice.slug}/")
        self.stdout.write(f"{member.get_role_display():9} {member.user.email}")
        self.stdout.write(f"Password  {made.password or 'as before: this person has an account'}")
