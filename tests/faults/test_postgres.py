"""Row 21: PostgreSQL goes down while a worker claims and finishes; deadlocks and lost races.

The server is one of these tests' own, and so are the databases in it.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from django.db import connection

from connectors.base.standin import Hold
from invoicing import tasks
from invoicing.uploads import killpoints
from tests import made_once
from tests.factories import make_member, make_practice
from tests.faults.checker import check
from tests.faults.conftest import PATIENCE, ROOT, Firm, at_it, connect
from tests.faults.servers import OwnPostgres, until
from tests.faults.test_kills import stopped

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

MIGRATED = "migrated"
AT_WORK = [killpoints.AFTER_CLAIM, killpoints.BEFORE_SOCKET, killpoints.AFTER_ANSWER]
_numbers = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    """A server with a database that has all tables, from which each test gets a copy."""
    made, shared = OwnPostgres(), made_once.folder()
    if shared is None:
        make_with_tables(made)
    else:
        kept = shared / f"{made_once.name()}.postgres"
        with made_once.one_at_a_time(shared / "postgres.lock"):
            if not kept.exists():
                first = OwnPostgres()
                make_with_tables(first)
                first.leave_copy(kept)
                first.remove()
        made.begin_with(kept)
    yield made
    made.remove()


def make_with_tables(server: OwnPostgres) -> None:
    """Make it, and in it the database that has all tables."""
    server.make()
    server.start()
    with server.statements() as run:
        run("CREATE ROLE link LOGIN CREATEDB CREATEROLE")
        run(f"CREATE DATABASE {MIGRATED} OWNER link")
    environment = {**os.environ, "DATABASE_URL": server.url(MIGRATED)}
    words = [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"]
    subprocess.run(words, check=True, env=environment, cwd=ROOT)


@pytest.fixture
def database(server: OwnPostgres) -> Iterator[str]:
    """A database of this test's own, on which this process works as well."""
    server.start()
    name = f"test{next(_numbers)}"
    with server.statements() as run:
        run(f"CREATE DATABASE {name} TEMPLATE {MIGRATED} OWNER link")
    connection.close()
    settings = connection.settings_dict
    before = dict(settings)
    settings.update(HOST="127.0.0.1", PORT=server.port, USER="link", PASSWORD="", NAME=name)
    yield name
    connection.close()
    settings.update(before)


@pytest.fixture
def open_known(database: str, server: OwnPostgres) -> Iterator[Callable[[Any], Firm]]:
    """Makes the firm, its client known in the package; at the end the checker finds nothing."""
    firms: list[Firm] = []

    def opened(standin: Any) -> Firm:
        practice = make_practice()
        firm = connect(practice, standin, make_member(practice))
        firms.append(firm)
        firm.told["DATABASE_URL"] = server.url(database)
        first = firm.invoice()
        firm.upload(first)
        firm.work(turns=2)
        firm.earlier.append(first)
        standin.clear()
        return firm

    yield opened
    for firm in firms:
        firm.end_workers()
    assert check([one.watched() for one in firms], at_rest=True).findings == []


@pytest.fixture(params=["xero", "keeper", "plain"])
def known(request: pytest.FixtureRequest) -> Firm:
    """Such a firm at each package in turn, which outlives the look at what is left."""
    standin = request.getfixturevalue(request.param)
    firm: Firm = request.getfixturevalue("open_known")(standin)
    return firm


@pytest.fixture
def plain_known(plain: Any, open_known: Callable[[Any], Firm]) -> Firm:
    """Such a firm at Plain, where nothing but our own care prevents a double."""
    return open_known(plain)


def stopped_at(firm: Firm, place: str) -> subprocess.Popen[str]:
    """A worker that has stopped there."""
    firm.make_due()
    worker = firm.worker(stop_at=place)
    until(lambda: stopped(worker.pid), "It never came there.")
    return worker


def go_on(worker: subprocess.Popen[str]) -> str:
    """Let it go on to its end; what it logged."""
    worker.send_signal(signal.SIGCONT)
    _, errors = worker.communicate(timeout=PATIENCE)
    return str(errors)


