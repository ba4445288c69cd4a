"""Clients and jobs on their own, from their pages: sent singly or together, and updated."""

from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from connectors.base.documents import Contact, Job
from interfaces.models import AccountingInterface
from invoicing import models
from invoicing.causes import open_causes
from invoicing.models import Client, ContactLink, PackageContact, Upload
from invoicing.uploads import alone
from offices.models import AuditEntry, Role
from offices.tenancy import acting_for
from tests.factories import make_client, make_job, make_member
from tests.invoicing.pages import client_of, counted_queries, said, text_of, url
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.till import Books


@pytest.fixture
def browser(desk: Desk) -> Browser:
    """The browser of the desk's admin."""
    return client_of(desk.user)


def prefer(desk: Desk, **preferences: Any) -> None:
    with acting_for(desk.practice.pk):
        interface = AccountingInterface.objects.get(pk=desk.interface.pk)
        interface.preferences.update(preferences)
        interface.save()


def page(desk: Desk, path: str) -> str:
    return url(desk.practice, f"interfaces/{desk.interface.pk}/{path}")


def jobs(desk: Desk, *codes: str) -> list[models.Job]:
    with acting_for(desk.practice.pk):
        return [make_job(desk.client, code=code) for code in codes]


def last_audit(desk: Desk) -> AuditEntry:
    with acting_for(desk.practice.pk):
        return AuditEntry.objects.latest("pk")


# --- Jobs ----------------------------------------------------------------------------------------


def test_jobs_go_one_by_one_and_all_at_once_each_only_once(
    desk: Desk, books: Books, browser: Browser
) -> None:
    prefer(desk, jobs="yes")
    first, *_ = jobs(desk, "J1", "J2", "J3")
    listed = text_of(browser.get(page(desk, "jobs/")))
    assert "3 jobs , 3 not sent in all" in listed
    assert "J1 Harbour House Harbour View Trust Not sent" in listed
    asked = {"job": first.pk, "next": page(desk, f"jobs/{first.pk}/")}
    answer = browser.post(page(desk, "jobs/send/"), asked, follow=True)
    assert said(answer) == ["1 job on the way to Till in Batch 1; each is looked for first."]
    assert "Job J1 in Till Waiting" in text_of(answer)
    assert said(browser.post(page(desk, "jobs/send/"), asked, follow=True)) == [
        "Nothing was sent: they are there, or on their way, already."
    ]
    desk.work()
    answer = browser.post(page(desk, "jobs/send/"), {"do": "all"}, follow=True)
    assert said(answer)[0].startswith("2 jobs on the way to Till in Batch 2")
    assert last_audit(desk).detail["after"] == {"jobs": 2, "batch": 2}
    desk.work()
    assert books.names(Job) == ["J1", "J2", "J3"]
    assert [desk.batch(number).origin for number in (1, 2)] == ["job", "job"]
    there = text_of(browser.get(page(desk, "jobs/?state=there")))
    assert "3 jobs , 0 not sent in all" in there
    assert "In Till since" in text_of(browser.get(page(desk, f"jobs/{first.pk}/")))


def test_a_job_that_failed_says_why_and_is_tried_again(
    desk: Desk, books: Books, browser: Browser
) -> None:
    prefer(desk, jobs="yes")
    [job] = jobs(desk, "J1")
    books.refusals["J1"] = till.refused("Till wants another code.", next_step="Change the code.")
    browser.post(page(desk, "jobs/send/"), {"job": job.pk})
    desk.work()
    failed = text_of(browser.get(page(desk, "jobs/?state=failed&q=harbour")))
    assert "Till wants another code. Change the code. Batch 1" in failed
    books.refusals.clear()
    answer = browser.post(page(desk, "jobs/send/"), {"job": job.pk}, follow=True)
    assert said(answer)[0].startswith("1 job on the way to Till, 1 of them tried again")
    desk.work()
    assert [one.state for one in desk.all(kind="job")] == ["sent"]


def test_where_jobs_are_not_sent_the_page_says_where_that_is_switched_on(
    desk: Desk, books: Books, browser: Browser
) -> None:
    [job] = jobs(desk, "J1")
    shown = text_of(browser.get(page(desk, "jobs/")))
    assert "switched off in the preferences of the interface. Preferences" in shown
    assert "Send selected" not in shown
    browser.post(page(desk, "jobs/send/"), {"job": job.pk})
    assert desk.all(kind="job") == []
    prefer(desk, jobs="yes")
    viewer = client_of(make_member(desk.practice, Role.VIEWER))
    assert "Send selected" not in text_of(viewer.get(page(desk, "jobs/")))
    assert viewer.post(page(desk, "jobs/send/"), {"job": job.pk}).status_code == 403


