"""Answers that are late, lost, wrong or unwelcome."""

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import connection

from connectors.base.errors import NeedsReconnect
from connectors.base.standin import Drop, Hold
from connectors.xero.standin import XeroStandIn
from interfaces import limits
from interfaces.connections import regain
from interfaces.credentials import StoredTokens, store_tokens
from interfaces.models import AccountingInterface, Credential
from offices.tenancy import acting_for
from tests.faults.conftest import Firm

pytestmark = pytest.mark.django_db(transaction=True)

INVOICES = r"/api\.xro/2\.0/Invoices"
TOKEN = r"/connect/token"


@pytest.fixture
def known(firm: Firm) -> Firm:
    """The firm with its client known in Xero."""
    first = firm.invoice()
    firm.upload(first)
    firm.work()
    firm.check(first)
    firm.earlier.append(first)
    firm.xero.clear()
    return firm


def writes(xero: XeroStandIn) -> int:
    return sum(one.method == "PUT" for one in xero.requests)


def test_an_answer_later_than_we_wait_is_adopted(
    known: Firm, xero: XeroStandIn, settings: Any
) -> None:
    """Row 8: created, but the answer comes after the read time-out."""
    settings.PACKAGE_APPS["xero"]["read_timeout"] = 0.3
    invoice, go_on = known.invoice(), threading.Event()
    known.upload(invoice)
    xero.script(method="PUT", path=INVOICES, fault=Hold(go_on, after_effect=True))
    known.work()
    assert known.of(invoice).state == "unknown"
    go_on.set()
    known.work(turns=2)
    known.check(invoice)
    assert known.moves(known.of(invoice)) == ["queued", "claimed", "sending", "unknown", "sent"]
    assert writes(xero) == 1


class RedisThatGoes:
    """A Redis in which there is always a token, and which is away when the answer comes."""

    def eval(self, script: str, *_: Any) -> bytes:
        if script == limits.LOWER.replace("COUNTED", str(limits.COUNTED)):
            raise redis.ConnectionError("Connection refused")
        return b"0.000000"


def test_a_redis_that_goes_away_while_a_write_is_answered_changes_nothing(
    known: Firm, xero: XeroStandIn, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 19: what Xero has is never said to be "surely not sent", or it would go twice."""
    settings.EMBEDDED = False
    monkeypatch.setattr(limits, "client", RedisThatGoes)
    invoice = known.invoice()
    known.upload(invoice)
    known.work()
    known.check(invoice)
    assert known.moves(known.of(invoice)) == ["queued", "claimed", "sending", "sent"]
    assert writes(xero) == 1


def test_of_a_batch_of_fifty_one_invalid_one_taken_and_forty_eight_good(
    known: Firm, xero: XeroStandIn
) -> None:
    """Row 15: 48 sent, one refused, one put to a person; nothing is sent again."""
    invoices = [known.invoice(number=f"B-{number:02}") for number in range(50)]
    known.type_in("B-17", "99.00")
    known.upload(*invoices)
    # Frozen when it was queued; the books were closed meanwhile.
    with acting_for(known.practice.pk):
        upload = known.of(invoices[31])
        upload.document["issued"] = "2020-01-31"
        upload.save(update_fields=["document"])
    known.books.set_lock_date(date(2020, 6, 30))
    known.work(turns=3)
    states = [known.of(one).state for one in invoices]
    assert states.count("sent") == 48
    assert states[31] == "refused"
    assert states[17] == "needs_person"
    assert "lock" in known.of(invoices[31]).reason
    taken = known.of(invoices[17])
    assert "Somebody Else Ltd" in taken.reason
    assert "99.00" in taken.reason
    assert taken.next_step
    assert writes(xero) == 1
    assert sorted(known.numbers_there()) == sorted(
        one.number for one in [*known.earlier, *invoices] if one.number != "B-31"
    )


def test_a_token_that_ends_on_the_way_is_renewed_and_the_write_made_once(
    known: Firm, xero: XeroStandIn
) -> None:
    """Row 17: Xero refuses the token although it was not due to end."""
    invoices = [known.invoice() for _ in range(3)]
    known.upload(*invoices)
    xero.expire_access_tokens()
    known.work()
    known.check(*invoices)
    assert asked(xero, TOKEN) == 1


def test_of_two_workers_whose_token_ended_one_asks_for_the_new_one(
    known: Firm, xero: XeroStandIn
) -> None:
    """Row 17."""
    end_token(known)
    together, got = threading.Barrier(2), []

    def work() -> None:
        together.wait()
        try:
            got.append(StoredTokens(known.practice.pk, known.interface.pk).access_token())
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert len(set(got)) == 1
    assert len(got) == 2
    assert asked(xero, TOKEN) == 1


def test_a_renewal_whose_answer_was_lost_is_made_again_inside_the_overlap(
    known: Firm, xero: XeroStandIn
) -> None:
    """Row 17."""
    invoice = known.invoice()
    known.upload(invoice)
    end_token(known)
    xero.script(method="POST", path=TOKEN, fault=Drop(after_effect=True))
    known.work()
    assert known.of(invoice).state == "queued"
    assert state_of(known) == "connected"
    known.work()
    known.check(invoice)


def test_a_renewal_lost_past_the_overlap_waits_for_consent_and_then_goes_by_itself(
    known: Firm, xero: XeroStandIn
) -> None:
    """Row 17: the user signs in again and nothing has to be clicked a second time."""
    invoice = known.invoice()
    known.upload(invoice)
    end_token(known)
    xero.script(method="POST", path=TOKEN, fault=Drop(after_effect=True))
    known.work()
    real = xero.clock
    xero.clock = lambda: real() + timedelta(minutes=31)
    known.work()
    assert known.of(invoice).state == "queued"
    assert state_of(known) == "needs_consent"
    with pytest.raises(NeedsReconnect):
        StoredTokens(known.practice.pk, known.interface.pk).access_token()
    sign_in_again(known)
    known.work()
    known.check(invoice)


def test_disconnected_inside_xero_everything_waits_and_goes_on_afterwards(
    known: Firm, xero: XeroStandIn
) -> None:
    """Row 18."""
    invoice = known.invoice()
    known.upload(invoice)
    xero.disconnect("Harbour Architects Ltd")
    known.work()
    assert known.of(invoice).state == "queued"
    assert state_of(known) == "needs_consent"
    sign_in_again(known)
    known.work()
    known.check(invoice)


def asked(xero: XeroStandIn, path: str) -> int:
    return sum(one.path == path for one in xero.requests)


def state_of(firm: Firm) -> str:
    with acting_for(firm.practice.pk):
        return str(AccountingInterface.objects.get(pk=firm.interface.pk).state)


def end_token(firm: Firm) -> None:
    with acting_for(firm.practice.pk):
        Credential.objects.filter(interface=firm.interface).update(
            expires_at=datetime.now(UTC) - timedelta(seconds=1)
        )


def sign_in_again(firm: Firm) -> None:
    with acting_for(firm.practice.pk):
        store_tokens(firm.interface.pk, firm.xero.issue_tokens(), firm.user)
    regain(practice_id=firm.practice.pk, interface_id=firm.interface.pk)
