"""Which contact stands for which client: what is certain, what only resembles, and why."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from interfaces.models import AccountingInterface
from invoicing.client_matching import Match, Standing, matches
from invoicing.contact_book import Contact, ContactBook, fold
from invoicing.models import ContactLink, Invoice, PackageContact, Upload
from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import make_client, make_interface, make_invoice, make_office, make_setting
from tests.invoicing.pages import counted_queries
from tests.invoicing.scene import make_batch, make_upload


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mason & Sons Ltd.", "mason and sons limited"),
        ("Whānau Māori Trust", "WHANAU MAORI"),
        ("Café  Zürich Pty Ltd", "cafe zurich pty. limited"),
        ("A.B.C. Holdings Inc", "ABC Holdings"),
        ("O'Brien-Smith & Co Ltd", "O\u2019Brien Smith"),
        ("Kauri Point Marina LP", "Kauri Point Marina, L.P."),
    ],
)
def test_names_that_are_spelled_differently_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mason & Sons", "Mason & Daughters"),
        ("Trust Ltd", "Co"),
        ("North 1", "North 2"),
        ("!", "?"),
    ],
)
def test_names_that_are_others_do_not(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def contact(name: str, number: str = "", *, archived: bool = False, pk: int = 0) -> Contact:
    """A contact as it was listed; its id there is its name and number."""
    return Contact(pk, f"{name}/{number}", number, name, fold(name), "", "", archived)


RIDGE, TRUST = contact("Ridgeline Holdings Ltd"), contact("Harbour View Trust", "C7")
BY_NUMBER: list[tuple[str, list[Contact], Standing, str]] = [
    ("the number", [TRUST], Standing.EXACT, "same number"),
    ("the number, other name", [contact("J Brown", "C7")], Standing.LOOKS_LIKE, "other name"),
    ("capitals of the number", [contact("Harbour View", "c7")], Standing.LOOKS_LIKE, "capitals"),
    ("two numbers", [TRUST, contact("Harbour", "C7")], Standing.LOOKS_LIKE, "one of 2 with this"),
    (
        "archived",
        [contact("Harbour View Trust", "C7", archived=True)],
        Standing.LOOKS_LIKE,
        "archived in Xero",
    ),
    ("the name, no number", [contact("HARBOUR VIEW trust")], Standing.EXACT, "no number there"),
    (
        "the name, another number",
        [contact("Harbour View Trust", "C8")],
        Standing.LOOKS_LIKE,
        "other number",
    ),
    ("another kind", [contact("Harbour View Ltd")], Standing.LOOKS_LIKE, "but for Ltd"),
    ("a slip", [contact("Harbor View Trust")], Standing.LOOKS_LIKE, "name is similar"),
    ("a word more", [contact("Harbour View Trust No 2")], Standing.LOOKS_LIKE, "is similar"),
    ("nothing", [RIDGE], Standing.NEW, ""),
]


@pytest.mark.parametrize(
    ("contacts", "standing", "reason"),
    [one[1:] for one in BY_NUMBER],
    ids=[o[0] for o in BY_NUMBER],
)
def test_by_number_what_is_certain_is_told_from_what_resembles(
    contacts: list[Contact], standing: Standing, reason: str
) -> None:
    exact, found = ContactBook([RIDGE, *contacts]).look_for(
        "Harbour View Trust", "C7", by_number=True, label="Xero"
    )
    assert exact is (standing is Standing.EXACT)
    assert bool(found) is (standing is not Standing.NEW)
    assert not found or reason in found[0].reason


def test_by_name_a_number_alone_is_never_certain() -> None:
    book = ContactBook([contact("J Brown", "C7"), contact("Smith Ltd"), contact("Smith Trust")])
    exact, [found] = book.look_for("Harbour View", "C7", by_number=False)
    assert (exact, found.reason) == (False, "same number, other name")
    exact, [smith] = book.look_for("SMITH  ltd", "C9", by_number=False)
    assert (exact, smith.contact.name) == (True, "Smith Ltd")
    exact, both = book.look_for("Smith", "C9", by_number=False)
    assert not exact
    assert {one.contact.name for one in both} == {"Smith Ltd", "Smith Trust"}


def test_five_thousand_clients_are_matched_to_as_many_contacts_within_moments() -> None:
    words = ["Ridge", "Harbour", "Kauri", "Stone", "Bridge", "Mason", "Cafe", "School", "Park"]
    names = [
        f"{words[n % 9]} {words[n // 9 % 9]}{n % 613:x} {words[n // 81 % 9]}" for n in range(5000)
    ]
    book = ContactBook(contact(f"{name} Ltd", pk=n) for n, name in enumerate(names))
    begun = time.monotonic()
    for n, name in enumerate(names):
        book.look_for(f"{name[:-1]}", f"C{n}", by_number=True)
    assert time.monotonic() - begun < 10


# --- With rows -----------------------------------------------------------------------------------


@pytest.fixture
def interface(practice: Practice) -> AccountingInterface:
    """An interface whose contacts were read."""
    with acting_for(practice.pk):
        return make_interface(contacts_read_at=timezone.now())


def listed(interface: AccountingInterface, name: str, number: str = "", **fields: Any) -> Any:
    """A contact of the package's list."""
    return PackageContact.objects.create(
        interface=interface,
        remote_id=f"id-{name}-{number}",
        number=number,
        name=name,
        folded=fold(name),
        **fields,
    )


def by_client(found: list[Match]) -> dict[str, Standing]:
    return {one.name: one.standing for one in found}


