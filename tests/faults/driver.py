"""The random driver: a minute of clicks, kills, pauses, cuts, delays and repeats; then the count.

`python -m tests.faults.driver --seed 7 --seconds 60` drives four worker processes of the product
against three stand-in packages behind a line that can be cut: on SQLite, or, where DATABASE_URL and
REDIS_URL are set, by Celery on PostgreSQL and Redis. When the time is over all faults end, whatever
failed is retried as a person would, and the checker compares the clicks, our rows and what
the stand-ins hold. The last line says what it came to; the exit code is 1 unless nothing was lost,
nothing doubled and nothing left untold.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.packages import make_known

ROOT = Path(__file__).resolve().parent.parent.parent
WORKERS = 4
# How long a package answers nothing before we give up, how long at most it works at what it was
# sent, how long a look-up does not see what it has made, how long we hold that a look-up proves
# nothing, and how long a dead worker keeps its lane; all in seconds. A package that needs longer
# than it says is not what is tried here: READ_TIMEOUT + SETTLE > LONGEST_WORK + LONGEST_UNSEEN.
READ_TIMEOUT = 1.0
LONGEST_WORK = 2.0
LONGEST_UNSEEN = 3.0
SETTLE = 5.0
LEASE = 3
PACE = {
    "UPLOAD_LEASE_SECONDS": str(LEASE),
    "UPLOAD_LEASE_MARGIN_SECONDS": "1",
    "UPLOAD_TURN_SECONDS": "3",
    "UPLOAD_SETTLE_SECONDS": str(SETTLE),
    "UPLOAD_LOOKUP_SECONDS": "0.3,0.5,1,1,2,2,3,3",
    "UPLOAD_RETRY_SECONDS": "0.2,0.4,0.8,1",
    "BREAKER_OPEN_SECONDS": "1",
    "LOG_LEVEL": "CRITICAL",
    **{f"{key}_READ_TIMEOUT": str(READ_TIMEOUT) for key in ("XERO", "KEEPER", "PLAIN")},
}
# For how long somebody is stopped, from and to: for a while, or on the way to the socket until
# whoever came after has looked and has sent anew.
STOPPED = (0.2, 2.0 * LEASE)
STOPPED_LONG = (LEASE + SETTLE + LONGEST_WORK, LEASE + SETTLE + 3 * LONGEST_WORK)
# At each place on an upload's way; the last before the socket is where stopping does most harm.
DEATHS, STOPS, STOPS_BEFORE_SOCKET = 0.008, 0.003, 0.08
LONG_STOPS = 0.8
# How long everything may take to come to rest once the faults are over; only ends a broken run.
PATIENCE = 240.0
# The share of the documents that each interface gets.
SHARES = (("xero", 0.15), ("keeper", 0.2), ("keeper", 0.15), ("plain", 0.2), ("plain", 0.3))


@dataclass
class Told:
    """What was done to them."""

    kills: int = 0
    pauses: int = 0
    drops: int = 0
    repeats: int = 0
    resolved: int = 0


def asked() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=None, help="the same faults again")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--items", type=int, default=500)
    return parser.parse_args()


def main() -> int:
    """Drive, count, tell."""
    wanted = asked()
    seed = random.SystemRandom().randrange(10**6) if wanted.seed is None else wanted.seed
    print(f"faults: seed {seed}, {wanted.seconds:g} seconds, {wanted.items} items", flush=True)
    os.environ.update(PACE, DJANGO_SETTINGS_MODULE="abtrac_link.settings")
    make_known()
    with ExitStack() as everything:
        everything.enter_context(_database())
        return _drive(seed, seconds=wanted.seconds, items=wanted.items, stack=everything)


@contextmanager
def _database() -> Iterator[None]:
    """A database, and on a server a Redis, of this run's own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VAR_DIR"] = folder
        import django
        from django.conf import settings
        from django.db import connection

        django.setup()
        if not settings.EMBEDDED:
            import redis

            redis.Redis.from_url(settings.REDIS_URL).flushdb()
        from tests.made_once import copy_test_database

        copy_test_database()
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        from tests.faults.crew import hurry

        hurry()
        try:
            yield
        finally:
            connection.creation.destroy_test_db("", verbosity=0)


