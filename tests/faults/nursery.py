"""Worker processes that need not read the libraries they use first.

A test that kills a worker starts many, and most of such a start is the reading of libraries. They
are read once, by a process that does nothing else: each worker is a fork of it, which begins with
the program it is told, its own environment and its own files, and reads settings and product as
any process does. It is a child of the test's process, to be stopped, killed and waited for.
"""

import atexit
import ctypes
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
# None of them reads settings. What is missing here is only read later.
LIBRARIES = [
    "allauth",
    "authlib.integrations.requests_client",
    "celery.app.base",
    "celery.bin.celery",
    "celery.signals",
    "celery.worker.worker",
    "cryptography.fernet",
    "csp.constants",
    "django.contrib.auth.hashers",
    "django.core.management",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.db.models",
    "django.forms",
    "django.template.backends.django",
    "django_filters",
    "environ",
    "joserfc.jwt",
    "kombu.transport.redis",
    "redis",
    "requests",
    "rest_framework",
    "simplejson",
    "time_machine",
    "werkzeug.serving",
]
PR_SET_CHILD_SUBREAPER = 36
LONGEST_REQUEST = 1_000_000


class Forked(subprocess.Popen[str]):
    """As if `python -m` had been started with those words."""

    def _execute_child(  # what Popen calls where it would fork itself
        self,
        words: list[str],
        executable: Any,
        preexec_fn: Any,
        close_fds: Any,
        pass_fds: Any,
        cwd: Any,
        env: dict[str, str],
        startupinfo: Any,
        creationflags: Any,
        shell: Any,
        *others: int,
    ) -> None:
        stdin, _, _, stdout, _, stderr = others[:6]
        given = (stdin, stdout, stderr)
        files = [own if one == -1 else one for own, one in enumerate(given)]
        self.pid = _born(json.dumps([words, env]).encode(), files)
        self._child_created = True
        closing: Any = self
        closing._close_pipe_fds(*others[:6])


@cache
def _nursery() -> socket.socket:
    """The line to the one of this process, with which it ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LONGEST_REQUEST)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_REQUEST)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
        )

    def close() -> None:
        ours.close()
        process.wait()

    atexit.register(close)
    return ours


def _born(request: bytes, files: list[int]) -> int:
    """The process id of a new child of ours."""
    line = _nursery()
    # Whose parent has ended becomes a child of ours, but only now.
    _adopt(True)
    try:
        socket.send_fds(line, [request], files)
        return int(line.recv(100))
    finally:
        _adopt(False)


def _adopt(orphans: bool) -> None:
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0) != 0:
        raise OSError("This system lets no process adopt others.")


def _told(line: socket.socket) -> tuple[list[str], dict[str, str]] | None:
    """Forks for each request; in the fork, what it shall be. None when there are no more."""
    while True:
        request, files, _, _ = socket.recv_fds(line, LONGEST_REQUEST, 3)
        if not request:
            return None
        read, write = os.pipe()
        between = os.fork()
        if between == 0:
            if child := os.fork():
                os.write(write, str(child).encode())
                os._exit(0)
            for place, one in enumerate(files):
                os.dup2(one, place)
            for one in (*files, read, write):
                os.close(one)
            words, environment = json.loads(request)
            return words, environment
        os.waitpid(between, 0)
        line.send(os.read(read, 100))
        for one in (*files, read, write):
            os.close(one)


def main() -> None:
    """Read, then wait to be told; each child goes on from here as what it is."""
    for library in LIBRARIES:
        importlib.import_module(library)
    with socket.socket(fileno=int(sys.argv[1])) as line:
        told = _told(line)
    if told is None:
        return
    (program, *arguments), environment = told
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
