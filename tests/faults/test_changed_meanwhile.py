"""Row 27: what is changed after an invoice was queued does not change what is sent."""

from collections.abc import Mapping
from typing import Any

import pytest

from connectors.base.standin import Answer
from interfaces.models import AccountCode, AccountingInterface
from invoicing import invoices as commitment
from invoicing.models import Attempt, Client, Invoice
from offices.tenancy import acting_for
from tests.faults.conftest import Firm

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_was_checked_at_the_click_is_sent_whatever_changes_afterwards(any_firm: Firm) -> None:
    invoice = any_firm.invoice(number="A-1")
    any_firm.upload(invoice)
    frozen = any_firm.of(invoice).document
    with acting_for(any_firm.practice.pk):
        Client.objects.update(name="Renamed Trust", email="new@client.example")
        other = AccountCode.objects.exclude(code=frozen["lines"][0]["account_code"]).first()
        AccountingInterface.objects.update(revenue_account=other)
        # As no way of the product lets anybody do to what is committed.
        Invoice.objects.filter(pk=invoice.pk).update(
            number="A-2", net="1.00", tax="0.15", total="1.15"
        )
    any_firm.work(turns=2)
    any_firm.check(invoice)
    sent = any_firm.of(invoice)
    assert (sent.document, sent.remote_number) == (frozen, "A-1")
    with acting_for(any_firm.practice.pk):
        [attempt] = Attempt.objects.filter(upload=sent).select_related("exchange")
    body = bytes(attempt.exchange.body).decode()
    assert "Renamed" not in body
    assert f'"{frozen["lines"][0]["account_code"]}"' in body


def test_what_is_on_its_way_cannot_be_changed_and_says_where_it_is(firm: Firm) -> None:
    invoice = firm.invoice(number="A-1")
    firm.upload(invoice)
    with acting_for(firm.practice.pk), pytest.raises(commitment.Refused) as caught:
        commitment.uncommit(invoice_ids=[invoice.abtrac_id])
    assert "Invoice A-1 is on its way to Xero (Batch 1)" in str(caught.value)
    firm.work(turns=2)
    with acting_for(firm.practice.pk), pytest.raises(commitment.Refused) as caught:
        commitment.uncommit(invoice_ids=[invoice.abtrac_id])
    assert "Invoice A-1 is in Xero (Batch 1)" in str(caught.value)
    firm.check(invoice)


def test_what_was_refused_is_corrected_and_sent_as_a_revision_of_its_own(any_firm: Firm) -> None:
    """Both revisions stay to be seen, each with what was sent of it."""
    first = any_firm.invoice()
    any_firm.upload(first)
    any_firm.work(turns=2)
    invoice = any_firm.invoice(number="A-1")
    any_firm.upload(invoice)
    said: dict[str, Mapping[str, Any]] = {
        "xero": {"ErrorNumber": 10, "Type": "ValidationException", "Message": "No."},
        "keeper": {"code": "no", "message": "No."},
        "plain": {"errors": [{"field": "memo", "code": "no", "message": "No."}]},
    }
    refusal = Answer(400, said[any_firm.interface.package_key])
    any_firm.standin.script("POST" if any_firm.invented else "PUT", fault=refusal)
    any_firm.work()
    assert any_firm.of(invoice).state == "refused"
    with acting_for(any_firm.practice.pk):
        commitment.uncommit(invoice_ids=[invoice.abtrac_id])
        invoice.lines.update(description="Corrected design")
        commitment.commit(invoice_ids=[invoice.abtrac_id])
    any_firm.upload(invoice)
    any_firm.work()
    any_firm.check(first, invoice)
    with acting_for(any_firm.practice.pk):
        tries = list(
            Attempt.objects.filter(upload__invoice=invoice)
            .select_related("exchange")
            .order_by("revision")
        )
    assert [one.revision for one in tries] == [1, 2]
    bodies = [bytes(one.exchange.body).decode() for one in tries]
    assert ["Corrected design" in one for one in bodies] == [False, True]
