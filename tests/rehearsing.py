"""A rehearsal server for tests, and a person who signs in at its pages."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.test import Client as Browser

from connectors.base.rehearsals import Rehearsals
from connectors.xero.standin import XeroStandIn
from interfaces import rehearsals
from interfaces.models import AccountingInterface
from offices.models import Practice
from offices.tenancy import acting_for


@pytest.fixture
def rehearsing(settings: Any) -> Iterator[Rehearsals]:
    """Rehearsals are offered, and there is no app with any package."""
    with rehearsals.server() as running:
        settings.REHEARSAL_URL = settings.REHEARSAL_INTERNAL_URL = running.url
        settings.PACKAGE_APPS = {
            key: {**app, "client_id": "", "client_secret": ""}
            for key, app in settings.PACKAGE_APPS.items()
        }
        yield running


def begin(browser: Browser, practice: Practice, package_key: str = "xero") -> Any:
    """Press “Rehearse first”; the answer."""
    address = f"/{practice.slug}/accounting/interfaces/rehearse/"
    return browser.post(address, {"package_key": package_key})


def sign_in(browser: Browser, address: str) -> Any:
    """Allow everything at the sign-in page of that address, and come back."""
    page = requests.get(address, timeout=10)
    assert page.status_code == 200, page.text
    action = re.search(r'<form method="post" action="([^"]+)"', page.text)
    fields = re.findall(r'<input [^>]*name="([^"]+)" value="([^"]*)"', page.text)
    assert action
    parts = urlsplit(address)
    given = [(name, unescape(value)) for name, value in fields] + [("decision", "allow")]
    back = requests.post(
        f"{parts.scheme}://{parts.netloc}{action[1]}",
        data=given,
        allow_redirects=False,
        timeout=10,
    )
    return browser.get(back.headers["Location"])


def rehearse(browser: Browser, practice: Practice) -> AccountingInterface:
    """A Xero rehearsal, signed in to, its organisation chosen."""
    sign_in(browser, begin(browser, practice)["Location"])
    with acting_for(practice.pk):
        interface = AccountingInterface.objects.exclude(rehearsal_token="").latest("pk")
    base = f"/{practice.slug}/accounting/interfaces/{interface.pk}/"
    page = browser.get(f"{base}choose/").content.decode()
    chosen = re.search(r'name="company_file" value="([^"]+)"[^>]*>\s*<span[^>]*>Harbour Arch', page)
    assert chosen, page
    browser.post(f"{base}choose/", {"company_file": chosen[1]})
    with acting_for(practice.pk):
        interface.refresh_from_db()
    return interface


def stand_in(server: Rehearsals, interface: AccountingInterface) -> XeroStandIn:
    """The rehearsal company's books."""
    found = server.standin("xero", interface.rehearsal_token)
    assert isinstance(found, XeroStandIn)
    return found
