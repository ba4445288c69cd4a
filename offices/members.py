"""What becomes of a practice's people once they are in: role, log-in, and leaving.

Every function here writes its own entry in the practice's record. What is not allowed raises
ValidationError with a sentence for the person who asked. No actor means Abtrac, at the shell.
"""

from django.core.exceptions import ValidationError
from django.db import transaction

from offices.accounts import forget_app
from offices.audit import record
from offices.models import Membership, Role, User
from offices.people import give_password, require_admin
from offices.tenancy import acting_for


@transaction.atomic
def change_role(
    *,
    member: Membership,
    role: Role,
    actor: User | None,
    sure: bool = False,
    address: str | None = None,
) -> bool:
    """Give the member another role; False when it is theirs already, which changes nothing.

    One's own is changed only by somebody who is `sure`.
    """
    others = _others_locked(member)
    require_admin(member.practice, actor, "change roles")
    before = Role(member.role)
    if role == before:
        return False
    _require_sure(member, actor, sure, f"you would be {role.label} and no longer {before.label}")
    if before == Role.ADMIN:
        _require_an_admin(others, member)
    member.role = role
    member.save(update_fields=["role"])
    detail = {"before": str(before.value), "role": str(role.value)}
    _record(member, "member.role_changed", actor, address, detail)
    return True


@transaction.atomic
def remove(
    *, member: Membership, actor: User | None, sure: bool = False, address: str | None = None
) -> None:
    """Take the person out of the practice. The account stays, and so does what they did."""
    practice, others = member.practice, _others_locked(member)
    require_admin(practice, actor, "remove people")
    _require_sure(member, actor, sure, f"you would see nothing of {practice} any more")
    if member.role == Role.ADMIN:
        _require_an_admin(others, member)
    _record(member, "member.removed", actor, address, {"role": member.role})
    member.delete()


@transaction.atomic
def new_password(*, member: Membership, actor: User | None, address: str | None = None) -> str:
    """A generated password in place of the member's own, which ends their sessions."""
    require_admin(member.practice, actor, "make a new password")
    _require_only_here(member, actor)
    password = give_password(member.user)
    _record(member, "member.password_reset", actor, address)
    return password


@transaction.atomic
def forget_members_app(
    *, member: Membership, actor: User | None, address: str | None = None
) -> bool:
    """Forget the authenticator app and its recovery codes; False when there is none."""
    require_admin(member.practice, actor, "forget an authenticator app")
    _require_only_here(member, actor)
    if not forget_app(member.user):
        return False
    _record(member, "member.app_forgotten", actor, address)
    return True


@transaction.atomic
def reset_account(*, email: str, with_app: bool = False) -> str:
    """A generated password for whoever has that account, wherever they belong.

    For the shell: a practice's admins reach only those who are theirs alone. Each practice of the
    person has it in its record.
    """
    user = User.objects.select_for_update().filter(email=email.strip().lower()).first()
    if user is None:
        raise ValidationError(f"There is no account of {email}.")
    password = give_password(user)
    forgotten = with_app and forget_app(user)
    for member in user.memberships.select_related("practice", "user"):
        _record(member, "member.password_reset", None, None)
        if forgotten:
            _record(member, "member.app_forgotten", None, None)
    return password


def _require_sure(member: Membership, actor: User | None, sure: bool, words: str) -> None:
    if member.user == actor and not sure:
        raise ValidationError(f"This is yourself: {words}. Tick that you are sure.")


def _others_locked(member: Membership) -> list[Membership]:
    """The practice's other people; the member's role is read again.

    All are locked: of two admins who step down, or put each other out, at one moment, the second
    sees what the first did.
    """
    everybody = (
        Membership.objects.filter(practice=member.practice)
        .select_related("user")
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    found = {one.pk: one for one in everybody}
    if member.pk not in found:
        raise ValidationError(f"{member.user.email} does not belong to {member.practice} any more.")
    member.role = found.pop(member.pk).role
    return list(found.values())


def _require_an_admin(others: list[Membership], member: Membership) -> None:
    if not any(one.role == Role.ADMIN and one.user.is_active for one in others):
        raise ValidationError(
            f"{member.user.email} is the only admin of {member.practice}."
            " Make somebody else an admin first."
        )


def _require_only_here(member: Membership, actor: User | None) -> None:
    """That nothing but this practice opens to whoever gets the person's log-in."""
    user, practice = User.objects.select_for_update().get(pk=member.user_id), member.practice
    if user == actor:
        raise ValidationError(
            "Your own password and one-time codes are in the menu under your name."
        )
    if user.is_support or user.memberships.exclude(practice=practice).exists():
        raise ValidationError(
            f"{user.email} works in more than {practice}, so this would reach beyond it."
            " Nothing has changed. Ask Abtrac's support to do it."
        )


def _record(
    member: Membership,
    action: str,
    actor: User | None,
    address: str | None,
    detail: dict[str, str] | None = None,
) -> None:
    with acting_for(member.practice_id):
        record(
            actor=actor, action=action, subject=member.user.email, detail=detail, address=address
        )
