"""Payments are read back once, on the right invoice, and none is missed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Self

import pytest

from connectors import registry
from connectors.base.documents import Changes, DocumentChange, Payment
from connectors.base.errors import NeedsReconnect, RetryLater
from connectors.base.protocol import Connection, Package
from interfaces.models import AccountingInterface
from invoicing import payments
from invoicing.models import (
    Batch,
    Invoice,
    PackageDocument,
    PaymentReceived,
    Upload,
    UploadEvent,
)
from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_office,
    make_practice,
    make_setting,
)

pytestmark = pytest.mark.django_db


class TillConnector:
    """Reads changes, and nothing else."""

    @classmethod
    def open(cls, connection: Connection) -> Self:
        return cls()

    def close(self) -> None:
        return None

    def read_changes(self, since: str) -> Changes:
        raise NotImplementedError


class MuteConnector:
    """Tells of no payments."""

    @classmethod
    def open(cls, connection: Connection) -> Self:
        return cls()

    def close(self) -> None:
        return None


TILL = Package(key="till", label="Till", connector=TillConnector)
MUTE = Package(key="mute", label="Mute", connector=MuteConnector)


@dataclass
class Till:
    """What the package will tell, and what it was asked."""

    answers: list[Changes | Exception] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def read_changes(self, since: str) -> Changes:
        self.asked.append(since)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tells(self, *answers: Changes | Exception) -> None:
        self.answers += answers


@pytest.fixture
def till(monkeypatch: pytest.MonkeyPatch) -> Till:
    """The till that every interface of these tests opens."""
    told = Till()

    @contextmanager
    def opened(*, practice_id: int, interface_id: int) -> Iterator[Till]:
        yield told

    monkeypatch.setattr(registry, "packages", lambda: {"till": TILL, "mute": MUTE})
    monkeypatch.setattr(payments, "open_connector", opened)
    return told


@pytest.fixture
def interface(practice: Practice, till: Till) -> AccountingInterface:
    """A connected interface to the till."""
    with acting_for(practice.pk):
        return make_interface(package_key="till")


def sent(interface: AccountingInterface, remote_id: str, *, net: str = "1000.00") -> Upload:
    """An invoice (a credit note when negative) that is in the package under that id."""
    with acting_for(interface.practice_id):
        office = make_office(make_setting(interface))
        invoice = make_invoice(office, make_client(), nets=[net])
        return Upload.objects.create(
            interface=interface,
            batch=Batch.objects.create(number=Batch.objects.count() + 1),
            invoice=invoice,
            kind="credit_note" if invoice.is_credit_note else "invoice",
            state="sent" if remote_id else "unknown",
            remote_id=remote_id,
        )


Told = Payment | DocumentChange


def paid(remote_id: str, document_id: str, amount: str = "500.00", **fields: Any) -> Payment:
    """A payment as the package tells it."""
    return Payment(
        **{
            "remote_id": remote_id,
            "document_id": document_id,
            "number": "INV-1",
            "paid_on": date(2026, 11, 21),
            "amount": Decimal(amount),
            "reference": "Bank",
            **fields,
        }
    )


def stands(
    remote_id: str, amount: str, status: str = "AUTHORISED", **fields: Any
) -> DocumentChange:
    """Where a document stands as the package tells it."""
    return DocumentChange(
        **{
            "remote_id": remote_id,
            "number": "INV-1",
            "status": status,
            "total": Decimal("1150.00"),
            "paid": Decimal(amount),
            "credited": Decimal(0),
            "due": Decimal("1150.00") - Decimal(amount),
            **fields,
        }
    )


def changes(*told: Told, mark: str = "m1") -> Changes:
    """One answer of the package."""
    return Changes(
        payments=tuple(one for one in told if isinstance(one, Payment)),
        documents=tuple(one for one in told if isinstance(one, DocumentChange)),
        mark=mark,
    )


def read(interface: AccountingInterface) -> payments.ReadBack:
    """Read once."""
    return payments.read_payments(practice_id=interface.practice_id, interface_id=interface.pk)


def invoice_of(upload: Upload) -> Invoice:
    """The upload's invoice as it is stored now."""
    with acting_for(upload.practice_id):
        return Invoice.objects.get(uploads=upload)


