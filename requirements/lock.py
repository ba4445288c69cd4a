"""Pins everything the product installs, with hashes: `make lock`; `make check` sees it is fresh.

`pyproject.toml` says what is wanted, `runtime.txt` and `dev.txt` are what is installed. Pins stay
as they are unless pyproject.toml asks otherwise or `--upgrade` is given.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "requirements" / "runtime.txt"
DEV = ROOT / "requirements" / "dev.txt"
COMPILE = (
    "pip compile --quiet --universal --python-version 3.11 --generate-hashes"
    " --no-emit-index-url --no-emit-find-links --no-header pyproject.toml"
)
MADE = "# Made by `make lock` from pyproject.toml, whose dependencies have the digest "
PIN = re.compile(r"^([a-z0-9-]+==[^ ;]+)", re.MULTILINE)
FOREIGN = re.compile(r"^\s*(-|.*://)", re.MULTILINE)


def digest() -> str:
    """The digest of the dependencies that pyproject.toml asks for."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [
        wanted["project"]["requires-python"],
        sorted(wanted["project"]["dependencies"]),
        sorted(wanted["dependency-groups"]["dev"]),
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def faults() -> list[str]:
    """What is wrong with the locks, seen without a network."""
    found = []
    for lock in (RUNTIME, DEV):
        text = lock.read_text(encoding="utf-8")
        if not text.startswith(f"{MADE}{digest()}\n"):
            found.append(f"{lock.name} is older than pyproject.toml: run `make lock`.")
        if FOREIGN.search(text.replace("    --hash=", "")):
            found.append(f"{lock.name} names an index, a host or an option: run `make lock`.")
    runtime, dev = (set(PIN.findall(lock.read_text(encoding="utf-8"))) for lock in (RUNTIME, DEV))
    if runtime - dev:
        found.append(f"dev.txt pins otherwise than runtime.txt: {', '.join(sorted(runtime - dev))}")
    return found


def lock(*, upgrade: bool) -> None:
    """Write both locks with a uv of its own, which is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        uv = [str(Path(folder) / "bin" / "uv"), *COMPILE.split()]
        more = ["--upgrade"] if upgrade else []
        subprocess.run([*uv, *more, "--group", "dev", "-o", str(DEV)], cwd=ROOT, check=True)
        # What is there already is preferred, so the runtime gets the pins it is developed with.
        shutil.copy(DEV, RUNTIME)
        subprocess.run([*uv, "-o", str(RUNTIME)], cwd=ROOT, check=True)
    for made in (RUNTIME, DEV):
        text = made.read_text(encoding="utf-8")
        made.write_text(f"{MADE}{digest()}\n{text}", encoding="utf-8")


def main() -> None:
    """Lock, or only look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only see whether the locks are fresh")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    asked = parser.parse_args()
    if not asked.check:
        lock(upgrade=asked.upgrade)
    if found := faults():
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
