"""Clients and their contacts, from the pages to Xero and back."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from connectors import registry
from connectors.base.errors import RetryLater
from connectors.xero import PACKAGE
from connectors.xero.standin import XeroStandIn
from connectors.xero.standin_ledger import Organisation
from interfaces.credentials import store_tokens
from interfaces.models import AccountingInterface
from invoicing import client_links, contact_list, tasks
from invoicing.contact_book import fold
from invoicing.models import Batch, Client, ContactLink, PackageContact, Upload
from invoicing.uploads import lane
from offices.models import AuditEntry, Practice, Role
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_member,
    make_office,
    make_practice,
    make_setting,
)
from tests.invoicing.pages import client_of, counted_queries, said, text_of, url
from tests.invoicing.scene import make_batch, make_step, make_upload

pytestmark = pytest.mark.django_db

NAME = "Harbour Architects Ltd"
State = Upload.State


@pytest.fixture
def standin(settings: Any) -> Iterator[XeroStandIn]:
    """A rehearsal Xero, which the product takes for Xero."""
    running = XeroStandIn()
    running.start()
    endpoints = dict.fromkeys(running.endpoint_names, running.url)
    settings.PACKAGE_APPS = {"xero": {**settings.PACKAGE_APPS["xero"], "endpoints": endpoints}}
    yield running
    running.stop()


@pytest.fixture
def organisation(standin: XeroStandIn) -> Organisation:
    """Its books."""
    return standin.organisation(NAME)


@pytest.fixture
def interface(practice: Practice, standin: XeroStandIn) -> AccountingInterface:
    """Connected to the organisation, and never read."""
    with acting_for(practice.pk):
        made = make_interface(company_file_id=standin.organisation(NAME).tenant_id)
        store_tokens(made.pk, standin.issue_tokens(), None)
    return made


@pytest.fixture
def offline(practice: Practice) -> AccountingInterface:
    """One whose contacts were read, with nothing behind it."""
    with acting_for(practice.pk):
        return make_interface(contacts_read_at=timezone.now())


@pytest.fixture
def browser(practice: Practice) -> Browser:
    """The browser of an admin."""
    return client_of(make_member(practice, Role.ADMIN))


def page_of(interface: AccountingInterface, path: str = "") -> str:
    """An address below the interface's clients."""
    with acting_for(interface.practice_id):
        return url(interface.practice, f"interfaces/{interface.pk}/clients/{path}")


def needed(interface: AccountingInterface, *names: str) -> list[Client]:
    """Clients each with an invoice that waits."""
    with acting_for(interface.practice_id):
        office = make_office(make_setting(interface))
        clients = [make_client(name) for name in names]
        for one in clients:
            make_invoice(office, one)
    return clients


def listed(interface: AccountingInterface, name: str, **fields: Any) -> PackageContact:
    """A contact of the package's list."""
    with acting_for(interface.practice_id):
        return PackageContact.objects.create(
            interface=interface,
            name=name,
            folded=fold(name),
            **{"remote_id": f"id-{name}", **fields},
        )


def links(interface: AccountingInterface) -> dict[str, str]:
    with acting_for(interface.practice_id):
        rows = ContactLink.objects.filter(interface=interface)
        return dict(rows.values_list("client__name", "remote_id"))


def audit(interface: AccountingInterface) -> list[tuple[str, Any, Any]]:
    with acting_for(interface.practice_id):
        return [
            (one.action, one.detail.get("before"), one.detail.get("after"))
            for one in AuditEntry.objects.order_by("pk")
        ]


# --- Reading the list ----------------------------------------------------------------------------