def stored(interface: AccountingInterface) -> list[PaymentReceived]:
    """The payments kept."""
    with acting_for(interface.practice_id):
        return list(PaymentReceived.objects.order_by("pk"))


def mark_of(interface: AccountingInterface) -> str:
    """The mark kept."""
    with acting_for(interface.practice_id):
        return AccountingInterface.objects.get(pk=interface.pk).payments_mark


def history(upload: Upload) -> list[str]:
    """What the upload's history says."""
    with acting_for(upload.practice_id):
        return list(
            UploadEvent.objects.filter(upload=upload)
            .order_by("pk")
            .values_list("reason", flat=True)
        )


def test_a_part_payment_is_kept_with_its_invoice(
    interface: AccountingInterface, till: Till
) -> None:
    upload = sent(interface, "doc-1")
    till.tells(changes(paid("p1", "doc-1"), stands("doc-1", "500.00")))
    assert read(interface) == payments.ReadBack(payments=1, invoices=1)
    [kept] = stored(interface)
    assert (kept.invoice_id, kept.amount, kept.paid_on, kept.reference, kept.reversed) == (
        upload.invoice_id,
        Decimal("500.00"),
        date(2026, 11, 21),
        "Bank",
        False,
    )
    assert invoice_of(upload).paid == Decimal("500.00")
    assert invoice_of(upload).package_status == "AUTHORISED"
    assert history(upload) == ["Paid 500.00 of 1,150.00. Till says authorised."]


def test_the_next_reading_goes_on_from_the_mark(interface: AccountingInterface, till: Till) -> None:
    till.tells(changes(mark="m1"), changes(mark="m2"))
    read(interface)
    read(interface)
    assert till.asked == ["", "m1"]
    assert mark_of(interface) == "m2"


def test_the_documents_there_are_kept_until_they_are_deleted(
    interface: AccountingInterface, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payments, "AT_ONCE", 2)
    packages = {"till": replace(TILL, gone=frozenset({"DELETED"}))}
    monkeypatch.setattr(registry, "packages", lambda: packages)
    whose: dict[str, Any] = {
        "contact_id": "c1",
        "contact_name": "Smith Ltd",
        "issued": date(2026, 11, 20),
    }
    till.tells(
        changes(
            stands("d1", "0.00", number="Inv-1", currency="NZD", **whose),
            stands("d1", "0.00", number="Inv-1a", currency="NZD", **whose),
            stands("d2", "0.00"),
            stands("d2", "0.00", of_credit_note=True),
            stands("d3", "0.00"),
        ),
        changes(stands("d2", "0.00", "VOIDED"), stands("d3", "0.00", "DELETED")),
    )
    read(interface)
    read(interface)
    with acting_for(interface.practice_id):
        kept = PackageDocument.objects.order_by("remote_id", "kind")
        assert list(kept.values_list("kind", "remote_id", "folded", "status")) == [
            ("invoice", "d1", "inv-1a", "AUTHORISED"),
            ("credit_note", "d2", "inv-1", "AUTHORISED"),
            ("invoice", "d2", "inv-1", "VOIDED"),
        ]
        assert (kept[0].contact_name, kept[0].issued, kept[0].total) == (
            "Smith Ltd",
            date(2026, 11, 20),
            Decimal("1150.00"),
        )


def test_where_no_document_was_kept_all_are_read_once(
    interface: AccountingInterface, till: Till
) -> None:
    sent(interface, "d1")
    with acting_for(interface.practice_id):
        AccountingInterface.objects.update(payments_mark="m1")
    till.tells(changes(stands("d1", "0.00"), mark="m2"), changes(mark="m3"))
    read(interface)
    read(interface)
    assert till.asked == ["", "m2"]


