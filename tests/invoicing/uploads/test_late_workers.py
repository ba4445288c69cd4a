"""A move that is not in the diagram is a bug; a worker whose fence is old changes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.utils import timezone

from connectors.base.documents import Posted
from connectors.base.protocol import Outcome
from interfaces import lanes
from interfaces.lanes import Held, LostLane
from interfaces.models import Lane
from invoicing.models import Exchange, Upload, UploadEvent
from invoicing.uploads import killpoints, lane, outcomes, states
from invoicing.uploads.calls import Calls
from invoicing.uploads.recorder import LaneRecorder
from invoicing.uploads.states import HELD, MOVES, IllegalMove, State
from invoicing.uploads.turn import Turn
from offices.tenancy import acting_for
from tests.invoicing.uploads import till, workers
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.shop import Shop, Sort, package_of, ways_to_look
from tests.invoicing.uploads.workers import Fate, Stop, Worker


def everything(desk: Desk) -> list[Any]:
    """All that a worker may change, and how often the package was written to."""
    with acting_for(desk.practice.pk):
        return [
            *Upload.objects.order_by("pk").values(),
            *UploadEvent.objects.order_by("pk").values(),
            *Exchange.objects.order_by("pk").values(),
            *Lane.objects.values(),
            desk.reload().state,
            len(desk.books.posts),
            len(desk.books.copies),
        ]


def stands(desk: Desk, upload: Upload, state: str, **values: Any) -> Upload:
    """The upload in that state, whatever its history."""
    with acting_for(desk.practice.pk):
        # Sent ones have their id there.
        values.setdefault("remote_id", "till-9")
        Upload.objects.filter(pk=upload.pk).update(state=state, **values)
        return Upload.objects.select_related("interface", "invoice").get(pk=upload.pk)


def test_of_all_moves_those_of_the_diagram_are_made_and_all_others_raise(known: Desk) -> None:
    known.upload(known.invoice())
    upload = known.all()[0]
    for before, after in product(State, State):
        one = stands(known, upload, before)
        with acting_for(known.practice.pk):
            if after in MOVES[before]:
                states.move([one], after)
            else:
                with pytest.raises(IllegalMove):
                    states.move([one], after)
        moved = after in MOVES[before]
        assert known.of_pk(upload.pk).state == (after if moved else before)


Late = Callable[[Sequence[Upload], Held], None]


def says(outcome: Callable[[Any], Outcome]) -> Late:
    """Records that outcome."""

    def late(uploads: Sequence[Upload], held: Held) -> None:
        said = {one.document["key"]: outcome(one) for one in uploads}
        outcomes.record(uploads, said, held=held)

    return late


def posted(upload: Upload) -> Posted:
    """It is there."""
    return Posted(key=upload.document["key"], remote_id="till-7", total=Decimal("1150.00"))


def clashing(upload: Upload) -> Outcome:
    """Something else is there."""
    return replace(till.conflict(posted(upload)), key=upload.document["key"])


LATE: dict[str, Late] = {
    "sent": says(posted),
    "refused": says(lambda upload: till.refused()),
    "clashing": says(clashing),
    "postponed": lambda uploads, held: outcomes.postpone(uploads, held=held, reason="Away."),
    "unknown": lambda uploads, held: outcomes.unknown(uploads, held=held, reason="Silent."),
    "sent alone": lambda uploads, held: outcomes.send_alone(uploads, held=held, reason="No."),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE.keys())
def test_what_a_late_worker_was_told_is_not_written_over_what_another_one_does(
    known: Desk, late: Late
) -> None:
    known.upload(known.invoice(), known.invoice())
    mine = take(known)
    for one in known.all():
        stands(known, one, State.SENDING, owner=mine.owner, fence=mine.fence)
    seen = known.all()
    end_lease(known)
    others = take(known)
    # One has been taken up by the other already.
    stands(known, seen[1], State.SENDING, owner=others.owner, fence=others.fence)
    before = everything(known)
    with pytest.raises(LostLane), acting_for(known.practice.pk):
        rows = Upload.objects.select_related("interface", "invoice").order_by("pk")
        late(list(rows), mine)
    assert everything(known) == before


@pytest.mark.parametrize("state", HELD)
def test_a_late_worker_moves_nothing_that_another_one_holds(known: Desk, state: State) -> None:
    known.upload(known.invoice())
    mine = take(known)
    end_lease(known)
    others = take(known)
    upload = stands(known, known.all()[0], state, owner=others.owner, fence=others.fence)
    before = everything(known)
    for after in sorted(MOVES[state]):
        with pytest.raises(LostLane), acting_for(known.practice.pk):
            states.move([upload], State(after), held=mine)
        upload = known.all()[0]
        assert everything(known) == before


def test_a_late_worker_does_not_come_to_write_down_what_it_has_looked_up(known: Desk) -> None:
    known.upload(known.invoice())
    mine = take(known)
    end_lease(known)
    take(known)
    calls = Calls(turn=Turn(held=mine), recorder=LaneRecorder(held=mine))
    with pytest.raises(LostLane):
        calls.write_down(known.all(), lambda uploads: pytest.fail("It was written down."))


def take(desk: Desk) -> Held:
    """Another worker takes the lane."""
    held = lanes.take(
        practice_id=desk.practice.pk,
        interface_id=desk.interface.pk,
        package=till.PACKAGE,
        owner=f"worker-{desk.lane().fence}",
    )
    assert held is not None
    return held


def end_lease(desk: Desk) -> None:
    """Nobody has heard of the lane's holder for long."""
    past = timezone.now() - timedelta(hours=1)
    Lane.objects.filter(interface=desk.interface).update(lease_until=past)


