"""The summary of a finished batch: on its page, and one mail to whoever clicked.

The mail goes out when the batch is finished for the first time, once, whatever is retried later.
"""

import logging
from datetime import datetime, timedelta

from django.urls import reverse

from interfaces import clock
from interfaces.common_settings import MAIL_SUMMARY
from interfaces.models import AccountingInterface
from invoicing import held_up, mails, selectors
from invoicing.mails import Mail, MailAway, NotSent, Post
from invoicing.models import Batch
from invoicing.selectors import Standing
from invoicing.words import besides_told, money
from offices.models import Membership, Practice, Role
from offices.tenancy import acting_for, current_practice_id

log = logging.getLogger("invoicing.summaries")

# While a mail server is away, or puts off what it is given, it is tried for so long.
GIVE_UP = timedelta(hours=6)
# Of one practice in one run.
MOST = 100


def told(standing: Standing) -> str:
    """`37 of 40 sent (NZD 41,230.00 incl tax), 3 refused.`"""
    sums = ", ".join(f"{one.currency} {money(one.total)}" for one in standing.sent_totals)
    parts = [
        f"{standing.sent} of {standing.documents} {standing.through}"
        + (f" ({sums} incl tax)" if sums else "")
    ]
    counts = (
        (standing.warned, "with a warning"),
        (standing.refused, "refused"),
        (standing.needs_person, f"need{'s' if standing.needs_person == 1 else ''} a person"),
        (standing.aside, "set aside"),
        (standing.not_known, "not known: please check"),
    )
    parts += [f"{count} {words}" for count, words in counts if count]
    besides = besides_told(standing.besides)
    return ", ".join(parts) + (f"; {besides}." if besides else ".")


def mail_all() -> int:
    """Mail every summary that is due; how many left. Not for use inside `acting_for`."""
    sent = 0
    with Post() as post:
        for practice_id in mails.practices():
            try:
                sent += mail(practice_id=practice_id, post=post)
            except MailAway as away:
                log.warning("summaries wait, no mail server error=%s", away)
                return sent
            except Exception:
                log.exception("summaries not mailed practice=%s", practice_id)
    return sent


def mail(*, practice_id: int, post: Post) -> int:
    """The same for one practice. Raises MailAway."""
    with acting_for(practice_id):
        due = Batch.objects.filter(finished_at__isnull=False, mailed_at__isnull=True)
        waiting = list(due.order_by("finished_at").values_list("pk", "finished_at")[:MOST])
    sent = 0
    for pk, finished_at in waiting:
        late = finished_at is None or clock.now() - finished_at > GIVE_UP
        if late:
            log.error("summary given up practice=%s batch=%s", practice_id, pk)
        else:
            post.ready()
        with acting_for(practice_id):
            moment = clock.now()
            summary = _claim(pk, moment)
        if summary is None or late:
            continue
        try:
            post.send(summary)
            sent += 1
        except NotSent as error:
            log.warning("summary put off practice=%s batch=%s error=%s", practice_id, pk, error)
            with acting_for(practice_id):
                Batch.objects.filter(pk=pk, mailed_at=moment).update(mailed_at=None)
    return sent


def _claim(batch_id: int, moment: datetime) -> Mail | None:
    """The mail about the batch, which is ours to send; None where another has it, or nobody."""
    due = Batch.objects.filter(pk=batch_id, finished_at__isnull=False, mailed_at__isnull=True)
    if not due.update(mailed_at=moment):
        return None
    batch = Batch.objects.select_related("created_by").get(pk=batch_id)
    to = _reader(batch) if batch.is_of_invoices else ""
    standing = selectors.standing_of(batch) if to else None
    if not to or not standing or not standing.documents:
        return None
    return _mail(batch, standing, to=to)


def _reader(batch: Batch) -> str:
    """Who clicked, if they still may, and are to be told; a trial before going live is not."""
    user = batch.created_by
    if user is None or not user.is_active:
        return ""
    membership = Membership.objects.filter(practice=current_practice_id(), user=user).first()
    if membership is None or not Role(membership.role).includes(Role.ACCOUNTS):
        return ""
    through = AccountingInterface.objects.filter(
        uploads__batch=batch, rehearsal_token="", live_since__isnull=False
    )
    wanted = any(one.preference(MAIL_SUMMARY) for one in through.distinct())
    return user.email if wanted else ""


def _mail(batch: Batch, standing: Standing, *, to: str) -> Mail:
    practice = Practice.objects.get(pk=current_practice_id())
    page = mails.address_of(reverse("invoicing:batch", args=[practice.slug, batch.number]))
    errors = selectors.errors_of(batch).select_related("invoice")
    held = held_up.listed(held_up.by_cause(errors))
    parts = [
        f"{batch} is finished: {told(standing)}",
        f"What is to be done:\n{held}" if held else "",
        f"Look at the batch: {page}\n",
    ]
    return Mail(
        to=to,
        subject=f"{batch} of {practice}: {standing.sent} of {standing.documents} sent",
        body="\n\n".join(one for one in parts if one),
    )
