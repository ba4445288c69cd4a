"""Rehearsal companies: a package's stand-in instead of the package, to try everything out on.

Each interface to one has books of its own at the rehearsal server, named by a token that only the
product can make. They are kept in memory: nothing there is real, and nothing lasts.
"""

import logging
import secrets
from itertools import count
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from connectors import registry
from connectors.base.protocol import Link, Package
from connectors.base.rehearsals import Rehearsals
from connectors.base.standin import StandIn
from interfaces.models import AccountingInterface
from interfaces.registration import create_interface

log = logging.getLogger("interfaces.rehearsals")

# Of one practice at the same time: the room at the server is everybody's.
MOST = 5
RANDOM_BYTES = 16
SIGNED = 32
# Seconds for the server to forget one; it would by itself, a day later.
PATIENCE = 3.0


class CannotRehearse(Exception):
    """There is no rehearsal to be had; `str(error)` says why."""


def is_offered(package: Package) -> bool:
    """Whether the package can be rehearsed here: it has a stand-in, which is signed in to."""
    return bool(settings.REHEARSAL_URL) and _has_one(package)


def create_rehearsal(*, package_key: str) -> AccountingInterface:
    """An interface to a new rehearsal company, not connected yet. Needs a scope.

    Raises CannotRehearse.
    """
    package = registry.packages().get(package_key)
    if package is None or not is_offered(package):
        label = package.label if package else "This package"
        raise CannotRehearse(f"{label} cannot be rehearsed here.")
    if AccountingInterface.objects.exclude(rehearsal_token="").count() >= MOST:
        raise CannotRehearse(f"There are {MOST} rehearsals already. Remove one of them first.")
    for number in count(1):
        name = f"{package.label} rehearsal" + (f" {number}" if number > 1 else "")
        try:
            with transaction.atomic():
                return create_interface(
                    package_key=package_key, name=name, rehearsal_token=new_token()
                )
        except IntegrityError:
            continue  # the name is taken
    raise AssertionError("There is always another number.")


def new_token() -> str:
    """A name for books that nobody can guess, and that the rehearsal server knows for ours."""
    given = secrets.token_urlsafe(RANDOM_BYTES)
    return given + _signature(given)


def is_ours(token: str) -> bool:
    """Whether the product has made the token: strangers have no books kept for them."""
    return constant_time_compare(token[-SIGNED:], _signature(token[:-SIGNED]))


def _signature(given: str) -> str:
    return salted_hmac("interfaces.rehearsals", given, algorithm="sha256").hexdigest()[:SIGNED]


def forget(package_key: str, token: str) -> None:
    """Have the server empty the rehearsal. One that does not answer forgets it a day later."""
    address = f"{settings.REHEARSAL_INTERNAL_URL}/{package_key}/{token}"
    if not settings.REHEARSAL_URL:
        return
    try:
        requests.delete(address, timeout=PATIENCE, allow_redirects=False)
    except requests.RequestException as error:
        log.warning("rehearsal not emptied package=%s %s", package_key, type(error).__name__)


def server() -> Rehearsals:
    """The server of all rehearsals, not started yet."""
    return Rehearsals(_stand_in, admits=is_ours)


def serve_embedded() -> Rehearsals | None:
    """Serve rehearsals in this process, where the settings put them on this machine.

    At an address with https another process serves them. Where the port is taken there are none:
    whoever listens there does not know our tokens.
    """
    parts = urlsplit(settings.REHEARSAL_URL)
    if parts.scheme != "http":
        return None
    host = parts.hostname or ""
    try:
        running = server().start("127.0.0.1" if host == "localhost" else host, parts.port or 80)
    except OSError as error:
        log.warning("no rehearsals are offered: %s See REHEARSAL_URL.", error.strerror or error)
        settings.REHEARSAL_URL = ""
        return None
    log.info("rehearsals are served by this process at %s", settings.REHEARSAL_URL)
    return running


def _has_one(package: Package) -> bool:
    return bool(package.standin) and package.link is Link.API and package.oauth is not None


def _stand_in(package_key: str) -> StandIn | None:
    package = registry.packages().get(package_key)
    if package is None or not _has_one(package):
        return None
    made: StandIn = registry.standin_of(package)()
    return made
