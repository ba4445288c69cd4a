"""Rows to neutral documents, codes resolved; and documents to stored text and back.

A document is frozen as JSON when its upload is queued, so what is sent is what was checked. Every
missing code of every line is reported at once.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Model

from connectors.base.documents import (
    Address,
    Contact,
    CreditNote,
    InvoiceLine,
    Job,
    LineKind,
    SalesInvoice,
    TaxBasis,
)
from connectors.base.faults import Fault
from interfaces import references
from interfaces.codes import CodeBook, LineFacts
from interfaces.common_settings import REFERENCE
from interfaces.models import AccountingInterface
from invoicing import models

NAMESPACE = uuid.UUID("5d0e5c0e-6c35-4c1c-9a55-2c1d7d8f3a10")
BY_NUMBER = "number"
BY_NAME_ON_INVOICE = "name_on_invoice"


def document_key(*, interface_id: int, kind: str, document_id: int, name: str = "") -> str:
    """Our own name for a document at an interface; the same for ever, whatever is corrected."""
    return str(uuid.uuid5(NAMESPACE, f"{interface_id}/{kind}/{document_id}/{name}"))


def contact_name(interface: AccountingInterface, invoice: models.Invoice) -> str:
    """The name by which the invoice's contact is known there: the match rule decides."""
    if interface.preference("match_contacts_by") == BY_NAME_ON_INVOICE:
        return invoice.name_on_invoice
    return invoice.client.name


def link_name(interface: AccountingInterface, name: str) -> str:
    """What distinguishes two contacts of one client: nothing, when matched by client ID."""
    return "" if interface.preference("match_contacts_by") == BY_NUMBER else name


def contact_of(client: models.Client, *, name: str, key: str) -> Contact:
    """The client as a contact of that name."""
    return Contact(
        key=key,
        number=client.abtrac_id,
        name=name,
        first_name=client.contact_first_name,
        last_name=client.contact_last_name,
        email=client.email,
        phone=client.phone,
        tax_number=client.tax_number,
        postal=_address(client.postal_address),
        street=_address(client.street_address),
    )


def fingerprint(contact: Contact) -> str:
    """What distinguishes the contact's details from any others; its key and ids do not count."""
    details = replace(contact, key="", remote_id="")
    return hashlib.sha256(json.dumps(to_json(details), sort_keys=True).encode()).hexdigest()


def job_of(job: models.Job, *, contact: Contact, key: str) -> Job:
    """The job as a document."""
    return Job(key=key, code=job.code, description=job.description, contact=contact)


def _template(interface: AccountingInterface) -> str:
    """How its references are worded; a package that is sent nothing has no such preference."""
    wanted = interface.preference(REFERENCE)
    return references.DEFAULT if wanted is None else str(wanted)


def reference_of(invoice: models.Invoice, template: str) -> str:
    """What the client recognises the invoice by, as the interface's preference words it."""
    wanted = references.parse(template)
    return wanted.fill({name: _FIELDS[name](invoice) for name in wanted.fields})


# What each of `references.FIELDS` stands for.
_FIELDS: Mapping[str, Callable[[models.Invoice], str]] = {
    "invoice number": lambda one: one.number,
    "invoice ID": lambda one: one.abtrac_id,
    "job": lambda one: str(one.job or ""),
    "job code": lambda one: one.job.code if one.job else "",
    "job description": lambda one: one.job.description if one.job else "",
    "order number": lambda one: one.order_number,
    "claim number": lambda one: one.claim_number,
    "client's reference": lambda one: one.job.client_reference if one.job else "",
    "client": lambda one: one.client.name,
    "client ID": lambda one: one.client.abtrac_id,
    "name on invoice": lambda one: one.name_on_invoice,
    "recipient": lambda one: one.recipient,
    "office": lambda one: one.office.name,
}


class Line(NamedTuple):
    """What a line of an invoice says, without the weight of a row."""

    invoice_id: int
    position: int
    description: str
    kind: str
    quantity: Decimal
    unit_price: Decimal
    net: Decimal
    tax: Decimal
    account_code: str
    tax_code: str
    task: str
    disbursement_type: str
    job_id: int | None


@dataclass(frozen=True, kw_only=True)
class Lines:
    """The lines of some invoices, in order, and the jobs that lines name for themselves."""

    by_invoice: Mapping[int, Sequence[Line]]
    jobs: Mapping[int, models.Job]

    def of(self, invoice: models.Invoice) -> Sequence[Line]:
        """Those of one of them."""
        return self.by_invoice.get(invoice.pk, ())


def lines_of(invoices: Iterable[models.Invoice]) -> Lines:
    """Their lines, read at once."""
    by_invoice: dict[int, list[Line]] = {}
    rows = models.InvoiceLine.objects.filter(invoice__in=[one.pk for one in invoices])
    for row in rows.values_list(*Line._fields):
        line = Line._make(row)
        by_invoice.setdefault(line.invoice_id, []).append(line)
    named = {line.job_id for lines in by_invoice.values() for line in lines if line.job_id}
    jobs = models.Job.objects.filter(pk__in=named) if named else ()
    return Lines(by_invoice=by_invoice, jobs={one.pk: one for one in jobs})


def attach(rows: Sequence[Model], *names: str) -> None:
    """Give each row what it names by these foreign keys: a query for each, however many share it.

    One that every row has already is not asked for again.

    A join would build it anew for every row; Django's own prefetch of a foreign key asks for a
    thousand of them by a thousand comparisons, which is more than SQLite takes.
    """
    for name in names:
        if all(name in row._state.fields_cache for row in rows):
            continue
        key: Any = rows[0]._meta.get_field(name)
        wanted = {getattr(row, key.attname) for row in rows} - {None}
        named = key.related_model._base_manager.filter(pk__in=wanted) if wanted else ()
        found = {one.pk: one for one in named}
        for row in rows:
            key.set_cached_value(row, found.get(getattr(row, key.attname)))


