"""The proxy between product and package does to the line what it is told."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from werkzeug.wrappers import Request, Response

from connectors.base.standin import StandIn
from tests.faults.wire import Cut, Hold, Swallow, Wire

BODY = b"b" * 100_000


class Echo(StandIn):
    """Answers what it was sent."""

    def answer(self, request: Request) -> Response:
        return Response(request.get_data())


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as running:
        yield running


@pytest.fixture
def wire(echo: Echo) -> Iterator[Wire]:
    with Wire(echo.url) as running:
        yield running


def post(wire: Wire, *, timeout: float = 20.0) -> requests.Response:
    return requests.post(f"{wire.url}/echo", data=BODY, timeout=timeout)


def test_what_is_not_scripted_passes_whole_in_both_directions(echo: Echo, wire: Wire) -> None:
    with requests.Session() as session:
        for _ in range(3):
            assert session.post(f"{wire.url}/echo", data=BODY, timeout=20).content == BODY
    assert [len(one.body) for one in echo.requests] == [len(BODY)] * 3


def test_nobody_is_reached_where_it_does_not_listen(echo: Echo, wire: Wire) -> None:
    wire.refuse()
    with pytest.raises(requests.ConnectionError, match="refused"):
        post(wire)
    wire.listen()
    assert post(wire).ok
    assert len(echo.requests) == 1


def test_a_reset_before_any_byte_reaches_the_package(echo: Echo, wire: Wire) -> None:
    wire.script("POST /echo", Cut())
    with pytest.raises(requests.ConnectionError):
        post(wire)
    assert post(wire).ok
    assert len(echo.requests) == 1


def test_a_request_cut_in_its_body_does_nothing(echo: Echo, wire: Wire) -> None:
    wire.script("POST /echo", Cut(body=50_000))
    with pytest.raises(requests.ConnectionError):
        post(wire)
    assert post(wire).ok
    assert [len(one.body) for one in echo.requests] == [len(BODY)]


def test_an_answer_cut_behind_its_head_has_its_status_and_no_body(echo: Echo, wire: Wire) -> None:
    wire.script("POST /echo", Cut(of_answer=True, body=0))
    with requests.post(f"{wire.url}/echo", data=BODY, timeout=20, stream=True) as answer:
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            _ = answer.content
    assert [one.took_effect for one in echo.requests] == [True]


def test_an_answer_cut_in_its_body_has_so_much_of_it(wire: Wire) -> None:
    wire.script("POST /echo", Cut(of_answer=True, body=50_000))
    got = b""
    answer = requests.post(f"{wire.url}/echo", data=BODY, timeout=20, stream=True)
    with answer, pytest.raises(requests.exceptions.ChunkedEncodingError):
        for part in answer.iter_content(1000):
            got += part
    assert got == BODY[:50_000]


def test_an_answer_cut_before_its_head_is_none(echo: Echo, wire: Wire) -> None:
    wire.script("POST /echo", Cut(of_answer=True))
    with pytest.raises(requests.ConnectionError):
        post(wire)
    assert [one.took_effect for one in echo.requests] == [True]


def test_a_request_held_reaches_the_package_though_its_caller_has_gone(
    echo: Echo, wire: Wire
) -> None:
    go_on = threading.Event()
    wire.script("POST /echo", Hold(event=go_on))
    with pytest.raises(requests.ReadTimeout):
        post(wire, timeout=0.2)
    assert not [one for one in echo.requests if one.took_effect]
    go_on.set()
    echo.wait_for(path="/echo", took_effect=True)


def test_an_answer_held_comes_when_it_is_let_go(echo: Echo, wire: Wire) -> None:
    go_on = threading.Event()
    wire.script("POST /echo", Hold(event=go_on, of_answer=True))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, wire)
        echo.wait_for(path="/echo", answered=True)
        assert not answer.done()
        go_on.set()
        assert answer.result().content == BODY


def test_what_is_swallowed_is_never_answered(echo: Echo, wire: Wire) -> None:
    wire.script("POST /echo", Swallow())
    with pytest.raises(requests.ReadTimeout):
        post(wire, timeout=0.2)
    assert echo.requests == []


def test_a_script_goes_by_how_requests_begin_and_counts(echo: Echo, wire: Wire) -> None:
    wire.script("POST /echo", Cut(), times=2, after=1)
    assert requests.get(f"{wire.url}/echo", timeout=20).ok
    went = []
    with requests.Session() as session:
        for _ in range(4):
            try:
                went.append(session.post(f"{wire.url}/echo", data=BODY, timeout=20).ok)
            except requests.ConnectionError:
                went.append(False)
    assert went == [True, False, False, True]
