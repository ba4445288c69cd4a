"""Which company file an interface belongs to: chosen once among those in reach, then kept."""

from dataclasses import replace

import pytest

from connectors.base.errors import NeedsReconnect, RetryLater
from interfaces import company_files
from interfaces.company_files import CannotChoose
from interfaces.models import AccountingInterface, Lane
from offices.tenancy import acting_for
from tests.interfaces.conftest import reload
from tests.interfaces.ledger import FILES, LedgerServer

pytestmark = pytest.mark.django_db

State = AccountingInterface.State


@pytest.fixture
def waiting(interface: AccountingInterface) -> AccountingInterface:
    """Signed in, and waiting for somebody to choose."""
    set_fields(
        interface,
        state=State.CHOOSE_COMPANY_FILE,
        company_file_id="",
        company_file_name="",
        connection_id="",
    )
    return interface


def set_fields(interface: AccountingInterface, **fields: str) -> None:
    with acting_for(interface.practice_id):
        AccountingInterface.objects.filter(pk=interface.pk).update(**fields)


def choose(interface: AccountingInterface, company_file_id: str) -> None:
    company_files.choose(
        practice_id=interface.practice_id,
        interface_id=interface.pk,
        company_file_id=company_file_id,
    )


def test_all_in_reach_are_listed_by_name(
    waiting: AccountingInterface, server: LedgerServer
) -> None:
    server.files = [replace(FILES[0], name="zebra"), FILES[1], replace(FILES[0], name="Apple")]
    found = company_files.list_for(practice_id=waiting.practice_id, interface_id=waiting.pk)
    assert [one.name for one in found] == ["Apple", "Other Ltd", "zebra"]


def test_the_chosen_one_is_written_down_and_the_interface_connected(
    waiting: AccountingInterface,
) -> None:
    choose(waiting, "f2")
    after = reload(waiting)
    assert after.state == State.CONNECTED
    assert (after.company_file_id, after.company_file_name) == ("f2", "Other Ltd")
    assert (after.connection_id, after.country, after.currency) == ("c2", "AU", "AUD")
    assert Lane.objects.get(interface=waiting).due is not None


def test_one_out_of_reach_is_not_to_be_had(waiting: AccountingInterface) -> None:
    for wrong in ("f3", "", "f1 "):
        with pytest.raises(CannotChoose, match="not in reach"):
            choose(waiting, wrong)
    assert reload(waiting).state == State.CHOOSE_COMPANY_FILE


def test_a_choice_is_for_good(waiting: AccountingInterface) -> None:
    choose(waiting, "f1")
    with pytest.raises(CannotChoose, match="not waiting for a choice any more"):
        choose(waiting, "f1")
    set_fields(waiting, state=State.CHOOSE_COMPANY_FILE)
    with pytest.raises(CannotChoose, match="already belongs to Harbour Ltd"):
        choose(waiting, "f2")
    assert reload(waiting).company_file_id == "f1"


@pytest.mark.parametrize("state", sorted(set(State) - {State.CHOOSE_COMPANY_FILE, State.CONNECTED}))
def test_without_a_sign_in_nothing_is_listed(
    waiting: AccountingInterface, server: LedgerServer, state: State
) -> None:
    set_fields(waiting, state=state)
    with pytest.raises(NeedsReconnect):
        choose(waiting, "f1")
    assert server.calls == []


def test_a_package_that_is_down_changes_nothing(
    waiting: AccountingInterface, server: LedgerServer
) -> None:
    server.down = True
    with pytest.raises(RetryLater):
        choose(waiting, "f1")
    assert reload(waiting).state == State.CHOOSE_COMPANY_FILE


def test_a_sign_in_lost_before_the_choice_asks_to_connect_again(
    waiting: AccountingInterface, server: LedgerServer
) -> None:
    server.access_tokens.clear()
    server.refresh_tokens.clear()
    with pytest.raises(NeedsReconnect):
        choose(waiting, "f1")
    assert reload(waiting).state == State.NEEDS_CONSENT


def test_a_very_long_name_is_cut_where_it_is_only_shown(
    waiting: AccountingInterface, server: LedgerServer
) -> None:
    server.files = [replace(FILES[0], name="N" * 400)]
    choose(waiting, "f1")
    assert reload(waiting).company_file_name == "N" * 255
