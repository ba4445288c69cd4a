"""The rehearsal's rules for contacts: what is refused, what matches, and what is overwritten."""

import re
from typing import Any

from connectors.xero import standin_shapes as shapes
from connectors.xero.standin_answers import ZERO_ID, Shape, not_found
from connectors.xero.standin_batch import Element
from connectors.xero.standin_ledger import Contact, Organisation, fold, new_id, usual_id
from connectors.xero.standin_posts import (
    Fields,
    boolean,
    identifier,
    listing,
    messages,
    nested,
    number,
    one_of,
    text,
    too_long,
)

ADDRESS_FIELDS: Fields = {
    "AddressType": one_of("POBOX", "STREET"),
    "AddressLine1": text,
    "AddressLine2": text,
    "AddressLine3": text,
    "AddressLine4": text,
    "City": text,
    "Region": text,
    "PostalCode": text,
    "Country": text,
    "AttentionTo": text,
}
ADDRESS_LIMITS = {
    "AddressLine1": 500,
    "AddressLine2": 500,
    "AddressLine3": 500,
    "AddressLine4": 500,
    "City": 255,
    "Region": 255,
    "PostalCode": 50,
    "Country": 50,
    "AttentionTo": 255,
}
PHONE_FIELDS: Fields = {
    "PhoneType": one_of("DEFAULT", "DDI", "MOBILE", "FAX", "OFFICE"),
    "PhoneNumber": text,
    "PhoneAreaCode": text,
    "PhoneCountryCode": text,
}
PHONE_LIMITS = {"PhoneNumber": 50, "PhoneAreaCode": 10, "PhoneCountryCode": 20}
PERSON_FIELDS: Fields = {
    "FirstName": text,
    "LastName": text,
    "EmailAddress": text,
    "IncludeInEmails": boolean,
}
TERM_FIELDS: Fields = {
    "Day": number,
    "Type": one_of("DAYSAFTERBILLDATE", "DAYSAFTERBILLMONTH", "OFCURRENTMONTH", "OFFOLLOWINGMONTH"),
}
BASES = one_of("INCLUSIVE", "EXCLUSIVE", "NONE")
CONTACT_FIELDS: Fields = {
    "ContactID": identifier,
    "ContactNumber": text,
    "AccountNumber": text,
    "ContactStatus": one_of("ACTIVE", "ARCHIVED"),
    "Name": text,
    "FirstName": text,
    "LastName": text,
    "CompanyNumber": text,
    "EmailAddress": text,
    "TaxNumber": text,
    "AccountsReceivableTaxType": text,
    "SalesDefaultLineAmountType": BASES,
    "DefaultCurrency": text,
    "Addresses": listing(nested(ADDRESS_FIELDS)),
    "Phones": listing(nested(PHONE_FIELDS)),
    "ContactPersons": listing(nested(PERSON_FIELDS)),
    "PaymentTerms": nested({"Sales": nested(TERM_FIELDS), "Bills": nested(TERM_FIELDS)}),
}
LIMITS = {
    "ContactNumber": 50,
    "AccountNumber": 50,
    "Name": 255,
    "FirstName": 255,
    "LastName": 255,
    "CompanyNumber": 50,
    "EmailAddress": 255,
    "TaxNumber": 50,
}
MOST_PERSONS = 5
# Plain letters only: Xero does not take umlauts in an address.
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
COUNTRY = re.compile(r"[A-Za-z ]*")
ARCHIVED = (
    "The specified contact details matched an archived contact. "
    "Archived contacts cannot currently be edited via the API."
)
IDENTITY = ("ContactID", "ContactNumber", "ContactStatus", "Name")


def find(books: Organisation, key: str) -> Contact:
    """The contact of an identifier, or of a contact number. Raises Refusal (404)."""
    known_id = usual_id(key)
    for one in books.contacts:
        if one.id == known_id:
            return one
    numbered = [one for one in books.contacts if one.number and one.number == key]
    if not numbered:
        raise not_found()
    return min(numbered, key=lambda one: one.status)


def create(books: Organisation, element: Shape, claimed: set[str]) -> Element:
    """PUT: a new contact; a name or number in use refuses it. `claimed` are this call's own."""
    problems = problems_of(books, element)
    if "ContactID" in element:
        problems.append("A contact that is created has no ContactID yet.")
    name, number = element.get("Name", ""), element.get("ContactNumber", "")
    if not name.strip():
        problems.append("The contact name must be specified.")
    active = (one for one in books.contacts if one.status == "ACTIVE")
    namesake = any(fold(one.name) == fold(name) for one in active)
    if name and (namesake or f"name {fold(name)}" in claimed):
        problems.append(_name_taken(name))
    numbered = [one for one in books.contacts if number and one.number == number]
    if any(one.status == "ARCHIVED" for one in numbered):
        problems.append(ARCHIVED)
    elif numbered or (number and f"number {number}" in claimed):
        problems.append(
            f"The contact number {number} is already assigned to another contact. "
            "The contact number must be unique across all contacts."
        )
    claimed |= {f"name {fold(name)}", f"number {number}"}

    def commit() -> Shape:
        made = Contact(new_id(), name, number, books.now())
        books.contacts.append(made)
        write(books, made, element)
        return shapes.contact(made)

    return _element(element, problems, commit)


