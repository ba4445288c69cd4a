"""The interfaces application."""

from django.apps import AppConfig


class InterfacesConfig(AppConfig):
    """Accounting interfaces and their codes; there is always a price book."""

    name = "interfaces"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from interfaces.price_books import make_first

        post_migrate.connect(make_first, sender=self, dispatch_uid="interfaces.make_first")
