"""What becomes of people once they are in a practice: by whom, within which limits, on record."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.exceptions import ValidationError

from offices import members, people, selectors
from offices.models import AuditEntry, Membership, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import PASSWORD, make_member, make_practice, make_user
from tests.offices.conftest import let_in


def member_of(practice: Practice, role: Role = Role.VIEWER, email: str = "") -> Membership:
    return make_member(practice, role, email).memberships.get()


def membership(user: User) -> Membership:
    return user.memberships.get()


def give_app(user: User) -> None:
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)


def entries_of(practice: Practice) -> list[tuple[Any, ...]]:
    with acting_for(practice.pk):
        rows = AuditEntry.objects.order_by("pk")
        return list(rows.values_list("action", "subject", "actor", "detail", "address"))


ACTS: dict[str, Callable[[Membership, User], object]] = {
    "add people": lambda one, actor: people.add_member(
        practice=one.practice, email="new@harbour.example", role=Role.ADMIN, actor=actor
    ),
    "change roles": lambda one, actor: members.change_role(
        member=one, role=Role.ADMIN, actor=actor, sure=True
    ),
    "remove people": lambda one, actor: members.remove(member=one, actor=actor, sure=True),
    "make a new password": lambda one, actor: members.new_password(member=one, actor=actor),
    "forget an authenticator app": lambda one, actor: members.forget_members_app(
        member=one, actor=actor
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_neither_support_nor_lesser_roles_nor_other_practices_touch_its_people(
    practice: Practice, admin: User, support: User, act: str
) -> None:
    let_in(practice, support, admin)
    before = entries_of(practice)
    member = member_of(practice)
    give_app(member.user)
    others = [support, make_member(make_practice("Ridge")), member.user]
    others += [make_member(practice, Role.ACCOUNTS)]
    for actor in others:
        with pytest.raises(ValidationError, match=f"Only an admin of Harbour Architects can {act}"):
            ACTS[act](member, actor)
    member.refresh_from_db()
    assert member.role == Role.VIEWER
    assert member.user.check_password(PASSWORD)
    assert Authenticator.objects.filter(user=member.user).exists()
    assert not User.objects.filter(email="new@harbour.example").exists()
    assert entries_of(practice) == before


def test_a_role_is_changed_once_and_recorded(practice: Practice, admin: User) -> None:
    member = member_of(practice, email="bo@harbour.example")
    for changed in (True, False):
        assert changed is members.change_role(
            member=member, role=Role.ACCOUNTS, actor=admin, address="192.0.2.1"
        )
    member.refresh_from_db()
    assert member.role == Role.ACCOUNTS
    detail = {"before": "viewer", "role": "accounts"}
    assert entries_of(practice) == [
        ("member.role_changed", "bo@harbour.example", admin.pk, detail, "192.0.2.1")
    ]


def test_the_last_admin_is_neither_removed_nor_demoted(practice: Practice, admin: User) -> None:
    make_member(make_practice("Ridge"))
    gone = make_member(practice)
    gone.is_active = False
    gone.save()
    own = membership(admin)
    with pytest.raises(ValidationError, match=r"is the only admin of Harbour Architects\. Make"):
        members.change_role(member=own, role=Role.VIEWER, actor=admin, sure=True)
    with pytest.raises(ValidationError, match="is the only admin"):
        members.remove(member=own, actor=admin, sure=True)
    with pytest.raises(ValidationError, match="is the only admin"):
        members.remove(member=own, actor=None)
    assert Membership.objects.get(pk=own.pk).role == Role.ADMIN
    members.remove(member=membership(gone), actor=admin)


def test_of_two_admins_who_step_down_on_old_pages_one_stays(
    practice: Practice, admin: User
) -> None:
    bo = member_of(practice, Role.ADMIN)
    old = membership(admin)
    members.change_role(member=bo, role=Role.VIEWER, actor=admin)
    with pytest.raises(ValidationError, match="Only an admin"):
        members.change_role(member=old, role=Role.VIEWER, actor=bo.user)
    with pytest.raises(ValidationError, match="is the only admin"):
        members.remove(member=old, actor=admin, sure=True)


def test_a_role_changed_meanwhile_is_seen(practice: Practice, admin: User) -> None:
    """A page that still shows a viewer does not take the last admin away."""
    bo = member_of(practice)
    old = Membership.objects.get(pk=bo.pk)
    members.change_role(member=bo, role=Role.ADMIN, actor=admin)
    members.remove(member=membership(admin), actor=bo.user)
    assert old.role == Role.VIEWER
    with pytest.raises(ValidationError, match="is the only admin"):
        members.change_role(member=old, role=Role.ACCOUNTS, actor=None)


def test_who_was_removed_meanwhile_is_not_changed(practice: Practice, admin: User) -> None:
    member = member_of(practice)
    old = Membership.objects.get(pk=member.pk)
    members.remove(member=member, actor=admin)
    with pytest.raises(ValidationError, match="does not belong to Harbour Architects any more"):
        members.change_role(member=old, role=Role.ADMIN, actor=admin)
    with pytest.raises(ValidationError, match="any more"):
        members.remove(member=old, actor=admin)
    assert not Membership.objects.filter(pk=old.pk).exists()


def test_nobody_steps_down_or_leaves_by_accident(practice: Practice, admin: User) -> None:
    make_member(practice)
    own = membership(admin)
    with pytest.raises(ValidationError, match=r"you would be Viewer and no longer Admin\. Tick"):
        members.change_role(member=own, role=Role.VIEWER, actor=admin)
    with pytest.raises(ValidationError, match="you would see nothing of Harbour Architects"):
        members.remove(member=own, actor=admin)
    assert Membership.objects.get(pk=own.pk).role == Role.ADMIN
    members.change_role(member=own, role=Role.VIEWER, actor=admin, sure=True)
    assert Membership.objects.get(pk=own.pk).role == Role.VIEWER


def test_who_is_removed_sees_the_practice_no_more_and_stays_in_its_record(
    practice: Practice, admin: User
) -> None:
    user = make_member(practice, Role.ACCOUNTS, "bo@harbour.example")
    members.remove(member=membership(user), actor=admin)
    assert selectors.membership(user, practice.slug) is None
    assert User.objects.filter(pk=user.pk).exists()
    assert entries_of(practice) == [
        ("member.removed", "bo@harbour.example", admin.pk, {"role": "accounts"}, None)
    ]


def test_a_new_password_takes_the_place_of_the_old_and_is_not_recorded(
    practice: Practice, admin: User
) -> None:
    member = member_of(practice, email="bo@harbour.example")
    password = members.new_password(member=member, actor=admin)
    user = User.objects.get(pk=member.user_id)
    assert user.check_password(password)
    assert len(password) >= 16
    assert not user.check_password(PASSWORD)
    assert entries_of(practice) == [
        ("member.password_reset", "bo@harbour.example", admin.pk, {}, None)
    ]


def test_the_app_and_its_recovery_codes_are_forgotten_once(practice: Practice, admin: User) -> None:
    member, other = member_of(practice), member_of(practice)
    give_app(member.user)
    give_app(other.user)
    assert members.forget_members_app(member=member, actor=admin)
    assert not members.forget_members_app(member=member, actor=admin)
    assert not Authenticator.objects.filter(user=member.user).exists()
    having = {one.user_id for one in selectors.members_of(practice) if vars(one)["has_app"]}
    assert having == {other.user_id}
    assert [one[0] for one in entries_of(practice)] == ["member.app_forgotten"]


def test_the_log_in_of_somebody_of_another_practice_too_is_left_alone(
    practice: Practice, admin: User
) -> None:
    member = member_of(practice)
    give_app(member.user)
    Membership.objects.create(practice=make_practice("Ridge"), user=member.user, role=Role.VIEWER)
    with pytest.raises(ValidationError, match="would reach beyond it") as refused:
        members.new_password(member=member, actor=admin)
    assert "Ridge" not in str(refused.value)
    with pytest.raises(ValidationError, match="would reach beyond it"):
        members.forget_members_app(member=member, actor=admin)
    member.user.refresh_from_db()
    assert member.user.check_password(PASSWORD)
    assert Authenticator.objects.filter(user=member.user).exists()
    assert entries_of(practice) == []


def test_ones_own_log_in_is_changed_where_the_old_one_is_asked_for(
    practice: Practice, admin: User
) -> None:
    for act in (members.new_password, members.forget_members_app):
        with pytest.raises(ValidationError, match="menu under your name"):
            act(member=membership(admin), actor=admin)
    admin.refresh_from_db()
    assert admin.check_password(PASSWORD)


def test_an_account_is_reset_wherever_it_belongs_and_each_practice_knows(
    practice: Practice,
) -> None:
    user, ridge = make_member(practice, email="bo@harbour.example"), make_practice("Ridge")
    Membership.objects.create(practice=ridge, user=user, role=Role.VIEWER)
    give_app(user)
    password = members.reset_account(email=" BO@harbour.example ")
    assert Authenticator.objects.filter(user=user).exists()
    user.refresh_from_db()
    assert user.check_password(password)
    members.reset_account(email=user.email, with_app=True)
    assert not Authenticator.objects.filter(user=user).exists()
    for one in (practice, ridge):
        assert [(entry[0], entry[2]) for entry in entries_of(one)] == [
            ("member.password_reset", None),
            ("member.password_reset", None),
            ("member.app_forgotten", None),
        ]
    with pytest.raises(ValidationError, match="no account of nobody@"):
        members.reset_account(email="nobody@harbour.example")


def test_a_support_person_who_lost_their_password_is_given_one(support: User) -> None:
    make_user("other@abtrac.example", is_support=True)
    password = members.reset_account(email=support.email)
    support.refresh_from_db()
    assert support.check_password(password)
