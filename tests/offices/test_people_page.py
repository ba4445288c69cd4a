"""The pages of a practice's people."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from offices.models import Membership, Practice, Role, User
from tests.factories import PASSWORD, make_member, make_practice, make_user
from tests.offices.conftest import let_in, set_up_app, token_in, type_password

LogIn = Callable[[User], Client]

SECRET = re.compile(r'<code class="secret" id="secret">([^<]+)</code>')
ACTS = ["person", "new_password", "forget_app", "remove_person"]


def at(name: str, practice: Practice, member: User | None = None) -> str:
    parts: dict[str, Any] = {"practice_slug": practice.slug}
    if member:
        parts["member_id"] = Membership.objects.get(practice=practice, user=member).pk
    return reverse(f"offices:{name}", kwargs=parts)


def told(answer: Any) -> str:
    return str(answer.content.decode().replace("&#x27;", "'"))


def test_the_page_lists_who_belongs_as_what_and_with_which_codes(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    bo = make_member(practice, Role.VIEWER, "bo@harbour.example")
    make_member(make_practice("Ridge"), email="rae@ridge.example")
    set_up_app(logged_in(bo))
    page = told(logged_in(admin).get(at("people", practice)))
    rows = re.findall(r"<td data-label=\"\S+\">(.*?)</td>", page.replace("One-time code", "Code"))
    assert [rows[start : start + 3] for start in range(0, len(rows), 3)] == sorted(
        [["bo@harbour.example", "Viewer", "Set up"], [admin.email, "Admin", "Not set up"]]
    )
    assert "rae@ridge.example" not in page


def test_a_new_person_gets_a_password_that_is_shown_once(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    client, address = logged_in(admin), at("people", practice)
    page = told(client.post(address, {"email": "Bo@Harbour.example", "role": "viewer"}))
    found = SECRET.search(page)
    assert found
    bo = User.objects.get(email="bo@harbour.example")
    assert bo.check_password(found[1])
    assert bo.memberships.get().role == Role.VIEWER
    again = told(client.get(address))
    assert bo.email in again
    assert found[1] not in again


def test_reloading_the_answer_adds_nobody_and_says_so(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    client, address = logged_in(admin), at("people", practice)
    once = token_in(client.get(address))
    sent = {"email": "bo@harbour.example", "role": "viewer", "once": once}
    found = SECRET.search(told(client.post(address, sent)))
    again = client.post(address, sent, follow=True)
    assert "The password of bo@harbour.example was shown once" in told(again)
    assert found
    assert User.objects.get(email="bo@harbour.example").check_password(found[1])
    assert practice.memberships.count() == 2


def test_somebody_whose_account_opens_another_practice_is_left_to_abtrac(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    rae = make_member(make_practice("Ridge"), Role.VIEWER, "rae@ridge.example")
    sent = {"email": rae.email, "role": "accounts", "password": "planted", "is_support": "on"}
    page = told(logged_in(admin).post(at("people", practice), sent))
    assert "Nobody was added. Ask Abtrac's support to add them" in page
    assert not SECRET.search(page)
    rae.refresh_from_db()
    assert rae.check_password(PASSWORD)
    assert rae.memberships.count() == 1


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"email": "bo", "role": "viewer"}, "valid email"),
        ({"email": "", "role": "viewer"}, "is required"),
        ({"email": "bo@harbour.example", "role": "owner"}, "not one of the available choices"),
        (
            {"email": "ana@harbour.example", "role": "viewer"},
            "member of Harbour Architects already",
        ),
        ({"email": "sam@abtrac.example", "role": "viewer"}, "under a support grant"),
    ],
)
def test_a_person_who_cannot_be_added_is_explained_and_not_added(
    practice: Practice, support: User, logged_in: LogIn, sent: dict[str, str], words: str
) -> None:
    ana = make_member(practice, email="ana@harbour.example")
    page = told(logged_in(ana).post(at("people", practice), sent))
    assert words in page
    assert not SECRET.search(page)
    assert User.objects.count() == 2
    assert Membership.objects.count() == 1


def test_a_role_is_changed_on_the_page_and_holds_at_once(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    bo = make_member(practice, Role.ADMIN, "bo@harbour.example")
    theirs = logged_in(bo)
    assert theirs.get(at("people", practice)).status_code == 200
    answer = logged_in(admin).post(at("person", practice, bo), {"role": "viewer"}, follow=True)
    assert "bo@harbour.example is now Viewer" in told(answer)
    assert theirs.get(at("people", practice)).status_code == 403


def test_stepping_down_oneself_wants_a_tick(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    make_member(practice)
    client, address = logged_in(admin), at("person", practice, admin)
    assert "Tick that you are sure" in told(client.post(address, {"role": "viewer"}))
    assert admin.memberships.get().role == Role.ADMIN
    answer = client.post(address, {"role": "viewer", "sure": "on"})
    assert answer["Location"] == at("practice", practice)
    assert admin.memberships.get().role == Role.VIEWER


def test_leaving_wants_a_tick(practice: Practice, admin: User, logged_in: LogIn) -> None:
    make_member(practice)
    client, address = logged_in(admin), at("remove_person", practice, admin)
    assert "Tick that you are sure" in told(client.post(address, follow=True))
    answer = client.post(address, {"sure": "on"}, follow=True)
    assert f"{admin.email} no longer belongs to Harbour Architects" in told(answer)
    assert "You do not belong to a practice yet" in told(answer)


def test_the_only_admin_is_told_why_they_cannot_go(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    client = logged_in(admin)
    page = client.post(at("person", practice, admin), {"role": "viewer", "sure": "on"})
    assert "Make somebody else an admin first" in told(page)
    page = client.post(at("remove_person", practice, admin), {"sure": "on"}, follow=True)
    assert "Make somebody else an admin first" in told(page)
    assert admin.memberships.get().role == Role.ADMIN


def test_who_is_removed_finds_nothing_there_any_more(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    bo = make_member(practice, Role.VIEWER, "bo@harbour.example")
    theirs = logged_in(bo)
    answer = logged_in(admin).post(at("remove_person", practice, bo), follow=True)
    assert "bo@harbour.example no longer belongs to Harbour Architects" in told(answer)
    assert theirs.get(at("practice", practice)).status_code == 404


def test_a_new_password_is_shown_once_and_ends_the_sessions_of_the_old(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    bo = make_member(practice, Role.VIEWER)
    theirs, client = logged_in(bo), logged_in(admin)
    assert theirs.get(at("practice", practice)).status_code == 302
    page = told(client.post(at("new_password", practice, bo)))
    found = SECRET.search(page)
    assert found
    assert found[1] not in told(client.get(at("person", practice, bo)))
    assert theirs.get(at("practice", practice))["Location"].startswith("/accounts/login/")
    type_password(theirs, bo)
    assert theirs.get("/")["Location"].startswith("/accounts/login/")
    theirs.post("/accounts/login/", {"login": bo.email, "password": found[1]})
    assert theirs.get("/")["Location"] == at("practice", practice)


def test_reloading_the_answer_leaves_the_new_password_as_it_is(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    bo, client = make_member(practice, Role.VIEWER), logged_in(admin)
    address, page = at("new_password", practice, bo), at("person", practice, bo)
    sent = {"once": token_in(client.get(page))}
    answer = told(client.post(address, sent))
    found = SECRET.search(answer)
    again = client.post(address, sent, follow=True)
    assert again.redirect_chain == [(page, 302)]
    assert f"That was done already. The password of {bo.email} was shown once" in told(again)
    bo.refresh_from_db()
    assert found
    assert bo.check_password(found[1])
    another = SECRET.search(told(client.post(address, {"once": token_in(answer)})))
    assert another
    assert another[1] != found[1]


@pytest.mark.django_db(transaction=True)
def test_with_a_lost_phone_another_app_is_set_up_at_the_next_log_in(
    practice: Practice, admin: User, logged_in: LogIn, settings: Any
) -> None:
    bo, lost = make_member(practice), Client()
    type_password(lost, bo)
    set_up_app(lost)
    page = logged_in(admin).post(at("forget_app", practice, bo), follow=True)
    assert f"The authenticator app of {bo.email} is forgotten" in told(page)
    page = logged_in(admin).post(at("forget_app", practice, bo), follow=True)
    assert "was not set up" in told(page)
    settings.REQUIRE_TOTP = True
    # What was confirmed with the lost app counts no longer.
    there = lost.get(at("people", practice))["Location"]
    assert there == reverse("mfa_activate_totp")
    browser = Client()
    type_password(browser, bo)
    set_up_app(browser)
    assert browser.get(at("people", practice)).status_code == 200


def test_the_log_in_of_somebody_of_two_practices_is_refused_in_words(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    bo = make_member(practice, Role.VIEWER)
    set_up_app(logged_in(bo))
    Membership.objects.create(practice=make_practice("Ridge"), user=bo, role=Role.VIEWER)
    for act in ("new_password", "forget_app"):
        page = told(logged_in(admin).post(at(act, practice, bo), follow=True))
        assert "works in more than Harbour Architects" in page
        assert not SECRET.search(page)
    bo.refresh_from_db()
    assert bo.check_password(PASSWORD)
    assert Authenticator.objects.filter(user=bo).exists()


def test_support_sees_the_list_and_changes_nobody(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    let_in(practice, support, admin)
    bo = make_member(practice, Role.VIEWER, "bo@harbour.example")
    client = logged_in(support)
    page = told(client.get(at("people", practice)))
    assert "bo@harbour.example" in page
    assert "Only the practice's own admins can add or change people" in page
    assert "Add person" not in page
    assert at("person", practice, bo) not in page
    assert 'type="submit"' not in told(client.get(at("person", practice, bo))).split("<main")[1]
    client.post(at("people", practice), {"email": "x@abtrac.example", "role": "admin"})
    for act in ACTS:
        answer = client.post(at(act, practice, bo), {"role": "admin", "sure": "on"}, follow=True)
        assert not SECRET.search(told(answer))
    bo.refresh_from_db()
    assert bo.memberships.get().role == Role.VIEWER
    assert bo.check_password(PASSWORD)
    assert practice.memberships.count() == 2


@pytest.mark.parametrize("role", [Role.ACCOUNTS, Role.VIEWER])
def test_the_pages_are_for_admins_alone(practice: Practice, logged_in: LogIn, role: Role) -> None:
    bo = make_member(practice, role)
    client = logged_in(bo)
    assert client.get(at("people", practice)).status_code == 403
    for act in ACTS:
        assert client.post(at(act, practice, bo), {"role": "admin"}).status_code == 403
    assert bo.memberships.get().role == role


def test_a_person_of_another_practice_is_not_there(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    rae = make_member(make_practice("Ridge"), Role.VIEWER)
    theirs = rae.memberships.get()
    for act in ACTS:
        parts = {"practice_slug": practice.slug, "member_id": theirs.pk}
        answer = logged_in(admin).post(reverse(f"offices:{act}", kwargs=parts), {"role": "admin"})
        assert answer.status_code == 404
    rae.refresh_from_db()
    theirs.refresh_from_db()
    assert rae.check_password(PASSWORD)
    assert theirs.role == Role.VIEWER


@pytest.mark.parametrize("act", ["people", *ACTS])
def test_these_pages_refuse_a_form_from_elsewhere(
    practice: Practice, admin: User, act: str
) -> None:
    bo = make_member(practice, Role.VIEWER)
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    address = at(act, practice, None if act == "people" else bo)
    sent = {"email": "planted@harbour.example", "role": "admin"}
    assert client.post(address, sent).status_code == 403
    bo.refresh_from_db()
    assert bo.memberships.get().role == Role.VIEWER
    assert bo.check_password(PASSWORD)
    assert User.objects.count() == 2


def test_the_list_takes_as_many_queries_for_many_people_as_for_one(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    client, counts = logged_in(admin), []
    for more in (0, 12):
        for _ in range(more):
            make_member(practice, Role.VIEWER)
            make_user()
        with CaptureQueriesContext(connection) as queries:
            assert client.get(at("people", practice)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
