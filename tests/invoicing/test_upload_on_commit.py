"""Invoices that go to the accounts as soon as Abtrac commits them."""

from datetime import date
from typing import Any

import pytest

from interfaces.models import AccountingInterface, Lane
from interfaces.preferences import save_preferences
from invoicing.models import Batch, Invoice, Upload
from offices.models import AuditEntry, Office, Practice, Role
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_member,
    make_office,
    make_setting,
)
from tests.invoicing.abtrac import Abtrac
from tests.invoicing.pages import client_of, text_of, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def interface(practice: Practice) -> AccountingInterface:
    """One that uploads on commit."""
    with acting_for(practice.pk):
        made = make_interface()
        save_preferences(made, {"upload_on_commit": True})
    return made


@pytest.fixture
def office(practice: Practice, interface: AccountingInterface) -> Office:
    """An office whose invoices go there."""
    with acting_for(practice.pk):
        return make_office(make_setting(interface))


@pytest.fixture
def abtrac(practice: Practice) -> Abtrac:
    """Abtrac itself."""
    return Abtrac(practice)


def approved(office: Office, *ids: str, **fields: Any) -> None:
    """Invoices that can be committed."""
    with acting_for(office.practice_id):
        for one in ids:
            make_invoice(office, make_client(), abtrac_id=one, committed=False, **fields)


def uploaded(abtrac: Abtrac) -> list[tuple[str, str]]:
    """Which invoices are in a batch, and how they stand there."""
    with acting_for(abtrac.practice.pk):
        rows = Upload.objects.filter(invoice__isnull=False).order_by("pk")
        return list(rows.values_list("invoice__abtrac_id", "state"))


def test_what_is_committed_goes_at_once_in_a_batch_that_says_so(
    abtrac: Abtrac, office: Office, interface: AccountingInterface
) -> None:
    approved(office, "I1", "I2")
    answer = abtrac.move("commit", "I1", "I2")
    assert answer.json() == {"changed": ["I1", "I2"], "unchanged": [], "batch": 1}
    assert uploaded(abtrac) == [("I1", "queued"), ("I2", "queued")]
    with acting_for(abtrac.practice.pk):
        assert Batch.objects.get().origin == "commit"
        assert Lane.objects.get(interface=interface).due is not None
        made = AuditEntry.objects.get(action="batch.made")
    assert (made.subject, made.detail["key"]) == ("Batch 1", abtrac.key.prefix)
    page = text_of(
        client_of(make_member(abtrac.practice, Role.VIEWER)).get(url(abtrac.practice, "batches/1/"))
    )
    assert "by Abtrac, on commit" in page


def test_committing_again_uploads_nothing_again(abtrac: Abtrac, office: Office) -> None:
    approved(office, "I1")
    abtrac.move("commit", "I1")
    assert abtrac.move("commit", "I1").json() == {"changed": [], "unchanged": ["I1"], "batch": None}
    assert uploaded(abtrac) == [("I1", "queued")]


def test_what_something_is_wrong_with_stays_on_the_list(abtrac: Abtrac, office: Office) -> None:
    approved(office, "I1")
    approved(office, "I2", currency="USD")
    assert abtrac.move("commit", "I1", "I2").json()["batch"] == 1
    assert uploaded(abtrac) == [("I1", "queued")]
    approved(office, "I3", currency="USD")
    assert abtrac.move("commit", "I3").json() == {"changed": ["I3"], "unchanged": [], "batch": None}
    with acting_for(abtrac.practice.pk):
        assert Batch.objects.count() == 1
        kept = list(Invoice.objects.exclude(abtrac_id="I1").values("status", "in_upload"))
    assert kept == [{"status": "committed", "in_upload": False}] * 2


@pytest.mark.parametrize(
    ("preference", "changed"),
    [
        (False, {}),
        (True, {"live_since": None}),
        (True, {"offered_from": date(2027, 1, 1)}),
        (True, {"state": "disconnected"}),
    ],
)
def test_nothing_goes_without_the_preference_or_before_the_interface_is_live(
    abtrac: Abtrac,
    office: Office,
    interface: AccountingInterface,
    preference: bool,
    changed: dict[str, Any],
) -> None:
    with acting_for(abtrac.practice.pk):
        save_preferences(interface, {"upload_on_commit": preference})
        AccountingInterface.objects.filter(pk=interface.pk).update(**changed)
    approved(office, "I1")
    assert abtrac.move("commit", "I1").json()["batch"] is None
    assert uploaded(abtrac) == []


def test_a_call_that_is_refused_uploads_nothing(abtrac: Abtrac, office: Office) -> None:
    approved(office, "I1")
    assert abtrac.move("commit", "I1", "I9").status_code == 400
    assert uploaded(abtrac) == []
