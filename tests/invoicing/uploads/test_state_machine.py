"""Whatever happens to uploads, in whatever order: none is lost, none doubled, nothing is guessed.

Hypothesis makes up what happens. UPLOAD_EXAMPLES=400 tries that many such stories, where `make
test` tries a few; one that fails is printed at its shortest.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Max, Min
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connectors.base.errors import ConnectorError
from interfaces import lanes
from interfaces.connections import regain
from interfaces.disconnecting import disconnect
from interfaces.models import AccountingInterface, Lane
from interfaces.standing import lose_consent
from invoicing.invoices import Refused, commit, uncommit
from invoicing.models import Attempt, Batch, ContactLink, Exchange, Invoice, Upload, UploadEvent
from invoicing.uploads import (
    CannotLink,
    CannotUnlink,
    cancel,
    enqueue,
    lane,
    link_existing,
    look_at,
    park,
    retry,
    unlink,
    unpark,
)
from invoicing.uploads.states import CONFLICT, DOCUMENTS, FAILED, State
from offices.tenancy import acting_for
from tests.factories import make_client, make_member, make_practice
from tests.faults.checker import Watched, check
from tests.invoicing.uploads import workers
from tests.invoicing.uploads.conftest import Desk, open_desk
from tests.invoicing.uploads.shop import SETTLE, Shop, Sort, package_of, ways_to_look
from tests.invoicing.uploads.till import Books
from tests.invoicing.uploads.workers import Fate, Stop, Worker

EXAMPLES = int(os.environ.get("UPLOAD_EXAMPLES", "15"))
STEPS = 20
MINUTE = timedelta(minutes=1)
# Longer than any lease here.
LEASE_OVER = timedelta(minutes=2)

# Most of it happens at one.
which_interface = st.sampled_from([0, 0, 0, 1])
# One of those that there are, whatever their number.
which = st.integers(0, 11)
new = st.integers(0, 2)
answer = st.sampled_from(sorted(Shop().ways()))
look = st.sampled_from(sorted(ways_to_look()))
place = st.sampled_from(workers.PLACES)
stop = st.builds(Stop, place, st.sampled_from([1, 1, 2]), st.sampled_from(Fate))


class Story(RuleBasedStateMachine):
    """One practice with two interfaces to Till, and all that may befall its invoices."""

    def __init__(self) -> None:
        super().__init__()
        self._story = transaction.atomic()
        self._story.__enter__()
        self._patch = pytest.MonkeyPatch()
        self.shop = Shop()
        self.desks: list[Desk] = []
        self.invoices: list[Invoice] = []
        self.clicked: set[int] = set()
        self.asleep: list[tuple[Worker, Desk, int]] = []
        self.broken: list[str] = []
        self.seen: tuple[int | None, ...] = ()

    @initialize(
        sort=st.sampled_from(Sort),
        per_call=st.sampled_from([3, 1]),
        linked=st.booleans(),
        number=st.integers(1, 3),
    )
    def begin(self, sort: Sort, per_call: int, linked: bool, number: int) -> None:
        """Whether the client's contact is known already decides whether it goes first."""
        self.shop.sort = sort
        self.shop.arrives = self._written
        workers.install(self._patch, self.shop, package=package_of(sort, per_call=per_call))
        self.practice = make_practice()
        self.user = make_member(self.practice)
        self.desks = [open_desk(self.practice, self.shop, self.user) for _ in range(2)]
        with self._acting():
            for desk in self.desks if linked else ():
                ContactLink.objects.create(
                    interface=desk.interface, client=desk.client, name="", remote_id="till-0"
                )
        self.invoices_are_clicked(at=0, number=number, twice=False, known=True)

    def teardown(self) -> None:
        """Let all come to its end, unless something was wrong before."""
        try:
            if sys.exc_info()[0] is None and self.desks:
                self._come_to_rest()
        finally:
            for worker, _, _ in self.asleep:
                worker.kill()
            self._patch.undo()
            transaction.set_rollback(True)
            self._story.__exit__(None, None, None)

    # What happens.

    @rule(at=which_interface, number=st.integers(1, 3), twice=st.booleans(), known=st.booleans())
    def invoices_are_clicked(self, at: int, number: int, twice: bool, known: bool) -> None:
        """New ones of one client; `twice` is a double click, `known` a client seen before."""
        desk = self.desks[at]
        with self._acting():
            client = desk.client if known else make_client()
        invoices = [desk.invoice(client=client) for _ in range(number)]
        self.invoices += invoices
        for _ in range(2 if twice else 1):
            self._click(invoices)

    @rule(first=which, number=st.integers(1, 4))
    def any_invoices_are_clicked(self, first: int, number: int) -> None:
        """Whatever has become of them."""
        first %= len(self.invoices)
        self._click(self.invoices[first : first + number])

    @rule(at=which_interface, new=new, waits=st.booleans(), answers=st.lists(answer, max_size=2))
    def a_worker_takes_a_turn(self, at: int, new: int, waits: bool, answers: list[str]) -> None:
        """At once, or when something is due; and the package does this at its next writes."""
        self._prepare(at, new, waits=waits, answers=answers)
        self._turn(self.desks[at])

    @rule(at=which_interface, new=new, place=place, answer=answer)
    def a_worker_is_overtaken(self, at: int, new: int, place: str, answer: str) -> None:
        """It falls asleep, its lease ends, somebody else works, and it wakes up."""
        self._prepare(at, new, waits=True, answers=[answer])
        self._turn(self.desks[at], Stop(place, 1, Fate.SLEEPS))
        if self.asleep:
            self.a_sleeper_is_overtaken_and_wakes_up(first=-1, answer="goes well")

    @rule(at=which_interface, look=look)
    def a_look_up_comes_too_late(self, at: int, look: str) -> None:
        """Somebody else has looked meanwhile, and the package did this."""
        self._prepare(at, 1, waits=True, answers=["loses the answer"])
        self._turn(self.desks[at])
        self._prepare(at, 0, waits=True, answers=[])
        self._turn(self.desks[at], Stop(workers.DURING_LOOK_UP, 1, Fate.SLEEPS))
        if self.asleep:
            self.shop.look_script = [ways_to_look()[look]]
            self.a_sleeper_is_overtaken_and_wakes_up(first=-1, answer="goes well")
            self.shop.look_script = []

    @rule(at=which_interface, new=new, waits=st.booleans(), stop=stop, answer=answer)
    def a_worker_stops(self, at: int, new: int, waits: bool, stop: Stop, answer: str) -> None:
        """Dies or falls asleep on its way; meanwhile the package does this."""
        self._prepare(at, new, waits=waits, answers=[answer])
        self._turn(self.desks[at], stop)

    @rule(at=which_interface, new=new, answers=st.lists(look, min_size=1, max_size=3))
    def a_worker_looks(self, at: int, new: int, answers: list[str]) -> None:
        """When something is due; and the package does this at its next look-ups."""
        self._prepare(at, new, waits=True, answers=[])
        self.shop.look_script = [ways_to_look()[one] for one in answers]
        self._turn(self.desks[at])
        self.shop.look_script = []

    @precondition(lambda self: self.asleep)
    @rule(first=which)
    def a_sleeper_wakes_up(self, first: int) -> None:
        self._wake(self.asleep[first % len(self.asleep)])

    @precondition(lambda self: self.asleep)
    @rule(first=which, answer=answer)
    def a_sleeper_is_overtaken_and_wakes_up(self, first: int, answer: str) -> None:
        """Its lease has ended, and somebody else has worked since."""
        sleeper = self.asleep[first % len(self.asleep)]
        self._pass(LEASE_OVER)
        self.shop.script = [self.shop.ways()[answer]]
        self._turn(sleeper[1])
        self._wake(sleeper)

    @rule(seconds=st.sampled_from([1, 61, 119, 121]))
    def time_passes(self, seconds: int) -> None:
        """And no worker does anything."""
        self._pass(timedelta(seconds=seconds))

    @rule(minutes=st.sampled_from([0, 3, 15, 180]), answers=st.lists(answer, max_size=4))
    def workers_go_on_for(self, minutes: int, answers: list[str]) -> None:
        """Each lane gets its turn when the sweeper sees that it is due."""
        self.shop.script = [self.shop.ways()[one] for one in answers]
        self._live(minutes * MINUTE)

    @rule(at=which_interface, end=st.booleans())
    def nothing_may_be_sent(self, at: int, end: bool) -> None:
        """The consent is lost; or the interface is disconnected."""
        if end:
            self._of_interface(disconnect, at, actor=self.user)
        else:
            self._of_interface(lose_consent, at, reason="Signed out.")

    @rule()
    def somebody_connects_again(self) -> None:
        for at in range(2):
            self._of_interface(regain, at)

    @rule(first=st.integers(0, 1000))
    def a_person_decides(self, first: int) -> None:
        """One of the things that they may do now."""
        decisions = self._decisions()
        if not decisions:
            return
        decision = decisions[first % len(decisions)]
        note(f"# {decision.func.__name__} {decision.args[0].invoice}")
        decision()

    @rule(first=which)
    def somebody_types_in_our_number(self, first: int) -> None:
        invoice = self.invoices[first % len(self.invoices)]
        key = self._key(invoice)
        if invoice.number not in self.shop.typed_in and not (
            self.shop.has(key) or self.shop.may_get(key)
        ):
            self.shop.type_in(invoice.number)

    @precondition(lambda self: self.shop.typed_in)
    @rule()
    def what_was_typed_in_is_deleted(self) -> None:
        """Where nobody has said that it is our invoice."""
        with self._acting():
            sent = Upload.objects.filter(state=State.SENT)
            linked = set(sent.values_list("remote_id", flat=True))
        for number, remote_id in list(self.shop.typed_in.items()):
            if remote_id not in linked:
                del self.shop.typed_in[number]

    # What a person may do.

    def _decisions(self) -> list[partial[None]]:
        with self._acting():
            decisions = [
                partial(decide, one) for one in self._newest() for decide in self._may_do(one)
            ]
            steps = Upload.objects.filter(state__in=FAILED).exclude(kind__in=DOCUMENTS)
            failed = list(steps.select_related("invoice").order_by("pk"))
        return decisions + [partial(self._retry, one) for one in failed]

    def _may_do(self, upload: Upload) -> list[Callable[[Upload], None]]:
        assert upload.invoice is not None
        if upload.invoice.parked_at:
            return [self._unpark, self._upload_after_all]
        if upload.invoice.status != Invoice.Status.COMMITTED:
            return [self._commit]
        if upload.state == State.QUEUED:
            return [self._cancel, self._retry]
        if upload.state in FAILED:
            return [self._retry, self._park, self._say_it_is_there, self._uncommit]
        if upload.state == State.SENT:
            return [self._take_it_back] if upload.linked else []
        return [self._park, self._uncommit]

    def _retry(self, upload: Upload) -> None:
        with self._acting():
            retry(upload_ids=[upload.pk], actor=self.user)

    def _cancel(self, upload: Upload) -> None:
        with self._acting():
            cancel(upload_ids=[upload.pk], actor=self.user)

    def _park(self, upload: Upload) -> None:
        with self._acting():
            park(invoice_ids=[upload.invoice_id or 0], reason="Not now.", actor=self.user)

    def _unpark(self, upload: Upload) -> None:
        with self._acting():
            unpark(invoice_ids=[upload.invoice_id or 0], actor=self.user)

    def _upload_after_all(self, upload: Upload) -> None:
        assert upload.invoice is not None
        self._unpark(upload)
        self._click([upload.invoice])

    def _say_it_is_there(self, upload: Upload) -> None:
        """Having looked: ours where it is there, else what somebody else has typed in."""
        key, number = upload.document["key"], upload.document["number"]
        may_be_ours = self.shop.has(key) or self.shop.may_get(key)
        remote_id = (self.shop.ids if may_be_ours else self.shop.typed_in).get(
            key if may_be_ours else number
        )
        if not remote_id:
            return
        self.shop.show_all()
        with suppress(CannotLink, ConnectorError):
            found = look_at(practice_id=self.practice.pk, upload_id=upload.pk, remote_id=remote_id)
            with self._acting():
                link_existing(upload_id=upload.pk, found=found, actor=self.user)

    def _take_it_back(self, upload: Upload) -> None:
        with self._acting(), suppress(CannotUnlink):
            unlink(upload_id=upload.pk, actor=self.user)

    def _uncommit(self, upload: Upload) -> None:
        assert upload.invoice is not None
        with suppress(Refused), self._acting():
            uncommit(invoice_ids=[upload.invoice.abtrac_id])

    def _commit(self, upload: Upload) -> None:
        assert upload.invoice is not None
        with self._acting():
            commit(invoice_ids=[upload.invoice.abtrac_id])

    # What is always true.

    @invariant()
    def all_is_well(self) -> None:
        """After everything that happens."""
        if not self.desks:
            return
        # Where nothing has moved, nothing is different.
        with self._acting():
            moves = UploadEvent.objects.order_by().aggregate(last=Max("pk"))["last"]
        seen = (moves, len(self.shop.posts), len(self.shop.copies), len(self.shop.typed_in))
        if seen != self.seen:
            self._check()
            self.seen = seen

    def _check(self, *, at_rest: bool = False) -> None:
        try:
            self._nothing_is_doubled()
            self._nothing_is_guessed()
            self._nothing_is_lost_or_untold(at_rest=at_rest)
        except AssertionError:
            self._tell()
            raise

    def _tell(self) -> None:
        """How each upload came to where it is, for whoever reads the story."""
        with self._acting():
            for event in UploadEvent.objects.select_related("upload__invoice").order_by("pk"):
                one = event.upload
                name = one.invoice or one.document.get("name")
                note(f"# {name} ({one.pk}): {event.before} > {event.after} {event.reason[:60]!r}")

    def _nothing_is_doubled(self) -> None:
        """G2, of contacts too: at most one copy of each document."""
        doubled = {key: number for key, number in Counter(self.shop.copies).items() if number > 1}
        assert not doubled

    def _nothing_is_lost_or_untold(self, *, at_rest: bool) -> None:
        """G1, and the history: as the checker of the fault matrix sees it."""
        assert self.broken == []
        findings = self._findings(at_rest=at_rest)
        # How old it may become is for the workers, who may all be asleep meanwhile.
        assert [one for one in findings if at_rest or not one.endswith("nobody was told.")] == []

    def _nothing_is_guessed(self) -> None:
        """G3: what waits to be created is surely not there, and the package has said so."""
        with self._acting():
            waiting = Upload.objects.filter(state__in=[State.QUEUED, State.CLAIMED])
            for upload in waiting.filter(kind__in=DOCUMENTS):
                key = upload.document["key"]
                assert not self.shop.has(key)
                assert not self.shop.may_get(key)
                assert not self._is_open(key)

    # How it is done.

    def _acting(self) -> Any:
        return acting_for(self.practice.pk)

    def _click(self, invoices: Sequence[Invoice]) -> None:
        ids = {one.pk for one in invoices}
        with self._acting():
            asked = enqueue(invoice_ids=sorted(ids), actor=self.user)
        self.clicked |= ids - {one.invoice_id for one in asked.left_out}

    def _prepare(self, at: int, new: int, *, waits: bool, answers: Sequence[str]) -> None:
        """So many new invoices are there; and where the worker waits, it finds something due."""
        desk = self.desks[at]
        if new:
            self.invoices_are_clicked(at=at, number=new, twice=False, known=True)
        if waits:
            if not desk.reload().is_connected:
                self._of_interface(regain, at)
            wanted = dict(self._wanted()).get(desk.interface.pk)
            with self._acting():
                unknown = Upload.objects.filter(interface=desk.interface, state=State.UNKNOWN)
                look = unknown.aggregate(first=Min("due"))["first"]
            self.shop.wait_until(max(filter(None, (wanted, look, self.shop.time.now))))
        self.shop.script = [self.shop.ways()[one] for one in answers]

    def _turn(self, desk: Desk, stop: Stop | None = None) -> None:
        practice_id, interface_id = self.practice.pk, desk.interface.pk
        worker = Worker(
            lambda: lane.drain(practice_id=practice_id, interface_id=interface_id), stop
        )
        worker.run()
        if worker.is_asleep:
            self.asleep.append((worker, desk, desk.lane().fence))

    def _wake(self, sleeper: tuple[Worker, Desk, int]) -> None:
        worker, desk, fence = sleeper
        self.asleep.remove(sleeper)
        late = desk.lane().fence != fence
        before = self._everything()
        worker.wake()
        assert not worker.is_asleep
        if late:
            # Not a row, not a lane, not a call.
            assert self._everything() == before

    def _everything(self) -> list[Any]:
        with self._acting():
            return [
                *Upload.objects.order_by("pk").values(),
                *Batch.objects.order_by("pk").values(),
                *Lane.objects.filter(practice=self.practice).order_by("pk").values(),
                *AccountingInterface.objects.order_by("pk").values("pk", "state"),
                UploadEvent.objects.count(),
                Exchange.objects.filter(answered_at__isnull=True).count(),
                Attempt.objects.count(),
                len(self.shop.posts),
                len(self.shop.copies),
            ]

    def _written(self, documents: Sequence[Any], call_key: str) -> None:
        """Told by the package: each was written down before, and no earlier write is open.

        The very call once more is no second write where its key is kept.
        """
        with self._acting():
            this = Exchange.objects.filter(call_key=call_key).order_by("pk").last()
            sending = Attempt.objects.filter(exchange=this, upload__state=State.SENDING)
            keys = set(sending.values_list("upload__document__key", flat=True))
            for one in documents:
                if this is None or one.key not in keys:
                    self.broken.append(f"{one.key} was sent before that was written down.")
                elif self._is_open(one.key, besides=this):
                    self.broken.append(f"{one.key} was sent again, and nobody had asked.")

    def _is_open(self, key: str, *, besides: Exchange | None = None) -> bool:
        """Whether a write of it was not answered, and it was not asked for after all its time."""
        writes = Exchange.objects.filter(attempts__upload__document__key=key)
        if besides is not None:
            writes = writes.exclude(pk=besides.pk)
            if self.shop.sort is Sort.KEEPS_KEYS:
                writes = writes.exclude(call_key=besides.call_key)
        looked = self.shop.looked.get(key)
        return any(
            one.call_key not in self.shop.answered
            and (looked is None or looked < one.started_at + SETTLE)
            for one in writes
        )

    def _pass(self, how_long: timedelta) -> None:
        self.shop.wait_until(self.shop.time.now + how_long)

    def _sweep(self) -> None:
        for _, interface_id in lanes.due_lanes():
            for desk in self.desks:
                if desk.interface.pk == interface_id:
                    self._turn(desk)

    def _live(self, how_long: timedelta) -> None:
        end = self.shop.time.now + how_long
        for _ in range(300):
            self._sweep()
            wanted = [one for _, one in self._wanted() if one <= end]
            if not wanted:
                self.shop.wait_until(end)
                return
            self.shop.wait_until(max(min(wanted), self.shop.time.now + timedelta(seconds=1)))
        raise AssertionError("The lanes are due again and again.")

    def _wanted(self) -> Iterator[tuple[int, datetime]]:
        """When each lane is worth a ring next."""
        for one in Lane.objects.filter(practice=self.practice):
            if one.lease_until:
                yield one.interface_id, one.lease_until
            elif one.due:
                moments = (one.due, one.hold_until, one.open_until)
                yield one.interface_id, max(filter(None, moments))

    def _of_interface(self, change: Callable[..., Any], at: int, **more: Any) -> None:
        change(practice_id=self.practice.pk, interface_id=self.desks[at].interface.pk, **more)

    def _newest(self) -> list[Upload]:
        uploads = Upload.objects.filter(kind__in=DOCUMENTS).order_by("pk").select_related("invoice")
        return list({one.invoice_id: one for one in uploads}.values())

    def _key(self, invoice: Invoice) -> str:
        with self._acting():
            upload = Upload.objects.filter(invoice=invoice, kind__in=DOCUMENTS).first()
        return upload.document["key"] if upload else ""

    def _findings(self, *, at_rest: bool) -> list[str]:
        files = {
            one.number: desk.interface.company_file_id
            for desk in self.desks
            for one in self.invoices
            if one.office_id == desk.office.pk
        }
        state = self.shop.record(files)
        watched = [
            Watched(
                practice_id=self.practice.pk,
                interface_id=desk.interface.pk,
                package_key="till",
                company_file=desk.interface.company_file_id,
                state=state,
                clicked=[
                    one.pk
                    for one in self.invoices
                    if one.pk in self.clicked and one.office_id == desk.office.pk
                ],
                typed_in=list(self.shop.typed_in.values()),
            )
            for desk in self.desks
        ]
        with self._acting():
            # Whoever parks what we could not find out about has been told that it may be there.
            told = {
                f"Invoice {one.document['number']} is in Till, and its upload says parked."
                for one in self._newest()
                if one.state == State.PARKED and one.unknown_since
            }
        return [one for one in check(watched, at_rest=at_rest).findings if one not in told]

    def _come_to_rest(self) -> None:
        """The package is well, and people do what is asked of them: every invoice has its end."""
        for sleeper in list(self.asleep):
            self._pass(LEASE_OVER)
            self._sweep()
            self._wake(sleeper)
        self.shop.script, self.shop.look_script, self.shop.trouble_after = [], [], []
        self.somebody_connects_again()
        for _ in range(3):
            self._live(timedelta(hours=6))
            with self._acting():
                failed = [one for one in self._newest() if one.state in FAILED]
                clashing = [one for one in failed if one.code == CONFLICT]
                park(
                    invoice_ids=[one.invoice_id or 0 for one in clashing],
                    reason="It is there.",
                    actor=self.user,
                )
                retry(upload_ids=[one.pk for one in failed], actor=self.user)
        self._live(timedelta(hours=6))
        self._check(at_rest=True)
        copies = Counter(self.shop.copies)
        with self._acting():
            for one in self._newest():
                assert one.invoice is not None
                over = {State.SENT, State.PARKED, State.CANCELLED}
                # What was un-committed cannot be retried.
                if one.invoice.status != Invoice.Status.COMMITTED or one.invoice.parked_at:
                    over.add(State.REFUSED)
                assert one.state in over
                may_be_there = one.state == State.PARKED and one.unknown_since
                is_ours = one.state == State.SENT and not one.remote_id.startswith("other-")
                assert may_be_there or copies[one.document["key"]] == is_ours
            assert not Batch.objects.filter(finished_at__isnull=True).exists()


def test_whatever_happens_each_invoice_has_one_end_and_one_copy(
    db: None, books: Books, settings: Any
) -> None:
    settings.UPLOAD_SETTLE_SECONDS = None
    settings.UPLOAD_LOOKUP_SECONDS = [10, 120, 600]
    settings.UPLOAD_RETRY_SECONDS = [5, 30, 120, 600]
    settings.UPLOAD_GIVE_UP_SECONDS = 7200
    lane.stopping.clear()
    run_state_machine_as_test(Story, settings=TRIED)


TRIED = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
)
