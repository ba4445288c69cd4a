"""The server shape: Celery worker processes on Redis and PostgreSQL."""

import signal
import subprocess
import threading

import pytest

from connectors.base.standin import Hold
from connectors.xero.standin import XeroStandIn
from invoicing import tasks
from tests.faults.conftest import Firm, at_it, wait_for

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def worker(firm: Firm) -> subprocess.Popen[str]:
    """A running worker."""
    return firm.celery()


def test_a_worker_process_sends_at_the_click(firm: Firm, worker: subprocess.Popen[str]) -> None:
    invoices = [firm.invoice() for _ in range(3)]
    firm.upload(*invoices)
    wait_for(lambda: {one.state for one in firm.documents()} == {"sent"})
    firm.check(*invoices)


def test_told_to_end_it_finishes_the_call_in_hand_and_claims_nothing_more(
    firm: Firm, xero: XeroStandIn, worker: subprocess.Popen[str]
) -> None:
    first, go_on = firm.invoice(), threading.Event()
    xero.script(method="PUT", path=r"/api\.xro/2\.0/Invoices", fault=Hold(go_on))
    firm.upload(first)
    wait_for(lambda: any(one.path.endswith("/Invoices") and at_it(xero) for one in xero.requests))
    later = firm.invoice()
    firm.upload(later)
    worker.send_signal(signal.SIGTERM)
    go_on.set()
    assert worker.wait(timeout=60) == 0
    assert (firm.of(first).state, firm.of(later).state) == ("sent", "queued")
    firm.work()
    firm.check(first, later)


def test_killed_at_work_another_worker_recovers_without_a_person(
    firm: Firm, xero: XeroStandIn, worker: subprocess.Popen[str]
) -> None:
    invoice, go_on = firm.invoice(), threading.Event()
    xero.script(method="PUT", path=r"/api\.xro/2\.0/Invoices", fault=Hold(go_on, after_effect=True))
    firm.upload(invoice)
    wait_for(lambda: firm.numbers_there() == [invoice.number])
    worker.kill()
    worker.wait()
    go_on.set()
    assert firm.of(invoice).state == "sending"
    firm.celery()

    def recovered() -> bool:
        tasks.sweep()
        return firm.of(invoice).state == "sent"

    wait_for(recovered)
    firm.check(invoice)
