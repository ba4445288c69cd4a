"""Sends a document of the corpus to Xero's stand-in as it is, in Xero's own JSON.

Written from Xero's description alone and on purpose without any help for the document: nothing is
cut, continued or reckoned, so that the stand-in is asked about the document and not about us.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import singledispatchmethod
from typing import Any
from urllib.parse import quote, urlencode

import requests
import simplejson

from connectors.base.documents import (
    Address,
    Allocation,
    Attachment,
    Contact,
    CreditNote,
    InvoiceLine,
    Job,
    SalesInvoice,
    TaxBasis,
)
from connectors.xero.standin import CallLimits, XeroStandIn
from connectors.xero.standin_ledger import Organisation
from tests.preflight.corpus_cases import Case, Document, Valid
from tests.preflight.corpus_xero_books import open_books

API = "/api.xro/2.0"
UNLIMITED = CallLimits(minute=10**6, day=10**6, app_minute=10**6)
SENT = "?summarizeErrors=false&unitdp=4"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the package said: its refusals, else what it made otherwise than it was sent."""

    refusals: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    found: bool = True

    @property
    def is_taken(self) -> bool:
        """Taken as it was sent, and found again."""
        return not self.refusals and not self.altered and self.found


class Wire:
    """One stand-in, signed in to once; each case gets books of its own."""

    def __init__(self, standin: XeroStandIn) -> None:
        self._standin = standin
        self._http = requests.Session()
        token = standin.issue_tokens()["access_token"]
        self._http.headers.update(
            {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        )
        self._books: Organisation
        self._settings: Mapping[str, Any]
        self._document_id = ""
        self._sent: dict[str, str] = {}
        # Method, address, headers and body of each write since the books were opened.
        self.written: list[tuple[str, str, Mapping[str, str], bytes]] = []

    def send_all(self, case: Case | Valid) -> list[Verdict]:
        """What becomes of each document of the case, in new books."""
        self._books = open_books(case)
        self._standin.take_in(self._books)
        self._settings = case.settings
        self.written = []
        return [self._send(one) for one in case.documents]

    @singledispatchmethod
    def _send(self, document: Document) -> Verdict:
        raise NotImplementedError(type(document))

    @_send.register
    def _(self, contact: Contact) -> Verdict:
        _, verdict = self._create("Contacts", to_contact(contact))
        return verdict

    @_send.register
    def _(self, job: Job) -> Verdict:
        [category] = self._books.tracking_categories
        path = f"TrackingCategories/{category.id}/Options"
        answer = self._write("PUT", path, to_json({"Options": [{"Name": job.code}]}))
        return Verdict(refusals=refusals_of(answer))

    @_send.register
    def _(self, invoice: SalesInvoice) -> Verdict:
        plural = "CreditNotes" if isinstance(invoice, CreditNote) else "Invoices"
        body = to_document(
            replace(invoice, contact_id=invoice.contact_id or self._id_of(invoice.contact)),
            self._settings,
        )
        made, verdict = self._create(plural, body)
        if not made:
            return verdict
        self._document_id = self._sent[plural] = made[f"{plural.removesuffix('s')}ID"]
        altered = tuple(differences(invoice, body, made))
        return Verdict(altered=altered, found=self._finds(plural, invoice.number))

    @_send.register
    def _(self, file: Attachment) -> Verdict:
        plural = "CreditNotes" if file.of_credit_note else "Invoices"
        name = quote(file.file_name, safe="")
        path = f"{plural}/{self._document_id}/Attachments/{name}?IncludeOnline=true"
        answer = self._write("PUT", path, file.content, kind="application/pdf")
        return Verdict(refusals=refusals_of(answer))

    @_send.register
    def _(self, allocation: Allocation) -> Verdict:
        set_against = {
            "Amount": allocation.amount,
            "Date": allocation.issued.isoformat(),
            "Invoice": {"InvoiceID": self._sent["Invoices"]},
        }
        path = f"CreditNotes/{self._sent['CreditNotes']}/Allocations"
        answer = self._write("PUT", path, to_json({"Allocations": [set_against]}))
        return Verdict(refusals=refusals_of(answer))

    def _id_of(self, contact: Contact) -> str:
        """The contact of that number, as it stands in the books: archived ones too."""
        return next(one.id for one in self._books.contacts if one.number == contact.number)

    def _create(self, plural: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], Verdict]:
        """What the record is now, empty where it was refused."""
        answer = self._write("PUT", f"{plural}{SENT}", to_json({plural: [body]}))
        refusals = refusals_of(answer)
        if refusals:
            return {}, Verdict(refusals=refusals)
        [made] = answer.json(parse_float=Decimal)[plural]
        return made, Verdict()

    def _write(
        self, method: str, path: str, body: bytes, *, kind: str = "application/json"
    ) -> requests.Response:
        url = f"{self._standin.url}{API}/{path}"
        headers = {"Content-Type": kind, "xero-tenant-id": self._books.tenant_id}
        self.written.append((method, url, headers, body))
        return self._http.request(method, url, data=body, headers=headers, timeout=10)

    def _finds(self, plural: str, number: str) -> bool:
        """Whether it is there to be asked for: notes by a filter, invoices by a list of numbers.

        In that list a comma ends a number, so one that holds a comma is asked for by a filter.
        """
        filtered = {"where": f'{plural.removesuffix("s")}Number=="{number}"', "page": 1}
        listed = {"InvoiceNumbers": number, "page": 1}
        asked = filtered if plural == "CreditNotes" or "," in number else listed
        url = f"{self._standin.url}{API}/{plural}?{urlencode(asked)}"
        answer = self._http.get(url, headers={"xero-tenant-id": self._books.tenant_id}, timeout=10)
        return answer.status_code == 200 and any(
            each[f"{plural.removesuffix('s')}ID"] == self._document_id
            for each in answer.json()[plural]
        )


