"""Opening a connector: when it may be, with what, and what its errors do to the interface."""

from typing import Any

import pytest

from connectors.base.errors import ConnectorError, NeedsReconnect, RetryLater
from interfaces.connections import open_connector, why_not
from interfaces.credentials import store_tokens
from interfaces.models import AccountingInterface
from interfaces.preferences import save_preferences
from interfaces.standing import lose_consent, regain
from offices.tenancy import acting_for
from tests.factories import make_practice
from tests.interfaces.conftest import expire, reload
from tests.interfaces.ledger import LedgerServer

pytestmark = pytest.mark.django_db

State = AccountingInterface.State
WORDS = {
    State.NOT_CONNECTED: "Ledger Auckland is not connected yet.",
    State.CHOOSE_COMPANY_FILE: "Ledger Auckland has no organisation chosen yet.",
    State.NEEDS_CONSENT: "Ledger Auckland must be connected again.",
    State.PAUSED: "Ledger Auckland is paused.",
    State.DISCONNECTED: "Ledger Auckland is disconnected.",
}


def ids(interface: AccountingInterface) -> Any:
    return {"practice_id": interface.practice_id, "interface_id": interface.pk}


def test_a_connector_knows_its_company_file_its_settings_and_its_limits(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    with acting_for(interface.practice_id):
        save_preferences(interface, {"status": "approved", "password": "open sesame"})
    with open_connector(**ids(interface)) as connector:
        known = connector.connection
        assert known.company_file == "f1"
        assert known.endpoints == {"api": server.url}
        assert known.settings["status"] == "approved"
        assert known.settings["password"] == "open sesame"
        assert known.settings["port"] == 8080
        assert known.limits.read_timeout == 5.0
        assert known.interface == f"{interface.practice_id}-{interface.pk}"
    assert connector.closed


@pytest.mark.parametrize("state", sorted(set(State) - {State.CONNECTED}))
def test_an_interface_not_in_use_says_why_and_calls_nobody(
    interface: AccountingInterface, server: LedgerServer, state: State
) -> None:
    with acting_for(interface.practice_id):
        AccountingInterface.objects.update(state=state)
    with pytest.raises(NeedsReconnect) as refused, open_connector(**ids(interface)):
        pass
    assert str(refused.value) == WORDS[state]
    assert server.calls == []


def test_the_reason_a_sign_in_was_lost_is_told_along(interface: AccountingInterface) -> None:
    lose_consent(**ids(interface), reason="Ledger has signed us out.")
    assert why_not(reload(interface)) == (
        "Ledger Auckland must be connected again. Ledger has signed us out."
    )


def test_a_sign_in_refused_in_a_call_is_marked_and_the_connector_closed(
    interface: AccountingInterface,
) -> None:
    with pytest.raises(NeedsReconnect), open_connector(**ids(interface)) as connector:
        raise NeedsReconnect("Ledger has signed us out.")
    assert connector.closed
    after = reload(interface)
    assert (after.state, after.state_reason) == (State.NEEDS_CONSENT, "Ledger has signed us out.")


def connect_again(interface: AccountingInterface, server: LedgerServer) -> None:
    with acting_for(interface.practice_id):
        store_tokens(interface.pk, server.issue() | {"expires_at": 4_000_000_000}, None)
    regain(**ids(interface))


def test_a_late_refusal_of_the_old_sign_in_does_not_undo_a_new_one(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    with pytest.raises(NeedsReconnect), open_connector(**ids(interface)) as connector:
        connector.connection.tokens.access_token()
        connect_again(interface, server)
        raise NeedsReconnect("Ledger has signed us out.")
    assert reload(interface).state == State.CONNECTED


def test_a_refusal_of_the_new_sign_in_is_marked_whatever_was_used_before(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    with pytest.raises(NeedsReconnect), open_connector(**ids(interface)) as connector:
        old = connector.connection.tokens.access_token()
        connect_again(interface, server)
        connector.connection.tokens.renew(old)
        raise NeedsReconnect("Ledger has signed us out.")
    assert reload(interface).state == State.NEEDS_CONSENT


def test_a_refusal_after_a_renewal_of_our_own_is_marked(interface: AccountingInterface) -> None:
    expire(interface)
    with pytest.raises(NeedsReconnect), open_connector(**ids(interface)) as connector:
        connector.connection.tokens.access_token()
        raise NeedsReconnect("Ledger has signed us out.")
    assert reload(interface).state == State.NEEDS_CONSENT


@pytest.mark.parametrize("error", [RetryLater("later"), ConnectorError("odd"), ValueError("bug")])
def test_any_other_error_leaves_the_consent_alone(
    interface: AccountingInterface, error: Exception
) -> None:
    with pytest.raises(type(error)), open_connector(**ids(interface)) as connector:
        raise error
    assert connector.closed
    assert reload(interface).state == State.CONNECTED


@pytest.mark.parametrize("state", [State.PAUSED, State.DISCONNECTED, State.NOT_CONNECTED])
def test_one_that_is_not_in_use_is_never_said_to_have_lost_its_consent(
    interface: AccountingInterface, state: State
) -> None:
    """A worker may come back late to an interface somebody has disconnected meanwhile."""
    with acting_for(interface.practice_id):
        AccountingInterface.objects.update(state=state)
    lose_consent(**ids(interface), reason="late")
    assert reload(interface).state == state


def test_nobody_waits_for_a_package_while_a_transaction_is_open(
    interface: AccountingInterface,
) -> None:
    with (
        acting_for(interface.practice_id),
        pytest.raises(RuntimeError, match="never inside its transaction"),
        open_connector(**ids(interface)),
    ):
        pass


def test_another_practices_interface_cannot_be_opened(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    elsewhere = make_practice("Ridge")
    with (
        pytest.raises(AccountingInterface.DoesNotExist),
        open_connector(practice_id=elsewhere.pk, interface_id=interface.pk),
    ):
        pass
    assert server.calls == []
