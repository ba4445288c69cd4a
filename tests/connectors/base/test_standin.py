"""The base of the stand-ins: serving, remembering, and the fault script."""

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests
import simplejson
from werkzeug.wrappers import Request, Response

from connectors.base.alterations import ZERO_ID
from connectors.base.standin import Alter, Answer, Delay, Drop, Hold, StandIn, Truncate

LIST = [("a", "1.10"), ("b", "2.00"), ("c", "3.99")]


class Counter(StandIn):
    """Counts what is posted to it."""

    endpoint_names = ("api", "login")

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def answer(self, request: Request) -> Response:
        if request.path == "/broken":
            raise LookupError("a bug of the stand-in")
        if request.path == "/refused":
            return Response("no", 400)
        if request.method == "POST":
            self.count += 1
        if request.path == "/list":
            made = [{"id": f"id-{name}", "total": total} for name, total in LIST]
            return Response(simplejson.dumps({"made": made}), content_type="application/json")
        if request.path == "/one":
            one = '{"id": "id-a", "total": 0.10}'
            return Response(one, 201, {"Kept": "yes"}, content_type="application/json")
        return Response(f"count {self.count:020d}", content_type="text/plain")

    def takes(self, request: Request) -> float:
        return 3600.0 if request.path == "/slow" else 0.0

    def state(self) -> dict[str, object]:
        return {"count": self.count}

    def control(self, name: str, body: Mapping[str, object]) -> bool:
        if name == "count":
            self.count = int(str(body["count"]))
        return name == "count"


@pytest.fixture
def counter() -> Iterator[Counter]:
    with Counter() as running:
        yield running


def post(counter: StandIn, path: str = "/add", **rest: object) -> requests.Response:
    return requests.post(counter.url + path, timeout=10, **rest)  # type: ignore[arg-type]


def control(counter: StandIn, name: str, body: Mapping[str, object]) -> requests.Response:
    return post(counter, f"/_standin/{name}", json=body)


def test_every_endpoint_leads_to_the_one_server(counter: Counter) -> None:
    assert counter.endpoints == {"api": counter.url, "login": counter.url}


def test_a_busy_port_is_a_clear_error(counter: Counter) -> None:
    port = urlsplit(counter.url).port or 0
    with pytest.raises(OSError, match=f"Port {port} on 127.0.0.1 is in use"):
        Counter().start(port=port)


def test_a_stopped_server_can_be_started_again() -> None:
    standin = Counter()
    with standin:
        assert post(standin).ok
    with pytest.raises(RuntimeError, match="not running"):
        _ = standin.url
    with standin:
        assert post(standin).text.endswith("2")


def test_what_was_asked_is_remembered_without_the_secrets_in_its_headers(counter: Counter) -> None:
    post(
        counter,
        "/add",
        params={"a": "b"},
        data=b"body",
        headers={"Authorization": "Bearer s", "Cookie": "c=s", "X-Kept": "yes"},
    )
    [seen] = counter.requests
    assert (seen.method, seen.path, seen.query, seen.body) == ("POST", "/add", {"a": "b"}, b"body")
    assert seen.headers["X-Kept"] == "yes"
    assert {"Authorization", "Cookie"}.isdisjoint(seen.headers)
    assert (seen.status, seen.took_effect) == (200, True)


def test_a_refused_request_took_no_effect(counter: Counter) -> None:
    post(counter, "/refused")
    assert [(one.status, one.took_effect) for one in counter.requests] == [(400, False)]


def test_half_a_request_is_none(counter: Counter, caplog: pytest.LogCaptureFixture) -> None:
    address = urlsplit(counter.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(
            b"POST /add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf"
        )
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert (counter.count, counter.requests) == (0, [])
    assert caplog.records == []


def test_many_requests_at_once_are_each_counted(counter: Counter) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: post(counter), range(64)))
    assert counter.count == len(counter.requests) == 64


def test_a_bug_of_the_stand_in_is_loud() -> None:
    with pytest.raises(ExceptionGroup) as caught, Counter() as standin:
        assert post(standin, "/broken").status_code == 500
    assert isinstance(caught.value.exceptions[0], LookupError)


def test_a_drop_before_the_effect_leaves_nothing_done(counter: Counter) -> None:
    counter.script(fault=Drop(after_effect=False))
    with pytest.raises(requests.ConnectionError):
        post(counter)
    assert counter.count == 0
    assert [(one.status, one.took_effect) for one in counter.requests] == [(None, False)]


