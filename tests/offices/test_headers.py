"""The headers every answer carries, and the addresses a practice can never take."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings as product
from django.test import Client

from offices.models import RESERVED_SLUGS, Practice, User
from tests.commands import ROOT, fresh_environment
from tests.routes import address_of, routes

WORDS = {"package_key": "ledger", "prefix": "abcdefgh"}


def values_of(practice: Practice) -> Mapping[str, str]:
    """The practice's own address, and rows that are not there."""
    return defaultdict(lambda: "1", WORDS | {"practice_slug": practice.slug})


def check(answer: Any) -> None:
    address = answer.request["PATH_INFO"]
    assert "no-store" in answer["Cache-Control"], address
    assert answer["X-Content-Type-Options"] == "nosniff", address
    assert answer["X-Frame-Options"] == "DENY", address
    assert answer["Referrer-Policy"] == "same-origin", address
    policy = {
        part.split()[0]: part.split()[1:] for part in answer["Content-Security-Policy"].split(";")
    }
    assert policy["frame-ancestors"] == ["'none'"], address
    assert policy["default-src"] == ["'self'"], address
    assert policy["object-src"] == ["'none'"], address
    assert "unsafe" not in answer["Content-Security-Policy"], address


def test_every_route_answers_everybody_with_all_headers(
    practice: Practice, admin: User, logged_in: Callable[[User], Client]
) -> None:
    found = routes()
    assert len(found) > 30
    for client in (Client(), logged_in(admin)):
        client.raise_request_exception = False
        for route in found:
            if "logout" in route:
                continue
            address = address_of(route, values_of(practice))
            for method in ("GET", "HEAD", "POST"):
                answer = client.generic(method, address)
                check(answer)
                assert answer.status_code != 500, f"{method} {address}"


def test_no_route_answers_trace(practice: Practice, admin: User) -> None:
    client = Client()
    client.force_login(admin)
    for route in routes():
        answer = client.trace(address_of(route, values_of(practice)))
        assert answer.status_code in {302, 401, 403, 404, 405}, route


def test_pages_that_say_what_went_wrong_carry_them_too(db: None) -> None:
    check(Client().get("/no/such/page/"))
    check(Client().get("/", headers={"Host": "elsewhere.example"}))
    check(Client(enforce_csrf_checks=True).post("/accounts/login/", {}))


def test_no_practice_can_take_the_first_part_of_another_address() -> None:
    first = {route.split("/")[0] for route in routes()}
    fixed = {part for part in first if part and "<" not in part}
    assert fixed <= set(RESERVED_SLUGS)
    assert product.STATIC_URL.strip("/") in RESERVED_SLUGS
    assert {part for part in first if "<" in part} == {"<slug:practice_slug>"}


SERVED_OVER_HTTPS = """
import django
django.setup()
from django.test import Client
from django.conf import settings
asked = dict(headers={"Host": "link.example"})
plain = Client().get("/accounts/login/", **asked)
page = Client().get("/accounts/login/", secure=True, **asked)
print(plain.status_code, plain["Location"])
print(page.status_code, page["Strict-Transport-Security"])
print(settings.SESSION_COOKIE_SECURE, page.cookies["csrftoken"]["secure"])
print(Client().get("/healthz", **asked).status_code)
"""


def test_under_https_everything_is_https_and_stays_so(tmp_path: Path) -> None:
    environment = fresh_environment(tmp_path) | {
        "SITE_URL": "https://link.example",
        "DJANGO_SETTINGS_MODULE": "abtrac_link.settings",
    }
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", SERVED_OVER_HTTPS],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout.splitlines() == [
        "301 https://link.example/accounts/login/",
        "200 max-age=31536000; includeSubDomains; preload",
        "True True",
        "200",
    ], said.stderr
