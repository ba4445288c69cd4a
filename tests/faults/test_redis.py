"""Row 19: Redis is down at the click, emptied, killed and started, or cuts its connections.

Each test has a Redis of its own, a worker and a scheduler as processes, and what restarts those
that end, as the server's own supervisor does.
"""

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery

from connectors.base.standin import Hold
from invoicing.models import Invoice
from tests.faults.conftest import Firm, at_it
from tests.faults.servers import OwnRedis, until

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnRedis]:
    """A Redis to which the clicks of this process ring as well."""
    made = OwnRedis(tmp_path)
    made.start()
    app = Celery("clicks", set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.update(broker_url=made.url)
    monkeypatch.setattr("interfaces.lanes.current_app", app)
    yield made
    app.close()
    made.stop()


class Site:
    """The worker and the scheduler of a firm, each started again when it ends."""

    def __init__(self, firm: Firm, own: OwnRedis, folder: Path) -> None:
        self.firm = firm
        key = firm.interface.package_key.upper()
        told = {"REDIS_URL": own.url, f"{key}_READ_TIMEOUT": "5"}
        self._run: list[Callable[[], subprocess.Popen[str]]] = [
            lambda: firm.celery(**told),
            lambda: firm.beat(folder / "schedule", **told),
        ]
        self._running = [start() for start in self._run]

    def until_sent(self, *invoices: Invoice) -> None:
        """Wait for it, without a person."""
        until(lambda: self._states(*invoices) == {"sent"}, "It never was sent.")
        self.firm.check(*invoices)

    def _states(self, *invoices: Invoice) -> set[str]:
        for place, process in enumerate(self._running):
            if process.poll() is not None:
                self._running[place] = self._run[place]()
        return {self.firm.of(one).state for one in invoices}


def in_hand(
    firm: Firm, own: OwnRedis, folder: Path, *, after_effect: bool
) -> tuple[Site, Invoice, threading.Event]:
    """An invoice that a worker is sending just now, and what lets the package answer."""
    first = firm.invoice()
    firm.upload(first)
    firm.work(turns=2)
    firm.earlier.append(first)
    firm.standin.clear()
    invoice, go_on = firm.invoice(), threading.Event()
    writes = "POST" if firm.invented else "PUT"
    firm.standin.script(writes, fault=Hold(go_on, after_effect=after_effect))
    firm.upload(invoice)
    site = Site(firm, own, folder)
    until(lambda: at_it(firm.standin), "No worker took it up.")
    return site, invoice, go_on


def test_down_at_the_click_the_click_is_answered_and_the_sweep_sends(
    any_firm: Firm, own: OwnRedis, tmp_path: Path
) -> None:
    own.stop()
    invoice = any_firm.invoice()
    any_firm.upload(invoice)
    assert any_firm.of(invoice).state == "queued"
    own.start()
    Site(any_firm, own, tmp_path).until_sent(invoice)


def test_emptied_after_the_click_the_sweep_sends(
    any_firm: Firm, own: OwnRedis, tmp_path: Path
) -> None:
    invoice = any_firm.invoice()
    any_firm.upload(invoice)
    with own.client() as control:
        assert control.llen("celery") == 1
        control.flushall()
        assert control.dbsize() == 0
    Site(any_firm, own, tmp_path).until_sent(invoice)


@pytest.mark.parametrize("after_effect", [True, False])
def test_killed_and_started_while_a_call_is_in_hand_nothing_is_lost_or_doubled(
    any_firm: Firm, own: OwnRedis, tmp_path: Path, after_effect: bool
) -> None:
    site, invoice, go_on = in_hand(any_firm, own, tmp_path, after_effect=after_effect)
    own.stop()
    go_on.set()
    until(lambda: invoice.number in any_firm.numbers_there(), "It never arrived.")
    own.start()
    later = any_firm.invoice()
    any_firm.upload(later)
    site.until_sent(invoice, later)


def test_with_its_connections_cut_while_a_call_is_in_hand_the_worker_goes_on(
    any_firm: Firm, own: OwnRedis, tmp_path: Path
) -> None:
    site, invoice, go_on = in_hand(any_firm, own, tmp_path, after_effect=True)
    assert own.cut_everybody() > 0
    go_on.set()
    later = any_firm.invoice()
    any_firm.upload(later)
    site.until_sent(invoice, later)


def test_emptied_while_a_call_is_in_hand_nothing_is_lost_or_doubled(
    any_firm: Firm, own: OwnRedis, tmp_path: Path
) -> None:
    site, invoice, go_on = in_hand(any_firm, own, tmp_path, after_effect=False)
    with own.client() as control:
        control.flushall()
    go_on.set()
    later = any_firm.invoice()
    any_firm.upload(later)
    site.until_sent(invoice, later)