def test_it_is_kept_when_payments_were_last_read(
    interface: AccountingInterface, till: Till
) -> None:
    till.tells(RetryLater("Not now."), changes())
    read_at = []
    for _ in range(2):
        payments.read_quietly(practice_id=interface.practice_id, interface_id=interface.pk)
        with acting_for(interface.practice_id):
            read_at.append(AccountingInterface.objects.get(pk=interface.pk).payments_read_at)
    assert read_at[0] is None
    assert read_at[1] is not None


def test_a_payment_read_twice_stays_one(interface: AccountingInterface, till: Till) -> None:
    upload = sent(interface, "doc-1")
    told: list[Told] = [paid("p1", "doc-1"), stands("doc-1", "500.00")]
    till.tells(changes(*told, mark="m1"), changes(*told, mark="m2"))
    read(interface)
    assert read(interface).invoices == 0
    assert len(stored(interface)) == 1
    assert history(upload) == ["Paid 500.00 of 1,150.00. Till says authorised."]
    assert invoice_of(upload).paid == Decimal("500.00")


def test_a_payment_told_twice_in_one_answer_stays_one(
    interface: AccountingInterface, till: Till
) -> None:
    sent(interface, "doc-1")
    till.tells(changes(paid("p1", "doc-1"), paid("p1", "doc-1", reversed=True)))
    read(interface)
    assert [one.reversed for one in stored(interface)] == [True]


def test_a_payment_deleted_in_the_package_is_marked_reversed(
    interface: AccountingInterface, till: Till
) -> None:
    upload = sent(interface, "doc-1")
    till.tells(
        changes(paid("p1", "doc-1"), stands("doc-1", "500.00")),
        changes(paid("p1", "doc-1", reversed=True), stands("doc-1", "0.00")),
    )
    read(interface)
    read(interface)
    [kept] = stored(interface)
    assert kept.reversed
    assert invoice_of(upload).paid == 0
    assert history(upload)[1:] == ["Paid 0.00 of 1,150.00."]


def test_payments_are_added_up_where_the_package_tells_no_sum(
    interface: AccountingInterface, till: Till
) -> None:
    upload = sent(interface, "doc-1")
    till.tells(
        changes(paid("p1", "doc-1", "500.00"), paid("p2", "doc-1", "150.00")),
        changes(paid("p2", "doc-1", "150.00", reversed=True), mark="m2"),
    )
    read(interface)
    assert invoice_of(upload).paid == Decimal("650.00")
    read(interface)
    assert invoice_of(upload).paid == Decimal("500.00")


def test_a_refund_of_a_credit_note_is_negative_as_the_note_is(
    interface: AccountingInterface, till: Till
) -> None:
    upload = sent(interface, "doc-1", net="-1000.00")
    till.tells(changes(paid("p1", "doc-1", "200.00"), stands("doc-1", "200.00")))
    read(interface)
    assert stored(interface)[0].amount == Decimal("-200.00")
    assert invoice_of(upload).paid == Decimal("-200.00")


def test_a_document_that_only_shares_our_number_is_not_ours(
    interface: AccountingInterface, till: Till
) -> None:
    upload = sent(interface, "doc-1")
    number = invoice_of(upload).number
    till.tells(
        changes(paid("p1", "other", number=number), stands("other", "500.00", number=number))
    )
    assert read(interface) == payments.ReadBack()
    assert stored(interface) == []
    assert invoice_of(upload).paid == 0
    assert mark_of(interface) == "m1"


def test_the_same_remote_id_at_another_interface_is_not_ours(
    interface: AccountingInterface, till: Till
) -> None:
    with acting_for(interface.practice_id):
        other = make_interface(package_key="till")
    elsewhere = sent(other, "doc-1")
    till.tells(changes(paid("p1", "doc-1"), stands("doc-1", "500.00")))
    read(interface)
    assert invoice_of(elsewhere).paid == 0


