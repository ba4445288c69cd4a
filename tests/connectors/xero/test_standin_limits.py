"""The rehearsal Xero's rate limits, and what it does with an idempotency key."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from connectors.base.standin import Drop, Hold
from connectors.xero.standin import CallLimits, main
from tests.connectors.xero.xero_caller import (
    UNLIMITED,
    XeroCaller,
    record_of,
    refusals_of,
)


@pytest.fixture
def xero() -> Iterator[XeroCaller]:
    with XeroCaller() as caller:
        yield caller


def put(xero: XeroCaller, key: str | None = "key-1", **changes: Any) -> requests.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return xero.put("Invoices?unitdp=4", xero.invoice(**changes), **headers)


def count(xero: XeroCaller) -> int:
    return len(xero.books.invoices)


# Keys


def test_a_repeat_with_the_same_key_gets_the_same_answer_and_no_second_effect(
    xero: XeroCaller,
) -> None:
    first, second = put(xero), put(xero)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert count(xero) == 1


def test_without_a_key_a_repeat_is_a_new_request(xero: XeroCaller) -> None:
    assert put(xero, key=None).status_code == 200
    assert refusals_of(put(xero, key=None)) == ["Invoice # must be unique."]


def test_a_write_whose_answer_was_lost_is_answered_by_its_repeat(xero: XeroCaller) -> None:
    xero.standin.script("PUT", ".*/Invoices", fault=Drop(after_effect=True))
    with pytest.raises(requests.ConnectionError):
        put(xero)
    assert record_of(put(xero))["InvoiceNumber"] == "ABT-1001"
    assert count(xero) == 1


def test_the_same_key_with_another_body_is_refused(xero: XeroCaller) -> None:
    put(xero)
    answer = put(xero, InvoiceNumber="ABT-2")
    assert answer.status_code == 400
    assert "is used with a different request" in answer.text
    assert count(xero) == 1


def test_the_same_key_with_another_address_or_method_is_refused(xero: XeroCaller) -> None:
    put(xero)
    body = xero.invoice()
    for again in (
        xero.put("Invoices?unitdp=2", body, Idempotency_Key="key-1"),
        xero.post("Invoices?unitdp=4", body, Idempotency_Key="key-1"),
    ):
        assert "is used with a different request" in again.text


def test_a_refusal_is_kept_as_well(xero: XeroCaller) -> None:
    xero.books.archive_account("200")
    refused = put(xero)
    xero.books.account("200").status = "ACTIVE"
    assert put(xero).content == refused.content
    assert put(xero, key="key-2").status_code == 200


def test_a_key_is_forgotten_after_six_minutes(xero: XeroCaller) -> None:
    xero.put("CreditNotes", xero.credit_note(), Idempotency_Key="key-1")
    xero.pass_time(minutes=5, seconds=59)
    xero.put("CreditNotes", xero.credit_note(), Idempotency_Key="key-1")
    assert len(xero.books.credit_notes) == 1
    xero.pass_time(seconds=1)
    xero.put("CreditNotes", xero.credit_note(), Idempotency_Key="key-1")
    assert len(xero.books.credit_notes) == 2


@pytest.mark.parametrize("key", ["", "x" * 129])
def test_a_key_has_a_length(xero: XeroCaller, key: str) -> None:
    assert put(xero, key=key).status_code == 400
    assert put(xero, key="x" * 128).status_code == 200


def test_a_read_takes_no_notice_of_a_key(xero: XeroCaller) -> None:
    headers = {"Idempotency-Key": "key-1"}
    for path in ("Accounts", "TaxRates"):
        assert xero.call("GET", path, headers=headers).status_code == 200


# Limits


def test_every_answer_says_how_many_calls_are_left() -> None:
    with XeroCaller(CallLimits(minute=60, day=5000, app_minute=10_000)) as xero:
        for path, left in (("Accounts", 59), ("Invoices/none", 58)):
            headers = xero.call("GET", path).headers
            assert headers["X-MinLimit-Remaining"] == str(left)
            assert headers["X-DayLimit-Remaining"] == str(4940 + left)
            assert headers["X-AppMinLimit-Remaining"] == str(9940 + left)


def test_the_minute_limit_says_when_to_come_back() -> None:
    with XeroCaller(CallLimits(minute=2)) as xero:
        answers = [xero.call("GET", "Accounts") for _ in range(3)]
        assert [one.status_code for one in answers] == [200, 200, 429]
        assert answers[2].headers["X-Rate-Limit-Problem"] == "minute"
        wait = int(answers[2].headers["Retry-After"])
        assert 1 <= wait <= 60
        xero.pass_time(seconds=wait)
        assert xero.call("GET", "Accounts").status_code == 200


def test_the_day_limit_may_take_hours() -> None:
    with XeroCaller(CallLimits(day=1)) as xero:
        xero.call("GET", "Accounts")
        answer = xero.call("GET", "Accounts")
        assert (answer.status_code, answer.headers["X-Rate-Limit-Problem"]) == (429, "day")
        wait = int(answer.headers["Retry-After"])
        assert 60 < wait <= 86_400
        xero.pass_time(seconds=wait)
        xero.token = xero.standin.issue_tokens()["access_token"]
        assert xero.call("GET", "Accounts").status_code == 200


def test_limits_are_kept_for_each_organisation() -> None:
    with XeroCaller(CallLimits(minute=1)) as xero:
        xero.call("GET", "Accounts")
        assert xero.call("GET", "Accounts").status_code == 429
        other = {"xero-tenant-id": xero.australian.tenant_id}
        assert xero.call("GET", "Accounts", headers=other).status_code == 200


def test_the_app_has_a_limit_over_all_organisations() -> None:
    with XeroCaller(CallLimits(app_minute=1)) as xero:
        xero.call("GET", "Accounts")
        other = {"xero-tenant-id": xero.australian.tenant_id}
        answer = xero.call("GET", "Accounts", headers=other)
        assert (answer.status_code, answer.headers["X-Rate-Limit-Problem"]) == (429, "appminute")


def test_a_refused_call_has_no_effect_and_keeps_no_answer() -> None:
    with XeroCaller(CallLimits(minute=1)) as xero:
        xero.call("GET", "Accounts")
        refused = put(xero)
        assert (refused.status_code, refused.content, count(xero)) == (429, b"", 0)
        xero.pass_time(seconds=60)
        assert put(xero).status_code == 200


def test_a_repeat_with_a_key_counts_as_a_call() -> None:
    with XeroCaller(CallLimits(minute=2)) as xero:
        assert [put(xero).status_code for _ in range(3)] == [200, 200, 429]


def test_no_more_than_five_calls_are_under_way_for_one_organisation() -> None:
    release = threading.Event()
    with XeroCaller(UNLIMITED) as xero, ThreadPoolExecutor(5) as pool:
        xero.standin.script(path=".*/Accounts", times=5, fault=Hold(release))
        waiting = [pool.submit(xero.call, "GET", "Accounts") for _ in range(5)]
        xero.standin.wait_for(path=".*/Accounts", count=5)
        answer = xero.call("GET", "Accounts")
        assert (answer.status_code, answer.headers["X-Rate-Limit-Problem"]) == (429, "concurrent")
        assert "Retry-After" not in answer.headers
        other = {"xero-tenant-id": xero.australian.tenant_id}
        assert xero.call("GET", "Accounts", headers=other).status_code == 200
        release.set()
        assert [one.result().status_code for one in waiting] == [200] * 5
        assert xero.call("GET", "Accounts").status_code == 200


# Running it alone


def test_a_busy_port_ends_the_command_with_one_line(
    xero: XeroCaller, capsys: pytest.CaptureFixture[str]
) -> None:
    port = xero.standin.url.rpartition(":")[2]
    assert main(["--port", port]) == 1
    assert capsys.readouterr().out == f"Port {port} on 127.0.0.1 is in use by another program.\n"


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_cannot_be_ends_the_command_with_one_line(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--port", port]) == 1
    said = capsys.readouterr().out
    assert said == f"Port {port} cannot be: give one between 0 and 65535.\n"


def test_its_books_can_be_looked_at_from_another_process(xero: XeroCaller) -> None:
    put(xero)
    state = requests.get(f"{xero.standin.url}/_standin/state", timeout=10).json()
    here, there = state["organisations"]
    assert [one["InvoiceNumber"] for one in here["Invoices"]] == ["ABT-1001"]
    assert there["Invoices"] == []


def test_its_endpoints_all_lead_to_it(xero: XeroCaller) -> None:
    assert xero.standin.endpoints.keys() == {"login", "identity", "api"}
