"""Practices and support people are created from the shell."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from offices.models import Membership, Practice, PracticeKey, Role, User

pytestmark = pytest.mark.django_db

EMAIL = "mere@harbour.example"


def run(*args: str, **options: Any) -> dict[str, str]:
    """What the command printed, by the first word of each line."""
    out = StringIO()
    call_command(*args, stdout=out, **options)
    found = {}
    for line in out.getvalue().splitlines():
        first, rest = line.split(maxsplit=1)
        found[first] = rest
    return found


def test_a_practice_is_created_with_an_admin_who_can_log_in() -> None:
    told = run("create_practice", "Harbour Architects", "NZ", "Mere@Harbour.example")
    practice = Practice.objects.get()
    assert told["Practice"] == "Harbour Architects at /harbour-architects/"
    assert (practice.country, practice.time_zone) == ("NZ", "Pacific/Auckland")
    membership = Membership.objects.get(practice=practice)
    assert (membership.user.email, membership.role) == (EMAIL, Role.ADMIN)
    assert membership.user.check_password(told["Password"])
    assert not PracticeKey.objects.exists()


def test_the_key_it_makes_opens_the_practice() -> None:
    out = StringIO()
    call_command("create_practice", "Harbour", "AU", EMAIL, "--key", "--slug", "hb", stdout=out)
    [line] = [line for line in out.getvalue().splitlines() if line.startswith("API key")]
    key = PracticeKey.objects.get_from_key(line.removeprefix("API key").strip())
    assert isinstance(key, PracticeKey)
    assert key.practice == Practice.objects.get(slug="hb")


def test_an_admin_who_has_an_account_keeps_their_password() -> None:
    first = run("create_practice", "Harbour", "NZ", EMAIL)
    second = run("create_practice", "Harbour West", "NZ", EMAIL)
    assert second["Password"] == "as before: this person has an account"
    assert User.objects.get().check_password(first["Password"])


@pytest.mark.parametrize(
    ("name", "email", "options", "reason"),
    [
        ("Harbour", EMAIL, {"slug": "api"}, "is used by Abtrac Link itself"),
        ("!!!", EMAIL, {}, "no letters or digits"),
        ("Harbour", "nobody", {}, "valid email"),
        ("x" * 201, EMAIL, {}, "at most 200 characters"),
    ],
)
def test_nothing_is_created_of_a_practice_that_cannot_be(
    name: str, email: str, options: dict[str, str], reason: str
) -> None:
    with pytest.raises(CommandError, match=reason):
        call_command("create_practice", name, "NZ", email, key=True, **options)
    assert not Practice.objects.exists()
    assert not User.objects.exists()
    assert not PracticeKey.objects.exists()


def test_a_support_person_is_created_who_sees_no_practice() -> None:
    told = run("create_support", "sam@abtrac.example")
    user = User.objects.get(email=told["Support"])
    assert user.is_support
    assert user.check_password(told["Password"])
    assert not user.memberships.exists()
    with pytest.raises(CommandError, match="has an account already"):
        call_command("create_support", "sam@abtrac.example")


def test_a_person_is_added_who_can_log_in() -> None:
    run("create_practice", "Harbour", "NZ", EMAIL)
    told = run("add_person", "harbour", "Bo@Harbour.example", "accounts")
    assert told["Practice"] == "Harbour at /harbour/"
    user = User.objects.get(email=told["Accounts"])
    assert user.email == "bo@harbour.example"
    assert user.memberships.get().role == Role.ACCOUNTS
    assert user.check_password(told["Password"])


def test_a_person_who_has_an_account_is_added_with_the_password_they_have() -> None:
    first = run("create_practice", "Harbour", "NZ", EMAIL)
    run("create_practice", "Ridge", "NZ", "rae@ridge.example")
    told = run("add_person", "ridge", EMAIL, "viewer")
    assert told["Password"] == "as before: this person has an account"
    assert User.objects.get(email=EMAIL).check_password(first["Password"])


@pytest.mark.parametrize(
    ("slug", "email", "reason"),
    [
        ("nowhere", "bo@harbour.example", "no practice at /nowhere/"),
        ("harbour", EMAIL, "member of Harbour already"),
        ("harbour", "bo", "valid email"),
    ],
)
def test_a_person_who_cannot_be_added_is_not(slug: str, email: str, reason: str) -> None:
    run("create_practice", "Harbour", "NZ", EMAIL)
    with pytest.raises(CommandError, match=f"Nobody was added.*{reason}"):
        call_command("add_person", slug, email, "viewer")
    assert User.objects.count() == Membership.objects.count() == 1


def test_a_lost_password_is_replaced_and_the_new_one_printed() -> None:
    first = run("create_practice", "Harbour", "NZ", EMAIL)
    told = run("reset_password", "Mere@Harbour.example", forget_app=True)
    user = User.objects.get(email=told["Person"])
    assert user.check_password(told["Password"])
    assert not user.check_password(first["Password"])
    with pytest.raises(CommandError, match="There is no account of bo@"):
        call_command("reset_password", "bo@harbour.example")
