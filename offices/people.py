"""Practices and their people: who is taken in, as what, and for how long.

Every function here writes its own entry in the practice's record. What is not allowed raises
ValidationError with a sentence for the person who asked.
"""

import secrets
import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from offices.accounts import forget_app
from offices.audit import record
from offices.models import (
    RESERVED_SLUGS,
    Membership,
    Practice,
    PracticeKey,
    Role,
    SupportGrant,
    User,
)
from offices.tenancy import acting_for

TIME_ZONES = {"NZ": "Pacific/Auckland", "AU": "Australia/Sydney"}
LONGEST_GRANT = timedelta(days=30)
# How many passwords are drawn before the rules for them are held to be wrong.
CHANCES = 100


@dataclass(frozen=True, kw_only=True)
class NewMember:
    """A membership just made; the password is empty for somebody who had one already."""

    membership: Membership
    password: str


@transaction.atomic
def create_practice(
    *,
    name: str,
    country: str,
    admin_email: str,
    slug: str = "",
    time_zone: str = "",
    password: str = "",
) -> NewMember:
    """A practice with its first admin."""
    time_zone = time_zone or TIME_ZONES.get(country, "")
    if time_zone and time_zone not in zoneinfo.available_timezones():
        raise ValidationError(f"There is no time zone “{time_zone}”.")
    practice = Practice(
        name=name.strip(), slug=free_slug(slug or name), country=country, time_zone=time_zone
    )
    practice.full_clean()
    practice.save()
    with acting_for(practice.pk):
        record(actor=None, action="practice.created", subject=practice.name)
    return add_member(practice=practice, email=admin_email, role=Role.ADMIN, password=password)


def free_slug(wanted: str) -> str:
    """The name as the first part of an address. A reserved or taken one raises ValidationError."""
    slug = slugify(wanted)[:60].strip("-")
    if not slug:
        raise ValidationError(f"“{wanted}” has no letters or digits to make an address of.")
    if slug in RESERVED_SLUGS:
        raise ValidationError(f"The address /{slug}/ is used by Abtrac Link itself.")
    if Practice.objects.filter(slug=slug).exists():
        raise ValidationError(f"There is a practice at /{slug}/ already.")
    return slug


@transaction.atomic
def add_member(
    *,
    practice: Practice,
    email: str,
    role: Role,
    password: str = "",
    actor: User | None = None,
    address: str | None = None,
) -> NewMember:
    """Take a person in; one who is new gets an account, with a generated password if none is given.

    No actor means Abtrac, at the shell, which leaves the password of somebody who has an account
    as it is. Anybody else must be an admin, so not support: who it took in would outlive its grant.
    An admin takes in nobody who has an account elsewhere: somebody else made it, and may know how
    to log in to it. An account that belongs nowhere any more starts anew.
    """
    require_admin(practice, actor, "add people")
    user, given = _known_or_new(email=email, password=password)
    if user.is_support:
        raise ValidationError("Support people work under a support grant, not as members.")
    if Membership.objects.filter(practice=practice, user=user).exists():
        raise ValidationError(f"{user.email} is a member of {practice} already.")
    if actor and not given:
        given = _start_anew(user, practice)
    membership = Membership.objects.create(practice=practice, user=user, role=role)
    with acting_for(practice.pk):
        record(
            actor=actor,
            action="member.added",
            subject=user.email,
            detail={"role": str(role.value)},
            address=address,
        )
    return NewMember(membership=membership, password=given)


@transaction.atomic
def create_support(*, email: str, password: str = "") -> tuple[User, str]:
    """A person of Abtrac's support, who sees no practice until one grants it. Also the password."""
    if User.objects.filter(email=email.strip().lower()).exists():
        raise ValidationError(f"{email} has an account already; support needs one of its own.")
    user, given = _known_or_new(email=email, password=password)
    user.is_support = True
    user.save(update_fields=["is_support"])
    return user, given


def _known_or_new(*, email: str, password: str) -> tuple[User, str]:
    email = email.strip().lower()
    validate_email(email)
    known = User.objects.filter(email=email).first()
    if known:
        return known, ""
    password = password or generate_password(email)
    validate_password(password, User(email=email))
    return User.objects.create_user(email, password), password


