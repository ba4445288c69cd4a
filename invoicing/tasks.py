"""What the workers do for invoicing. No rule lives here: each task calls one function."""

from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down

from interfaces import lanes
from invoicing import contact_list, digests, notices, payments, summaries
from invoicing.uploads import lane


@shared_task
def drain_lane(practice_id: int, interface_id: int, rung_at: int | None = None) -> None:
    """Take one turn at an interface's lane."""
    lane.drain(practice_id=practice_id, interface_id=interface_id, rung_at=rung_at)


@shared_task
def sweep() -> None:
    """Ring for every lane that is due, or whose holder is gone."""
    for practice_id, interface_id in lanes.due_lanes():
        lanes.ring(practice_id, interface_id)


@shared_task
def read_payments(practice_id: int, interface_id: int) -> None:
    """Read back what was paid, for one interface."""
    payments.read_quietly(practice_id=practice_id, interface_id=interface_id)


@shared_task
def read_all_payments() -> None:
    """Ask for the payments of every interface in use."""
    for practice_id, interface_id in payments.due_interfaces():
        read_payments.delay(practice_id, interface_id)


@shared_task
def read_contacts(practice_id: int, interface_id: int) -> None:
    """Read one interface's list of contacts."""
    contact_list.read_quietly(practice_id=practice_id, interface_id=interface_id)


@shared_task
def read_all_contacts() -> None:
    """Ask for the contacts of every interface whose list is older than a day."""
    for practice_id, interface_id in contact_list.with_stale_contacts():
        read_contacts.delay(practice_id, interface_id)


@shared_task
def watch() -> None:
    """Tell people of what is late wherever something moves."""
    notices.watch()


@shared_task
def watch_all() -> None:
    """The same everywhere: what nothing moves is looked at once an hour."""
    notices.watch(everywhere=True)


@shared_task
def mail_summaries() -> None:
    """Mail the summaries of batches that have finished."""
    summaries.mail_all()


@shared_task
def mail_digests() -> None:
    """Mail what failed since yesterday, to those who get it."""
    digests.mail_all()


@worker_shutting_down.connect
def stop_claiming(**_: Any) -> None:
    """TERM: the call in hand is finished, nothing more is claimed."""
    lane.stopping.set()
