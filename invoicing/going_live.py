"""The end of a set-up: what must be there before it, and what begins with it."""

from dataclasses import dataclass

from django.db import transaction

from interfaces import charges, clock
from interfaces.models import AccountingInterface
from interfaces.selectors import missing_defaults
from invoicing.models import InvoiceSetting
from invoicing.words import all_of
from offices.audit import record
from offices.models import User

State = AccountingInterface.State


class CannotGoLive(Exception):
    """Something is missing; `str(error)` says what, each with where to mend it."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What a set-up still lacks, and the step that mends it."""

    step: str
    sentence: str


def missing(interface: AccountingInterface) -> list[Missing]:
    """All that keeps the interface from going live. Needs a scope."""
    lacking = []
    if interface.state != State.CONNECTED:
        word = interface.package.company_file_word
        sentence = (
            f"No {word} is chosen yet."
            if interface.state == State.CHOOSE_COMPANY_FILE
            else f"{interface} is not connected."
        )
        lacking.append(Missing(step="connect", sentence=sentence))
    if defaults := missing_defaults(interface):
        lacking.append(Missing(step="codes", sentence=f"Not set yet: {all_of(defaults)}."))
    if not InvoiceSetting.objects.filter(interface=interface).exists():
        lacking.append(Missing(step="settings", sentence="No invoice setting is linked to it."))
    if interface.offered_from is None:
        lacking.append(Missing(step="settings", sentence="No go-live date is set."))
    return lacking


@transaction.atomic
def go_live(
    *,
    interface: AccountingInterface,
    actor: User,
    as_support: bool = False,
    address: str | None = None,
) -> AccountingInterface:
    """Offer the interface's invoices from now on, and charge for the link from today.

    Harmless when it is live already. Needs a scope. Raises CannotGoLive, and changes nothing.
    """
    held = AccountingInterface.objects.select_for_update(no_key=True).get(pk=interface.pk)
    if held.is_live:
        return held
    if lacking := missing(held):
        raise CannotGoLive(" ".join(one.sentence for one in lacking))
    held.live_since = clock.now()
    held.setup_step = "live"
    held.save(update_fields=["live_since", "setup_step"])
    charges.begin(held)
    record(
        actor=actor,
        action="interface.live",
        subject=held.name,
        detail={
            "interface": held.pk,
            "before": "being set up",
            "after": "live",
            "offered_from": held.offered_from.isoformat() if held.offered_from else "",
        },
        as_support=as_support,
        address=address,
    )
    return held
