"""Practices taken in, and their people: as what, by whom, for how long, and the record of it."""

import secrets
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from offices import people, selectors
from offices.accounts import has_totp
from offices.models import (
    RESERVED_SLUGS,
    AuditEntry,
    Membership,
    Practice,
    PracticeKey,
    Role,
    SupportGrant,
    User,
)
from offices.tenancy import acting_for
from tests import factories
from tests.factories import make_member, make_practice, make_user
from tests.offices.conftest import let_in

PASSWORD = "a password of some length"


def entries_of(practice: Practice) -> list[AuditEntry]:
    with acting_for(practice.pk):
        return list(AuditEntry.objects.select_related("actor").order_by("pk"))


@pytest.mark.parametrize(
    ("country", "zone"), [("NZ", "Pacific/Auckland"), ("AU", "Australia/Sydney")]
)
def test_a_practice_is_taken_in_with_its_first_admin(db: None, country: str, zone: str) -> None:
    made = people.create_practice(
        name=" Harbour Architects ", country=country, admin_email=" Ana@Harbour.Example "
    )
    practice = made.membership.practice
    assert (practice.name, practice.slug, practice.time_zone) == (
        "Harbour Architects",
        "harbour-architects",
        zone,
    )
    assert made.membership.role == Role.ADMIN
    assert made.membership.user.email == "ana@harbour.example"
    assert made.membership.user.check_password(made.password)
    assert len(made.password) >= 16
    assert [one.action for one in entries_of(practice)] == ["practice.created", "member.added"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"country": "FR"}, "not a valid choice"),
        ({"time_zone": "Mars/Olympus"}, "no time zone “Mars/Olympus”"),
        ({"name": "!!!"}, "no letters or digits"),
        ({"slug": "harbour"}, "a practice at /harbour/ already"),
        ({"admin_email": "ana"}, "valid email"),
        ({"password": "short"}, "too short"),
        ({"password": "password1234"}, "too common"),
    ],
)
def test_a_practice_that_cannot_be_taken_in_leaves_nothing_behind(
    db: None, fields: dict[str, str], words: str
) -> None:
    make_practice(slug="harbour")
    given: dict[str, Any] = {
        "name": "Ridge Engineers",
        "country": "NZ",
        "admin_email": "ana@ridge.example",
    }
    with pytest.raises(ValidationError, match=words):
        people.create_practice(**given | fields)
    assert Practice.objects.count() == 1
    assert not User.objects.exists()


@pytest.mark.parametrize("slug", RESERVED_SLUGS)
def test_no_practice_is_named_like_an_address_of_the_products_own(db: None, slug: str) -> None:
    with pytest.raises(ValidationError, match="used by Abtrac Link itself"):
        people.free_slug(slug)
    with pytest.raises(ValidationError, match="used by Abtrac Link itself"):
        people.free_slug(slug.upper())
    with pytest.raises(IntegrityError), transaction.atomic():
        make_practice(slug=slug)


def test_a_generated_password_is_never_like_the_email_even_by_chance(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["ana@harbour.exam", "Zq7_x0uK-tW4pL9v"])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: next(drawn))
    made = people.add_member(practice=practice, email="ana@harbour.example", role=Role.VIEWER)
    assert made.password == "Zq7_x0uK-tW4pL9v"


def test_a_member_who_has_an_account_keeps_its_password(practice: Practice) -> None:
    known = make_user("ana@harbour.example")
    added = people.add_member(
        practice=practice, email="ANA@harbour.example", role=Role.VIEWER, password=PASSWORD
    )
    known.refresh_from_db()
    assert added.membership.user == known
    assert added.password == ""
    assert not known.check_password(PASSWORD)
    with pytest.raises(ValidationError, match=r"is a member of .* already"):
        people.add_member(practice=practice, email=known.email, role=Role.ADMIN)


def test_an_admin_takes_in_nobody_whose_account_opens_another_practice(
    practice: Practice, admin: User
) -> None:
    """Whoever made the account there was shown its password, and may have set up its app."""
    elsewhere = make_member(make_practice("Ridge"), Role.VIEWER)
    owner = make_user("owner@abtrac.example", is_superuser=True)
    for user in (elsewhere, owner):
        with pytest.raises(ValidationError, match=r"Nobody was added\. Ask Abtrac's support"):
            people.add_member(practice=practice, email=user.email, role=Role.ADMIN, actor=admin)
        user.refresh_from_db()
        assert user.check_password(factories.PASSWORD)
        assert not practice.memberships.filter(user=user).exists()


def test_an_account_that_belongs_nowhere_any_more_starts_anew(
    practice: Practice, admin: User
) -> None:
    left = make_user("bo@harbour.example")
    TOTP.activate(left, generate_totp_secret())
    added = people.add_member(practice=practice, email=left.email, role=Role.VIEWER, actor=admin)
    left.refresh_from_db()
    assert added.membership.user == left
    assert left.check_password(added.password)
    assert not has_totp(left)


def test_the_record_names_who_took_a_member_in_and_never_a_password(practice: Practice) -> None:
    admin = make_member(practice)
    people.add_member(
        practice=practice,
        email="bo@harbour.example",
        role=Role.ACCOUNTS,
        password=PASSWORD,
        actor=admin,
    )
    [entry] = entries_of(practice)
    assert (entry.actor, entry.action, entry.subject) == (
        admin,
        "member.added",
        "bo@harbour.example",
    )
    assert entry.detail == {"role": "accounts"}


