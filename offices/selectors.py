"""Reads of the directory: who belongs where."""

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from offices.models import Membership, Practice, PracticeKey, SupportGrant, User


def memberships(user: User) -> QuerySet[Membership]:
    """The person's practices, by name."""
    return (
        Membership.objects.filter(user=user).select_related("practice").order_by("practice__name")
    )


def membership(user: User, practice_slug: str) -> Membership | None:
    """The person's membership of that practice."""
    return memberships(user).filter(practice__slug=practice_slug).first()


def members_of(practice: Practice) -> QuerySet[Membership]:
    """The practice's people by e-mail, each with `has_app`: whether one-time codes are set up."""
    apps = Authenticator.objects.filter(user=OuterRef("user"), type=Authenticator.Type.TOTP)
    return (
        practice.memberships.select_related("practice", "user")
        .annotate(has_app=Exists(apps))
        .order_by("user__email")
    )


def live_grants(user: User) -> QuerySet[SupportGrant]:
    """The grants under which a support person may work now, by practice."""
    if not user.is_support:
        return SupportGrant.objects.none()
    return (
        SupportGrant.objects.filter(live_now(), user=user)
        .select_related("practice")
        .order_by("practice__name", "-ends_at")
    )


def live_grant(user: User, practice_slug: str) -> SupportGrant | None:
    """The grant under which the support person may work in that practice now."""
    return live_grants(user).filter(practice__slug=practice_slug).first()


def support_people() -> QuerySet[User]:
    """Everybody of Abtrac's support who may be let in somewhere."""
    return User.objects.filter(is_support=True, is_active=True).order_by("email")


def live_now() -> Q:
    """Started, not over and not ended by hand."""
    now = timezone.now()
    return Q(starts_at__lte=now, ends_at__gt=now, ended_at__isnull=True)


def grants_of(practice: Practice) -> QuerySet[SupportGrant]:
    """All grants the practice ever gave, newest first."""
    return practice.grants.select_related("user", "granted_by").order_by("-starts_at", "-pk")


def keys_of(practice: Practice) -> QuerySet[PracticeKey]:
    """All API keys of the practice, revoked ones too, newest first."""
    return practice.keys.order_by("-created", "name")
