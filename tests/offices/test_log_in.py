"""Logging in: password, one-time code, too many tries, and how long it lasts."""

import logging
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from offices.models import Practice, Role, User
from tests.factories import PASSWORD, make_member, make_user
from tests.offices.conftest import LOG_IN, code_now, give_code, set_up_app, type_password

CODE = "/accounts/2fa/authenticate/"


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_person_logs_in_with_e_mail_and_password_and_lands_at_home(practice: Practice) -> None:
    user, client = make_member(practice, email="ana@harbour.example"), Client()
    answer = client.post(LOG_IN, {"login": "Ana@Harbour.Example", "password": PASSWORD})
    assert answer["Location"] == "/"
    assert is_in(client)
    home = client.get("/")
    assert home["Location"] == f"/{practice.slug}/"
    assert str(user) == "ana@harbour.example"


@pytest.mark.parametrize(
    "there",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/\\elsewhere.example/",
        "javascript:alert(1)",
        "http:///elsewhere.example",
    ],
)
def test_a_log_in_never_leads_to_somebody_elses_site(practice: Practice, there: str) -> None:
    assert type_password(Client(), make_member(practice), next_url=there)["Location"] == "/"


def test_a_log_in_leads_to_the_page_that_was_asked_for(practice: Practice) -> None:
    there = f"/{practice.slug}/api-keys/"
    assert type_password(Client(), make_member(practice), next_url=there)["Location"] == there


def test_wrong_password_and_unknown_address_are_answered_alike(practice: Practice) -> None:
    user = make_member(practice)
    answers = [
        Client().post(LOG_IN, {"login": login, "password": "wrong"}).content.decode()
        for login in (user.email, "nobody@harbour.example")
    ]
    assert all("email address and/or password you specified are not correct" in a for a in answers)


def test_a_closed_account_is_told_so_and_not_let_in(practice: Practice) -> None:
    user, client = make_member(practice), Client()
    User.objects.filter(pk=user.pk).update(is_active=False)
    answer = type_password(client, user)
    assert not is_in(client)
    assert answer.status_code in {200, 302}


def test_the_session_is_a_new_one_after_the_log_in(practice: Practice) -> None:
    client = Client()
    client.get(LOG_IN)
    session = client.session
    session["left"] = "by somebody else"
    session.save()
    before = session.session_key or ""
    client.cookies["sessionid"] = before
    type_password(client, make_member(practice))
    assert client.session.session_key != before


def test_the_log_in_ends_with_the_browser_and_after_half_a_day(practice: Practice) -> None:
    client = Client()
    type_password(client, make_member(practice))
    cookie = client.cookies["sessionid"]
    assert cookie["max-age"] == ""
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert client.get(f"/{practice.slug}/api-keys/").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(hours=12, minutes=1)):
        assert client.get(f"/{practice.slug}/api-keys/").status_code == 302


@pytest.mark.parametrize("there", ["https://elsewhere.example/", "//elsewhere.example/"])
def test_neither_does_logging_out_nor_confirming_who_one_is(practice: Practice, there: str) -> None:
    client = Client()
    type_password(client, make_member(practice))
    confirmed = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": there})
    assert confirmed["Location"] == "/"
    assert client.post("/accounts/logout/", {"next": there})["Location"] == LOG_IN


def test_logging_out_ends_the_session_and_takes_a_press_of_the_button(practice: Practice) -> None:
    client = Client()
    type_password(client, make_member(practice))
    page = client.get("/accounts/logout/")
    assert is_in(client)
    assert "Log out" in page.content.decode()
    key = client.session.session_key
    assert client.post("/accounts/logout/")["Location"] == LOG_IN
    client.cookies["sessionid"] = key or ""
    assert client.get("/")["Location"].startswith(LOG_IN)


