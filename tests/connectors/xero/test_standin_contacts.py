"""The rehearsal Xero's contacts: what matches, what is refused, what is overwritten."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.connectors.xero.xero_caller import (
    UNKNOWN_ID,
    ZERO_ID,
    XeroCaller,
    error_of,
    record_of,
    records_of,
    refusals_of,
)


@pytest.fixture
def xero() -> Iterator[XeroCaller]:
    with XeroCaller() as caller:
        yield caller


def contact(**changes: Any) -> dict[str, Any]:
    return {"Name": "Quay Holdings Ltd", "ContactNumber": "C-17"} | changes


def names(found: list[dict[str, Any]]) -> list[str]:
    return [one["Name"] for one in found]


def test_a_contact_is_created_with_all_its_fields(xero: XeroCaller) -> None:
    sent = contact(
        FirstName="Ana",
        LastName="Rangi",
        EmailAddress="ap@quay.example",
        TaxNumber="123-456-789",
        AccountNumber="Q1",
        Addresses=[{"AddressType": "POBOX", "AddressLine1": "PO Box 1", "Country": "New Zealand"}],
        Phones=[{"PhoneType": "DEFAULT", "PhoneNumber": "555 1212", "PhoneAreaCode": "09"}],
    )
    made = record_of(xero.put("Contacts", sent))
    assert made["ContactID"] != ZERO_ID
    assert made["ContactStatus"] == "ACTIVE"
    assert made["StatusAttributeString"] == "OK"
    [read] = xero.read(f"Contacts/{made['ContactID']}")
    for field in ("Name", "ContactNumber", "FirstName", "EmailAddress", "TaxNumber"):
        assert read[field] == sent[field]
    addresses = {one["AddressType"]: one for one in read["Addresses"]}
    assert addresses["POBOX"]["AddressLine1"] == "PO Box 1"
    assert addresses["STREET"]["City"] == ""
    assert {one["PhoneType"] for one in read["Phones"]} == {"DDI", "DEFAULT", "FAX", "MOBILE"}


def test_a_bare_contact_is_taken_as_well_as_one_in_its_envelope(xero: XeroCaller) -> None:
    assert record_of(xero.write("PUT", "Contacts", contact()))["Name"] == "Quay Holdings Ltd"


def test_creating_a_name_in_use_is_refused_whatever_its_case_and_accents(xero: XeroCaller) -> None:
    xero.books.add_contact(name="Café Ōtākou")
    [message] = refusals_of(xero.put("Contacts", contact(Name="CAFE OTAKOU")))
    assert "is already assigned to another contact. The contact name must be unique" in message
    assert len(xero.books.contacts) == 1


def test_an_archived_namesake_does_not_stop_creation(xero: XeroCaller) -> None:
    xero.books.add_contact(name="Quay Holdings Ltd", archived=True)
    assert record_of(xero.put("Contacts", contact()))["ContactStatus"] == "ACTIVE"


def test_creating_a_number_in_use_is_refused(xero: XeroCaller) -> None:
    xero.books.add_contact(name="Another", number="C-17")
    assert "already assigned" in refusals_of(xero.put("Contacts", contact()))[0]


def test_posting_a_name_in_use_overwrites_that_contact(xero: XeroCaller) -> None:
    known = xero.books.add_contact(name="Quay Holdings Ltd", EmailAddress="kept@quay.example")
    sent = contact(Name="QUAY HOLDINGS LTD", EmailAddress="new@quay.example")
    answered = record_of(xero.post("Contacts", sent))
    assert answered["ContactID"] == known.id
    assert answered["EmailAddress"] == "new@quay.example"
    assert len(xero.books.contacts) == 1


def test_posting_a_number_in_use_renames_that_contact(xero: XeroCaller) -> None:
    known = xero.books.add_contact(name="Old name", number="C-17")
    assert record_of(xero.post("Contacts", contact()))["ContactID"] == known.id
    assert known.name == "Quay Holdings Ltd"


def test_posting_somebody_new_creates_them(xero: XeroCaller) -> None:
    assert record_of(xero.post("Contacts", contact()))["ContactNumber"] == "C-17"


def test_updating_by_id_leaves_what_is_not_sent(xero: XeroCaller) -> None:
    known = xero.books.add_contact(name="Quay", number="C-1", EmailAddress="a@quay.example")
    record_of(xero.post(f"Contacts/{known.id}", {"Name": "Quay Holdings"}))
    assert (known.name, known.number) == ("Quay Holdings", "C-1")
    assert known.details["EmailAddress"] == "a@quay.example"


def test_persons_left_out_of_an_update_are_gone(xero: XeroCaller) -> None:
    persons = [{"FirstName": "Ana"}, {"FirstName": "Ben"}]
    made = record_of(xero.put("Contacts", contact(ContactPersons=persons)))
    path = f"Contacts/{made['ContactID']}"
    after = record_of(xero.post(path, {"ContactPersons": [{"FirstName": "Ben"}]}))
    assert [one["FirstName"] for one in after["ContactPersons"]] == ["Ben"]


def test_renaming_to_another_contacts_name_is_refused(xero: XeroCaller) -> None:
    xero.books.add_contact(name="Taken")
    known = xero.books.add_contact(name="Quay")
    assert "must be unique" in refusals_of(xero.post(f"Contacts/{known.id}", {"Name": "taken"}))[0]
    assert known.name == "Quay"


def test_an_archived_contact_cannot_be_edited_nor_brought_back(xero: XeroCaller) -> None:
    known = xero.books.add_contact(name="Quay", number="C-17", archived=True)
    for sent in ({"Name": "New"}, {"ContactStatus": "ACTIVE"}):
        [message] = refusals_of(xero.post(f"Contacts/{known.id}", sent))
        assert "The specified contact details matched an archived contact" in message
    assert "archived" in refusals_of(xero.put("Contacts", contact()))[0]


def test_a_contact_can_be_archived(xero: XeroCaller) -> None:
    known = xero.books.add_contact(name="Quay")
    record_of(xero.post(f"Contacts/{known.id}", {"ContactStatus": "ARCHIVED"}))
    assert known.status == "ARCHIVED"


@pytest.mark.parametrize("path", ["Contacts", f"Contacts/{UNKNOWN_ID}"])
def test_an_unknown_contact_id_answers_404_for_the_whole_call(xero: XeroCaller, path: str) -> None:
    answer = xero.post(path, contact() | {"ContactID": UNKNOWN_ID})
    assert (answer.status_code, xero.books.contacts) == (404, [])


def test_one_bad_contact_refuses_the_whole_call_by_default(xero: XeroCaller) -> None:
    answer = xero.put("Contacts", contact(), contact(Name="", ContactNumber="C-18"))
    assert refusals_of(answer) == ["The contact name must be specified."]
    assert len(answer.json()["Elements"]) == 2
    assert xero.books.contacts == []


def test_one_bad_contact_spares_the_others_when_asked(xero: XeroCaller) -> None:
    answer = xero.put("Contacts?summarizeErrors=false", contact(), contact())
    good, bad = records_of(answer)
    assert (answer.status_code, good["StatusAttributeString"]) == (200, "OK")
    assert (bad["StatusAttributeString"], bad["ContactID"]) == ("ERROR", ZERO_ID)
    assert bad["HasValidationErrors"] is True
    assert len(bad["ValidationErrors"]) == 2
    assert len(xero.books.contacts) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Name": "A" * 256}, "Name exceeds the maximum length of 255"),
        ({"ContactNumber": "A" * 51}, "ContactNumber exceeds the maximum length of 50"),
        ({"Name": "Quay <Holdings>"}, "must not contain < or >"),
        ({"Name": " Quay"}, "leading, trailing or repeated spaces"),
        ({"Name": "Quay  Holdings"}, "leading, trailing or repeated spaces"),
        ({"EmailAddress": "nobody"}, "Email address must be valid"),
        ({"EmailAddress": "müller@quay.example"}, "Email address must be valid"),
        ({"ContactPersons": [{"EmailAddress": "a b"}]}, "Email address must be valid"),
        ({"ContactPersons": [{"FirstName": "A"}] * 6}, "at most 5 contact persons"),
        ({"Addresses": [{"AddressType": "POBOX", "Country": "N.Z."}]}, "letters only"),
        ({"Addresses": [{"AddressType": "POBOX", "City": "A" * 256}]}, "City exceeds"),
        ({"Phones": [{"PhoneType": "DEFAULT", "PhoneNumber": "1" * 51}]}, "PhoneNumber exceeds"),
        ({"DefaultCurrency": "GBP"}, "Organisation is not subscribed to currency GBP"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    xero: XeroCaller, changes: dict[str, Any], message: str
) -> None:
    assert message in " ".join(refusals_of(xero.put("Contacts", contact(**changes))))


@pytest.mark.parametrize(
    "changes",
    [
        {"Nmae": "misspelt"},
        {"Name": 17},
        {"ContactStatus": "Active"},
        {"ContactStatus": "GDPRREQUEST"},
        {"Addresses": {"AddressType": "POBOX"}},
        {"Addresses": [{"AddressType": "Street"}]},
        {"Phones": [{"PhoneType": "HOME"}]},
        {"SalesDefaultLineAmountType": "Exclusive"},
        {"IsCustomer": True},
    ],
)
def test_what_has_the_wrong_form_refuses_the_call(
    xero: XeroCaller, changes: dict[str, Any]
) -> None:
    answer = xero.put("Contacts", contact(**changes))
    assert error_of(answer) == (400, 14, "PostDataInvalidException")
    assert xero.books.contacts == []


def test_creating_takes_no_id(xero: XeroCaller) -> None:
    assert refusals_of(xero.put("Contacts", contact(ContactID=UNKNOWN_ID)))


def test_a_contact_is_read_by_id_or_by_number(xero: XeroCaller) -> None:
    known = xero.books.add_contact(name="Quay", number="C-17")
    assert names(xero.read("Contacts/C-17")) == names(xero.read(f"Contacts/{known.id}")) == ["Quay"]


def test_archived_contacts_are_listed_only_when_asked_for(xero: XeroCaller) -> None:
    xero.books.add_contact(name="Quay")
    gone = xero.books.add_contact(name="Gone", archived=True)
    assert names(xero.read("Contacts", page=1)) == ["Quay"]
    assert names(xero.read("Contacts", page=1, includeArchived="true")) == ["Quay", "Gone"]
    assert names(xero.read(f"Contacts/{gone.id}")) == ["Gone"]


@pytest.mark.parametrize("name", ["Café Ōtākou", "cafe otakou", "CAFÉ OTAKOU"])
def test_a_name_is_found_whatever_its_case_and_accents(xero: XeroCaller, name: str) -> None:
    xero.books.add_contact(name="Café Ōtākou")
    xero.books.add_contact(name="Café")
    assert names(xero.read("Contacts", where=f'Name=="{name}"', page=1)) == ["Café Ōtākou"]


def test_a_double_quote_in_a_name_cannot_be_asked_for(xero: XeroCaller) -> None:
    xero.books.add_contact(name='The "Quay" Ltd')
    for name in ('The "Quay" Ltd', 'The \\"Quay\\" Ltd', 'The ""Quay"" Ltd'):
        answer = xero.call("GET", "Contacts", params={"where": f'Name=="{name}"'})
        assert error_of(answer) == (400, 16, "QueryParseException")
    assert names(xero.read("Contacts", searchTerm='"quay"', page=1)) == ['The "Quay" Ltd']


def test_a_search_term_looks_into_names_number_and_address(xero: XeroCaller) -> None:
    xero.books.add_contact(name="Quay", number="C-17", EmailAddress="ap@wharf.example")
    xero.books.add_contact(name="Other", FirstName="Quentin")
    assert names(xero.read("Contacts", searchTerm="QU", page=1)) == ["Quay", "Other"]
    assert names(xero.read("Contacts", searchTerm="c-17", page=1)) == ["Quay"]
    assert names(xero.read("Contacts", searchTerm="wharf", page=1)) == ["Quay"]


def test_contacts_are_read_by_their_ids(xero: XeroCaller) -> None:
    first, _, third = (xero.books.add_contact(name=one) for one in ("A", "B", "C"))
    found = xero.read("Contacts", IDs=f"{first.id},{third.id}", page=1)
    assert names(found) == ["A", "C"]


def test_a_summary_has_no_addresses(xero: XeroCaller) -> None:
    xero.books.add_contact(name="Quay", Addresses=[{"AddressType": "POBOX", "City": "Napier"}])
    [summary] = xero.read("Contacts", summaryOnly="true", page=1)
    assert summary["Addresses"] == []


def test_contacts_can_be_asked_since_a_moment(xero: XeroCaller) -> None:
    xero.books.add_contact(name="Before")
    xero.pass_time(minutes=5)
    since = f"{xero.moment:%Y-%m-%dT%H:%M:%S}"
    xero.books.add_contact(name="After")
    answer = xero.call("GET", "Contacts?page=1", headers={"If-Modified-Since": since})
    assert names(records_of(answer)) == ["After"]


def test_a_merged_contact_points_to_where_it_went(xero: XeroCaller) -> None:
    gone, kept = (xero.books.add_contact(name=one) for one in ("Quay", "Quay Holdings"))
    invoice = xero.books.add_invoice("INV-7", gone)
    xero.books.merge_contacts("Quay", into="Quay Holdings")
    [read] = xero.read(f"Contacts/{gone.id}")
    assert (read["MergedToContactID"], read["ContactStatus"]) == (kept.id, "ARCHIVED")
    assert invoice.contact is kept


def test_a_contact_that_was_invoiced_is_a_customer(xero: XeroCaller) -> None:
    assert record_of(xero.put("Contacts", contact()))["IsCustomer"] is False
    record_of(xero.put("Invoices", xero.invoice(Contact={"ContactNumber": "C-17"})))
    assert xero.read("Contacts/C-17")[0]["IsCustomer"] is True
