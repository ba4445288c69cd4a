"""When the environment is made, added to, made anew or left alone."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Commands:
    """What would have been run; the commands do no more than leave a Python behind."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.run: list[str] = []
        self.failing = ""

    def call(self, command: list[str]) -> int:
        verb = "venv" if "venv" in command else f"pip {Path(command[-1]).stem}"
        self.run.append(verb)
        if verb == "venv":
            python = self.module.VENV / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        return int(verb == self.failing)

    def install(self, lock: str) -> list[str]:
        """Install, and what that ran."""
        self.run.clear()
        self.module.install(lock)
        return list(self.run)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The installer, in a tree of its own."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "requirements" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.HERE = tmp_path
    module.VENV = tmp_path / ".venv"
    module.STAMP = module.VENV / "made-from"
    for lock in ("runtime", "dev"):
        (tmp_path / f"{lock}.txt").write_text(f"{lock}==1")
    made = Commands(module)
    monkeypatch.setattr(module.subprocess, "call", made.call)
    return made


def test_it_is_made_once(commands: Commands) -> None:
    assert commands.install("dev") == ["venv", "pip dev"]
    assert commands.install("dev") == []


def test_what_is_made_for_development_serves_the_demo_too(commands: Commands) -> None:
    commands.install("dev")
    assert commands.install("runtime") == []


def test_what_is_made_for_the_demo_is_added_to_for_development(commands: Commands) -> None:
    commands.install("runtime")
    assert commands.install("dev") == ["pip dev"]
    assert commands.install("runtime") == []


def test_a_changed_lock_has_it_made_anew(commands: Commands) -> None:
    commands.install("dev")
    (commands.module.VENV / "left-over").touch()
    (commands.module.HERE / "dev.txt").write_text("dev==2")
    assert commands.install("dev") == ["venv", "pip dev"]
    assert not (commands.module.VENV / "left-over").exists()


@pytest.mark.parametrize("lost", ["made-from", "bin/python"])
def test_a_half_made_one_is_made_anew(commands: Commands, lost: str) -> None:
    commands.install("dev")
    (commands.module.VENV / lost).unlink()
    assert commands.install("dev") == ["venv", "pip dev"]


def test_one_that_was_moved_is_made_anew(commands: Commands, tmp_path: Path) -> None:
    commands.install("dev")
    commands.module.VENV.rename(tmp_path / "moved")
    commands.module.VENV = tmp_path / "moved"
    commands.module.STAMP = commands.module.VENV / "made-from"
    assert commands.install("dev") == ["venv", "pip dev"]


@pytest.mark.parametrize("before", [[], ["runtime"]])
def test_what_could_not_be_installed_is_not_taken_for_whole(
    commands: Commands, before: list[str]
) -> None:
    for lock in before:
        commands.install(lock)
    commands.failing = "pip dev"
    with pytest.raises(SystemExit, match="run this again"):
        commands.install("dev")
    commands.failing = ""
    assert commands.install("dev") == ["venv", "pip dev"]


def test_an_old_python_is_refused_in_one_line(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands.module.sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit, match=r"^Abtrac Link needs Python 3\.11 or newer; .* is 3\.9\."):
        commands.module.main()
    assert commands.run == []
