"""What would be refused is told before anything is sent, all of it and of all invoices at once."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.base.errors import Rejected
from interfaces.models import AccountCode, AccountingInterface
from invoicing import preflight
from invoicing.contact_book import fold
from invoicing.models import (
    Batch,
    Client,
    ContactLink,
    Invoice,
    PackageContact,
    PackageDocument,
    Upload,
)
from invoicing.preflight import Checked, check
from invoicing.uploads import enqueue, outcomes, retry
from offices.models import Office, Practice
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_office,
    make_setting,
)
from tests.invoicing.scene import make_upload

pytestmark = pytest.mark.django_db
State = Upload.State


@dataclass
class Desk:
    """An office whose invoices go to Xero, and a client that is linked there."""

    interface: AccountingInterface
    office: Office
    client: Client

    def invoice(self, **fields: Any) -> Invoice:
        """A committed invoice of the client."""
        return make_invoice(self.office, fields.pop("client", self.client), **fields)

    def there(self, invoice: Invoice, **fields: Any) -> PackageDocument:
        """A document in Xero with the number of the invoice, and all else the same."""
        number = fields.pop("number", invoice.number)
        facts = {
            "interface": self.interface,
            "kind": preflight.kind_of(invoice),
            "remote_id": f"xero-{number}-{fields.get('status', '')}",
            "number": number,
            "folded": preflight.folded_number(number),
            "contact_id": "contact-1",
            "contact_name": invoice.client.name,
            "issued": invoice.issued,
            "currency": invoice.currency,
            "total": abs(invoice.total),
            "status": "AUTHORISED",
        }
        return PackageDocument.objects.create(**{**facts, **fields})

    def contact(self, name: str, **fields: Any) -> PackageContact:
        """A contact as Xero last listed it."""
        facts = {"remote_id": f"xero-{name}", "name": name, "folded": fold(name)}
        return PackageContact.objects.create(interface=self.interface, **{**facts, **fields})


@pytest.fixture
def desk(acting: Practice) -> Desk:
    """Everything is right, and was read just now."""
    interface = make_interface(contacts_read_at=timezone.now())
    client = make_client("Harbour View Trust")
    desk = Desk(interface=interface, office=make_office(make_setting(interface)), client=client)
    desk.contact(client.name, remote_id="contact-1")
    ContactLink.objects.create(
        interface=interface, client=client, name="", remote_id="contact-1", remote_url=""
    )
    return desk


def codes(checked: Checked) -> list[tuple[str, str, int]]:
    """Code, subject and line of each fault."""
    return [(one.code, one.subject, one.line) for one in checked.faults]


def one(invoice: Invoice) -> Checked:
    """The invoice by itself."""
    return check([Invoice.objects.get(pk=invoice.pk)])[invoice.pk]


def test_what_is_right_is_green(desk: Desk) -> None:
    found = one(desk.invoice())
    assert (found.light, found.faults) == ("green", ())
    assert found.document is not None
    assert found.interface == desk.interface


def test_all_problems_of_all_invoices_are_told_at_once_and_refusals_first(desk: Desk) -> None:
    desk.interface.lock_date = date(2026, 11, 20)
    desk.interface.codes_read_at = timezone.now() - timedelta(days=3)
    desk.interface.save()
    AccountCode.objects.filter(interface=desk.interface, code="210").update(active=False)
    wrong = desk.invoice(
        nets=["100.00", "50.00"], currency="USD", line_fields={"account_code": "210"}
    )
    late = desk.invoice(issued=date(2026, 11, 21))
    found = check([wrong, late])
    assert codes(found[wrong.pk]) == [
        ("account_archived", "210", 1),
        ("account_archived", "210", 2),
        ("currency_not_enabled", "USD", 0),
        ("period_locked", "", 0),
        ("read_long_ago", "", 0),
    ]
    assert found[wrong.pk].light == "red"
    assert (found[late.pk].light, [one.code for one in found[late.pk].faults]) == (
        "amber",
        ["read_long_ago"],
    )
    locked = found[wrong.pk].faults[3]
    assert locked.message == (
        "Invoice date 20 Nov 2026 is on or before the Xero lock date 20 Nov 2026."
    )


def test_an_invoice_of_a_setting_that_is_linked_nowhere_is_red(desk: Desk) -> None:
    found = one(make_invoice(make_office(make_setting()), desk.client))
    assert (found.light, found.document, found.interface) == ("red", None, None)
    assert [fault.code for fault in found.faults] == ["not_linked"]


def test_the_number_of_queries_does_not_grow_with_the_invoices(desk: Desk) -> None:
    desk.interface.preferences = {"delivery_status": "AUTHORISED", "plan_limit": 1000}
    desk.interface.save()
    others = [make_office(make_setting(make_interface())) for _ in range(2)]

    def queries(count: int) -> int:
        rows = [
            make_invoice(office, make_client(f"Client {place} of {office}"), nets=["1.00"] * 2)
            for place in range(count)
            for office in [desk.office, *others]
        ]
        asked = Invoice.objects.filter(pk__in=[row.pk for row in rows])
        with CaptureQueriesContext(connection) as captured:
            assert len(check(list(asked))) == 3 * count
        return len(captured)

    few = queries(1)
    assert queries(8) == few <= 20


# --- Numbers -------------------------------------------------------------------------------------


def test_of_two_with_one_number_the_second_is_refused(desk: Desk) -> None:
    first, second = desk.invoice(number="A-1"), desk.invoice(number="a-1")
    note = desk.invoice(number="A-1", nets=["-10.00"])
    found = check([first, second, note])
    assert [found[row.pk].light for row in (first, second, note)] == ["green", "red", "green"]
    assert found[second.pk].faults[0].message == (
        "Another invoice of ours with the number A-1 goes before it: Harbour View Trust, 20 Nov"
        " 2026, NZD 1,150.00. Xero takes a number once."
    )


def test_one_that_is_refused_leaves_its_number_to_the_next(desk: Desk) -> None:
    wrong, right = desk.invoice(number="A-1", currency="USD"), desk.invoice(number="A-1")
    found = check([wrong, right])
    assert [found[row.pk].light for row in (wrong, right)] == ["red", "green"]


def test_a_number_that_another_document_has_is_refused_with_both_totals(desk: Desk) -> None:
    invoice = desk.invoice(number="A-1")
    desk.there(invoice, number="a-1", total=Decimal("99.00"), contact_name="Smith Ltd")
    [fault] = one(invoice).refusals
    assert (fault.code, fault.field) == ("number_taken", "number")
    assert fault.message == (
        "Xero already has invoice a-1: Smith Ltd, 20 Nov 2026, NZD 99.00. Ours: Harbour View Trust,"
        " 20 Nov 2026, NZD 1,150.00."
    )


@pytest.mark.parametrize(
    ("changes", "light"),
    [
        ({}, "amber"),
        ({"contact_id": "", "contact_name": "harbour view trust"}, "amber"),
        ({"contact_id": "another"}, "red"),
        ({"total": Decimal("1150.01")}, "red"),
        ({"issued": date(2026, 11, 19)}, "red"),
        ({"currency": "AUD"}, "red"),
        ({"status": "VOIDED"}, "red"),
        ({"kind": "credit_note"}, "green"),
    ],
)
def test_the_very_same_document_is_linked_and_any_other_refused(
    desk: Desk, changes: dict[str, Any], light: str
) -> None:
    invoice = desk.invoice()
    desk.there(invoice, **changes)
    assert one(invoice).light == light


def test_a_number_that_went_to_another_invoice_of_ours_is_refused(desk: Desk) -> None:
    sent, invoice = desk.invoice(number="A-1"), desk.invoice(number="A-1")
    make_upload(Batch.objects.create(number=1), sent, State.SENT)
    [fault] = one(invoice).refusals
    assert fault.message == (
        "Xero already has invoice A-1, and it is linked to our invoice A-1 already."
    )
    # Its own upload is no other.
    assert one(sent).light == "green"


# --- Contacts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("archived", "listed", "code"),
    [(True, True, "contact_archived"), (False, False, "contact_gone")],
)
def test_a_linked_contact_that_is_archived_or_gone_is_told(
    desk: Desk, archived: bool, listed: bool, code: str
) -> None:
    PackageContact.objects.update(archived=archived)
    if not listed:
        PackageContact.objects.all().delete()
    ContactLink.objects.update(linked_at=timezone.now() - timedelta(days=1))
    desk.interface.contacts_read_at = timezone.now()
    desk.interface.save()
    assert codes(one(desk.invoice())) == [(code, "Harbour View Trust", 0)]


@pytest.mark.parametrize(
    ("there", "code"),
    [
        ({}, "contact_new"),
        ({"name": "Smith Ltd", "number": ""}, ""),
        ({"name": "smith  LTD", "number": "Other"}, "name_taken"),
        ({"name": "Smith Limited", "number": "Other"}, "contact_new"),
        ({"name": "Somebody", "number": "SMITH"}, ""),
        ({"name": "Somebody", "number": "SMITH", "archived": True}, "contact_archived"),
        ({"name": "Smith Ltd", "archived": True}, "contact_new"),
    ],
)
def test_whether_a_client_will_be_found_or_added_is_told(
    desk: Desk, there: dict[str, Any], code: str
) -> None:
    client = make_client("Smith Ltd")
    Client.objects.filter(pk=client.pk).update(abtrac_id="SMITH")
    if there:
        desk.contact(**there)
    found = one(desk.invoice(client=client))
    assert [fault.code for fault in found.faults] == ([code] if code else [])


def test_what_xero_does_not_take_of_a_new_client_is_told(desk: Desk) -> None:
    client = make_client("Smith <Ltd>", phone="0" * 50)
    Client.objects.filter(pk=client.pk).update(email="müller@quay.example")
    assert codes(one(desk.invoice(client=client))) == [
        ("contact", "Smith <Ltd>", 0),
        ("email", "Smith <Ltd>", 0),
    ]
    desk.interface.preferences = {"add_contacts": False}
    desk.interface.save()
    assert ("contact_missing", "Smith <Ltd>", 0) in codes(one(desk.invoice(client=client)))


# --- Plans, and other figures --------------------------------------------------------------------


def test_a_plan_is_full_with_what_was_approved_there_and_what_goes_before(desk: Desk) -> None:
    desk.interface.preferences = {"delivery_status": "AUTHORISED", "plan_limit": 4}
    desk.interface.save()
    sent = desk.invoice()
    make_upload(Batch.objects.create(number=1), sent, State.SENT)
    for number, status, issued in (
        ("T-1", "AUTHORISED", date(2026, 11, 1)),
        ("T-2", "PAID", date(2026, 11, 30)),
        ("T-3", "DRAFT", date(2026, 11, 30)),
        ("T-4", "PAID", date(2026, 12, 1)),
    ):
        desk.there(sent, number=number, status=status, issued=issued)
    first, second = desk.invoice(), desk.invoice()
    note, december = desk.invoice(nets=["-1.00"]), desk.invoice(issued=date(2026, 12, 24))
    rows: Sequence[Invoice] = [first, second, note, december]
    found = check(rows)
    assert [found[row.pk].light for row in rows] == ["green", "red", "green", "green"]
    assert codes(found[second.pk]) == [("plan_limit", "2026-11", 0)]
    desk.interface.preferences = {"delivery_status": "DRAFT", "plan_limit": 4}
    desk.interface.save()
    assert one(second).light == "green"


def test_tax_that_is_rounded_otherwise_is_a_remark_that_says_by_how_much(desk: Desk) -> None:
    invoice = desk.invoice(nets=["25.63"], tax=Decimal("3.85"), total=Decimal("29.48"))
    invoice.lines.update(tax=Decimal("3.85"))
    found = one(invoice)
    assert found.light == "amber"
    assert [fault.message for fault in found.faults] == [
        "Xero would round the tax of line 1 to 3.84; Abtrac's 3.85 is sent with it (0.01 more)."
    ]


# --- The click, the retry, and what was missed ---------------------------------------------------


def test_a_refusal_keeps_an_invoice_from_going_and_a_remark_does_not(desk: Desk) -> None:
    new = desk.invoice(client=make_client("Smith Ltd"))
    taken = desk.invoice(number="A-1")
    desk.there(taken, total=Decimal("99.00"))
    done = enqueue(invoice_ids=[new.pk, taken.pk], actor=None)
    assert (done.queued, done.refused) == (1, 1)
    refused = Upload.objects.get(invoice=taken)
    assert (refused.state, refused.field, refused.code) == ("refused", "number", "number_taken")
    assert "Smith" not in refused.reason
    assert "NZD 99.00" in refused.reason
    assert refused.next_step.startswith("If they are the same, link it")
    PackageDocument.objects.all().delete()
    assert retry(upload_ids=[refused.pk], actor=None).queued == 1


def test_what_the_package_refused_unforeseen_is_logged_without_a_word_of_it(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    uploads = [
        make_upload(Batch.objects.create(number=number), desk.invoice(), State.SENDING)
        for number in (1, 2)
    ]
    answers = {
        uploads[0].document["key"]: Rejected("Moon.", field="due", code="moon", words="Smith"),
        uploads[1].document["key"]: Rejected("Gone.", field="contact", code="contact_missing"),
    }
    for upload in uploads:
        upload.document = {**upload.document, "contact": {"name": "Smith"}}
    with caplog.at_level(logging.WARNING, logger="invoicing.preflight"):
        outcomes.record(uploads, answers, held=None)
    told = [record.getMessage() for record in caplog.records if record.name.endswith("preflight")]
    assert told == [
        f"preflight gap package=xero code=moon field=due practice={desk.interface.practice_id}"
        f" upload={uploads[0].pk}"
    ]
