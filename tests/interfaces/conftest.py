"""The Ledger package, its server, and interfaces to it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors import registry
from interfaces.credentials import store_tokens
from interfaces.models import AccountingInterface, Credential
from offices.models import Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import make_interface, make_member
from tests.interfaces import ledger
from tests.interfaces.ledger import LedgerConnector, LedgerServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[LedgerServer]:
    """The Ledger server, with the package known to the product."""
    running = LedgerServer()
    monkeypatch.setattr(LedgerConnector, "server", running, raising=False)
    packages = {"ledger": ledger.PACKAGE}
    monkeypatch.setattr(registry, "packages", lambda: packages)
    settings.PACKAGE_APPS = {
        "ledger": {
            "client_id": ledger.CLIENT_ID,
            "client_secret": ledger.CLIENT_SECRET,
            "scopes": "books",
            "endpoints": {"api": running.url},
            "read_timeout": 5.0,
        }
    }
    yield running
    running.stop()


@pytest.fixture
def admin(practice: Practice) -> User:
    """An admin of the practice."""
    return make_member(practice, Role.ADMIN)


@pytest.fixture
def interface(practice: Practice, server: LedgerServer, admin: User) -> AccountingInterface:
    """A connected interface to Harbour Ltd."""
    with acting_for(practice.pk):
        made = make_interface(
            package_key="ledger",
            name="Ledger Auckland",
            company_file_id="f1",
            company_file_name="Harbour Ltd",
            connection_id="c1",
        )
        store_tokens(made.pk, server.issue() | {"expires_at": _in(1800)}, admin)
    return made


@pytest.fixture
def unconnected(practice: Practice, server: LedgerServer) -> AccountingInterface:
    """An interface nobody has connected."""
    with acting_for(practice.pk):
        return make_interface(
            connected=False,
            package_key="ledger",
            name="New",
            company_file_id="",
            company_file_name="",
            codes_read_at=None,
        )


def expire(interface: AccountingInterface) -> None:
    """Let the access token run out."""
    with acting_for(interface.practice_id):
        Credential.objects.filter(interface=interface).update(
            expires_at=timezone.now() - timedelta(seconds=1)
        )


def reload(interface: AccountingInterface) -> AccountingInterface:
    """The interface as it is stored now."""
    with acting_for(interface.practice_id):
        return AccountingInterface.objects.get(pk=interface.pk)


def credential_of(interface: AccountingInterface) -> Credential:
    """Its credential as it is stored now."""
    with acting_for(interface.practice_id):
        return Credential.objects.get(interface=interface)


def _in(seconds: int) -> float:
    return timezone.now().timestamp() + seconds
