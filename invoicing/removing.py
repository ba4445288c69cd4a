"""Takes away an interface that was added and never used: nothing of it is worth a history."""

import logging
from typing import Any

from django.db import transaction
from django.db.models import Q

from interfaces import lanes
from interfaces.models import AccountingInterface, SetUpRequest
from invoicing.models import InvoiceSetting, Upload
from invoicing.words import all_of
from offices.audit import record
from offices.models import AuditEntry, User

log = logging.getLogger("invoicing.removing")

State = AccountingInterface.State
REMOVED = "interface.removed"
REHEARSAL_REMOVED = "interface.rehearsal_removed"
OVER = (SetUpRequest.State.CONFIRMED, SetUpRequest.State.WITHDRAWN)


class CannotRemove(Exception):
    """It is in use, or was; `str(error)` says how."""


@transaction.atomic
def remove_unused(
    *, interface_id: int, actor: User, as_support: bool = False, address: str | None = None
) -> str:
    """Remove the interface with its settings; a sentence that says so. Needs a scope.

    Raises CannotRemove, and DoesNotExist.
    """
    # The lane before the interface, as its holder locks them; whoever is refused gives it back.
    lanes.take_away(interface_id)
    interface = AccountingInterface.objects.select_for_update().get(pk=interface_id)
    why = why_not_removed(interface)
    if why:
        raise CannotRemove(why)
    before = in_words(interface)
    InvoiceSetting.objects.filter(interface=interface).update(interface=None)
    interface.delete()
    record(
        actor=actor,
        action=REMOVED,
        subject=before["name"],
        detail={"interface": interface_id, "before": before, "after": None},
        as_support=as_support,
        address=address,
    )
    log.info("interface removed interface=%s", interface_id)
    return f"{before['name']} is removed.{through_none(before['invoice_settings'])}"


def why_not_removed(interface: AccountingInterface) -> str:
    """What keeps the interface from being removed, in a sentence; empty if nothing. Needs a scope.

    Where nobody signs in there is nothing that could be disconnected first.
    """
    if interface.is_rehearsal:
        return f"{interface} is a rehearsal. Remove it as one."
    if interface.is_live:
        return f"{interface} was live, so its history is kept. Disconnect it instead."
    if Upload.objects.filter(interface=interface).exists():
        return f"Something was uploaded through {interface}, so its history is kept."
    unused = interface.state in {State.NOT_CONNECTED, State.DISCONNECTED}
    if interface.package.signs_in and not unused:
        return f"{interface} is connected. Disconnect it first."
    if SetUpRequest.objects.filter(~Q(state__in=OVER), interface=interface).exists():
        return f"Our team was asked to set {interface} up. Withdraw that first."
    return ""


def was_removed(interface_id: int) -> bool:
    """Whether the practice had an interface of that id and removed it. Needs a scope."""
    removals = AuditEntry.objects.filter(action__in=(REMOVED, REHEARSAL_REMOVED))
    return removals.filter(detail__interface=interface_id).exists()


def in_words(interface: AccountingInterface) -> dict[str, Any]:
    """What the record keeps of an interface that is removed. Needs a scope."""
    linked = InvoiceSetting.objects.filter(interface=interface).order_by("name")
    return {
        "name": interface.name,
        "package": interface.package_key,
        "company_file": interface.company_file_name,
        "invoice_settings": list(linked.values_list("name", flat=True)),
    }


def through_none(unlinked: list[str]) -> str:
    """That these invoice settings have no interface now, to be added to what was said."""
    if not unlinked:
        return ""
    go = "goes" if len(unlinked) == 1 else "go"
    return f" {all_of(unlinked)} {go} through no interface now."