def test_a_new_password_ends_every_other_session(practice: Practice) -> None:
    user, here, elsewhere = make_member(practice), Client(), Client()
    type_password(here, user)
    type_password(elsewhere, user)
    new = "another battery, another staple"
    changed = here.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )
    assert changed.status_code == 302, changed.content
    assert here.get(f"/{practice.slug}/api-keys/").status_code == 200
    assert elsewhere.get(f"/{practice.slug}/api-keys/").status_code == 302


def test_after_five_wrong_passwords_not_even_the_right_one_is_tried(practice: Practice) -> None:
    user, client = make_member(practice), Client()
    for number in range(5):
        # From everywhere: the address that is tried is what counts.
        client.post(
            LOG_IN, {"login": user.email, "password": "wrong"}, REMOTE_ADDR=f"192.0.2.{number}"
        )
    answer = client.post(
        LOG_IN, {"login": user.email, "password": PASSWORD}, REMOTE_ADDR="192.0.2.9"
    )
    assert not is_in(client)
    assert "Too many failed log-ins. Try again in five minutes." in answer.content.decode()
    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1)):
        type_password(client, user)
        assert is_in(client)


def test_one_address_cannot_try_many_accounts(practice: Practice) -> None:
    user, client = make_member(practice), Client()
    for number in range(10):
        client.post(LOG_IN, {"login": f"p{number}@harbour.example", "password": "wrong"})
    type_password(client, user)
    assert not is_in(client)


def test_hammering_the_log_in_is_answered_by_a_page_of_our_own(practice: Practice) -> None:
    client = Client()
    answers = [
        client.post(LOG_IN, {"login": f"p{number}@x.example", "password": "wrong"})
        for number in range(31)
    ]
    assert answers[-1].status_code == 429
    assert "Too many tries" in answers[-1].content.decode()
    assert answers[-1]["Cache-Control"] == "no-store"


def test_nobody_signs_up_and_nobody_resets_a_password_by_mail(db: None) -> None:
    for name in ("account_signup", "account_reset_password", "account_email"):
        with pytest.raises(NoReverseMatch):
            reverse(name)
    for path in ("signup", "password/reset", "email", "social/signup"):
        assert Client().get(f"/accounts/{path}/").status_code == 404


def test_a_person_with_the_app_is_asked_for_its_code_after_the_password(
    practice: Practice,
) -> None:
    user, client = make_member(practice, Role.VIEWER), Client()
    type_password(client, user)
    secret = set_up_app(client)
    again = Client()
    assert type_password(again, user, next_url=f"/{practice.slug}/")["Location"].startswith(CODE)
    assert not is_in(again)
    assert again.get(f"/{practice.slug}/").status_code == 302
    assert again.post(CODE, {"code": "000000"}).status_code == 200
    assert not is_in(again)
    assert give_code(again, CODE, secret)["Location"] == f"/{practice.slug}/"
    assert is_in(again)


def test_a_code_serves_once(practice: Practice) -> None:
    user, client = make_member(practice), Client()
    type_password(client, user)
    secret = set_up_app(client)
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        code, first, second = code_now(secret), Client(), Client()
        for one in (first, second):
            type_password(one, user)
            one.post(CODE, {"code": code})
    assert is_in(first)
    assert not is_in(second)


def test_codes_cannot_be_guessed_one_after_another(practice: Practice) -> None:
    user, client = make_member(practice), Client()
    type_password(client, user)
    secret = set_up_app(client)
    thief = Client()
    type_password(thief, user)
    for _ in range(5):
        thief.post(CODE, {"code": "000000"})
    answer = give_code(thief, CODE, secret)
    assert not is_in(thief)
    assert "Too many" in answer.content.decode()


def test_a_recovery_code_opens_the_account_once(practice: Practice) -> None:
    user, client = make_member(practice), Client()
    type_password(client, user)
    set_up_app(client)
    codes = Authenticator.objects.get(user=user, type="recovery_codes").wrap().get_unused_codes()
    first, second = Client(), Client()
    for one in (first, second):
        type_password(one, user)
        one.post(CODE, {"code": codes[0]})
    assert is_in(first)
    assert not is_in(second)


