"""The server shape: Celery worker processes on Redis and PostgreSQL."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as product

from connectors.base.standin import Hold
from connectors.xero.standin import XeroStandIn
from invoicing import tasks
from tests.faults.conftest import ROOT, Firm, at_it, wait_for

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def start(firm: Firm) -> subprocess.Popen[bytes]:
    """A worker process as the server shape runs it, on the tests' database."""
    address = urlsplit(os.environ["DATABASE_URL"])
    environment = {
        **os.environ,
        **firm.environment,
        "DATABASE_URL": address._replace(path=f"/{firm.database}").geturl(),
        "REDIS_URL": product.REDIS_URL,
        "UPLOAD_LEASE_SECONDS": "2",
        "UPLOAD_LEASE_MARGIN_SECONDS": "1",
        "XERO_READ_TIMEOUT": "20",
    }
    words = ["-m", "celery", "-A", "abtrac_link", "worker", "--pool", "threads"]
    words += ["--concurrency", "2", "--without-gossip", "--without-mingle", "--loglevel", "ERROR"]
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment)


@pytest.fixture
def worker(firm: Firm, settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A running worker."""
    made = start(firm)
    yield made
    if made.poll() is None:
        made.kill()
    made.wait()


def test_a_worker_process_sends_at_the_click(firm: Firm, worker: subprocess.Popen[bytes]) -> None:
    invoices = [firm.invoice() for _ in range(3)]
    firm.upload(*invoices)
    wait_for(lambda: {one.state for one in firm.documents()} == {"sent"})
    firm.check(*invoices)


def test_told_to_end_it_finishes_the_call_in_hand_and_claims_nothing_more(
    firm: Firm, xero: XeroStandIn, worker: subprocess.Popen[bytes]
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
    firm: Firm, xero: XeroStandIn, worker: subprocess.Popen[bytes]
) -> None:
    invoice, go_on = firm.invoice(), threading.Event()
    xero.script(method="PUT", path=r"/api\.xro/2\.0/Invoices", fault=Hold(go_on, after_effect=True))
    firm.upload(invoice)
    wait_for(lambda: firm.numbers_in_xero() == [invoice.number])
    worker.kill()
    worker.wait()
    go_on.set()
    assert firm.of(invoice).state == "sending"
    second = start(firm)
    try:

        def recovered() -> bool:
            tasks.sweep()
            return firm.of(invoice).state == "sent"

        wait_for(recovered)
    finally:
        second.kill()
        second.wait()
    firm.check(invoice)
