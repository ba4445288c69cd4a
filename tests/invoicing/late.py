"""Uploads that have stood where they are for as long as a test says."""

from datetime import datetime, timedelta
from typing import Any

from interfaces import clock
from interfaces.models import AccountingInterface
from invoicing.models import Batch, Upload, UploadEvent
from tests.factories import make_client, make_invoice, make_office, make_setting
from tests.invoicing.scene import PATHS, State

DAY = timedelta(days=1)
LONG_AGO = 40 * DAY


def ago(time: timedelta) -> datetime:
    """The moment that long before now, by the clock the product goes by."""
    return clock.now() - time


def make_batch_for(number: int) -> Batch:
    """The batch of that number."""
    found, _ = Batch.objects.get_or_create(number=number)
    return found


def make_late(
    interface: AccountingInterface, state: str, since: timedelta = LONG_AGO, **fields: Any
) -> Upload:
    """An upload made that long ago, with the history that led it to that state then."""
    moment = ago(since)
    office = make_office(make_setting(interface))
    upload = Upload.objects.create(
        interface=interface,
        batch=make_batch_for(900),
        kind=Upload.Kind.INVOICE,
        invoice=make_invoice(office, make_client()),
        state=state,
        **{
            "document": {"key": "x"},
            "created_at": moment,
            "due": moment,
            "lease_until": moment,
            "remote_id": "r-1" if state == State.SENT else "",
            **fields,
        },
    )
    before = ""
    for after in PATHS.get(state, ("queued",)):
        move(upload, before, after, since)
        before = after
    return upload


def move(upload: Upload, before: str, after: str, since: timedelta) -> None:
    """A move of its history, made that long ago."""
    UploadEvent.objects.create(upload=upload, before=before, after=after, at=ago(since))
