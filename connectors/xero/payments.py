"""What changed in Xero since the last look: payments, and where documents stand."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.base.documents import Changes, DocumentChange, Payment
from connectors.base.errors import RetryLater
from connectors.xero.books import Books
from connectors.xero.creating import Record
from connectors.xero.sales import CREDIT_NOTES, INVOICES, TAKEN_BACK, Sort
from connectors.xero.wire import LABEL, day, moment, money, remote_id, text

# Xero counts in whole seconds, and writes a change down a little after it happened.
OVERLAP = timedelta(minutes=2)


def read(books: Books, since: str) -> Changes:
    """Everything that changed since the mark, by Xero's clock; what was told before may recur."""
    mark = moment(since)
    asked = {"since": f"{mark - OVERLAP:%Y-%m-%dT%H:%M:%S}"} if mark else {}
    invoices = books.whole_list(
        INVOICES.place.path,
        INVOICES.place.plural,
        INVOICES.id_name,
        where=f'Type=="{INVOICES.kind}"',
        summaryOnly=True,
        unitdp=4,
        **asked,
    )
    notes = books.whole_list(
        CREDIT_NOTES.place.path,
        CREDIT_NOTES.place.plural,
        CREDIT_NOTES.id_name,
        unitdp=4,
        **asked,
    )
    payments = books.whole_list("/Payments", "Payments", "PaymentID", **asked)
    return Changes(
        payments=tuple(
            _payment(one) for one in payments.records if text(one, "PaymentType") == "ACCRECPAYMENT"
        ),
        documents=(
            *(_invoice(one) for one in invoices.records if text(one, "Type") == INVOICES.kind),
            *(_note(one) for one in notes.records if text(one, "Type") == CREDIT_NOTES.kind),
        ),
        # The first answer's time: what changes from then on is told next time.
        mark=_mark(moment(invoices.server_time), since),
    )


def _mark(server_time: datetime | None, since: str) -> str:
    return server_time.isoformat(timespec="seconds") if server_time else since


def _payment(record: Record) -> Payment:
    invoice: Any = record.get("Invoice")
    invoice = invoice if isinstance(invoice, dict) else {}
    paid_on = day(record.get("Date"))
    if paid_on is None:
        raise RetryLater(f"{LABEL} gave a payment without a date.")
    return Payment(
        remote_id=remote_id(record, "PaymentID"),
        document_id=remote_id(invoice, "InvoiceID"),
        number=text(invoice, "InvoiceNumber"),
        paid_on=paid_on,
        amount=_amount(record, "Amount"),
        reference=text(record, "Reference"),
        reversed=text(record, "Status") == "DELETED",
    )


def _invoice(record: Record) -> DocumentChange:
    return _change(
        INVOICES,
        record,
        paid=_amount(record, "AmountPaid"),
        credited=_amount(record, "AmountCredited"),
        due=_amount(record, "AmountDue"),
    )


def _note(record: Record) -> DocumentChange:
    # One that was taken back has no credit left, yet none of it was ever used.
    standing = text(record, "Status") not in TAKEN_BACK
    left = _amount(record, "RemainingCredit") if standing else Decimal(0)
    used = _amount(record, "Total") - left if standing else Decimal(0)
    return _change(CREDIT_NOTES, record, paid=Decimal(0), credited=used, due=left)


def _change(
    sort: Sort, record: Record, *, paid: Decimal, credited: Decimal, due: Decimal
) -> DocumentChange:
    contact: Any = record.get("Contact")
    contact = contact if isinstance(contact, dict) else {}
    return DocumentChange(
        remote_id=remote_id(record, sort.id_name),
        number=sort.number(record),
        status=text(record, "Status"),
        total=_amount(record, "Total"),
        paid=paid,
        credited=credited,
        due=due,
        of_credit_note=sort is CREDIT_NOTES,
        contact_id=remote_id(contact, "ContactID"),
        contact_name=text(contact, "Name"),
        issued=day(record.get("Date")),
        currency=text(record, "CurrencyCode"),
    )


def _amount(record: Record, name: str) -> Decimal:
    return money(record.get(name)) or Decimal(0)
