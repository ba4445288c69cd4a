"""Who wakes a worker: the doorbell at the click, or the sweep where it was not heard."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from kombu.exceptions import OperationalError

from connectors.xero.standin import XeroStandIn
from interfaces import lanes
from interfaces.models import AccountCode, Lane
from invoicing import tasks, workers
from invoicing.uploads import enqueue
from offices.tenancy import acting_for
from tests.faults.conftest import Firm, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Doorbells that are rung and not heard."""
    rung: list[int] = []
    monkeypatch.setattr(lanes, "ring", lambda practice_id, interface_id: rung.append(interface_id))
    yield rung


def test_the_click_itself_wakes_the_worker_in_this_process(firm: Firm) -> None:
    invoice = firm.invoice()
    running = workers.start(sweep=False)
    try:
        firm.upload(invoice)
        wait_for(lambda: firm.of(invoice).state == "sent")
    finally:
        running.stop()
    firm.check(invoice)


def test_after_a_code_was_refused_the_codes_are_read_again(firm: Firm) -> None:
    invoice = firm.invoice(line_fields={"account_code": "260"})
    firm.upload(invoice)
    firm.books.archive_account("260")
    running = workers.start(sweep=False)
    try:
        wait_for(lambda: firm.of(invoice).state == "refused")

        def known() -> bool:
            with acting_for(firm.practice.pk):
                return not AccountCode.objects.get(code="260").active

        wait_for(known)
    finally:
        running.stop()


def test_the_sweep_in_this_process_finds_what_no_bell_was_rung_for(
    firm: Firm, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = firm.invoice()
    with monkeypatch.context() as silent:
        silent.setattr(lanes, "ring", lambda *_: None)
        firm.upload(invoice)
    running = workers.start()
    try:
        wait_for(lambda: firm.of(invoice).state == "sent")
    finally:
        running.stop()
    firm.check(invoice)


def test_a_dead_broker_at_the_click_loses_nothing(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 19."""

    def dead(*_: Any, **__: Any) -> None:
        raise OperationalError("no broker")

    with monkeypatch.context() as broken:
        broken.setattr("interfaces.lanes.current_app.send_task", dead)
        invoice = firm.invoice()
        firm.upload(invoice)
    assert firm.of(invoice).state == "queued"
    assert (firm.practice.pk, firm.interface.pk) in lanes.due_lanes()
    firm.work()
    firm.check(invoice)


def test_the_sweep_rings_for_what_is_due_and_for_what_a_dead_worker_holds(
    firm: Firm, deaf: list[int]
) -> None:
    firm.leave_waiting()
    tasks.sweep()
    assert deaf == []
    firm.upload(firm.invoice())
    deaf.clear()
    tasks.sweep()
    assert deaf == [firm.interface.pk]
    row = Lane.objects.filter(interface=firm.interface)
    row.update(owner="living", lease_until=timezone.now() + timedelta(minutes=1))
    tasks.sweep()
    assert deaf == [firm.interface.pk]
    row.update(due=None, lease_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep()
    assert deaf == [firm.interface.pk] * 2


def test_a_bell_rung_a_hundred_times_is_one_upload(firm: Firm, xero: XeroStandIn) -> None:
    """Row 20."""
    invoice = firm.invoice()
    firm.upload(invoice)
    for _ in range(100):
        lanes.ring(firm.practice.pk, firm.interface.pk)
    running = workers.start(sweep=False)
    try:
        wait_for(lambda: firm.of(invoice).state == "sent")
    finally:
        running.stop()
    firm.check(invoice)
    assert sum(one.path.endswith("/Invoices") and one.method == "PUT" for one in xero.requests) == 1


def test_people_clicking_at_one_moment_make_one_batch(firm: Firm) -> None:
    """Row 26."""
    invoices = [firm.invoice() for _ in range(5)]
    firm.clicked += invoices
    together, answers = threading.Barrier(4), []

    def click() -> None:
        together.wait()
        try:
            with acting_for(firm.practice.pk):
                ids = [one.pk for one in invoices]
                answers.append(enqueue(invoice_ids=ids, actor=firm.user))
        finally:
            connection.close()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    assert sorted(one.queued for one in answers) == [0, 0, 0, 5]
    told = {left.reason for one in answers for left in one.left_out}
    assert told == {"Already in batch 1."}
    firm.work()
    firm.check(*invoices)


def test_workers_that_take_nothing_for_a_minute_fail_their_health_check(
    firm: Firm, deaf: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    firm.leave_waiting()
    call_command("worker_health")
    assert "take what is due" in capsys.readouterr().out
    firm.upload(firm.invoice())
    call_command("worker_health")
    row = Lane.objects.filter(interface=firm.interface)
    row.update(due=timezone.now() - timedelta(seconds=61))
    with pytest.raises(CommandError, match="Restart the worker"):
        call_command("worker_health")
    row.update(hold_until=timezone.now() + timedelta(hours=1))
    call_command("worker_health")


def test_stopping_ends_the_worker_and_its_threads(firm: Firm) -> None:
    before = threading.active_count()
    running = workers.start()
    running.stop()
    wait_for(lambda: threading.active_count() <= before)
