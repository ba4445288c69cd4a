"""Whatever lasts longer than its limit is told, once, until it is over."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache

from interfaces.models import AccountingInterface, Lane
from invoicing import lateness, notices, tasks
from invoicing.models import Exchange, Invoice, Notice, Upload
from invoicing.uploads.states import State
from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_job,
    make_office,
    make_practice,
    make_setting,
)
from tests.invoicing.late import DAY, LONG_AGO, ago, make_batch_for, make_late, move
from tests.invoicing.pages import counted_queries
from tests.invoicing.scene import make_step, make_upload

Kind = Notice.Kind
# Nothing more is to happen to these. A state added later is told of, or is put here on purpose.
OVER = {State.SENT, State.PARKED, State.CANCELLED, State.VOIDED}
HOUR = timedelta(hours=1)


@pytest.fixture
def interface(practice: Practice) -> Iterator[AccountingInterface]:
    """A connected interface whose codes and payments were read just now."""
    with acting_for(practice.pk):
        yield make_interface(payments_read_at=ago(HOUR))


def late(interface: AccountingInterface) -> dict[str, int]:
    """The kinds of lateness at the interface, and how many uploads each."""
    fresh = AccountingInterface.objects.select_related("lane").get(pk=interface.pk)
    return {one.kind: one.uploads for one in lateness.late_at([fresh])}


def lane(interface: AccountingInterface, **fields: Any) -> None:
    Lane.objects.filter(interface=interface).update(**fields)


def lose(interface: AccountingInterface, since: timedelta) -> None:
    """The consent was lost that long ago."""
    AccountingInterface.objects.filter(pk=interface.pk).update(
        state=AccountingInterface.State.NEEDS_CONSENT, state_changed_at=ago(since)
    )


def test_every_state_says_what_can_be_late_in_it() -> None:
    assert set(lateness.KINDS) == set(State)
    assert {state for state, kinds in lateness.KINDS.items() if not kinds} == OVER
    of_uploads = set().union(*lateness.KINDS.values())
    assert of_uploads == set(Kind) - {Kind.PAYMENTS, Kind.CODES}
    assert all(lateness.limit_of(kind) is not None for kind in Kind)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("connected", [True, False])
def test_no_upload_stays_anywhere_for_good_without_a_notice(
    interface: AccountingInterface, state: State, connected: bool
) -> None:
    if not connected:
        lose(interface, LONG_AGO)
    make_late(interface, state)
    found = late(interface)
    assert set(found) <= lateness.KINDS[state]
    assert set(found.values()) == (set() if state in OVER else {1})


@pytest.mark.parametrize("state", State)
def test_what_has_only_just_come_into_a_state_is_not_late(
    interface: AccountingInterface, state: State
) -> None:
    soon = ago(-HOUR)
    make_late(interface, state, timedelta(0), due=soon, lease_until=soon)
    assert late(interface) == {}


# --- Due, and taken by nobody --------------------------------------------------------------------


def test_what_is_due_and_taken_by_nobody_is_late_after_ten_minutes(
    interface: AccountingInterface,
) -> None:
    make_late(interface, State.QUEUED, timedelta(minutes=11))
    make_late(interface, State.QUEUED, timedelta(minutes=9))
    make_late(interface, State.UNKNOWN, timedelta(minutes=12))
    assert late(interface) == {Kind.NOT_TAKEN: 2}


@pytest.mark.parametrize("field", ["lease_until", "hold_until", "open_until"])
def test_what_somebody_has_in_hand_or_is_to_leave_alone_is_not_late(
    interface: AccountingInterface, field: str
) -> None:
    make_late(interface, State.QUEUED, HOUR)
    lane(interface, **{field: ago(-HOUR)})
    assert late(interface) == {}


def test_a_long_queue_that_is_being_sent_is_not_late(interface: AccountingInterface) -> None:
    make_late(interface, State.QUEUED, HOUR)
    Exchange.objects.create(interface=interface, method="PUT", path="/", body=b"")
    assert late(interface) == {}


def test_an_invoice_behind_its_contact_is_not_counted_as_not_taken(
    interface: AccountingInterface,
) -> None:
    invoice = make_late(interface, State.QUEUED, HOUR).invoice
    assert invoice
    Upload.objects.create(
        interface=interface,
        batch=make_batch_for(900),
        kind=Upload.Kind.CONTACT,
        client=invoice.client,
        due=ago(-HOUR),
    )
    assert late(interface) == {}


# --- Waiting, and tried in vain ------------------------------------------------------------------


def test_what_is_tried_again_and_again_is_late_after_a_day(interface: AccountingInterface) -> None:
    soon = ago(-HOUR)
    make_late(interface, State.QUEUED, 25 * HOUR, due=soon, tries=9)
    make_late(interface, State.QUEUED, 23 * HOUR, due=soon, tries=9)
    # Being tried at this very moment it has not stopped waiting.
    make_late(interface, State.SENDING, 25 * HOUR, lease_until=soon)
    assert late(interface) == {Kind.WAITING: 2}


def test_time_counts_anew_after_a_person_has_sent_it_again(
    interface: AccountingInterface,
) -> None:
    soon = ago(-HOUR)
    sent_again = make_late(interface, State.QUEUED, 9 * DAY, due=soon)
    move(sent_again, State.REFUSED, State.QUEUED, HOUR)
    assert late(interface) == {}
    # Whatever the machine moves meanwhile is no new beginning.
    looked_up = make_late(interface, State.QUEUED, 9 * DAY, due=soon)
    move(looked_up, State.UNKNOWN, State.QUEUED, HOUR)
    assert late(interface) == {Kind.WAITING: 1}


def test_what_is_given_up_is_told_at_once(interface: AccountingInterface, settings: Any) -> None:
    tried = {"waiting_since": ago(5 * DAY), "code": ""}
    make_late(interface, State.NEEDS_PERSON, HOUR, **tried)
    looked = {"unknown_since": ago(DAY), "lookups": len(settings.UPLOAD_LOOKUP_SECONDS)}
    make_late(interface, State.NEEDS_PERSON, HOUR, **looked)
    assert late(interface) == {Kind.GIVEN_UP: 2}


def test_what_clashed_was_not_given_up(interface: AccountingInterface) -> None:
    make_late(interface, State.NEEDS_PERSON, HOUR, waiting_since=ago(HOUR), code="conflict")
    assert late(interface) == {}


# --- In hand, and not known ----------------------------------------------------------------------


def test_what_is_in_hand_beyond_its_lease_is_late(interface: AccountingInterface) -> None:
    lane(interface, lease_until=ago(-HOUR))
    for state in (State.CLAIMED, State.SENDING):
        make_late(interface, state, HOUR, lease_until=ago(timedelta(seconds=310)))
        make_late(interface, state, HOUR, lease_until=ago(timedelta(seconds=290)))
    assert late(interface) == {Kind.HELD: 2}


def test_what_is_not_known_is_late_when_all_look_ups_should_be_over(
    interface: AccountingInterface, settings: Any
) -> None:
    soon = ago(-HOUR)
    settings.UPLOAD_LOOKUP_SECONDS = [60, 3600]
    make_late(interface, State.UNKNOWN, timedelta(seconds=7300), due=soon)
    make_late(interface, State.UNKNOWN, timedelta(seconds=7200), due=soon)
    assert late(interface) == {Kind.CHECKING: 1}


def test_what_goes_round_between_sending_and_looking_has_not_stopped_waiting(
    interface: AccountingInterface,
) -> None:
    """Each time proven absent, each time without an answer: nobody may forget it for that."""
    soon = ago(-HOUR)
    upload = make_late(interface, State.UNKNOWN, 25 * HOUR, due=soon)
    assert late(interface) == {}
    move(upload, State.UNKNOWN, State.QUEUED, 2 * HOUR)
    move(upload, State.SENDING, State.UNKNOWN, HOUR)
    assert late(interface) == {Kind.WAITING: 1}


def test_a_repeated_call_does_not_make_it_known(interface: AccountingInterface) -> None:
    upload = make_late(interface, State.UNKNOWN, 2 * DAY, due=ago(-HOUR))
    move(upload, State.UNKNOWN, State.SENDING, HOUR)
    move(upload, State.SENDING, State.UNKNOWN, HOUR)
    assert late(interface) == {Kind.CHECKING: 1, Kind.WAITING: 1}
    # Proven absent it was known for a moment.
    move(upload, State.UNKNOWN, State.QUEUED, HOUR)
    move(upload, State.SENDING, State.UNKNOWN, HOUR)
    assert late(interface) == {Kind.WAITING: 1}


def test_looking_again_begins_its_own_time(interface: AccountingInterface) -> None:
    upload = make_late(
        interface, State.UNKNOWN, 9 * DAY, due=ago(-HOUR), unknown_since=ago(9 * DAY)
    )
    move(upload, State.UNKNOWN, State.NEEDS_PERSON, 8 * DAY)
    move(upload, State.NEEDS_PERSON, State.UNKNOWN, HOUR)
    assert late(interface) == {}


# --- What waits for people -----------------------------------------------------------------------


def test_uploads_behind_a_lost_consent_are_late_once_both_have_lasted(
    interface: AccountingInterface,
) -> None:
    make_late(interface, State.QUEUED, 9 * DAY)
    make_late(interface, State.UNKNOWN, 26 * HOUR)
    lose(interface, 23 * HOUR)
    assert late(interface) == {}
    lose(interface, 25 * HOUR)
    fresh = AccountingInterface.objects.select_related("lane").get(pk=interface.pk)
    (found,) = [one for one in lateness.late_at([fresh]) if one.kind == Kind.NO_CONSENT]
    assert (found.uploads, found.since) == (2, fresh.state_changed_at)


def test_an_interface_nothing_waits_for_may_stay_without_consent(
    interface: AccountingInterface,
) -> None:
    lose(interface, LONG_AGO)
    make_late(interface, State.SENT)
    assert late(interface) == {}


def test_a_failure_nobody_touches_is_late_after_five_days(interface: AccountingInterface) -> None:
    make_late(interface, State.REFUSED, 6 * DAY)
    make_late(interface, State.NEEDS_PERSON, 6 * DAY, code="conflict")
    touched = make_late(interface, State.REFUSED, 6 * DAY)
    move(touched, State.REFUSED, State.REFUSED, 4 * DAY)
    assert late(interface) == {Kind.UNTOUCHED: 2}


def test_a_failure_that_is_being_mended_is_not_left(interface: AccountingInterface) -> None:
    upload = make_late(interface, State.REFUSED)
    assert upload.invoice
    Invoice.objects.filter(pk=upload.invoice.pk).update(status=Invoice.Status.DRAFT)
    replaced = make_late(interface, State.REFUSED)
    Upload.objects.create(
        interface=interface, batch=make_batch_for(901), kind=replaced.kind, invoice=replaced.invoice
    )
    assert late(interface) == {}


def test_a_contact_that_failed_is_told_like_an_invoice(interface: AccountingInterface) -> None:
    Upload.objects.create(
        interface=interface,
        batch=make_batch_for(900),
        kind=Upload.Kind.CONTACT,
        client=make_client(),
        state=State.REFUSED,
        created_at=ago(6 * DAY),
    )
    assert late(interface) == {Kind.UNTOUCHED: 1}


# --- What is read --------------------------------------------------------------------------------


def test_codes_and_payments_that_are_not_read_are_late(interface: AccountingInterface) -> None:
    rows = AccountingInterface.objects.filter(pk=interface.pk)
    rows.update(codes_read_at=ago(49 * HOUR), payments_read_at=ago(25 * HOUR))
    rows.update(state_changed_at=ago(LONG_AGO))
    assert late(interface) == {Kind.CODES: 0, Kind.PAYMENTS: 0}
    rows.update(codes_read_at=ago(47 * HOUR), payments_read_at=ago(23 * HOUR))
    assert late(interface) == {}


def test_what_was_never_read_is_late_from_the_connection_on(
    interface: AccountingInterface,
) -> None:
    rows = AccountingInterface.objects.filter(pk=interface.pk)
    rows.update(codes_read_at=None, payments_read_at=None, state_changed_at=ago(HOUR))
    assert late(interface) == {}
    rows.update(state_changed_at=ago(LONG_AGO))
    assert late(interface) == {Kind.CODES: 0, Kind.PAYMENTS: 0}


def test_nothing_is_read_from_where_nobody_has_signed_in(interface: AccountingInterface) -> None:
    rows = AccountingInterface.objects.filter(pk=interface.pk)
    rows.update(codes_read_at=None, payments_read_at=None)
    lose(interface, LONG_AGO)
    assert late(interface) == {}


# --- Raised, and cleared -------------------------------------------------------------------------


@pytest.fixture
def firm(practice: Practice) -> tuple[Practice, AccountingInterface]:
    """A practice whose one upload waits, due for an hour."""
    with acting_for(practice.pk):
        interface = make_interface(payments_read_at=ago(HOUR))
        make_late(interface, State.QUEUED, HOUR)
        lane(interface, due=ago(HOUR))
    return practice, interface


def standing() -> list[tuple[str, int]]:
    return [(one.kind, one.uploads) for one in notices.open_notices()]


def test_a_notice_is_raised_once_and_kept_up_to_date_while_it_lasts(
    firm: tuple[Practice, AccountingInterface], caplog: pytest.LogCaptureFixture
) -> None:
    practice, interface = firm
    with caplog.at_level(logging.ERROR):
        tasks.watch()
        tasks.watch()
    assert standing() == [(Kind.NOT_TAKEN, 1)]
    (told,) = [one for one in caplog.records if one.name == "invoicing.notices"]
    assert told.levelno == logging.ERROR
    assert f"kind=not_taken practice={practice.pk} interface={interface.pk} uploads=1" in (
        told.getMessage()
    )
    with acting_for(practice.pk):
        make_late(interface, State.QUEUED, 2 * HOUR)
    notices.watch()
    (notice,) = notices.open_notices()
    assert notice.uploads == 2
    assert notice.since < ago(HOUR + timedelta(minutes=59))


def test_a_notice_is_cleared_when_it_is_over_and_may_come_again(
    firm: tuple[Practice, AccountingInterface],
) -> None:
    practice, interface = firm
    notices.watch()
    lane(interface, due=None)  # nothing moves any more, and still it is looked at
    with acting_for(practice.pk):
        Upload.objects.update(state=State.CANCELLED)
    notices.watch()
    assert standing() == []
    assert Notice.objects.get().cleared_at is not None
    with acting_for(practice.pk):
        Upload.objects.update(state=State.QUEUED)
    lane(interface, due=ago(HOUR))
    notices.watch()
    assert standing() == [(Kind.NOT_TAKEN, 1)]
    assert Notice.objects.count() == 2


def test_where_nothing_moves_it_is_looked_at_with_everything(
    firm: tuple[Practice, AccountingInterface],
) -> None:
    practice, interface = firm
    with acting_for(practice.pk):
        Upload.objects.update(state=State.REFUSED, created_at=ago(LONG_AGO))
        make_late(interface, State.REFUSED)
    lane(interface, due=None)
    notices.watch()
    assert standing() == []
    tasks.watch_all()
    assert standing() == [(Kind.UNTOUCHED, 1)]


def test_a_notice_tells_no_secret_and_no_client(
    firm: tuple[Practice, AccountingInterface], caplog: pytest.LogCaptureFixture
) -> None:
    names = {field.name for field in Notice._meta.get_fields()}
    assert names == {
        *("id", "practice", "interface", "kind", "since", "uploads", "oldest_upload"),
        *("oldest_batch", "last_contact", "raised_at", "cleared_at"),
    }
    practice, _ = firm
    with caplog.at_level(logging.DEBUG, logger="invoicing.notices"):
        notices.watch()
    with acting_for(practice.pk):
        invoice = Invoice.objects.select_related("client").get()
    assert caplog.text
    assert invoice.number not in caplog.text
    assert invoice.client.name not in caplog.text


def test_a_practice_that_cannot_be_looked_at_hides_no_other(
    practice: Practice, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = practice, make_practice("Whole")
    for one, key in ((broken, "gone"), (whole, "xero")):
        with acting_for(one.pk):
            interface = make_interface(payments_read_at=ago(HOUR))
            AccountingInterface.objects.filter(pk=interface.pk).update(package_key=key)
            make_late(interface, State.QUEUED, HOUR)
            lane(interface, due=ago(HOUR))
    notices.watch()
    assert standing() == [(Kind.NOT_TAKEN, 1)]
    assert f"notices not looked at practice={broken.pk}" in caplog.text


@pytest.mark.parametrize("kind", [Kind.WAITING, Kind.NOT_TAKEN, Kind.NO_CONSENT, Kind.CHECKING])
def test_what_waits_behind_a_late_contact_or_job_is_counted_with_it(
    practice: Practice, kind: Kind
) -> None:
    with acting_for(practice.pk):
        interface = make_interface()
        if kind == Kind.NO_CONSENT:
            lose(interface, LONG_AGO)
        office = make_office(make_setting(interface))
        batch, job = make_batch_for(7), make_job(make_client())
        of_kind: dict[Kind, dict[str, Any]] = {
            Kind.WAITING: {"created_at": ago(2 * DAY), "due": ago(-HOUR)},
            Kind.NO_CONSENT: {"created_at": ago(2 * DAY)},
            Kind.NOT_TAKEN: {"due": ago(HOUR)},
            Kind.CHECKING: {"state": State.UNKNOWN, "unknown_since": ago(LONG_AGO)},
        }
        fields = of_kind[kind]
        step = make_step(batch, interface, client=job.client, **fields)
        make_step(batch, interface, job=job, **fields)
        # Young themselves, and elsewhere or through with it they would not wait.
        for _ in range(3):
            make_upload(batch, make_invoice(office, job.client, job=job))
        make_upload(batch, make_invoice(office, make_client()))
        make_upload(batch, make_invoice(office, job.client), State.CANCELLED)
        fresh = AccountingInterface.objects.select_related("lane").get(pk=interface.pk)
        [found] = [one for one in lateness.late_at([fresh]) if one.kind == kind]
    assert found.uploads == 2 + 3
    assert (found.oldest_upload, found.oldest_batch) == (step.pk, 7)


def test_it_is_known_when_notices_were_last_looked_at(practice: Practice) -> None:
    cache.clear()
    assert notices.looked_at() is None
    notices.watch()
    at = notices.looked_at()
    assert at is not None
    assert at <= ago(timedelta(0))


def test_looking_costs_the_same_however_many_uploads_there_are(
    firm: tuple[Practice, AccountingInterface],
) -> None:
    practice, interface = firm
    notices.watch()
    with counted_queries() as few:
        notices.watch()
    with acting_for(practice.pk):
        for _ in range(20):
            make_late(interface, State.QUEUED, HOUR)
            make_late(interface, State.REFUSED)
    notices.watch()
    with counted_queries() as many:
        notices.watch()
    assert standing() == [(Kind.UNTOUCHED, 20), (Kind.NOT_TAKEN, 21)]
    # Two to find the oldest and when the package last answered, for the notice that came beside.
    assert len(many) <= len(few) + 2


def test_a_practice_at_rest_costs_nothing(practice: Practice) -> None:
    with counted_queries() as without:
        notices.watch()
    with acting_for(practice.pk):
        lane(make_interface(), due=None)
    with counted_queries() as made:
        notices.watch()
    assert made == without
