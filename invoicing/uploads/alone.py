"""Contacts and jobs sent on their own: created once, matched afterwards, updated where wanted."""

from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import QuerySet

from interfaces import clock, lanes
from interfaces.models import AccountingInterface
from invoicing import causes
from invoicing.models import Batch, ContactLink, Job, JobLink, Upload
from invoicing.uploads import adding
from invoicing.uploads.enqueue import (
    LIVE_COMPANION,
    contact_upload,
    job_upload,
    new_batch,
)
from offices.models import User

Kind = Upload.Kind


@transaction.atomic
def enqueue_jobs(
    *, interface: AccountingInterface, job_ids: Sequence[int], actor: User | None
) -> tuple[Batch, int] | None:
    """Queue jobs as a batch without invoices, and how many; the package is asked for each first.

    Those that are there, or on their way, are left out; None where nothing is left.
    """
    wanted = Job.objects.filter(pk__in=job_ids)
    # Held first, so that what a click beside this one has queued is seen.
    list(wanted.order_by("pk").select_for_update(no_key=True).values_list("pk"))
    there = JobLink.objects.filter(interface=interface, job__in=job_ids).values("job")
    coming = Upload.objects.filter(
        interface=interface, kind=Kind.JOB, state__in=LIVE_COMPANION, job__in=job_ids
    ).values("job")
    left = wanted.exclude(pk__in=there).exclude(pk__in=coming)
    jobs = list(left.select_related("client").order_by("code", "pk"))
    if not jobs:
        return None
    batch, now = new_batch(actor, origin=Batch.Origin.JOBS), clock.now()
    steps = [job_upload(interface, one, batch=batch, due=now) for one in jobs]
    replaced = adding.follow_on(steps)
    adding.add(steps, actor=actor)
    lanes.wake(interface.pk)
    causes.let_go_of(replaced)
    return batch, len(jobs)


@transaction.atomic
def update_contact(*, link: ContactLink, name: str, actor: User | None) -> Batch | None:
    """Queue the client as it is now, to be written over the contact it is linked to.

    `name` is the one it goes by there; None where something of it is on its way already.
    """
    interface = link.interface
    held = ContactLink.objects.select_for_update().filter(pk=link.pk)
    coming = Upload.objects.filter(
        interface=interface,
        kind=Kind.CONTACT,
        client=link.client_id,
        contact_name=link.name,
        state__in=LIVE_COMPANION,
    )
    if not list(held) or coming.exists():
        return None
    batch, now = new_batch(actor, origin=Batch.Origin.CLIENTS), clock.now()
    upload = contact_upload(
        link.client, interface=interface, name=name, link=link.name, batch=batch, due=now
    )
    upload.document["remote_id"] = link.remote_id
    replaced = adding.follow_on([upload])
    adding.add([upload], actor=actor)
    lanes.wake(interface.pk)
    causes.let_go_of(replaced)
    return batch


def latest_of_contacts(
    interface: AccountingInterface, client_ids: Collection[int]
) -> dict[tuple[int, str], Upload]:
    """The last upload of each of these clients, by the name its link is kept under."""
    rows = _latest(interface, Kind.CONTACT).filter(client__in=client_ids)
    return {(one.client_id or 0, one.contact_name): one for one in rows}


def latest_of_jobs(interface: AccountingInterface, job_ids: Collection[int]) -> dict[int, Upload]:
    """The last upload of each of these jobs."""
    rows = _latest(interface, Kind.JOB).filter(job__in=job_ids)
    return {one.job_id or 0: one for one in rows}


def _latest(interface: AccountingInterface, kind: str) -> QuerySet[Upload]:
    """Oldest first, so that of each the last one counts."""
    rows = Upload.objects.filter(interface=interface, kind=kind).defer("document")
    return rows.select_related("batch", "interface__lane").order_by("pk")
