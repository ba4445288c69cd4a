"""A client as Abtrac has it beside the contact it is linked to, as the package last listed that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.base.documents import Address, Contact
from invoicing.documents import contact_from_json, contact_of
from invoicing.models import Client, PackageContact


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One thing both sides have a word for. `differs`: an update would change it there."""

    label: str
    ours: str
    theirs: str
    differs: bool


def compare(client: Client, *, name: str, contact: PackageContact) -> list[Compared]:
    """Ours and theirs side by side, as far as the list tells; nothing where it tells nothing.

    What Abtrac has no entry for stays as it is there, and so does the number, which is the link.
    """
    if not contact.details:
        return []
    ours = contact_of(client, name=name, key="")
    theirs = contact_from_json(
        {
            "key": "",
            "number": contact.number,
            "name": contact.name,
            "email": contact.email,
            **contact.details,
        }
    )
    rows = [(label, told(ours), told(theirs)) for label, told in COMPARED.items()]
    return [
        Compared(label="Number", ours=ours.number, theirs=theirs.number, differs=False),
        *(
            Compared(label=label, ours=our, theirs=their, differs=_differ(our, their))
            for label, our, their in rows
        ),
    ]


def _person(contact: Contact) -> str:
    return f"{contact.first_name} {contact.last_name}".strip()


def _line(address: Address) -> str:
    parts = [
        address.attention,
        *address.lines,
        address.city,
        address.region,
        address.postal_code,
        address.country,
    ]
    return ", ".join(part.strip() for part in parts if part.strip())


COMPARED: Mapping[str, Callable[[Contact], str]] = {
    "Name": lambda one: one.name,
    "Person": _person,
    "E-mail": lambda one: one.email,
    "Phone": lambda one: one.phone,
    "Tax number": lambda one: one.tax_number,
    "Postal address": lambda one: _line(one.postal),
    "Street address": lambda one: _line(one.street),
}


def _differ(ours: str, theirs: str) -> bool:
    """How it is spaced makes no difference."""
    plain = "".join(ours.split())
    return bool(plain) and plain != "".join(theirs.split())
