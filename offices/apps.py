"""The offices application."""

from django.apps import AppConfig


class OfficesConfig(AppConfig):
    """Puts every PostgreSQL connection under the product's own role; notes one-time codes."""

    name = "offices"

    def ready(self) -> None:
        from allauth.mfa.signals import authenticator_added
        from django.db.backends.signals import connection_created

        from offices.accounts import note_set_up
        from offices.tenancy import take_app_role

        authenticator_added.connect(note_set_up, dispatch_uid="offices.note_set_up")
        connection_created.connect(take_app_role, dispatch_uid="offices.take_app_role")
