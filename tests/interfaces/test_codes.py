"""Codes as the package lists them: read, kept, flagged when gone; the admin's choices stay."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors import registry
from connectors.base.documents import Account, Tax
from connectors.base.errors import NeedsReconnect, RetryLater
from interfaces import codes, selectors, tasks
from interfaces.models import AccountCode, AccountingInterface, TaxCode
from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import make_interface, make_practice
from tests.interfaces.conftest import reload
from tests.interfaces.ledger import CODES, PACKAGE, LedgerServer

pytestmark = pytest.mark.django_db

State = AccountingInterface.State


def refresh(interface: AccountingInterface) -> None:
    codes.refresh_codes(practice_id=interface.practice_id, interface_id=interface.pk)


def accounts_of(interface: AccountingInterface) -> dict[str, AccountCode]:
    with acting_for(interface.practice_id):
        return {one.code: one for one in AccountCode.objects.filter(interface=interface)}


def taxes_of(interface: AccountingInterface) -> dict[str, TaxCode]:
    with acting_for(interface.practice_id):
        return {one.code: one for one in TaxCode.objects.filter(interface=interface)}


def test_codes_and_facts_of_the_company_file_are_kept(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    server.codes = replace(CODES, lock_date=date(2026, 9, 30))
    refresh(interface)
    accounts, taxes, after = accounts_of(interface), taxes_of(interface), reload(interface)
    assert accounts["200"].allowed_tax_codes == ["GST", "ZERO"]
    assert accounts["210"].allowed_tax_codes is None
    assert taxes["OLD"].rate == Decimal("12.5")
    assert (after.country, after.currency, after.currencies) == ("NZ", "NZD", ["NZD", "AUD"])
    assert after.lock_date == date(2026, 9, 30)
    assert after.facts == {"country": "NZ", "currency": "NZD"}
    assert after.codes_read_at is not None
    assert after.codes_read_at > interface.codes_read_at  # type: ignore[operator]


def test_what_sales_lines_cannot_carry_is_not_offered_at_first(
    interface: AccountingInterface,
) -> None:
    refresh(interface)
    offered = {
        code
        for code, one in {**accounts_of(interface), **taxes_of(interface)}.items()
        if one.available and not one.vanished_at
    }
    assert offered == {"200", "210", "GST", "ZERO"}


def test_what_the_admin_chose_outlives_a_reading(interface: AccountingInterface) -> None:
    refresh(interface)
    with acting_for(interface.practice_id):
        AccountCode.objects.filter(code="200").update(available=False)
        AccountCode.objects.filter(code="090").update(available=True)
        interface.disbursement_account = AccountCode.objects.get(code="210")
        interface.save(update_fields=["disbursement_account"])
    refresh(interface)
    accounts = accounts_of(interface)
    assert (accounts["200"].available, accounts["090"].available) == (False, True)
    assert reload(interface).disbursement_account_id == accounts["210"].pk


def test_a_code_that_is_gone_is_flagged_and_stays_and_comes_back(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    refresh(interface)
    before = accounts_of(interface)["210"]
    server.codes = replace(CODES, accounts=CODES.accounts[:1], taxes=())
    refresh(interface)
    gone = accounts_of(interface)["210"]
    assert gone.pk == before.pk
    assert gone.vanished_at is not None
    assert gone.why_not == "is no longer in the package's list"
    assert all(one.vanished_at for one in taxes_of(interface).values())
    refresh(interface)
    assert accounts_of(interface)["210"].vanished_at == gone.vanished_at
    server.codes = CODES
    refresh(interface)
    assert accounts_of(interface)["210"].vanished_at is None


def test_a_default_that_is_gone_stays_the_default(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    """Somebody must choose another; until then lines are refused by name, not sent elsewhere."""
    server.codes = replace(CODES, accounts=CODES.accounts[1:])
    refresh(interface)
    after = reload(interface)
    assert after.revenue_account_id == interface.revenue_account_id
    with acting_for(interface.practice_id):
        [sales] = [one for one in selectors.codes_to_mend() if one.code == "200 Sales"]
    assert (sales.interface_name, sales.used) == ("Ledger Auckland", ["a default"])
    assert sales.why == "is no longer in the package's list"


def test_a_code_that_was_renamed_or_archived_there_is_here_too(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    refresh(interface)
    server.codes = replace(
        CODES,
        accounts=(Account(code="200", name="Fees", kind="INCOME", active=False),),
        taxes=(replace(CODES.taxes[0], rate=Decimal(20)),),
    )
    refresh(interface)
    account = accounts_of(interface)["200"]
    assert (account.name, account.kind, account.why_not) == ("Fees", "INCOME", "is archived")
    assert taxes_of(interface)["GST"].rate == 20


def test_odd_codes_disturb_no_others(interface: AccountingInterface, server: LedgerServer) -> None:
    server.codes = replace(
        CODES,
        accounts=(
            Account(code="", name="Without", kind="x"),
            Account(code="9" * 51, name="Too long", kind="x"),
            Account(code="200", name="Archived twin", kind="x", active=False),
            Account(code="200", name="Sales", kind="x"),
            Account(code="200", name="Archived twin", kind="x", active=False),
            Account(code="<b>", name="N" * 300, kind="k" * 80),
        ),
    )
    refresh(interface)
    listed = {code: one for code, one in accounts_of(interface).items() if not one.vanished_at}
    assert set(listed) == {"200", "<b>"}
    assert (listed["200"].name, listed["200"].active) == ("Sales", True)
    assert len(listed["<b>"].name) == 200


def test_a_failure_keeps_its_reason_beside_the_old_codes(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    refresh(interface)
    before, read_at = accounts_of(interface), reload(interface).codes_read_at
    server.down = True
    with pytest.raises(RetryLater, match="Ledger is not available"):
        refresh(interface)
    after = reload(interface)
    assert after.codes_error == "Ledger is not available."
    assert after.codes_read_at == read_at
    assert accounts_of(interface) == before
    server.down = False
    refresh(interface)
    assert reload(interface).codes_error == ""


def test_a_reading_in_the_background_answers_its_failure_in_words(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    ids = {"practice_id": interface.practice_id, "interface_id": interface.pk}
    assert codes.refresh_quietly(**ids) == ""
    server.down = True
    assert codes.refresh_quietly(**ids) == "Ledger is not available."
    tasks.refresh_codes(**ids)


def test_an_interface_that_is_not_connected_is_not_read(unconnected: AccountingInterface) -> None:
    with pytest.raises(NeedsReconnect, match="New is not connected yet"):
        refresh(unconnected)


def test_a_refused_sign_in_is_marked_for_somebody_to_connect_again(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    server.access_tokens.clear()
    server.refresh_tokens.clear()
    with pytest.raises(NeedsReconnect):
        refresh(interface)
    after = reload(interface)
    assert after.state == State.NEEDS_CONSENT
    assert "Connect again" in after.state_reason


def test_a_package_without_lists_of_codes_is_left_alone(
    interface: AccountingInterface, server: LedgerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = replace(PACKAGE, connector=object)
    monkeypatch.setattr(registry, "packages", lambda: {"ledger": package})
    refresh(interface)
    assert server.calls == []


def test_reading_takes_as_many_queries_for_many_codes_as_for_few(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    counts = []
    for number in (2, 60):  # SQLite splits an insertion of more
        server.codes = replace(
            CODES,
            accounts=tuple(
                Account(code=f"A{one}", name="x", kind="REVENUE") for one in range(number)
            ),
            taxes=tuple(Tax(code=f"T{one}", name="x", rate=Decimal(1)) for one in range(number)),
        )
        with CaptureQueriesContext(connection) as queries:
            refresh(interface)
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- What is offered ----------------------------------------------------------------------------


def test_exactly_the_codes_ticked_are_offered(interface: AccountingInterface) -> None:
    refresh(interface)
    accounts, taxes = accounts_of(interface), taxes_of(interface)
    with acting_for(interface.practice_id):
        other = make_interface(package_key="ledger")
        theirs = other.accounts.get(code="200")
        codes.set_available(
            interface, accounts=[accounts["090"].pk, theirs.pk], taxes=[taxes["OLD"].pk]
        )
        theirs.refresh_from_db()
        assert other.accounts.filter(available=True).count() == 3
    assert {code for code, one in accounts_of(interface).items() if one.available} == {"090"}
    assert {code for code, one in taxes_of(interface).items() if one.available} == {"OLD"}


# --- Which are read when ------------------------------------------------------------------------


def set_read(interface: AccountingInterface, **fields: Any) -> None:
    with acting_for(interface.practice_id):
        AccountingInterface.objects.filter(pk=interface.pk).update(**fields)


def test_codes_are_stale_after_a_day_for_interfaces_in_use(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    key = (interface.practice_id, interface.pk)
    assert selectors.with_stale_codes() == []
    for old in (None, timezone.now() - timedelta(days=1, minutes=1)):
        set_read(interface, codes_read_at=old)
        assert selectors.with_stale_codes() == [key]
    for state in State:
        set_read(interface, state=state)
        assert selectors.with_stale_codes() == ([key] if state == State.CONNECTED else [])


def test_every_practices_stale_codes_are_asked_for(
    practice: Practice,
    interface: AccountingInterface,
    server: LedgerServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = make_practice("Ridge")
    with acting_for(other.pk):
        theirs = make_interface(package_key="ledger", codes_read_at=None)
    set_read(interface, codes_read_at=None)
    asked: list[Any] = []
    monkeypatch.setattr(tasks.refresh_codes, "delay", lambda *ids: asked.append(ids))
    tasks.refresh_all_codes()
    assert asked == [(practice.pk, interface.pk), (other.pk, theirs.pk)]
