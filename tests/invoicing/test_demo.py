"""`make demo`: the main job from end to end, in a process of its own."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings as product

from connectors.base.documents import TaxBasis
from invoicing import totals
from invoicing.demo.practice import pdf_of, tell
from tests.commands import ROOT, free_port, fresh_environment, manage

pytestmark = pytest.mark.skipif(
    not product.EMBEDDED, reason="It is of the embedded shape, which is tried on SQLite."
)

PATIENCE = 120.0


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """As on a fresh machine."""
    return fresh_environment(tmp_path / "var")


def words(*more: str) -> list[str]:
    return ["demo", "--port", "0", "--standin-port", "0", *more]


def play(environment: dict[str, str], *more: str) -> "subprocess.CompletedProcess[str]":
    return manage(environment, *words(*more), patience=PATIENCE)


def test_forty_of_forty_three_arrive_and_three_say_why_twice_over(
    environment: dict[str, str],
) -> None:
    for _ in range(2):  # the second run starts clean
        played = play(environment, "--once")
        assert played.returncode == 0, played.stdout + played.stderr
        told = played.stdout
        assert "Of 43 committed invoices 40 sent, 3 failed." in told
        assert len(re.findall(r"^\S+ .* Sent$", told, re.MULTILINE)) == 40
        assert len(re.findall(r"^  Next step: \S", told, re.MULTILINE)) == 3
        for reason in ("is archived", "locked", "already has invoice"):
            assert reason in told
        assert re.search(r"Not offered: write-offs \S+, \S+ \(zero value\), and 4 drafts", told)
        assert "holds exactly those 40 documents, each at our total" in told
        assert played.stderr == ""


def test_it_can_stop_before_anything_is_set_up(environment: dict[str, str]) -> None:
    played = play(environment, "--once", "--unconnected")
    assert played.returncode == 0, played.stderr
    assert "Nothing is connected yet. Log in as the admin and choose a package." in played.stdout
    assert "Batch" not in played.stdout


def test_it_serves_the_pages_until_it_is_told_to_stop(environment: dict[str, str]) -> None:
    with playing(environment) as (process, told):
        address = next(re.finditer(r"Look at it: (\S+)", told)).group(1)
        answer = requests.get(address, timeout=30)
        assert answer.status_code == 200
        assert "/accounts/login/" in answer.url
        assert len(re.findall(r"@harbour\.example +\S{10,}", told)) == 3
        # Another one beside it leaves it alone.
        assert play(environment, "--once").returncode == 0
        assert requests.get(address, timeout=30).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 0


@contextmanager
def playing(
    environment: dict[str, str],
) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    process = subprocess.Popen(
        [sys.executable, "-u", "manage.py", *words()],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = ""
        for line in process.stdout:
            told += line
            if "Ctrl-C ends" in line:
                break
        yield process, told
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("option", ["--port", "--standin-port"])
def test_a_busy_port_is_named_in_one_line(environment: dict[str, str], option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        played = play(environment, "--once", option, port)
    assert played.returncode != 0
    assert played.stderr.strip().count("\n") == 0
    assert f"Port {port} cannot be used" in played.stderr


def test_a_half_made_folder_is_made_anew(environment: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    left = tmp_path / "var" / f"demo-{port}"
    left.mkdir(parents=True)
    (left / "abtrac-link.sqlite3").write_bytes(b"half a database")
    played = play(environment, "--once", "--port", str(port))
    assert played.returncode == 0, played.stderr
    # And nothing is left behind.
    assert list((tmp_path / "var").glob("demo*")) == []


def test_a_folder_that_cannot_be_made_is_named_in_one_line(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "var").write_text("not a folder")
    played = play(environment, "--once")
    assert played.returncode != 0
    assert played.stderr.strip().count("\n") == 0
    assert str(tmp_path / "var") in played.stderr


def test_it_keeps_away_from_a_real_database(environment: dict[str, str]) -> None:
    real = {
        "DATABASE_URL": "postgres://link:x@127.0.0.1:1/link",
        "REDIS_URL": "redis://127.0.0.1:1",
        "SECRET_KEY": "x" * 50,
        "CREDENTIAL_KEYS": "aW52ZW50ZWQtZm9yLXRoZS1kZXBsb3ktY2hlY2stMzI=",
    }
    played = play({**environment, **real}, "--once")
    assert played.returncode != 0
    assert "Unset DATABASE_URL" in played.stderr


@pytest.mark.parametrize(
    "today", [date(2026, 11, 25), date(2026, 12, 1), date(2028, 2, 29), date(2027, 1, 2)]
)
def test_the_story_holds_together_on_any_day(today: date) -> None:
    story = tell(today)
    assert (len(story.offices), len(story.settings)) == (2, 2)
    assert (len(story.clients), len(story.jobs)) == (30, 40)
    by_id = {one["abtrac_id"]: one for one in story.invoices}
    committed = [by_id[one] for one in story.committed]
    worth = [one for one in committed if Decimal(one["total"]) != 0]
    assert (len(worth), len(committed) - len(worth)) == (43, 2)
    assert sum(Decimal(one["total"]) < 0 for one in worth) == 3
    assert len(story.expected) == 40
    numbers = [one["number"] for one in story.invoices]
    assert len(set(numbers)) == len(numbers)
    for one in story.invoices:
        assert problems(one) == []
        locked = date.fromisoformat(one["issued"]) <= story.lock_date
        assert locked == (one["number"] == story.locked_number)


def problems(invoice: dict[str, Any]) -> list[str]:
    amounts = {name: Decimal(invoice[name]) for name in ("net", "tax", "total")}
    lines = [(Decimal(line["net"]), Decimal(line["tax"])) for line in invoice["lines"]]
    found = [
        *totals.check_total(**amounts),
        *totals.check_sums(net=amounts["net"], tax=amounts["tax"], lines=lines),
    ]
    for line in invoice["lines"]:
        names = ("quantity", "unit_price", "net", "tax")
        found += totals.check_line(
            **{name: Decimal(line[name]) for name in names}, basis=TaxBasis(invoice["tax_basis"])
        )
    return [one.message for one in found]


def test_the_pdf_of_an_invoice_is_one(tmp_path: Path) -> None:
    pdf = pdf_of("AK-2100")
    assert pdf.startswith(b"%PDF-1.4")
    start = int(re.search(rb"startxref\n(\d+)", pdf).group(1))  # type: ignore[union-attr]
    assert pdf[start : start + 4] == b"xref"
    for number, place in enumerate(re.findall(rb"^(\d{10}) 00000 n", pdf, re.MULTILINE), start=1):
        assert pdf[int(place) :].startswith(b"%d 0 obj" % number)
