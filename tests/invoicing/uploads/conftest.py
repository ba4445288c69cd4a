"""A practice whose invoices go to Till."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from connectors import registry
from interfaces.credentials import store_tokens
from interfaces.models import AccountingInterface, Lane
from invoicing.models import Batch, Client, ContactLink, Invoice, Upload
from invoicing.uploads import enqueue, lane
from invoicing.uploads.enqueue import Enqueued
from invoicing.uploads.turn import Turn
from offices.models import Office, Practice, User
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_member,
    make_office,
    make_setting,
)
from tests.invoicing.uploads import till
from tests.invoicing.uploads.till import Books, TillConnector


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Books:
    """Till's books, with the package known to the product."""
    made = Books()
    monkeypatch.setattr(TillConnector, "books", made, raising=False)
    packages = {"till": till.PACKAGE}
    monkeypatch.setattr(registry, "packages", lambda: packages)
    if connection.in_atomic_block:
        # What a test does in its one transaction no other thread can see.
        monkeypatch.setattr(Turn, "call_help", lambda self, *, concurrent: None)
    settings.PACKAGE_APPS = {
        "till": {
            "client_id": "x",
            "client_secret": "x",
            "scopes": "",
            "endpoints": {},
            "read_timeout": 1.0,
        }
    }
    settings.UPLOAD_SETTLE_SECONDS = 0.0
    return made


@dataclass
class Desk:
    """What an accounts person has before them: one office, one client, one interface."""

    practice: Practice
    user: User
    interface: AccountingInterface
    office: Office
    client: Client
    books: Books

    def invoice(self, **fields: Any) -> Invoice:
        """A committed invoice of the client."""
        with acting_for(self.practice.pk):
            client = fields.pop("client", self.client)
            return make_invoice(fields.pop("office", self.office), client, **fields)

    def upload(self, *invoices: Invoice) -> Enqueued:
        """Press Upload to accounts."""
        with acting_for(self.practice.pk):
            ids = [one.pk for one in invoices]
            return enqueue(invoice_ids=ids, actor=self.user)

    def work(self, turns: int = 1) -> None:
        """Let the worker take turns, each as if all waits had passed."""
        for _ in range(turns):
            self.make_due()
            lane.drain(practice_id=self.practice.pk, interface_id=self.interface.pk)

    def make_due(self) -> None:
        """Let time pass until everything that waits is due."""
        past = timezone.now() - timedelta(seconds=1)
        with acting_for(self.practice.pk):
            Upload.objects.filter(due__gt=past).update(due=past)
            Lane.objects.filter(interface=self.interface).update(
                due=past, hold_until=None, open_until=None
            )

    def of(self, invoice: Invoice) -> Upload:
        """The newest upload of the invoice itself."""
        with acting_for(self.practice.pk):
            return (
                Upload.objects.filter(invoice=invoice, kind__in=["invoice", "credit_note"])
                .select_related("batch")
                .latest("pk")
            )

    def of_pk(self, upload_id: int) -> Upload:
        """An upload as stored."""
        return self.all(pk=upload_id)[0]

    def all(self, **wanted: Any) -> list[Upload]:
        """Uploads, oldest first."""
        with acting_for(self.practice.pk):
            return list(Upload.objects.filter(**wanted).order_by("pk"))

    def moves(self, upload: Upload) -> list[str]:
        """The states it went through."""
        with acting_for(self.practice.pk):
            return [event.after for event in upload.events.order_by("pk")]

    def batch(self, number: int = 1) -> Batch:
        """A batch as stored."""
        with acting_for(self.practice.pk):
            return Batch.objects.get(number=number)

    def lane(self) -> Lane:
        """The lane as stored."""
        return Lane.objects.get(interface=self.interface)

    def reload(self) -> AccountingInterface:
        """The interface as stored."""
        with acting_for(self.practice.pk):
            return AccountingInterface.objects.get(pk=self.interface.pk)


def open_desk(practice: Practice, books: Books, user: User, **fields: Any) -> Desk:
    """A desk with an interface to Till."""
    with acting_for(practice.pk):
        interface = make_interface(package_key="till", **fields)
        store_tokens(
            interface.pk,
            {"access_token": "a", "expires_at": timezone.now().timestamp() + 86400},
            user,
        )
        return Desk(
            practice=practice,
            user=user,
            interface=interface,
            office=make_office(make_setting(interface)),
            client=make_client("Harbour View Trust"),
            books=books,
        )


@pytest.fixture
def desk(practice: Practice, books: Books) -> Iterator[Desk]:
    """The desk of the practice."""
    lane.stopping.clear()
    yield open_desk(practice, books, make_member(practice))


@pytest.fixture
def known(desk: Desk) -> Desk:
    """A desk whose client is linked already, so that calls are the invoices' alone."""
    with acting_for(desk.practice.pk):
        ContactLink.objects.create(
            interface=desk.interface, client=desk.client, name="", remote_id="till-0"
        )
    return desk
