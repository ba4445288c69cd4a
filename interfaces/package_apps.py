"""As which app, and where, the product talks to the package of an interface."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

from connectors.base.errors import NeedsReconnect
from connectors.base.protocol import Package
from connectors.base.standin import CLIENT_ID, CLIENT_SECRET
from interfaces.models import AccountingInterface


@dataclass(frozen=True, kw_only=True)
class PackageApp:
    """The app registered with a package, or the one that every rehearsal company takes."""

    package: Package
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    # Base URLs by the names the package declares: of our own calls, and of pages for people.
    endpoints: Mapping[str, str]
    pages: Mapping[str, str]
    read_timeout: float
    is_rehearsal: bool = False

    @property
    def label(self) -> str:
        """What is talked to, at the beginning of a sentence."""
        return f"Rehearsal {self.package.label}" if self.is_rehearsal else self.package.label


def app_of(interface: AccountingInterface) -> PackageApp:
    """The app of the interface's package. Of a rehearsal: its own stand-in's.

    Raises NeedsReconnect for a rehearsal where they are switched off.
    """
    package = interface.package
    if not interface.is_rehearsal:
        return registered_app(package)
    if not settings.REHEARSAL_URL:
        raise NeedsReconnect("Rehearsals are switched off on this server.")
    own = f"/{package.key}/{interface.rehearsal_token}"
    return PackageApp(
        package=package,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        scopes=" ".join(package.oauth.scopes) if package.oauth else "",
        endpoints=dict.fromkeys(package.endpoints, settings.REHEARSAL_INTERNAL_URL + own),
        pages=dict.fromkeys(package.endpoints, settings.REHEARSAL_URL + own),
        read_timeout=read_timeout(package),
        is_rehearsal=True,
    )


def registered_app(package: Package) -> PackageApp:
    """The app this server has registered with the package; nothing in it may be set."""
    app = settings.PACKAGE_APPS[package.key]
    return PackageApp(
        package=package,
        client_id=app["client_id"],
        client_secret=app["client_secret"],
        scopes=app["scopes"],
        endpoints=app["endpoints"],
        pages=app["endpoints"],
        read_timeout=read_timeout(package),
    )


def read_timeout(package: Package) -> float:
    """How long an answer of the package is waited for, in a rehearsal too."""
    app = settings.PACKAGE_APPS.get(package.key, {})
    return float(app.get("read_timeout", package.limits.read_timeout))
