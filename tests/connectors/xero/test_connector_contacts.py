"""Contacts and jobs in Xero."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from connectors.base.documents import Address, Conflict, Contact, Posted
from connectors.base.errors import OutcomeUnknown, Rejected, RetryLater
from connectors.base.standin import Answer, Drop
from connectors.xero import contacts as contact_list
from connectors.xero.standin_ledger import Organisation
from tests.connectors import samples
from tests.connectors.xero.rehearsal import Rehearsal

CONTACTS = r"/api\.xro/2\.0/Contacts"
SMITH = samples.contact("C1", "Smith Ltd")


def find(xero: Rehearsal, contact: Contact, matching: str = "number") -> Any:
    connector = xero.connect(match_contacts_by=matching)
    return connector.find_contacts([contact]).get(contact.key)


def post(xero: Rehearsal, *contacts: Contact, matching: str = "number") -> list[Any]:
    connector = xero.connect(match_contacts_by=matching)
    outcomes: list[Any] = connector.post_contacts(contacts, call_key="call-1")
    return outcomes


# --- Matching by number --------------------------------------------------------------------------


def test_the_contact_number_counts_before_the_name(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_contact(name="Smith Ltd")
    renamed = organisation.add_contact(name="Smith & Daughters Ltd", number="C1")
    found = find(xero, SMITH)
    assert (found.remote_id, found.number, found.warnings) == (renamed.id, "C1", ())


def test_a_contact_without_a_number_is_linked_by_its_name_and_said_so(
    xero: Rehearsal, organisation: Organisation
) -> None:
    typed_in = organisation.add_contact(name="SMITH LTD")
    found = find(xero, SMITH)
    assert found.remote_id == typed_in.id
    assert found.warnings == ("Linked by its name: the contact has no contact number in Xero.",)


def test_a_namesake_with_another_number_is_left_to_a_person(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_contact(name="Smith Ltd", number="C99")
    found = find(xero, SMITH)
    assert isinstance(found, Conflict)
    assert "C99" in found.message
    assert "C1" in found.message
    assert find(xero, SMITH, "name").remote_id


def test_an_archived_contact_with_our_number_is_left_to_a_person(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_contact(name="Smith Ltd", number="C1", archived=True)
    found = find(xero, SMITH)
    assert isinstance(found, Conflict)
    assert found.message == "Smith Ltd is archived in Xero."
    assert "Restore" in found.next_step


def test_beside_an_archived_namesake_a_new_contact_may_stand(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_contact(name="Smith Ltd", archived=True)
    assert find(xero, SMITH) is None
    assert isinstance(post(xero, SMITH)[0], Posted)


@pytest.mark.parametrize("number", ["A/1", "A 1", "Ä#1?", "C.1"])
def test_odd_client_ids_are_found(xero: Rehearsal, organisation: Organisation, number: str) -> None:
    there = organisation.add_contact(name="Odd Ltd", number=number)
    assert find(xero, samples.contact(number, "Another name")).remote_id == there.id


@pytest.mark.parametrize("others", [0, 1, 5])
def test_a_number_in_other_capitals_is_left_to_a_person(
    xero: Rehearsal, organisation: Organisation, others: int
) -> None:
    organisation.add_contact(name="Bar Ltd", number="AB1")
    organisation.add_contact(name="Foo Ltd")
    ours = samples.contact("ab1", "Foo Ltd")
    wanted = [ours, *(samples.contact(f"X{n}", f"Other {n}") for n in range(others))]
    found = xero.connect().find_contacts(wanted)
    assert list(found) == [ours.key]
    conflict = found[ours.key]
    assert isinstance(conflict, Conflict)
    assert conflict.contact_name == "Bar Ltd"
    assert conflict.message == (
        "Xero's contact Bar Ltd has the contact number AB1; the client ID of Foo Ltd is ab1."
        " They differ in capitals only."
    )


@pytest.mark.parametrize("others", [0, 1, 5])
def test_a_number_that_is_ours_exactly_counts_before_one_in_other_capitals(
    xero: Rehearsal, organisation: Organisation, others: int
) -> None:
    organisation.add_contact(name="Bar Ltd", number="AB1")
    there = organisation.add_contact(name="Foo Ltd", number="ab1")
    wanted = [samples.contact("ab1", "Foo"), *(samples.contact(f"X{n}") for n in range(others))]
    found = xero.connect().find_contacts(wanted)
    assert [one.remote_id for one in found.values()] == [there.id]


@pytest.mark.parametrize("number", ['A"1', "A\\1"])
def test_a_number_no_filter_can_hold_does_not_hide_the_name(
    xero: Rehearsal, organisation: Organisation, number: str
) -> None:
    organisation.add_contact(name="Other Ltd", number=f"{number}0")
    there = organisation.add_contact(name="Smith Ltd")
    assert find(xero, samples.contact(number, "Smith Ltd")).remote_id == there.id


# --- Matching by name ----------------------------------------------------------------------------


@pytest.mark.parametrize("matching", ["name", "name_on_invoice"])
def test_by_name_the_number_plays_no_part(
    xero: Rehearsal, organisation: Organisation, matching: str
) -> None:
    organisation.add_contact(name="Jones Ltd", number="C1")
    assert find(xero, SMITH, matching) is None
    assert isinstance(post(xero, SMITH, matching=matching)[0], Posted)
    assert organisation.contact("Smith Ltd").number == ""


@pytest.mark.parametrize("name", ["smith ltd", "Smíth  Ltd ", "SMITH LTD"])
def test_case_accents_and_spaces_do_not_make_another_name(
    xero: Rehearsal, organisation: Organisation, name: str
) -> None:
    there = organisation.add_contact(name="Smith Ltd")
    several = [samples.contact("C1", name), *(samples.contact(f"C{n}", f"N{n}") for n in (2, 3))]
    found = xero.connect(match_contacts_by="name").find_contacts(several)
    assert {one.remote_id for one in found.values()} == {there.id}


@pytest.mark.parametrize("name", ['The "Wharf" Ltd', "Back\\slash Ltd", "O'Neill, Sons & Co + 1"])
def test_names_with_odd_characters_are_found(
    xero: Rehearsal, organisation: Organisation, name: str
) -> None:
    organisation.add_contact(name=f"Not {name}")
    assert find(xero, samples.contact(name=name), "name") is None
    there = organisation.add_contact(name=name)
    assert find(xero, samples.contact(name=name), "name").remote_id == there.id


def test_an_active_contact_counts_before_its_archived_namesake(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_contact(name="Smith Ltd", archived=True)
    there = organisation.add_contact(name="Smith Ltd")
    assert find(xero, SMITH, "name").remote_id == there.id


def test_an_archived_name_is_left_to_a_person(xero: Rehearsal, organisation: Organisation) -> None:
    organisation.add_contact(name="Smith Ltd", archived=True)
    assert isinstance(find(xero, SMITH, "name"), Conflict)


@pytest.mark.parametrize("matching", ["number", "name"])
def test_two_that_could_be_it_are_left_to_a_person(
    xero: Rehearsal, organisation: Organisation, matching: str
) -> None:
    organisation.add_contact(name="Smith Ltd")
    organisation.add_contact(name="smith ltd")
    found = find(xero, SMITH, matching)
    assert isinstance(found, Conflict)
    assert found.message == "Xero has 2 contacts that could be Smith Ltd."


@pytest.mark.parametrize("matching", ["number", "name"])
@pytest.mark.parametrize("many", [False, True])
def test_a_merged_contact_is_what_it_was_merged_into(
    xero: Rehearsal, organisation: Organisation, matching: str, many: bool
) -> None:
    organisation.add_contact(name="Smith Ltd", number="C1")
    organisation.add_contact(name="Smith Group")
    last = organisation.add_contact(name="Smith Holdings")
    organisation.merge_contacts("Smith Ltd", into="Smith Group")
    organisation.merge_contacts("Smith Group", into="Smith Holdings")
    others = [samples.contact(f"C{n}", f"Other {n}") for n in range(2, 6)] if many else []
    connector = xero.connect(match_contacts_by=matching)
    found = connector.find_contacts([SMITH, *others])
    assert [one.remote_id for one in found.values()] == [last.id]


@pytest.mark.parametrize("many", [False, True])
def test_a_merged_contact_without_a_number_makes_no_second(
    xero: Rehearsal, organisation: Organisation, many: bool
) -> None:
    organisation.add_contact(name="Smith Ltd")
    kept = organisation.add_contact(name="Smith Holdings")
    organisation.merge_contacts("Smith Ltd", into="Smith Holdings")
    others = [samples.contact(f"C{n}", f"Other {n}") for n in range(2, 6)] if many else []
    found = xero.connect().find_contacts([SMITH, *others])
    assert [one.remote_id for one in found.values()] == [kept.id]


@pytest.mark.parametrize("matching", ["number", "name"])
def test_an_active_contact_counts_before_a_namesake_that_was_merged(
    xero: Rehearsal, organisation: Organisation, matching: str
) -> None:
    organisation.add_contact(name="Smith Ltd")
    organisation.add_contact(name="Smith Holdings")
    organisation.merge_contacts("Smith Ltd", into="Smith Holdings")
    there = organisation.add_contact(name="Smith Ltd")
    assert find(xero, SMITH, matching).remote_id == there.id


# --- Few calls for many --------------------------------------------------------------------------


def test_many_contacts_are_looked_up_in_one_call(
    xero: Rehearsal, organisation: Organisation
) -> None:
    for place in range(30):
        organisation.add_contact(name=f"Client {place}", number=f"C{place}", archived=place == 7)
    wanted = [samples.contact(f"C{place}", f"Client {place}") for place in range(32)]
    found = xero.connect().find_contacts(wanted)
    assert [type(found[one.key]) for one in wanted[:30]] == [
        Conflict if place == 7 else Posted for place in range(30)
    ]
    assert set(found) == {one.key for one in wanted[:30]}
    assert len(xero.standin.requests) == 1


def test_in_a_very_long_list_each_is_looked_for(
    xero: Rehearsal, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_list, "WHOLE_LIST_PAGE", 2)
    for place in range(12):
        organisation.add_contact(name=f"Client {place}", number=f"C{place}")
    wanted = [samples.contact(f"C{place}", f"Client {place}") for place in (1, 11, 99)]
    assert set(xero.connect().find_contacts(wanted)) == {one.key for one in wanted[:2]}
    # The first page, each number, and the name of the 99th.
    assert len(xero.standin.requests) == len(xero.standin.seen("GET", CONTACTS)) == 5


# --- Creating ------------------------------------------------------------------------------------


def test_a_name_that_was_taken_meanwhile_is_linked(
    xero: Rehearsal, organisation: Organisation
) -> None:
    there = organisation.add_contact(name="Smith Ltd")
    other, smith = post(xero, samples.contact("C2", "Other Ltd"), SMITH)
    assert isinstance(other, Posted)
    assert (smith.remote_id, len(smith.warnings)) == (there.id, 1)
    assert not organisation.contact("Smith Ltd").details


def test_a_name_taken_by_another_client_is_left_to_a_person(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_contact(name="Smith Ltd", number="C99")
    assert isinstance(post(xero, SMITH)[0], Conflict)


def test_two_clients_of_one_name_do_not_become_one(xero: Rehearsal) -> None:
    first, second = post(xero, SMITH, samples.contact("C2", "Smith Ltd"))
    assert isinstance(first, Posted)
    assert isinstance(second, Conflict)


def test_a_look_up_that_fails_after_others_were_made_leaves_all_unknown(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_contact(name="Smith Ltd")
    xero.standin.script("GET", CONTACTS, fault=Answer(429))
    with pytest.raises(OutcomeUnknown):
        post(xero, samples.contact("C2", "Other Ltd"), SMITH)


def test_an_email_that_xero_does_not_take_is_told(xero: Rehearsal) -> None:
    good = samples.contact("C2", "Good Ltd")
    bad, other = post(xero, samples.contact("C1", "Bad Ltd", email="not an address"), good)
    assert isinstance(bad, Rejected)
    assert bad.field == "email"
    assert isinstance(other, Posted)


def test_a_shortened_text_is_said_so(xero: Rehearsal) -> None:
    [outcome] = post(xero, samples.contact("C1", "Smith Ltd", last_name="n" * 300))
    assert outcome.warnings == ("Shortened to what Xero takes: name of the person.",)


# --- Jobs ----------------------------------------------------------------------------------------


def jobs_of(xero: Rehearsal, **settings: Any) -> Any:
    return xero.connect(**{**xero.settings_for_jobs(), **settings})


def test_a_job_that_is_an_option_already_is_found_whatever_its_case(
    xero: Rehearsal, organisation: Organisation
) -> None:
    option = organisation.add_tracking_option("j1")
    job = samples.job("J1")
    found = jobs_of(xero, tracking_category="job").find_jobs([job])
    assert found[job.key].remote_id == option.id


def test_an_archived_option_is_left_to_a_person(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_tracking_option("J1").status = "ARCHIVED"
    job = samples.job("J1")
    found = jobs_of(xero).find_jobs([job])[job.key]
    assert isinstance(found, Conflict)
    assert "J1 is archived" in found.message


@pytest.mark.parametrize("archived_at", [0, 1])
def test_an_option_in_use_counts_before_an_archived_one_of_its_name(
    xero: Rehearsal, organisation: Organisation, archived_at: int
) -> None:
    options = [organisation.add_tracking_option(name) for name in ("J1", "j1")]
    options.pop(archived_at).status = "ARCHIVED"
    job = samples.job("J1")
    found = jobs_of(xero).find_jobs([job])[job.key]
    assert isinstance(found, Posted)
    assert found.remote_id == options[0].id


def test_without_the_category_nothing_is_found_and_nothing_sent(xero: Rehearsal) -> None:
    connector = jobs_of(xero, tracking_category="Project")
    assert connector.find_jobs([samples.job()]) == {}
    [outcome] = connector.post_jobs([samples.job()], call_key="call-1")
    assert isinstance(outcome, Rejected)
    assert "no tracking category “Project”" in str(outcome)
    assert not xero.standin.seen("PUT")


def test_a_full_category_refuses_only_what_is_too_much(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.option_limit = 2
    jobs = [samples.job(code) for code in ("J1", "J2", "J3", "x" * 101)]
    outcomes = jobs_of(xero).post_jobs(jobs, call_key="call-1")
    assert [type(one) for one in outcomes] == [Posted, Posted, Rejected, Rejected]
    assert outcomes[2].field == "job"
    assert "at most 2" in str(outcomes[2])


def test_an_option_that_was_added_meanwhile_is_linked(
    xero: Rehearsal, organisation: Organisation
) -> None:
    option = organisation.add_tracking_option("J1")
    [outcome] = jobs_of(xero).post_jobs([samples.job("J1")], call_key="call-1")
    assert outcome.remote_id == option.id


def test_each_job_has_a_key_of_its_own(xero: Rehearsal) -> None:
    jobs_of(xero).post_jobs([samples.job("J1"), samples.job("J2")], call_key="call-1")
    keys = [one.headers["Idempotency-Key"] for one in xero.standin.seen("PUT")]
    assert keys == ["call-1", "call-1.1"]


@pytest.mark.parametrize("fault", [Answer(429), Drop(after_effect=False)])
def test_trouble_after_the_first_job_leaves_all_unknown(xero: Rehearsal, fault: Any) -> None:
    xero.standin.script(*xero.creates["jobs"], after=1, fault=fault)
    with pytest.raises(OutcomeUnknown):
        jobs_of(xero).post_jobs([samples.job("J1"), samples.job("J2")], call_key="call-1")


def test_trouble_with_the_first_job_wrote_nothing(xero: Rehearsal) -> None:
    xero.misbehave("jobs", Answer(429))
    with pytest.raises(RetryLater):
        jobs_of(xero).post_jobs([samples.job("J1"), samples.job("J2")], call_key="call-1")


# --- Bringing up to date -------------------------------------------------------------------------


def update(xero: Rehearsal, *contacts: Contact) -> list[Any]:
    connector = xero.connect(match_contacts_by="number")
    outcomes: list[Any] = connector.update_contacts(contacts, call_key="call-1")
    return outcomes


def test_an_update_writes_what_abtrac_has_and_leaves_the_rest(
    xero: Rehearsal, organisation: Organisation
) -> None:
    there = organisation.add_contact(
        name="Smith", number="THEIRS", AccountNumber="kept", TaxNumber="kept too"
    )
    ours = replace(SMITH, remote_id=there.id, email="new@smith.example", tax_number="")
    [outcome] = update(xero, ours)
    assert isinstance(outcome, Posted)
    assert (outcome.key, outcome.remote_id) == (SMITH.key, there.id)
    assert len(organisation.contacts) == 1
    assert (there.name, there.number) == ("Smith Ltd", "THEIRS")
    assert there.details["EmailAddress"] == "new@smith.example"
    assert there.details["AccountNumber"] == "kept"
    assert there.details["TaxNumber"] == "kept too"


def test_an_update_leaves_addresses_and_phones_of_other_types(
    xero: Rehearsal, organisation: Organisation
) -> None:
    po_box = {"AddressType": "POBOX", "AddressLine1": "PO Box 9", "City": "Taupō"}
    mobile = {"PhoneType": "MOBILE", "PhoneNumber": "555 0177", "PhoneAreaCode": "021"}
    old = {"PhoneType": "DEFAULT", "PhoneNumber": "old"}
    there = organisation.add_contact(name="Smith", Addresses=[po_box], Phones=[old, mobile])
    ours = replace(SMITH, remote_id=there.id, postal=Address())
    for _ in range(2):
        [outcome] = update(xero, ours)
        assert isinstance(outcome, Posted)
        addresses = {one["AddressType"]: one for one in there.details["Addresses"]}
        assert addresses["POBOX"] == po_box
        assert addresses["STREET"]["AddressLine1"] == "12 Quay Street"
        assert there.details["Phones"] == [
            {"PhoneType": "DEFAULT", "PhoneNumber": SMITH.phone},
            mobile,
        ]


def test_of_many_updates_what_is_there_is_read_in_few_calls(
    xero: Rehearsal, organisation: Organisation
) -> None:
    mobile = {"PhoneType": "MOBILE", "PhoneNumber": "021 555"}
    known = [organisation.add_contact(name=f"Client {n}", Phones=[mobile]) for n in range(50)]
    outcomes = update(
        xero,
        *(
            samples.contact(f"C{n}", f"Client {n} Ltd", remote_id=one.id)
            for n, one in enumerate(known)
        ),
    )
    assert {type(one) for one in outcomes} == {Posted}
    assert all(mobile in one.details["Phones"] for one in known)
    assert len(xero.standin.seen("GET")) == 2
    assert len(xero.standin.seen("POST", CONTACTS)) == 1


def test_an_update_without_addresses_and_phones_reads_nothing(
    xero: Rehearsal, organisation: Organisation
) -> None:
    there = organisation.add_contact(name="Smith")
    bare = replace(SMITH, remote_id=there.id, phone="", postal=Address(), street=Address())
    [outcome] = update(xero, bare)
    assert isinstance(outcome, Posted)
    assert not xero.standin.seen("GET")


def test_an_update_that_could_not_read_what_is_there_wrote_nothing(
    xero: Rehearsal, organisation: Organisation
) -> None:
    there = organisation.add_contact(name="Smith")
    xero.standin.script("GET", CONTACTS, fault=Answer(429))
    with pytest.raises(RetryLater):
        update(xero, replace(SMITH, remote_id=there.id))
    assert there.name == "Smith"


def test_of_several_updates_one_that_is_refused_stops_no_other(
    xero: Rehearsal, organisation: Organisation
) -> None:
    good = organisation.add_contact(name="Smith")
    archived = organisation.add_contact(name="Jones", archived=True)
    outcomes = update(
        xero,
        replace(SMITH, remote_id=good.id),
        replace(samples.contact("C2", "Jones Ltd"), remote_id=archived.id),
        replace(samples.contact("C3", "Gone Ltd"), remote_id=str(uuid4())),
        replace(samples.contact("C4", "<b>"), remote_id=good.id),
    )
    assert [type(one) for one in outcomes] == [Posted, Rejected, Rejected, Rejected]
    assert good.name == "Smith Ltd"
    assert archived.name == "Jones"
