"""Xero's stand-in, arranged for the contract."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from connectors.base.documents import Attachment, CreditNote, SalesInvoice
from tests.connectors import rehearsal
from tests.connectors.samples import Terms

ORGANISATION = "Harbour Architects Ltd"


class Rehearsal(rehearsal.Rehearsal):
    """The NZ organisation."""

    creates: ClassVar[Mapping[str, tuple[str, str]]] = {
        "invoices": ("PUT", r"/api\.xro/2\.0/Invoices"),
        "credit notes": ("PUT", r"/api\.xro/2\.0/CreditNotes"),
        "contacts": ("PUT", r"/api\.xro/2\.0/Contacts"),
        "jobs": ("PUT", r"/api\.xro/2\.0/TrackingCategories/[^/]+/Options"),
        "allocations": ("PUT", r"/api\.xro/2\.0/CreditNotes/[^/]+/Allocations"),
        "pdf": ("PUT", r"/api\.xro/2\.0/Invoices/[^/]+/Attachments/[^/]+"),
        "void": ("POST", r"/api\.xro/2\.0/(Invoices|CreditNotes)/[^/]+"),
    }

    def arrange(self) -> None:
        self.organisation = self.standin.organisation(ORGANISATION)
        self.company_file = self.organisation.tenant_id
        self.terms = Terms(
            fees="200",
            recoveries="210",
            taxed="OUTPUT2",
            rate=Decimal(15),
            untaxed="ZERORATED",
            currency="NZD",
        )

    def books(self) -> Any:
        return self.standin.state()

    def numbers(self, kind: type[SalesInvoice] = SalesInvoice) -> Sequence[str]:
        held = (
            self.organisation.credit_notes
            if issubclass(kind, CreditNote)
            else self.organisation.invoices
        )
        return [one.number for one in held]

    def names(self) -> Sequence[str]:
        return [one.name for one in self.organisation.contacts]

    def add_invoice_of_others(self, number: str, total: Decimal) -> None:
        self.organisation.add_invoice(number, "Somebody Else Ltd", total)

    def archive_contact(self, name: str) -> None:
        self.organisation.archive_contact(name)

    def pay(self, number: str, amount: Decimal) -> str:
        return str(self.organisation.pay_invoice(number, amount, reference="Direct credit").id)

    def take_back(self, payment_id: str) -> None:
        self.organisation.delete_payment(payment_id)

    def credited(self, number: str) -> Decimal:
        return Decimal(self.organisation.invoice(number).credited)

    def attached(self, attachment: Attachment) -> Sequence[bytes]:
        held = [*self.organisation.invoices, *self.organisation.credit_notes]
        [document] = [one for one in held if one.id == attachment.document_id]
        return [one.content for one in document.attachments]

    def settings_to_allocate(self) -> Mapping[str, Any]:
        return {"delivery_status": "AUTHORISED"}

    def settings_for_jobs(self) -> Mapping[str, Any]:
        return {"jobs": "tracking", "tracking_category": "Job"}
