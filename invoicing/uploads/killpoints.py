"""Named places on the way of an upload where tests let a worker die or wait.

In the product nothing is hung on them. A test's own worker process sets `reached`.
"""

from collections.abc import Callable

BEFORE_CLAIM = "before claim"
AFTER_CLAIM = "after claim"
BEFORE_SOCKET = "after sending is committed, before the socket is used"
AFTER_ANSWER = "after the answer, before it is recorded"
AFTER_RECORD = "after the outcome is committed"


def _nothing(place: str) -> None:
    return None


reached: Callable[[str], None] = _nothing


def reach(place: str) -> None:
    """Say that a worker is at this place."""
    reached(place)
