"""The rehearsal Keeper: keys, batches and its limit of calls at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from connectors.base.standin import Answer, Drop, Hold
from tests.packages.caller import Caller
from tests.packages.keeper.standin import KeeperStandIn


@pytest.fixture
def caller() -> Iterator[Caller]:
    with KeeperStandIn() as standin:
        yield Caller(standin)


def post(
    caller: Caller, key: str, *items: Any, path: str = "/v1/invoices", **rest: Any
) -> requests.Response:
    headers = {"Request-Id": key}
    return caller.call("POST", path, json={"items": items}, headers=headers, **rest)


def test_the_same_key_and_bytes_get_the_same_answer_and_nothing_is_done(caller: Caller) -> None:
    wire = caller.invoice()
    first, again = post(caller, "one", wire), post(caller, "one", wire)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert ("Replayed" in first.headers, again.headers["Replayed"]) == (False, "yes")
    assert caller.numbers() == ["ABT-1"]


def test_an_answer_with_refused_elements_is_kept_as_well(caller: Caller) -> None:
    wire = caller.invoice(number="")
    first = post(caller, "one", wire)
    again = post(caller, "one", wire)
    assert first.json()["results"][0]["status"] == "error"
    assert (again.content, again.headers["Replayed"]) == (first.content, "yes")


def test_a_key_with_other_bytes_or_another_path_is_refused(caller: Caller) -> None:
    wire = caller.invoice()
    post(caller, "one", wire)
    for answer in (
        post(caller, "one", wire | {"memo": "other"}),
        post(caller, "one", wire, path="/v1/credit-notes"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "request_id_reused")
    assert caller.numbers() == ["ABT-1"]


def test_a_key_belongs_to_its_company_file(caller: Caller) -> None:
    post(caller, "one", {"name": "A"}, path="/v1/contacts")
    answer = post(caller, "one", {"name": "B"}, path="/v1/contacts", file="surveying")
    assert answer.ok
    assert len(caller.standin.created) == 2


def test_an_answer_is_kept_for_a_day_and_no_longer(caller: Caller) -> None:
    wire = caller.invoice()
    post(caller, "one", wire)
    caller.pass_time(hours=23, minutes=59, seconds=59)
    post(caller, "one", wire)
    assert caller.numbers() == ["ABT-1"]
    caller.pass_time(seconds=1)
    assert "Replayed" not in post(caller, "one", wire).headers
    assert caller.numbers() == ["ABT-1", "ABT-1"]


@pytest.mark.parametrize("after_effect", [True, False])
def test_a_key_still_in_hand_is_refused_and_says_nothing(
    caller: Caller, after_effect: bool
) -> None:
    wire, go_on = caller.invoice(), threading.Event()
    caller.standin.script(method="POST", fault=Hold(go_on, after_effect=after_effect))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, caller, "one", wire)
        caller.standin.wait_for(method="POST", let_in=True, took_effect=after_effect)
        # Whatever it comes with: what the first will be is not known yet.
        for other in (wire, wire | {"memo": "other"}):
            meanwhile = post(caller, "one", other)
            assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "in_progress")
        assert post(caller, "two", caller.invoice("ABT-2")).ok
        go_on.set()
        assert first.result().ok
    assert post(caller, "one", wire).headers["Replayed"] == "yes"
    assert sorted(caller.numbers()) == ["ABT-1", "ABT-2"]


def test_of_many_with_one_key_at_once_one_is_done(caller: Caller) -> None:
    wire = caller.invoice()
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: post(caller, "one", wire), range(40)))
    assert {one.status_code for one in answers} <= {200, 409}
    assert len({one.content for one in answers if one.ok}) == 1
    assert caller.numbers() == ["ABT-1"]


def test_after_a_lost_answer_the_same_key_tells_what_was_done(caller: Caller) -> None:
    wire = caller.invoice()
    caller.standin.script(method="POST", fault=Drop(after_effect=True))
    with pytest.raises(requests.ConnectionError):
        post(caller, "one", wire)
    assert post(caller, "one", wire).json()["results"][0]["status"] == "ok"
    assert caller.numbers() == ["ABT-1"]


def test_the_refusal_of_a_whole_call_is_not_kept(caller: Caller) -> None:
    wire = caller.invoice()
    caller.standin.script(method="POST", fault=Answer(503, {"code": "busy"}))
    assert post(caller, "one", wire).status_code == 503
    assert post(caller, "one").status_code == 400
    assert post(caller, "one", wire, token="refused").status_code == 401
    answer = post(caller, "one", wire)
    assert (answer.status_code, "Replayed" in answer.headers) == (200, False)
    assert caller.numbers() == ["ABT-1"]


@pytest.mark.parametrize("key", ["", "k" * 65])
def test_a_write_needs_a_key_of_64_characters_at_most(caller: Caller, key: str) -> None:
    answer = post(caller, key, caller.invoice())
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request_id")
    assert caller.numbers() == []


def test_one_to_twenty_in_a_call(caller: Caller) -> None:
    contact = caller.contact_id()
    many = [caller.invoice(f"N-{n:02}", contact_id=contact) for n in range(21)]
    for wrong in ([], many):
        assert post(caller, "wrong", *wrong).status_code == 400
    assert caller.numbers() == []
    results = post(caller, "right", *many[:20]).json()["results"]
    assert [one["number"] for one in results] == caller.numbers()
    assert len(results) == 20
    extra = {"items": [many[0]], "mode": "fast"}
    headers = {"Request-Id": "extra"}
    assert caller.call("POST", "/v1/invoices", json=extra, headers=headers).status_code == 400


def test_results_are_in_order_and_one_refused_stops_no_other(caller: Caller) -> None:
    contact = caller.contact_id()
    items = [caller.invoice(number, contact_id=contact) for number in ("A", "", "C")]
    results = post(caller, "one", *items).json()["results"]
    assert [one["status"] for one in results] == ["ok", "error", "ok"]
    assert results[1] | {"message": ""} == {
        **{"status": "error", "field": "number", "code": "empty", "message": "", "line": None}
    }
    assert caller.numbers() == ["A", "C"]


def test_twenty_numbers_are_looked_up_at_once(caller: Caller) -> None:
    contact = caller.contact_id()
    items = [caller.invoice(f"N-{n:02}", contact_id=contact) for n in range(20)]
    post(caller, "one", *items[:19])
    query = {"number": [one["number"] for one in items]}
    found = caller.call("GET", "/v1/invoices", params=query).json()["items"]
    assert [one["number"] for one in found] == query["number"][:19]


def test_the_sixth_call_at_once_is_refused(caller: Caller) -> None:
    go_on, contact = threading.Event(), caller.contact_id()
    caller.standin.script(times=5, fault=Hold(go_on))
    with ThreadPoolExecutor(5) as pool:
        under_way = [
            pool.submit(post, caller, f"key-{n}", caller.invoice(f"N-{n}", contact_id=contact))
            for n in range(5)
        ]
        caller.standin.wait_for(count=5, let_in=True)
        sixth = {"number": "N-0"}
        answer = caller.call("GET", "/v1/invoices", params=sixth)
        assert (answer.status_code, "Retry-After" in answer.headers) == (429, False)
        assert caller.control("retry-after", {"value": "7"}).ok
        assert post(caller, "six", caller.invoice("N-6")).headers["Retry-After"] == "7"
        assert caller.call("GET", "/v1/invoices", params=sixth, file="other").ok
        go_on.set()
        assert all(one.result().ok for one in under_way)
    assert caller.call("GET", "/v1/invoices", params=sixth).ok
    assert sorted(caller.numbers()) == [f"N-{n}" for n in range(5)]
