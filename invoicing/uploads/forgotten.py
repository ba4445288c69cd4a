"""Puts right which invoices are offered, where whoever moved an upload could not say so.

A lane passes over an invoice that somebody holds, and during a deploy an older worker says nothing.
"""

from collections.abc import Collection
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from invoicing.models import Invoice, Upload
from invoicing.uploads.states import DOCUMENTS, LIVE, MOVING, State


def put_right(interface_ids: Collection[int]) -> int:
    """Of what was refused there, and of what moves there; how many were wrong. Needs a scope."""
    documents = Upload.objects.filter(interface__in=interface_ids, kind__in=DOCUMENTS)
    refused = documents.filter(state=State.REFUSED, invoice__in_upload=True)
    moving = documents.filter(state__in=MOVING, invoice__in_upload=False)
    return put_back(Q(pk__in=refused.values("invoice"))) + _mark(
        Q(pk__in=moving.values("invoice")), in_upload=True
    )


def put_back(which: Q) -> int:
    """Offer again those of the invoices that no upload of theirs keeps from it; how many."""
    live = Upload.objects.filter(invoice=OuterRef("pk"), kind__in=DOCUMENTS, state__in=LIVE)
    return _mark(which & ~Q(Exists(live)) & Q(in_upload=True), in_upload=False)


def _mark(which: Any, *, in_upload: bool) -> int:
    free: QuerySet[Invoice] = Invoice.objects.filter(which).order_by("pk")
    free = free.select_for_update(no_key=True, skip_locked=True)
    return Invoice.objects.filter(pk__in=free.values("pk")).update(in_upload=in_upload)
