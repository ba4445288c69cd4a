"""The offices application."""

from django.apps import AppConfig


class OfficesConfig(AppConfig):
    """Puts every PostgreSQL connection under the product's own role."""

    name = "offices"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from offices.tenancy import take_app_role

        connection_created.connect(take_app_role, dispatch_uid="offices.take_app_role")
