"""The invoicing application."""

from django.apps import AppConfig


class InvoicingConfig(AppConfig):
    """Invoices and their uploads."""

    name = "invoicing"