def test_a_drop_after_the_effect_leaves_it_done_and_unanswered(counter: Counter) -> None:
    counter.script(fault=Drop(after_effect=True))
    with pytest.raises(requests.ConnectionError):
        post(counter)
    assert counter.count == 1
    assert [(one.status, one.took_effect) for one in counter.requests] == [(None, True)]


def test_a_drop_is_a_reset_not_a_farewell(counter: Counter) -> None:
    counter.script(fault=Drop(after_effect=False))
    address = urlsplit(counter.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(100)


def test_a_truncated_answer_promises_more_than_it_sends(counter: Counter) -> None:
    counter.script(fault=Truncate())
    address = urlsplit(counter.url)
    connection = http.client.HTTPConnection(address.netloc, timeout=10)
    connection.request("POST", "/add")
    with connection.getresponse() as answer, pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    assert (answer.status, answer.headers["Content-Length"]) == (200, "26")
    assert len(caught.value.partial) == 13
    assert counter.count == 1


def test_an_answer_can_be_dictated_with_or_without_the_effect(counter: Counter) -> None:
    counter.script(fault=Answer(503, "down", {"Retry-After": "7"}))
    counter.script(fault=Answer(500, {"Title": "An error occurred"}, after_effect=True))
    down = post(counter)
    assert (down.status_code, down.text, down.headers["Retry-After"]) == (503, "down", "7")
    assert counter.count == 0
    broken = post(counter)
    assert (broken.status_code, broken.json()) == (500, {"Title": "An error occurred"})
    assert counter.count == 1


@pytest.mark.parametrize(
    ("name", "ids", "totals"),
    [
        ("fewer", ["id-a", "id-b"], ["1.10", "2.00"]),
        ("reversed", ["id-c", "id-b", "id-a"], ["3.99", "2.00", "1.10"]),
        ("zero ids", [ZERO_ID] * 3, ["1.10", "2.00", "3.99"]),
        ("empty ids", [""] * 3, ["1.10", "2.00", "3.99"]),
        ("without ids", [None] * 3, ["1.10", "2.00", "3.99"]),
        ("a cent more", ["id-a", "id-b", "id-c"], ["1.11", "2.01", "4.00"]),
    ],
)
def test_an_answer_can_be_altered_by_name(
    counter: Counter, name: str, ids: list[str | None], totals: list[str]
) -> None:
    assert control(counter, "script", {"fault": {"kind": "alter", "name": name}}).ok
    made = post(counter, "/list").json()["made"]
    assert ([one.get("id") for one in made], [one["total"] for one in made]) == (ids, totals)
    assert counter.count == 1


def test_an_answer_of_one_document_is_altered_to_the_digit(counter: Counter) -> None:
    counter.script(fault=counter.altered("a cent more"))
    altered = post(counter, "/one")
    assert (altered.status_code, altered.headers["Kept"]) == (201, "yes")
    assert altered.text == '{"id": "id-a", "total": 0.11}'
    counter.script(fault=Alter(lambda answer: [answer["id"]]))
    assert post(counter, "/one").json() == ["id-a"]


def test_an_alteration_of_what_is_no_json_is_loud() -> None:
    with pytest.raises(ExceptionGroup), Counter() as standin:
        standin.script(fault=standin.altered("fewer"))
        assert post(standin).status_code == 500


def test_what_takes_long_holds_up_nobody_else(counter: Counter) -> None:
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(post, counter, "/slow")
        counter.wait_for(path="/slow")
        assert post(counter).ok
        assert not slow.done()
        counter.stop()
        assert slow.result().ok


def test_requests_are_numbered_over_all_that_arrived(counter: Counter) -> None:
    post(counter)
    counter.clear()
    post(counter)
    post(counter)
    assert [one.number for one in counter.requests] == [2, 3]


def test_a_held_request_waits_before_its_effect(counter: Counter) -> None:
    release = threading.Event()
    counter.script(fault=Hold(release))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, counter)
        counter.wait_for(path="/add")
        assert counter.count == 0
        release.set()
        assert answer.result().ok
    assert counter.count == 1


def test_a_request_held_after_its_effect_is_done_but_not_answered(counter: Counter) -> None:
    release = threading.Event()
    counter.script(fault=Hold(release, after_effect=True))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, counter)
        counter.wait_for(path="/add", took_effect=True)
        assert counter.count == 1
        assert not answer.done()
        release.set()
        assert answer.result().ok


def test_a_delayed_request_is_answered_all_the_same(counter: Counter) -> None:
    counter.script(fault=Delay(0.05))
    assert post(counter).ok
    assert counter.count == 1


