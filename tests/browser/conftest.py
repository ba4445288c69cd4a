"""The system's Chromium, a live server, and people who are logged in."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from offices.models import Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import make_member, make_practice
from tests.invoicing.scene import Scene, make_scene, make_trouble

NAMES = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, filter(None, NAMES))), None)
# No sandbox: CI runs as root. The rest keeps Chromium from calling home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
AXE = Path(__file__).parent.parent / "vendor/axe-core-4.14.1/axe.min.js"
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}
# Milliseconds after which what is awaited is taken never to come, on a machine busy with much else.
LONGEST_WAIT = 30_000
expect.set_options(timeout=LONGEST_WAIT)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder drive a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests. Missing, it is a failure on CI and a reasoned skip elsewhere."""
    if CHROMIUM is None:
        missing = "There is no chromium on this machine: install it, or set CHROMIUM to its path."
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    # Playwright's event loop lives in this thread; the database is used from it all the same.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def office_practice(transactional_db: None) -> Practice:
    """A practice whose rows the live server can see."""
    return make_practice("Harbour Architects", slug="harbour")


@pytest.fixture
def admin(office_practice: Practice) -> User:
    """Its admin."""
    return make_member(office_practice, Role.ADMIN, "ana@harbour.example")


@pytest.fixture
def scene(office_practice: Practice, admin: User) -> Scene:
    """Every state there is to see."""
    with acting_for(office_practice.pk):
        made = make_scene(admin)
        make_trouble(made)
        return made


class Watched:
    """A page and all it complained of: console errors, broken policies, failed requests."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("requestfailed", self._failed)

    def open(self, path: str) -> Page:
        """Go there."""
        self.page.goto(f"{self.base}{path}")
        return self.page

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that was left while it polled
            self.complaints.append(f"request: {request.url} {request.failure}")


OpenAs = Callable[..., Watched]


@pytest.fixture
def open_as(chromium: Browser, live_server: LiveServer) -> Iterator[OpenAs]:
    """Open a browser window as a person, or as nobody, at a width; complaints fail the test."""
    contexts: list[BrowserContext] = []
    windows: list[Watched] = []

    def open_window(user: User | None, viewport: Any = WIDE, *, scripts: bool = True) -> Watched:
        context = chromium.new_context(
            viewport=viewport,
            locale="en-NZ",
            timezone_id="Pacific/Auckland",
            java_script_enabled=scripts,
        )
        context.set_default_timeout(LONGEST_WAIT)
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            name = django_settings.SESSION_COOKIE_NAME
            context.add_cookies(
                [{"name": name, "value": client.cookies[name].value, "url": live_server.url}]
            )
        window = Watched(context.new_page(), live_server.url)
        windows.append(window)
        return window

    yield open_window
    for context in contexts:
        context.close()
    assert [one for window in windows for one in window.complaints] == []


def axe(page: Page) -> list[str]:
    """What axe finds wrong with the page, one line each."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def scrolls_sideways(page: Page) -> bool:
    """Whether the page, or a table in it, is wider than there is room for."""
    return bool(
        page.evaluate(
            "() => [document.documentElement, ...document.querySelectorAll('.table-scroll')]"
            ".some((one) => one.scrollWidth > one.clientWidth)"
        )
    )
