"""Why each upload on its way waits, and when it goes on: the same on every page and in the API."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from interfaces import lanes
from invoicing.models import Upload
from invoicing.uploads import waiting
from invoicing.uploads.states import FAILED, HELD, State
from invoicing.words import all_of

Kind = Upload.Kind


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What became of an upload, or why it waits; `at` is when it goes on, or is asked after.

    No time where that is now, where nothing happens any more, or where it waits for somebody.
    """

    reason: str = ""
    # What somebody must do, as long as it is to be done.
    next_step: str = ""
    at: datetime | None = None


def look_ahead(
    uploads: Collection[Upload], *, in_trouble: Mapping[str, datetime] | None = None
) -> None:
    """Give each upload its `prospect`; they come with their invoices, interfaces and lanes.

    A few queries however many there are, and none where all are through. `in_trouble` are the
    packages that are, where the caller has asked for them.
    """
    waits = {one.pk for one in uploads if one.state in (State.QUEUED, State.UNKNOWN)}
    if waits and in_trouble is None:
        in_trouble = lanes.troubled_packages()
    view = _View(in_trouble=in_trouble or {}, now=timezone.now())
    ahead = waiting.ahead_of(one for one in uploads if one.interface.is_connected)
    for one in uploads:
        # What was parked, or uploaded again, needs nothing more.
        replaced = getattr(one, "later_batch", None)
        to_do = one.next_step if one.state in FAILED and not replaced else ""
        prospect = Prospect(reason=one.reason, next_step=to_do)
        if one.pk in waits:
            steps = ahead.get(one.pk)
            prospect = view.behind(one, steps) if steps else view.by_itself(one)
        one.prospect = prospect  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True)
class _View:
    """What is known of all of them at one moment."""

    in_trouble: Mapping[str, datetime]
    now: datetime

    def by_itself(self, upload: Upload) -> Prospect:
        """Of one that waits for a time only: its own, or its interface's if that is later."""
        interface, lane = upload.interface, upload.interface.lane
        may_be_there = upload.state == State.UNKNOWN
        if not interface.is_connected:
            reason = f"Waits until {interface} {interface.ready_when}."
            return Prospect(reason=upload.reason if may_be_there else reason)
        until = lanes.goes_on_at(lane, self.in_trouble, now=self.now)
        due = upload.due if upload.due and upload.due > self.now else None
        at = max((one for one in (due, until) if one), default=None)
        own = Prospect(reason=upload.reason, at=at)
        if may_be_there or until is None or until != at:
            return own
        if until == lane.hold_until and lane.hold_reason:
            return replace(own, reason=lane.hold_reason)
        if upload.reason:
            return own
        return replace(own, reason=f"Waits until {interface.package.label} answers again.")

    def behind(self, upload: Upload, steps: Sequence[Upload]) -> Prospect:
        """Of a document whose contact or jobs are still coming: it goes after the last of them."""
        for one in steps:
            one.interface = upload.interface
        theirs = [self.by_itself(one) for one in steps if one.state not in HELD]
        names = all_of([_name_of(one) for one in steps])
        verb = "is" if len(steps) == 1 else "are"
        sentence = f"Waits until {names} {verb} in {upload.interface.package.label}."
        reasons = dict.fromkeys(one.reason for one in theirs if one.reason)
        return Prospect(
            reason=" ".join([sentence, *reasons]),
            at=max((one.at for one in theirs if one.at), default=None),
        )


def _name_of(step: Upload) -> str:
    if step.kind == Kind.CONTACT:
        return f"its client {step.client}"
    return f"its job {step.job.code if step.job else ''}".rstrip()
