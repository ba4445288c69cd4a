"""Whether an interface may be used: consent lost, and consent regained."""

import logging

from interfaces import charges, clock, lanes
from interfaces.models import AccountingInterface
from offices.tenancy import acting_for

log = logging.getLogger("interfaces.standing")

State = AccountingInterface.State

REHEARSAL_GONE = (
    "The rehearsal company is gone: its server was restarted, or nobody used it for a day."
    " Remove this rehearsal and begin a new one."
)


def lose_consent(*, practice_id: int, interface_id: int, reason: str) -> None:
    """Mark that somebody must connect again; what waits keeps waiting.

    Only an interface in use is marked: one that is paused or disconnected stays so. Who loses the
    consent of a rehearsal has lost its books as well, since they are kept nowhere.
    """
    with acting_for(practice_id):
        in_use = AccountingInterface.objects.filter(
            pk=interface_id, state__in=[State.CONNECTED, State.CHOOSE_COMPANY_FILE]
        )
        lost = {"state": State.NEEDS_CONSENT, "state_changed_at": clock.now()}
        marked = in_use.filter(rehearsal_token="").update(state_reason=reason[:500], **lost)
        marked += in_use.exclude(rehearsal_token="").update(state_reason=REHEARSAL_GONE, **lost)
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
