"""Ending the link: tokens erased in any case, the package told, others of the file left alone."""

import logging
from typing import Any

import pytest

from connectors.base.errors import NeedsReconnect
from interfaces.credentials import StoredTokens, store_tokens
from interfaces.disconnecting import disconnect
from interfaces.models import AccountCode, AccountingInterface, Lane
from offices.models import AuditEntry, User
from offices.tenancy import acting_for
from tests.factories import make_interface
from tests.interfaces.conftest import credential_of, expire, reload
from tests.interfaces.ledger import FILES, LedgerServer

pytestmark = pytest.mark.django_db

State = AccountingInterface.State


def end(interface: AccountingInterface, actor: User, **fields: Any) -> str:
    return disconnect(
        practice_id=interface.practice_id, interface_id=interface.pk, actor=actor, **fields
    )


def assert_erased(interface: AccountingInterface) -> None:
    assert reload(interface).state == State.DISCONNECTED
    assert credential_of(interface).sealed == ""
    with pytest.raises(NeedsReconnect):
        StoredTokens(interface.practice_id, interface.pk).access_token()


def test_the_package_is_told_and_the_tokens_are_gone_on_both_sides(
    interface: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    server.files = FILES[:1]
    said = end(interface, admin, address="192.0.2.5")
    assert said == (
        "Ledger Auckland is disconnected and its sign-in erased here. Ledger has been told."
    )
    assert server.ended == ["c1"]
    assert len(server.revoked) == 1
    assert server.revoked[0].startswith("CANARY-refresh")
    assert_erased(interface)
    with acting_for(interface.practice_id):
        entry = AuditEntry.objects.get()
        assert AccountCode.objects.filter(interface=interface).count() == 3
    assert (entry.action, entry.actor, entry.address) == (
        "interface.disconnected",
        admin,
        "192.0.2.5",
    )
    assert entry.detail == {
        "interface": interface.pk,
        "package": "ledger",
        "company_file": "Harbour Ltd",
        "before": "Connected",
        "after": "Disconnected",
    }


def test_a_consent_that_reaches_more_is_not_revoked(
    interface: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    assert "has been told" in end(interface, admin)
    assert server.ended == ["c1"]
    assert server.revoked == []


def test_a_company_file_another_interface_uses_stays_linked(
    interface: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    with acting_for(interface.practice_id):
        other = make_interface(
            package_key="ledger", name="Ledger Napier", company_file_id="f1", connection_id="c1"
        )
        store_tokens(other.pk, server.issue(), admin)
    said = end(interface, admin)
    assert said.endswith("Harbour Ltd stays linked for Ledger Napier.")
    assert server.ended == server.revoked == []
    assert_erased(interface)
    assert reload(other).state == State.CONNECTED
    assert credential_of(other).sealed
    server.files = FILES[:1]
    # The last one ends it there.
    assert end(other, admin).endswith("Ledger has been told.")
    assert server.ended == ["c1"]


@pytest.mark.parametrize("state", [State.DISCONNECTED, State.NOT_CONNECTED])
def test_an_interface_that_is_not_in_use_shares_nothing(
    interface: AccountingInterface, admin: User, server: LedgerServer, state: State
) -> None:
    with acting_for(interface.practice_id):
        make_interface(package_key="ledger", company_file_id="f1", name="Old")
        AccountingInterface.objects.filter(name="Old").update(state=state)
    end(interface, admin)
    assert server.ended == ["c1"]


def test_a_package_that_is_down_is_no_reason_to_keep_the_tokens(
    interface: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    server.down = True
    said = end(interface, admin)
    assert said.endswith(
        "Ledger could not be told: to be sure, remove this app under connected apps in Ledger."
    )
    assert_erased(interface)


def test_a_token_that_has_run_out_is_renewed_for_the_last_calls(
    interface: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    expire(interface)
    assert "has been told" in end(interface, admin)
    assert_erased(interface)


def test_a_consent_lost_already_is_erased_all_the_same(
    interface: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    server.access_tokens.clear()
    assert "Ledger had ended the link already" in end(interface, admin)
    assert_erased(interface)


def test_a_sign_in_no_longer_good_for_anything_is_erased_all_the_same(
    interface: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    expire(interface)
    server.refresh_tokens.clear()
    assert "could not be told" in end(interface, admin)
    assert_erased(interface)


def test_before_a_company_file_is_chosen_nothing_is_ended_there(
    interface: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    """Revoking would end the person's links of other interfaces as well."""
    with acting_for(interface.practice_id):
        AccountingInterface.objects.update(
            state=State.CHOOSE_COMPANY_FILE, company_file_id="", connection_id=""
        )
    assert "could not be told" in end(interface, admin)
    assert server.ended == server.revoked == []
    assert_erased(interface)


@pytest.mark.parametrize("signed_in", [True, False])
def test_nobody_is_sent_to_end_the_sign_in_that_another_interface_lives_by(
    interface: AccountingInterface, admin: User, server: LedgerServer, signed_in: bool
) -> None:
    with acting_for(interface.practice_id):
        AccountingInterface.objects.update(
            state=State.CHOOSE_COMPANY_FILE, company_file_id="", connection_id=""
        )
        make_interface(package_key="ledger", name="Ledger Napier")
        make_interface(package_key="ledger", name="Never", connected=False)
        make_interface(package_key="xero", name="Xero")
    if not signed_in:
        server.access_tokens.clear()
    assert end(interface, admin) == (
        "Ledger Auckland is disconnected and its sign-in erased here."
        " Nothing is to be done in Ledger: Ledger Napier goes on."
    )
    assert server.ended == server.revoked == []
    assert_erased(interface)


def test_an_interface_never_connected_can_be_set_aside(
    unconnected: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    assert "could not be told" in end(unconnected, admin)
    assert reload(unconnected).state == State.DISCONNECTED
    assert server.calls == []


def test_a_turn_is_rung_for_so_that_nothing_waits_for_answers(
    interface: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    Lane.objects.update(due=None)
    end(interface, admin)
    assert Lane.objects.get(interface=interface).due is not None


def test_no_secret_reaches_a_log_or_the_answer(
    interface: AccountingInterface,
    admin: User,
    server: LedgerServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.files = FILES[:1]
    said = end(interface, admin)
    assert f"disconnected practice={interface.practice_id}" in caplog.text
    assert "CANARY" not in f"{said} {caplog.text}"
