"""A practice whose invoices go to the rehearsal Xero, and workers that run as processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from connectors.xero.standin import XeroStandIn
from interfaces.models import AccountingInterface, Lane
from invoicing.models import Client, Invoice, Upload
from invoicing.uploads import enqueue, lane
from offices.models import Office, Practice, User
from offices.tenancy import acting_for
from tests.connected import ORGANISATION, connect_xero
from tests.factories import make_client, make_invoice, make_member, make_office, make_setting

ROOT = Path(__file__).resolve().parent.parent.parent
# Only ends a broken test; nothing is proven by it.
PATIENCE = 30.0


@pytest.fixture
def xero(settings: Any) -> Iterator[XeroStandIn]:
    """A rehearsal Xero that the product reaches."""
    standin = XeroStandIn()
    standin.start()
    app = {
        **settings.PACKAGE_APPS["xero"],
        "client_id": standin.client_id,
        "client_secret": standin.client_secret,
        "endpoints": dict(standin.endpoints),
        "read_timeout": 2.0,
    }
    settings.PACKAGE_APPS = {**settings.PACKAGE_APPS, "xero": app}
    settings.UPLOAD_SETTLE_SECONDS = 0.0
    yield standin
    standin.stop()


@dataclass
class Firm:
    """A practice with one interface to Xero, one office and one client."""

    practice: Practice
    user: User
    xero: XeroStandIn
    interface: AccountingInterface
    office: Office
    client: Client
    database: str
    # What was sent before the test began to look.
    earlier: list[Invoice] = field(default_factory=list)
    workers: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def books(self) -> Any:
        """The organisation in Xero."""
        return self.xero.organisation(ORGANISATION)

    def invoice(self, **fields: Any) -> Invoice:
        """A committed invoice."""
        with acting_for(self.practice.pk):
            client = fields.pop("client", self.client)
            return make_invoice(self.office, client, **fields)

    def upload(self, *invoices: Invoice) -> None:
        """Press Upload to accounts."""
        with acting_for(self.practice.pk):
            asked = enqueue(invoice_ids=[one.pk for one in invoices], actor=self.user)
        assert asked.queued == len(invoices), [one.reason for one in self.documents()]

    def work(self, turns: int = 1) -> None:
        """Turns in this process, each as if all waits had passed."""
        for _ in range(turns):
            self.make_due()
            lane.drain(practice_id=self.practice.pk, interface_id=self.interface.pk)

    def make_due(self) -> None:
        """Let time pass until everything that waits is due, and every lease of the dead is over."""
        past = timezone.now() - timedelta(seconds=1)
        with acting_for(self.practice.pk):
            Upload.objects.filter(due__gt=past).update(due=past)
        rows = Lane.objects.filter(interface=self.interface)
        rows.update(due=past, hold_until=None, open_until=None)
        if all(one.poll() is not None for one in self.workers):
            rows.filter(lease_until__isnull=False).update(lease_until=past)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach this Xero, without waiting between tries."""
        return {
            "DJANGO_SETTINGS_MODULE": "abtrac_link.settings",
            "PYTHONPATH": str(ROOT),
            "XERO_CLIENT_ID": self.xero.client_id,
            "XERO_CLIENT_SECRET": self.xero.client_secret,
            "XERO_READ_TIMEOUT": "2",
            "UPLOAD_SETTLE_SECONDS": "0",
            "UPLOAD_LOOKUP_SECONDS": "0,0,0,0,0,0",
            **{f"XERO_{name.upper()}_URL": url for name, url in self.xero.endpoints.items()},
        }

    def worker(self, *, kill_at: str = "", stop_at: str = "") -> subprocess.Popen[str]:
        """A worker process that takes one turn, and is killed or stopped on the way."""
        environment = {
            **os.environ,
            **self.environment,
            "TEST_DATABASE": self.database,
            "KILL_AT": kill_at,
            "STOP_AT": stop_at,
        }
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.faults.worker"),
                *(str(self.practice.pk), str(self.interface.pk)),
            ],
            env=environment,
            cwd=ROOT,
            text=True,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.workers.append(worker)
        return worker

    def kill_at(self, place: str) -> None:
        """A worker takes a turn and dies there."""
        self.make_due()
        worker = self.worker(kill_at=place)
        _, errors = worker.communicate(timeout=60)
        assert worker.returncode == -signal.SIGKILL, errors

    def documents(self) -> list[Upload]:
        """The uploads of invoices and credit notes."""
        with acting_for(self.practice.pk):
            return list(
                Upload.objects.filter(kind__in=["invoice", "credit_note"])
                .select_related("invoice")
                .order_by("pk")
            )

    def of(self, invoice: Invoice) -> Upload:
        """The newest upload of the invoice."""
        return [one for one in self.documents() if one.invoice_id == invoice.pk][-1]

    def moves(self, upload: Upload) -> list[str]:
        """The states it went through."""
        with acting_for(self.practice.pk):
            return [event.after for event in upload.events.order_by("pk")]

    def numbers_in_xero(self) -> list[str]:
        """The numbers of all documents there, with repeats."""
        types = ("ACCREC", "ACCRECCREDIT")
        return sorted(one.number for type in types for one in self.books.documents(type))

    def check(self, *invoices: Invoice) -> None:
        """Nothing missing, nothing twice: each is in Xero once, and its upload says so."""
        everything = [*self.earlier, *invoices]
        assert self.numbers_in_xero() == sorted(one.number for one in everything)
        for invoice in invoices:
            upload = self.of(invoice)
            document = self.books.invoice(invoice.number)
            assert (upload.state, upload.remote_id) == ("sent", document.id), upload.reason
            assert document.total == invoice.total


@pytest.fixture
def firm(practice: Practice, xero: XeroStandIn) -> Iterator[Firm]:
    """The practice, connected."""
    lane.stopping.clear()
    user = make_member(practice)
    made = connect(practice, xero, user)
    yield made
    for worker in made.workers:
        if worker.poll() is None:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
        worker.communicate()


def connect(practice: Practice, xero: XeroStandIn, user: User, name: str = "Xero") -> Firm:
    """An interface with codes as Xero lists them, and an office that uses it."""
    interface = connect_xero(practice, xero, user, name=name)
    with acting_for(practice.pk):
        return Firm(
            practice=practice,
            user=user,
            xero=xero,
            interface=interface,
            office=make_office(make_setting(interface)),
            client=make_client("Harbour View Trust"),
            database=str(
                connection.settings_dict["NAME"]
                if connection.vendor == "postgresql"
                else Path(str(connection.settings_dict["NAME"])).resolve()
            ),
        )


def at_it(xero: XeroStandIn) -> bool:
    """Whether a write has reached Xero and is not answered yet."""
    return any(one.method == "PUT" and one.status is None for one in xero.requests)


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until it has happened, which is certain; the bound only ends a broken test."""
    ends = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < ends, "It never happened."
        time.sleep(0.02)
