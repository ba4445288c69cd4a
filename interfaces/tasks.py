"""What the worker does for interfaces in the background."""

from celery import shared_task

from interfaces import codes, lapsing, selectors


@shared_task
def refresh_codes(practice_id: int, interface_id: int) -> None:
    """Read one interface's codes."""
    codes.refresh_quietly(practice_id=practice_id, interface_id=interface_id)


@shared_task
def refresh_all_codes() -> None:
    """Ask for the codes of every interface whose codes are older than a day."""
    for practice_id, interface_id in selectors.with_stale_codes():
        refresh_codes.delay(practice_id, interface_id)


@shared_task
def warn_of_lapsing() -> None:
    """Warn of sign-ins that end by themselves within two weeks."""
    lapsing.warn_all()
