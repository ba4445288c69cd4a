"""What a person decides about clients and contacts: link, unlink, or create now."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from connectors.base.protocol import PushesContacts
from interfaces import clock
from interfaces.models import AccountingInterface
from invoicing import documents, preflight
from invoicing.client_matching import Match, Place
from invoicing.models import Batch, Client, ContactLink, PackageContact, Upload
from invoicing.uploads import outcomes, states
from invoicing.uploads.enqueue import enqueue_contacts
from invoicing.uploads.kinds import may_create
from invoicing.uploads.states import FAILED, MOVING, State
from offices.models import User

Interface = AccountingInterface
CANNOT_SEND = {Interface.State.NOT_CONNECTED, Interface.State.CHOOSE_COMPANY_FILE}


class CannotMatch(Exception):
    """The client cannot be linked, unlinked or created so; `str(error)` says why."""


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """A client's place and the contact that stands for it from now on."""

    place: Place
    remote_id: str
    url: str
    number: str


@transaction.atomic
def link_one(*, interface: Interface, match: Match, contact: PackageContact, actor: User) -> None:
    """Link the client to the contact chosen. Raises CannotMatch; a link that is there stays."""
    label = interface.package.label
    if contact.archived:
        raise CannotMatch(
            f"{contact.name} is archived in {label}, so it takes no invoices. Restore it in"
            f" {label} and read the contacts again, or choose another."
        )
    choice = _Choice(
        place=Place(match.client_id, match.link_name),
        remote_id=contact.remote_id,
        url=contact.url,
        number=contact.number,
    )
    if _link(interface, [choice], actor=actor):
        return
    moving = _moving(interface, [choice.place])
    if moving:
        number = next(iter(moving.values()))
        raise CannotMatch(
            f"The contact of {match.client} is on its way to {label} in batch {number} just now."
            " Look again when that is through."
        )
    raise CannotMatch(f"{match.client} was linked meanwhile. Look again; unlink it first.")


@transaction.atomic
def link_all_exact(*, interface: Interface, found: Sequence[Match], actor: User) -> list[Match]:
    """Link every client that has exactly one contact by the rule; those linked are answered.

    Those linked meanwhile, or whose contact is on its way, are left as they are.
    """
    exact = {Place(one.client_id, one.link_name): one for one in found if one.exact}
    choices = [
        _Choice(
            place=place,
            remote_id=one.exact.remote_id,
            url=one.exact.url,
            number=one.exact.number,
        )
        for place, one in exact.items()
        if one.exact
    ]
    return [exact[choice.place] for choice in _link(interface, choices, actor=actor)]


def _link(interface: Interface, choices: Sequence[_Choice], *, actor: User) -> list[_Choice]:
    """Add links where none is and none is coming, in one statement; which were added."""
    links = ContactLink.objects.filter(interface=interface)
    taken = set(map(Place._make, links.values_list("client_id", "name")))
    taken |= _moving(interface, [one.place for one in choices]).keys()
    adding = [one for one in choices if one.place not in taken]
    ContactLink.objects.bulk_create(
        [
            ContactLink(
                interface=interface,
                client_id=one.place.client_id,
                name=one.place.link_name,
                remote_id=one.remote_id,
                remote_url=one.url,
                linked_at=clock.now(),
            )
            for one in adding
        ],
        # An upload may have linked one in this very moment: that link stays.
        ignore_conflicts=True,
    )
    remote_ids = {
        Place(client_id, name): remote_id
        for client_id, name, remote_id in links.values_list("client_id", "name", "remote_id")
    }
    added = [one for one in adding if remote_ids.get(one.place) == one.remote_id]
    _settle_failed(interface, added, actor=actor)
    return added


def _moving(interface: Interface, places: Sequence[Place]) -> dict[Place, int]:
    """The batch in which the contact of a place is on its way."""
    moving = Upload.objects.filter(
        interface=interface, kind=Upload.Kind.CONTACT, state__in=MOVING
    ).values_list("client_id", "contact_name", "batch__number")
    wanted = set(places)
    found = {Place(pk or 0, name): number for pk, name, number in moving}
    return {place: number for place, number in found.items() if place in wanted}


