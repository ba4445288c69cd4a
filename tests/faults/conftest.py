"""A practice whose invoices go to a stand-in, and workers that run as processes.

After each test the checker compares what was clicked, our rows and what the stand-in holds.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as product
from django.db import connection
from django.db.models import F
from django.utils import timezone

from connectors.base.standin import StandIn
from connectors.xero.standin import XeroStandIn
from interfaces.models import AccountingInterface, Lane
from invoicing.models import Client, Invoice, Upload
from invoicing.uploads import enqueue, lane, states
from offices.models import Office, Practice, User
from offices.tenancy import acting_for
from tests.connected import ORGANISATION, connect_invented, connect_xero
from tests.factories import make_client, make_invoice, make_member, make_office, make_setting
from tests.faults.checker import Checked, Watched, check
from tests.faults.nursery import Forked
from tests.faults.record import There, everything_in
from tests.packages.keeper.standin import KeeperStandIn
from tests.packages.plain.standin import PlainStandIn

ROOT = Path(__file__).resolve().parent.parent.parent
# Only ends a broken test; nothing is proven by it.
PATIENCE = 30.0
DOCUMENTS = ["invoice", "credit_note"]


# --- Stand-ins -----------------------------------------------------------------------------------


@pytest.fixture
def xero(settings: Any) -> Iterator[XeroStandIn]:
    """A rehearsal Xero that the product reaches."""
    with XeroStandIn() as standin, reached(settings, "xero", standin):
        yield standin


@pytest.fixture
def keeper(settings: Any, invented_packages: None) -> Iterator[KeeperStandIn]:
    """A Keeper that the product reaches."""
    with KeeperStandIn() as standin, reached(settings, "keeper", standin):
        yield standin


@pytest.fixture
def plain(settings: Any, invented_packages: None) -> Iterator[PlainStandIn]:
    """A Plain that the product reaches."""
    with PlainStandIn() as standin, reached(settings, "plain", standin):
        yield standin


@contextmanager
def reached(settings: Any, key: str, standin: StandIn) -> Iterator[None]:
    """The product reaches the stand-in, and waits for nothing to settle."""
    app = {
        **settings.PACKAGE_APPS[key],
        "client_id": standin.client_id,
        "client_secret": standin.client_secret,
        "endpoints": dict(standin.endpoints),
        "read_timeout": 2.0,
    }
    settings.PACKAGE_APPS = {**settings.PACKAGE_APPS, key: app}
    settings.UPLOAD_SETTLE_SECONDS = 0.0
    yield


# --- The firm ------------------------------------------------------------------------------------


@dataclass
class Firm:
    """A practice with one interface to one company file, one office and one client."""

    practice: Practice
    user: User
    standin: Any
    interface: AccountingInterface
    office: Office
    client: Client
    database: str
    # What was sent before the test began to look.
    earlier: list[Invoice] = field(default_factory=list)
    # Every invoice for which Upload to accounts was pressed.
    clicked: list[Invoice] = field(default_factory=list)
    # The package's ids of documents that somebody else made there.
    typed_in: list[str] = field(default_factory=list)
    workers: list[subprocess.Popen[str]] = field(default_factory=list)
    # What the environment of worker processes says besides, or otherwise.
    told: dict[str, str] = field(default_factory=dict)
    _may_wait: bool = False

    # --- What people do

    def invoice(self, **fields: Any) -> Invoice:
        """A committed invoice."""
        with acting_for(self.practice.pk):
            client = fields.pop("client", self.client)
            return make_invoice(self.office, client, **fields)

    def client_named(self, name: str) -> Client:
        """Another client of the practice."""
        with acting_for(self.practice.pk):
            return make_client(name)

    def upload(self, *invoices: Invoice) -> None:
        """Press Upload to accounts."""
        self.clicked += [one for one in invoices if one not in self.clicked]
        with acting_for(self.practice.pk):
            asked = enqueue(invoice_ids=[one.pk for one in invoices], actor=self.user)
        assert asked.queued == len(invoices), [one.reason for one in self.documents()]

    def type_in(self, number: str, total: str) -> str:
        """Somebody else makes an invoice in the package; its id there."""
        typed_in = self._typed_in(number, total)
        self.typed_in.append(typed_in)
        return typed_in

    def put(self, upload: Upload, state: str, **fields: Any) -> None:
        """Move an upload as a person or the time would have, with the history of it."""
        for name, value in fields.items():
            setattr(upload, name, value)
        with acting_for(self.practice.pk):
            states.move([upload], Upload.State(state), fields=list(fields))

    def _typed_in(self, number: str, total: str) -> str:
        if isinstance(self.standin, XeroStandIn):
            return str(self.books.add_invoice(number, "Somebody Else Ltd", total).id)
        return str(self.standin.type_in_invoice(self._file, number, total)["id"])

    # --- Workers

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

    def pass_time(self, time: timedelta) -> None:
        """Let so much time pass: whatever waits for a time comes so much nearer."""
        with acting_for(self.practice.pk):
            uploads = Upload.objects.filter(interface=self.interface)
            for name in ("due", "unknown_since", "waiting_since"):
                uploads.update(**{name: F(name) - time})
        rows = Lane.objects.filter(interface=self.interface)
        for name in ("due", "hold_until", "open_until"):
            rows.update(**{name: F(name) - time})

    def turn(self) -> None:
        """A turn in this process, now."""
        lane.drain(practice_id=self.practice.pk, interface_id=self.interface.pk)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach this stand-in, without waiting between tries."""
        key = self.interface.package_key.upper()
        return {
            "DJANGO_SETTINGS_MODULE": "abtrac_link.settings",
            "PYTHONPATH": str(ROOT),
            f"{key}_CLIENT_ID": self.standin.client_id,
            f"{key}_CLIENT_SECRET": self.standin.client_secret,
            f"{key}_READ_TIMEOUT": "2",
            "UPLOAD_SETTLE_SECONDS": "0",
            "UPLOAD_LOOKUP_SECONDS": "0,0,0,0,0,0",
            **{f"{key}_{name.upper()}_URL": url for name, url in self.standin.endpoints.items()},
            **self.told,
        }

    def worker(
        self, *, clock: timedelta | None = None, log: Any = subprocess.PIPE, **happens: str
    ) -> subprocess.Popen[str]:
        """A worker process that takes one turn.

        It is killed or stopped on the way, or finds the disk full: `kill_at`, `stop_at`, `full_at`.
        Its `clock` is so much ahead; its `log` goes where it is told.
        """
        environment = {name.upper(): place for name, place in happens.items()}
        if clock:
            environment["CLOCK_AHEAD"] = str(clock.total_seconds())
        words = ["tests.faults.worker", str(self.practice.pk), str(self.interface.pk)]
        return self.process(*words, log=log, **environment)

    def clicker(self, *invoices: Invoice, **environment: str) -> subprocess.Popen[str]:
        """A process in which the invoices are clicked, once a line is written to it."""
        self.clicked += [one for one in invoices if one not in self.clicked]
        ids = [self.practice.pk, self.interface.pk, self.user.pk, *(one.pk for one in invoices)]
        return self.process("tests.faults.clicker", *map(str, ids), **environment)

    def process(
        self,
        module: str,
        *arguments: str,
        log: Any = subprocess.PIPE,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """A process of that module of the tests, on the tests' database."""
        return self._start(
            [module, *arguments],
            {**os.environ, **self.environment, "TEST_DATABASE": self.database, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )

    def celery(self, **told: str) -> subprocess.Popen[str]:
        """A worker process as the server shape runs it, on the tests' database and Redis.

        It is not waited for by `make_due`: its leases end by themselves.
        """
        words = ["worker", "--pool", "threads", "--concurrency", "2"]
        return self._celery(*words, "--without-gossip", "--without-mingle", **told)

    def beat(self, schedule: Path, **told: str) -> subprocess.Popen[str]:
        """The scheduler, which keeps what it did in that file: a sweep every five seconds."""
        return self._celery("beat", "--schedule", str(schedule), **told)

    def _celery(self, *words: str, **told: str) -> subprocess.Popen[str]:
        address = urlsplit(os.environ["DATABASE_URL"])
        environment = {
            **os.environ,
            **self.environment,
            "DATABASE_URL": address._replace(path=f"/{self.database}").geturl(),
            "REDIS_URL": product.REDIS_URL,
            "UPLOAD_LEASE_SECONDS": "2",
            "UPLOAD_LEASE_MARGIN_SECONDS": "1",
            f"{self.interface.package_key.upper()}_READ_TIMEOUT": "20",
            **told,
        }
        app = ["celery", "-A", "tests.faults.celery_worker"]
        return self._start([*app, *words, "--loglevel", "ERROR"], environment)

    def _start(
        self, words: list[str], environment: dict[str, str], **pipes: Any
    ) -> subprocess.Popen[str]:
        started = Forked(words, env=environment, text=True, **pipes)
        self.workers.append(started)
        return started

    def kill_at(self, place: str) -> None:
        """A worker takes a turn and dies there."""
        self.make_due()
        worker = self.worker(kill_at=place)
        _, errors = worker.communicate(timeout=60)
        assert worker.returncode == -signal.SIGKILL, errors

    def end_workers(self) -> None:
        """Kill whatever still runs, stopped ones too."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
            worker.communicate()

    # --- Looking

    @property
    def _file(self) -> str:
        return self.interface.company_file_id

    @property
    def invented(self) -> bool:
        """Whether the package is one for tests only; those are written to by POST."""
        return not isinstance(self.standin, XeroStandIn)

    @property
    def call(self) -> tuple[str, str]:
        """The call that creates invoices there: its method and its path."""
        calls = {
            "xero": ("PUT", "/api.xro/2.0/Invoices"),
            "keeper": ("POST", "/v1/invoices"),
            "plain": ("POST", "/v1/invoice"),
        }
        return calls[self.interface.package_key]

    def script(self, fault: Any, **rest: Any) -> None:
        """Give the next call that creates invoices the fault."""
        method, path = self.call
        self.standin.script(method, re.escape(path), fault=fault, **rest)

    def created_by(self) -> int:
        """How many calls have created invoices, but for those sent earlier."""
        earlier = {one.number for one in self.earlier}
        if self.invented:
            made = [one for one in self.standin.created if one.kind == "invoice"]
            return len({one.request for one in made if one.number not in earlier})
        method, path = self.call
        return sum(one.took_effect for one in self.standin.seen(method, re.escape(path)))

    def interface_state(self) -> str:
        """The state of the interface now."""
        with acting_for(self.practice.pk):
            return str(AccountingInterface.objects.get(pk=self.interface.pk).state)

    @property
    def xero(self) -> XeroStandIn:
        """The stand-in, where it is Xero's."""
        assert isinstance(self.standin, XeroStandIn)
        return self.standin

    @property
    def books(self) -> Any:
        """The organisation in Xero."""
        return self.xero.organisation(ORGANISATION)

    def documents(self) -> list[Upload]:
        """The uploads of invoices and credit notes."""
        with acting_for(self.practice.pk):
            return list(
                Upload.objects.filter(kind__in=DOCUMENTS, interface=self.interface)
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

    def there(self) -> list[There]:
        """All documents in the company file."""
        with self.standin.lock:
            held = everything_in(self.interface.package_key, self.standin.state())
        return [one for one in held if one.company_file == self._file and one.kind in DOCUMENTS]

    def numbers_there(self) -> list[str]:
        """The numbers of all documents there, with repeats."""
        return sorted(one.number for one in self.there())

    def check(self, *invoices: Invoice) -> None:
        """Nothing missing, nothing twice: each is there once, and its upload says so."""
        everything = [*self.earlier, *invoices]
        assert self.numbers_there() == sorted(one.number for one in everything)
        there = {one.remote_id: one for one in self.there()}
        for invoice in invoices:
            upload = self.of(invoice)
            assert upload.state == "sent", upload.reason
            document = there[upload.remote_id]
            assert (document.number, document.total) == (invoice.number, abs(invoice.total))

    # --- The checker

    def leave_waiting(self) -> None:
        """The test means to end while something is still on its way."""
        self._may_wait = True

    def watched(self) -> Watched:
        """What the checker compares."""
        with self.standin.lock:
            state = self.standin.state()
        return Watched(
            practice_id=self.practice.pk,
            interface_id=self.interface.pk,
            package_key=self.interface.package_key,
            company_file=self._file,
            state=state,
            clicked=[one.pk for one in self.clicked],
            typed_in=self.typed_in,
        )

    def checked(self) -> Checked:
        """What the checker finds now."""
        return check([self.watched()], at_rest=not self._may_wait)


OpenFirm = Callable[..., Firm]


@pytest.fixture
def open_firm(practice: Practice) -> Iterator[OpenFirm]:
    """Makes firms; at the end their workers are ended and the checker must find nothing."""
    lane.stopping.clear()
    firms: list[Firm] = []

    def opened(standin: Any, *, practice: Practice = practice, **fields: Any) -> Firm:
        user = fields.pop("user", None) or make_member(practice)
        firms.append(connect(practice, standin, user, **fields))
        return firms[-1]

    yield opened
    for firm in firms:
        firm.end_workers()
    findings = check([one.watched() for one in firms if one._may_wait]).findings
    findings += check([one.watched() for one in firms if not one._may_wait], at_rest=True).findings
    assert findings == []


@pytest.fixture
def firm(xero: XeroStandIn, open_firm: OpenFirm) -> Firm:
    """The practice, connected to Xero."""
    return open_firm(xero)


@pytest.fixture
def keeper_firm(keeper: KeeperStandIn, open_firm: OpenFirm) -> Firm:
    """The practice, connected to Keeper."""
    return open_firm(keeper)


@pytest.fixture
def plain_firm(plain: PlainStandIn, open_firm: OpenFirm) -> Firm:
    """The practice, connected to Plain."""
    return open_firm(plain)


@pytest.fixture(params=["firm", "keeper_firm", "plain_firm"], ids=["xero", "keeper", "plain"])
def any_firm(request: pytest.FixtureRequest) -> Firm:
    """The practice, connected to each package in turn."""
    made: Firm = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def known(any_firm: Firm) -> Firm:
    """The firm at each package, its client known there: what follows is the invoice's."""
    first = any_firm.invoice()
    any_firm.upload(first)
    any_firm.work(turns=2)
    any_firm.check(first)
    any_firm.earlier.append(first)
    any_firm.standin.clear()
    return any_firm


def connect(practice: Practice, standin: Any, user: User, name: str = "") -> Firm:
    """An interface with codes as the package lists them, and an office that uses it."""
    if isinstance(standin, XeroStandIn):
        interface = connect_xero(practice, standin, user, name=name or "Xero")
    else:
        key = "keeper" if isinstance(standin, KeeperStandIn) else "plain"
        file = f"company-{practice.pk}-{name}"
        interface = connect_invented(practice, key, user, company_file=file, name=name)
    with acting_for(practice.pk):
        return Firm(
            practice=practice,
            user=user,
            standin=standin,
            interface=interface,
            office=make_office(make_setting(interface)),
            client=make_client("Harbour View Trust"),
            database=str(
                connection.settings_dict["NAME"]
                if connection.vendor == "postgresql"
                else Path(str(connection.settings_dict["NAME"])).resolve()
            ),
        )


# --- Waiting -------------------------------------------------------------------------------------


def at_it(standin: StandIn) -> bool:
    """Whether a write has reached the package and is not answered yet."""
    return any(one.method != "GET" and one.status is None for one in standin.requests)


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until it has happened, which is certain; the bound only ends a broken test."""
    ends = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < ends, "It never happened."
        time.sleep(0.02)
