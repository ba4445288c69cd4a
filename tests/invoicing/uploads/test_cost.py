"""How many queries an upload costs: the same whether it is of one invoice or of many."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connectors import registry
from interfaces.models import CodeRule
from invoicing.models import UploadEvent
from invoicing.uploads import killpoints, lane
from offices.tenancy import acting_for
from tests.factories import make_client, make_interface, make_job, make_office, make_setting
from tests.invoicing.pages import BOOKKEEPING, counted_queries
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk

pytestmark = pytest.mark.django_db

SIZES = (1, 10, 50)
# For each call, from one place on its way to another; PostgreSQL is also asked what time it is.
MOST = {"claim": 9, "finish": 12}
PLACES = {
    "claim": (killpoints.BEFORE_CLAIM, killpoints.AFTER_CLAIM),
    "finish": (killpoints.AFTER_ANSWER, killpoints.AFTER_RECORD),
}
# Of the click: all it does in the request's transaction. PostgreSQL is asked the time twice.
MOST_AT_THE_CLICK = 28


@pytest.fixture
def many_a_call(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    """Till takes as many documents a call as Xero does."""
    package = replace(till.PACKAGE, limits=replace(till.PACKAGE.limits, per_call=max(SIZES)))
    monkeypatch.setattr(registry, "packages", lambda: {"till": package})


@contextmanager
def placed_queries(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, list[str]]]]:
    """The places a worker reaches meanwhile, each with the queries made since the one before."""
    found: list[tuple[str, list[str]]] = []
    with CaptureQueriesContext(connection) as captured, monkeypatch.context() as patched:
        seen = 0

        def reached(place: str) -> None:
            nonlocal seen
            made = [one["sql"] for one in captured.captured_queries]
            found.append(
                (place, [one for one in made[seen:] if not one.upper().startswith(BOOKKEEPING)])
            )
            seen = len(made)

        patched.setattr(killpoints, "reached", reached)
        yield found


def between(places: list[tuple[str, list[str]]], first: str, last: str) -> list[str]:
    """The queries from one place to the next of that name."""
    names = [place for place, _ in places]
    begin = names.index(first)
    end = names.index(last, begin)
    return [sql for _, queries in places[begin + 1 : end + 1] for sql in queries]


@pytest.mark.usefixtures("many_a_call")
def test_a_call_costs_as_many_queries_whatever_its_size(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.upload(desk.invoice())
    desk.work()  # the client becomes known
    costs: dict[str, dict[int, list[str]]] = {name: {} for name in PLACES}
    for size in SIZES:
        desk.upload(*(desk.invoice() for _ in range(size)))
        with placed_queries(monkeypatch) as places:
            lane.drain(practice_id=desk.practice.pk, interface_id=desk.interface.pk)
        assert len(desk.books.posts[-1]) == size
        for name, (first, last) in PLACES.items():
            costs[name][size] = between(places, first, last)
    assert_constant(costs)


def assert_constant(costs: Mapping[str, Mapping[int, list[str]]]) -> None:
    """Each is as often asked at every size, and no oftener than allowed."""
    for name, by_size in costs.items():
        counts = {size: len(queries) for size, queries in by_size.items()}
        assert len(set(counts.values())) == 1, (name, counts, by_size)
        assert counts[SIZES[0]] <= MOST[name], (name, by_size[SIZES[0]])


def test_a_click_costs_as_many_queries_whatever_was_ticked(desk: Desk) -> None:
    counts: dict[int, int] = {}
    for size in SIZES:
        invoices = []
        with acting_for(desk.practice.pk):
            for _ in range(size):
                client = make_client()
                lines: dict[str, Any] = {"job": make_job(client), "task": "Survey"}
                job = make_job(client)
                invoices.append(desk.invoice(client=client, job=job, line_fields=lines))
        with counted_queries() as queries:
            assert desk.upload(*invoices).queued == size
        counts[size] = len(queries)
    assert len(set(counts.values())) == 1, counts
    assert counts[SIZES[0]] <= MOST_AT_THE_CLICK, queries


def test_a_thousand_clients_and_jobs_are_uploaded_at_one_click(desk: Desk) -> None:
    """More than SQLite takes of conditions, and of values by Django's own account."""
    with acting_for(desk.practice.pk):
        clients = [make_client() for _ in range(1001)]
        jobs = [make_job(client) for client in clients]
        interface = make_interface(package_key="till", preferences={"jobs": "tracking"})
        office = make_office(make_setting(interface))
        rule = {"interface": interface, "account": interface.disbursement_account}
        CodeRule.objects.create(scope="job_type", subject="Survey", **rule)
    invoices = [
        desk.invoice(client=client, office=office, job=job, line_fields={"job": job})
        for client, job in zip(clients, jobs, strict=True)
    ]
    assert desk.upload(*invoices).queued == 1001
    kinds = [one.kind for one in desk.all()]
    assert [kinds.count(kind) for kind in ("contact", "job", "invoice")] == [1001] * 3
    with acting_for(desk.practice.pk):
        assert UploadEvent.objects.filter(before="", after="queued").count() == 3 * 1001
