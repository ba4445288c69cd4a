"""What became of an invoice can be asked, one by one or all that changed."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from interfaces.models import AccountingInterface, Lane
from invoicing.models import (
    Batch,
    Client,
    Invoice,
    InvoiceSetting,
    PaymentReceived,
    Upload,
    UploadEvent,
)
from invoicing.uploads import states
from offices.models import AuditEntry
from offices.tenancy import acting_for
from tests.factories import make_interface
from tests.invoicing.abtrac import Abtrac, abtrac, invoice, other, problems, rows_of
from tests.invoicing.scene import make_step

__all__ = ["abtrac", "other"]

pytestmark = pytest.mark.django_db

Queue = Callable[..., Upload]


@pytest.fixture
def queue(abtrac: Abtrac) -> Queue:
    """Makes an upload of an invoice sent before, with its first event."""
    return maker(abtrac)


def maker(abtrac: Abtrac) -> Queue:
    with acting_for(abtrac.practice.pk):
        interface = make_interface(name="Xero Auckland")
        InvoiceSetting.objects.update(interface=interface)

    def queued(invoice_id: str, state: str = "queued", **fields: Any) -> Upload:
        with acting_for(abtrac.practice.pk):
            the_invoice = Invoice.objects.get(abtrac_id=invoice_id)
            batch, _ = Batch.objects.get_or_create(number=fields.pop("batch", 7))
            kind = fields.pop("kind", "credit_note" if the_invoice.total < 0 else "invoice")
            upload = Upload.objects.create(
                interface=AccountingInterface.objects.get(pk=interface.pk),
                batch=batch,
                kind=kind,
                invoice=the_invoice,
                state=state,
                due=timezone.now(),
                **fields,
            )
            UploadEvent.objects.create(upload=upload, after=state)
        return upload

    return queued


def move(abtrac: Abtrac, upload: Upload, *steps: str, **fields: Any) -> None:
    """Move the upload as the lane would."""
    with acting_for(abtrac.practice.pk):
        for step in steps:
            for name, value in fields.items():
                setattr(upload, name, value)
            states.move([upload], states.State(step), fields=fields)


def two_minutes_ago() -> Any:
    """What happens within happened then."""
    return time_machine.travel(timezone.now() - timedelta(minutes=2))


def test_an_invoice_is_told_as_it_is_stored(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice("I1", job="J1"))
    assert abtrac.get("invoices/I1").json() == {
        "abtrac_id": "I1",
        "number": "AK-I1",
        "status": "draft",
        "revision": 1,
        "office": "O1",
        "invoice_setting": "S1",
        "client": "C1",
        "job": "J1",
        "credits": "",
        "issued": "2026-11-20",
        "due": "2026-12-20",
        "currency": "NZD",
        "net": "1000.00",
        "tax": "150.00",
        "total": "1150.00",
        "badge": "Not sent",
        "parked": False,
        "in_accounts": False,
        "paid": "0.00",
        "package_status": "",
        "pdf": None,
        "upload": None,
        "payments": [],
    }


def test_an_uploaded_invoice_tells_where_it_is_and_what_was_paid(
    abtrac: Abtrac, queue: Queue
) -> None:
    abtrac.put("invoices", invoice("I1"))
    pdf = abtrac.put_pdf("I1", b"%PDF-1.4").json()
    queue("I1", "refused", batch=6, reason="Account 205 is archived.")
    upload = queue(
        "I1",
        "sent",
        remote_id="doc-1",
        remote_number="AK-I1",
        remote_url="https://go.xero.example/doc-1",
        warnings=["Xero's total is 1,150.01."],
        sent_at=timezone.now(),
    )
    with acting_for(abtrac.practice.pk):
        Invoice.objects.update(paid=Decimal("500"), package_status="AUTHORISED")
        PaymentReceived.objects.create(
            interface_id=upload.interface_id,
            invoice=Invoice.objects.get(abtrac_id="I1"),
            remote_id="p1",
            paid_on=date(2026, 11, 24),
            amount=Decimal("500"),
            reference="Bank",
        )
    told = abtrac.get("invoices/I1").json()
    assert told["paid"] == "500.00"
    assert told["pdf"] == {name: pdf[name] for name in ("file_name", "sha256", "received_at")}
    assert told["payments"] == [
        {
            "package_id": "p1",
            "paid_on": "2026-11-24",
            "amount": "500.00",
            "reference": "Bank",
            "reversed": False,
        }
    ]
    assert told["upload"].pop("sent_at") is not None
    assert told["upload"] == {
        "invoice": "I1",
        "number": "AK-I1",
        "batch": 7,
        "interface": "Xero Auckland",
        "package": "Xero",
        "kind": "invoice",
        "state": "sent",
        "state_in_words": "Sent with warning",
        "reason": "",
        "next_step": "",
        "warnings": ["Xero's total is 1,150.01."],
        "next_try": None,
        "package_id": "doc-1",
        "package_number": "AK-I1",
        "link": "https://go.xero.example/doc-1",
        "paid": "500.00",
        "package_status": "AUTHORISED",
    }


def test_an_upload_that_failed_tells_why_and_what_to_do(abtrac: Abtrac, queue: Queue) -> None:
    abtrac.put("invoices", invoice("I1"))
    queue("I1", "refused", reason="Account 205 is archived.", next_step="Choose another account.")
    [told] = abtrac.get("uploads").json()["uploads"]
    assert (told["state"], told["state_in_words"]) == ("refused", "Refused")
    assert (told["reason"], told["next_step"]) == (
        "Account 205 is archived.",
        "Choose another account.",
    )


def test_an_upload_that_waits_for_its_client_tells_that_and_when_it_goes_on(
    abtrac: Abtrac, queue: Queue
) -> None:
    abtrac.put("invoices", invoice("I1"))
    soon = timezone.now() + timedelta(minutes=6)
    upload = queue("I1")
    assert abtrac.get("invoices/I1").json()["upload"]["next_try"] is None
    with acting_for(abtrac.practice.pk):
        client = Client.objects.get(invoices=upload.invoice)
        make_step(upload.batch, upload.interface, client=client, due=soon)
    [listed] = abtrac.get("uploads").json()["uploads"]
    for told in (listed, abtrac.get("invoices/I1").json()["upload"]):
        assert told["reason"] == f"Waits until its client {client} is in Xero."
        assert datetime.fromisoformat(told["next_try"]) == soon
        assert told["state_in_words"].startswith("Waiting until ")
    Lane.objects.update(open_until=soon + timedelta(minutes=1))
    told = abtrac.get("invoices/I1").json()["upload"]
    assert datetime.fromisoformat(told["next_try"]) == soon + timedelta(minutes=1)


def test_only_what_changed_since_the_mark_is_told(abtrac: Abtrac, queue: Queue) -> None:
    abtrac.put("invoices", invoice("I1"), invoice("N1", "-10.00"))
    with two_minutes_ago():
        first, second = queue("I1"), queue("N1")
    answer = abtrac.get("uploads").json()
    assert [one["invoice"] for one in answer["uploads"]] == ["I1", "N1"]
    assert [one["kind"] for one in answer["uploads"]] == ["invoice", "credit_note"]
    assert answer["next"] is None

    mark = answer["mark"]
    nothing = abtrac.get(f"uploads?since={mark}").json()
    assert nothing == {"uploads": [], "next": None, "mark": mark}

    move(abtrac, first, "claimed", "sending")
    move(abtrac, first, "sent", remote_id="doc-1")
    answer = abtrac.get(f"uploads?since={mark}").json()
    assert [(one["invoice"], one["state"]) for one in answer["uploads"]] == [("I1", "sent")]
    assert second.state == "queued"


def test_what_happened_in_the_last_minute_is_told_again(abtrac: Abtrac, queue: Queue) -> None:
    abtrac.put("invoices", invoice("I1"), invoice("I2"))
    with two_minutes_ago():
        queue("I1")
    queue("I2")
    answer = abtrac.get("uploads").json()
    assert len(answer["uploads"]) == 2
    again = abtrac.get(f"uploads?since={answer['mark']}").json()
    assert [one["invoice"] for one in again["uploads"]] == ["I2"]
    assert again["mark"] == answer["mark"]


def test_pages_follow_each_other_without_a_gap(abtrac: Abtrac, queue: Queue) -> None:
    ids = [f"I{index}" for index in range(7)]
    abtrac.put("invoices", *(invoice(one) for one in ids))
    for one in ids:
        queue(one)
    told: list[str] = []
    since: str | None = "0"
    pages = 0
    while since is not None:
        page = abtrac.get(f"uploads?since={since}&limit=3").json()
        told += [one["invoice"] for one in page["uploads"]]
        since, pages = page["next"], pages + 1
    assert told == ids
    assert pages == 3


def test_an_upload_that_moved_often_is_told_once_as_it_is_now(abtrac: Abtrac, queue: Queue) -> None:
    abtrac.put("invoices", invoice("I1"), invoice("I2"))
    upload = queue("I1")
    queue("I2")
    move(abtrac, upload, "claimed", "sending", "queued", "claimed", "sending", "unknown")
    told = abtrac.get("uploads").json()["uploads"]
    assert [(one["invoice"], one["state"]) for one in told] == [("I2", "queued"), ("I1", "unknown")]


def test_contacts_and_pdfs_are_not_told_as_invoices(abtrac: Abtrac, queue: Queue) -> None:
    abtrac.put("invoices", invoice("I1"))
    queue("I1", kind="pdf")
    assert abtrac.get("uploads").json()["uploads"] == []
    assert abtrac.get("invoices/I1").json()["upload"] is None


def test_the_uploads_of_another_practice_are_not_told(abtrac: Abtrac, other: Abtrac) -> None:
    other.put("invoices", invoice("I1"))
    maker(other)("I1")
    assert len(other.get("uploads").json()["uploads"]) == 1
    assert abtrac.get("uploads").json()["uploads"] == []
    assert abtrac.get("uploads?since=0").json()["mark"] == "0"


def test_an_uploaded_invoice_cannot_be_uncommitted_or_given_another_pdf(
    abtrac: Abtrac, queue: Queue
) -> None:
    abtrac.put("invoices", invoice("I1"), invoice("I2"))
    abtrac.move("approve", "I1", "I2")
    abtrac.move("commit", "I1", "I2")
    abtrac.put_pdf("I1", b"%PDF-1.4")
    queue("I1", "sent", remote_id="doc-1")
    queue("I1", "sent", kind="pdf", remote_id="pdf-1")
    answer = abtrac.move("uncommit", "I2", "I1")
    assert answer.status_code == 409
    assert problems(answer) == {"invoices[1]": "uploaded"}
    assert "Void it there, or credit it instead." in answer.content.decode()
    assert abtrac.get("invoices/I2").json()["status"] == "committed"
    answer = abtrac.move("uncommit", "I9", "I1")
    assert answer.status_code == 400
    answer = abtrac.put_pdf("I1", b"%PDF-1.4 other")
    assert answer.status_code == 409
    assert problems(answer) == {"": "pdf_uploaded"}
    assert abtrac.put_pdf("I1", b"%PDF-1.4").json()["changed"] is False


def test_what_is_in_the_accounts_tells_the_ways_out_and_is_voided_by_the_first(
    abtrac: Abtrac, queue: Queue
) -> None:
    abtrac.put("invoices", invoice("I1"))
    abtrac.move("approve", "I1")
    abtrac.move("commit", "I1")
    sent = queue(
        "I1",
        "sent",
        remote_id="doc-1",
        document={"key": "k", "total": "1150.00", "number": "AK-I1"},
    )
    [told] = abtrac.move("uncommit", "I1").json()["problems"]
    unseen = abtrac.call("POST", "invoices/I1/void", {"reason": "Wrong \u202eclient"})
    assert problems(unseen) == {"reason": "invisible"}
    void = {"do": "void", "method": "POST", "address": "/api/v1/invoices/I1/void"}
    assert told["choices"] == [void, {"do": "credit_note", "method": "", "address": ""}]
    bodies: list[Any] = [{}, {"reason": " "}, {"reason": "Wrong", "more": 1}, []]
    for body in bodies:
        assert abtrac.call("POST", "invoices/I1/void", body).status_code == 400
    answers = [
        abtrac.call("POST", "invoices/I1/void", {"reason": "Wrong client"}, Idempotency_Key="v1")
        for _ in range(2)
    ]
    assert [one.json() for one in answers] == [{"invoice": "I1", "batch": 8}] * 2
    [voiding] = rows_of(abtrac, Upload, kind="void")
    assert (voiding.state, voiding.document["document_id"]) == ("queued", "doc-1")
    assert [one.action for one in rows_of(abtrac, AuditEntry)][-1] == "invoice.voiding"
    told = abtrac.get("uploads").json()["uploads"]
    assert [(one["kind"], one["state"]) for one in told] == [
        ("invoice", "sent"),
        ("void", "queued"),
    ]
    assert abtrac.get("invoices/I1").json()["upload"]["kind"] == "invoice"
    assert abtrac.get("invoices/I1").json()["badge"] == "Being voided"
    again = abtrac.call("POST", "invoices/I1/void", {"reason": "Wrong client"})
    assert problems(again) == {"": "cannot_be_voided"}
    [told] = abtrac.move("uncommit", "I1").json()["problems"]
    assert "choices" not in told
    assert "is being voided in" in told["message"]
    with acting_for(abtrac.practice.pk):
        Upload.objects.filter(pk=sent.pk).update(state="voided")
    assert abtrac.get("invoices/I1").json()["upload"]["state_in_words"] == "Voided"
    assert abtrac.move("uncommit", "I1").json()["changed"] == ["I1"]


def test_a_draft_cannot_be_committed(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice("I1"))
    answer = abtrac.move("commit", "I1")
    assert answer.status_code == 409
    assert problems(answer) == {"invoices[0]": "not_approved"}


def test_queries_do_not_grow_with_the_uploads_told(
    abtrac: Abtrac, queue: Queue, django_assert_max_num_queries: Any
) -> None:
    ids = [f"I{index}" for index in range(40)]
    abtrac.put("invoices", *(invoice(one) for one in ids))
    for one in ids:
        queue(one)
    for limit in (1, 40):
        with django_assert_max_num_queries(12):
            assert len(abtrac.get(f"uploads?limit={limit}").json()["uploads"]) == limit
    with django_assert_max_num_queries(13):  # its badge is asked for too
        abtrac.get("invoices/I1")
