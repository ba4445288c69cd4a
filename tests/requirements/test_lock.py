"""What is seen of a lock without a network."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def lock(tmp_path: Path) -> Any:
    """The module, looking at a copy of the locks."""
    spec = importlib.util.spec_from_file_location("lock", ROOT / "requirements" / "lock.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("pyproject.toml", "requirements/runtime.txt", "requirements/dev.txt"):
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, copy)
    module.ROOT = tmp_path
    module.RUNTIME = tmp_path / "requirements" / "runtime.txt"
    module.DEV = tmp_path / "requirements" / "dev.txt"
    return module


def test_the_locks_are_fresh(lock: Any) -> None:
    assert lock.faults() == []


def test_a_new_dependency_makes_both_locks_old(lock: Any) -> None:
    wanted = lock.ROOT / "pyproject.toml"
    wanted.write_text(wanted.read_text().replace("dependencies = [", 'dependencies = [\n"new==1",'))
    assert [fault.split()[0] for fault in lock.faults()] == ["runtime.txt", "dev.txt"]


@pytest.mark.parametrize(
    "line",
    ["--index" + "-url https://host.example/simple", "-e .", "new @ https://host.example/new.whl"],
)
def test_an_index_or_a_host_is_seen(lock: Any, line: str) -> None:
    lock.DEV.write_text(f"{lock.DEV.read_text()}{line}\n")
    assert lock.faults() == ["dev.txt names an index, a host or an option: run `make lock`."]


def test_a_package_pinned_twice_over_is_seen(lock: Any) -> None:
    text = lock.DEV.read_text()
    pin = next(line for line in text.splitlines() if line.startswith("django=="))
    lock.DEV.write_text(text.replace(pin, "django==0.1 \\"))
    assert len(lock.faults()) == 1
    assert "dev.txt pins otherwise than runtime.txt: django==" in lock.faults()[0]