def test_setting_the_app_up_asks_for_the_password_again(practice: Practice) -> None:
    client = Client()
    client.force_login(make_member(practice))
    answer = client.get("/accounts/2fa/totp/activate/")
    assert answer["Location"].startswith("/accounts/reauthenticate/")


def test_secrets_of_one_time_codes_are_sealed_and_go_along_when_keys_change(
    practice: Practice, settings: Any
) -> None:
    user, client = make_member(practice), Client()
    type_password(client, user)
    secret = set_up_app(client)
    seed = Authenticator.objects.get(user=user, type="recovery_codes").wrap()
    codes = seed.get_unused_codes()
    assert secret not in repr(list(Authenticator.objects.values("data")))
    new = Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [new, *settings.CREDENTIAL_KEYS]
    call_command("rotate_credentials")
    settings.CREDENTIAL_KEYS = [new]
    again = Client()
    type_password(again, user)
    give_code(again, CODE, secret)
    assert is_in(again)
    assert (
        Authenticator.objects.get(user=user, type="recovery_codes").wrap().get_unused_codes()
        == codes
    )


def test_a_secret_no_key_opens_is_said_to_be_our_fault(
    practice: Practice, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    user, client = make_member(practice), Client()
    type_password(client, user)
    secret = set_up_app(client)
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    again = Client()
    type_password(again, user)
    with caplog.at_level(logging.ERROR):
        page = give_code(again, CODE, secret)
    assert page.status_code == 200
    assert "This is our fault" in page.content.decode()
    assert "CREDENTIAL_KEYS" in caplog.text
    assert not is_in(again)


def test_an_account_without_a_password_cannot_be_logged_in_to(db: None) -> None:
    user, client = make_user("sso@harbour.example"), Client()
    user.set_unusable_password()
    user.save()
    for password in ("", "!", PASSWORD):
        client.post(LOG_IN, {"login": user.email, "password": password})
    assert not is_in(client)


PAGES = [
    ("password/change/", "Change password"),
    ("2fa/", "One-time codes"),
    ("2fa/totp/deactivate/", "Stop using the authenticator app"),
    ("2fa/recovery-codes/", "Recovery codes"),
    ("2fa/recovery-codes/generate/", "New recovery codes"),
    ("2fa/reauthenticate/", "Confirm it is you"),
    ("reauthenticate/", "Confirm it is you"),
    ("logout/", "Log out"),
    ("inactive/", "Account closed"),
]


def test_every_page_about_ones_account_is_in_our_own_frame(practice: Practice) -> None:
    user, client = make_member(practice), Client()
    type_password(client, user)
    page = client.get("/accounts/reauthenticate/").content.decode()
    assert "Confirm it is you" in page
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    assert "Set up an authenticator app" in page
    set_up_app(client)
    for address, title in PAGES:
        answer = client.get(f"/accounts/{address}")
        assert answer.status_code == 200, address
        page = answer.content.decode()
        assert f"<title>{title} · Abtrac Link</title>" in page, address
        assert page.count("<h1") == 1, address
        assert page.count("<main") == 1, address
        assert "no-store" in answer["Cache-Control"], address


def test_recovery_codes_are_shown_and_downloaded_only_after_asking_who_it_is(
    practice: Practice,
) -> None:
    user, client = make_member(practice), Client()
    type_password(client, user)
    set_up_app(client)
    again = Client()
    again.force_login(user)
    for address in ("", "download/", "generate/"):
        there = f"/accounts/2fa/recovery-codes/{address}"
        assert again.get(there)["Location"].startswith("/accounts/reauthenticate/")
    codes = Authenticator.objects.get(user=user, type="recovery_codes").wrap().get_unused_codes()
    file = client.get("/accounts/2fa/recovery-codes/download/")
    assert all(code in file.content.decode() for code in codes)
    assert "no-store" in file["Cache-Control"]
