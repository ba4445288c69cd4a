"""The worker and the scheduler inside the web process: the shape without a server beside it.

Both are Celery's own, on the in-memory broker. What they lose when the process dies is only a
doorbell: the sweep rings again after the next start.
"""

import logging
import threading
from dataclasses import dataclass
from typing import Any

from celery import current_app
from celery.beat import Scheduler, Service
from celery.worker import WorkController
from django.db import close_old_connections

from invoicing.uploads import lane

log = logging.getLogger("invoicing.workers")


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """The running pair."""

    worker: Any
    thread: threading.Thread
    scheduler: Any

    def stop(self, *, seconds: float = 30.0) -> None:
        """Finish the call in hand, claim nothing more, and end."""
        lane.stopping.set()
        self.scheduler.stop()
        self.worker.stop()
        self.thread.join(seconds)
        if self.thread.is_alive():
            log.warning("the call in hand was not waited for any longer")
        else:
            log.info("worker and scheduler of this process have ended")


def start(*, sweep: bool = True) -> Embedded:
    """Start both; returns once the worker consumes. Without `sweep` only the doorbell wakes it."""
    lane.stopping.clear()
    ready = threading.Event()
    worker = _Worker(ready, app=current_app, pool="solo", loglevel=logging.WARNING)
    thread = threading.Thread(target=_run, args=(worker,), name="worker", daemon=True)
    thread.start()
    if not ready.wait(30):
        raise RuntimeError("The worker inside this process did not start within 30 seconds.")
    scheduler = Service(current_app, scheduler_cls=Scheduler)
    if sweep:
        threading.Thread(target=scheduler.start, name="scheduler", daemon=True).start()
    log.info("worker and scheduler run in this process")
    return Embedded(worker=worker, thread=thread, scheduler=scheduler)


class _Worker(WorkController):
    """A worker that says when it consumes, and leaves the process's signals and logs alone."""

    def __init__(self, ready: threading.Event, **options: Any) -> None:
        self._is_ready = ready
        super().__init__(
            concurrency=1,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            **options,
        )

    def on_consumer_ready(self, consumer: Any) -> None:
        """Called by Celery once messages are taken."""
        self._is_ready.set()


def _run(worker: Any) -> None:
    try:
        worker.start()
    finally:
        close_old_connections()
