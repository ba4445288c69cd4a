"""The documents of Xero's corpus, and the parts they are made of."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from connectors.base.documents import Address, Allocation, Attachment, InvoiceLine, Job
from tests.connectors.samples import Terms, contact, invoice, job, line

NZ = Terms(
    fees="200",
    recoveries="210",
    taxed="OUTPUT2",
    rate=Decimal(15),
    untaxed="ZERORATED",
    currency="NZD",
)
AU = Terms(
    fees="200",
    recoveries="210",
    taxed="OUTPUT",
    rate=Decimal(10),
    untaxed="EXEMPTOUTPUT",
    currency="AUD",
)
APPROVED = {"delivery_status": "AUTHORISED"}
SUBMITTED = {"delivery_status": "SUBMITTED"}
DRAFT = {"delivery_status": "DRAFT"}
TRACKED = APPROVED | {"jobs": "tracking", "tracking_category": "Job"}
# An id that no contact of any company has.
UNKNOWN_ID = "11111111-2222-4333-8444-555555555555"
ISSUED = date(2026, 11, 20)
DAY = timedelta(days=1)
TEN_MEGABYTES = 10_000_000

GOOD = invoice(NZ)
OTHER_CLIENT = contact("C1002", "Wharf Trust")
UNTAXED: dict[str, Any] = {"tax": Decimal("0.00"), "tax_rate": Decimal(0)}


def priced(net: str, **changes: Any) -> InvoiceLine:
    """A line of one piece at its net."""
    return line(NZ, net, quantity="1", unit_price=net, **changes)


def located(**parts: Any) -> dict[str, Any]:
    """The change of a client that gives it this postal address."""
    return {"postal": Address(**parts)}


def job_coded(code: str) -> Job:
    """A job of that code."""
    return job(code, key=f"job-{code[:9]}")


def pdf_file(name: str = "ABT-1001.pdf", content: bytes = b"%PDF-1.7\nsample") -> Attachment:
    """A PDF for the invoice that is sent just before it."""
    return Attachment(
        key=f"pdf-{name}", document_id="", of_credit_note=False, file_name=name, content=content
    )


def credit_set(amount: str, issued: date = ISSUED) -> Allocation:
    """So much of the credit note sent last is set against the invoice sent last."""
    return Allocation(
        key="credit", credit_note_id="", invoice_id="", issued=issued, amount=Decimal(amount)
    )
