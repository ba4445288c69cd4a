"""Settings from the environment. Whatever cannot be used is refused by the variable's name.

An empty variable counts as one that is not set. Values may be secrets, so none is ever repeated.
django-environ reads the database's address; the rest is read here, since it takes a secret that
begins with `$` for another variable's name and reads `1 hour` as 1.
"""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environ import Env

YES, NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
NEW_KEY = (
    'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
)


def text(name: str, default: str = "") -> str:
    """The text, without blanks around it."""
    return os.environ.get(name, "").strip() or default


def words(name: str, default: Sequence[str]) -> list[str]:
    """The words between commas."""
    return [word.strip() for word in text(name).split(",") if word.strip()] or list(default)


def flag(name: str, *, default: bool) -> bool:
    """Yes or no."""
    given = text(name).lower()
    if given and given not in YES | NO:
        raise ImproperlyConfigured(f"{name} must be true or false.")
    return given in YES if given else default


def whole(name: str, default: int, *, least: int = 1) -> int:
    """A whole number."""
    given = text(name)
    if given and (not re.fullmatch(r"\d{1,9}", given, re.ASCII) or int(given) < least):
        raise ImproperlyConfigured(f"{name} must be a whole number, {least} or more.")
    return int(given) if given else default


def seconds(name: str, default: float, *, least: float = 0) -> float:
    """A time in seconds."""
    given = text(name)
    return _seconds(name, given, least) if given else default


def waits(name: str, default: Sequence[float]) -> list[float]:
    """Times in seconds between commas."""
    return [_seconds(name, given, 0) for given in words(name, ())] or list(default)


def _seconds(name: str, given: str, least: float) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d+)?", given, re.ASCII) or float(given) < least:
        raise ImproperlyConfigured(
            f"{name} must be seconds, written like 30 or 0.5, and {least:g} or more."
        )
    return float(given)


def like(name: str, default: str, *, pattern: str, written: str) -> str:
    """The text, which must match the pattern and is described as written."""
    given = text(name, default)
    if not re.fullmatch(pattern, given, re.ASCII):
        raise ImproperlyConfigured(f"{name} must be {written}.")
    return given


def site(name: str, default: str) -> str:
    """The address people reach the product at: a scheme and a host, no path."""
    given = text(name, default).rstrip("/")
    parts = _split(name, given)
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise ImproperlyConfigured(
            f"{name} must be a scheme and a host alone, like https://link.example.co.nz."
        )
    return given


def endpoint(name: str, default: str) -> str:
    """The address of a package. Tokens go there: in the clear only on this machine."""
    given = text(name, default).rstrip("/")
    parts = _split(name, given)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ImproperlyConfigured(f"{name} must begin with https://, unless it is on localhost.")
    return given


def switched_site(name: str, default: str) -> str:
    """The address of a site that browsers and the product talk to, or nothing when it is off."""
    if text(name, default).lower() in {"", *NO}:
        return ""
    endpoint(name, default)
    return site(name, default)


def _split(name: str, given: str) -> Any:
    try:
        parts = urlsplit(given)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ImproperlyConfigured(f"{name} must be an address, written like https://host.example.")
    return parts


def database(name: str) -> dict[str, Any]:
    """Django's settings for a PostgreSQL database."""
    given = text(name)
    read: dict[str, Any] = {}
    # Of another scheme django-environ would tell all it read, the password too.
    if given.startswith(("postgres://", "postgresql://")):
        with suppress(ValueError):
            read = Env.db_url_config(given)
    if not read.get("NAME"):
        raise ImproperlyConfigured(
            f"{name} must be the address of a PostgreSQL database, written like"
            " postgres://user:password@host:5432/database. Signs such as / @ : # in the password"
            " are written as %2F %40 %3A %23."
        )
    return read


def redis(name: str) -> str:
    """The address of a Redis database."""
    given = text(name)
    try:
        parts = urlsplit(given)
        usable = parts.scheme in {"redis", "rediss"} and parts.hostname and parts.port != 0
        usable = usable and re.fullmatch(r"(/\d*)?", parts.path) is not None
    except ValueError:
        usable = False
    if not usable:
        raise ImproperlyConfigured(
            f"{name} must be the address of a Redis database, written like"
            " redis://:password@host:6379/0."
        )
    return given


def sealing_keys(name: str, given: str) -> list[str]:
    """The keys between commas, each one that Fernet takes."""
    keys = [key.strip() for key in given.split(",") if key.strip()]
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name}: key {number} of {len(keys)} is not a Fernet key. Make one with: {NEW_KEY}"
            ) from None
    if not keys:
        raise ImproperlyConfigured(f"{name} holds no key. Make one with: {NEW_KEY}")
    return keys