def _drive(seed: int, *, seconds: float, items: int, stack: ExitStack) -> int:
    from connectors.xero.standin import CallLimits, XeroStandIn
    from tests.faults.wire import Wire
    from tests.packages.keeper.standin import KeeperStandIn
    from tests.packages.plain.standin import PlainStandIn

    plenty = 10**9
    standins: dict[str, Any] = {
        "xero": XeroStandIn(limits=CallLimits(minute=plenty, day=plenty, app_minute=plenty)),
        "keeper": KeeperStandIn(),
        "plain": PlainStandIn(),
    }
    wires = {}
    for key, standin in standins.items():
        stack.enter_context(standin)
        wires[key] = stack.enter_context(Wire(standin.url))
    standins["plain"].calls_a_second = plenty
    world = _World(seed=seed, standins=standins, wires=wires)
    world.settle_in(items)
    stack.callback(world.end)
    world.storm(seconds)
    rested = world.calm_down()
    return world.count(rested=rested)


@dataclass
class _Worker:
    number: int
    process: subprocess.Popen[bytes]
    goes_on_at: float = 0.0
    # Anywhere, in the middle of a transaction as it may be, which holds up everybody on SQLite.
    stopped_by_us: bool = False


@dataclass
class _World:
    """The firms, the packages, the workers, and what fate does to them."""

    seed: int
    standins: dict[str, Any]
    wires: dict[str, Any]
    firms: list[Any] = field(default_factory=list)
    clicks: list[tuple[float, Any, list[Any]]] = field(default_factory=list)
    workers: list[_Worker] = field(default_factory=list)
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    lives: Counter[int] = field(default_factory=Counter)
    stormy: bool = True
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.die = random.Random(self.seed)  # noqa: S311 - no secret

    # --- Before

    def settle_in(self, items: int) -> None:
        """Firms, connected while all is well, and their invoices."""
        from django.conf import settings

        from offices.tenancy import acting_for
        from tests.factories import make_client, make_member, make_practice
        from tests.faults.conftest import connect

        for key, standin in self.standins.items():
            settings.PACKAGE_APPS[key] |= {
                "client_id": standin.client_id,
                "client_secret": standin.client_secret,
                "endpoints": dict(standin.endpoints),
            }
        for number, (key, share) in enumerate(SHARES):
            practice = make_practice(f"Firm {number}")
            firm = connect(practice, self.standins[key], make_member(practice))
            self.firms.append(firm)
            with acting_for(practice.pk):
                clients = [firm.client, *(make_client() for _ in range(5))]
            documents = [
                firm.invoice(client=self.die.choice(clients), nets=self._nets())
                for _ in range(round(items * share))
            ]
            while documents:
                many = self.die.randint(1, 25)
                chosen, documents = documents[:many], documents[many:]
                self.clicks.append((self.die.random(), firm, chosen))
        self.clicks.sort(key=lambda one: one[0])
        # From here on everybody goes through the line.
        for key in self.standins:
            apps = settings.PACKAGE_APPS[key]
            apps["endpoints"] = dict.fromkeys(apps["endpoints"], self.wires[key].url)

    def _nets(self) -> list[str]:
        sign = "-" if self.die.random() < 0.05 else ""
        return [f"{sign}{self.die.randint(1, 500_000) / 100:.2f}" for _ in range(2)]

    # --- The storm

    def storm(self, seconds: float) -> None:
        """Clicks in the first two thirds of the time, faults in all of it."""
        self._start_beside()
        for number in range(WORKERS):
            self.workers.append(_Worker(number, self._start(number)))
        began = time.monotonic()
        moments = sorted(self.die.uniform(0, seconds) for _ in range(round(seconds * 2)))
        clicks = [(at * seconds * 2 / 3, firm, chosen) for at, firm, chosen in self.clicks]
        while (now := time.monotonic() - began) < seconds:
            while clicks and clicks[0][0] <= now:
                _, firm, chosen = clicks.pop(0)
                self._click(firm, chosen)
            while moments and moments[0] <= now:
                moments.pop(0)
                self._misfortune()
            self._tend()
            time.sleep(0.02)
        for _, firm, chosen in clicks:
            self._click(firm, chosen)

    def _click(self, firm: Any, chosen: list[Any]) -> None:
        """Press Upload to accounts; sometimes twice, in two tabs at the same moment."""
        firm.clicked += chosen
        hands = 2 if self.die.random() < 0.3 else 1
        self.told.repeats += hands - 1
        for _ in range(hands):
            self._beside(lambda: self._press(firm, chosen))

    def _press(self, firm: Any, chosen: list[Any]) -> None:
        from interfaces import lanes
        from invoicing.uploads import enqueue
        from offices.tenancy import acting_for

        with acting_for(firm.practice.pk):
            enqueue(invoice_ids=[one.pk for one in chosen], actor=firm.user)
        for _ in range(3):
            lanes.ring(firm.practice.pk, firm.interface.pk)

    def _beside(self, work: Callable[[], None]) -> None:
        from django.db import connections

        def run() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - told at the end
                self.broken.append(f"A person saw an error: {type(error).__name__}: {error}")
            finally:
                connections.close_all()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.threads.append(thread)

    def _misfortune(self) -> None:
        kind = self.die.choices(
            ["kill", "stop", "package", "line"], weights=[0.06, 0.04, 0.5, 0.4]
        )[0]
        if kind == "kill":
            self.die.choice(self.workers).process.kill()
        elif kind == "stop":
            self._stop(self.die.choice(self.workers))
        elif kind == "package":
            self._at_the_package()
        else:
            self._on_the_line()

    def _whose(self) -> str:
        """The package without keys oftener: nothing but ourselves keeps it from having two."""
        return str(self.die.choices(list(self.standins), weights=(1, 1, 2))[0])

    def _at_the_package(self) -> None:
        from connectors.base.standin import Answer, Delay, Drop, Truncate

        key = self._whose()
        standin = self.standins[key]
        effect = self.die.random() < 0.5
        fault = self.die.choice(
            [
                Drop(after_effect=effect),
                Answer(self.die.choice([500, 502, 504]), "<h1>Oops</h1>", {}, effect),
                Answer(429, "", {"Retry-After": "1"}, False),
                Delay(self.die.uniform(0.1, LONGEST_WORK), after_effect=effect),
                Delay(self.die.uniform(READ_TIMEOUT, LONGEST_WORK), after_effect=False),
                Truncate(),
            ]
        )
        writes = self.die.random() < 0.7
        method = None if not writes else "PUT" if key == "xero" else "POST"
        standin.script(method=method, times=1, fault=fault)
        self.told.drops += 1
        if key == "plain":
            standin.visible_after = self.die.choice([0, LONGEST_UNSEEN])
            standin.lookup_seconds = self.die.uniform(0, 0.3)

    def _on_the_line(self) -> None:
        from tests.faults.wire import Cut, Swallow

        key = self._whose()
        begins = self.die.choice(["", "PUT" if key == "xero" else "POST"])
        answers = self.die.random() < 0.5
        body = self.die.choice([None, 0, 40])
        fault = self.die.choice(
            [
                Cut(of_answer=answers, body=body),
                Cut(of_answer=True, body=0),
                Swallow(of_answer=answers),
            ]
        )
        self.wires[key].script(begins, fault)
        self.told.drops += 1

    # --- Workers

    def _environment(self, number: int) -> dict[str, str]:
        from django.conf import settings
        from django.db import connection

        name = str(connection.settings_dict["NAME"])
        told = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TEST_DATABASE": name,
            "FATE": f"{self.seed} {number} {self.lives[number]}",
            "DEATHS": str(DEATHS if self.stormy else 0),
            "STOPS": str(STOPS if self.stormy else 0),
            "STOPS_BEFORE_SOCKET": str(STOPS_BEFORE_SOCKET if self.stormy else 0),
        }
        for key, standin in self.standins.items():
            word = key.upper()
            told[f"{word}_CLIENT_ID"] = standin.client_id
            told[f"{word}_CLIENT_SECRET"] = standin.client_secret
            for endpoint in standin.endpoints:
                told[f"{word}_{endpoint.upper()}_URL"] = self.wires[key].url
        if not settings.EMBEDDED:
            address = urlsplit(os.environ["DATABASE_URL"])
            told["DATABASE_URL"] = address._replace(path=f"/{name}").geturl()
        return told

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        from django.conf import settings

        self.lives[number] += 1
        if settings.EMBEDDED:
            words = ["-m", "tests.faults.crew"]
        else:
            words = ["-m", "celery", "-A", "tests.faults.crew_celery", "worker"]
            words += ["--pool", "threads"]
            words += ["--concurrency", "2", "--without-gossip", "--without-mingle"]
            words += ["--loglevel", "CRITICAL", "-n", f"worker{number}-{self.lives[number]}"]
        return self._run(words, number)

    def _run(self, words: list[str], number: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=self._environment(number),
            stdout=subprocess.DEVNULL,
            stderr=None if "SHOW_WORKERS" in os.environ else subprocess.DEVNULL,
        )

    def _start_beside(self) -> None:
        """The scheduler of the server shape; in the other one each worker sweeps itself."""
        from django.conf import settings

        if settings.EMBEDDED:
            return
        schedule = Path(os.environ["VAR_DIR"]) / "schedule"
        words = ["-m", "celery", "-A", "tests.faults.crew_celery", "beat", "--loglevel", "CRITICAL"]
        self.others.append(self._run([*words, "--schedule", str(schedule)], WORKERS))

    def _stop(self, worker: _Worker) -> None:
        if worker.process.poll() is None:
            worker.stopped_by_us = True
            worker.process.send_signal(signal.SIGSTOP)

    def _tend(self) -> None:
        """Start anew whoever died, and let whoever stopped go on after a while."""
        now = time.monotonic()
        for worker in self.workers:
            if worker.process.poll() is not None:
                self.told.kills += 1
                worker.process = self._start(worker.number)
                worker.goes_on_at, worker.stopped_by_us = 0.0, False
            elif _is_stopped(worker.process.pid):
                if not worker.goes_on_at:
                    self.told.pauses += 1
                    long = not worker.stopped_by_us and self.die.random() < LONG_STOPS
                    seconds = STOPPED_LONG if long else STOPPED
                    worker.goes_on_at = now + self.die.uniform(*seconds)
                elif now >= worker.goes_on_at:
                    worker.goes_on_at, worker.stopped_by_us = 0.0, False
                    worker.process.send_signal(signal.SIGCONT)

    # --- After

    def calm_down(self) -> bool:
        """End the faults; retry what failed. Whether everything was sent."""
        self.stormy = False
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.process.terminate()
        for worker in self.workers:
            try:
                worker.process.wait(20)
            except subprocess.TimeoutExpired:
                worker.process.kill()
        for standin in self.standins.values():
            self.told.drops -= standin.still_to_come
            standin.clear()
        for wire in self.wires.values():
            self.told.drops -= wire.still_to_come
            wire.clear()
        self.standins["plain"].visible_after = self.standins["plain"].lookup_seconds = 0.0
        for worker in self.workers:
            worker.process = self._start(worker.number)
        for thread in self.threads:
            thread.join(30)
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            moving, failed = self._standing()
            if not moving and not failed:
                return True
            if not moving:
                self._retry()
            time.sleep(0.2)
        return False

    def _standing(self) -> tuple[int, int]:
        """How many uploads are on their way, and how many failed."""
        from invoicing.models import Upload
        from invoicing.uploads.states import FAILED, MOVING
        from offices.tenancy import acting_for

        moving = failed = 0
        for firm in self.firms:
            with acting_for(firm.practice.pk):
                moving += Upload.objects.filter(state__in=MOVING).count()
                failed += Upload.objects.filter(state__in=FAILED).count()
        return moving, failed

    def _retry(self) -> None:
        """What a person does: try again what failed; what may be there is looked for first."""
        from invoicing.models import Upload
        from invoicing.uploads import retry
        from invoicing.uploads.states import FAILED
        from offices.tenancy import acting_for

        for firm in self.firms:
            with acting_for(firm.practice.pk):
                stuck = Upload.objects.filter(state__in=FAILED)
                ids = list(stuck.values_list("pk", flat=True))
                if ids:
                    retry(upload_ids=ids, actor=firm.user)

    def count(self, *, rested: bool) -> int:
        """The last line, what is wrong before it, and the exit code."""
        from invoicing.models import UploadEvent
        from offices.tenancy import acting_for
        from tests.faults.checker import check

        checked = check([firm.watched() for firm in self.firms], at_rest=rested)
        for firm in self.firms:
            with acting_for(firm.practice.pk):
                left = UploadEvent.objects.filter(before="unknown").exclude(after="unknown")
                self.told.resolved += left.count()
        findings = [*checked.findings, *self.broken]
        if not rested:
            findings.append(f"Not everything was sent within {PATIENCE:g} seconds.")
        findings += [
            f"The stand-in itself failed: {crash!r}"
            for standin in self.standins.values()
            for crash in standin.crashes
        ]
        for finding in findings[:50]:
            print(f"faults: {finding}")
        from django.conf import settings

        shape = "SQLite" if settings.EMBEDDED else "PostgreSQL, Redis, Celery"
        told, tally = self.told, checked.tally
        print(
            f"faults: seed {self.seed}, {shape}: {tally.clicked} items, {tally.sent} sent,"
            f" {told.kills} kills, {told.pauses} pauses, {told.drops} drops,"
            f" {told.repeats} double clicks, {told.resolved} unknowns resolved,"
            f" lost {tally.lost}, doubled {tally.doubled}, findings {len(findings)}",
            flush=True,
        )
        return 1 if findings or tally.lost or tally.doubled else 0

    def end(self) -> None:
        """End every process."""
        for process in [*(worker.process for worker in self.workers), *self.others]:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()


def _is_stopped(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] == "T"


if __name__ == "__main__":
    sys.exit(main())
