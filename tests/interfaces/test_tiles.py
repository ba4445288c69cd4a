"""The package tiles: whatever the registry holds, in the packages' own words."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connectors import registry
from interfaces import charges
from interfaces.tiles import free_name, tiles_for
from offices.models import Practice, Role
from offices.tenancy import acting_for
from tests.factories import make_interface, make_member
from tests.invoicing.pages import client_of, text_of, url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("invented_packages")]


def test_every_package_of_the_registry_is_a_tile_without_another_edit(practice: Practice) -> None:
    browser = client_of(make_member(practice, Role.ADMIN))
    page = text_of(browser.get(url(practice, "interfaces/")))
    assert len(registry.packages()) > 3
    for package in registry.packages().values():
        assert package.label in page
    with acting_for(practice.pk):
        tiles = {one.package.key: one for one in tiles_for(practice)}
    assert set(tiles) == set(registry.packages())
    assert tiles["xero"].abilities == [
        *("Invoices", "Credit notes", "Contacts", "Jobs", "Payments back", "Invoice PDF")
    ]
    assert tiles["drawer"].abilities == ["Import file"]
    assert (tiles["xero"].by_ourselves, tiles["drawer"].by_ourselves) == (True, False)
    for words in (
        "Our team sets this up (set-up fee)",
        "Set-up fee: quoted before any work.",
        "Ask our team for Drawer",
        "Connect Xero",
    ):
        assert words in page
    # Those an admin can set up come first.
    assert page.index("Connect Xero") < page.index("Ask our team for Drawer")


def test_a_tile_of_what_support_sets_up_leads_to_the_questions(practice: Practice) -> None:
    browser = client_of(make_member(practice, Role.ADMIN))
    answer = browser.post(url(practice, "interfaces/add/"), {"package_key": "drawer"})
    assert answer["Location"] == url(practice, "interfaces/ask/drawer/")


def test_a_tile_says_what_another_interface_changes(practice: Practice) -> None:
    with acting_for(practice.pk):
        charges.begin(make_interface(name="Xero"))
        tiles = {one.package.key: one for one in tiles_for(practice)}
    assert (tiles["xero"].change.before, tiles["xero"].change.after) == (Decimal(15), Decimal(15))
    assert tiles["keeper"].change.after == Decimal(30)


def test_tiles_take_as_many_queries_for_many_packages_as_for_one(practice: Practice) -> None:
    with acting_for(practice.pk), CaptureQueriesContext(connection) as queries:
        tiles_for(practice)
    assert len(queries) <= 3


def test_a_new_interface_has_a_name_of_its_own(practice: Practice) -> None:
    package = registry.package("xero")
    with acting_for(practice.pk):
        assert free_name(package) == "Xero"
        for name in ("Xero", "Xero 3", "Xero Napier"):
            make_interface(name=name)
        assert free_name(package) == "Xero 2"