def _settle_failed(interface: Interface, choices: Sequence[_Choice], *, actor: User) -> None:
    """Uploads of contacts that wait for a person wait no longer: here is the contact."""
    chosen = {one.place: one for one in choices}
    failed = [
        one
        for one in Upload.objects.filter(
            interface=interface, kind=Upload.Kind.CONTACT, state__in=FAILED
        )
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
        if Place(one.client_id or 0, one.contact_name) in chosen
    ]
    now = clock.now()
    for one in failed:
        choice = chosen[Place(one.client_id or 0, one.contact_name)]
        one.remote_id, one.remote_url = choice.remote_id, choice.url
        one.remote_number, one.sent_at = choice.number, now
        one.reason = one.next_step = one.code = one.field = ""
        one.warnings = [f"Linked by {actor} to a contact that was there already; not sent."]
    states.move(
        failed,
        State.SENT,
        fields=(
            *("remote_id", "remote_url", "remote_number", "sent_at", "reason", "next_step"),
            *("code", "field", "warnings"),
        ),
        actor=actor,
        same={"due": None},
    )
    outcomes.finish_batches(failed)


@transaction.atomic
def unlink(*, interface: Interface, match: Match) -> str:
    """Forget which contact stands for the client; its id there. Raises CannotMatch.

    What was sent stays where it is. Not while anything of the client is on its way: whether that
    arrived is asked by the contact it was sent for.
    """
    label = interface.package.label
    of_client = Q(invoice__client=match.client_id) | Q(client=match.client_id)
    moving = Upload.objects.filter(of_client, interface=interface, state__in=MOVING)
    number = moving.values_list("batch__number", flat=True).first()
    if number is not None:
        raise CannotMatch(
            f"Something for {match.client} is on its way to {label} in batch {number}. Wait until"
            " it is through, then unlink."
        )
    link = ContactLink.objects.filter(
        interface=interface, client=match.client_id, name=match.link_name
    )
    remote_id = link.values_list("remote_id", flat=True).first()
    if remote_id is None:
        raise CannotMatch(f"{match.client} is not linked any more.")
    link.delete()
    return remote_id


def why_not_create(interface: Interface) -> str:
    """Why clients cannot be added to the package now, or nothing."""
    label = interface.package.label
    if not interface.package.can(PushesContacts):
        return f"Clients cannot be added to {label} from here: add them there."
    if not may_create(Upload.Kind.CONTACT, interface):
        return f"“Add clients” is off, so clients are added in {label} itself."
    if interface.state in CANNOT_SEND:
        return f"{interface} is not connected yet."
    if interface.state == Interface.State.DISCONNECTED:
        return f"{interface} is disconnected."
    return ""


def create_now(*, interface: Interface, match: Match, actor: User) -> Batch:
    """Send the client as a contact on its own, in a batch of its own. Raises CannotMatch.

    As with any upload the package is asked first, and what it has by the rule is linked instead.
    """
    if reason := why_not_create(interface):
        raise CannotMatch(reason)
    client = Client.objects.get(pk=match.client_id)
    contact = documents.contact_of(client, name=match.name, key="")
    # One that is there is only linked.
    faults = [] if match.exact else preflight.check_new_contact(interface, contact)
    if faults:
        raise CannotMatch(" ".join(f"{one.message} {one.next_step}" for one in faults))
    batch = enqueue_contacts(interface=interface, contacts=[(client, match.name)], actor=actor)
    if batch is None:
        raise CannotMatch(f"{match.client} is linked already, or on its way. Look again.")
    return batch


def create_several(
    *, interface: Interface, chosen: Sequence[Match], actor: User
) -> tuple[Batch, int] | None:
    """The same of several, in one batch, and how many; None where nothing is left to send."""
    clients = Client.objects.in_bulk({one.client_id for one in chosen})
    batch = enqueue_contacts(
        interface=interface,
        contacts=[(clients[one.client_id], one.name) for one in chosen],
        actor=actor,
    )
    return (batch, batch.uploads.count()) if batch else None
