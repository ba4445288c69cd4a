"""What `manage.py serve` becomes: the web server of the embedded shape, kept up.

It loads none of the product: that is done by the web server's process below it, which holds the
pages, the worker and the scheduler. When that one dies another takes its place; when this one
dies, that one does too.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.files import locks
from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings, HTTP2Settings

from invoicing.ports import PortTaken, free_port

# Whoever dies within so many seconds has not really come up.
SHORT_LIFE = 60.0
# Seconds before it is started again, each time that it has lived so short; then it is given up.
WAITS = (0.0, 1.0, 5.0, 15.0, 30.0)
# Seconds for what is in hand when told to stop; what a kill leaves goes on after the next start.
STOPPING = 10

PAGES = "abtrac_link.wsgi"


class FolderTaken(Exception):
    """Another one serves from the folder; the message is its process and its port, if known."""


class CannotStayUp(Exception):
    """It was started again as often as makes sense."""


def main() -> None:
    """Serve the pages from the folder on the command line, until told to stop."""
    folder, host, port, site = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    try:
        # First of all: another port is no way out where this same product holds the wanted one.
        held = hold(folder)
        port = free_port(host, port)
        name_holder(held, port)
    except FolderTaken as error:
        sys.exit(_taken(folder, str(error)))
    except PortTaken:
        sys.exit(_busy(host, port))
    except OSError as error:
        sys.exit(f"The folder {folder} cannot be used ({error.strerror}).")
    print(f"Serving {site} on port {port}. Ctrl-C ends it.", flush=True)
    try:
        keep_up(lambda: serve(host, free_port(host, port)))
    except PortTaken:
        sys.exit(_busy(host, port))
    except CannotStayUp:
        sys.exit(
            "Abtrac Link is stopped: the process with the pages and the worker has died"
            f" {len(WAITS) + 1} times running soon after its start. Why is said above, or by the"
            " system's log if the system killed it. Nothing is lost: what waits is sent after the"
            " next start."
        )


def hold(folder: Path) -> int:
    """Have the folder for this process and the one below it, until both are gone.

    The lock is the system's, which takes it from whoever dies. Raises FolderTaken or OSError.
    """
    held = os.open(folder / "serving.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not locks.lock(held, locks.LOCK_EX | locks.LOCK_NB):
        told = b""
        with suppress(OSError):  # some systems let nobody else read what is locked
            told = os.read(held, 100)
        os.close(held)
        raise FolderTaken(told.decode())
    os.ftruncate(held, 0)
    return held


def name_holder(held: int, port: int) -> None:
    """Write down for whoever is refused which process it is. Raises OSError."""
    os.write(held, f"{os.getpid()} {port}".encode())


def keep_up(
    run: Callable[[], bool],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run it until it answers that it was told to stop; whenever it dies, once more.

    Raises CannotStayUp.
    """
    waits = iter(WAITS)
    while True:
        began = clock()
        if run():
            return
        if clock() - began >= SHORT_LIFE:
            waits = iter(WAITS)
        wait = next(waits, None)
        if wait is None:
            raise CannotStayUp
        print("The process with the pages and the worker has died.", end=" ", file=sys.stderr)
        when = f"in {wait:g} s" if wait else "now"
        print(f"It is started again {when}.", file=sys.stderr, flush=True)
        sleep(wait)


def serve(host: str, port: int) -> bool:
    """Serve until told to stop, or until the process below has died; whether it was told."""
    # One process: the worker inside it listens on a doorbell in its memory.
    server = Granian(
        PAGES,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=8,
        # The limits that its own command line sets.
        http1_settings=HTTP1Settings(),
        http2_settings=HTTP2Settings(),
        workers_kill_timeout=STOPPING,
    )
    try:
        server.serve(target_loader=load, wrap_loader=False)
    except SystemExit:
        pass  # it ends so when its process has died
    finally:
        # Nothing runs now that would have to be stopped with care.
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, signal.SIG_DFL)
    return bool(server.interrupt_signal)


def load() -> Any:
    """In the process below, before all else: have it end as it should, then load the product."""
    parent = multiprocessing.parent_process()
    threading.Thread(target=_end_after, args=(parent,), name="parent", daemon=True).start()
    # Ctrl-C reaches both, and the one above passes on that it is over. Told so twice at once, the
    # web server often waits for itself for ever (Granian 2.8.7).
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    # What was taken over from the one above does nothing here; while loading there is nothing to
    # stop with care. Then the web server has handlers of its own.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return import_module(PAGES).application


def _end_after(parent: Any) -> None:
    """Die, as by a kill, with the process above.

    Else this one went on sending, unseen, and in the way of whoever starts the product again. The
    system closes a pipe or a handle when the other one is gone, so no death is missed.
    """
    parent.join()
    os._exit(1)


def _busy(host: str, port: int) -> str:
    return (
        f"Port {port} of {host} cannot be used: something else listens there, or it is not"
        " allowed. End that, or choose another: --port 8001"
    )


def _taken(folder: Path, told: str) -> str:
    process, _, port = told.partition(" ")
    if not process:
        return (
            f"Abtrac Link serves from the folder {folder} already, and only one can. To end it,"
            " press Ctrl-C where it was started."
        )
    return (
        f"Abtrac Link serves from the folder {folder} already, and only one can: process {process},"
        f" port {port or 'unknown'}. To end it, press Ctrl-C where it was started, or run:"
        f" kill {process}"
    )


if __name__ == "__main__":
    main()
