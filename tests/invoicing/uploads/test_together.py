"""Two who decide about the same uploads at once: one waits for the other, and sees what it did."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection

from connectors import registry
from connectors.base.documents import Changes, Payment, Posted
from interfaces.preferences import save_preferences
from invoicing.invoices import Refused, uncommit
from invoicing.models import Invoice, Upload
from invoicing.payments import read_payments
from invoicing.uploads import existing, link_existing, outcomes, park, people, retry, unlink
from invoicing.uploads.lane import drain
from invoicing.uploads.states import State
from offices.models import User
from offices.tenancy import acting_for
from tests.faults.conftest import wait_for
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk, open_desk
from tests.invoicing.uploads.test_people import fail
from tests.invoicing.uploads.till import Books, TillConnector

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


class Other:
    """Somebody else at work on a connection of their own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._backend = 0
        self.raised: BaseException | None = None
        self.waited = False
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Let them work until they are done or wait for a lock of ours."""
        self._thread.start()
        wait_for(lambda: not self._thread.is_alive() or self._waits())
        self.waited = self._thread.is_alive()

    def end(self) -> None:
        """Wait until they are done."""
        self._thread.join()

    def _run(self) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self._backend = cursor.fetchone()[0]
            self._work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.raised = error
        finally:
            connection.close()

    def _waits(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s", [self._backend]
            )
            return bool(cursor.fetchone()[0])


def after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, other: Other) -> None:
    """Let the other start when that function of ours has ended, before our transaction does."""
    real = getattr(module, name)

    def ours(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        monkeypatch.setattr(module, name, real)
        other.start()
        return answer

    monkeypatch.setattr(module, name, ours)


def in_practice(desk: Desk, work: Callable[[], Any]) -> Callable[[], None]:
    """The work within the desk's practice."""

    def scoped() -> None:
        with acting_for(desk.practice.pk):
            work()

    return scoped


def still(desk: Desk, invoice: Invoice) -> Invoice:
    """The invoice as stored."""
    with acting_for(desk.practice.pk):
        return Invoice.objects.get(pk=invoice.pk)


def again(upload: Upload, actor: User) -> None:
    retry(upload_ids=[upload.pk], actor=actor)


def linked(upload: Upload, actor: User) -> None:
    found = Posted(key=upload.document["key"], remote_id="till-7")
    link_existing(upload_id=upload.pk, found=found, actor=actor)


WAYS = [
    pytest.param(again, people, "_freeze_anew", id="retried"),
    pytest.param(linked, existing, "_failed", id="linked"),
]


@pytest.mark.parametrize(("decide", "module", "name"), WAYS)
def test_an_invoice_on_its_way_again_is_not_uncommitted_meanwhile(
    desk: Desk,
    books: Books,
    monkeypatch: pytest.MonkeyPatch,
    decide: Callable[[Upload, User], None],
    module: Any,
    name: str,
) -> None:
    invoice = fail(desk, books)
    other = Other(in_practice(desk, partial(uncommit, invoice_ids=[invoice.abtrac_id])))
    after(monkeypatch, module, name, other)
    with acting_for(desk.practice.pk):
        decide(desk.of(invoice), desk.user)
    other.end()
    assert isinstance(other.raised, Refused)
    assert still(desk, invoice).status == "committed"
    desk.work()
    assert desk.of(invoice).state == State.SENT


@pytest.mark.parametrize(("decide", "module", "name"), WAYS)
def test_an_invoice_on_its_way_again_is_not_parked_meanwhile(
    desk: Desk,
    books: Books,
    monkeypatch: pytest.MonkeyPatch,
    decide: Callable[[Upload, User], None],
    module: Any,
    name: str,
) -> None:
    invoice = fail(desk, books)
    parking = partial(park, invoice_ids=[invoice.pk], reason="", actor=desk.user)
    other = Other(in_practice(desk, parking))
    after(monkeypatch, module, name, other)
    with acting_for(desk.practice.pk):
        decide(desk.of(invoice), desk.user)
    other.end()
    assert other.raised is None
    assert still(desk, invoice).parked_at is None
    desk.work()
    assert desk.of(invoice).state == State.SENT


def test_an_upload_at_the_click_and_the_turn_of_a_worker_do_not_block_each_other(
    desk: Desk, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker holds its lane and writes history; a click holds the numbering and wakes lanes."""
    mine, theirs = desk.invoice(number="A-1"), desk.invoice(number="A-2")
    desk.upload(theirs)
    other = Other(partial(desk.upload, mine))
    after(monkeypatch, outcomes, "arrived", other)
    desk.work()
    other.end()
    assert other.raised is None
    desk.work()
    assert {one.state for one in desk.all()} == {State.SENT}


def test_a_batch_whose_last_two_end_at_once_is_finished(
    desk: Desk, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = open_desk(desk.practice, books, desk.user, name="Second")
    for one in (desk, second):
        one.upload(one.invoice())
        one.work()
    desk.upload(desk.invoice(), second.invoice())
    second.make_due()
    other = Other(partial(drain, practice_id=desk.practice.pk, interface_id=second.interface.pk))
    after(monkeypatch, outcomes, "finish_batches", other)
    desk.work()
    other.end()
    assert other.raised is None
    assert {one.state for one in desk.all()} == {State.SENT}
    assert desk.batch(3).finished_at is not None


def test_payments_read_while_a_link_is_taken_back_are_not_the_invoices(
    desk: Desk, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = Payment(
        remote_id="p-1",
        document_id="till-7",
        number="A-1",
        paid_on=date(2026, 11, 21),
        amount=Decimal("99.00"),
    )

    # A class of its own: what a class can do is asked once and remembered.
    class PaidTill(TillConnector):
        def read_changes(self, since: str) -> Changes:
            return Changes(payments=(paid,), documents=(), mark="m1")

    packages = {"till": replace(till.PACKAGE, connector=PaidTill)}
    monkeypatch.setattr(registry, "packages", lambda: packages)
    invoice = fail(desk, books)
    with acting_for(desk.practice.pk):
        linked(desk.of(invoice), desk.user)
    ids = {"practice_id": desk.practice.pk, "interface_id": desk.interface.pk}
    read_payments(**ids)
    assert still(desk, invoice).paid == paid.amount
    other = Other(partial(read_payments, **ids))
    after(monkeypatch, existing, "_forget_payments", other)
    with acting_for(desk.practice.pk):
        assert unlink(upload_id=desk.of(invoice).pk, actor=desk.user)
    other.end()
    assert other.raised is None
    assert still(desk, invoice).paid == 0


def test_a_worker_goes_on_while_somebody_changes_the_interface(desk: Desk) -> None:
    """Waiting for it with a lane in hand would meet whoever holds it and waits for the lane."""
    invoice = desk.invoice()
    desk.upload(invoice)
    work = partial(drain, practice_id=desk.practice.pk, interface_id=desk.interface.pk)
    other = Other(work)
    with acting_for(desk.practice.pk):
        save_preferences(desk.interface, {})
        other.start()
    other.end()
    assert not other.waited
    assert desk.of(invoice).state == State.SENT
