"""Workers as processes of their own, as each shape runs them, on a benchmark's database.

Embedded, one process is worker and scheduler; a server has a process for each. What is run is
`python bench/worker.py worker` or `... scheduler`; the benchmarks import the rest.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
# Only ends a broken run; nothing is measured by it.
PATIENCE = 60.0
TICK = 0.01
WORKER, SCHEDULER = "worker", "scheduler"

Process = subprocess.Popen[bytes]


def start(role: str, **environment: str) -> Process:
    """A process in that role. Call it inside `firm.opened()`: it goes to the same Xero."""
    from django.conf import settings
    from django.db import connection

    app = settings.PACKAGE_APPS["xero"]
    name = str(connection.settings_dict["NAME"])
    where = {"BENCH_DATABASE": name}
    if not settings.EMBEDDED:
        address = urlsplit(os.environ["DATABASE_URL"])
        where = {"DATABASE_URL": address._replace(path=f"/{name}").geturl()}
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-W", "ignore", str(ROOT / "bench" / "worker.py"), role],
        cwd=ROOT,
        # What a benchmark prints is its line alone.
        stdout=subprocess.DEVNULL,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XERO_CLIENT_ID": app["client_id"],
            "XERO_CLIENT_SECRET": app["client_secret"],
            **{f"XERO_{key.upper()}_URL": url for key, url in app["endpoints"].items()},
            **where,
            **environment,
        },
    )


@contextmanager
def running(*roles: str, **environment: str) -> Iterator[list[Process]]:
    """Processes in those roles, killed in the end; whoever starts more adds them to the list."""
    processes = [start(role, **environment) for role in roles]
    try:
        yield processes
    finally:
        for one in processes:
            one.kill()
            one.wait()


def wait_for(happened: Callable[[], object], processes: list[Process]) -> float:
    """Wait until it is so; the moment it was seen. Raises when it takes too long."""
    ends = time.monotonic() + PATIENCE
    while not happened():
        if processes and all(one.poll() is not None for one in processes):
            raise RuntimeError("Every worker has ended.")
        if time.monotonic() > ends:
            raise RuntimeError(f"Nothing came of it in {PATIENCE:g} seconds.")
        time.sleep(TICK)
    return time.monotonic()


def main(role: str) -> None:
    """Be a worker or a scheduler until killed."""
    from django.conf import settings

    if "BENCH_DATABASE" in os.environ:
        settings.DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]
    import django

    django.setup()
    from celery import current_app

    from invoicing import workers

    if "BENCH_GENEROUS" in os.environ:
        import firm

        firm.be_generous()
    if settings.EMBEDDED:
        workers.start()
        signal.pause()
    elif role == SCHEDULER:
        schedule = os.path.join(os.environ["VAR_DIR"], f"schedule-{os.getpid()}")  # noqa: PTH118
        current_app.start(["beat", "--loglevel", "ERROR", "--schedule", schedule])
    else:
        words = ["--pool", "threads", "--concurrency", "2", "--without-gossip"]
        current_app.worker_main(["worker", *words, "--without-mingle", "--loglevel", "ERROR"])


if __name__ == "__main__":
    main(sys.argv[1])
