"""The interfaces application."""

from django.apps import AppConfig


class InterfacesConfig(AppConfig):
    """Accounting interfaces and their codes."""

    name = "interfaces"