def test_support_people_have_accounts_of_their_own_and_belong_to_no_practice(
    practice: Practice,
) -> None:
    support, password = people.create_support(email="Sam@abtrac.example")
    assert support.is_support
    assert support.check_password(password)
    with pytest.raises(ValidationError, match="under a support grant"):
        people.add_member(practice=practice, email=support.email, role=Role.ADMIN)
    member = make_member(practice)
    with pytest.raises(ValidationError, match="has an account already"):
        people.create_support(email=member.email.upper())
    member.refresh_from_db()
    assert not member.is_support
    assert not Membership.objects.filter(user=support).exists()


def test_an_admin_lets_a_support_person_in_until_a_stated_time(
    practice: Practice, admin: User, support: User
) -> None:
    assert selectors.live_grant(support, practice.slug) is None
    grant = let_in(practice, support, admin)
    assert selectors.live_grant(support, practice.slug) == grant
    [entry] = entries_of(practice)
    assert (entry.action, entry.actor, entry.subject) == ("support.granted", admin, str(support))
    assert entry.detail == {
        "grant": grant.pk,
        "reason": "Set up Xero with Ana",
        "ends_at": grant.ends_at.isoformat(),
    }


@pytest.mark.parametrize("role", [Role.ACCOUNTS, Role.VIEWER, None])
def test_nobody_but_an_admin_of_that_practice_lets_support_in(
    practice: Practice, support: User, role: Role | None
) -> None:
    elsewhere = make_member(make_practice("Ridge"), Role.ADMIN)
    person = make_member(practice, role) if role else elsewhere
    with pytest.raises(ValidationError, match="Only an admin of Harbour Architects"):
        let_in(practice, support, person)
    assert not SupportGrant.objects.exists()


@pytest.mark.parametrize("hours", [0, -1, 24 * 31])
def test_a_grant_ends_and_within_a_month(
    practice: Practice, admin: User, support: User, hours: int
) -> None:
    with pytest.raises(ValidationError, match="ends within 30 days"):
        let_in(practice, support, admin, hours=hours)


def test_only_support_people_who_still_work_here_are_let_in(
    practice: Practice, admin: User, support: User
) -> None:
    with pytest.raises(ValidationError, match="does not belong to Abtrac's support"):
        let_in(practice, make_user(), admin)
    support.is_active = False
    support.save()
    with pytest.raises(ValidationError, match="does not belong to Abtrac's support"):
        let_in(practice, support, admin)


def test_a_grant_serves_only_between_its_start_and_its_end(
    practice: Practice, admin: User, support: User
) -> None:
    grant = let_in(practice, support, admin)
    now = timezone.now()
    for starts, ends, live in [(-2, -1, False), (1, 2, False), (-1, 1, True)]:
        SupportGrant.objects.filter(pk=grant.pk).update(
            starts_at=now + timedelta(hours=starts), ends_at=now + timedelta(hours=ends)
        )
        assert (selectors.live_grant(support, practice.slug) is not None) is live


def test_a_grant_ended_by_hand_is_over_and_is_ended_once(
    practice: Practice, admin: User, support: User
) -> None:
    grant = let_in(practice, support, admin)
    assert people.end_grant(grant=grant, actor=admin)
    assert selectors.live_grant(support, practice.slug) is None
    assert not people.end_grant(grant=grant, actor=admin)
    assert [one.action for one in entries_of(practice)] == ["support.granted", "support.ended"]


def test_a_person_who_leaves_support_keeps_no_grant(
    practice: Practice, admin: User, support: User
) -> None:
    let_in(practice, support, admin)
    support.is_support = False
    support.save()
    assert selectors.live_grant(support, practice.slug) is None


def test_a_key_is_kept_as_its_hash_alone_and_stopped_for_good(
    practice: Practice, admin: User
) -> None:
    key, secret = people.make_key(practice=practice, name=" Abtrac server ", actor=admin)
    assert key.name == "Abtrac server"
    assert PracticeKey.objects.get_from_key(secret).pk == key.pk
    assert secret.split(".")[1] not in repr(PracticeKey.objects.values())
    assert people.revoke_key(key=key, actor=admin)
    assert not people.revoke_key(key=key, actor=admin)
    assert not PracticeKey.objects.is_valid(secret)
    assert [(one.action, one.subject) for one in entries_of(practice)] == [
        ("key.made", key.prefix),
        ("key.revoked", key.prefix),
    ]
    assert secret not in repr([one.detail for one in entries_of(practice)])


def test_support_makes_no_key_that_would_outlive_its_grant(
    practice: Practice, support: User
) -> None:
    with pytest.raises(ValidationError, match="Only an admin"):
        people.make_key(practice=practice, name="Mine", actor=support, as_support=True)
    assert not PracticeKey.objects.exists()


def test_a_role_includes_those_below_it() -> None:
    order = [Role.ADMIN, Role.ACCOUNTS, Role.VIEWER]
    for upper, role in enumerate(order):
        assert [role.includes(other) for other in order] == [
            lower >= upper for lower in range(len(order))
        ]
