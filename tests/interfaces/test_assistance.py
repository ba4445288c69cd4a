"""Set-ups by Abtrac's support: asked for, answered, taken on, withdrawn; and support's queue."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from interfaces import assistance
from interfaces.models import AccountCode, AccountingInterface, PriceBook, SetUpRequest, TaxCode
from offices.models import AuditEntry, Membership, Practice, Role, SupportGrant, User
from offices.tenancy import acting_for
from tests.factories import make_interface, make_member, make_practice, make_user
from tests.invoicing.pages import client_of, counted_queries, said, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("invented_packages")]

State = SetUpRequest.State
CHECKLIST = {
    "name": "Drawer Auckland",
    "ask_version": "v7",
    "ask_country": "NZ",
    "ask_company_file": "Harbour 2026",
    "ask_detail": "single",
    "ask_match_contacts_by": "name",
    "ask_jobs": "no",
    "ask_sample_invoice": "ABT-1",
    "ask_importer": "Bo",
    "ask_edition": "Standard",
    "days": "14",
}
QUEUE = "/support/set-ups/"


@pytest.fixture
def ana(practice: Practice) -> User:
    return make_member(practice, Role.ADMIN, "ana@harbour.example")


@pytest.fixture
def sam() -> User:
    return make_user("sam@abtrac.example", is_support=True)


@pytest.fixture
def asked(practice: Practice, ana: User) -> Iterator[SetUpRequest]:
    """A set-up of Drawer that Ana asked for, with everything answered and no list given."""
    answer = client_of(ana).post(_base(practice, "ask/drawer/"), CHECKLIST)
    assert answer.status_code == 302, text_of(answer)
    yield SetUpRequest.objects.get()


def _base(practice: Practice, path: str = "") -> str:
    return f"/{practice.slug}/accounting/interfaces/{path}"


def _one(asked: SetUpRequest, path: str = "") -> str:
    return _base(asked.practice, f"{asked.interface_id}/{path}")


def _reload(asked: SetUpRequest) -> SetUpRequest:
    return SetUpRequest.objects.select_related("taken_by").get(pk=asked.pk)


def _quoted_and_taken(asked: SetUpRequest, sam: User) -> Client:
    browser = client_of(sam)
    browser.post(f"{QUEUE}{asked.pk}/quote/", {"fee": "240"})
    answer = browser.post(f"{QUEUE}{asked.pk}/take-on/", REMOTE_ADDR="203.0.113.9")
    assert answer.status_code == 302
    return browser


def _entries(practice: Practice, action: str) -> list[AuditEntry]:
    with acting_for(practice.pk):
        found = AuditEntry.objects.filter(action=action).select_related("actor")
        return list(found.order_by("pk"))


# --- Asking --------------------------------------------------------------------------------------


def test_the_page_to_ask_shows_price_and_leave_and_asks_nothing_twice(
    practice: Practice, ana: User
) -> None:
    page = client_of(ana).get(_base(practice, "ask/drawer/"))
    text = text_of(page)
    assert "Set-up fee: quoted before any work." in text
    assert "may then do what an admin of Harbour Architects may do" in text
    assert "Edition of Drawer" in text
    # The package's own setting is the question, with its own choices.
    assert text.count("Match clients by") == 1
    assert "Client name = card name" in text
    assert "One line per account and tax code" in text


@pytest.mark.parametrize(
    ("packages", "fee"), [({}, "$180.00"), ({"drawer": {"set_up_fee": "95.50"}}, "$95.50")]
)
def test_the_fee_of_the_price_book_is_shown_and_kept_from_the_moment_of_asking(
    practice: Practice, ana: User, packages: dict[str, Any], fee: str
) -> None:
    book = {"base": 45, "tiers": [[50, "15"]], "debtor_module": 45, "link": 15}
    day = timezone.now().date() - timedelta(days=1)
    PriceBook.objects.create(from_day=day, set_up_fee=180, packages=packages, **book)
    browser = client_of(ana)
    assert f"{fee} set-up fee" in text_of(browser.get(_base(practice, "ask/drawer/")))
    browser.post(_base(practice, "ask/drawer/"), CHECKLIST)
    PriceBook.objects.create(from_day=timezone.now().date(), set_up_fee=999, **book)
    assert f"${SetUpRequest.objects.get().quoted_fee:.2f}" == fee


def test_asking_makes_the_interface_its_answers_and_a_request(asked: SetUpRequest) -> None:
    assert asked.state == State.ASKED
    assert asked.missing == ["List of accounts", "List of tax codes"]
    assert timedelta(days=13) < asked.access_until - timezone.now() <= timedelta(days=14)
    with acting_for(asked.practice_id):
        interface = asked.interface
        assert (interface.name, interface.company_file_name) == ("Drawer Auckland", "Harbour 2026")
        assert interface.is_connected
        assert interface.preference("detail") == "single"
        assert interface.preference("match_contacts_by") == "name"
        assert interface.set_up_answers.answers["edition"] == "Standard"
    [entry] = _entries(asked.practice, "set_up.asked")
    assert entry.detail["access_until"] == asked.access_until.isoformat()
    assert entry.actor and entry.actor.email == "ana@harbour.example"
    assert not SupportGrant.objects.exists()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"days": ""}, "Choose how long our team may work in your practice."),
        ({"days": "365"}, "365 is not one of the available choices"),
        ({"ask_country": "FR"}, "FR is not one of the available choices"),
        ({"name": "Taken"}, "Another interface has this name."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(
    practice: Practice, ana: User, change: dict[str, str], complaint: str
) -> None:
    with acting_for(practice.pk):
        make_interface(name="Taken")
    page = client_of(ana).post(_base(practice, "ask/drawer/"), CHECKLIST | change)
    assert complaint in text_of(page)
    assert not SetUpRequest.objects.exists()


def test_the_settings_of_another_interface_stand_where_nothing_else_was_chosen(
    practice: Practice, ana: User
) -> None:
    kept = {"detail": "single", "match_contacts_by": "name"}
    with acting_for(practice.pk):
        other = make_interface(package_key="drawer", name="Drawer Dunedin", preferences=kept)
        xero = make_interface(name="Xero")
    chosen = CHECKLIST | {"ask_detail": "lines", "ask_match_contacts_by": "number"}
    browser = client_of(ana)
    assert "Drawer Dunedin" in text_of(browser.get(_base(practice, "ask/drawer/")))
    refused = browser.post(_base(practice, "ask/drawer/"), chosen | {"copy_from": xero.pk})
    assert "Select a valid choice" in text_of(refused)
    browser.post(_base(practice, "ask/drawer/"), chosen | {"copy_from": other.pk})
    with acting_for(practice.pk):
        made = AccountingInterface.objects.get(name="Drawer Auckland")
        assert {key: made.preference(key) for key in kept} == kept
        assert made.set_up_answers.answers["detail"] == "single"
    [entry] = _entries(practice, "set_up.asked")
    assert entry.detail["copied_from"] == "Drawer Dunedin"


def test_what_is_not_known_yet_is_left_out_and_shown_as_missing_until_it_is_given(
    practice: Practice, ana: User
) -> None:
    browser = client_of(ana)
    known = CHECKLIST | {"ask_version": "", "ask_edition": "", "ask_jobs": ""}
    browser.post(_base(practice, "ask/drawer/"), known)
    asked = SetUpRequest.objects.get()
    assert asked.missing[:3] == ["Version or year", "Jobs", "Edition of Drawer"]
    for path in (_one(asked), _base(practice), _one(asked, "answers/")):
        page = text_of(browser.get(path))
        assert "We still need from you: Version or year, Jobs, Edition of Drawer" in page, path
        assert "List of accounts, List of tax codes" in page, path
    browser.post(_one(asked, "answers/"), CHECKLIST)
    assert _reload(asked).missing == ["List of accounts", "List of tax codes"]
    [entry] = _entries(practice, "set_up.answered")
    assert entry.detail["before"] == {"version": "", "jobs": "", "edition": ""}
    assert entry.detail["after"] == {"version": "v7", "jobs": "no", "edition": "Standard"}
    with acting_for(practice.pk):
        interface = AccountingInterface.objects.get()
        AccountCode.objects.create(interface=interface, code="4-1000", name="Fees")
        TaxCode.objects.create(interface=interface, code="S15", name="GST", rate=15)
        assistance.keep_missing(interface)
    assert "We have all we need from you." in text_of(browser.get(_one(asked)))


def test_a_package_that_anybody_can_connect_is_not_asked_for(practice: Practice, ana: User) -> None:
    answer = client_of(ana).post(_base(practice, "ask/plain/"), CHECKLIST, follow=True)
    assert said(answer) == ["You can connect Plain yourself, without a set-up fee."]
    assert client_of(ana).get(_base(practice, "ask/nothing/")).status_code == 404
    assert not SetUpRequest.objects.exists()


def test_who_is_no_admin_neither_asks_nor_withdraws(asked: SetUpRequest) -> None:
    browser = client_of(make_member(asked.practice, Role.ACCOUNTS))
    assert browser.get(_base(asked.practice, "ask/drawer/")).status_code == 403
    for path in ("answers/", "answers/leave/", "answers/withdraw/", "preferences/copy/"):
        assert browser.post(_one(asked, path)).status_code == 403
    page = text_of(browser.get(_one(asked)))
    assert "Set-up by our team" in page
    assert "Withdraw" not in page


# --- The queue -----------------------------------------------------------------------------------


def test_the_queue_shows_who_asked_what_since_when_and_what_is_missing(
    asked: SetUpRequest, sam: User
) -> None:
    page = text_of(client_of(sam).get(QUEUE))
    for told in ("Harbour Architects", "Drawer", "Asked for", "List of accounts", "Nobody yet"):
        assert told in page
    # Nothing of the practice's own but its name and who asked.
    assert "Harbour 2026" not in page
    assert "Drawer Auckland" not in page
    assert "Nothing is waiting" not in page
    assert "None is done" in text_of(client_of(sam).get(f"{QUEUE}?show=done"))


@pytest.mark.parametrize("path", ["", "{pk}/take-on/", "{pk}/quote/"])
def test_the_queue_is_there_for_support_alone(asked: SetUpRequest, ana: User, path: str) -> None:
    address = QUEUE + path.format(pk=asked.pk)
    method = "post" if path else "get"
    assert getattr(client_of(ana), method)(address, {"fee": "1"}).status_code == 404
    assert "/accounts/login/" in getattr(Client(), method)(address, {"fee": "1"})["Location"]
    assert _reload(asked).quoted_fee is None
    assert not SupportGrant.objects.exists()


def test_the_queue_costs_the_same_however_long_it_is(asked: SetUpRequest, sam: User) -> None:
    browser = client_of(sam)
    with counted_queries() as before:
        browser.get(QUEUE)
    for number in range(6):
        practice = make_practice(f"Practice {number}")
        other = make_member(practice)
        client_of(other).post(_base(practice, "ask/drawer/"), CHECKLIST)
        SetUpRequest.objects.filter(practice=practice).update(taken_by=sam)
    with counted_queries() as after:
        browser.get(QUEUE)
    assert len(after) == len(before)


def test_the_page_of_interfaces_costs_the_same_however_many_are_asked_for(
    asked: SetUpRequest, ana: User
) -> None:
    browser = client_of(ana)
    browser.get(_base(asked.practice))  # the first one of a session
    with counted_queries() as before:
        browser.get(_base(asked.practice))
    for number in range(4):
        browser.post(_base(asked.practice, "ask/drawer/"), CHECKLIST | {"name": f"N{number}"})
    browser.get(_base(asked.practice))  # its messages
    with counted_queries() as after:
        browser.get(_base(asked.practice))
    assert len(after) == len(before)


def test_nothing_is_taken_on_before_a_fee_is_quoted(asked: SetUpRequest, sam: User) -> None:
    answer = client_of(sam).post(f"{QUEUE}{asked.pk}/take-on/", follow=True)
    assert "Quote the fee first" in said(answer)[0]
    assert not SupportGrant.objects.exists()


def test_taking_on_opens_the_practice_until_the_leave_ends_and_says_so_in_its_record(
    asked: SetUpRequest, sam: User, ana: User
) -> None:
    browser = _quoted_and_taken(asked, sam)
    request = _reload(asked)
    assert (request.state, request.taken_by) == (State.WORKING, sam)
    grant = SupportGrant.objects.get()
    assert (grant.user, grant.granted_by, grant.ends_at) == (sam, ana, asked.access_until)
    assert grant.reason == f"Set-up of Drawer, request {asked.pk}"
    [given] = _entries(asked.practice, "support.granted")
    assert given.detail["ends_at"] == asked.access_until.isoformat()
    # Ana did not act just now, and never from where Sam is.
    assert (given.actor, given.address) == (ana, None)
    [taken] = _entries(asked.practice, "set_up.taken_on")
    assert taken.detail["under_leave_of"] == "ana@harbour.example"
    assert (taken.actor, taken.as_support, taken.address) == (sam, True, "203.0.113.9")
    assert taken.detail["after"] == "sam@abtrac.example"
    assert browser.get(_one(asked, "answers/")).status_code == 200
    assert "(sam@abtrac.example)" in text_of(client_of(ana).get(_one(asked)))
    browser.post(f"{QUEUE}{asked.pk}/take-on/")  # a second click
    assert SupportGrant.objects.count() == 1


def test_another_of_support_takes_it_over_under_the_same_leave(
    asked: SetUpRequest, sam: User
) -> None:
    _quoted_and_taken(asked, sam)
    kim = make_user("kim@abtrac.example", is_support=True)
    assert "Take it over" in text_of(client_of(kim).get(QUEUE))
    client_of(kim).post(f"{QUEUE}{asked.pk}/take-on/")
    assert _reload(asked).taken_by == kim
    assert {one.ends_at for one in SupportGrant.objects.all()} == {asked.access_until}
    assert _entries(asked.practice, "set_up.taken_on")[-1].detail["before"] == sam.email


def test_a_leave_that_is_over_lets_nobody_in_until_it_is_given_again(
    asked: SetUpRequest, sam: User, ana: User
) -> None:
    _quoted_and_taken(asked, sam)
    with time_machine.travel(timezone.now() + timedelta(days=15), tick=False):
        support, browser = client_of(sam), client_of(ana)
        assert support.get(_one(asked)).status_code == 404
        answer = support.post(f"{QUEUE}{asked.pk}/take-on/", follow=True)
        assert "Ask ana@harbour.example to give it again" in said(answer)[0]
        assert "The leave you gave our team ended" in text_of(browser.get(_one(asked)))
        browser.post(_one(asked, "answers/leave/"), {"days": "7"})
        # Whoever had it in hand goes on.
        assert support.get(_one(asked)).status_code == 200
        assert _reload(asked).access_until == timezone.now() + timedelta(days=7)
        assert len(_entries(asked.practice, "set_up.leave_given")) == 1


def test_a_shorter_leave_ends_all_access_that_would_outlast_it(
    asked: SetUpRequest, sam: User, ana: User
) -> None:
    kim = make_user("kim@abtrac.example", is_support=True)
    browsers = [_quoted_and_taken(asked, kim), _quoted_and_taken(asked, sam)]
    client_of(ana).post(_one(asked, "answers/leave/"), {"days": "7"})
    until = _reload(asked).access_until
    assert until < asked.access_until
    live = SupportGrant.objects.filter(ended_at__isnull=True)
    # Kim had handed it on to Sam, who goes on under the shorter leave.
    assert [(one.user, one.ends_at) for one in live] == [(sam, until)]
    assert [one.get(_one(asked)).status_code for one in browsers] == [404, 200]
    ended = _entries(asked.practice, "support.ended")
    assert {one.subject for one in ended} == {kim.email, sam.email}
    assert {one.actor for one in ended} == {ana}
    with time_machine.travel(until + timedelta(minutes=1), tick=False):
        assert client_of(sam).get(_one(asked)).status_code == 404


def test_leave_of_somebody_who_is_no_admin_any_more_is_none(
    asked: SetUpRequest, sam: User, ana: User
) -> None:
    Membership.objects.filter(user=ana).update(role=Role.VIEWER)
    browser = client_of(sam)
    browser.post(f"{QUEUE}{asked.pk}/quote/", {"fee": "0"})
    answer = browser.post(f"{QUEUE}{asked.pk}/take-on/", follow=True)
    assert "Only an admin of Harbour Architects can let support in." in said(answer)[-1]
    assert not SupportGrant.objects.exists()
    assert _reload(asked).state == State.ASKED


def test_support_gives_itself_no_leave_and_withdraws_nothing(
    asked: SetUpRequest, sam: User
) -> None:
    browser = _quoted_and_taken(asked, sam)
    for path in ("answers/leave/", "answers/withdraw/"):
        answer = browser.post(_one(asked, path), {"days": "30"}, follow=True)
        assert "Only an admin of Harbour Architects can" in said(answer)[-1]
    answer = browser.post(_base(asked.practice, "ask/drawer/"), CHECKLIST | {"name": "Another"})
    assert "Only an admin of Harbour Architects can ask our team" in text_of(answer)
    assert _reload(asked).access_until == asked.access_until
    assert SetUpRequest.objects.count() == 1


@pytest.mark.parametrize("fee", ["", "-1", "12.345", "lots", "99999999"])
def test_what_is_no_amount_is_quoted_to_nobody(asked: SetUpRequest, sam: User, fee: str) -> None:
    answer = client_of(sam).post(f"{QUEUE}{asked.pk}/quote/", {"fee": fee}, follow=True)
    assert len(said(answer)) == 1
    assert _reload(asked).quoted_fee is None


def test_the_quote_is_shown_to_the_practice_and_only_lowered_once_work_has_begun(
    asked: SetUpRequest, sam: User, ana: User
) -> None:
    browser = _quoted_and_taken(asked, sam)
    assert "Set-up fee: $240.00 without GST." in text_of(client_of(ana).get(_one(asked)))
    answer = browser.post(f"{QUEUE}{asked.pk}/quote/", {"fee": "250"}, follow=True)
    assert said(answer)[-1] == "The work has begun at $240.00: the fee can only be lowered."
    browser.post(f"{QUEUE}{asked.pk}/quote/", {"fee": "200"})
    assert _reload(asked).quoted_fee == Decimal(200)
    quoted = [one.detail for one in _entries(asked.practice, "set_up.quoted")]
    changes = [(one["before"], one["after"]) for one in quoted]
    assert changes == [("", "240.00"), ("240.00", "200.00")]


def test_the_history_tells_all_of_the_set_up_whatever_the_interface_is_called_by_now(
    asked: SetUpRequest, sam: User, ana: User
) -> None:
    browser = client_of(ana)
    browser.post(_one(asked, "answers/"), CHECKLIST | {"ask_importer": "Cy"})
    _quoted_and_taken(asked, sam)
    browser.post(_one(asked, "answers/leave/"), {"days": "7"})
    browser.post(_one(asked, "answers/withdraw/"))
    with acting_for(asked.practice_id):
        AccountingInterface.objects.filter(pk=asked.interface_id).update(name="Renamed")
    page = text_of(browser.get(_one(asked, "history/")))
    for done in ("asked", "answered", "quoted", "taken on", "leave given", "withdrawn"):
        assert f"Set up: {done}" in page, done


def test_a_fee_that_changed_after_the_practice_read_it_says_so_beside_it(
    asked: SetUpRequest, sam: User, ana: User
) -> None:
    support, browser = client_of(sam), client_of(ana)
    support.post(f"{QUEUE}{asked.pk}/quote/", {"fee": "180"})
    assert "It was" not in text_of(browser.get(_one(asked, "answers/")))
    support.post(f"{QUEUE}{asked.pk}/quote/", {"fee": "240"})
    support.post(f"{QUEUE}{asked.pk}/quote/", {"fee": "240"})  # once more
    for path in ("", "answers/", "hand-over/"):
        page = text_of(browser.get(_one(asked, path)))
        assert "$240.00 without GST. It was $180.00 until sam@abtrac.example changed it" in page


def test_withdrawing_ends_the_access_given_under_it_and_it_can_be_asked_for_again(
    asked: SetUpRequest, sam: User, ana: User
) -> None:
    support, browser = _quoted_and_taken(asked, sam), client_of(ana)
    browser.post(_one(asked, "answers/withdraw/"))
    assert _reload(asked).state == State.WITHDRAWN
    assert support.get(_one(asked)).status_code == 404
    assert len(_entries(asked.practice, "support.ended")) == 1
    assert "by our team" not in text_of(browser.get(_one(asked)))
    assert "Harbour Architects" in text_of(support.get(f"{QUEUE}?show=done"))
    answer = support.post(f"{QUEUE}{asked.pk}/take-on/", follow=True)
    assert said(answer)[-1] == "This set-up is “Withdrawn” by now."
    answer = browser.post(_one(asked, "answers/withdraw/"), follow=True)
    assert said(answer)[-1] == "This set-up is “Withdrawn” by now."
    assert "Ask our team again" in text_of(answer)
    browser.post(_one(asked, "answers/leave/"), {"days": "7"})
    again = _reload(asked)
    assert (again.state, again.taken_by, again.quoted_fee) == (State.ASKED, None, None)
    assert support.get(_one(asked)).status_code == 404
