"""What Keeper and Plain refuse alike, each by its own call."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.packages.caller import FILE, Caller, line
from tests.packages.keeper.standin import KeeperStandIn
from tests.packages.plain.standin import PlainStandIn
from tests.packages.shelf import Shelf


@pytest.fixture(params=[KeeperStandIn, PlainStandIn])
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    standin: Shelf = request.param()
    with standin:
        yield Caller(standin)


def post(caller: Caller, name: str, wire: Any, **rest: Any) -> requests.Response:
    if isinstance(caller.standin, PlainStandIn):
        return caller.call("POST", f"/v1/{name}", json=wire, **rest)
    key = {"Request-Id": str(uuid4())}
    return caller.call("POST", f"/v1/{name}s", json={"items": [wire]}, headers=key, **rest)


def refusal(caller: Caller, name: str, wire: Any) -> tuple[str, str, int | None]:
    """Where and why it is refused; nothing is created."""
    before = list(caller.standin.created)
    answer = post(caller, name, wire).json()
    assert caller.standin.created == before
    first = answer["errors" if isinstance(caller.standin, PlainStandIn) else "results"][0]
    assert first["message"]
    return first["field"], first["code"], first["line"]


def taken(answer: requests.Response) -> Any:
    """What is said of the one that was created."""
    assert answer.ok, answer.text
    said = answer.json()
    return said if "id" in said else said["results"][0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lines": []}, ("lines", "no_lines", None)),
        ({"lines": "none"}, ("lines", "not_lines", None)),
        ({"number": ""}, ("number", "empty", None)),
        ({"number": "N" * 21}, ("number", "too_long", None)),
        ({"number": 7}, ("number", "not_text", None)),
        ({"contact_id": "nobody"}, ("contact_id", "unknown_contact", None)),
        ({"date": "20-11-2026"}, ("date", "not_a_date", None)),
        ({"due_date": "2026-02-30"}, ("due_date", "not_a_date", None)),
        ({"currency": "nzd"}, ("currency", "not_a_currency", None)),
        ({"tax_basis": "none"}, ("tax_basis", "not_a_basis", None)),
        ({"discount": "1.00"}, ("discount", "unknown_field", None)),
        ({"lines": [line(net="-200.00")]}, ("lines", "negative_total", None)),
        ({"lines": [line(), line(net="1.005")]}, ("net", "too_many_decimals", 2)),
        ({"lines": [line(tax="15")]}, ("tax", "not_an_amount", 1)),
        ({"lines": [line(net=100)]}, ("net", "not_text", 1)),
        ({"lines": [line(quantity="1.00001")]}, ("quantity", "not_a_number", 1)),
        ({"lines": [line(account="999")]}, ("account", "unknown_account", 1)),
        ({"lines": [line(tax_code="GST")]}, ("tax_code", "unknown_tax_code", 1)),
        ({"lines": [line(price="1")]}, ("price", "unknown_field", 1)),
    ],
    ids=lambda one: "-".join(map(str, one)) if isinstance(one, tuple) else "",
)
@pytest.mark.parametrize("name", ["invoice", "credit-note"])
def test_a_document_is_refused_by_field_code_and_line(
    caller: Caller, name: str, changes: dict[str, Any], expected: tuple[str, str, int | None]
) -> None:
    assert refusal(caller, name, {**caller.invoice(), **changes}) == expected


@pytest.mark.parametrize(
    "missing", ["number", "contact_id", "date", "due_date", "currency", "tax_basis"]
)
def test_a_document_needs_all_its_fields(caller: Caller, missing: str) -> None:
    wire = caller.invoice()
    del wire[missing]
    assert refusal(caller, "invoice", wire) == (missing, "missing", None)


def test_contacts_and_jobs_need_their_names(caller: Caller) -> None:
    assert refusal(caller, "contact", {"email": "a@b.example"}) == ("name", "missing", None)
    assert refusal(caller, "job", {"code": "", "name": "House"}) == ("code", "empty", None)
    assert refusal(caller, "job", ["J1"]) == ("", "not_an_object", None)


@pytest.mark.parametrize("name", ["invoice", "credit-note"])
def test_a_document_is_kept_as_it_came_with_id_and_total(caller: Caller, name: str) -> None:
    half = line(quantity="0.3333", unit_price="0.0001", net="0.10", tax="-0.01")
    wire = caller.invoice(number="N" * 20, tax_basis="inclusive", lines=[line(), half])
    said = taken(post(caller, name, wire))
    assert (said["number"], said["total"]) == ("N" * 20, "115.09")
    query = {"number": "N" * 20}
    [found] = caller.call("GET", f"/v1/{name}s", params=query).json()["items"]
    assert found == {**wire, "id": said["id"], "total": "115.09"}


def test_contacts_and_jobs_are_found_by_reference_and_code(caller: Caller) -> None:
    contact = {"name": "Harbour View Trust", "email": "a@b.example", "reference": "C-9"}
    job = {"code": "J0001", "name": "Harbour House"}
    ids = [taken(post(caller, "contact", contact))["id"], taken(post(caller, "job", job))["id"]]
    [found] = caller.call("GET", "/v1/contacts", params={"reference": "C-9"}).json()["items"]
    assert found == contact | {"id": ids[0]}
    [found] = caller.call("GET", "/v1/jobs", params={"code": "J0001"}).json()["items"]
    assert found == job | {"id": ids[1]}
    assert caller.call("GET", "/v1/jobs", params={"code": "J000"}).json() == {"items": []}


def test_nothing_is_unique(caller: Caller) -> None:
    wire = caller.invoice()
    ids = {taken(post(caller, "invoice", wire))["id"] for _ in range(2)}
    found = caller.call("GET", "/v1/invoices", params={"number": "ABT-1"}).json()["items"]
    assert {one["id"] for one in found} == ids
    assert len(ids) == 2


def test_every_company_file_has_books_of_its_own(caller: Caller) -> None:
    wire = caller.invoice()
    taken(post(caller, "invoice", wire))
    query = {"number": "ABT-1"}
    other = caller.call("GET", "/v1/invoices", params=query, file="surveying")
    assert other.json() == {"items": []}
    answer = post(caller, "invoice", wire, file="surveying")
    assert "unknown_contact" in answer.text
    assert caller.numbers() == ["ABT-1"]


@pytest.mark.parametrize("token", ["refused", " "])
def test_a_token_that_is_not_accepted_does_nothing(caller: Caller, token: str) -> None:
    answer = post(caller, "contact", {"name": "Nobody"}, token=token)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")
    assert not caller.standin.created


def test_without_a_company_file_nothing_is_done(caller: Caller) -> None:
    answer = post(caller, "contact", {"name": "Nobody"}, file="")
    assert (answer.status_code, answer.json()["code"]) == (400, "company_file_missing")
    assert not caller.standin.created


@pytest.mark.parametrize(("code", "field"), [("200", "account"), ("OUTPUT2", "tax_code")])
def test_a_code_made_inactive_is_listed_so_and_refused_by_name(
    caller: Caller, code: str, field: str
) -> None:
    switch = {"company_file": FILE, "code": code, "active": False}
    assert caller.control("code", switch).ok
    listed = caller.call("GET", "/v1/codes").json()
    active = {one["code"]: one["active"] for one in [*listed["accounts"], *listed["taxes"]]}
    assert [each for each in active if not active[each]] == [code]
    wire = caller.invoice()
    assert refusal(caller, "invoice", wire) == (field, f"inactive_{field}", 1)
    assert caller.control("code", switch | {"active": True}).ok
    taken(post(caller, "invoice", wire))
    assert caller.control("code", switch | {"code": "999"}).status_code == 400


def test_the_company_file_tells_where_it_is(caller: Caller) -> None:
    organisation = caller.call("GET", "/v1/codes").json()["organisation"]
    assert organisation["country"] == "NZ"
    assert organisation["currency"] == "NZD"


def test_what_is_not_there_is_not_answered(caller: Caller) -> None:
    assert caller.call("GET", "/v1/bills").status_code == 404
    assert caller.call("DELETE", "/v1/invoices").status_code == 405
    for query in ({}, {"number": [str(n) for n in range(21)]}, {"name": "A"}):
        assert caller.call("GET", "/v1/invoices", params=query).status_code == 400


def test_a_body_that_is_no_json_is_refused(caller: Caller) -> None:
    path = "/v1/contact" if isinstance(caller.standin, PlainStandIn) else "/v1/contacts"
    for body, kind in (("{", "application/json"), ("{}", "text/plain")):
        headers = {"Content-Type": kind, "Request-Id": "one"}
        assert caller.call("POST", path, data=body, headers=headers).status_code == 400


def test_all_that_was_made_is_on_record_in_order_with_its_request(caller: Caller) -> None:
    wire = caller.invoice()
    caller.pass_time(seconds=5)
    said = taken(post(caller, "invoice", wire))
    caller.standin.clear()
    caller.pass_time(seconds=5)
    taken(post(caller, "credit-note", wire | {"number": "CN-1"}))
    record = caller.standin.created
    assert [(one.kind, one.number, one.request) for one in record] == [
        ("contact", "Harbour View Trust", 0),
        ("invoice", "ABT-1", 1),
        ("credit-note", "CN-1", 2),
    ]
    assert (record[2].at - record[1].at).total_seconds() == 5
    state = caller.call("GET", "/_standin/state").json()
    assert [one["number"] for one in state["created"]] == [one.number for one in record]
    assert state["created"][1] == {
        "at": str(record[1].at),
        "request": 1,
        "company_file": FILE,
        "kind": "invoice",
        "id": said["id"],
        "number": "ABT-1",
        "reference": "key-ABT-1",
        "total": "115.00",
    }
    assert state["company_files"][FILE]["invoices"] == [
        wire | {"id": said["id"], "total": "115.00"}
    ]


def test_what_somebody_else_typed_in_is_found_like_all(caller: Caller) -> None:
    caller.standin.type_in_invoice(FILE, "ABT-1", "99.00")
    [found] = caller.call("GET", "/v1/invoices", params={"number": "ABT-1"}).json()["items"]
    assert found["total"] == "99.00"
