"""Warns of sign-ins that end by themselves when nobody uses them: 14, 7 and 2 days before."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse

from interfaces import clock
from interfaces.models import AccountingInterface, Credential, Lane
from offices.models import Membership, Role
from offices.tenancy import acting_for

log = logging.getLogger("interfaces.lapsing")

# In days, the last one first.
WARNINGS = (2, 7, 14)
State = AccountingInterface.State


def days_left(interface: AccountingInterface) -> int | None:
    """In how many days its sign-in ends, once that is near enough to be told."""
    credential: Credential | None = getattr(interface, "credential", None)
    if credential is None or credential.lapses_at is None or not credential.sealed:
        return None
    left = credential.lapses_at - clock.now()
    return max(left.days, 0) if left <= timedelta(days=max(WARNINGS)) else None


def warn_all() -> int:
    """Warn every practice of what lapses soon, each time once; how many warnings went out."""
    practices = Lane.objects.order_by("practice_id").values_list("practice_id", flat=True)
    return sum(warn(practice_id=one) for one in practices.distinct())


def warn(*, practice_id: int) -> int:
    """The same for one practice. The mail goes out after the warning is noted: at most once."""
    now = clock.now()
    due: list[tuple[AccountingInterface, int]] = []
    with acting_for(practice_id):
        soon = Credential.objects.filter(
            lapses_at__gt=now,
            lapses_at__lte=now + timedelta(days=max(WARNINGS)),
            # Nobody waits for a rehearsal.
            interface__rehearsal_token="",
            # What is lost already is told as that.
            interface__state__in=[State.CONNECTED, State.PAUSED],
        ).exclude(sealed="")
        for one in soon.select_related("interface").order_by("pk"):
            assert one.lapses_at is not None  # noqa: S101 - asked for by it
            days = next(day for day in WARNINGS if one.lapses_at - now <= timedelta(days=day))
            if one.warned_days is None or one.warned_days > days:
                Credential.objects.filter(pk=one.pk).update(warned_days=days)
                due.append((one.interface, days))
        admins = list(
            Membership.objects.filter(practice_id=practice_id, role=Role.ADMIN)
            .select_related("practice", "user")
            .order_by("pk")
        )
    for interface, days in due:
        _mail(interface, days, admins)
    return len(due)


def _mail(interface: AccountingInterface, days: int, admins: Sequence[Membership]) -> None:
    to = [one.user.email for one in admins]
    if not to:
        return
    label, practice = interface.package.label, admins[0].practice
    page = settings.SITE_URL + reverse("interfaces:detail", args=[practice.slug, interface.pk])
    try:
        send_mail(
            f"{label} signs {practice} out in {days} days",
            f"{interface.name} has not been used for a while. Unless it is, or you connect it"
            f" again, {label} ends its sign-in within {days} days, and uploads wait until somebody"
            f" signs in.\n\nConnect it again: {page}\n",
            None,
            to,
        )
    except OSError as error:
        # The pages say the same; a mail server that is down keeps nobody from working.
        log.warning("lapse not mailed interface=%s error=%s", interface.pk, type(error).__name__)
