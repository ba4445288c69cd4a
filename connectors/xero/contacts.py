"""Contacts: created once, matched afterwards, never overwritten."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from connectors.base.documents import (
    Address,
    Conflict,
    Contact,
    Key,
    ListedContact,
    Posted,
)
from connectors.base.errors import OutcomeUnknown, Rejected
from connectors.base.protocol import Found, Outcome
from connectors.xero import mapping
from connectors.xero.books import MANY, WHOLE_LIST_PAGE, Books, after_a_write, some_of
from connectors.xero.creating import New, Place, Record, create
from connectors.xero.creating import update as send_update
from connectors.xero.mapping import Matching, Preferences
from connectors.xero.refusals import NAME_TAKEN, refusal, warnings_of
from connectors.xero.wire import LABEL, folded, quoted, records, remote_id, text

PLACE = Place(path="/Contacts", plural="Contacts", known_by="Name")
BY_ID = Place(path="/Contacts", plural="Contacts", known_by="ContactID")
ID = "ContactID"
SHOWN_AT = "/Contacts/View/"
# A contact may be merged into one that was merged in turn.
MERGES = 5


def find(books: Books, contacts: Sequence[Contact]) -> dict[Key, Found]:
    """Those that exist: by number, or where it is not set there by name; or by name alone."""
    matching = Preferences.of(books.settings).matching
    whole = _whole_list(books, contacts) if len(contacts) >= MANY else None
    found = {}
    for one in contacts:
        candidates = whole if whole is not None else _candidates(books, one, matching)
        found[one.key] = _matched(books, one, candidates, matching)
    return {key: one for key, one in found.items() if one is not None}


def post(books: Books, contacts: Sequence[Contact], *, call_key: str) -> list[Outcome]:
    """Create them. A name that is taken is looked up, and linked or left to a person."""
    preferences = Preferences.of(books.settings)
    outcomes: dict[Key, Outcome] = {}
    new: list[New] = []
    for one in contacts:
        try:
            new.append(New(key=one.key, body=mapping.to_contact(one, preferences)))
        except Rejected as refused:
            outcomes[one.key] = refused
    if new:
        by_key = {one.key: one for one in contacts}
        for key, answer in create(books, PLACE, new, call_key=call_key).items():
            outcomes[key] = _outcome(books, by_key[key], answer)
    for one in contacts:
        outcome = outcomes[one.key]
        if isinstance(outcome, Rejected) and outcome.code == NAME_TAKEN:
            with after_a_write():
                outcomes[one.key] = find(books, [one]).get(one.key, outcome)
    return [outcomes[one.key] for one in contacts]


def update(books: Books, contacts: Sequence[Contact], *, call_key: str) -> list[Outcome]:
    """Bring linked contacts up to date; what Abtrac leaves empty stays as it is in Xero."""
    preferences = Preferences.of(books.settings)
    outcomes: dict[Key, Outcome] = {}
    changed: list[New] = []
    for one in contacts:
        try:
            fields = mapping.to_contact(one, preferences)
        except Rejected as refused:
            outcomes[one.key] = refused
            continue
        # The number is the link of whoever set it there; only a new contact is given ours.
        fields.pop("ContactNumber", None)
        changed.append(New(key=one.key, body={ID: one.remote_id, **fields}))
    if changed:
        by_key = {one.key: one for one in contacts}
        whole = _with_theirs(books, changed)
        for key, answer in send_update(books, BY_ID, whole, call_key=call_key).items():
            outcomes[key] = _outcome(books, by_key[key], answer)
    return [outcomes[one.key] for one in contacts]


def listed(books: Books) -> Iterator[ListedContact]:
    """Every contact, archived and merged ones marked."""
    records_of_all = books.each(
        PLACE.path, PLACE.plural, ID, size=WHOLE_LIST_PAGE, includeArchived=True
    )
    for record in records_of_all:
        yield ListedContact(
            remote_id=remote_id(record, ID),
            number=text(record, "ContactNumber"),
            name=text(record, "Name"),
            email=text(record, "EmailAddress"),
            archived=not _is_active(record),
            url=books.link(SHOWN_AT + remote_id(record, ID)),
            details=_details(record),
        )


def _details(record: Record) -> Contact:
    """What else the list tells of a contact, in our words."""
    phones = {text(one, "PhoneType"): one for one in records(record.get("Phones"))}
    addresses = {text(one, "AddressType"): one for one in records(record.get("Addresses"))}
    phone = phones.get("DEFAULT", {})
    parts = (text(phone, f"Phone{part}") for part in ("CountryCode", "AreaCode", "Number"))
    return Contact(
        key="",
        number=text(record, "ContactNumber"),
        name=text(record, "Name"),
        first_name=text(record, "FirstName"),
        last_name=text(record, "LastName"),
        email=text(record, "EmailAddress"),
        phone=" ".join(one for one in parts if one),
        tax_number=text(record, "TaxNumber"),
        postal=_address(addresses.get("POBOX", {})),
        street=_address(addresses.get("STREET", {})),
    )


def _address(record: Record) -> Address:
    lines = (text(record, f"AddressLine{place}") for place in range(1, mapping.LINES + 1))
    return Address(
        attention=text(record, "AttentionTo"),
        lines=tuple(one for one in lines if one),
        city=text(record, "City"),
        region=text(record, "Region"),
        postal_code=text(record, "PostalCode"),
        country=text(record, "Country"),
    )


def _with_theirs(books: Books, changed: Sequence[New]) -> list[New]:
    """The updates with the addresses and phones of theirs that ours would displace."""
    listing = [text(one.body, ID) for one in changed if mapping.has_lists(one.body)]
    there = {
        remote_id(record, ID): record
        for some in some_of(dict.fromkeys(listing))
        for record in books.whole_list(
            PLACE.path, PLACE.plural, ID, IDs=",".join(some), includeArchived=True
        ).records
    }
    return [
        replace(one, body=mapping.beside_theirs(one.body, there.get(text(one.body, ID), {})))
        for one in changed
    ]


def _outcome(books: Books, contact: Contact, answer: Record | Rejected) -> Outcome:
    if isinstance(answer, Rejected):
        return answer
    if refused := refusal(answer):
        for reason in (refused, *refused.others):
            reason.subject = contact.name
        return refused
    if not remote_id(answer, ID):
        raise OutcomeUnknown(f"{LABEL} gave no id for contact {contact.name}.")
    warnings = (*mapping.notes_on_contact(contact), *warnings_of(answer))
    return _posted(books, contact, answer, warnings)


def _posted(books: Books, contact: Contact, record: Record, warnings: Iterable[str]) -> Posted:
    return Posted(
        key=contact.key,
        remote_id=remote_id(record, ID),
        number=text(record, "ContactNumber"),
        url=books.link(SHOWN_AT + remote_id(record, ID)),
        warnings=tuple(warnings),
    )


# --- Looking -----------------------------------------------------------------------------------


def _whole_list(books: Books, contacts: Sequence[Contact]) -> list[Record] | None:
    """All contacts, where that takes fewer calls than looking for each."""
    listing = books.pages(
        PLACE.path,
        PLACE.plural,
        ID,
        size=WHOLE_LIST_PAGE,
        most=len(contacts),
        includeArchived=True,
    )
    return listing.records if listing else None


def _candidates(books: Books, contact: Contact, matching: Matching) -> list[Record]:
    """The contacts that could be it, archived ones included."""
    if matching is Matching.NUMBER and (number := contact.number.strip()):
        # By a filter and not by the number in the path, whose case Xero may or may not mind.
        numbered = _filtered(books, "ContactNumber", number)
        # Where it cannot be written in a filter, others were found too.
        if alike := _numbered_alike(numbered, number):
            return alike
    return _named(books, contact.name)


def _numbered_alike(candidates: Iterable[Record], number: str) -> list[Record]:
    """Those with the number, be it in other capitals."""
    alike = number.casefold()
    return [one for one in candidates if alike and text(one, "ContactNumber").casefold() == alike]


def _named(books: Books, name: str) -> list[Record]:
    return _filtered(books, "Name", name)


def _filtered(books: Books, field: str, value: str) -> list[Record]:
    try:
        which = {"where": f"{field}=={quoted(value)}"}
    except ValueError:
        # It cannot be written in a filter; the search is wider, the comparison is ours.
        which = {"searchTerm": value}
    listing = books.whole_list(PLACE.path, PLACE.plural, ID, includeArchived=True, **which)
    return listing.records


def _matched(
    books: Books, contact: Contact, candidates: Sequence[Record], matching: Matching
) -> Found | None:
    by_name = [one for one in candidates if folded(text(one, "Name")) == folded(contact.name)]
    if matching is not Matching.NUMBER:
        return _chosen(books, contact, by_name, by="name")
    number = contact.number.strip()
    alike = _numbered_alike(candidates, number)
    if by_number := [one for one in alike if text(one, "ContactNumber") == number]:
        return _chosen(books, contact, by_number, by="number")
    if alike:
        return _numbered_otherwise(books, contact, alike[0])
    # An archived namesake is no match, for Xero lets us create beside it; but one that was merged
    # says which contact is meant now.
    meant = [one for one in by_name if _is_active(one) or remote_id(one, "MergedToContactID")]
    return _chosen(books, contact, meant, by="name")


def _chosen(books: Books, contact: Contact, hits: Sequence[Record], *, by: str) -> Found | None:
    """The one active hit; where none is, what was merged counts as what it was merged into."""
    standing = [one for one in hits if _is_active(one)]
    followed = {
        remote_id(one, ID): one for one in standing or (_followed(books, hit) for hit in hits)
    }
    active = [one for one in followed.values() if _is_active(one)]
    if len(active) > 1:
        return _conflict(
            books,
            contact,
            active[0],
            f"{LABEL} has {len(active)} contacts that could be {contact.name}.",
            "Merge them in Xero, or rename the wrong ones there, then retry.",
        )
    if active:
        return _linked(books, contact, active[0], by=by)
    if followed:
        return _conflict(
            books,
            contact,
            next(iter(followed.values())),
            f"{contact.name} is archived in {LABEL}.",
            "Restore the contact in Xero, then retry.",
        )
    return None


def _linked(books: Books, contact: Contact, record: Record, *, by: str) -> Found:
    matching = Preferences.of(books.settings).matching
    if by == "number" or matching is not Matching.NUMBER:
        return _posted(books, contact, record, ())
    number = text(record, "ContactNumber")
    if number and number != contact.number.strip():
        return _conflict(
            books,
            contact,
            record,
            f"{LABEL}'s contact {text(record, 'Name')} has the contact number {number}; the"
            f" client ID of {contact.name} is {contact.number}.",
            f"If it is the same client, give the contact the number {contact.number} in {LABEL}; if"
            " not, give one of them another name. Then retry.",
        )
    linked = f"Linked by its name: the contact has no contact number in {LABEL}."
    return _posted(books, contact, record, (linked,))


def _numbered_otherwise(books: Books, contact: Contact, record: Record) -> Conflict:
    """Two numbers, or one typed twice: neither linked nor created beside it unasked."""
    return _conflict(
        books,
        contact,
        record,
        f"{LABEL}'s contact {text(record, 'Name')} has the contact number"
        f" {text(record, 'ContactNumber')}; the client ID of {contact.name} is {contact.number}."
        " They differ in capitals only.",
        f"If it is the same client, give the contact the number {contact.number} in {LABEL}; if"
        " not, give one of them another number. Then retry.",
    )


def _is_active(record: Record) -> bool:
    return text(record, "ContactStatus") == "ACTIVE"


def _followed(books: Books, record: Record) -> Record:
    """The contact this one was merged into, or itself."""
    seen: set[str] = set()
    for _ in range(MERGES):
        into = remote_id(record, "MergedToContactID")
        if not into or into in seen:
            break
        seen.add(into)
        answer = books.http.read_or_none(f"{PLACE.path}/{quote(into, safe='')}")
        further = records(answer.get(PLACE.plural)) if isinstance(answer, Mapping) else []
        if not further:
            break
        record = further[0]
    return record


def _conflict(
    books: Books, contact: Contact, record: Record, message: str, next_step: str
) -> Conflict:
    return Conflict(
        key=contact.key,
        message=message,
        next_step=next_step,
        remote_id=remote_id(record, ID),
        number=text(record, "ContactNumber"),
        contact_name=text(record, "Name"),
        url=books.link(SHOWN_AT + remote_id(record, ID)),
    )
