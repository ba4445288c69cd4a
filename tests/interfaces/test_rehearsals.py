"""Rehearsal companies: made from a package's stand-in, apart from the package and one another."""

import logging
import socket
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from connectors import registry
from connectors.base.protocol import Scope
from connectors.base.rehearsals import Rehearsals
from interfaces import lanes, limits, rehearsals
from interfaces.codes import refresh_codes
from interfaces.credentials import StoredTokens
from interfaces.models import AccountingInterface, Lane, PackageBreaker, RateBucket
from interfaces.package_apps import app_of, registered_app
from offices.models import AuditEntry, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import make_interface, make_member, make_practice
from tests.invoicing.pages import client_of, said, text_of
from tests.rehearsing import begin, rehearse, rehearsing, sign_in, stand_in

__all__ = ["rehearsing"]

pytestmark = pytest.mark.django_db

State = AccountingInterface.State
XERO = registry.package("xero")
MARK = "Rehearsal: nothing here reaches Xero"


@pytest.fixture
def admin(practice: Practice) -> User:
    """Who rehearses."""
    return make_member(practice, Role.ADMIN, "ana@harbour.example")


@pytest.fixture
def rehearsal(practice: Practice, admin: User, rehearsing: Rehearsals) -> AccountingInterface:
    """A rehearsal that is connected."""
    return rehearse(client_of(admin), practice)


def page_of(interface: AccountingInterface, path: str = "") -> str:
    return f"/{interface.practice.slug}/accounting/interfaces/{interface.pk}/{path}"


def test_rehearse_first_leads_to_the_sign_in_of_a_company_of_its_own(
    practice: Practice, admin: User, rehearsing: Rehearsals
) -> None:
    browser = client_of(admin)
    there = begin(browser, practice)["Location"]
    with acting_for(practice.pk):
        made = AccountingInterface.objects.get()
        told = AuditEntry.objects.get(action="interface.rehearsal_begun")
    assert made.name == "Xero rehearsal"
    assert made.is_rehearsal
    assert there.startswith(f"{rehearsing.url}/xero/{made.rehearsal_token}/identity/connect/")
    assert told.detail == {
        "interface": made.pk,
        "before": None,
        "after": {"name": made.name, "package": "xero"},
    }
    assert sign_in(browser, there)["Location"] == page_of(made, "choose/")


def test_it_is_connected_and_its_codes_are_read(
    rehearsal: AccountingInterface, rehearsing: Rehearsals, caplog: pytest.LogCaptureFixture
) -> None:
    refresh_codes(practice_id=rehearsal.practice_id, interface_id=rehearsal.pk)
    assert "GET /api.xro/2.0/Accounts result=200" in caplog.text
    assert rehearsal.rehearsal_token not in caplog.text
    assert rehearsal.state == State.CONNECTED
    assert rehearsal.company_file_name == "Harbour Architects Ltd"
    assert rehearsal.codes_read_at is not None
    assert stand_in(rehearsing, rehearsal).seen("GET", "/api.xro/2.0/Accounts")


def test_every_page_of_it_says_that_it_is_a_rehearsal(
    rehearsal: AccountingInterface, admin: User
) -> None:
    browser = client_of(admin)
    everywhere = page_of(rehearsal).removesuffix(f"{rehearsal.pk}/")
    assert MARK in text_of(browser.get(everywhere))
    for path in ("", "codes/", "preferences/", "invoice-settings/"):
        assert MARK in text_of(browser.get(page_of(rehearsal, path))), path
    with acting_for(rehearsal.practice_id):
        real = make_interface(name="Xero")
    for path in ("", "codes/"):
        assert "Rehearsal" not in text_of(browser.get(page_of(real, path)))


def test_two_practices_rehearse_apart(
    rehearsal: AccountingInterface, rehearsing: Rehearsals
) -> None:
    other = make_practice("Ridge")
    theirs = rehearse(client_of(make_member(other)), other)
    stand_in(rehearsing, theirs).organisation("Harbour Architects Ltd").archive_account("200")
    for one in (rehearsal, theirs):
        refresh_codes(practice_id=one.practice_id, interface_id=one.pk)
    kept = []
    for one in (rehearsal, theirs):
        with acting_for(one.practice_id):
            kept.append(one.accounts.get(code="200").active)
    assert kept == [True, False]


