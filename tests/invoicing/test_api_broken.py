"""Whatever comes in, the answer says what is wrong with it and nothing is stored."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoicing.models import Client, Invoice
from tests.invoicing.abtrac import (
    Abtrac,
    abtrac,
    client,
    invoice,
    job,
    line,
    office,
    problems,
    rows_of,
    setting,
)

__all__ = ["abtrac"]

pytestmark = pytest.mark.django_db

DEEP = b"[" * 50_000 + b"]" * 50_000
NESTED = '{"a":' * 400 + "1" + "}" * 400


@pytest.mark.usefixtures("nothing_collected")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"{'rows': []}",
        b'{"rows": [}',
        b'{"rows": []} trailing',
        b'{"rows": NaN}',
        b'{"rows": Infinity}',
        b'{"rows": [-Infinity]}',
        b'{"rows": ["\x00"]}',
        b'{"rows": ["\xff\xfe"]}',
        '{"rows": []}'.encode("utf-16"),
        b'{"rows": [], "rows": []}',
        b'{"rows": [{"abtrac_id": "C1", "abtrac_id": "C2"}]}',
        b'{"rows": [' + b"9" * 5000 + b"]}",
        b'{"rows": [1e99999999999999999999999]}',
        DEEP,
        b'{"rows": ' + DEEP + b"}",
        b"null",
        b"true",
        b"7",
        b'"rows"',
        b"[]",
        b"{}",
        b'{"rows": null}',
        b'{"rows": {}}',
        b'{"rows": "all"}',
        b'{"rows": [], "more": 1}',
        b'{"rows": [], "\\ud800": 1}',
        b'{"rows": [null, 1, "x", [], true]}',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_body_that_is_no_call_is_refused(abtrac: Abtrac, body: bytes) -> None:
    for path in ("clients", "invoices", "offices"):
        answer = abtrac.call("PUT", path, body)
        assert answer.status_code == 400, answer.content
        problems(answer)
    answer = abtrac.call("POST", "invoices/approve", body.replace(b"rows", b"invoices"))
    assert answer.status_code == 400, answer.content
    problems(answer)


WRONG_TEXTS: list[Any] = [
    *(None, 1, 1.5, True, [], {}, ["x"], {"x": "y"}),
    *(
        "x\u0000y",
        "\u0000",
        "x\ty",
        "x\ny",
        "x\u001by",
        "x\u0085y",
        "x\u2028y",
        "\ud800",
        "a\udfff",
    ),
    "x" * 256,
    json.loads(NESTED),
]


@pytest.mark.parametrize("value", WRONG_TEXTS, ids=lambda value: repr(value)[:30])
def test_a_text_that_is_none_is_refused(abtrac: Abtrac, value: Any) -> None:
    answer = abtrac.put("clients", client("C2", name=value), client(abtrac_id=value))
    assert answer.status_code == 400
    assert set(problems(answer)) == {"rows[0].name", "rows[1].abtrac_id"}
    assert len(rows_of(abtrac, Client)) == 1


@pytest.mark.parametrize(
    "character",
    list(
        "\u00ad\u061c\u200b\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufeff\u3164\U000e0041"
    ),
    ids=ascii,
)
def test_a_number_or_id_holds_nothing_that_cannot_be_seen(abtrac: Abtrac, character: str) -> None:
    value = f"AK-{character}1"
    answer = abtrac.put("invoices", invoice(number=value))
    assert problems(answer) == {"rows[0].number": "invisible"}
    message = answer.json()["problems"][0]["message"]
    assert f"cannot be seen, U+{ord(character):04X}." in message
    for path, row in (("clients", client(value)), ("jobs", job(value)), ("offices", office(value))):
        assert problems(abtrac.put(path, row)) == {"rows[0].abtrac_id": "invisible"}
    assert problems(abtrac.put("jobs", job(client=value)))["rows[0].client"]
    # A name is spelled as it is spelled.
    assert abtrac.put("clients", client("C2", name=f"Ravi{character} Ltd")).status_code == 200


def test_a_line_may_hold_several_lines_of_text_and_nothing_else_may(abtrac: Abtrac) -> None:
    text = "Concept\r\ndesign\tand more"
    sent = invoice(lines=[line(1, description=text)])
    assert abtrac.put("invoices", sent).status_code == 200
    assert abtrac.put("invoices", sent).json()["unchanged"] == 1
    sent = invoice(lines=[line(1, description=f"{text}\u0000")], name_on_invoice="two\nlines")
    assert problems(abtrac.put("invoices", sent)) == {
        "rows[0].lines[0].description": "control",
        "rows[0].name_on_invoice": "control",
    }


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "invalid"),
        (" 1", "invalid"),
        ("1,150.00", "invalid"),
        ("$1", "invalid"),
        ("1e2", "invalid"),
        ("NaN", "invalid"),
        ("Infinity", "invalid"),
        ("-", "invalid"),
        (".5", "invalid"),
        ("1_000", "invalid"),
        ("\uff11\uff12", "invalid"),
        ("0" * 41, "invalid"),
        (True, "invalid"),
        (None, "null"),
        ([], "invalid"),
        ({}, "invalid"),
        ("1.005", "decimals"),
        ("1.000", "decimals"),
        (Decimal("0.001"), "decimals"),
        (1e-300, "decimals"),
        ("10000000000", "digits"),
        (10**10, "digits"),
        (10**400, "digits"),
        (1e300, "digits"),
    ],
    ids=repr,
)
def test_an_amount_that_is_none_is_refused(abtrac: Abtrac, value: Any, code: str) -> None:
    row = invoice(net=value)
    body = json.dumps({"rows": [row]}, default=lambda number: float(number)).encode()
    answer = abtrac.call("PUT", "invoices", body)
    assert answer.status_code == 400
    assert problems(answer)["rows[0].net"] == code


@pytest.mark.parametrize("number", ["1e999999999", "-1e999999", "1e-999999999", "1E+400"])
def test_a_number_of_absurd_size_is_refused_at_once(abtrac: Abtrac, number: str) -> None:
    body = json.dumps({"rows": [invoice(net="@"), invoice("I2", lines=[line(1, quantity="@")])]})
    answer = abtrac.call("PUT", "invoices", body.replace('"@"', number).encode())
    assert answer.status_code == 400
    assert {"rows[0].net", "rows[1].lines[0].quantity"} <= problems(answer).keys()


@pytest.mark.parametrize(
    "value",
    [
        *("2026-02-30", "2026-1-5", "20260105", "2026-W01-1", "05/01/2026", "0206-11-20"),
        *(
            "2026-11-20T00:00:00",
            "",
            "tomorrow",
            20261120,
            None,
            [],
            True,
            "\uff12026-01-05",
            "2100-01-01",
        ),
    ],
    ids=repr,
)
def test_a_date_that_is_none_is_refused(abtrac: Abtrac, value: Any) -> None:
    answer = abtrac.put("invoices", invoice(issued=value, due="2026-12-20"))
    assert answer.status_code == 400
    assert set(problems(answer)) == {"rows[0].issued"}


@pytest.mark.parametrize("value", ["1", 1.5, True, None, [], -1, 2**31, 10**30, "1e1"], ids=repr)
def test_a_count_that_is_none_is_refused(abtrac: Abtrac, value: Any) -> None:
    answer = abtrac.put("invoice-settings", setting(next_number=value))
    assert answer.status_code == 400
    assert set(problems(answer)) == {"rows[0].next_number"}


@pytest.mark.parametrize("value", ["Time", "", None, 1, [], {}, json.loads(NESTED), "time "])
def test_a_word_that_is_not_of_the_list_is_refused(abtrac: Abtrac, value: Any) -> None:
    answer = abtrac.put(
        "invoices", invoice(tax_basis=value), invoice("I2", lines=[line(1, kind=value)])
    )
    assert answer.status_code == 400
    assert {"rows[0].tax_basis", "rows[1].lines[0].kind"} == problems(answer).keys()
    assert value is None or "Give one of: exclusive, inclusive." in answer.content.decode()


@pytest.mark.parametrize(
    "value", ["nzd", "NZ", "NZDX", "N Z", "\uff2eZD", "NZ\u0000", 1, None, "NZD\nX"]
)
def test_a_currency_is_three_capital_letters(abtrac: Abtrac, value: Any) -> None:
    answer = abtrac.put("invoices", invoice(currency=value))
    assert answer.status_code == 400
    assert set(problems(answer)) == {"rows[0].currency"}


@pytest.mark.parametrize("value", ["a/b", "a b", "..", "-1", "?", "#", "é", "1" * 41, "", 7])
def test_an_invoice_id_needs_no_escaping_in_an_address(abtrac: Abtrac, value: Any) -> None:
    answer = abtrac.put("invoices", invoice(value))
    assert answer.status_code == 400
    assert set(problems(answer)) == {"rows[0].abtrac_id"}


@pytest.mark.parametrize("ids", [[1], [None], [""], ["x\u0000"], ["\ud800"], ["1" * 41], [[]]])
def test_ids_that_are_none_are_refused(abtrac: Abtrac, ids: list[Any]) -> None:
    for step in ("approve", "commit", "uncommit"):
        answer = abtrac.call("POST", f"invoices/{step}", {"invoices": ids})
        assert answer.status_code == 400
        assert set(problems(answer)) == {"invoices[0]"}


def test_too_many_ids_or_lines_are_refused(abtrac: Abtrac) -> None:
    ids = [f"I{index}" for index in range(1001)]
    answer = abtrac.move("approve", *ids)
    assert answer.status_code == 413
    assert problems(answer) == {"invoices": "too_large"}
    lines = [line(place, "1.00") for place in range(1, 1002)]
    answer = abtrac.put("invoices", invoice(lines=lines))
    assert answer.status_code == 400
    assert problems(answer) == {"rows[0].lines": "max_length"}


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "multipart/form-data; boundary=x", "text/json", "x", ""],
)
def test_another_content_type_is_refused(abtrac: Abtrac, content_type: str) -> None:
    answer = abtrac.call("PUT", "clients", b'{"rows": []}', content_type=content_type)
    assert answer.status_code == 415
    problems(answer)
    answer = abtrac.call("PUT", "invoices/I1/pdf", b"%PDF-1.4", content_type=content_type)
    assert answer.status_code == 415
    problems(answer)


def test_what_is_wrong_is_told_with_what_to_do(abtrac: Abtrac) -> None:
    row = {**invoice(number="", due=None, recipient="x" * 256), "lines": "none"}
    del row["issued"]
    few = invoice("I2", lines=[line(0)])
    told = abtrac.put("invoices", row, few, {**invoice("I3"), "lines": []})
    says = {one["path"]: one["message"] for one in told.json()["problems"]}
    assert problems(told).keys() == says.keys()
    assert says["rows[0].number"] == "This is empty. Give a text."
    assert says["rows[0].issued"] == "This is missing. Give it a value."
    assert says["rows[0].due"] == (
        "This is null. Give it a value; where it may be empty, leave it out."
    )
    assert says["rows[0].recipient"] == "This is too long. Give 255 characters at most."
    assert says["rows[0].lines"] == "Give a list."
    assert says["rows[1].lines[0].position"] == "Give a whole number from 1 on."
    assert says["rows[2].lines"] == "This list is too short. Give at least 1."
    told = abtrac.call("PUT", "clients", b"<rows/>", content_type="application/xml")
    assert told.json()["problems"][0]["message"] == (
        "This call takes no other body than “application/json”. Send “Content-Type:"
        " application/json”."
    )
    told = abtrac.call("DELETE", "clients")
    assert told.json()["problems"][0]["message"] == (
        "This address does not take that method. Call it with POST or PUT."
    )
    told = abtrac.call("GET", "uploads", accept="text/html")
    assert "Answers are JSON" in told.json()["problems"][0]["message"]


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "hex", "rot13", "nonsense"])
def test_json_is_utf_8_whatever_the_header_says(abtrac: Abtrac, charset: str) -> None:
    body = json.dumps({"rows": [client("C2", name="Ngāta")]}, ensure_ascii=False).encode()
    answer = abtrac.call(
        "PUT",
        "clients",
        b"\xef\xbb\xbf" + body,
        content_type=f"application/json; charset={charset}",
    )
    assert answer.status_code == 200
    assert [one.name for one in rows_of(abtrac, Client, abtrac_id="C2")] == ["Ngāta"]


def test_a_body_over_the_limit_is_refused_unread(abtrac: Abtrac, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    for call in (
        abtrac.call("PUT", "clients", b" " * 1001),
        abtrac.move("approve", *["I1"] * 300),
        abtrac.put_pdf("I1", b"%PDF-" + b" " * 1000),
    ):
        assert call.status_code == 413
        assert problems(call) == {"": "too_large"}


def test_a_pdf_over_its_limit_is_refused(abtrac: Abtrac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invoicing.invoices.PDF_MAX_BYTES", 1000)
    abtrac.put("invoices", invoice())
    assert abtrac.put_pdf("I1", b"%PDF-" + b" " * 995).status_code == 200
    answer = abtrac.put_pdf("I1", b"%PDF-" + b" " * 996)
    assert answer.status_code == 413
    assert problems(answer) == {"": "too_large"}


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04", b"\x00"])
def test_what_is_no_pdf_is_refused(abtrac: Abtrac, content: bytes) -> None:
    abtrac.put("invoices", invoice())
    answer = abtrac.put_pdf("I1", content)
    assert answer.status_code == 400
    problems(answer)


@pytest.mark.parametrize(
    "query",
    [
        *("since=x", "since=-1", "since=1.5", "since=", "since=" + "9" * 19, "since=%00"),
        *("limit=0", "limit=501", "limit=x", "limit=", "limit=-1", "limit=1e2", "sinse=1", "%ff=1"),
    ],
)
def test_a_question_that_is_none_is_refused(abtrac: Abtrac, query: str) -> None:
    answer = abtrac.get(f"uploads?{query}")
    assert answer.status_code == 400
    problems(answer)


@pytest.mark.parametrize("path", ["%00", "%ff", "%ed%a0%80", "x" * 3000, "%2e%2e", "I1%0a"])
def test_an_id_that_can_be_none_is_not_found(abtrac: Abtrac, path: str) -> None:
    answer = abtrac.get(f"invoices/{path}")
    assert answer.status_code == 404
    problems(answer)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from([*invoice(), "job", "credits", "invoice_setting", "tax_code"])
line_fields = st.sampled_from([*line(), "job", "task"])


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.dictionaries(fields, anything, max_size=3),
    line_changes=st.dictionaries(line_fields, anything, max_size=3),
)
def test_a_row_with_anything_in_it_is_stored_or_explained(
    abtrac: Abtrac, changes: dict[str, Any], line_changes: dict[str, Any]
) -> None:
    sent = invoice(lines=[line(1) | line_changes] if all_amounts(line_changes) else None) | changes
    answer = abtrac.call("PUT", "invoices", json.dumps({"rows": [sent]}).encode())
    assert answer.status_code in {200, 400}, answer.content
    if answer.status_code == 400:
        problems(answer)
        assert all(one.revision > 0 for one in rows_of(abtrac, Invoice))


def all_amounts(changes: dict[str, Any]) -> bool:
    """Whether the helper that adds lines up can still do so."""
    return not changes.keys() & {"net", "tax"}
