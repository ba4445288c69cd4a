"""The invoicing application."""

from django.apps import AppConfig

from invoicing import pdfs


class InvoicingConfig(AppConfig):
    """Invoices and their uploads."""

    name = "invoicing"

    def ready(self) -> None:
        """Stop the start where a setting names what cannot be loaded."""
        pdfs.scanner()