def test_each_has_a_name_of_its_own_and_there_are_not_too_many(
    practice: Practice, admin: User, rehearsing: Rehearsals
) -> None:
    browser = client_of(admin)
    with acting_for(practice.pk):
        make_interface(name="Xero rehearsal 2")
    for _ in range(rehearsals.MOST):
        assert begin(browser, practice)["Location"].startswith(rehearsing.url)
    with acting_for(practice.pk):
        made = AccountingInterface.objects.exclude(rehearsal_token="")
        names = list(made.order_by("pk").values_list("name", flat=True))
    assert names == [f"Xero rehearsal{end}" for end in ("", " 3", " 4", " 5", " 6")]
    refused = browser.get(begin(browser, practice)["Location"])
    assert said(refused) == ["There are 5 rehearsals already. Remove one of them first."]


@pytest.mark.parametrize("package_key", ["", "abacus", "plain"])
@pytest.mark.usefixtures("invented_packages")
def test_what_cannot_be_rehearsed_is_said(
    practice: Practice, admin: User, rehearsing: Rehearsals, package_key: str
) -> None:
    browser = client_of(admin)
    told = said(browser.get(begin(browser, practice, package_key)["Location"]))
    assert told[0].endswith("cannot be rehearsed here.")
    with acting_for(practice.pk):
        assert not AccountingInterface.objects.exists()


def test_where_rehearsals_are_switched_off_none_is_offered(
    rehearsal: AccountingInterface, admin: User, settings: Any
) -> None:
    assert rehearsals.is_offered(XERO)
    settings.REHEARSAL_URL = ""
    assert not rehearsals.is_offered(XERO)
    browser = client_of(admin)
    told = said(browser.get(begin(browser, rehearsal.practice)["Location"]))
    assert told == ["Xero cannot be rehearsed here."]
    refused = browser.post(page_of(rehearsal, "codes/refresh/"), follow=True)
    assert "Rehearsals are switched off on this server." in said(refused)[0]


def test_only_an_admin_rehearses(practice: Practice, rehearsing: Rehearsals) -> None:
    browser = client_of(make_member(practice, Role.ACCOUNTS))
    assert begin(browser, practice).status_code == 403


def test_a_rehearsal_that_its_server_has_forgotten_is_over_in_words(
    rehearsal: AccountingInterface, admin: User, rehearsing: Rehearsals
) -> None:
    rehearsing.forget("xero", rehearsal.rehearsal_token)
    browser = client_of(admin)
    browser.post(page_of(rehearsal, "codes/refresh/"))
    page = text_of(browser.get(page_of(rehearsal)))
    assert "Xero rehearsal is over. The rehearsal company is gone: its server was restarted" in page
    assert "Remove this rehearsal and begin a new one." in page
    assert "Invoices wait until it is connected" not in page
    assert "Reconnect" not in page
    again = browser.post(page_of(rehearsal, "connect/"))
    assert again["Location"] == page_of(rehearsal)
    assert "The rehearsal company is gone" in said(browser.get(again["Location"]))[-1]


def test_its_sign_in_is_renewed_where_it_was_given(
    rehearsal: AccountingInterface, rehearsing: Rehearsals
) -> None:
    tokens = StoredTokens(rehearsal.practice_id, rehearsal.pk)
    first = tokens.access_token()
    stand_in(rehearsing, rehearsal).expire_access_tokens()
    assert tokens.renew(first) != first
    refresh_codes(practice_id=rehearsal.practice_id, interface_id=rehearsal.pk)


def test_it_ends_its_sign_in_where_it_was_given(
    rehearsal: AccountingInterface, admin: User, rehearsing: Rehearsals
) -> None:
    client_of(admin).post(page_of(rehearsal, "disconnect/"))
    left = stand_in(rehearsing, rehearsal).signin.connections
    assert rehearsal.company_file_id not in {one.tenant_id for one in left}


