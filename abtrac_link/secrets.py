"""What the embedded shape keeps: a folder, and secrets made once in files only the owner reads."""

import os
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def kept_folder(path: Path) -> Path:
    """The folder, made on first use. Raises ImproperlyConfigured."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def _unusable(folder: Path, error: OSError) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"The folder {folder} cannot be used ({error.strerror})."
        " Set VAR_DIR to a folder this user may write."
    )


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in the file, which is made on first use. Raises ImproperlyConfigured."""
    try:
        kept_folder(path.parent)
        if not path.exists():
            # Written aside and linked, so that of two first starts only one secret survives.
            aside = path.with_name(f"{path.name}.{os.getpid()}")
            aside.touch(mode=0o600)
            aside.write_text(make(), encoding="ascii")
            try:
                os.link(aside, path)
            except FileExistsError:
                pass
            finally:
                aside.unlink()
        secret = path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        secret = ""
    except OSError as error:
        raise _unusable(path.parent, error) from error
    if not secret:
        raise ImproperlyConfigured(
            f"{path} is empty or spoilt. Remove it to have a new secret made."
        )
    return secret
