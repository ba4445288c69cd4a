"""Puts right which invoices are offered and what holds uploads up, where the one who moved them
could not say so.

A lane passes over an invoice that somebody holds, during a deploy an older worker says nothing, and
nobody says of a refused invoice that is un-committed that it waits for nothing any more.
"""

from collections.abc import Collection
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from invoicing import causes
from invoicing.models import Blocked, Invoice, Upload
from invoicing.selectors import went_on
from invoicing.uploads.states import DOCUMENTS, FAILED, LIVE, MOVING, OVER, State
from invoicing.uploads.waiting import STEPS

# So many are looked at in one transaction; what is left is there the next time.
MOST = 500


def put_right(interface_ids: Collection[int], *, thoroughly: bool = False) -> int:
    """Of what was refused there, and of what moves there; how many were wrong. Needs a scope.

    Thoroughly also of what is there, or was: of that there is far more, and no index tells it.
    """
    documents = Upload.objects.filter(interface__in=interface_ids, kind__in=DOCUMENTS)
    refused = documents.filter(state=State.REFUSED, invoice__in_upload=True)
    moving = documents.filter(state__in=MOVING, invoice__in_upload=False)
    wrong = put_back(Q(pk__in=refused.values("invoice")))
    wrong += _mark(Q(pk__in=moving.values("invoice")), in_upload=True)
    if thoroughly:
        voided = documents.filter(state=State.VOIDED, invoice__in_upload=True)
        wrong += put_back(Q(pk__in=voided.values("invoice")))
        live = documents.filter(state__in=LIVE, invoice__in_upload=False)
        wrong += _mark(Q(pk__in=live.values("invoice")), in_upload=True)
    return wrong + _put_causes_right(interface_ids)


def _put_causes_right(interface_ids: Collection[int]) -> int:
    """What failed and waits has its causes, and nothing else has; how many were wrong."""
    aside = Q(invoice__parked_at__isnull=False) | Q(invoice__in_accounts_at__isnull=False)
    waits_not = went_on() | Q(kind__in=DOCUMENTS) & (
        ~Q(invoice__status=Invoice.Status.COMMITTED) | aside
    )
    there = Upload.objects.filter(interface__in=interface_ids)
    told = Blocked.objects.filter(upload=OuterRef("pk"), cleared_at__isnull=True)
    over = there.filter(Q(state__in=OVER) | Q(state__in=FAILED) & waits_not, Exists(told))
    done = _free(over)
    for one in done:
        one.has_causes = True
    causes.let_go(done)
    # Contacts and jobs first: what waits for them joins their causes.
    untold = _free(there.filter(~waits_not, state__in=FAILED, has_causes=False))
    _find_steps(untold)
    for steps in (True, False):
        causes.held_up([one for one in untold if (one.kind in STEPS) is steps])
    return len(done) + len(untold) + causes.close_idle(interface_ids)


def _free(uploads: QuerySet[Upload]) -> list[Upload]:
    """Some of them, held; those that somebody moves just now are left to them."""
    rows = uploads.select_related("interface", "invoice").order_by("pk")
    return list(rows.select_for_update(of=("self",), no_key=True, skip_locked=True)[:MOST])


def _find_steps(uploads: Collection[Upload]) -> None:
    """Of documents refused for the sake of a contact: the upload of that contact, if it failed."""
    waiting = [one for one in uploads if one.kind in DOCUMENTS and one.field == "contact"]
    clients = {one.invoice.client_id for one in waiting if one.invoice}
    failed = Upload.objects.filter(kind=Upload.Kind.CONTACT, state__in=FAILED, client__in=clients)
    of_client = {
        (one.interface_id, one.client_id, one.reason): one
        for one in failed.select_related("interface").order_by("pk")
        if clients
    }
    for one in waiting:
        client = one.invoice.client_id if one.invoice else 0
        one.waits_for = of_client.get((one.interface_id, client, one.reason))


def put_back(which: Q) -> int:
    """Offer again those of the invoices that no upload of theirs keeps from it; how many."""
    live = Upload.objects.filter(invoice=OuterRef("pk"), kind__in=DOCUMENTS, state__in=LIVE)
    return _mark(which & ~Q(Exists(live)) & Q(in_upload=True), in_upload=False)


def _mark(which: Any, *, in_upload: bool) -> int:
    free: QuerySet[Invoice] = Invoice.objects.filter(which).order_by("pk")
    free = free.select_for_update(no_key=True, skip_locked=True)
    return Invoice.objects.filter(pk__in=free.values("pk")).update(in_upload=in_upload)
