"""Who may open a practice's pages, and as what."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from offices.access import PracticeRequest, find_access, practice_view
from offices.accounts import came_with_totp
from offices.models import (
    AuditEntry,
    Membership,
    Practice,
    PracticeKey,
    Role,
    SupportGrant,
    User,
)
from offices.people import end_grant
from offices.tenancy import NoPractice, acting_for, current_practice_id
from tests.factories import PASSWORD, make_member, make_practice, make_user
from tests.offices.conftest import LOG_IN, give_code, let_in, set_up_app, type_password

LogIn = Callable[[User], Client]


def keys_of(practice: Practice) -> str:
    """A page for admins alone."""
    return reverse("offices:keys", kwargs={"practice_slug": practice.slug})


def list_of(practice: Practice) -> str:
    """A page for everybody of the practice."""
    return reverse("interfaces:list", kwargs={"practice_slug": practice.slug})


def test_without_a_log_in_every_page_leads_to_it_and_back(practice: Practice) -> None:
    answer = Client().get(f"{keys_of(practice)}?a=1&b=2")
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={keys_of(practice)}%3Fa%3D1%26b%3D2"


def test_a_form_sent_after_the_log_in_has_ended_comes_back_to_a_page(practice: Practice) -> None:
    answer = Client().post(f"{keys_of(practice)}x/revoke/")
    assert answer["Location"] == "/accounts/login/?next=/"


def test_a_form_sent_after_the_log_in_has_ended_is_told_to_have_done_nothing(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    client, there = logged_in(admin), f"{keys_of(practice)}?page=2"
    client.session.flush()
    stood_on = {"Referer": f"http://testserver{there}#top"}
    page = client.post(keys_of(practice), {"name": "Lost"}, headers=stood_on, follow=True)
    assert "You were logged out, so nothing was done." in page.content.decode()
    back = client.post(LOG_IN, {"login": admin.email, "password": PASSWORD, "next": there})
    assert f'name="next" value="{there}"' in page.content.decode()
    assert back["Location"] == there
    assert "You were logged out" not in client.get(there).content.decode()
    assert not PracticeKey.objects.exists()
    # The page of a form that was itself an answer says where it can be looked at again.
    client.post("/accounts/logout/")
    stood_on = {"Referer": f"http://testserver{keys_of(practice)}x/revoke/"}
    answer = client.post(keys_of(practice), {"next": "/elsewhere/?a=1"}, headers=stood_on)
    assert answer["Location"] == "/accounts/login/?next=/elsewhere/%3Fa%3D1"


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "http://testserver//elsewhere.example/",
        "http://testserver@elsewhere.example/",
        "http:///elsewhere.example",
        "javascript:alert(1)",
        "\\\\elsewhere.example",
        "http://[",
        "",
    ],
)
def test_a_form_leads_back_to_no_page_elsewhere(practice: Practice, address: str) -> None:
    headers = {"Referer": address}
    answer = Client().post(keys_of(practice), {"next": address}, headers=headers)
    assert answer["Location"] == "/accounts/login/?next=/"


def test_a_fragment_sends_the_whole_page_to_the_log_in(practice: Practice) -> None:
    page = f"http://testserver{list_of(practice)}"
    headers = {"HX-Request": "true", "HX-Current-URL": page}
    answer = Client().get(keys_of(practice), headers=headers)
    assert answer.status_code == 200
    assert answer["HX-Redirect"] == f"/accounts/login/?next={list_of(practice)}"
    # A page elsewhere is no place to come back to.
    headers["HX-Current-URL"] = "https://elsewhere.example/"
    assert Client().get(keys_of(practice), headers=headers)["HX-Redirect"].endswith("?next=/")


@pytest.mark.parametrize("role", list(Role))
def test_a_member_opens_what_the_role_includes(
    practice: Practice, logged_in: LogIn, role: Role
) -> None:
    client = logged_in(make_member(practice, role))
    assert client.get(list_of(practice)).status_code == 200
    page = client.get(keys_of(practice))
    assert page.status_code == (200 if role == Role.ADMIN else 403)
    if role != Role.ADMIN:
        words = page.content.decode()
        assert "Only people with the role Admin" in words
        assert f"yours is {role.label}" in words


def test_a_refusal_names_every_role_that_may(practice: Practice, logged_in: LogIn) -> None:
    viewer = logged_in(make_member(practice, Role.VIEWER))
    page = viewer.post(f"/{practice.slug}/accounting/upload/park/").content.decode()
    assert "Only people with the role Accounts or Admin can do this" in page
    assert "Only people with the role Admin can do this" in (
        viewer.get(keys_of(practice)).content.decode()
    )


def test_another_practice_is_not_there_at_all(practice: Practice, logged_in: LogIn) -> None:
    other = make_practice("Ridge Engineers")
    client = logged_in(make_member(practice, Role.ADMIN))
    theirs, nowhere = client.get(list_of(other)), client.get("/nowhere/accounting/interfaces/")
    assert theirs.status_code == nowhere.status_code == 404
    assert "Ridge" not in theirs.content.decode()


def test_a_person_of_two_practices_has_in_each_the_role_given_there(
    practice: Practice, logged_in: LogIn
) -> None:
    one, two = practice, make_practice("Ridge Engineers")
    user = make_member(one, Role.ADMIN)
    Membership.objects.create(practice=two, user=user, role=Role.VIEWER)
    client = logged_in(user)
    assert client.get(keys_of(one)).status_code == 200
    assert client.get(keys_of(two)).status_code == 403


def test_a_member_taken_out_opens_nothing_from_then_on(
    practice: Practice, logged_in: LogIn
) -> None:
    user = make_member(practice)
    client = logged_in(user)
    assert client.get(list_of(practice)).status_code == 200
    Membership.objects.filter(user=user).delete()
    assert client.get(list_of(practice)).status_code == 404


def test_a_closed_account_is_logged_out(practice: Practice, logged_in: LogIn) -> None:
    user = make_member(practice)
    client = logged_in(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get(list_of(practice)).status_code == 302


def test_support_opens_a_practice_only_while_a_grant_is_live(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    client = logged_in(support)
    assert client.get(list_of(practice)).status_code == 404
    grant = let_in(practice, support, admin)
    page = client.get(keys_of(practice))
    assert page.status_code == 200
    assert "Support access: you are working in" in page.content.decode()
    later = timezone.now() + timedelta(hours=1)
    SupportGrant.objects.filter(pk=grant.pk).update(starts_at=later)
    assert client.get(keys_of(practice)).status_code == 404
    SupportGrant.objects.filter(pk=grant.pk).update(starts_at=timezone.now())
    assert client.get(keys_of(practice)).status_code == 200
    end_grant(grant=grant, actor=admin)
    assert client.get(keys_of(practice)).status_code == 404


def test_a_grant_opens_the_practice_that_gave_it_and_no_other(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    let_in(practice, support, admin)
    assert logged_in(support).get(list_of(make_practice("Ridge"))).status_code == 404


def test_a_grant_is_of_no_use_to_somebody_who_is_not_of_support(
    practice: Practice, admin: User, support: User
) -> None:
    let_in(practice, support, admin)
    User.objects.filter(pk=support.pk).update(is_support=False)
    support.refresh_from_db()
    assert find_access(user=support, practice_slug=practice.slug) is None


def test_each_session_of_support_is_recorded_once_a_day_with_its_reason(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    grant = let_in(practice, support, admin)
    first, second = logged_in(support), logged_in(support)
    for client in (first, first, second):
        client.get(list_of(practice), REMOTE_ADDR="192.0.2.9")
    with acting_for(practice.pk):
        entries = list(AuditEntry.objects.filter(action="support.entered"))
    assert len(entries) == 2
    assert entries[0].actor == support
    assert entries[0].as_support
    assert entries[0].address == "192.0.2.9"
    assert entries[0].detail == {"grant": grant.pk, "reason": grant.reason}


def test_what_support_does_is_marked_as_support(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    let_in(practice, support, admin)
    address = reverse("interfaces:add", kwargs={"practice_slug": practice.slug})
    logged_in(support).post(address, {"package_key": "none", "name": ""})
    grant = SupportGrant.objects.get()
    end = reverse(
        "offices:end_support", kwargs={"practice_slug": practice.slug, "grant_id": grant.pk}
    )
    assert logged_in(support).post(end)["Location"] == "/"
    with acting_for(practice.pk):
        entry = AuditEntry.objects.get(action="support.ended")
    assert (entry.actor, entry.as_support) == (support, True)


# One-time codes, which admins and support must have where REQUIRE_TOTP says so.


@pytest.fixture
def codes_required(settings: Any) -> None:
    settings.REQUIRE_TOTP = True


@pytest.mark.usefixtures("codes_required")
@pytest.mark.django_db(transaction=True)
def test_an_admin_without_the_app_sets_it_up_before_anything_else(practice: Practice) -> None:
    admin, client = make_member(practice), Client()
    type_password(client, admin)
    answer = client.get(list_of(practice))
    assert answer["Location"] == "/accounts/2fa/totp/activate/"
    page = client.get("/accounts/2fa/totp/activate/", follow=True).content.decode()
    assert "asks its admins" in page
    set_up_app(client)
    assert client.get(list_of(practice)).status_code == 200


@pytest.mark.usefixtures("codes_required")
@pytest.mark.parametrize("role", [Role.ACCOUNTS, Role.VIEWER])
def test_others_of_the_practice_need_no_code(
    practice: Practice, logged_in: LogIn, role: Role
) -> None:
    assert logged_in(make_member(practice, role)).get(list_of(practice)).status_code == 200


@pytest.mark.usefixtures("codes_required")
def test_support_needs_a_code_too(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    let_in(practice, support, admin)
    client = logged_in(support)
    assert client.get(list_of(practice))["Location"] == "/accounts/2fa/totp/activate/"
    with acting_for(practice.pk):
        assert not AuditEntry.objects.filter(action="support.entered").exists()


@pytest.mark.usefixtures("codes_required")
@pytest.mark.django_db(transaction=True)
def test_a_session_from_before_the_app_was_set_up_must_give_a_code(practice: Practice) -> None:
    """Whoever knew the password alone, and was in already, stays out."""
    admin = make_member(practice)
    early, own = Client(), Client()
    type_password(early, admin)
    type_password(own, admin)
    secret = set_up_app(own)
    answer = early.get(list_of(practice))
    assert answer["Location"] == f"/accounts/2fa/reauthenticate/?next={list_of(practice)}"
    headers = {"HX-Request": "true"}
    assert early.get(list_of(practice), headers=headers)["HX-Redirect"].startswith(
        "/accounts/2fa/reauthenticate/"
    )
    assert early.post(keys_of(practice), {"name": "Mine"})["Location"].endswith("?next=/")
    wrong = early.post(answer["Location"], {"code": "000000"})
    assert wrong.status_code == 200
    assert early.get(list_of(practice)).status_code == 302
    right = give_code(early, answer["Location"], secret, next=list_of(practice))
    assert right["Location"] == list_of(practice)
    assert early.get(list_of(practice)).status_code == 200


@pytest.mark.usefixtures("codes_required")
@pytest.mark.django_db(transaction=True)
def test_stopping_the_app_stops_the_access_it_gave(practice: Practice) -> None:
    admin, client = make_member(practice), Client()
    type_password(client, admin)
    set_up_app(client)
    assert client.get(list_of(practice)).status_code == 200
    client.post("/accounts/2fa/totp/deactivate/")
    assert client.get(list_of(practice))["Location"] == "/accounts/2fa/totp/activate/"


@pytest.mark.usefixtures("codes_required")
@pytest.mark.django_db(transaction=True)
def test_a_session_confirmed_with_an_earlier_app_must_give_a_code_of_the_present_one(
    practice: Practice,
) -> None:
    """A phone that was lost, and the session on it, open nothing once another has taken over."""
    admin, lost, own = make_member(practice), Client(), Client()
    type_password(lost, admin)
    set_up_app(lost)
    assert lost.get(list_of(practice)).status_code == 200
    Authenticator.objects.filter(user=admin).delete()
    type_password(own, admin)
    set_up_app(own)
    assert own.get(list_of(practice)).status_code == 200
    assert lost.get(list_of(practice))["Location"].startswith("/accounts/2fa/reauthenticate/")


@pytest.mark.usefixtures("codes_required")
@pytest.mark.django_db(transaction=True)
def test_a_code_given_by_somebody_else_in_the_same_browser_counts_for_nobody(
    practice: Practice,
) -> None:
    first, second, client = make_member(practice), make_member(practice), Client()
    type_password(client, first)
    set_up_app(client)
    client.post("/accounts/logout/")
    type_password(client, second)
    assert client.get(list_of(practice)).status_code == 302


# The decorator itself.


def asked(user: User, **fields: Any) -> PracticeRequest:
    request: Any = RequestFactory().get("/")
    request.user, request.session = user, {}
    return request  # type: ignore[no-any-return]


def test_a_view_acts_for_the_practice_and_one_for_the_network_opens_that_itself(
    practice: Practice,
) -> None:
    user = make_member(practice)

    @practice_view()
    def inside(request: PracticeRequest) -> HttpResponse:
        return HttpResponse(f"{current_practice_id()} {timezone.get_current_timezone_name()}")

    @practice_view(network=True)
    def outside(request: PracticeRequest) -> HttpResponse:
        with pytest.raises(NoPractice):
            current_practice_id()
        return HttpResponse(timezone.get_current_timezone_name())

    answer: Any = inside(asked(user), practice_slug=practice.slug)
    assert answer.content == f"{practice.pk} Pacific/Auckland".encode()
    answer = outside(asked(user), practice_slug=practice.slug)
    assert answer.content == b"Pacific/Auckland"
    assert timezone.get_current_timezone_name() == "UTC"


def test_what_a_view_wrote_before_it_failed_is_gone(practice: Practice) -> None:
    user = make_member(practice)

    @practice_view()
    def fails(request: PracticeRequest) -> HttpResponse:
        AuditEntry.objects.create(action="test.made")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails(asked(user), practice_slug=practice.slug)
    with acting_for(practice.pk):
        assert not AuditEntry.objects.exists()


def test_a_code_of_another_persons_log_in_does_not_count(db: None) -> None:
    """allauth keeps with it whose it was; this holds it to that."""
    one, two = make_user(), make_user()
    apps = [
        Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
        for user in (one, two)
    ]
    request: Any = asked(one)
    record_authentication(request, one, "mfa", type="totp", id=apps[0].pk)
    assert came_with_totp(request, one)
    assert not came_with_totp(request, two)