@pytest.fixture
def shop(known: Desk, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Shop:
    """A package that must be looked into first, in which all that was clicked is due."""
    settings.UPLOAD_SETTLE_SECONDS = None
    made = Shop(sort=Sort.MUST_BE_LOOKED_INTO)
    known.books = made
    package = package_of(made.sort, per_call=3)
    workers.install(monkeypatch, made, package=package)
    return made


def overtake(desk: Desk, shop: Shop, place: str) -> Worker:
    """A worker falls asleep there; then another one has its turn. The sleeper is answered."""

    def turn() -> None:
        lane.drain(practice_id=desk.practice.pk, interface_id=desk.interface.pk)

    sleeper = Worker(turn, Stop(place, 1, Fate.SLEEPS))
    sleeper.run()
    assert sleeper.is_asleep
    shop.wait_until(shop.time.now + timedelta(minutes=2))
    Worker(turn).run()
    return sleeper


@pytest.mark.parametrize("place", workers.PLACES)
def test_a_worker_that_wakes_up_too_late_changes_and_sends_nothing(
    known: Desk, shop: Shop, place: str
) -> None:
    known.upload(known.invoice(), known.invoice())
    shop.script = [shop.ways()["goes well"]]
    sleeper = overtake(known, shop, place)
    before = everything(known)
    sleeper.wake()
    assert not sleeper.is_asleep
    assert everything(known) == before


WAYS = sorted(Shop().ways())


@pytest.mark.parametrize("way", WAYS)
def test_whatever_the_package_answers_is_not_written_down_too_late(
    known: Desk, shop: Shop, way: str
) -> None:
    known.upload(known.invoice(), known.invoice())
    shop.script = [shop.ways()[way]]
    sleeper = overtake(known, shop, workers.ON_THE_WIRE)
    before = everything(known)
    sleeper.wake()
    assert everything(known) == before


@pytest.mark.parametrize("place", [one for one in workers.PLACES if one != workers.DURING_LOOK_UP])
def test_a_worker_that_dies_leaves_what_the_next_one_brings_to_its_end(
    known: Desk, shop: Shop, place: str
) -> None:
    invoice = known.invoice()
    known.upload(invoice)
    shop.script = [shop.ways()["goes well"]]

    def turn() -> None:
        lane.drain(practice_id=known.practice.pk, interface_id=known.interface.pk)

    Worker(turn, Stop(place, 1, Fate.DIES)).run()
    for _ in range(3):
        shop.wait_until(shop.time.now + timedelta(minutes=3))
        Worker(turn).run()
    assert known.of(invoice).state == State.SENT
    assert len(shop.copies) == 1
    assert killpoints.reached is workers.reached


@pytest.mark.parametrize("look", ["is away", "breaks us", "goes well"])
def test_what_a_late_worker_has_found_is_not_written_down(
    known: Desk, shop: Shop, look: str
) -> None:
    known.upload(known.invoice())
    shop.script = [shop.ways()["loses the answer"]]
    Worker(lambda: lane.drain(practice_id=known.practice.pk, interface_id=known.interface.pk)).run()
    assert known.all()[0].state == State.UNKNOWN
    shop.wait_until(shop.time.now + timedelta(minutes=1))
    shop.look_script = [lambda: None, ways_to_look()[look]]
    sleeper = overtake(known, shop, workers.DURING_LOOK_UP)
    before = everything(known)
    sleeper.wake()
    assert everything(known) == before
