"""A call with an Idempotency-Key has its effect once and its answer as often as it is asked for.

The key is taken in a transaction of its own, so that a second call sees it at once. The answer is
kept in the same transaction as the effect: a key without an answer is a call that has done nothing,
whether it is still at work or its process is gone.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from rest_framework import status
from rest_framework.renderers import JSONRenderer

from interfaces import clock
from invoicing.api.problems import Problem, Problems
from invoicing.models import ApiReplay
from offices.tenancy import acting_for

T = TypeVar("T")

KEPT = timedelta(hours=24)
# Longer than any call takes; afterwards its process is taken to be gone.
IN_FLIGHT = timedelta(minutes=10)
KEY = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a call is answered with."""

    status: int = status.HTTP_200_OK
    body: Mapping[str, Any]
    replayed: bool = False


@dataclass(frozen=True, kw_only=True)
class _Held:
    """A key this call has taken, and since when: somebody who thinks it dead takes it anew."""

    row_id: int
    since: datetime


def answer_once(
    *,
    practice_id: int,
    key: str | None,
    request_hash: str,
    read: Callable[[], T],
    work: Callable[[T], Answer],
) -> Answer:
    """The answer of `work`, done once for the key; without a key, done now.

    `read` takes the body apart before the practice's rows are locked. Raises Problems; a refused
    call gives its key back, for it has done nothing.
    """
    if key is None:
        given = read()
        with acting_for(practice_id):
            return work(given)
    held = _hold(practice_id, checked_key(key), request_hash)
    if isinstance(held, Answer):
        return held
    try:
        given = read()
        with acting_for(practice_id):
            answer = work(given)
            _keep(held, answer)
    except BaseException:
        _give_back(practice_id, held)
        raise
    return answer


def checked_key(key: str) -> str:
    """The key, if it can be one. Raises Problems."""
    if not KEY.fullmatch(key):
        raise Problems(
            [
                _problem(
                    "idempotency_key_invalid",
                    "An Idempotency-Key is 1 to 128 printable characters without spaces.",
                )
            ]
        )
    return key


def _hold(practice_id: int, key: str, request_hash: str) -> _Held | Answer:
    with acting_for(practice_id):
        now = clock.now()
        ApiReplay.objects.filter(created_at__lt=now - KEPT).delete()
        row, made = ApiReplay.objects.get_or_create(
            key=key, defaults={"request_hash": request_hash, "created_at": now}
        )
        if made:
            return _Held(row_id=row.pk, since=now)
        if row.request_hash != request_hash:
            raise _conflict(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another call within the last 24 hours."
                " Take a new key for a new call.",
            )
        if row.status:
            return Answer(status=row.status, body=json.loads(row.answer or "{}"), replayed=True)
        abandoned = ApiReplay.objects.filter(pk=row.pk, status=0, created_at__lt=now - IN_FLIGHT)
        if not abandoned.update(created_at=now):
            raise _in_flight()
        return _Held(row_id=row.pk, since=now)


def _keep(held: _Held, answer: Answer) -> None:
    # As the text that is sent, so that the second answer is the first one's twin: a database may
    # keep the names of an object in an order of its own.
    text = JSONRenderer().render(answer.body).decode()
    if not _still(held).update(status=answer.status, answer=text):
        raise _in_flight()  # this call was thought dead, and its effect goes with the transaction


def _give_back(practice_id: int, held: _Held) -> None:
    with acting_for(practice_id):
        _still(held).delete()


def _still(held: _Held) -> Any:
    return ApiReplay.objects.filter(pk=held.row_id, status=0, created_at=held.since)


def _in_flight() -> Problems:
    return _conflict(
        "idempotency_key_in_flight",
        "A call with this Idempotency-Key is still at work. Ask again in a moment for its answer.",
    )


def _conflict(code: str, message: str) -> Problems:
    return Problems([_problem(code, message)], code=status.HTTP_409_CONFLICT)


def _problem(code: str, message: str) -> Problem:
    return Problem(path="", code=code, message=message)