def update(books: Organisation, element: Shape, claimed: set[str]) -> Element:
    """POST: the contact matched by id, number or name is OVERWRITTEN; without a match it is made.

    That a new contact's name quietly edits an existing one is Xero's trap, kept here on purpose.
    """
    known = match(books, element)
    if known is None:
        return create(books, element, claimed)
    if known.status == "ACTIVE":
        problems = problems_of_edit(books, known, element)
    else:
        problems = [*problems_of(books, element), ARCHIVED]

    def commit() -> Shape:
        write(books, known, element)
        return shapes.contact(known)

    return _element(element, problems, commit, known_id=known.id)


def match(books: Organisation, element: Shape) -> Contact | None:
    """The contact an element means: by id, else number, else active name. Raises Refusal (404)."""
    if "ContactID" in element:
        found = [one for one in books.contacts if one.id == element["ContactID"]]
        if not found:
            # Measured: an unknown id anywhere in a write answers 404 for the whole request.
            raise not_found()
        return found[0]
    if element.get("ContactNumber"):
        found = [one for one in books.contacts if one.number == element["ContactNumber"]]
        if found:
            return min(found, key=lambda one: one.status)
    name = fold(element.get("Name", ""))
    active = [one for one in books.contacts if one.status == "ACTIVE" and fold(one.name) == name]
    return active[0] if active and name else None


def write(books: Organisation, known: Contact, element: Shape) -> None:
    """Put the fields given into a contact. Lists are replaced whole: persons left out are gone."""
    known.name = element.get("Name", known.name)
    known.number = element.get("ContactNumber", known.number)
    known.status = element.get("ContactStatus", known.status)
    known.details |= {key: value for key, value in element.items() if key not in IDENTITY}
    known.updated_at = books.now()


def problems_of_edit(books: Organisation, known: Contact, element: Shape) -> list[str]:
    """What is wrong with fields that are to be written into an active contact."""
    problems = problems_of(books, element)
    name = element.get("Name", known.name)
    others = [one for one in books.contacts if one is not known and one.status == "ACTIVE"]
    if any(fold(one.name) == fold(name) for one in others):
        problems.append(_name_taken(name))
    return problems


def problems_of(books: Organisation, element: Shape) -> list[str]:
    """What Xero does not take in the fields of a contact, whoever it is."""
    problems = too_long(element, LIMITS) + _problems_of_name(element.get("Name", ""))
    addresses = element.get("Addresses", [])
    for each in addresses:
        problems += too_long(each, ADDRESS_LIMITS)
        if not COUNTRY.fullmatch(each.get("Country", "")):
            problems.append("Country must contain letters only.")
    for each in element.get("Phones", []):
        problems += too_long(each, PHONE_LIMITS)
    persons = element.get("ContactPersons", [])
    if len(persons) > MOST_PERSONS:
        problems.append(f"A contact has at most {MOST_PERSONS} contact persons.")
    emails = [element.get("EmailAddress", ""), *(one.get("EmailAddress", "") for one in persons)]
    if any(each and not EMAIL.fullmatch(each) for each in emails):
        problems.append("Email address must be valid.")
    currency = element.get("DefaultCurrency")
    if currency and currency not in books.currencies:
        problems.append(f"Organisation is not subscribed to currency {currency}")
    return problems


def _problems_of_name(name: str) -> list[str]:
    """What Xero does not take in a contact's name. No source has its wording."""
    problems = []
    if "<" in name or ">" in name:
        problems.append("The contact name must not contain < or >.")
    if name != name.strip() or re.search(r"\s\s", name):
        problems.append("The contact name must not have leading, trailing or repeated spaces.")
    return problems


def _name_taken(name: str) -> str:
    return (
        f"The contact name {name} is already assigned to another contact. "
        "The contact name must be unique across all active contacts."
    )


def _element(element: Shape, problems: list[str], commit: Any, known_id: str = ZERO_ID) -> Element:
    echo: Shape = {"ContactID": known_id} | element
    echo |= {"HasValidationErrors": True, "ValidationErrors": messages(problems)}
    return Element(problems, echo, commit)
