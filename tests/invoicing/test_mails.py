"""The mail about a finished batch, and the daily one of what failed."""

import smtplib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from interfaces.models import AccountingInterface
from interfaces.preferences import save_preferences
from invoicing import digests, summaries
from invoicing.mails import Post
from invoicing.models import Batch, DigestReader, Upload
from offices.models import AuditEntry, Membership, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_member,
    make_office,
    make_practice,
    make_setting,
)
from tests.invoicing.pages import client_of, said, text_of, url
from tests.invoicing.scene import make_batch, make_upload

pytestmark = pytest.mark.django_db

ARCHIVED = "account 260 is archived in Xero."
STEP = "Choose another account, or restore 260 in Xero. Then retry."
# Six in the morning of a Friday in Auckland.
NOW = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def person(practice: Practice) -> User:
    """Who uploads."""
    return make_member(practice, Role.ACCOUNTS, "ben@harbour.example")


@pytest.fixture
def interface(practice: Practice) -> AccountingInterface:
    """What is uploaded through."""
    with acting_for(practice.pk):
        return make_interface(name="Xero Auckland")


@pytest.fixture
def upload(practice: Practice, interface: AccountingInterface) -> Callable[..., Upload]:
    """One more upload of a new invoice of 1,150.00."""
    with acting_for(practice.pk):
        office, client = make_office(make_setting(interface)), make_client()

    def made(batch: Batch, state: str = "sent", **fields: Any) -> Upload:
        with acting_for(practice.pk):
            invoice = make_invoice(office, client)
            if state == "refused":
                fields = {
                    "reason": f"Invoice {invoice}, line 1: {ARCHIVED}",
                    "next_step": STEP,
                    **fields,
                }
            return make_upload(batch, invoice, state, **fields)

    return made


@pytest.fixture
def finished(practice: Practice, person: User, upload: Callable[..., Upload]) -> Batch:
    """A batch of three, of which two are refused for one reason."""
    with acting_for(practice.pk):
        batch = make_batch(7, actor=person, finished=True)
    for state in ("sent", "refused", "refused"):
        upload(batch, state)
    return batch


def mailed(batch: Batch) -> bool:
    """Whether nothing more is to be mailed about the batch."""
    with acting_for(batch.practice_id):
        return Batch.objects.get(pk=batch.pk).mailed_at is not None


def test_whoever_clicked_gets_one_mail_with_each_cause_once(
    finished: Batch, practice: Practice, settings: Any
) -> None:
    assert summaries.mail_all() == 1
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (
        ["ben@harbour.example"],
        "Batch 7 of Harbour Architects: 1 of 3 sent",
    )
    assert sent.body == (
        "Batch 7 is finished: 1 of 3 sent (NZD 1,150.00 incl tax), 2 refused.\n\n"
        "What is to be done:\n"
        f"- Account 260 is archived in Xero: 2 invoices, NZD 2,300.00. {STEP}\n\n"
        f"Look at the batch: {settings.SITE_URL}{url(practice, 'batches/7/')}\n"
    )
    assert summaries.mail_all() == 0
    with acting_for(practice.pk):
        Batch.objects.update(finished_at=timezone.now())
    assert summaries.mail_all() == 0


def test_a_batch_that_still_moves_is_not_mailed_of(finished: Batch, practice: Practice) -> None:
    with acting_for(practice.pk):
        Batch.objects.update(finished_at=None)
    assert summaries.mail_all() == 0
    assert not mailed(finished)


@pytest.mark.parametrize(
    "why", ["viewer", "left", "inactive", "preference", "rehearsal", "not live", "on commit"]
)
def test_nobody_is_mailed_who_need_not_or_may_not_know(
    finished: Batch, practice: Practice, person: User, interface: AccountingInterface, why: str
) -> None:
    with acting_for(practice.pk):
        chosen = AccountingInterface.objects.filter(pk=interface.pk)
        if why == "viewer":
            Membership.objects.filter(user=person).update(role=Role.VIEWER)
        elif why == "left":
            Membership.objects.filter(user=person).delete()
        elif why == "inactive":
            User.objects.filter(pk=person.pk).update(is_active=False)
        elif why == "preference":
            save_preferences(interface, {"mail_summary": False})
        elif why == "rehearsal":
            chosen.update(rehearsal_token="t")
        elif why == "not live":
            chosen.update(live_since=None)
        else:
            Batch.objects.update(created_by=None, origin="commit")
    assert summaries.mail_all() == 0
    assert mail.outbox == []
    assert mailed(finished)