@pytest.mark.parametrize("place", AT_WORK)
def test_down_and_up_while_a_worker_is_there_one_document_is_left(
    known: Firm, server: OwnPostgres, place: str
) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    worker = stopped_at(known, place)
    server.restart()
    connection.close()
    errors = go_on(worker)
    assert worker.returncode == 1, errors
    assert "OperationalError" in errors or "InterfaceError" in errors, errors
    known.work(turns=3)
    known.check(invoice)


def test_down_and_up_while_a_call_is_in_hand_the_same_worker_goes_on(
    known: Firm, server: OwnPostgres, database: str
) -> None:
    invoice, answer = known.invoice(), threading.Event()
    writes = "POST" if known.invented else "PUT"
    known.standin.script(writes, fault=Hold(answer, after_effect=True))
    key = known.interface.package_key.upper()
    worker = known.celery(DATABASE_URL=server.url(database), **{f"{key}_READ_TIMEOUT": "5"})
    known.upload(invoice)
    until(lambda: at_it(known.standin), "No worker took it up.")
    server.restart()
    connection.close()
    answer.set()
    later = known.invoice()
    known.upload(later)

    def sent() -> bool:
        tasks.sweep()
        return {known.of(one).state for one in (invoice, later)} == {"sent"}

    until(sent, "It never was sent.")
    assert worker.poll() is None
    known.check(invoice, later)


@contextmanager
def holding(server: OwnPostgres, database: str, statement: str, *values: Any) -> Iterator[Any]:
    """Somebody whose transaction has run that statement, and is not over."""
    session = server.as_superuser(database)
    try:
        with session.cursor() as cursor:
            # Of a deadlock this one is never told, so it is the worker that is.
            cursor.execute("SET deadlock_timeout = '1h'")
            cursor.execute("SET statement_timeout = '60s'")
            cursor.execute("BEGIN")
            cursor.execute(statement, values)
            assert cursor.rowcount > 0
            yield cursor
            cursor.execute("ROLLBACK")
    finally:
        session.close()


def waits_for_a_lock(server: OwnPostgres, database: str) -> bool:
    """Whether somebody in that database waits for somebody else."""
    with server.statements() as run:
        waiting = run(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
            database,
        )
    return bool(waiting)


def test_a_deadlock_that_the_worker_loses_leaves_one_document(
    plain_known: Firm, server: OwnPostgres, database: str
) -> None:
    """It holds its lane and wants its upload; somebody holds the upload and wants the lane."""
    invoice = plain_known.invoice()
    plain_known.upload(invoice)
    worker = stopped_at(plain_known, killpoints.AFTER_ANSWER)
    upload = "SELECT 1 FROM invoicing_upload WHERE invoice_id = %s FOR UPDATE"
    with holding(server, database, upload, invoice.pk) as other:
        worker.send_signal(signal.SIGCONT)
        until(lambda: waits_for_a_lock(server, database), "It did not wait.")
        other.execute("SELECT 1 FROM interfaces_lane FOR UPDATE")
    errors = go_on(worker)
    assert "deadlock detected" in errors, errors
    assert plain_known.of(invoice).state == "sending"
    plain_known.work(turns=3)
    plain_known.check(invoice)


@pytest.mark.parametrize("place", [killpoints.AFTER_CLAIM, killpoints.AFTER_ANSWER])
def test_a_transaction_that_cannot_be_put_in_order_leaves_one_document(
    plain_known: Firm, server: OwnPostgres, database: str, place: str
) -> None:
    """Under a stricter isolation than ours, so that the server refuses what came second."""
    plain_known.told["PGOPTIONS"] = r"-c default_transaction_isolation=repeatable\ read"
    invoice = plain_known.invoice()
    plain_known.upload(invoice)
    worker = stopped_at(plain_known, place)
    with holding(server, database, "UPDATE interfaces_lane SET due = due") as other:
        worker.send_signal(signal.SIGCONT)
        until(lambda: waits_for_a_lock(server, database), "It did not wait.")
        other.execute("COMMIT")
        other.execute("BEGIN")
    errors = go_on(worker)
    assert "could not serialize access" in errors, errors
    plain_known.work(turns=3)
    plain_known.check(invoice)
