"""What was surely not written, and what is unknown."""

import gzip
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.base import http as http_module
from connectors.base.errors import (
    ConnectorError,
    NeedsReconnect,
    OutcomeUnknown,
    Rejected,
    RetryLater,
)
from connectors.base.http import Answer, Http, retry_after
from connectors.base.protocol import Connection, Limits, WireAnswer, WireRequest
from tests.connectors.base.raw import RawServer, answer, cut, free_port, hold_until

CANARY = "d1e-geheim"
TOKEN = f"{CANARY}-token"
SECRET_BODY = f'{{"secret": "{CANARY}"}}'.encode()


class Diary:
    """Token source, limiter and recorder in one: writes down what happens, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.requests: list[WireRequest] = []
        self.answers: list[WireAnswer] = []
        self.remaining: list[Mapping[str, int]] = []
        self.renewals = 0
        self.refuse: dict[str, Exception] = {}
        self.not_after: float | None = None

    def access_token(self) -> str:
        self._note("token")
        return TOKEN

    def renew(self, refused: str) -> str:
        self._note("renew")
        assert refused == TOKEN
        self.renewals += 1
        return f"{TOKEN}-newer"

    def acquire(self) -> None:
        self._note("limiter")

    def observe(self, remaining: Mapping[str, int]) -> None:
        self._note("left")
        self.remaining.append(remaining)

    def before_write(self, request: WireRequest) -> float | None:
        self._note("before")
        self.requests.append(request)
        return self.not_after

    def after_write(self, answer: WireAnswer) -> None:
        self._note("after")
        self.answers.append(answer)

    def _note(self, event: str) -> None:
        self.events.append(event)
        if event in self.refuse:
            raise self.refuse[event]


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def http_to(diary: Diary) -> Iterator[Callable[..., Http]]:
    """Makes an Http to an address; all are closed at the end."""
    made: list[Http] = []

    def make(url: str, explain: Any = lambda answer: None, **options: Any) -> Http:
        timeouts = {"connect_timeout": 2.0, "read_timeout": options.pop("read_timeout", 5.0)}
        connection = Connection(
            interface="1-2",
            company_file="f1",
            endpoints={},
            tokens=diary,
            limiter=diary,
            recorder=diary,
            limits=Limits(**timeouts),
        )
        made.append(Http(url, connection, explain, label="Ledger", **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def write(http: Http, body: Any = None) -> Any:
    return http.write("PUT", "/sales", body or {"number": "1"}, idempotency_key="key-1")


# --- Surely not written --------------------------------------------------------------------------


def test_a_refused_connection_wrote_nothing(http_to: Any, diary: Diary) -> None:
    http = http_to(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RetryLater, match=r"could not be reached\. Nothing was sent") as caught:
        write(http)
    assert not caught.value.congested
    assert diary.answers == [WireAnswer(status=0, body=b"", reason="ConnectionError")]


def test_a_write_whose_time_is_over_does_not_leave_any_more(http_to: Any, diary: Diary) -> None:
    """Its worker was stopped between committing it and using the socket."""
    with RawServer(answer()) as server:
        diary.not_after = time.monotonic() - 0.001
        with pytest.raises(RetryLater, match="Nothing was sent"):
            write(http_to(server.url))
        assert not any(server.requests)
    with RawServer(answer()) as server:
        diary.not_after = time.monotonic() + 60
        write(http_to(server.url))
        assert len(server.requests) == 1


def test_an_unknown_host_name_wrote_nothing(http_to: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(RetryLater):
        write(http_to("http://ledger.example"))


def test_a_connection_that_takes_too_long_wrote_nothing(
    http_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_long(*_: Any, **__: Any) -> Any:
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib3.connection.connection.create_connection", too_long)
    with pytest.raises(RetryLater):
        write(http_to("http://127.0.0.1:9"))


def test_a_failed_tls_handshake_wrote_nothing(http_to: Any) -> None:
    with RawServer() as server, pytest.raises(RetryLater):

        def speak_plainly(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 400 plain\r\n\r\n")

        server.acts.append(speak_plainly)
        write(http_to(f"https://127.0.0.1:{server.port}"))
    assert not any(b"/sales" in request for request in server.requests)


def test_a_base_url_that_is_none_says_so(http_to: Any, diary: Diary) -> None:
    with pytest.raises(RetryLater, match="address set on this server for Ledger"):
        write(http_to("ledger"))
    assert "before" not in diary.events


@pytest.mark.parametrize("stopper", ["token", "limiter", "before"])
def test_nothing_leaves_when_what_comes_before_the_call_fails(
    http_to: Any, diary: Diary, stopper: str
) -> None:
    diary.refuse[stopper] = RuntimeError("the lane was lost")
    with RawServer(answer()) as server:
        with pytest.raises(RuntimeError, match="the lane was lost"):
            write(http_to(server.url))
        assert server.requests == []
    assert "after" not in diary.events


def test_the_recorder_is_told_last_before_and_first_after(http_to: Any, diary: Diary) -> None:
    def watch(connection: socket.socket) -> None:
        diary.events.append("socket")
        answer()(connection)

    with RawServer(watch) as server:
        write(http_to(server.url))
    assert diary.events == ["token", "limiter", "before", "socket", "after"]


def test_how_many_calls_are_left_is_noted_only_after_the_answer_is_kept(
    http_to: Any, diary: Diary
) -> None:
    with RawServer(answer(headers={"X-Left": "12"})) as server:
        write(http_to(server.url, remaining={"X-Left": "minute"}))
    assert diary.events == ["token", "limiter", "before", "after", "left"]


def test_the_recorder_is_told_what_is_on_the_wire(http_to: Any, diary: Diary) -> None:
    with RawServer(answer(201, b'{"id": 7}')) as server:
        http = http_to(f"{server.url}/v1")
        http.write("PUT", "/sales", {"net": Decimal("1.10")}, idempotency_key="k", params={"a": 1})
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
    told = diary.requests[0]
    assert told.method == "PUT"
    assert told.path == "/v1/sales?a=1"
    assert told.body == body == b'{"net":1.10}'
    assert told.content_type == "application/json"
    assert told.idempotency_key == "k"
    assert b"Idempotency-Key: k\r\n" in head
    assert f"Authorization: Bearer {TOKEN}".encode() in head
    assert TOKEN not in str(told)
    assert diary.answers == [WireAnswer(status=201, body=b'{"id": 7}')]


# --- Unknown -------------------------------------------------------------------------------------


def test_a_write_without_an_answer_is_unknown_and_not_repeated(http_to: Any, diary: Diary) -> None:
    with RawServer(cut, answer()) as server:
        with pytest.raises(OutcomeUnknown, match="gave no clear answer"):
            write(http_to(server.url))
        assert len(server.requests) == 1
    assert diary.answers[0].status == 0
    assert diary.answers[0].reason


def test_a_write_on_a_line_that_went_stale_is_unknown(http_to: Any) -> None:
    with RawServer(answer(), cut) as server:
        http = http_to(server.url)
        write(http)
        with pytest.raises(OutcomeUnknown):
            write(http)
        assert len(server.requests) == 2


def test_a_write_answered_too_late_is_unknown(http_to: Any) -> None:
    released = threading.Event()
    with RawServer(hold_until(released)) as server:
        with pytest.raises(OutcomeUnknown):
            write(http_to(server.url, read_timeout=0.2))
        assert len(server.requests) == 1
        released.set()


def chunked(*parts: bytes, whole: bool) -> Callable[[socket.socket], None]:
    def act(connection: socket.socket) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for part in parts:
            connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if whole:
            connection.sendall(b"0\r\n\r\n")
        else:
            cut(connection)

    return act


UNREADABLE = {
    "empty": answer(200, b""),
    "HTML": answer(200, b"<html>", content_type="text/html"),
    "JSON under another name": answer(200, b"{}", content_type="text/html"),
    "truncated by its length": answer(200, b'{"id": 1}', length=400),
    "truncated in chunks": chunked(b'{"id":', whole=False),
    "half a JSON text": answer(200, b'{"id":'),
    "not UTF-8": answer(200, b'{"id": "\xff"}'),
    "not a number": answer(200, b'{"id": NaN}'),
    "nested without end": answer(200, b"[" * 100_000),
    "not what its encoding says": answer(200, b"{}", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.usefixtures("nothing_collected")
@pytest.mark.parametrize("act", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_success_that_cannot_be_read_is_unknown(http_to: Any, diary: Diary, act: Any) -> None:
    with RawServer(act) as server, pytest.raises(OutcomeUnknown):
        write(http_to(server.url))
    assert diary.answers[0].status == 200


@pytest.mark.usefixtures("nothing_collected")
@pytest.mark.parametrize("act", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_read_that_cannot_be_read_is_made_later(http_to: Any, act: Any) -> None:
    with RawServer(act) as server, pytest.raises(RetryLater):
        http_to(server.url).read("/sales")


def test_what_arrived_of_a_truncated_answer_is_kept(http_to: Any, diary: Diary) -> None:
    with RawServer(answer(200, b'{"id": 1', length=400)) as server, pytest.raises(OutcomeUnknown):
        write(http_to(server.url))
    kept = diary.answers[0]
    assert (kept.status, kept.body) == (200, b'{"id": 1')
    assert kept.reason


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_beyond_all_bounds_is_not_read_on(
    http_to: Any, diary: Diary, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    monkeypatch.setattr(http_module, "LARGEST_ANSWER", 1000)
    body = b'{"id": "' + b"x" * 200_000 + b'"}'
    act = answer(body=body)
    if packed:
        act = answer(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    with RawServer(act) as server, pytest.raises(OutcomeUnknown):
        write(http_to(server.url))
    assert len(diary.answers[0].body) == 1000
    assert diary.answers[0].reason == "answer too large"


def test_an_answer_that_dribbles_is_given_up(
    http_to: Any, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "BODY_GRACE", -100.0)
    with RawServer(answer()) as server, pytest.raises(OutcomeUnknown):
        write(http_to(server.url))
    assert diary.answers[0].reason == "answer too slow"


@pytest.mark.parametrize("status", [303, 408, 500, 502, 503, 504])
def test_trouble_after_a_write_is_unknown_and_before_a_read_is_not(
    http_to: Any, status: int
) -> None:
    with RawServer(answer(status), answer(status)) as server:
        http = http_to(server.url)
        with pytest.raises(OutcomeUnknown):
            write(http)
        with pytest.raises(RetryLater):
            http.read("/sales")
        assert len(server.requests) == 2


def test_only_a_package_that_says_so_makes_503_surely_not_written(http_to: Any) -> None:
    def explain(answer: Answer) -> ConnectorError | None:
        return RetryLater("Ledger is closed at night.") if answer.status == 503 else None

    act = answer(503, headers={"Retry-After": "90"})
    with RawServer(act) as server, pytest.raises(RetryLater, match="at night") as caught:
        write(http_to(server.url, explain))
    assert caught.value.after == timedelta(seconds=90)


def test_a_read_is_never_of_unknown_outcome(http_to: Any) -> None:
    with RawServer(answer(500)) as server, pytest.raises(RetryLater):
        http_to(server.url, lambda answer: OutcomeUnknown("Who knows.")).read("/sales")


# --- Reads ---------------------------------------------------------------------------------------


def test_a_read_on_a_cut_line_is_made_again(http_to: Any) -> None:
    with RawServer(cut, cut, answer(body=b'{"id": 1}')) as server:
        assert http_to(server.url).read("/sales") == {"id": 1}


def test_a_read_is_made_three_times_at_most(http_to: Any, diary: Diary) -> None:
    with RawServer(cut, cut, cut, answer()) as server:
        with pytest.raises(RetryLater):
            http_to(server.url).read("/sales")
        assert len(server.requests) == 3
    assert diary.events.count("limiter") == 3


def test_a_read_that_timed_out_is_not_made_again(http_to: Any) -> None:
    released = threading.Event()
    with RawServer(hold_until(released), answer()) as server:
        with pytest.raises(RetryLater):
            http_to(server.url, read_timeout=0.2).read("/sales")
        assert len(server.requests) == 1
        released.set()


def test_reads_are_not_recorded(http_to: Any, diary: Diary) -> None:
    with RawServer(answer()) as server:
        http_to(server.url).read("/sales")
    assert diary.events == ["token", "limiter"]


def test_amounts_are_decimal_and_counts_are_whole(http_to: Any) -> None:
    body = b'{"total": 10.10, "large": 9999999999.99, "count": 3, "tiny": 1e-3}'
    with RawServer(answer(body=body)) as server:
        read = http_to(server.url).read("/sales")
    assert str(read["total"]) == "10.10"
    assert read["large"] == Decimal("9999999999.99")
    assert read["tiny"] == Decimal("0.001")
    assert isinstance(read["count"], int)


def test_texts_hold_nothing_that_a_database_cannot(http_to: Any) -> None:
    body = rb'{"a\u0000b": ["cut \ud83d", {"c": "\udc00\u0000"}], "whole": "\ud83d\ude00 \\u0000"}'
    with RawServer(answer(body=body)) as server:
        read = http_to(server.url).read("/sales")
    assert read == {
        "a\ufffdb": ["cut \ufffd", {"c": "\ufffd\ufffd"}],
        "whole": "\U0001f600 \\u0000",
    }


def test_a_query_is_written_so_that_no_server_misreads_it(http_to: Any) -> None:
    with RawServer(answer()) as server:
        http_to(server.url).read("/sales", where='Name=="A & B+C"', archived=True)
        line = server.requests[0].split(b"\r\n")[0]
    assert line == b"GET /sales?where=Name%3D%3D%22A%20%26%20B%2BC%22&archived=true HTTP/1.1"


def test_what_is_missing_or_unchanged_reads_as_none(http_to: Any) -> None:
    with RawServer(answer(404, b"gone", content_type="text/html"), answer(304, b"")) as server:
        http = http_to(server.url)
        assert http.read_or_none("/sales/1") is None
        assert http.read("/sales", headers={"If-Modified-Since": "2026-11-01T00:00:00"}) is None
        assert b"If-Modified-Since: 2026-11-01T00:00:00\r\n" in server.requests[1]


def test_an_answer_without_content_is_none(http_to: Any) -> None:
    with RawServer(answer(204, b"")) as server:
        assert http_to(server.url).write("DELETE", "/links/1") is None


# --- Refusals ------------------------------------------------------------------------------------


def test_the_package_explains_its_refusals(http_to: Any) -> None:
    def explain(answer: Answer) -> ConnectorError | None:
        return Rejected(answer.json()["why"], field="number", code=answer.path)

    body = b'{"why": "The number is taken."}'
    with RawServer(answer(400, body)) as server, pytest.raises(Rejected) as caught:
        write(http_to(f"{server.url}/v1", explain))
    assert str(caught.value) == "The number is taken."
    assert caught.value.code == "/v1/sales"


def test_a_refusal_nobody_explains_is_still_one(http_to: Any) -> None:
    with RawServer(answer(422)) as server, pytest.raises(Rejected, match=r"Ledger refused.*422"):
        write(http_to(server.url))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(http_to: Any, status: int) -> None:
    with RawServer(answer()) as elsewhere:
        act = answer(status, headers={"Location": f"{elsewhere.url}/sales"})
        with RawServer(act) as server, pytest.raises(RetryLater, match="another address"):
            write(http_to(server.url))
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ({"Retry-After": "30"}, timedelta(seconds=30)),
        ({"Retry-After": "32400"}, timedelta(hours=9)),
        ({"Retry-After": "999999999999"}, timedelta(days=1)),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_too_many_calls_means_later(http_to: Any, header: Any, after: Any) -> None:
    with RawServer(answer(429, b"slow down", content_type="text/plain", headers=header)) as server:
        with pytest.raises(RetryLater) as caught:
            write(http_to(server.url))
        assert len(server.requests) == 1
    assert caught.value.congested
    assert caught.value.after == after


def test_a_wait_may_be_given_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    earlier = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    wait = retry_after({"Retry-After": later})
    assert wait is not None
    assert timedelta(minutes=9) < wait <= timedelta(minutes=10)
    assert retry_after({"Retry-After": earlier}) == timedelta(0)
    far = format_datetime(datetime.now(UTC) + timedelta(days=9), usegmt=True)
    assert retry_after({"Retry-After": far}) == timedelta(days=1)


def test_what_is_left_of_the_limits_is_passed_on(http_to: Any, diary: Diary) -> None:
    headers = {"X-Minute-Left": "12", "X-Day-Left": "many"}
    names = {"X-Minute-Left": "minute", "X-Day-Left": "day", "X-App-Left": "app"}
    with RawServer(answer(headers=headers), answer(429, headers=headers), answer()) as server:
        http = http_to(server.url, remaining=names)
        http.read("/sales")
        with pytest.raises(RetryLater):
            http.read("/sales")
        http.read("/sales")
    assert diary.remaining == [{"minute": 12}, {"minute": 12}]


# --- Tokens --------------------------------------------------------------------------------------


def test_a_refused_token_is_renewed_once_and_the_write_made_again(
    http_to: Any, diary: Diary
) -> None:
    with RawServer(answer(401), answer(body=b'{"id": 1}')) as server:
        assert write(http_to(server.url)) == {"id": 1}
        first, second = server.requests
    assert f"Bearer {TOKEN}\r\n".encode() in first
    assert f"Bearer {TOKEN}-newer\r\n".encode() in second
    assert first.split(b"\r\n\r\n")[1] == second.split(b"\r\n\r\n")[1]
    assert diary.events == [
        *("token", "limiter", "before", "after"),
        *("renew", "limiter", "before", "after"),
    ]


def test_a_second_refusal_of_the_token_asks_for_consent(http_to: Any, diary: Diary) -> None:
    with RawServer(answer(401), answer(401), answer()) as server:
        with pytest.raises(NeedsReconnect, match="Connect again"):
            write(http_to(server.url))
        assert len(server.requests) == 2
    assert diary.renewals == 1


def test_a_missing_permission_is_not_renewed_away(http_to: Any, diary: Diary) -> None:
    def explain(answer: Answer) -> ConnectorError | None:
        return NeedsReconnect("Permission for sales is missing.")

    with RawServer(answer(401), answer()) as server:
        with pytest.raises(NeedsReconnect, match="Permission for sales"):
            http_to(server.url, explain).read("/sales")
        assert len(server.requests) == 1
    assert diary.renewals == 0


def test_a_consent_that_is_gone_stops_before_the_call(http_to: Any, diary: Diary) -> None:
    diary.refuse["token"] = NeedsReconnect("Connect again.")
    with RawServer(answer()) as server:
        with pytest.raises(NeedsReconnect):
            write(http_to(server.url))
        assert server.requests == []


# --- Nothing leaks -------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [cut, answer(500, SECRET_BODY), answer(200, CANARY.encode())])
def test_errors_and_logs_hold_no_token_query_or_body(
    http_to: Any, caplog: pytest.LogCaptureFixture, act: Any
) -> None:
    caplog.set_level(logging.INFO)
    with RawServer(act) as server:
        http = http_to(server.url)
        with pytest.raises(OutcomeUnknown) as caught:
            http.write("PUT", "/sales", {"x": "CANARY-sent"}, params={"who": "CANARY-name"})
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "call package=Ledger interface=1-2 PUT /sales result=" in caplog.text
    assert CANARY not in told


def test_cookies_are_not_kept(http_to: Any) -> None:
    act = answer(headers={"Set-Cookie": "who=you; Path=/"})
    with RawServer(act, answer()) as server:
        http = http_to(server.url)
        http.read("/sales")
        http.read("/sales")
        assert b"Cookie" not in server.requests[1]


def test_a_netrc_file_does_not_replace_the_token(
    http_to: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(answer()) as server:
        http_to(server.url).read("/sales")
        assert f"Authorization: Bearer {TOKEN}\r\n".encode() in server.requests[0]


def test_one_line_serves_many_calls(http_to: Any) -> None:
    connections: set[int] = set()

    def count(connection: socket.socket) -> None:
        connections.add(id(connection))
        answer()(connection)

    with RawServer(count, count, count) as server, closing(http_to(server.url)) as http:
        for _ in range(3):
            http.read("/sales")
    assert len(connections) == 1
