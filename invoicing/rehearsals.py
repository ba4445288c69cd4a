"""The end of rehearsals: what was sent to a rehearsal company was never sent.

Nothing here touches a row of a real interface. Upload by upload, that is what keeps Abtrac from
taking an invoice for sent because it was rehearsed.
"""

import logging
from collections.abc import Collection

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from interfaces import clock, lanes, rehearsals
from interfaces.connections import acting_for_nobody
from interfaces.models import AccountingInterface
from invoicing import removing
from invoicing.causes import close_idle
from invoicing.models import (
    Attempt,
    Batch,
    Exchange,
    InvoiceSetting,
    PaymentReceived,
    Upload,
    UploadEvent,
)
from invoicing.uploads.forgotten import put_back
from invoicing.uploads.outcomes import finish_batches
from invoicing.uploads.states import HELD
from offices.audit import record
from offices.isolation import thinned_out
from offices.models import Practice, User
from offices.tenancy import acting_for, current_practice_id

log = logging.getLogger("invoicing.rehearsals")


class NoRehearsal(Exception):
    """The interface is a real one; `str(error)` says so."""


def remove_rehearsal(
    *,
    practice_id: int,
    interface_id: int,
    actor: User,
    as_support: bool = False,
    address: str | None = None,
) -> str:
    """Remove the interface and all that was rehearsed through it; a sentence that says so.

    Its invoices are as if they had never been uploaded through it. Raises NoRehearsal, and
    DoesNotExist.
    """
    with acting_for_nobody(), acting_for(practice_id):
        interface = AccountingInterface.objects.get(pk=interface_id)
        if not interface.is_rehearsal:
            raise NoRehearsal(f"{interface.name} is no rehearsal. Disconnect it instead.")
        # A worker that is sending finds its lane gone, and nobody takes it again.
        lanes.take_away(interface_id)
        AccountingInterface.objects.filter(pk=interface_id).update(
            state=AccountingInterface.State.DISCONNECTED,
            state_reason="",
            state_changed_at=clock.now(),
        )
    with acting_for(practice_id):
        uploads = Upload.objects.filter(interface=interface).count()
        before = {**removing.in_words(interface), "uploads": uploads}
        InvoiceSetting.objects.filter(interface=interface).update(interface=None)
        _forget(Upload.objects.filter(interface=interface))
        PaymentReceived.objects.filter(interface=interface).delete()
        Exchange.objects.filter(interface=interface).delete()
        interface.delete()
        record(
            actor=actor,
            action=removing.REHEARSAL_REMOVED,
            subject=before["name"],
            detail={"interface": interface_id, "before": before, "after": None},
            as_support=as_support,
            address=address,
        )
    log.info("rehearsal removed practice=%s interface=%s", practice_id, interface_id)
    rehearsals.forget(interface.package_key, interface.rehearsal_token)
    told = f"{before['name']} is removed, with all that was rehearsed in it."
    return f"{told}{removing.through_none(before['invoice_settings'])}"


def forget_uploads(interface: AccountingInterface, setting_ids: Collection[int]) -> None:
    """Forget what was rehearsed of the invoices of these settings. Needs a scope.

    Of a real interface nothing is forgotten.
    """
    if interface.is_rehearsal:
        rehearsed = Upload.objects.filter(interface=interface)
        _forget(rehearsed.filter(invoice__invoice_setting__in=setting_ids))


def forget_invoices(invoice_ids: Collection[str], *, kinds: Collection[str] = ()) -> None:
    """Forget what was rehearsed of these invoices, by Abtrac's IDs. Needs a scope.

    `kinds` are those of the uploads forgotten, where not all are.
    """
    rehearsed = Upload.objects.exclude(interface__rehearsal_token="")
    rehearsed = rehearsed.filter(invoice__abtrac_id__in=invoice_ids)
    _forget(rehearsed.filter(kind__in=kinds) if kinds else rehearsed)


def _forget(uploads: QuerySet[Upload]) -> None:
    """Delete uploads of rehearsals, and what would be left of their calls and batches."""
    found = uploads.order_by().values_list("interface", "state").distinct()
    where = list(found)
    if not where:
        return
    for interface_id in sorted({one for one, state in where if state in HELD}):
        # As a worker locks them: the lane before the uploads.
        lanes.take_away(interface_id)
        lanes.wake(interface_id)
    gone = list(uploads.select_for_update(of=("self",)).order_by("id"))
    calls = Exchange.objects.filter(attempts__upload__in=gone).values_list("pk", flat=True)
    call_ids = list(calls.distinct())
    with thinned_out(UploadEvent):
        Upload.objects.filter(pk__in=[one.pk for one in gone]).delete()
    put_back(Q(pk__in={one.invoice_id for one in gone} - {None}))
    others = Attempt.objects.filter(exchange=OuterRef("pk"))
    Exchange.objects.filter(~Exists(others), pk__in=call_ids).delete()
    kept = Upload.objects.filter(batch=OuterRef("pk"))
    batches = Batch.objects.filter(pk__in={one.batch_id for one in gone})
    emptied = batches.filter(~Exists(kept))
    highest = emptied.aggregate(highest=Max("number"))["highest"] or 0
    Practice.objects.filter(pk=current_practice_id(), last_batch__lt=highest).update(
        last_batch=highest
    )
    emptied.delete()
    close_idle({one.interface_id for one in gone})
    finish_batches(gone)