def test_the_lists_cost_the_same_however_long_they_are(
    desk: Desk, books: Books, browser: Browser
) -> None:
    prefer(desk, jobs="yes")
    costs: dict[str, set[int]] = {"jobs/": set(), "clients/?show=all": set()}
    for many in (1, 20):
        made = jobs(desk, *(f"J{many}-{place}" for place in range(many)))
        with acting_for(desk.practice.pk):
            for place in range(many):
                make_client(f"Client {many}-{place} Ltd")
        browser.post(page(desk, "jobs/send/"), {"job": [one.pk for one in made[:10]]})
        browser.get(page(desk, "jobs/"))  # whatever is said once is said
        for path, found in costs.items():
            with counted_queries() as queries:
                browser.get(page(desk, path))
            found.add(len(queries))
    assert all(len(found) == 1 for found in costs.values()), costs
    # Those for the log-in and the menu are four of them.
    assert max(map(max, costs.values())) <= 16


# --- Clients -------------------------------------------------------------------------------------


def test_clients_are_sent_together_and_what_looks_like_a_contact_is_left_to_a_person(
    desk: Desk, books: Books, browser: Browser
) -> None:
    with acting_for(desk.practice.pk):
        other, alike = make_client("Nobody There Ltd"), make_client("Mason & Sons Ltd")
        PackageContact.objects.create(
            interface=desk.interface, remote_id="m", name="Mason and Son", folded="mason son"
        )
    listed = text_of(browser.get(page(desk, "clients/?show=all")))
    assert "2 not in Till yet or not linked" in listed
    ticked = {"place": [str(other.pk), str(alike.pk), "0"], "show": "all"}
    answer = browser.post(page(desk, "clients/send/"), ticked, follow=True)
    assert desk.batch(1).origin == "contact"
    assert said(answer)[0] == ("1 client on the way to Till in Batch 1; each is looked for first.")
    marked = browser.get(page(desk, "clients/?show=all")).context["new_mark"]
    stale = {"do": "all", "new": "x", "show": "all"}
    assert (
        "nothing was done" in said(browser.post(page(desk, "clients/send/"), stale, follow=True))[0]
    )
    answer = browser.post(page(desk, "clients/send/"), {**stale, "new": marked}, follow=True)
    assert said(answer)[0].startswith("1 client on the way to Till in Batch 2")
    assert "1 left out: on the way" in said(answer)[0]
    desk.work()
    assert sorted(books.names(Contact)) == ["Harbour View Trust", "Nobody There Ltd"]
    assert last_audit(desk).action == "clients.sent"


def test_a_client_that_failed_is_tried_again_from_its_page(
    desk: Desk, books: Books, browser: Browser
) -> None:
    there = page(desk, f"clients/{desk.client.pk}/")
    books.refusals["Harbour View Trust"] = till.refused("No such name.", next_step="Rename it.")
    browser.post(f"{there}decide/", {"name": "", "do": "create"})
    desk.work()
    shown = text_of(browser.get(there))
    assert "Last sent in batch 1" in shown
    assert "No such name. Rename it. Retry" in shown
    books.refusals.clear()
    answer = browser.post(f"{there}decide/", {"name": "", "do": "retry"}, follow=True)
    assert said(answer) == ["Harbour View Trust is tried again, in Batch 1."]
    desk.work()
    with acting_for(desk.practice.pk):
        assert ContactLink.objects.get().client == desk.client
    again = browser.post(f"{there}decide/", {"name": "", "do": "retry"}, follow=True)
    assert "is left to be tried again" in said(again)[0]


