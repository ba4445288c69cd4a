"""An interface that was added and never used can be removed; anything else is kept."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from interfaces.models import AccountingInterface, Lane, SetUpRequest
from invoicing.models import Batch, InvoiceSetting, Upload
from offices.models import AuditEntry, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_member,
    make_office,
    make_practice,
    make_setting,
)
from tests.invoicing.pages import client_of, said, url

pytestmark = pytest.mark.django_db

State = AccountingInterface.State


@pytest.fixture
def admin(practice: Practice) -> User:
    """An admin."""
    return make_member(practice, Role.ADMIN)


@pytest.fixture
def browser(admin: User) -> Client:
    """The admin's browser."""
    return client_of(admin)


@pytest.fixture
def unused(practice: Practice) -> AccountingInterface:
    """An interface that was added by mistake, with an invoice setting linked to it."""
    with acting_for(practice.pk):
        made = make_interface(name="Xero 2", connected=False)
        make_setting(made, name="Standard")
    return made


def remove(browser: Client, interface: AccountingInterface) -> Any:
    address = url(interface.practice, f"interfaces/{interface.pk}/remove-unused/")
    return browser.post(address, follow=True)


def is_offered(browser: Client, interface: AccountingInterface) -> bool:
    page = browser.get(url(interface.practice, f"interfaces/{interface.pk}/"))
    return "/remove-unused/" in page.content.decode()


@pytest.mark.parametrize("state", [State.NOT_CONNECTED, State.DISCONNECTED])
def test_what_was_never_used_is_removed_and_recorded(
    unused: AccountingInterface, browser: Client, admin: User, state: State
) -> None:
    with acting_for(unused.practice_id):
        AccountingInterface.objects.update(state=state)
    assert is_offered(browser, unused)
    page = remove(browser, unused)
    assert said(page) == ["Xero 2 is removed. Standard goes through no interface now."]
    with acting_for(unused.practice_id):
        assert not AccountingInterface.objects.exists()
        assert not Lane.objects.exists()
        assert InvoiceSetting.objects.get().interface is None
        entry = AuditEntry.objects.get(action="interface.removed")
    assert (entry.actor, entry.subject) == (admin, "Xero 2")
    assert entry.detail["before"]["invoice_settings"] == ["Standard"]
    assert said(remove(browser, unused)) == ["It is removed already."]


def test_what_another_practice_removed_is_not_there(
    unused: AccountingInterface, browser: Client
) -> None:
    remove(browser, unused)
    stranger = make_practice("Ridge")
    other = client_of(make_member(stranger, Role.ADMIN))
    answer = other.post(url(stranger, f"interfaces/{unused.pk}/remove-unused/"))
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"live_since": timezone.now()}, "was live, so its history is kept"),
        ({"state": State.CONNECTED}, "Xero 2 is connected. Disconnect it first."),
        ({"rehearsal_token": "t"}, "is a rehearsal"),
    ],
)
def test_what_was_live_or_is_connected_is_kept_with_its_lane(
    unused: AccountingInterface, browser: Client, change: dict[str, Any], words: str
) -> None:
    due = timezone.now()
    with acting_for(unused.practice_id):
        AccountingInterface.objects.update(**change)
    Lane.objects.filter(interface=unused).update(due=due, owner="worker")
    assert not is_offered(browser, unused)
    assert words in said(remove(browser, unused))[0]
    lane = Lane.objects.get(interface=unused)
    assert (lane.due, lane.owner) == (due, "worker")


def test_what_something_was_uploaded_through_is_kept(
    unused: AccountingInterface, browser: Client
) -> None:
    with acting_for(unused.practice_id):
        invoice = make_invoice(make_office(InvoiceSetting.objects.get()), make_client())
        Upload.objects.create(
            interface=unused,
            batch=Batch.objects.create(number=1),
            kind="invoice",
            invoice=invoice,
            state="cancelled",
        )
    assert not is_offered(browser, unused)
    assert "Something was uploaded through Xero 2" in said(remove(browser, unused))[0]


@pytest.mark.parametrize("state", list(SetUpRequest.State))
def test_what_our_team_was_asked_to_set_up_is_kept_until_that_is_withdrawn(
    unused: AccountingInterface, browser: Client, admin: User, state: SetUpRequest.State
) -> None:
    SetUpRequest.objects.create(
        practice=unused.practice,
        interface=unused,
        package_key="xero",
        asked_by=admin,
        access_until=timezone.now(),
        state=state,
    )
    closed = state in {SetUpRequest.State.CONFIRMED, SetUpRequest.State.WITHDRAWN}
    assert is_offered(browser, unused) == closed
    told = said(remove(browser, unused))[0]
    assert ("is removed" in told) == closed
    if not closed:
        assert told == "Our team was asked to set Xero 2 up. Withdraw that first."


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ACCOUNTS])
def test_only_an_admin_removes(unused: AccountingInterface, role: Role) -> None:
    person = client_of(make_member(unused.practice, role))
    assert not is_offered(person, unused)
    assert remove(person, unused).status_code == 403