pytest_db = pytest.mark.django_db


@pytest_db
def test_clients_whose_invoices_wait_come_first_and_the_others_when_asked(
    interface: AccountingInterface,
) -> None:
    with acting_for(interface.practice_id):
        office = make_office(make_setting(interface))
        elsewhere = make_office(make_setting(make_interface()))
        names = ("Waits", "Sent", "Parked", "In accounts", "Draft", "Elsewhere", "Nothing", "Early")
        clients = {name: make_client(name) for name in names}
        interface.offered_from = timezone.now().date() - timedelta(days=3650)
        make_invoice(office, clients["Waits"])
        make_invoice(office, clients["Waits"])
        sent = make_invoice(office, clients["Sent"])
        make_upload(make_batch(1), sent, Upload.State.SENT)
        make_invoice(office, clients["Parked"], parked_at=timezone.now())
        make_invoice(office, clients["In accounts"], in_accounts_at=timezone.now())
        make_invoice(office, clients["Draft"], committed=False)
        make_invoice(elsewhere, clients["Elsewhere"])
        make_invoice(office, clients["Early"], issued=interface.offered_from - timedelta(days=1))
        needed = matches(interface)
        everyone = matches(interface, everyone=True)
    assert [(one.name, one.invoices) for one in needed] == [("Waits", 2)]
    assert everyone[0].name == "Waits"
    assert {one.name for one in everyone} == set(names)


@pytest_db
def test_before_any_setting_is_linked_invoices_of_unlinked_settings_count(
    interface: AccountingInterface,
) -> None:
    with acting_for(interface.practice_id):
        make_invoice(make_office(make_setting()), make_client("Later ours"))
        make_invoice(make_office(make_setting(make_interface())), make_client("Theirs"))
        assert by_client(matches(interface)) == {"Later ours": Standing.NEW}


@pytest_db
def test_by_the_name_on_the_invoice_one_client_may_need_several_contacts(
    interface: AccountingInterface,
) -> None:
    with acting_for(interface.practice_id):
        interface.preferences = {"match_contacts_by": "name_on_invoice"}
        interface.save()
        client = make_client("Ridgeline")
        office = make_office(make_setting(interface))
        for name in ("Ridgeline North Ltd", "Ridgeline South Ltd", "Ridgeline South Ltd"):
            make_invoice(office, client, name_on_invoice=name)
        listed(interface, "Ridgeline North Ltd")
        ContactLink.objects.create(
            interface=interface, client=client, name="Ridgeline South Ltd", remote_id="r"
        )
        found = matches(interface)
    assert by_client(found) == {
        "Ridgeline North Ltd": Standing.EXACT,
        "Ridgeline South Ltd": Standing.LINKED,
    }
    assert sorted(one.invoices for one in found) == [1, 2]


@pytest_db
def test_a_rule_we_do_not_know_is_taken_as_by_name(interface: AccountingInterface) -> None:
    with acting_for(interface.practice_id):
        interface.preferences = {"match_contacts_by": "job_card"}
        interface.save()
        make_client("Harbour View Trust", abbreviation="HVT")
        listed(interface, "Harbour View Trust", "something else")
        [found] = matches(interface, everyone=True)
    assert (found.standing, found.link_name) == (Standing.EXACT, "Harbour View Trust")


@pytest_db
def test_two_clients_with_one_contact_are_left_to_a_person(interface: AccountingInterface) -> None:
    with acting_for(interface.practice_id):
        one, other = make_client("J Brown"), make_client("J BROWN")
        there = listed(interface, "J Brown")
        both = matches(interface, everyone=True)
        assert [each.standing for each in both] == [Standing.LOOKS_LIKE] * 2
        told = {each.client: each.candidates[0].reason for each in both}
        assert "also the contact of J BROWN" in told["J Brown"]
        assert "also the contact of J Brown" in told["J BROWN"]
        ContactLink.objects.create(
            interface=interface, client=one, name="", remote_id=there.remote_id
        )
        [left] = [each for each in matches(interface, everyone=True) if each.link is None]
    assert left.client_id == other.pk
    assert left.standing is Standing.LOOKS_LIKE
    assert "also the contact of J Brown" in left.candidates[0].reason


@pytest_db
def test_what_was_linked_by_another_rule_is_offered_again(interface: AccountingInterface) -> None:
    with acting_for(interface.practice_id):
        client = make_client("Ridgeline")
        there = listed(interface, "Quite another name")
        ContactLink.objects.create(
            interface=interface, client=client, name="", remote_id=there.remote_id
        )
        interface.preferences = {"match_contacts_by": "name"}
        [found] = matches(interface, everyone=True)
    assert found.standing is Standing.LOOKS_LIKE
    assert found.candidates[0].reason == "linked to this client before"


@pytest_db
@pytest.mark.parametrize("rule", ["number", "name_on_invoice"])
def test_many_clients_cost_no_more_queries_than_a_few(
    interface: AccountingInterface, rule: str
) -> None:
    with acting_for(interface.practice_id):
        interface.preferences = {"match_contacts_by": rule}
        office = make_office(make_setting(interface))
        counts = []
        for _ in range(2):
            for _ in range(4):
                client = make_client()
                make_invoice(office, client)
                listed(interface, client.name)
            with counted_queries() as queries:
                assert matches(interface, everyone=True)
            counts.append(len(queries))
        assert Invoice.objects.count() == 8
    assert counts[0] == counts[1] <= 6