def invoice_of(
    invoice: models.Invoice,
    *,
    interface: AccountingInterface,
    book: CodeBook,
    key: str,
    lines: Lines | None = None,
) -> tuple[SalesInvoice, list[Fault]]:
    """The invoice, or a credit note with every sign turned, and what is wrong with its codes.

    What else the package would refuse is asked by `invoicing.preflight`. `lines` are those of many
    invoices, read at once.
    """
    lines = lines or lines_of([invoice])
    sign = -1 if invoice.is_credit_note else 1
    faults: list[Fault] = []
    built = []
    for row in lines.of(invoice):
        job = lines.jobs[row.job_id] if row.job_id else invoice.job
        resolved = book.resolve(line_facts(row, job, invoice))
        faults += [
            Fault(
                field=one.field,
                code=one.code,
                subject=one.subject,
                message=one.message,
                line=row.position,
                next_step=one.next_step,
            )
            for one in resolved.problems
        ]
        built.append(
            InvoiceLine(
                description=row.description,
                kind=LineKind(row.kind),
                quantity=row.quantity,
                unit_price=row.unit_price * sign,
                net=row.net * sign,
                tax=row.tax * sign,
                account_code=resolved.account_code,
                tax_code=resolved.tax_code,
                tax_rate=resolved.tax_rate,
                job_code=job.code if job else "",
            )
        )
    document = SalesInvoice(
        key=key,
        number=invoice.number,
        reference=reference_of(invoice, _template(interface)),
        contact=contact_of(invoice.client, name=contact_name(interface, invoice), key=key),
        contact_id="",
        issued=invoice.issued,
        due=invoice.due,
        currency=invoice.currency,
        tax_basis=TaxBasis(invoice.tax_basis),
        net=invoice.net * sign,
        tax=invoice.tax * sign,
        total=invoice.total * sign,
        lines=tuple(built),
        order_number=invoice.order_number,
        claim_number=invoice.claim_number,
    )
    if not invoice.is_credit_note:
        return document, faults
    credited = invoice.credits.number if invoice.credits else ""
    return CreditNote(**{**vars(document), "credits": credited}), faults


def line_facts(
    row: Line | models.InvoiceLine, job: models.Job | None, invoice: models.Invoice
) -> LineFacts:
    """What decides the codes of a line of the invoice; `job` is its own, or the invoice's."""
    return LineFacts(
        account_code=row.account_code,
        tax_code=row.tax_code,
        invoice_tax_code=invoice.tax_code,
        kind=LineKind(row.kind),
        task=row.task,
        disbursement_type=row.disbursement_type,
        job_type=job.job_type if job else "",
        department=job.department if job else "",
        office_id=invoice.office.abtrac_id,
        invoice_setting_id=invoice.invoice_setting.abtrac_id,
        net=row.net,
        tax=row.tax,
    )


# --- Stored form -------------------------------------------------------------------------------


# How most of a document is written; what is not here has parts.
_WRITTEN: Mapping[type, Callable[[Any], Any]] = {
    str: str,
    Decimal: str,
    LineKind: str,
    TaxBasis: str,
    date: date.isoformat,
}


def to_json(document: SalesInvoice | Contact | Job) -> dict[str, Any]:
    """The document as plain JSON: decimals and dates as text, exactly."""
    stored: dict[str, Any] = _plain(document)
    return stored


def _plain(value: Any) -> Any:
    # Spelled out twice, for a click spends a good part of its time here.
    written: Callable[[type, Callable[[Any], Any]], Callable[[Any], Any]] = _WRITTEN.get
    if isinstance(value, tuple):
        return [written(type(one), _plain)(one) for one in value]
    return {name: written(type(part), _plain)(part) for name, part in vars(value).items()}


def contact_from_json(stored: Mapping[str, Any]) -> Contact:
    """The contact that was frozen."""
    return Contact(
        **{
            **stored,
            "postal": _address(stored["postal"]),
            "street": _address(stored["street"]),
        }
    )


def job_from_json(stored: Mapping[str, Any]) -> Job:
    """The job that was frozen."""
    return Job(**{**stored, "contact": contact_from_json(stored["contact"])})


def invoice_from_json(stored: Mapping[str, Any], *, contact_id: str) -> SalesInvoice:
    """The invoice or credit note that was frozen, now naming the contact by the package's id."""
    kind = CreditNote if "credits" in stored else SalesInvoice
    document = kind(
        **{
            **stored,
            "contact": contact_from_json(stored["contact"]),
            "issued": date.fromisoformat(stored["issued"]),
            "due": date.fromisoformat(stored["due"]),
            "tax_basis": TaxBasis(stored["tax_basis"]),
            "lines": tuple(_line_from_json(line) for line in stored["lines"]),
            **{name: Decimal(stored[name]) for name in ("net", "tax", "total")},
        }
    )
    return replace(document, contact_id=contact_id)


def _line_from_json(stored: Mapping[str, Any]) -> InvoiceLine:
    amounts = ("quantity", "unit_price", "net", "tax", "tax_rate")
    return InvoiceLine(
        **{
            **stored,
            "kind": LineKind(stored["kind"]),
            **{name: Decimal(stored[name]) for name in amounts},
        }
    )


def _address(stored: Mapping[str, Any]) -> Address:
    return Address(
        attention=stored.get("attention", ""),
        lines=tuple(stored.get("lines", ())),
        city=stored.get("city", ""),
        region=stored.get("region", ""),
        postal_code=stored.get("postal_code", ""),
        country=stored.get("country", ""),
    )