def test_stopping_lets_waiting_requests_go() -> None:
    standin = Counter().start()
    standin.script(fault=Hold(threading.Event()))
    standin.script(fault=Delay(3600))
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(post, standin) for _ in range(2)]
        standin.wait_for(path="/add", count=2)
        standin.stop()
        assert all(one.result().ok for one in answers)


def test_a_script_picks_by_method_and_whole_path_and_counts(counter: Counter) -> None:
    counter.script("POST", "/a.d", times=2, after=1, fault=Answer(503))
    assert requests.get(counter.url + "/add", timeout=10).ok
    assert post(counter, "/add/more").ok
    assert [post(counter).status_code for _ in range(4)] == [200, 503, 503, 200]


def test_a_script_without_an_end_goes_on_until_it_is_cleared(counter: Counter) -> None:
    counter.script(times=None, fault=Answer(503))
    assert [post(counter).status_code for _ in range(3)] == [503, 503, 503]
    counter.clear()
    assert post(counter).ok


def test_lines_of_a_script_are_used_in_their_order(counter: Counter) -> None:
    counter.script(fault=Answer(503))
    counter.script(fault=Answer(429))
    assert [post(counter).status_code for _ in range(3)] == [503, 429, 200]


def test_waiting_for_a_request_that_does_not_come_ends(counter: Counter) -> None:
    with pytest.raises(TimeoutError, match="No request 1 of GET /never"):
        counter.wait_for(method="GET", path="/never", timeout=0.01)


def test_another_process_can_script_look_and_clear(counter: Counter) -> None:
    asked = {"method": "POST", "path": "/add", "fault": {"kind": "answer", "status": 503}}
    assert control(counter, "script", asked).ok
    assert post(counter).status_code == 503
    assert control(counter, "script", {"fault": {"kind": "drop", "after_effect": True}}).ok
    with pytest.raises(requests.ConnectionError):
        post(counter)
    seen = requests.get(counter.url + "/_standin/requests", timeout=10).json()["requests"]
    assert [(one["status"], one["took_effect"]) for one in seen] == [(503, False), (None, True)]
    assert requests.get(counter.url + "/_standin/state", timeout=10).json() == {"count": 1}
    assert control(counter, "clear", {}).ok
    assert counter.requests == []


def test_another_process_can_hold_a_request_and_release_it(counter: Counter) -> None:
    assert control(counter, "script", {"fault": {"kind": "hold", "name": "one"}}).ok
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, counter)
        counter.wait_for(path="/add")
        assert counter.count == 0
        assert control(counter, "release", {"name": "one"}).ok
        assert answer.result().ok


def test_a_package_has_controls_of_its_own(counter: Counter) -> None:
    assert control(counter, "count", {"count": 7}).ok
    assert counter.count == 7
    assert control(counter, "count", {}).status_code == 400
    assert requests.get(counter.url + "/_standin/count", timeout=10).status_code == 404


def test_controls_refuse_what_they_do_not_understand(counter: Counter) -> None:
    faults: list[dict[str, object]] = [
        {},
        {"kind": "flood"},
        {"kind": "drop"},
        {"kind": "delay", "hours": 1},
        {"kind": "alter", "name": "nothing"},
    ]
    for fault in faults:
        assert control(counter, "script", {"fault": fault}).status_code == 400
    assert control(counter, "script", {"path": "(", "fault": {"kind": "truncate"}}).ok is False
    assert control(counter, "nothing", {}).status_code == 404


def test_controls_cannot_be_reached_by_a_form_in_a_browser(counter: Counter) -> None:
    answer = post(counter, "/_standin/clear", data=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_controls_only_answer_this_computer() -> None:
    builder = {"REQUEST_METHOD": "GET", "PATH_INFO": "/_standin/state", "REMOTE_ADDR": "192.0.2.7"}
    status: list[str] = []
    list(Counter()._serve(builder, lambda line, headers: status.append(line)))
    assert status == ["403 FORBIDDEN"]


def test_a_body_beyond_all_measure_is_refused(counter: Counter) -> None:
    counter.largest_body = 10
    assert post(counter, data=b"x" * 11).status_code == 413
    assert counter.count == 0


def test_the_oldest_requests_are_forgotten_when_they_grow_too_many(counter: Counter) -> None:
    counter.kept, counter.kept_bytes = 3, 10
    for body in (b"1", b"2", b"3", b"4"):
        post(counter, data=body)
    assert [one.body for one in counter.requests] == [b"2", b"3", b"4"]
    post(counter, data=b"x" * 9)
    assert [one.body for one in counter.requests] == [b"4", b"x" * 9]
