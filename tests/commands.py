"""The product's commands, each in a process of its own."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The settings that choose the shape and what is reached; a fresh machine has none of them.
CHOSEN = {"DATABASE_URL", "REDIS_URL", "SITE_URL", "LINK_DEMO"}


def fresh_environment(var: Path) -> dict[str, str]:
    """Nothing set but where to keep things, as on a fresh machine."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in CHOSEN and not name.startswith("XERO_")
    }
    # Without rehearsals, which would all want the same port.
    return {**kept, "VAR_DIR": str(var), "REHEARSAL_URL": "off"}


def manage(
    environment: dict[str, str], *words: str, patience: float = 60.0
) -> "subprocess.CompletedProcess[str]":
    """`manage.py` with these words, to its end; `patience` (seconds) only ends a broken test."""
    return subprocess.run(
        [sys.executable, "-u", "manage.py", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )


def free_port() -> int:
    """A port nobody uses just now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
