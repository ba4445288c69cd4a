"""The contacts a company file has, as last read from the package: what clients are matched to."""

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db.models import Q

from connectors.base.documents import Contact, ListedContact
from connectors.base.errors import ConnectorError
from connectors.base.protocol import ListsContacts
from interfaces import clock
from interfaces.connections import open_connector
from interfaces.models import AccountingInterface, Lane
from invoicing.contact_book import fold
from invoicing.documents import to_json
from invoicing.models import PackageContact
from offices.tenancy import acting_for

log = logging.getLogger("invoicing.contact_list")

# Like the codes they are read once a day, and whenever somebody asks.
LASTS = timedelta(days=1)
# So many rows are written at a time, each in a transaction of its own between two calls.
AT_ONCE = 500
DETAILS = ("first_name", "last_name", "phone", "tax_number", "postal", "street")


def read_contacts(*, practice_id: int, interface_id: int) -> int:
    """Read the package's list into ours; how many there are. Raises ConnectorError.

    Those that are gone are removed at the end; where the list cannot be read to its end the reason
    is kept beside what was known before. Not for use inside `acting_for`.
    """
    with acting_for(practice_id):
        interface = AccountingInterface.objects.get(pk=interface_id)
        known = set(
            PackageContact.objects.filter(interface=interface).values_list("remote_id", flat=True)
        )
    if not interface.package.can(ListsContacts):
        return 0
    seen: set[str] = set()
    try:
        with open_connector(practice_id=practice_id, interface_id=interface_id) as connector:
            for some in _batches(connector.list_contacts()):
                with acting_for(practice_id):
                    _store(interface, some)
                seen.update(one.remote_id for one in some)
    except ConnectorError as error:
        with acting_for(practice_id):
            AccountingInterface.objects.filter(pk=interface_id).update(
                contacts_error=str(error)[:500]
            )
        raise
    with acting_for(practice_id):
        # What another reading added meanwhile was not known before, so it stays.
        _remove(interface, known - seen)
        AccountingInterface.objects.filter(pk=interface_id).update(
            contacts_read_at=clock.now(), contacts_error=""
        )
    log.info(
        "contacts read practice=%s interface=%s contacts=%s", practice_id, interface_id, len(seen)
    )
    return len(seen)


def read_quietly(*, practice_id: int, interface_id: int) -> str:
    """As `read_contacts`, but a failure is answered as its words, which are kept for the page."""
    try:
        read_contacts(practice_id=practice_id, interface_id=interface_id)
    except ConnectorError as error:
        log.warning(
            "contacts not read practice=%s interface=%s error=%s",
            *(practice_id, interface_id, type(error).__name__),
        )
        return str(error)
    return ""


def with_stale_contacts() -> list[tuple[int, int]]:
    """(practice, interface) of those in use whose contacts were last read over a day ago."""
    by_practice: dict[int, list[int]] = {}
    known = Lane.objects.order_by("practice_id").values_list("practice_id", "interface_id")
    for practice_id, interface_id in known:
        by_practice.setdefault(practice_id, []).append(interface_id)
    stale: list[tuple[int, int]] = []
    for practice_id, interface_ids in by_practice.items():
        with acting_for(practice_id):
            old = Q(contacts_read_at__isnull=True) | Q(contacts_read_at__lt=clock.now() - LASTS)
            found = AccountingInterface.objects.filter(
                old, pk__in=interface_ids, state=AccountingInterface.State.CONNECTED
            )
            stale += [(practice_id, one.pk) for one in found if one.package.can(ListsContacts)]
    return stale


def _batches(contacts: Iterator[ListedContact]) -> Iterator[list[ListedContact]]:
    while some := list(islice(contacts, AT_ONCE)):
        yield some


def _store(interface: AccountingInterface, contacts: Iterable[ListedContact]) -> None:
    # One that changed while the list was read may come twice; one statement takes each once.
    rows = {
        one.remote_id: PackageContact(
            interface=interface,
            remote_id=one.remote_id[:100],
            number=one.number[:100],
            name=one.name[:255],
            folded=fold(one.name)[:255],
            email=one.email[:254],
            url=one.url[:500],
            archived=one.archived,
            details=_details(one.details) if one.details else {},
        )
        for one in contacts
    }
    PackageContact.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["interface", "remote_id"],
        update_fields=["number", "name", "folded", "email", "url", "archived", "details"],
    )


def _details(contact: Contact) -> dict[str, Any]:
    """What is kept of a contact beside what it is looked up by."""
    told = to_json(contact)
    return {name: told[name] for name in DETAILS}


def _remove(interface: AccountingInterface, gone: set[str]) -> None:
    remote_ids = sorted(gone)
    for start in range(0, len(remote_ids), AT_ONCE):
        some = remote_ids[start : start + AT_ONCE]
        PackageContact.objects.filter(interface=interface, remote_id__in=some).delete()
