"""What is paid in Xero comes back, over the wire."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from connectors.xero.standin import XeroStandIn
from interfaces.credentials import store_tokens
from interfaces.models import AccountingInterface
from invoicing import payments, preflight
from invoicing.models import Batch, Invoice, PackageDocument, PaymentReceived, Upload
from invoicing.uploads import lane, void
from invoicing.uploads.states import State
from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import make_client, make_interface, make_invoice, make_office, make_setting

pytestmark = pytest.mark.django_db

NAME = "Harbour Architects Ltd"


@pytest.fixture
def standin(settings: Any) -> Iterator[XeroStandIn]:
    """A rehearsal Xero, which the product takes for Xero."""
    running = XeroStandIn()
    running.start()
    endpoints = dict.fromkeys(running.endpoint_names, running.url)
    settings.PACKAGE_APPS = {"xero": {**settings.PACKAGE_APPS["xero"], "endpoints": endpoints}}
    yield running
    running.stop()


@pytest.fixture
def interface(practice: Practice, standin: XeroStandIn) -> AccountingInterface:
    """Connected to the organisation."""
    with acting_for(practice.pk):
        made = make_interface(company_file_id=standin.organisation(NAME).tenant_id)
        store_tokens(made.pk, standin.issue_tokens(), None)
    return made


def test_payments_come_back_and_are_taken_back(
    interface: AccountingInterface, standin: XeroStandIn
) -> None:
    books = standin.organisation(NAME)
    with acting_for(interface.practice_id):
        invoice = make_invoice(make_office(make_setting(interface)), make_client())
        document = books.add_invoice(invoice.number, "Kauri Homes Ltd", "1150.00")
        Upload.objects.create(
            interface=interface,
            batch=Batch.objects.create(number=1),
            kind="invoice",
            invoice=invoice,
            state="sent",
            remote_id=str(document.id),
        )
    books.add_invoice("OTHERS-1", "Kauri Homes Ltd", "1150.00")
    books.pay_invoice("OTHERS-1", "100.00")

    def read() -> tuple[Decimal, str, list[tuple[Decimal, bool]]]:
        payments.read_payments(practice_id=interface.practice_id, interface_id=interface.pk)
        with acting_for(interface.practice_id):
            stored = Invoice.objects.get(pk=invoice.pk)
            received = PaymentReceived.objects.order_by("pk").values_list("amount", "reversed")
            return stored.paid, stored.package_status, list(received)

    assert read() == (Decimal(0), "AUTHORISED", [])
    with acting_for(interface.practice_id):
        told = PackageDocument.objects.order_by("number").values_list(
            "kind", "number", "contact_name", "issued", "currency", "total"
        )
        issued = books.invoice("OTHERS-1").issued
        assert ("invoice", "OTHERS-1", "Kauri Homes Ltd", issued, "NZD", Decimal(1150)) in told
    books.pay_invoice(invoice.number, "500.00")
    assert read() == (Decimal(500), "AUTHORISED", [(Decimal(500), False)])
    last = books.pay_invoice(invoice.number, "650.00")
    assert read() == (Decimal(1150), "PAID", [(Decimal(500), False), (Decimal(650), False)])
    books.delete_payment(str(last.id))
    assert read() == (
        Decimal(500),
        "AUTHORISED",
        [(Decimal(500), False), (Decimal(650), True)],
    )


@pytest.mark.parametrize(("approved", "light"), [(True, "red"), (False, "green")])
def test_what_we_voided_there_keeps_its_number_though_nothing_was_read_since(
    interface: AccountingInterface, standin: XeroStandIn, approved: bool, light: str
) -> None:
    books = standin.organisation(NAME)
    with acting_for(interface.practice_id):
        invoice = make_invoice(make_office(make_setting(interface)), make_client())
    document = books.add_invoice(
        invoice.number, "Kauri Homes Ltd", "1150.00", status="AUTHORISED" if approved else "DRAFT"
    )
    with acting_for(interface.practice_id):
        sent = Upload.objects.create(
            interface=interface,
            batch=Batch.objects.create(number=1),
            kind="invoice",
            invoice=invoice,
            state="sent",
            document={"key": "k", "number": invoice.number, "total": "1150.00"},
            remote_id=str(document.id),
            remote_number=invoice.number,
            remote_total=invoice.total,
        )
    payments.read_payments(practice_id=interface.practice_id, interface_id=interface.pk)
    with acting_for(interface.practice_id):
        void(invoice_id=invoice.pk, reason="", actor=None)
    lane.drain(practice_id=interface.practice_id, interface_id=interface.pk)
    with acting_for(interface.practice_id):
        sent.refresh_from_db()
        assert sent.state == State.VOIDED
        found = preflight.check([invoice])[invoice.pk]
    # A draft is deleted there, and its number is free again.
    assert found.light == light
    for fault in found.refusals:
        assert fault.message.endswith("voided. A number is never used twice.")
        assert fault.next_step == "Give it another number in Abtrac, then retry."
