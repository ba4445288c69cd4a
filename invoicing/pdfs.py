"""The virus scan of the PDFs that Abtrac sends, where one is set up: PDF_SCANNER.

It names a function of the operator's, by its dotted path, which is given the PDF as bytes. It
answers nothing where the PDF is clean and raises `PdfRefused` where it is not.
"""

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

log = logging.getLogger("invoicing.pdfs")


class PdfRefused(Exception):
    """The PDF is not to be kept; `str(error)` says why, for whoever sent it."""


class NotScanned(Exception):
    """The scan could not be done, so nobody knows: the PDF is not kept."""


def scanner() -> Callable[[bytes], object] | None:
    """The function that PDF_SCANNER names, or None. Raises ImproperlyConfigured."""
    if not settings.PDF_SCANNER:
        return None
    try:
        found = import_string(settings.PDF_SCANNER)
    except ImportError as error:
        raise ImproperlyConfigured(f"PDF_SCANNER cannot be loaded: {error}") from None
    if not callable(found):
        raise ImproperlyConfigured(f"PDF_SCANNER, {settings.PDF_SCANNER}, is no function.")
    scan_with: Callable[[bytes], object] = found
    return scan_with


def scan(content: bytes) -> None:
    """Have the PDF looked at. Raises PdfRefused, NotScanned. It may take long: lock nothing."""
    scan_with = scanner()
    if scan_with is None:
        return
    try:
        scan_with(content)
    except PdfRefused:
        raise
    except Exception:
        log.exception("pdf not scanned")
        raise NotScanned from None
