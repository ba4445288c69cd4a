"""Django's migrate, run as the owner of the tables."""

from typing import Any

from django.core.management.commands import migrate

from offices.tenancy import as_owner


class Command(migrate.Command):
    """Migrations change the schema, which the product's own role may not."""

    def handle(self, *args: Any, **options: Any) -> None:
        with as_owner():
            super().handle(*args, **options)