def test_it_is_not_told_from_the_real_one_by_anything_but_its_app(
    rehearsal: AccountingInterface, settings: Any
) -> None:
    settings.REHEARSAL_URL = "https://rehearse.example"
    own = f"/xero/{rehearsal.rehearsal_token}"
    app, real = app_of(rehearsal), registered_app(XERO)
    assert set(app.pages.values()) == {f"https://rehearse.example{own}"}
    assert set(app.endpoints.values()) == {settings.REHEARSAL_INTERNAL_URL + own}
    assert app.endpoints.keys() == real.endpoints.keys()
    assert app.read_timeout == real.read_timeout
    assert "standin-secret" not in repr(app)


def test_its_calls_are_counted_by_themselves(rehearsal: AccountingInterface) -> None:
    shared = [one for one in XERO.limits.rates if one.scope is Scope.PACKAGE]
    keys = {
        limits.bucket_of(one, package=XERO, interface_id=rehearsal.pk, rehearsal=True).key
        for one in XERO.limits.rates
    }
    real = {limits.bucket_of(one, package=XERO, interface_id=1).key for one in shared}
    assert len(keys) == len(XERO.limits.rates)
    assert all(key.endswith(f":{rehearsal.pk}") for key in keys)
    assert not keys & real
    refresh_codes(practice_id=rehearsal.practice_id, interface_id=rehearsal.pk)
    # On a server they are counted in Redis.
    assert set(RateBucket.objects.values_list("name", flat=True)) in (keys, set())


def test_it_goes_on_while_the_package_is_in_trouble_and_causes_none(
    rehearsal: AccountingInterface,
) -> None:
    def take() -> lanes.Held | None:
        return lanes.take(
            practice_id=rehearsal.practice_id,
            interface_id=rehearsal.pk,
            package=XERO,
            owner="me",
        )

    later = timezone.now() + timedelta(hours=1)
    PackageBreaker.objects.create(package_key="xero", open_until=later, open_seconds=60)
    held = take()
    assert held is not None
    assert held.package_key == f"rehearsal-{rehearsal.pk}"
    for _ in range(5):
        lanes.record_health(held, healthy=False)
    assert list(PackageBreaker.objects.values_list("package_key", flat=True)) == ["xero"]
    assert Lane.objects.filter(package_key="xero", open_until__isnull=False).count() == 0


@pytest.mark.parametrize(
    ("token", "known"), [("", False), ("a" * 54, False), (None, True), ("swapped", False)]
)
def test_a_token_that_somebody_made_up_is_not_known(token: str | None, known: bool) -> None:
    given = rehearsals.new_token()
    if token == "swapped":
        token = given[:-1] + ("0" if given[-1] != "0" else "1")
    assert rehearsals.is_ours(given if token is None else token) is known


def test_strangers_have_no_books_kept_for_them(rehearsing: Rehearsals) -> None:
    place = f"{rehearsing.url}/xero/{'a' * 54}/connections"
    assert requests.get(place, timeout=10).status_code == 404


def test_it_is_served_in_the_process_of_the_pages(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    settings.REHEARSAL_URL = f"http://localhost:{port}"
    running = rehearsals.serve_embedded()
    assert running is not None
    with running:
        assert requests.get(settings.REHEARSAL_URL, timeout=10).status_code == 200
        assert rehearsals.serve_embedded() is None
    assert settings.REHEARSAL_URL == ""


@pytest.mark.parametrize("address", ["", "https://rehearse.example"])
def test_rehearsals_that_are_elsewhere_or_nowhere_are_not_served_here(
    settings: Any, address: str
) -> None:
    settings.REHEARSAL_URL = address
    assert rehearsals.serve_embedded() is None
    assert address == settings.REHEARSAL_URL


def test_a_server_that_does_not_answer_keeps_nobody_from_removing(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REHEARSAL_URL = settings.REHEARSAL_INTERNAL_URL = "http://127.0.0.1:1"
    with caplog.at_level(logging.WARNING):
        rehearsals.forget("xero", "a" * 54)
    assert "rehearsal not emptied package=xero ConnectionError" in caplog.text
    assert "aaaa" not in caplog.text


def test_the_command_says_which_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy, pytest.raises(CommandError):
        call_command("rehearsals", port=busy.getsockname()[1])
