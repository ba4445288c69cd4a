"""The package knows more, or less, than it did a moment ago."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from connectors.base.standin import Answer, Drop, Hold
from interfaces.models import AccountCode
from offices.tenancy import acting_for
from tests.faults.conftest import Firm, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
# What a look-up answers that does not see it.
NOTHING: dict[str, list[str]] = {"Invoices": [], "items": []}


def switch_off(firm: Firm, code: str) -> None:
    """Somebody makes the code inactive in the package."""
    if firm.invented:
        firm.standin.set_active(firm.interface.company_file_id, code, False)
    elif rate := firm.books.tax_rate(code):
        rate.status = "ARCHIVED"
    else:
        firm.books.archive_account(code)


def test_an_account_made_inactive_meanwhile_is_refused_by_name(known: Firm) -> None:
    """Row 28: between the check at the click and the call. The others of the batch go."""
    with acting_for(known.practice.pk):
        other = AccountCode.objects.get(interface=known.interface, code="260")
    good = known.invoice()
    bad = known.invoice(line_fields={"account_code": other.code})
    known.upload(good, bad)
    switch_off(known, "260")
    known.work(turns=2)
    known.check(good)
    upload = known.of(bad)
    assert (upload.state, upload.field) == ("refused", "account_code")
    assert "260" in upload.reason
    assert upload.next_step
    assert bad.number not in known.numbers_there()


def test_a_tax_code_made_inactive_meanwhile_is_refused_by_name(known: Firm) -> None:
    """Row 28."""
    invoice = known.invoice()
    known.upload(invoice)
    switch_off(known, "OUTPUT2")
    known.work()
    upload = known.of(invoice)
    assert (upload.state, upload.field) == ("refused", "tax_code")
    assert "OUTPUT2" in upload.reason
    assert upload.next_step
    known.check()


@pytest.mark.parametrize("package", ["firm", "plain_firm"], ids=["xero", "plain"])
def test_a_look_up_that_does_not_see_it_yet_sends_nothing_again(
    request: pytest.FixtureRequest, package: str, settings: Any
) -> None:
    """Row 32: the first miss proves nothing; the look-up after the settle delay decides."""
    known: Firm = request.getfixturevalue(package)
    settings.UPLOAD_SETTLE_SECONDS = HOUR.total_seconds()
    invoice = known.invoice()
    known.upload(invoice)
    known.script(Drop(after_effect=True))
    known.work()
    if known.invented:
        known.standin.visible_after = 1800.0
    else:
        known.standin.script("GET", known.call[1], fault=Answer(200, NOTHING))
    known.pass_time(timedelta(minutes=2))
    known.turn()
    missed = known.of(invoice)
    assert (missed.state, missed.lookups) == ("unknown", 1)
    assert missed.due is not None
    if known.invented:
        known.standin.visible_after = 0.0
    known.pass_time(2 * HOUR)
    known.turn()
    known.check(invoice)
    assert known.moves(known.of(invoice))[-2:] == ["unknown", "sent"]
    assert known.created_by() == 1


def test_absent_still_after_the_settle_delay_it_is_sent_again(known: Firm, settings: Any) -> None:
    """Row 32, the other way: what never arrived is proven absent, not waited for for ever."""
    settings.UPLOAD_SETTLE_SECONDS = HOUR.total_seconds()
    invoice = known.invoice()
    known.upload(invoice)
    known.script(Drop(after_effect=False))
    known.work()
    for _ in range(2):
        known.pass_time(2 * HOUR)
        known.turn()
    known.check(invoice)
    assert known.created_by() == 1


def test_made_only_after_the_first_look_is_still_one_copy(known: Firm, settings: Any) -> None:
    """Row 9: the package goes on after we have gone; a second send waits until it surely ended."""
    settings.UPLOAD_SETTLE_SECONDS = HOUR.total_seconds()
    invoice, go_on = known.invoice(), threading.Event()
    known.upload(invoice)
    known.script(Hold(go_on))
    known.work()
    assert known.of(invoice).state == "unknown"
    known.pass_time(timedelta(minutes=2))
    known.turn()
    assert known.of(invoice).state == "unknown"
    assert known.numbers_there() == [one.number for one in known.earlier]
    go_on.set()
    wait_for(lambda: invoice.number in known.numbers_there())
    known.work(turns=2)
    known.check(invoice)
