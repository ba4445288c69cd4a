"""Makes the virtual environment the make targets run in, exactly as the lock says.

`python3 requirements/install.py runtime` (or `dev`) leaves a whole environment in `.venv`. It
does nothing when one is there and the lock has not changed, so it works offline from then on. An
environment that was left half-made, or belongs to another lock or Python, is made anew.
"""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
VENV = HERE.parent / ".venv"
STAMP = VENV / "made-from"
LOCKS = ("runtime", "dev")  # each holds all of the one before it


def stamp_of(lock: str) -> str:
    """What the stamp of an environment made from that lock says."""
    digest = hashlib.sha256((HERE / f"{lock}.txt").read_bytes()).hexdigest()
    python = ".".join(str(part) for part in sys.version_info[:3])
    return f"{lock} {digest} {python} {VENV}"


def made_from() -> str:
    """The stamp of the environment that is there; empty for none or a half-made one."""
    whole = STAMP.is_file() and (VENV / "bin" / "python").exists()
    return STAMP.read_text(encoding="utf-8") if whole else ""


def install(lock: str) -> None:
    """Make the environment hold what the lock names."""
    fitting = [stamp_of(one) for one in LOCKS[LOCKS.index(lock) :]]
    before = made_from()
    if before in fitting:
        return
    print(f"Installing requirements/{lock}.txt into .venv; it takes a while, once.", flush=True)
    if before in [stamp_of(one) for one in LOCKS]:
        STAMP.unlink()  # a smaller environment, to be added to
    else:
        if VENV.exists():
            shutil.rmtree(str(VENV))
        if subprocess.call([sys.executable, "-m", "venv", str(VENV)]) != 0:
            sys.exit("The environment could not be made. On Debian, install python3-venv.")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    locked = str(HERE / f"{lock}.txt")
    if subprocess.call([*pip, "install", "--quiet", "--require-hashes", "-r", locked]) != 0:
        sys.exit(f"The packages of {locked} could not be installed; run this again.")
    STAMP.write_text(stamp_of(lock), encoding="utf-8")


def main() -> None:
    """Install the lock named on the command line; of two calls at once, the second waits."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the first thing any Python is asked to run
        sys.exit(
            f"Abtrac Link needs Python 3.11 or newer; {sys.executable} is"
            f" {sys.version_info[0]}.{sys.version_info[1]}. Name another: make PYTHON=python3.11"
        )
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        sys.exit("Usage: install.py runtime|dev")
    with pathlib.Path(__file__).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        install(sys.argv[1])


if __name__ == "__main__":
    main()