def test_the_list_is_read_kept_and_followed(
    interface: AccountingInterface, organisation: Organisation
) -> None:
    def read() -> dict[str, tuple[str, str, str, bool]]:
        contact_list.read_contacts(practice_id=interface.practice_id, interface_id=interface.pk)
        with acting_for(interface.practice_id):
            rows = PackageContact.objects.values_list(
                "name", "number", "folded", "email", "archived"
            )
            return {name: tuple(rest) for name, *rest in rows}  # type: ignore[misc]

    organisation.contacts.clear()
    organisation.add_contact(
        name="Mason & Sons Ltd",
        number="C1",
        EmailAddress="m@mason.example",
        FirstName="Mere",
        TaxNumber="123-456",
        Phones=[{"PhoneType": "DEFAULT", "PhoneAreaCode": "09", "PhoneNumber": "555 0100"}],
        Addresses=[{"AddressType": "POBOX", "AddressLine1": "PO Box 9", "City": "Napier"}],
    )
    organisation.add_contact(name="Old Trust", archived=True)
    assert read() == {
        "Mason & Sons Ltd": ("C1", "mason sons", "m@mason.example", False),
        "Old Trust": ("", "old", "", True),
    }
    with acting_for(interface.practice_id):
        details = PackageContact.objects.get(number="C1").details
    known = {name: details[name] for name in ("first_name", "phone", "tax_number")}
    assert known == {"first_name": "Mere", "phone": "09 555 0100", "tax_number": "123-456"}
    assert (details["postal"]["lines"], details["postal"]["city"]) == (["PO Box 9"], "Napier")
    assert details["street"]["lines"] == []
    organisation.archive_contact("Mason & Sons Ltd")
    organisation.contacts.remove(organisation.contact("Old Trust"))
    organisation.add_contact(name="New Ltd")
    assert {name: one[3] for name, one in read().items()} == {
        "Mason & Sons Ltd": True,
        "New Ltd": False,
    }
    with acting_for(interface.practice_id):
        interface.refresh_from_db()
    assert interface.contacts_read_at is not None