def test_a_payment_of_an_invoice_still_being_checked_is_read_again(
    interface: AccountingInterface, till: Till
) -> None:
    upload = sent(interface, "")
    number = invoice_of(upload).number
    told: list[Told] = [
        paid("p1", "doc-1", number=number),
        stands("doc-1", "500.00", number=number),
    ]
    till.tells(changes(*told, mark="m1"), changes(*told, mark="m2"))
    assert read(interface).kept_mark
    assert mark_of(interface) == ""
    with acting_for(interface.practice_id):
        Upload.objects.filter(pk=upload.pk).update(state="sent", remote_id="doc-1")
    assert not read(interface).kept_mark
    assert till.asked == ["", ""]
    assert invoice_of(upload).paid == Decimal("500.00")


def test_a_reading_that_another_one_overtook_changes_nothing(
    interface: AccountingInterface, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = sent(interface, "doc-1")

    def meanwhile(since: str) -> Changes:
        with acting_for(interface.practice_id):
            AccountingInterface.objects.filter(pk=interface.pk).update(payments_mark="m9")
        return changes(paid("p1", "doc-1"), stands("doc-1", "500.00"), mark="m1")

    monkeypatch.setattr(till, "read_changes", meanwhile)
    assert read(interface) == payments.ReadBack()
    assert mark_of(interface) == "m9"
    assert invoice_of(upload).paid == 0


def test_a_failure_while_storing_keeps_the_old_mark(
    interface: AccountingInterface, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(interface, "doc-1")
    till.tells(changes(paid("p1", "doc-1"), stands("doc-1", "500.00")))

    def fail(*_: Any, **__: Any) -> int:
        raise RuntimeError

    monkeypatch.setattr(payments, "_update", fail)
    with pytest.raises(RuntimeError):
        read(interface)
    assert mark_of(interface) == ""
    assert stored(interface) == []


def test_reading_quietly_answers_a_failure_in_words(
    interface: AccountingInterface, till: Till
) -> None:
    till.tells(RetryLater("Till is busy."), NeedsReconnect("Till has signed us out."), changes())
    reading = {"practice_id": interface.practice_id, "interface_id": interface.pk}
    assert payments.read_quietly(**reading) == "Till is busy."
    assert payments.read_quietly(**reading) == "Till has signed us out."
    assert mark_of(interface) == ""
    assert payments.read_quietly(**reading) == ""


def test_a_package_that_tells_of_no_payments_is_not_asked(practice: Practice, till: Till) -> None:
    with acting_for(practice.pk):
        mute = make_interface(package_key="mute")
    assert read(mute) == payments.ReadBack()
    assert till.asked == []


def test_due_are_the_connected_interfaces_of_every_practice_that_can_tell(till: Till) -> None:
    due = []
    for practice in (make_practice(), make_practice()):
        with acting_for(practice.pk):
            due.append((practice.pk, make_interface(package_key="till").pk))
            make_interface(package_key="till", connected=False)
            make_interface(package_key="mute")
    assert payments.due_interfaces() == due


def test_queries_do_not_grow_with_the_payments_read(
    interface: AccountingInterface, till: Till, django_assert_max_num_queries: Any
) -> None:
    uploads = [sent(interface, f"doc-{number}") for number in range(20)]
    told: list[Told] = []
    for number, _ in enumerate(uploads):
        told += [paid(f"p{number}", f"doc-{number}"), stands(f"doc-{number}", "500.00")]
    till.tells(changes(*told[:2], mark="m1"), changes(*told, mark="m2"))
    with django_assert_max_num_queries(18):
        read(interface)
    with django_assert_max_num_queries(18):
        read(interface)
    assert len(stored(interface)) == 20
