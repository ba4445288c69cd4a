"""Many rehearsals in one server: each has its own books, and none lasts for ever."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from werkzeug.wrappers import Request, Response

from connectors.base import rehearsals
from connectors.base.rehearsals import Rehearsals
from connectors.base.standin import StandIn
from connectors.xero.standin import XeroStandIn
from connectors.xero.standin_signin import AUTHORIZE

OURS, THEIRS = "a" * 40, "b" * 40


class Echo(StandIn):
    """Tells below which prefix it was asked, and with which cookies."""

    def answer(self, request: Request) -> Response:
        return Response(f"{request.root_path} {list(request.cookies)}")


@pytest.fixture
def now() -> list[float]:
    """What the server's clock shows."""
    return [0.0]


@pytest.fixture
def server(now: list[float]) -> Iterator[Rehearsals]:
    """Two rehearsals at most, of Xero or of what tells how it was asked."""

    def make(package: str) -> StandIn | None:
        kinds: dict[str, type[StandIn]] = {"xero": XeroStandIn, "echo": Echo}
        return kinds[package]() if package in kinds else None

    with Rehearsals(
        make,
        admits=lambda token: token != "c" * 40,
        most=2,
        idle=timedelta(hours=1),
        clock=lambda: now[0],
    ) as running:
        yield running


def below(server: Rehearsals, token: str) -> str:
    return f"{server.url}/xero/{token}"


def look_in(server: Rehearsals, token: str) -> int:
    """What the API answers to somebody who has not signed in: 401 where it is there."""
    return requests.get(f"{below(server, token)}/connections", timeout=10).status_code


def test_its_sign_in_page_leads_to_itself_and_back(server: Rehearsals) -> None:
    asked = {
        "response_type": "code",
        "client_id": "standin-client",
        "redirect_uri": "http://localhost:8000/back",
        "scope": "accounting.invoices",
        "state": "s",
    }
    place = f"{below(server, OURS)}{AUTHORIZE}"
    page = requests.get(place, params=asked, timeout=10)
    action = f"/xero/{OURS}{AUTHORIZE}"
    assert f'action="{action}"' in page.text
    standin = server.standin("xero", OURS)
    assert isinstance(standin, XeroStandIn)
    given: dict[str, Any] = {
        **asked,
        "decision": "allow",
        "organisation": next(iter(standin.organisations)),
    }
    back = requests.post(f"{server.url}{action}", data=given, allow_redirects=False, timeout=10)
    assert back.status_code == 302
    assert "code" in parse_qs(urlsplit(back.headers["Location"]).query)
    assert server.standin("xero", THEIRS) is None


def test_each_has_books_of_its_own(server: Rehearsals) -> None:
    assert {look_in(server, OURS), look_in(server, THEIRS)} == {401}
    ours, theirs = server.standin("xero", OURS), server.standin("xero", THEIRS)
    assert ours is not None
    assert theirs is not None
    assert ours is not theirs
    assert [one.path for one in ours.requests] == ["/connections"]


@pytest.mark.parametrize("slashes", ["/", "//", "/./"])
def test_its_controls_are_reached_by_nobody(server: Rehearsals, slashes: str) -> None:
    look_in(server, OURS)
    for method, name in (("GET", "state"), ("GET", "requests"), ("POST", "clear")):
        place = f"{below(server, OURS)}{slashes}_standin/{name}"
        answer = requests.request(method, place, json={} if method == "POST" else None, timeout=10)
        assert answer.status_code in {401, 404}, place
    standin = server.standin("xero", OURS)
    assert standin is not None
    assert len(standin.requests) == 4


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        (f"/abacus/{OURS}/", 404),
        ("/xero/short/connections", 404),
        (f"/xero/{OURS}x.y/connections", 404),
        (f"/xero/{'c' * 40}/connections", 404),
        ("/_standin/state", 404),
        ("/favicon.ico", 404),
    ],
)
def test_what_is_no_rehearsal_is_not_there(server: Rehearsals, path: str, status: int) -> None:
    assert requests.get(f"{server.url}{path}", timeout=10).status_code == status
    assert server.standin("xero", OURS) is None


def test_cookies_of_the_product_are_not_passed_on(server: Rehearsals) -> None:
    place = f"{server.url}/echo/{OURS}/"
    told = requests.get(place, cookies={"sessionid": "x"}, timeout=10).text
    assert told == f"/echo/{OURS} []"


def test_it_is_emptied_when_told_to(server: Rehearsals) -> None:
    look_in(server, OURS)
    assert requests.delete(below(server, OURS), timeout=10).status_code == 204
    assert server.standin("xero", OURS) is None
    assert requests.delete(below(server, OURS), timeout=10).status_code == 404


def test_the_one_that_was_not_used_for_longest_makes_room(
    server: Rehearsals, now: list[float]
) -> None:
    for token in (OURS, THEIRS, OURS, "d" * 40):
        look_in(server, token)
    assert server.standin("xero", THEIRS) is None
    assert server.standin("xero", OURS) is not None


def test_one_nobody_uses_is_emptied(server: Rehearsals, now: list[float]) -> None:
    look_in(server, OURS)
    now[0] = 3599.0
    look_in(server, THEIRS)
    now[0] = 3600.0
    look_in(server, THEIRS)
    assert server.standin("xero", OURS) is None
    assert server.standin("xero", THEIRS) is not None


def test_one_that_was_sent_too_much_takes_no_more(
    server: Rehearsals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsals, "MOST_BYTES", 10)
    place = f"{below(server, OURS)}/connections"
    statuses = [requests.post(place, data=b"x" * 6, timeout=10).status_code for _ in range(2)]
    assert statuses == [401, 413]
    chunked = requests.post(f"{below(server, THEIRS)}/x", data=iter([b"x"]), timeout=10)
    assert chunked.status_code == 411