def test_a_mail_server_that_is_away_is_tried_again_and_given_up_at_last(
    finished: Batch, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Any) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patched:
        patched.setattr(EmailBackend, "open", away)
        assert summaries.mail_all() == 0
        assert not mailed(finished)
        with acting_for(practice.pk):
            Batch.objects.filter(pk=finished.pk).update(finished_at=timezone.now() - 7 * HOUR)
        assert summaries.mail_all() == 0
    assert mailed(finished)
    with acting_for(practice.pk):
        Batch.objects.update(mailed_at=None, finished_at=timezone.now() - 2 * HOUR)
    assert summaries.mail_all() == 1


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (smtplib.SMTPDataError(451, b"later"), True),
        (smtplib.SMTPRecipientsRefused({"ben@harbour.example": (450, b"later")}), True),
        (smtplib.SMTPRecipientsRefused({"ben@harbour.example": (550, b"nobody")}), False),
        (smtplib.SMTPServerDisconnected(), False),
        (TimeoutError(), False),
    ],
)
def test_only_what_surely_did_not_leave_is_mailed_again(
    finished: Batch, monkeypatch: pytest.MonkeyPatch, error: Exception, again: bool
) -> None:
    def fail(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(EmailBackend, "send_messages", fail)
        summaries.mail_all()
    assert mailed(finished) is not again
    assert summaries.mail_all() == int(again)


@pytest.mark.parametrize(
    ("error", "left"),
    [(smtplib.SMTPServerDisconnected(), 1), (smtplib.SMTPDataError(421, b"enough"), 2)],
)
def test_a_server_that_hangs_up_is_called_again_for_the_mail_that_follows(
    finished: Batch,
    practice: Practice,
    person: User,
    upload: Callable[..., Upload],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    left: int,
) -> None:
    with acting_for(practice.pk):
        other = make_batch(8, actor=person, finished=True)
    upload(other, "sent")
    real = EmailBackend.send_messages
    gone: list[EmailBackend] = []

    def hang_up(self: EmailBackend, messages: Any) -> int:
        if not gone or self in gone:
            gone.append(self)
            raise error
        return real(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", hang_up)
    summaries.mail_all()
    summaries.mail_all()
    assert len(mail.outbox) == left


def test_two_workers_at_once_mail_once(
    finished: Batch, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = Post.ready

    def meanwhile(post: Post) -> None:
        monkeypatch.setattr(Post, "ready", ready)
        post.ready()
        summaries.mail_all()

    monkeypatch.setattr(Post, "ready", meanwhile)
    assert summaries.mail_all() == 0
    assert len(mail.outbox) == 1


def test_one_practice_that_breaks_does_not_keep_others_from_their_mail(
    finished: Batch, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make_practice("Broken")
    monkeypatch.setattr("invoicing.mails.practices", lambda: [before.pk, practice.pk])
    real = summaries.mail

    def breaks(*, practice_id: int, post: Any) -> int:
        if practice_id == before.pk:
            raise ValueError
        return real(practice_id=practice_id, post=post)

    monkeypatch.setattr(summaries, "mail", breaks)
    assert summaries.mail_all() == 1


# --- The daily mail ------------------------------------------------------------------------------


def failed_at(at: datetime, upload: Callable[..., Upload], batch: Batch, **fields: Any) -> Upload:
    """One that failed at that moment."""
    with time_machine.travel(at, tick=False):
        return upload(batch, "refused", **fields)


def reads(interface: AccountingInterface, user: User, since: date | None = None) -> None:
    """That person gets the daily mail, and had the last one on that day."""
    with acting_for(interface.practice_id):
        DigestReader.objects.create(interface=interface, user=user, sent_on=since)


def digested(at: datetime) -> list[str]:
    """What the mails say that go out then."""
    mail.outbox.clear()
    with time_machine.travel(at, tick=False):
        digests.mail_all()
    return [str(one.body) for one in mail.outbox]


def test_the_daily_mail_lists_each_cause_with_count_and_value_once_a_day(
    practice: Practice,
    person: User,
    interface: AccountingInterface,
    upload: Callable[..., Upload],
    settings: Any,
) -> None:
    with acting_for(practice.pk):
        batch, other = make_batch(7), make_interface(name="Xero Wellington")
    for moment in (NOW - 3 * HOUR, NOW - 3 * HOUR, NOW - 2 * DAY):
        failed_at(moment, upload, batch)
    failed_at(NOW - 4 * HOUR, upload, batch, interface=other)
    reads(interface, person)
    reads(other, person)
    # It is six there; nobody is woken for it.
    assert digested(NOW) == []
    [body] = digested(NOW + HOUR)
    cause = "- Account 260 is archived in Xero: "
    assert body == (
        "What failed since 19 November, 07:00 and still waits for somebody:\n\n"
        f"Xero Auckland: 2 invoices, NZD 2,300.00\n{cause}2 invoices, NZD 2,300.00. {STEP}\n\n"
        f"Xero Wellington: 1 invoice, NZD 1,150.00\n{cause}1 invoice, NZD 1,150.00. {STEP}\n\n"
        f"Look at the batches: {settings.SITE_URL}{url(practice, 'batches/')}\n"
    )
    assert digested(NOW + 2 * HOUR) == []
    # What failed after the hour is told the next day, and nothing twice.
    failed_at(NOW + 3 * HOUR, upload, batch)
    [later] = digested(NOW + DAY + HOUR)
    assert "Xero Auckland: 1 invoice, NZD 1,150.00" in later
    assert digested(NOW + 2 * DAY + HOUR) == []


@pytest.mark.parametrize("why", ["retried", "left", "viewer", "rehearsal"])
def test_nothing_is_mailed_of_what_is_over_or_to_those_who_may_not_know(
    practice: Practice,
    person: User,
    interface: AccountingInterface,
    upload: Callable[..., Upload],
    why: str,
) -> None:
    with acting_for(practice.pk):
        batch = make_batch(7)
    failed = failed_at(NOW - HOUR, upload, batch)
    reads(interface, person)
    with acting_for(practice.pk):
        if why == "retried":
            Upload.objects.filter(pk=failed.pk).update(state="queued", due=timezone.now())
        elif why == "rehearsal":
            AccountingInterface.objects.filter(pk=interface.pk).update(rehearsal_token="t")
        elif why == "viewer":
            Membership.objects.filter(user=person).update(role=Role.VIEWER)
        else:
            Membership.objects.filter(user=person).delete()
    assert digested(NOW + HOUR) == []


def test_a_daily_mail_that_is_put_off_comes_later_the_same_day_and_once(
    practice: Practice,
    person: User,
    interface: AccountingInterface,
    upload: Callable[..., Upload],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with acting_for(practice.pk):
        batch = make_batch(7)
    failed_at(NOW - HOUR, upload, batch)
    reads(interface, person, date(2026, 11, 19))

    def fail(*_: Any) -> None:
        raise smtplib.SMTPDataError(451, b"later")

    with monkeypatch.context() as patched:
        patched.setattr(EmailBackend, "send_messages", fail)
        assert digested(NOW + HOUR) == []
    assert len(digested(NOW + 2 * HOUR)) == 1
    assert digested(NOW + 3 * HOUR) == []


def test_an_admin_chooses_who_gets_the_daily_mail(
    practice: Practice, person: User, interface: AccountingInterface
) -> None:
    admin = make_member(practice, Role.ADMIN, "ana@harbour.example")
    viewer = make_member(practice, Role.VIEWER, "vi@harbour.example")
    stranger = make_member(make_practice("Elsewhere"), Role.ADMIN)
    browser = client_of(admin)
    page = browser.get(url(practice, f"interfaces/{interface.pk}/preferences/"))
    told = text_of(page)
    assert "Daily mail of what failed ana@harbour.example ben@harbour.example" in told
    assert "vi@harbour.example" not in told[told.index("Daily mail of") :]
    address = url(practice, f"interfaces/{interface.pk}/digest/")
    saved = browser.post(address, {"readers": [person.pk]}, follow=True)
    assert said(saved) == ["It is saved who gets the daily mail."]
    with acting_for(practice.pk):
        assert digests.readers_of(interface) == [person]
        # From tomorrow on: of today nothing was promised.
        assert DigestReader.objects.get().sent_on is not None
        entry = AuditEntry.objects.get(action="interface.digest_set")
    assert entry.detail["before"] == {"daily mail of what failed": []}
    assert entry.detail["after"] == {"daily mail of what failed": ["ben@harbour.example"]}
    for wrong in (viewer, stranger):
        refused = browser.post(address, {"readers": [wrong.pk]}, follow=True)
        assert "one of those chosen cannot get it any more" in said(refused)[0]
    browser.post(address, {})
    with acting_for(practice.pk):
        assert digests.readers_of(interface) == []
    assert client_of(person).post(address, {}).status_code == 403
