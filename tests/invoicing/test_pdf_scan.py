"""PDFs that are looked through before they are kept."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from invoicing import pdfs
from invoicing.models import InvoicePdf
from offices.models import AuditEntry, Practice
from offices.tenancy import acting_for
from tests.factories import make_client, make_interface, make_invoice, make_office, make_setting
from tests.invoicing.abtrac import Abtrac

pytestmark = pytest.mark.django_db

CLEAN, INFECTED, UNKNOWN = b"%PDF-1.7 clean", b"%PDF-1.7 EICAR", b"%PDF-1.7 clamd is away"


def scan(content: bytes) -> None:
    """A virus scan, as an operator would write it."""
    if content == INFECTED:
        raise pdfs.PdfRefused("Eicar-Test-Signature found.")
    if content == UNKNOWN:
        raise ConnectionRefusedError("clamd")


@pytest.fixture
def abtrac(practice: Practice, settings: Any) -> Abtrac:
    """Abtrac, with an invoice I1, at an operator's who scans."""
    settings.PDF_SCANNER = f"{__name__}.scan"
    with acting_for(practice.pk):
        office = make_office(make_setting(make_interface()))
        make_invoice(office, make_client(), abtrac_id="I1")
    return Abtrac(practice)


def test_a_pdf_that_is_clean_is_kept(abtrac: Abtrac) -> None:
    assert abtrac.put_pdf("I1", CLEAN).status_code == 200
    with acting_for(abtrac.practice.pk):
        assert bytes(InvoicePdf.objects.get().content) == CLEAN


def test_a_pdf_that_is_refused_is_not_kept_and_the_record_says_so(abtrac: Abtrac) -> None:
    answer = abtrac.put_pdf("I1", INFECTED)
    assert answer.status_code == 400
    [problem] = answer.json()["problems"]
    assert problem["code"] == "pdf_refused"
    assert "Eicar-Test-Signature found. It was not stored." in problem["message"]
    with acting_for(abtrac.practice.pk):
        assert not InvoicePdf.objects.exists()
        entry = AuditEntry.objects.get(action="invoice.pdf_refused")
    assert (entry.subject, entry.detail["reason"]) == ("I1", "Eicar-Test-Signature found.")
    assert abtrac.put_pdf("I9", INFECTED).status_code == 404


def test_nothing_is_kept_while_the_scan_cannot_be_done(abtrac: Abtrac) -> None:
    answer = abtrac.put_pdf("I1", UNKNOWN)
    assert answer.status_code == 503
    assert answer.json()["problems"][0]["code"] == "not_scanned"
    with acting_for(abtrac.practice.pk):
        assert not InvoicePdf.objects.exists()


@pytest.mark.parametrize("named", ["no.such.function", "invoicing.pdfs.log"])
def test_a_scan_that_cannot_be_loaded_stops_the_start(named: str, settings: Any) -> None:
    settings.PDF_SCANNER = named
    with pytest.raises(ImproperlyConfigured, match="PDF_SCANNER"):
        pdfs.scanner()
