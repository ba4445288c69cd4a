"""The calls of one turn: so many at once, and the next one leaves before an answer is noted."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from invoicing.uploads import outcomes
from invoicing.uploads import wire as module
from invoicing.uploads.calls import Calls
from invoicing.uploads.kinds import CARRIERS
from invoicing.uploads.recorder import LaneRecorder
from invoicing.uploads.turn import Turn
from invoicing.uploads.wire import Wire
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.test_late_workers import take

PATIENCE = 10


class Hand:
    """A thread that takes the wire, makes its call and writes down the answer."""

    def __init__(self, wire: Wire, done: list[str], name: str) -> None:
        self.has_wire, self.may_leave, self.answered = (threading.Event() for _ in range(3))
        self.noted = threading.Event()
        self._wire, self._done, self._name = wire, done, name
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        with self._wire.taken():
            self.has_wire.set()
            assert self.may_leave.wait(PATIENCE)
            self._done.append(f"{self._name} left")
            self._wire.has_left()
            assert self.answered.wait(PATIENCE)
        self._wire.let_next_leave()
        self._done.append(f"{self._name} noted")
        self.noted.set()

    def end(self) -> None:
        """Let it go on to its end."""
        self.may_leave.set()
        self.answered.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


Makes = Callable[[str], Hand]


@pytest.fixture
def done() -> list[str]:
    """What the hands did, in order."""
    return []


@pytest.fixture
def wire() -> Wire:
    """Of a package that takes one call at once."""
    return Wire()


@pytest.fixture
def hand(wire: Wire, done: list[str]) -> Iterator[Makes]:
    """Another hand at that wire."""
    made: list[Hand] = []

    def make(name: str) -> Hand:
        made.append(Hand(wire, done, name))
        return made[-1]

    yield make
    for one in made:
        one.end()


def stands_in_line(wire: Wire, hands: int) -> None:
    """Wait until so many have not left yet."""
    with wire._changed:
        assert wire._changed.wait_for(lambda: len(wire._starting) == hands, PATIENCE)


@pytest.fixture
def endless_head_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that only the order is seen, whatever the machine is doing."""
    monkeypatch.setattr(module, "HEAD_START", PATIENCE)


@pytest.mark.usefixtures("endless_head_start")
def test_the_next_call_leaves_before_the_answer_is_written_down(
    wire: Wire, hand: Makes, done: list[str]
) -> None:
    first = hand("first")
    first.may_leave.set()
    assert first.has_wire.wait(PATIENCE)
    second = hand("second")
    stands_in_line(wire, 1)
    assert not second.has_wire.is_set()
    first.answered.set()
    assert second.has_wire.wait(PATIENCE)
    assert not first.noted.is_set()
    second.may_leave.set()
    assert first.noted.wait(PATIENCE)
    second.end()
    assert done == ["first left", "second left", "first noted", "second noted"]


def test_an_answer_is_written_down_though_the_next_call_does_not_come_to_leave(
    wire: Wire, hand: Makes, done: list[str]
) -> None:
    first = hand("first")
    assert first.has_wire.wait(PATIENCE)
    second = hand("second")
    first.may_leave.set()
    stands_in_line(wire, 1)
    first.answered.set()
    assert first.noted.wait(PATIENCE)
    assert second.has_wire.wait(PATIENCE)
    assert done == ["first left", "first noted"]


@pytest.mark.usefixtures("endless_head_start")
def test_a_call_that_is_not_made_after_all_keeps_nobody_waiting(wire: Wire) -> None:
    with pytest.raises(ZeroDivisionError), wire.taken():
        raise ZeroDivisionError
    wire.let_next_leave()
    with wire.taken():
        pass


def test_as_many_calls_at_once_as_the_package_allows(wire: Wire, hand: Makes) -> None:
    wire.allow_more(1)
    two = [hand("one"), hand("another")]
    assert all(one.has_wire.wait(PATIENCE) for one in two)
    third = hand("third")
    stands_in_line(wire, 3)
    assert not third.has_wire.is_set()
    two[0].end()
    assert third.has_wire.wait(PATIENCE)


@pytest.mark.django_db
def test_nobody_waits_for_a_look_up_to_leave(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    known.upload(known.invoice())
    held = take(known)
    turn = Turn(held=held)
    looked: list[bool] = []

    def find(connector: Any, built: Any) -> dict[str, Any]:
        looked.append(bool(turn.wire._starting))
        return {}

    invoices = CARRIERS["invoice"]
    monkeypatch.setattr(invoices, "find", find)
    calls = Calls(turn=turn, recorder=LaneRecorder(held=held, leaves=turn.wire.has_left))
    assert calls.find(invoices, None, known.all(), []) == {}
    assert looked == [False]


@pytest.mark.django_db
def test_a_call_says_when_it_leaves_and_lets_the_next_one_leave_before_its_answer_is_noted(
    known: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def noting(of: Any, name: str, word: str) -> None:
        real = getattr(of, name)

        def noted(*args: Any, **options: Any) -> Any:
            done.append(word)
            return real(*args, **options)

        monkeypatch.setattr(of, name, noted)

    noting(Wire, "has_left", "left")
    noting(Wire, "let_next_leave", "let the next one leave")
    noting(known.books, "write", "sent")
    noting(outcomes, "record", "noted")
    known.upload(known.invoice())
    known.work()
    # That it is over is told once more, for who had no call to make after all.
    assert done == ["left", "sent", "left", "let the next one leave", "noted"]
