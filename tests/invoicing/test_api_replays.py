"""A call with an Idempotency-Key has one effect and one answer, however often it comes."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from invoicing.api import replays
from invoicing.models import ApiReplay, Client
from offices.tenancy import acting_for
from tests.invoicing.abtrac import Abtrac, abtrac, client, invoice, other, problems, rows_of

__all__ = ["abtrac", "other"]

pytestmark = pytest.mark.django_db


def age(abtrac: Abtrac, by: timedelta, **fields: Any) -> None:
    """Let the practice's keys be that old."""
    with acting_for(abtrac.practice.pk):
        ApiReplay.objects.update(created_at=timezone.now() - by, **fields)


def test_a_repeated_call_is_answered_as_the_first_and_does_nothing(abtrac: Abtrac) -> None:
    first = abtrac.put("clients", client("C2"), Idempotency_Key="k1")
    assert first.json()["created"] == 1
    assert "Idempotent-Replayed" not in first.headers
    abtrac.put("clients", client("C2", name="Renamed Ltd"))
    again = abtrac.put("clients", client("C2"), Idempotency_Key="k1")
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [one.name for one in rows_of(abtrac, Client, abtrac_id="C2")] == ["Renamed Ltd"]


@pytest.mark.parametrize("step", ["invoices", "approve", "commit", "uncommit", "pdf"])
def test_every_kind_of_call_is_replayed(abtrac: Abtrac, step: str) -> None:
    abtrac.put("invoices", invoice("I1"))
    if step != "approve":
        abtrac.move("approve", "I1")

    def call() -> Any:
        if step == "invoices":
            return abtrac.put("invoices", invoice("I2"), Idempotency_Key="k1")
        if step == "pdf":
            return abtrac.put_pdf("I1", b"%PDF-1.4", Idempotency_Key="k1")
        return abtrac.move(step, "I1", Idempotency_Key="k1")

    first, again = call(), call()
    assert first.status_code == 200
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"


def test_the_same_key_for_another_body_address_or_method_is_a_conflict(abtrac: Abtrac) -> None:
    abtrac.put("clients", client("C2"), Idempotency_Key="k1")
    body = {"rows": [client("C2")]}
    for answer in (
        abtrac.put("clients", client("C3"), Idempotency_Key="k1"),
        abtrac.put("clients", "nonsense", Idempotency_Key="k1"),
        abtrac.call("POST", "clients", body, Idempotency_Key="k1"),
        abtrac.call("PUT", "jobs", body, Idempotency_Key="k1"),
    ):
        assert answer.status_code == 409
        assert problems(answer) == {"": "idempotency_key_reused"}
    assert rows_of(abtrac, Client, abtrac_id="C3") == []


def test_a_call_that_is_still_at_work_is_not_done_again(abtrac: Abtrac) -> None:
    first = abtrac.put("clients", client("C2"), Idempotency_Key="k1")
    age(abtrac, timedelta(minutes=9), status=0, answer=None)
    answer = abtrac.put("clients", client("C2"), Idempotency_Key="k1")
    assert answer.status_code == 409
    assert problems(answer) == {"": "idempotency_key_in_flight"}
    assert first.status_code == 200


def test_a_call_whose_process_died_is_done_after_all(abtrac: Abtrac) -> None:
    abtrac.put("clients", client("C2"), Idempotency_Key="k1")
    age(abtrac, timedelta(minutes=11), status=0, answer=None)
    answer = abtrac.put("clients", client("C2"), Idempotency_Key="k1")
    assert answer.json()["unchanged"] == 1
    assert "Idempotent-Replayed" not in answer.headers


def test_a_call_thought_dead_that_was_not_leaves_no_effect(
    abtrac: Abtrac, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = replays._keep

    def late(held: Any, answer: Any) -> None:
        ApiReplay.objects.update(created_at=timezone.now() + timedelta(seconds=1))
        keep(held, answer)

    monkeypatch.setattr(replays, "_keep", late)
    answer = abtrac.put("clients", client("C2"), Idempotency_Key="k1")
    assert answer.status_code == 409
    assert problems(answer) == {"": "idempotency_key_in_flight"}
    assert rows_of(abtrac, Client, abtrac_id="C2") == []


def test_a_refused_call_has_done_nothing_and_gives_its_key_back(abtrac: Abtrac) -> None:
    answer = abtrac.put("clients", client("C2", name=""), Idempotency_Key="k1")
    assert answer.status_code == 400
    assert rows_of(abtrac, ApiReplay) == []
    assert abtrac.put("clients", client("C2"), Idempotency_Key="k1").status_code == 200


def test_a_key_is_forgotten_after_a_day(abtrac: Abtrac) -> None:
    abtrac.put("clients", client("C2"), Idempotency_Key="k1")
    age(abtrac, timedelta(hours=23, minutes=59))
    assert abtrac.put("clients", client("C3"), Idempotency_Key="k1").status_code == 409
    age(abtrac, timedelta(hours=24, minutes=1))
    assert abtrac.put("clients", client("C3"), Idempotency_Key="k1").status_code == 200
    assert len(rows_of(abtrac, ApiReplay)) == 1


def test_the_keys_of_two_practices_are_two_keys(abtrac: Abtrac, other: Abtrac) -> None:
    abtrac.put("clients", client("C2"), Idempotency_Key="k1")
    answer = other.put("clients", client("C3"), Idempotency_Key="k1")
    assert answer.json()["created"] == 1


@pytest.mark.parametrize("key", ["a b", "x" * 129, "é", "\t", " "])
def test_a_key_that_can_be_none_is_refused(abtrac: Abtrac, key: str) -> None:
    answer = abtrac.put("clients", client("C2"), Idempotency_Key=key)
    assert answer.status_code == 400
    assert problems(answer) == {"": "idempotency_key_invalid"}
    assert rows_of(abtrac, Client, abtrac_id="C2") == []


@pytest.mark.django_db(transaction=True)
def test_of_calls_that_come_together_one_does_it(abtrac: Abtrac) -> None:
    start, answers = threading.Barrier(4), []

    def call() -> None:
        try:
            start.wait(30)
            mine = abtrac.in_another_browser()
            answers.append(mine.put("clients", client("C2"), Idempotency_Key="k1"))
        finally:
            connection.close()

    callers = [threading.Thread(target=call) for _ in range(4)]
    for one in callers:
        one.start()
    for one in callers:
        one.join(60)
    assert len(answers) == 4
    assert {one.status_code for one in answers} <= {200, 409}
    done = [one for one in answers if one.status_code == 200]
    assert {one.content for one in done} == {b'{"created":1,"changed":0,"unchanged":0}'}
    assert sum("Idempotent-Replayed" not in one.headers for one in done) == 1
    assert len(rows_of(abtrac, Client, abtrac_id="C2")) == 1


@pytest.mark.django_db(transaction=True)
def test_calls_that_come_together_wait_for_each_other(abtrac: Abtrac) -> None:
    start, answers = threading.Barrier(4), []

    def call(number: int) -> None:
        rows = [invoice(f"I{index}", order_number=str(number)) for index in range(10)]
        try:
            start.wait(30)
            mine = abtrac.in_another_browser()
            # Each in an order of its own: locks taken row by row would cross.
            answers.append(mine.put("invoices", *(rows[number:] + rows[:number])))
        finally:
            connection.close()

    callers = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for one in callers:
        one.start()
    for one in callers:
        one.join(60)
    assert [one.status_code for one in answers] == [200] * 4
    assert sum(one.json()["created"] for one in answers) == 10
    assert sum(one.json()["changed"] for one in answers) == 30