@contextmanager
def open_wire() -> Iterator[Wire]:
    """A running stand-in."""
    with XeroStandIn(limits=UNLIMITED) as standin:
        yield Wire(standin)


def refusals_of(answer: requests.Response) -> tuple[str, ...]:
    """The messages of a refusal, wherever they are; the status where there is none."""
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        body = answer.json()
        elements = next((one for one in body.values() if isinstance(one, list)), [])
        messages = [
            each["Message"] for one in elements for each in one.get("ValidationErrors") or []
        ]
        if messages:
            return tuple(messages)
    return () if answer.status_code == 200 else (f"HTTP {answer.status_code}",)


def differences(
    invoice: SalesInvoice, sent: Mapping[str, Any], made: Mapping[str, Any]
) -> Iterator[str]:
    """What the record says otherwise than the document."""
    figures = {"SubTotal": invoice.net, "TotalTax": invoice.tax, "Total": invoice.total}
    for name, amount in figures.items():
        if made[name] != amount:
            yield f"{name} is {made[name]}, not {amount}"
    for name in ("InvoiceNumber", "CreditNoteNumber", "Reference", "CurrencyCode", "Status"):
        if name in sent and made[name] != sent[name]:
            yield f"{name} is {made[name]!r}, not {sent[name]!r}"
    for place, (ours, theirs) in enumerate(
        zip(sent["LineItems"], made["LineItems"], strict=True), start=1
    ):
        if theirs["Description"] != ours["Description"]:
            yield f"line {place} has another text"
        if "TaxType" in ours and theirs["TaxType"] != ours["TaxType"]:
            yield f"line {place} has tax {theirs['TaxType']}, not {ours['TaxType']}"
        if len(theirs["Tracking"]) != len(ours.get("Tracking", [])):
            yield f"line {place} lost its job"


# --- Xero's JSON ---------------------------------------------------------------------------------


def to_json(body: Any) -> bytes:
    """JSON in which amounts are numbers with every digit they had."""
    return simplejson.dumps(body, use_decimal=True).encode()


def to_document(invoice: SalesInvoice, settings: Mapping[str, Any]) -> dict[str, Any]:
    """An invoice, or a credit note."""
    is_note = isinstance(invoice, CreditNote)
    body = {
        "Type": "ACCRECCREDIT" if is_note else "ACCREC",
        "Contact": {"ContactID": invoice.contact_id},
        "CreditNoteNumber" if is_note else "InvoiceNumber": invoice.number,
        "Reference": invoice.reference,
        "Date": invoice.issued.isoformat(),
        "LineAmountTypes": (
            "Inclusive" if invoice.tax_basis is TaxBasis.INCLUSIVE else "Exclusive"
        ),
        "CurrencyCode": invoice.currency,
        "Status": settings["delivery_status"],
        "LineItems": [to_line(one, settings) for one in invoice.lines],
    }
    return body if is_note else body | {"DueDate": invoice.due.isoformat()}


def to_line(line: InvoiceLine, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A line; without its tax, which is Xero's to work out."""
    body: dict[str, Any] = {
        "Description": line.description,
        "Quantity": line.quantity,
        "UnitAmount": line.unit_price,
    }
    if line.account_code:
        body["AccountCode"] = line.account_code
    if line.tax_code:
        body["TaxType"] = line.tax_code
    if line.job_code and settings.get("jobs") == "tracking":
        body["Tracking"] = [{"Name": settings["tracking_category"], "Option": line.job_code}]
    return body


def to_contact(contact: Contact) -> dict[str, Any]:
    """A contact with the fields that are filled in."""
    addresses = {"POBOX": contact.postal, "STREET": contact.street}
    fields = {
        "Name": contact.name,
        "ContactNumber": contact.number,
        "FirstName": contact.first_name,
        "LastName": contact.last_name,
        "EmailAddress": contact.email,
        "TaxNumber": contact.tax_number,
        "Addresses": [
            {"AddressType": kind} | to_address(one)
            for kind, one in addresses.items()
            if one != Address()
        ],
    }
    if contact.phone:
        fields["Phones"] = [{"PhoneType": "DEFAULT", "PhoneNumber": contact.phone}]
    return {name: value for name, value in fields.items() if value}


def to_address(address: Address) -> dict[str, str]:
    """The parts of an address that are filled in."""
    parts = {
        "AttentionTo": address.attention,
        "City": address.city,
        "Region": address.region,
        "PostalCode": address.postal_code,
        "Country": address.country,
    }
    lines = {f"AddressLine{place}": each for place, each in enumerate(address.lines, start=1)}
    return {name: value for name, value in (lines | parts).items() if value}
