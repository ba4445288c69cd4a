"""Drawer writes what its README says, and an interface to it needs no sign-in."""

import csv
import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from connectors.base.documents import CreditNote
from connectors.base.errors import Rejected
from connectors.base.protocol import Connection, WritesImportFile
from interfaces.credentials import GivenToken
from interfaces.models import AccountingInterface
from interfaces.registration import create_interface
from offices.models import Practice
from offices.tenancy import acting_for
from tests.connectors import samples
from tests.connectors.samples import Terms
from tests.factories import make_member
from tests.packages import drawer
from tests.packages.drawer.connector import Drawer

TERMS = Terms(
    fees="200", recoveries="210", taxed="S15", rate=Decimal(15), untaxed="S0", currency="NZD"
)


def rows_of(document: Any, **settings: str) -> list[dict[str, str]]:
    """What the file of that one document says."""
    preferences = drawer.PACKAGE.default_settings() | settings
    connection = Connection(
        interface="1-1", company_file="", endpoints={}, tokens=GivenToken(""), settings=preferences
    )
    content = Drawer.open(connection).write_file([document]).content.decode()
    return list(csv.DictReader(io.StringIO(content)))


def test_it_can_write_a_file_and_nothing_else() -> None:
    assert drawer.PACKAGE.capabilities() == ["import file"]
    assert drawer.PACKAGE.can(WritesImportFile)
    assert not drawer.PACKAGE.signs_in


def test_a_row_for_each_line_and_a_credit_is_negative() -> None:
    invoice = samples.invoice(TERMS, number="ABT-1001")
    rows = rows_of(invoice)
    assert [row["Net"] for row in rows] == [f"{line.net:.2f}" for line in invoice.lines]
    note = samples.credit_note(TERMS, number="ABT-1002")
    assert isinstance(note, CreditNote)
    assert all(row["Kind"] == "CRN" and row["Net"].startswith("-") for row in rows_of(note))


def test_lines_of_the_same_codes_are_one_row_and_others_are_not() -> None:
    invoice = samples.invoice(TERMS, number="ABT-1001")
    first = invoice.lines[0]
    lines = (first, first, replace(first, account_code="999"))
    rows = rows_of(replace(invoice, lines=lines), detail="single")
    assert [(row["Account"], Decimal(row["Net"])) for row in rows] == [
        (first.account_code, first.net * 2),
        ("999", first.net),
    ]


def test_a_number_that_is_too_long_is_refused() -> None:
    with pytest.raises(Rejected, match="11 characters"):
        rows_of(samples.invoice(TERMS, number="ABT-10000001"))


@pytest.mark.usefixtures("invented_packages")
def test_an_interface_that_nobody_signs_in_to_is_connected_from_the_start(
    practice: Practice,
) -> None:
    with acting_for(practice.pk):
        filed = create_interface(package_key="drawer", name="Drawer")
        online = create_interface(package_key="keeper", name="Keeper")
    assert filed.is_connected
    assert not online.is_connected
    browser = Client()
    browser.force_login(make_member(practice))
    address = f"/{practice.slug}/accounting/interfaces/{filed.pk}/"
    page = browser.get(address).content.decode()
    assert "Disconnect</button>" not in page
    assert "Connect to Drawer" not in page
    answer = browser.post(f"{address}disconnect/", follow=True)
    assert "has no sign-in that could be ended" in answer.content.decode()
    with acting_for(practice.pk):
        assert AccountingInterface.objects.get(pk=filed.pk).is_connected