def test_a_list_that_breaks_off_removes_nothing_and_says_why(
    interface: AccountingInterface, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(interface, "Known before")

    def broken(self: Any) -> Iterator[Any]:
        raise RetryLater("Xero gave an answer that cannot be read.")
        yield

    monkeypatch.setattr("connectors.xero.connector.Xero.list_contacts", broken)
    page = browser.post(page_of(interface, "read/"), follow=True)
    assert said(page) == [
        "The contacts could not be read. Xero gave an answer that cannot be read."
    ]
    assert "could not be read last time" in text_of(page)
    with acting_for(interface.practice_id):
        assert PackageContact.objects.get().name == "Known before"


def test_lists_are_read_once_a_day_where_a_package_has_them(
    practice: Practice, interface: AccountingInterface, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_practice("Ridge")
    with acting_for(other.pk):
        theirs = make_interface(contacts_read_at=timezone.now() - timedelta(days=1, minutes=1))
        make_interface(contacts_read_at=timezone.now() - timedelta(hours=23))
        make_interface(connected=False)
    asked: list[Any] = []
    monkeypatch.setattr(tasks.read_contacts, "delay", lambda *ids: asked.append(ids))
    tasks.read_all_contacts()
    assert asked == [(practice.pk, interface.pk), (other.pk, theirs.pk)]


# --- The list of clients -------------------------------------------------------------------------


def test_a_newcomer_links_all_that_is_exact_and_goes_on(
    interface: AccountingInterface, organisation: Organisation, browser: Browser
) -> None:
    for name in ("Ridgeline Holdings Ltd", "Te Aro Cafe Group"):
        organisation.add_contact(name=name)
    needed(interface, "Ridgeline Holdings Ltd", "Te Aro Cafe Group", "Nobody There")
    page = browser.get(page_of(interface))
    told = text_of(page)
    assert "Contacts read" in told
    assert "Looks like: 0 , Exact match: 2 , New: 1 , Linked: 0" in told
    assert "added to Xero if it finds none" in told
    form = {"exact": page.context["exact_mark"], "next": page_of(interface)}
    done = browser.post(page_of(interface, "link/"), form, follow=True)
    assert said(done) == ["2 clients linked."]
    assert links(interface) == {
        name: organisation.contact(name).id
        for name in ("Ridgeline Holdings Ltd", "Te Aro Cafe Group")
    }
    action, before, after = audit(interface)[-1]
    assert (action, before) == ("clients.linked", "not linked")
    assert {one["name"] for one in after} == {"Ridgeline Holdings Ltd", "Te Aro Cafe Group"}
    with acting_for(interface.practice_id):
        AccountingInterface.objects.filter(pk=interface.pk).update(name="Renamed")
    history = url(interface.practice, f"interfaces/{interface.pk}/history/")
    assert "Clients: linked" in text_of(browser.get(history))
    there = url(interface.practice, "batches/")
    gone = browser.post(page_of(interface), {"next": there})
    assert gone["Location"] == there
    assert browser.post(page_of(interface), {"next": "https://elsewhere.example/"})[
        "Location"
    ].endswith("/invoice-settings/")


def test_a_list_that_changed_meanwhile_links_nothing(
    offline: AccountingInterface, browser: Browser
) -> None:
    needed(offline, "Ridgeline", "Kauri")
    listed(offline, "Ridgeline")
    mark = browser.get(page_of(offline)).context["exact_mark"]
    listed(offline, "Kauri")
    done = browser.post(page_of(offline, "link/"), {"exact": mark}, follow=True)
    assert "The list has changed" in said(done)[0]
    assert links(offline) == {}


def test_what_an_upload_has_in_hand_is_not_linked_beside_it(
    offline: AccountingInterface, browser: Browser
) -> None:
    client, other = needed(offline, "Ridgeline", "Kauri")
    contact = listed(offline, "Ridgeline")
    listed(offline, "Kauri")
    with acting_for(offline.practice_id):
        make_step(make_batch(3), offline, client=client, state=State.QUEUED)
    mark = browser.get(page_of(offline)).context["exact_mark"]
    browser.post(page_of(offline, "link/"), {"exact": mark})
    assert links(offline) == {"Kauri": "id-Kauri"}
    form = {"do": "link", "name": "", "contact": contact.pk}
    done = browser.post(page_of(offline, f"{client.pk}/decide/"), form, follow=True)
    assert "on its way to Xero in batch 3" in said(done)[-1]
    assert links(offline) == {other.name: "id-Kauri"}


def test_a_link_that_an_upload_makes_in_that_very_moment_stays(
    offline: AccountingInterface, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = needed(offline, "Ridgeline", "Kauri")
    listed(offline, "Ridgeline")
    listed(offline, "Kauri")
    mark = browser.get(page_of(offline)).context["exact_mark"]

    def meanwhile(interface: Any, places: Any) -> dict[Any, int]:
        ContactLink.objects.create(interface=interface, client=client, name="", remote_id="theirs")
        return {}

    monkeypatch.setattr(client_links, "_moving", meanwhile)
    done = browser.post(page_of(offline, "link/"), {"exact": mark}, follow=True)
    assert said(done) == [
        "1 client linked. 1 left out: linked meanwhile, or on the way.",
    ]
    assert links(offline) == {"Ridgeline": "theirs", "Kauri": "id-Kauri"}
    assert [one["name"] for one in audit(offline)[-1][2]] == ["Kauri"]


def test_the_list_is_filtered_searched_and_paged_in_as_many_queries(
    offline: AccountingInterface, browser: Browser
) -> None:
    def queries() -> int:
        with counted_queries() as found:
            assert browser.get(page_of(offline) + "?show=all").status_code == 200
        return len(found)

    needed(offline, "Ridgeline Holdings Ltd", "Kauri Point Marina")
    listed(offline, "Ridgeline Holdings Limited")
    queries()  # once, so that what is kept from the first time costs nothing
    few = queries()
    with acting_for(offline.practice_id):
        Client.objects.bulk_create(Client(abtrac_id=f"B{n}", name=f"Many {n}") for n in range(60))
    assert queries() == few
    assert len(browser.get(page_of(offline) + "?show=all").context["page"]) == 50
    assert len(browser.get(page_of(offline) + "?show=all&page=2").context["page"]) == 12
    like = browser.get(page_of(offline) + "?state=looks_like")
    assert [one.client for one in like.context["page"]] == ["Ridgeline Holdings Ltd"]
    assert "same name but for Ltd, Limited, Trust or the like" in text_of(like)
    found = browser.get(page_of(offline) + "?show=all&q=KAURI")
    assert [one.client for one in found.context["page"]] == ["Kauri Point Marina"]
    nonsense = browser.get(page_of(offline) + "?state=nonsense&page=-4&show=x")
    assert "No client is like that." in text_of(nonsense)


# --- One client ----------------------------------------------------------------------------------


def test_a_contact_is_searched_linked_shared_with_a_warning_and_unlinked(
    offline: AccountingInterface, browser: Browser
) -> None:
    client, other = needed(offline, "Ridgeline", "Kauri")
    contact = listed(offline, "Te Kōwhai Ltd", number="K7", email="pay@kowhai.example")
    listed(offline, "Old Kowhai", archived=True)
    its_page = page_of(offline, f"{client.pk}/")
    for query in ("te kowhai", "k7", "PAY@", "KOWHAI LIMITED"):
        assert contact in browser.get(f"{its_page}?q={query}").context["hits"], query
    assert "has no contact like “zzz”" in text_of(browser.get(f"{its_page}?q=zzz"))
    form = {"do": "link", "name": "", "contact": contact.pk}
    done = browser.post(f"{its_page}decide/", form, follow=True)
    assert said(done) == ["Ridgeline is linked to Te Kōwhai Ltd in Xero."]
    again = browser.post(f"{its_page}decide/", form, follow=True)
    assert said(again) == ["Ridgeline was linked meanwhile. Look again; unlink it first."]
    both = browser.post(page_of(offline, f"{other.pk}/decide/"), form, follow=True)
    assert f"is the contact of Ridgeline ({client.abtrac_id}) as well" in said(both)[1]
    assert f"Also the contact of Kauri ({other.abtrac_id})" in text_of(browser.get(its_page))
    undone = browser.post(f"{its_page}decide/", {"do": "unlink", "name": ""}, follow=True)
    assert said(undone) == ["Ridgeline is not linked any more."]
    assert links(offline) == {"Kauri": contact.remote_id}
    actions = audit(offline)
    assert [one[0] for one in actions] == ["client.linked", "client.linked", "client.unlinked"]
    assert actions[0][1:] == (
        "",
        {"name": "Ridgeline", "contact": contact.remote_id, "contact_name": "Te Kōwhai Ltd"},
    )
    assert actions[2][1]["contact"] == contact.remote_id


@pytest.mark.parametrize(
    ("read_after", "name", "told"),
    [
        (timedelta(minutes=-1), "Ākarana Trust", "Ākarana Trust"),
        (timedelta(minutes=-1), "", "Akarana"),
        (timedelta(minutes=1), "Ākarana Trust", "ot in the list as last read"),
    ],
)
def test_a_contact_is_missing_only_from_a_list_that_was_read_after_it_was_linked(
    offline: AccountingInterface, browser: Browser, read_after: timedelta, name: str, told: str
) -> None:
    [client] = needed(offline, "Akarana")
    linked_at = timezone.now()
    by = "number" if not name else "name"
    with acting_for(offline.practice_id):
        offline.preferences = {**offline.preferences, "match_contacts_by": by}
        offline.contacts_read_at = linked_at + read_after
        offline.save()
        if name:
            Client.objects.filter(pk=client.pk).update(name=name)
        ContactLink.objects.create(
            interface=offline, client=client, name=name, remote_id="new", linked_at=linked_at
        )
    for path in ("", f"{client.pk}/"):
        page = text_of(browser.get(page_of(offline, path)))
        assert told in page
        assert ("ot in the list as last read" in page) == (read_after > timedelta(0))


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ("archived", "Harbour is archived in Xero, so it takes no invoices."),
        ("gone", "is not in Xero's list any more"),
        ("", "Choose a contact first."),
        ("nonsense", "is not in Xero's list any more"),
    ],
)
def test_a_contact_that_cannot_be_linked_is_refused_in_words(
    offline: AccountingInterface, browser: Browser, chosen: str, words: str
) -> None:
    [client] = needed(offline, "Ridgeline")
    contact = listed(offline, "Harbour", archived=chosen == "archived")
    pk = str(contact.pk)
    if chosen == "gone":
        with acting_for(offline.practice_id):
            contact.delete()
    form = {"do": "link", "name": "", "contact": pk if chosen in {"archived", "gone"} else chosen}
    done = browser.post(page_of(offline, f"{client.pk}/decide/"), form, follow=True)
    assert words in said(done)[0]
    assert links(offline) == {}
    assert audit(offline) == []


def test_nothing_is_unlinked_while_something_of_the_client_is_on_its_way(
    offline: AccountingInterface, browser: Browser
) -> None:
    [client] = needed(offline, "Ridgeline")
    with acting_for(offline.practice_id):
        ContactLink.objects.create(interface=offline, client=client, name="", remote_id="r")
        invoice = client.invoices.get()
        upload = make_upload(make_batch(4), invoice, State.UNKNOWN)
    form = {"do": "unlink", "name": ""}
    done = browser.post(page_of(offline, f"{client.pk}/decide/"), form, follow=True)
    assert "on its way to Xero in batch 4" in said(done)[0]
    assert links(offline) == {"Ridgeline": "r"}
    with acting_for(offline.practice_id):
        Upload.objects.filter(pk=upload.pk).update(state=State.SENT, remote_id="x")
    page = browser.get(page_of(offline, f"{client.pk}/"))
    assert "1 sent already: that stays where it is." in page.content.decode()
    browser.post(page_of(offline, f"{client.pk}/decide/"), form)
    assert links(offline) == {}


def test_a_client_created_now_goes_as_a_contact_on_its_own(
    interface: AccountingInterface, organisation: Organisation, browser: Browser
) -> None:
    [client] = needed(interface, "Brand New Ltd")
    done = browser.post(
        page_of(interface, f"{client.pk}/decide/"), {"do": "create", "name": ""}, follow=True
    )
    assert said(done) == ["Brand New Ltd goes to Xero in batch 1; it is looked for first."]
    again = browser.post(
        page_of(interface, f"{client.pk}/decide/"), {"do": "create", "name": ""}, follow=True
    )
    assert "is linked already, or on its way" in said(again)[0]
    assert browser.get(url(interface.practice, "batches/1/")).status_code == 200
    lane.drain(practice_id=interface.practice_id, interface_id=interface.pk)
    assert links(interface) == {"Brand New Ltd": organisation.contact("Brand New Ltd").id}
    with acting_for(interface.practice_id):
        assert Batch.objects.get().finished_at is not None
    there = page_of(interface, f"{client.pk}/")
    assert "Read from Xero now" in text_of(browser.get(there))
    read = browser.post(page_of(interface, "read/"), {"next": there}, follow=True)
    assert "Read from Xero now" not in text_of(read)
    assert "Brand New Ltd Brand New Ltd Same" in text_of(read)
    assert "Brand New Ltd" in text_of(browser.get(page_of(interface)))
    assert browser.get(url(interface.practice, "batches/1/")).status_code == 200
    assert browser.get(url(interface.practice, "batches/")).status_code == 200


def test_a_client_that_is_known_to_be_refused_is_not_added(
    offline: AccountingInterface, browser: Browser
) -> None:
    [client] = needed(offline, "Brand <New> Ltd")
    done = browser.post(
        page_of(offline, f"{client.pk}/decide/"), {"do": "create", "name": ""}, follow=True
    )
    assert "The name" in said(done)[0] and "<" in said(done)[0]
    with acting_for(offline.practice_id):
        assert not Batch.objects.exists()


def test_where_clients_are_not_added_none_is_created_and_the_page_says_so(
    offline: AccountingInterface, browser: Browser
) -> None:
    [client] = needed(offline, "Brand New Ltd")
    with acting_for(offline.practice_id):
        offline.preferences = {"add_contacts": False}
        offline.save()
    page = browser.get(page_of(offline))
    assert "“Add clients” is off, so clients are added in Xero itself." in text_of(page)
    done = browser.post(
        page_of(offline, f"{client.pk}/decide/"), {"do": "create", "name": ""}, follow=True
    )
    assert "“Add clients” is off" in said(done)[0]
    told = said(browser.post(page_of(offline), {"next": page_of(offline)}, follow=True))
    assert "1 client with invoices to send has no contact in Xero yet" in told[-1]


def test_choosing_the_contact_settles_an_upload_that_waited_for_a_person(
    offline: AccountingInterface, browser: Browser
) -> None:
    [client] = needed(offline, "Ridgeline")
    contact = listed(offline, "Ridgeline Holdings", number="K1", url="https://go.xero.example/1")
    with acting_for(offline.practice_id):
        batch = make_batch(5)
        make_upload(batch, client.invoices.get(), State.REFUSED, field="contact")
        step = make_step(
            batch, offline, client=client, state=State.NEEDS_PERSON, reason="Two are named so."
        )
    there = url(offline.practice, "batches/5/")
    body = browser.get(there).content.decode()
    its_page = page_of(offline, f"{client.pk}/")
    # From the contact, and from the invoice it holds up.
    assert body.count(f'href="{its_page}?next={there}">Choose the contact') == 2
    form = {"do": "link", "name": "", "contact": contact.pk, "next": there}
    done = browser.post(f"{its_page}decide/", form, follow=True)
    assert done.redirect_chain == [(there, 302)]
    assert said(done) == [
        "Ridgeline is linked to Ridgeline Holdings in Xero.",
        "1 invoice checked again: 1 on the way.",
    ]
    with acting_for(offline.practice_id):
        step.refresh_from_db()
        assert (step.state, step.remote_id, step.reason) == (State.SENT, contact.remote_id, "")
        assert step.events.filter(before=State.NEEDS_PERSON, after=State.SENT).exists()
    assert links(offline) == {"Ridgeline": contact.remote_id}
    assert "Choose the contact" not in browser.get(there).content.decode()
    with acting_for(offline.practice_id):
        Upload.objects.filter(field="contact").update(field="")
    assert "Choose the contact" not in browser.get(there).content.decode()


# --- The rule, and who may ------------------------------------------------------------------------


def test_another_rule_is_asked_about_where_clients_are_linked(
    offline: AccountingInterface, browser: Browser
) -> None:
    [client] = needed(offline, "Ridgeline")
    with acting_for(offline.practice_id):
        ContactLink.objects.create(interface=offline, client=client, name="", remote_id="r")
    form = {"set_match_contacts_by": "name", "set_add_contacts": "on"}
    asked = browser.post(page_of(offline, "rule/"), form)
    assert "1 client is linked." in text_of(asked)
    assert "Match by “Client name = contact name”" in text_of(asked)
    hidden = dict(re.findall(r'name="(set_\w+)" value="([^"]*)"', asked.content.decode()))
    assert audit(offline) == []
    done = browser.post(page_of(offline, "rule/"), {**hidden, "sure": "on"}, follow=True)
    assert said(done) == ["How clients are matched is saved."]
    [(action, before, after)] = audit(offline)
    assert action == "interface.match_rule_set"
    assert before[0] == ["Match clients by", "Client ID = contact number"]
    assert after[0] == ["Match clients by", "Client name = contact name"]
    with acting_for(offline.practice_id):
        offline.refresh_from_db()
    assert offline.preferences == {"match_contacts_by": "name", "add_contacts": True}
    assert links(offline) == {"Ridgeline": "r"}
    wrong = browser.post(page_of(offline, "rule/"), {"set_match_contacts_by": "x"}, follow=True)
    assert "Nothing was saved" in said(wrong)[0]


def without(monkeypatch: pytest.MonkeyPatch, methods: dict[str, Any]) -> None:
    """Take the package for one whose connector can do only that."""
    package = replace(PACKAGE, connector=type("Less", (), methods))
    monkeypatch.setattr(registry, "packages", lambda: {"xero": package})


def test_a_package_that_lists_no_contacts_leaves_the_rule_and_creating(
    offline: AccountingInterface, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    [client] = needed(offline, "Ridgeline")
    pushing: dict[str, Any] = {"find_contacts": len, "post_contacts": len}
    without(monkeypatch, pushing)
    page = text_of(browser.get(page_of(offline)))
    assert "Xero cannot be asked for its contacts" in page
    assert "Read from Xero now" not in page
    assert "How clients are matched" in page
    assert "Add to Xero now" in text_of(browser.get(page_of(offline, f"{client.pk}/")))
    told = said(browser.post(page_of(offline, "read/"), follow=True))
    assert told == ["Xero cannot be asked for its contacts."]
    without(monkeypatch, {})
    page = text_of(browser.get(page_of(offline)))
    assert "each must be there before its first invoice arrives" in page
    assert "Add to Xero now" not in text_of(browser.get(page_of(offline, f"{client.pk}/")))


@pytest.mark.parametrize(
    ("role", "refused"),
    [(Role.VIEWER, {"rule/", "read/", "link/", "decide/"}), (Role.ACCOUNTS, {"rule/"})],
)
def test_who_only_looks_changes_nothing_and_the_rule_is_for_admins(
    offline: AccountingInterface, practice: Practice, role: Role, refused: set[str]
) -> None:
    [client] = needed(offline, "Ridgeline")
    looker = client_of(make_member(practice, role))
    page = looker.get(page_of(offline))
    tabs = page.content.decode().split('aria-label="Pages of')[1].split("</nav>")[0]
    assert (">Clients</a>" in tabs) == (role is Role.ACCOUNTS)
    assert ">Preferences</a>" not in tabs
    assert all(field.disabled for field in page.context["form"].fields.values())
    assert looker.get(page_of(offline, f"{client.pk}/")).status_code == 200
    for path in ("rule/", "read/", "link/", f"{client.pk}/decide/"):
        answer = looker.post(page_of(offline, path))
        assert (answer.status_code == 403) == (path.split("/", 1)[-1] in refused or path in refused)
