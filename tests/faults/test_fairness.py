"""Row 30: one tenant's thousands do not keep another tenant's single invoice waiting."""

import threading
from typing import Any

import pytest

from connectors.base.standin import Delay
from interfaces import lanes
from invoicing import workers
from tests.factories import make_practice
from tests.faults.conftest import OpenFirm, wait_for
from tests.packages.plain.standin import PlainStandIn

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 12


def test_one_invoice_behind_many_of_another_tenant_goes_within_two_turns(
    plain: PlainStandIn, open_firm: OpenFirm, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    many, single = open_firm(plain), open_firm(plain, practice=make_practice("Bridge Engineers"))
    settings.UPLOAD_TURN_SECONDS = 1
    taken: list[int] = []
    begun = threading.Event()
    take = lanes.take

    def noted(**asked: Any) -> Any:
        held = take(**asked)
        if held:
            taken.append(held.interface_id)
            begun.set()
        return held

    monkeypatch.setattr(lanes, "take", noted)
    # Every write takes as long as a turn: each turn is one document.
    plain.script("POST", times=None, fault=Delay(1.0))
    invoices = [many.invoice() for _ in range(MANY)]
    running = workers.start(sweep=False)
    try:
        many.upload(*invoices)
        assert begun.wait(30)
        invoice = single.invoice()
        before = len(taken)
        single.upload(invoice)
        wait_for(lambda: single.of(invoice).state == "sent")
        between = taken[before:]
        # Its client is the document of one turn, the invoice that of the next.
        while between[-1] != single.interface.pk:
            between.pop()
        assert between.count(many.interface.pk) <= 2 * between.count(single.interface.pk)
        left = [one for one in many.documents() if one.state != "sent"]
        assert len(left) > MANY // 2
        plain.clear()
        wait_for(lambda: {one.state for one in many.documents()} == {"sent"})
    finally:
        running.stop()
    single.check(invoice)
    many.check(*invoices)