def linked(desk: Desk, **there: Any) -> None:
    """The desk's client is linked to a contact of the list with these details."""
    details: dict[str, Any] = {"phone": "09 555 0100", "tax_number": "", "last_name": "Ngata"}
    details |= {"first_name": "Mere", "postal": {"lines": ["PO Box 9"], "city": "Napier"}}
    with acting_for(desk.practice.pk):
        Client.objects.filter(pk=desk.client.pk).update(
            phone="09 555 0199",
            contact_first_name="Mere",
            contact_last_name="Ngata",
            postal_address={"lines": ["PO Box 9"], "city": "Napier", "postal_code": "4110"},
        )
        AccountingInterface.objects.update(contacts_read_at=timezone.now())
        PackageContact.objects.create(
            interface=desk.interface,
            remote_id="till-9",
            name="Harbour View Trust",
            folded="harbour view",
            details={**details, "street": {}, **there},
        )
        ContactLink.objects.create(
            interface=desk.interface, client=desk.client, name="", remote_id="till-9"
        )


def test_ours_and_theirs_stand_side_by_side_and_are_updated_where_that_is_wanted(
    desk: Desk, books: Books, browser: Browser
) -> None:
    linked(desk)
    there = page(desk, f"clients/{desk.client.pk}/")
    shown = text_of(browser.get(there))
    for row in (
        "Person Mere Ngata Mere Ngata Same",
        "Phone 09 555 0199 09 555 0100 Differs",
        "Postal address PO Box 9, Napier, 4110 PO Box 9, Napier Differs",
        "Name Harbour View Trust Harbour View Trust Same",
        "“Update clients” is off. Switch it on under Preferences",
    ):
        assert row in shown
    assert "Update in Till" not in shown
    off = browser.post(f"{there}decide/", {"name": "", "do": "update"}, follow=True)
    assert "nothing is changed in Till" in said(off)[0]
    prefer(desk, update_contacts=True)
    assert "Update in Till" in text_of(browser.get(there))
    done = browser.post(f"{there}decide/", {"name": "", "do": "update"}, follow=True)
    assert said(done) == ["Harbour View Trust is brought up to date in Till, in Batch 1."]
    detail = last_audit(desk).detail
    assert (detail["before"]["Phone"], detail["after"]["Phone"]) == ("09 555 0100", "09 555 0199")
    again = browser.post(f"{there}decide/", {"name": "", "do": "update"}, follow=True)
    assert "on its way to Till already" in said(again)[0]
    desk.work()
    [update] = books.posts[-1]
    assert (update.remote_id, update.phone) == ("till-9", "09 555 0199")
    since = text_of(browser.get(there))
    assert "sent there after the contacts were read" in since
    assert "Sent since" in since
    assert "Differs" not in since and "Update in Till" not in since
    with acting_for(desk.practice.pk):
        assert Upload.objects.get(kind="contact").state == "sent"


def test_a_list_that_tells_no_more_than_names_is_not_compared(
    desk: Desk, books: Books, browser: Browser
) -> None:
    linked(desk)
    with acting_for(desk.practice.pk):
        PackageContact.objects.update(details={})
    shown = text_of(browser.get(page(desk, f"clients/{desk.client.pk}/")))
    assert "Differs" not in shown
    assert "Linked to Harbour View Trust" in shown


def test_updating_a_contact_anew_takes_the_place_of_an_update_that_was_refused(
    known: Desk, books: Books
) -> None:
    with acting_for(known.practice.pk):
        link = ContactLink.objects.select_related("interface", "client").get()
        name = link.client.name
    books.refusals[name] = till.refused("No such e-mail.", field="email")
    for held_up in (1, 0):
        with acting_for(known.practice.pk):
            assert alone.update_contact(link=link, name=name, actor=known.user)
            assert not open_causes().exists()
        known.work()
        with acting_for(known.practice.pk):
            assert open_causes().count() == held_up
        books.refusals.clear()


def test_a_contact_written_several_times_goes_under_a_key_of_its_own_each_time(
    known: Desk, books: Books
) -> None:
    with acting_for(known.practice.pk):
        link = ContactLink.objects.select_related("interface", "client").get()
    for _ in range(3):
        with acting_for(known.practice.pk):
            assert alone.update_contact(link=link, name=link.client.name, actor=known.user)
        known.work()
    assert len(set(books.call_keys)) == 3
    # Refused, corrected and uploaded anew, within the time for which a package keeps its answer.
    with acting_for(known.practice.pk):
        newcomer = make_client()
    invoice = known.invoice(client=newcomer)
    books.refusals[newcomer.name] = till.refused("No such e-mail.", field="email")
    for _ in range(2):
        known.upload(invoice)
        known.work(turns=2)
        books.refusals.clear()
    assert known.of(invoice).state == "sent"
    assert len(books.call_keys) == len(set(books.call_keys)) == 6
