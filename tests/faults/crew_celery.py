"""The random driver's workers as the server shape runs them.

`celery -A tests.faults.crew_celery worker`, and `beat` beside them.
"""

import os

from celery.signals import worker_init

from tests.faults import crew
from tests.faults.celery_worker import app

__all__ = ["app"]

crew.hurry()
app.conf.beat_schedule["sweep"]["schedule"] = crew.SWEEP


@worker_init.connect
def play(**_: object) -> None:
    """Only the workers: the scheduler is left in peace."""
    if "FATE" in os.environ:
        crew.play_with_fate()
