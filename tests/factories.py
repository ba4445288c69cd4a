"""Rows for tests, each believable and complete by default."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.utils import timezone

from connectors.base.documents import LineKind, TaxBasis
from interfaces import lanes
from interfaces.models import AccountCode, AccountingInterface, TaxCode
from invoicing.models import Client, Invoice, InvoiceLine, InvoiceSetting, Job, OfficeInvoicing
from offices.models import Membership, Office, Practice, Role, User

_numbers = count(1)

PASSWORD = "correct horse battery staple"


def make_practice(name: str = "Harbour Architects", **fields: Any) -> Practice:
    """A practice; make its rows inside `acting_for(practice.pk)`."""
    slug = fields.pop("slug", f"practice-{next(_numbers)}")
    return Practice.objects.create(name=name, slug=slug, country="NZ", **fields)


def make_user(email: str = "", **fields: Any) -> User:
    """A person who can log in with PASSWORD."""
    return User.objects.create_user(
        email or f"person{next(_numbers)}@harbour.example", PASSWORD, **fields
    )


def make_member(practice: Practice, role: Role = Role.ADMIN, email: str = "") -> User:
    """A person with that role in the practice."""
    user = make_user(email)
    Membership.objects.create(practice=practice, user=user, role=role)
    return user


def make_interface(*, connected: bool = True, **fields: Any) -> AccountingInterface:
    """An interface with its lane, four accounts and three tax codes, and all defaults set."""
    number = next(_numbers)
    interface = AccountingInterface.objects.create(
        package_key=fields.pop("package_key", "xero"),
        name=fields.pop("name", f"Xero {number}"),
        state=(
            AccountingInterface.State.CONNECTED
            if connected
            else AccountingInterface.State.NOT_CONNECTED
        ),
        **{
            "company_file_id": f"company-{number}",
            "company_file_name": "Harbour Architects Ltd",
            "country": "NZ",
            "currency": "NZD",
            "currencies": ["NZD"],
            "codes_read_at": timezone.now(),
            "live_since": timezone.now() if connected else None,
            **fields,
        },
    )
    lanes.make_for(interface)
    accounts = {
        code: AccountCode.objects.create(interface=interface, code=code, name=name, kind="REVENUE")
        for code, name in [("200", "Sales"), ("210", "Recoveries"), ("260", "Other revenue")]
    }
    taxes = {
        code: TaxCode.objects.create(interface=interface, code=code, name=name, rate=rate)
        for code, name, rate in [
            ("OUTPUT2", "15% GST on Income", Decimal(15)),
            ("ZERORATED", "Zero Rated", Decimal(0)),
        ]
    }
    interface.revenue_account = accounts["200"]
    interface.disbursement_account = accounts["210"]
    interface.revenue_tax = taxes["OUTPUT2"]
    interface.tax_free_tax = taxes["ZERORATED"]
    interface.save()
    return interface


def make_setting(
    interface: AccountingInterface | None = None, *, name: str = "Standard", **fields: Any
) -> InvoiceSetting:
    """An invoice setting, linked to the interface if one is given."""
    return InvoiceSetting.objects.create(
        abtrac_id=f"S{next(_numbers)}", name=name, interface=interface, **fields
    )


def make_office(setting: InvoiceSetting, *, name: str = "Auckland") -> Office:
    """An office that uses the invoice setting."""
    office = Office.objects.create(abtrac_id=f"O{next(_numbers)}", name=name)
    OfficeInvoicing.objects.create(office=office, invoice_setting=setting)
    return office


def make_client(name: str = "", **fields: Any) -> Client:
    """A client with an e-mail address."""
    number = next(_numbers)
    return Client.objects.create(
        abtrac_id=f"C{number}",
        name=name or f"Client {number} Ltd",
        email=f"accounts{number}@client.example",
        **fields,
    )


def make_job(client: Client, **fields: Any) -> Job:
    """A job of the client."""
    number = next(_numbers)
    return Job.objects.create(
        client=client,
        **{
            "abtrac_id": f"J{number}",
            "code": f"J{number:04}",
            "description": "Harbour House",
            **fields,
        },
    )


def make_invoice(
    office: Office,
    client: Client,
    *,
    nets: Sequence[str] = ("1000.00",),
    committed: bool = True,
    **fields: Any,
) -> Invoice:
    """An invoice of one line per net amount at 15 % tax; committed unless told otherwise."""
    number = next(_numbers)
    amounts = [Decimal(net) for net in nets]
    taxes = [(net * Decimal("0.15")).quantize(Decimal("0.01")) for net in amounts]
    line_fields = fields.pop("line_fields", {})
    invoice = Invoice.objects.create(
        office=office,
        client=client,
        **{
            "abtrac_id": f"I{number}",
            "number": f"ABT-{number:05}",
            "invoice_setting": office.invoicing.invoice_setting,
            "name_on_invoice": client.name,
            "recipient": client.name,
            "issued": date(2026, 11, 20),
            "due": date(2026, 11, 20) + timedelta(days=30),
            "tax_basis": TaxBasis.EXCLUSIVE,
            "currency": "NZD",
            "net": sum(amounts, Decimal(0)),
            "tax": sum(taxes, Decimal(0)),
            "total": sum(amounts, Decimal(0)) + sum(taxes, Decimal(0)),
            "status": Invoice.Status.COMMITTED if committed else Invoice.Status.APPROVED,
            "committed_at": timezone.now() if committed else None,
            **fields,
        },
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            position=position,
            **{
                "description": "Concept design",
                "kind": LineKind.TIME,
                "quantity": Decimal(1),
                "unit_price": net,
                "net": net,
                "tax": tax,
                **line_fields,
            },
        )
        for position, (net, tax) in enumerate(zip(amounts, taxes, strict=True), start=1)
    )
    return invoice
