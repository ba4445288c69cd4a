"""The daily mail of what failed at interfaces, to those who were chosen to get it.

One mail a person and day, at DIGEST_HOUR of the practice's own time; none where nothing failed.
"""

import logging
import zoneinfo
from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from interfaces.models import AccountingInterface
from invoicing import held_up, mails
from invoicing.mails import Mail, MailAway, NotSent, Post
from invoicing.models import DigestReader, Upload, UploadEvent
from invoicing.selectors import went_on
from invoicing.uploads.states import FAILED
from invoicing.words import counted
from offices.models import Membership, Practice, Role, User
from offices.tenancy import acting_for

log = logging.getLogger("invoicing.digests")


def can_read(practice: Practice) -> QuerySet[User]:
    """Who may be chosen: those of the practice who may upload."""
    able = [one for one in Role if one.includes(Role.ACCOUNTS)]
    members = Membership.objects.filter(practice=practice, role__in=able, user__is_active=True)
    return User.objects.filter(pk__in=members.values("user")).order_by("email")


def readers_of(interface: AccountingInterface) -> list[User]:
    """Who gets it. Needs a scope."""
    chosen = DigestReader.objects.filter(interface=interface).select_related("user")
    return [one.user for one in chosen.order_by("user__email")]


def choose(interface: AccountingInterface, users: Collection[User]) -> None:
    """Let exactly these get it, from tomorrow on. Needs a scope."""
    chosen = DigestReader.objects.filter(interface=interface)
    chosen.exclude(user__in=users).delete()
    known = set(chosen.values_list("user_id", flat=True))
    DigestReader.objects.bulk_create(
        [
            DigestReader(interface=interface, user=one, sent_on=timezone.localdate())
            for one in users
            if one.pk not in known
        ],
        ignore_conflicts=True,
    )


def mail_all() -> int:
    """Mail every digest that is due; how many left. Not for use inside `acting_for`."""
    sent = 0
    practices = Practice.objects.in_bulk(mails.practices())
    with Post() as post:
        for practice in practices.values():
            try:
                sent += mail(practice=practice, post=post)
            except MailAway as away:
                log.warning("digests wait, no mail server error=%s", away)
                return sent
            except Exception:
                log.exception("digests not mailed practice=%s", practice.pk)
    return sent


def mail(*, practice: Practice, post: Post) -> int:
    """The same for one practice. Raises MailAway."""
    zone = zoneinfo.ZoneInfo(practice.time_zone)
    now = timezone.now().astimezone(zone)
    if now.hour < settings.DIGEST_HOUR:
        return 0
    today, sent = now.date(), 0
    due = Q(sent_on__isnull=True) | Q(sent_on__lt=today)
    with acting_for(practice.pk):
        waiting = list(DigestReader.objects.filter(due).values_list("user", flat=True).distinct())
    for user_id in sorted(waiting):
        post.ready()
        with acting_for(practice.pk), timezone.override(zone):
            rows = DigestReader.objects.filter(due, user=user_id).order_by("pk")
            # Two workers at once: the second one waits here, and then finds none.
            ours = list(rows.select_for_update(of=("self",), no_key=True).select_related("user"))
            DigestReader.objects.filter(pk__in=[one.pk for one in ours]).update(sent_on=today)
            digest = _digest(practice, ours, today) if ours else None
        if digest is None:
            continue
        try:
            post.send(digest)
            sent += 1
        except NotSent as error:
            log.warning("digest put off practice=%s error=%s", practice.pk, error)
            with acting_for(practice.pk):
                for one in ours:
                    again = DigestReader.objects.filter(pk=one.pk, sent_on=today)
                    again.update(sent_on=one.sent_on)
    return sent


def _digest(practice: Practice, readers: Sequence[DigestReader], today: date) -> Mail | None:
    """What failed since each was sent last, in one mail; None where nothing did."""
    user = readers[0].user
    if not can_read(practice).filter(pk=user.pk).exists():
        return None
    since = {one.interface_id: one.sent_on or today - timedelta(days=1) for one in readers}
    interfaces = AccountingInterface.objects.filter(pk__in=since, rehearsal_token="")
    parts, failed = [], 0
    for interface in interfaces.order_by("name"):
        first, last = _begins(since[interface.pk]), _begins(today)
        uploads = list(_failed(interface, first, last))
        if uploads:
            failed += len(uploads)
            told = held_up.listed(held_up.by_cause(uploads))
            parts.append(f"{interface}: {held_up.sum_told(uploads)}\n{told}")
    if not parts:
        return None
    page = mails.address_of(reverse("invoicing:batches", args=[practice.slug]))
    begun = date_format(_begins(min(since.values())), "j F, H:i")
    return Mail(
        to=user.email,
        subject=f"{practice}: {counted(failed, 'upload')} failed",
        body="\n\n".join([f"What failed since {begun} and still waits for somebody:", *parts])
        + f"\n\nLook at the batches: {page}\n",
    )


def _failed(interface: AccountingInterface, first: datetime, last: datetime) -> QuerySet[Upload]:
    moves = UploadEvent.objects.filter(
        upload=OuterRef("pk"), after__in=FAILED, at__gte=first, at__lt=last
    )
    rows = Upload.objects.filter(Exists(moves), ~went_on(), interface=interface, state__in=FAILED)
    return rows.select_related("invoice").defer("document").order_by("pk")


def _begins(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(settings.DIGEST_HOUR)))
