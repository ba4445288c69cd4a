"""Whether an interface may be used: consent lost, and consent regained."""

import logging

from interfaces import charges, clock, lanes
from interfaces.models import AccountingInterface
from offices.tenancy import acting_for

log = logging.getLogger("interfaces.standing")

State = AccountingInterface.State


def lose_consent(*, practice_id: int, interface_id: int, reason: str) -> None:
    """Mark that somebody must connect again; what waits keeps waiting.

    Only an interface in use is marked: one that is paused or disconnected stays so.
    """
    with acting_for(practice_id):
        marked = AccountingInterface.objects.filter(
            pk=interface_id, state__in=[State.CONNECTED, State.CHOOSE_COMPANY_FILE]
        ).update(state=State.NEEDS_CONSENT, state_reason=reason[:500], state_changed_at=clock.now())
    if marked:
        log.warning("consent lost practice=%s interface=%s", practice_id, interface_id)


def regain(*, practice_id: int, interface_id: int) -> None:
    """Mark the interface connected and wake its lane, so that what waited goes on."""
    with acting_for(practice_id):
        # The lane before the interface, as its holder locks them.
        lanes.wake(interface_id)
        AccountingInterface.objects.filter(pk=interface_id).update(
            state=State.CONNECTED, state_reason="", state_changed_at=clock.now()
        )
        interface = AccountingInterface.objects.select_related("practice").get(pk=interface_id)
        if interface.is_live:
            # It may have been paused or disconnected; one that only lost its consent goes on.
            charges.begin(interface)
    log.info("connected practice=%s interface=%s", practice_id, interface_id)