def _start_anew(user: User, practice: Practice) -> str:
    if user.is_superuser or user.memberships.exists():
        raise ValidationError(
            f"{user.email} has an account that opens something else than {practice}. Nobody was"
            " added. Ask Abtrac's support to add them: it makes sure that the account is theirs."
        )
    forget_app(user)
    return give_password(user)


def give_password(user: User) -> str:
    """A generated password in place of the person's own, which ends their sessions."""
    password = generate_password(user.email)
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def generate_password(email: str) -> str:
    """One that nobody guesses, for that person to log in with and then to change."""
    user = User(email=email)
    for _ in range(CHANCES):
        password = secrets.token_urlsafe(12)
        try:
            validate_password(password, user)
        except ValidationError:
            continue  # by chance too much like the e-mail
        return password
    raise RuntimeError("The rules for passwords refuse every generated one.")


def require_admin(practice: Practice, actor: User | None, act: str) -> None:
    """Raise ValidationError unless the actor is one of the practice's own admins, or nobody."""
    if actor is None:
        return
    if not Membership.objects.filter(practice=practice, user=actor, role=Role.ADMIN).exists():
        raise ValidationError(f"Only an admin of {practice} can {act}.")


@transaction.atomic
def grant_support(
    *,
    practice: Practice,
    user: User,
    granted_by: User,
    reason: str,
    ends_at: datetime,
    address: str | None = None,
) -> SupportGrant:
    """Let one support person work in the practice until then. Only its own admins can."""
    require_admin(practice, granted_by, "let support in")
    if not user.is_support or not user.is_active:
        raise ValidationError(f"{user} does not belong to Abtrac's support.")
    now = timezone.now()
    if not now < ends_at <= now + LONGEST_GRANT:
        raise ValidationError(f"Support access ends within {LONGEST_GRANT.days} days.")
    grant = SupportGrant(
        practice=practice,
        user=user,
        granted_by=granted_by,
        reason=reason.strip(),
        starts_at=now,
        ends_at=ends_at,
    )
    grant.full_clean()
    grant.save()
    with acting_for(practice.pk):
        record(
            actor=granted_by,
            action="support.granted",
            subject=str(user),
            detail={"grant": grant.pk, "reason": grant.reason, "ends_at": ends_at.isoformat()},
            address=address,
        )
    return grant


@transaction.atomic
def end_grant(
    *, grant: SupportGrant, actor: User, as_support: bool = False, address: str | None = None
) -> bool:
    """End the grant now; False when it was over already, which changes nothing."""
    now = timezone.now()
    live = SupportGrant.objects.filter(pk=grant.pk, ended_at__isnull=True, ends_at__gt=now)
    if not live.update(ended_at=now):
        return False
    with acting_for(grant.practice_id):
        record(
            actor=actor,
            action="support.ended",
            subject=str(grant.user),
            detail={"grant": grant.pk},
            as_support=as_support,
            address=address,
        )
    return True


@transaction.atomic
def make_key(
    *,
    practice: Practice,
    name: str,
    actor: User | None,
    as_support: bool = False,
    address: str | None = None,
) -> tuple[PracticeKey, str]:
    """An API key of the practice and its secret, which is known here and never again.

    Support cannot make one: it would go on opening the practice after their grant has ended.
    """
    if as_support:
        raise ValidationError(f"Only an admin of {practice} can make a key.")
    made, secret = PracticeKey.objects.create_key(practice=practice, name=name.strip())
    key = cast(PracticeKey, made)
    with acting_for(practice.pk):
        record(
            actor=actor,
            action="key.made",
            subject=key.prefix,
            detail={"name": key.name},
            as_support=as_support,
            address=address,
        )
    return key, secret


@transaction.atomic
def revoke_key(
    *,
    key: PracticeKey,
    actor: User | None,
    as_support: bool = False,
    address: str | None = None,
) -> bool:
    """Stop the key for good; False when it was stopped already."""
    if not PracticeKey.objects.filter(pk=key.pk, revoked=False).update(revoked=True):
        return False
    with acting_for(key.practice_id):
        record(
            actor=actor,
            action="key.revoked",
            subject=key.prefix,
            detail={"name": key.name},
            as_support=as_support,
            address=address,
        )
    return True
