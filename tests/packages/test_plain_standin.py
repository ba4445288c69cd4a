"""The rehearsal Plain: one write at a time, its limit of calls, and a look-up that lags."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from connectors.base.standin import Hold
from tests.packages.caller import FILE, Caller
from tests.packages.plain.standin import PlainStandIn

LIMITED = {"error": "RateLimitError"}


@pytest.fixture
def caller() -> Iterator[Caller]:
    with PlainStandIn() as standin:
        yield Caller(standin)


def post(caller: Caller, wire: Any, name: str = "invoice", **rest: Any) -> requests.Response:
    return caller.call("POST", f"/v1/{name}", json=wire, **rest)


def found(caller: Caller, number: str = "ABT-1") -> list[Any]:
    answer = caller.call("GET", "/v1/invoices", params={"number": number})
    return list(answer.json()["items"])


def test_no_key_is_looked_at(caller: Caller) -> None:
    wire, key = caller.invoice(), {"Request-Id": "one", "Idempotency-Key": "one"}
    assert [post(caller, wire, headers=key).status_code for _ in range(2)] == [201, 201]
    assert caller.numbers() == ["ABT-1", "ABT-1"]


def test_every_refusal_of_a_document_is_told_at_once(caller: Caller) -> None:
    answer = post(caller, caller.invoice(number="N" * 21, currency="dollars"))
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["errors"]] == ["number", "currency"]


def test_a_memo_has_255_characters_at_most(caller: Caller) -> None:
    answer = post(caller, caller.invoice(memo="m" * 256))
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["errors"]] == ["memo"]
    assert post(caller, caller.invoice(memo="m" * 255)).status_code == 201


@pytest.mark.parametrize("after_effect", [True, False])
def test_a_second_write_meanwhile_is_refused_and_did_nothing(
    caller: Caller, after_effect: bool
) -> None:
    wire, go_on = caller.invoice(), threading.Event()
    caller.standin.script(method="POST", fault=Hold(go_on, after_effect=after_effect))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, caller, wire)
        caller.standin.wait_for(method="POST", let_in=True, took_effect=after_effect)
        second = post(caller, caller.invoice("ABT-2"))
        assert (second.status_code, second.json()) == (403, LIMITED)
        assert len(found(caller)) == after_effect
        contact = caller.contact_id("surveying")
        elsewhere = caller.invoice("ABT-3", contact_id=contact)
        assert post(caller, elsewhere, file="surveying").status_code == 201
        go_on.set()
        assert first.result().status_code == 201
    assert post(caller, caller.invoice("ABT-4")).status_code == 201
    assert sorted(caller.numbers()) == ["ABT-1", "ABT-3", "ABT-4"]


def test_of_many_writes_at_once_each_is_done_or_refused(caller: Caller) -> None:
    contact = caller.contact_id()
    many = [caller.invoice(f"N-{n:02}", contact_id=contact) for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda wire: post(caller, wire), many))
    done = [one.json()["number"] for one in answers if one.status_code == 201]
    assert sorted(caller.numbers()) == sorted(done)
    assert {one.status_code for one in answers} <= {201, 403}


def test_a_write_goes_on_after_its_caller_has_gone(caller: Caller) -> None:
    go_on, wire = threading.Event(), caller.invoice()
    caller.standin.script(method="POST", fault=Hold(go_on))
    headers = {"Authorization": "Bearer any", "Company-File": FILE}
    url = f"{caller.standin.url}/v1/invoice"
    with pytest.raises(requests.ReadTimeout):
        requests.post(url, json=wire, headers=headers, timeout=(10, 0.2))
    assert post(caller, caller.invoice("ABT-2")).json() == LIMITED
    assert caller.numbers() == []
    go_on.set()
    caller.standin.wait_for(method="POST", path="/v1/invoice", took_effect=True)
    assert caller.numbers() == ["ABT-1"]


def test_a_hundred_calls_in_any_second_of_all_company_files_together(caller: Caller) -> None:
    files = [FILE, "surveying"]
    ours, theirs = {"App-Key": "ours"}, {"App-Key": "theirs"}

    def ask(file: str, key: dict[str, str]) -> requests.Response:
        return caller.call("GET", "/v1/codes", file=file, headers=key)

    assert ask(FILE, ours).ok
    caller.pass_time(seconds=0.5)
    assert all(ask(files[n % 2], ours).ok for n in range(99))
    for file in files:
        refused = ask(file, ours)
        assert (refused.status_code, refused.json()) == (403, LIMITED)
        assert "Retry-After" not in refused.headers
    assert ask(FILE, theirs).ok
    # Half a second later the first of them no longer counts, and only that one.
    caller.pass_time(seconds=0.5)
    assert ask(FILE, ours).ok
    caller.standin.retry_after = "1"
    assert ask(FILE, ours).headers["Retry-After"] == "1"
    caller.pass_time(seconds=0.5)
    assert ask(FILE, ours).ok


def test_a_consent_that_is_gone_is_told_from_a_limit(caller: Caller) -> None:
    caller.standin.retry_after = "7"
    assert isinstance(caller.standin, PlainStandIn)
    caller.standin.denied.add(FILE)
    answer = post(caller, caller.invoice())
    assert (answer.status_code, answer.json()) == (403, {"error": "AccessDenied"})
    assert "Retry-After" not in answer.headers
    assert caller.call("GET", "/v1/codes", file="surveying").ok
    caller.standin.denied.clear()
    assert post(caller, caller.invoice()).status_code == 201


def test_a_look_up_does_not_see_what_was_made_just_before(caller: Caller) -> None:
    assert caller.control("look-up", {"visible_after": 30}).ok
    assert post(caller, caller.invoice()).status_code == 201
    assert found(caller) == []
    caller.pass_time(seconds=29)
    assert found(caller) == []
    caller.pass_time(seconds=1)
    assert [one["number"] for one in found(caller)] == ["ABT-1"]


def test_a_contact_not_shown_yet_can_be_named_all_the_same(caller: Caller) -> None:
    assert caller.control("look-up", {"visible_after": 30}).ok
    made = post(caller, {"name": "Harbour View Trust", "reference": "C9"}, "contact").json()
    query = {"reference": "C9"}
    assert caller.call("GET", "/v1/contacts", params=query).json() == {"items": []}
    assert post(caller, caller.invoice(contact_id=made["id"])).status_code == 201


def test_a_slow_look_up_holds_up_nobody_else(caller: Caller) -> None:
    assert caller.control("look-up", {"lookup_seconds": 3600}).ok
    query = {"number": "ABT-1"}
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(caller.call, "GET", "/v1/invoices", params=query)
        caller.standin.wait_for(path="/v1/invoices")
        assert caller.call("GET", "/v1/codes").ok
        assert post(caller, caller.invoice()).status_code == 201
        assert not slow.done()
        caller.standin.stop()
        assert [one["number"] for one in slow.result().json()["items"]] == ["ABT-1"]


def test_one_value_is_looked_up_at_a_time(caller: Caller) -> None:
    query = {"number": ["A", "B"]}
    assert caller.call("GET", "/v1/invoices", params=query).status_code == 400
