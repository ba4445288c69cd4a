"""How uploads and amounts are told to people: one word per state, the same on every page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format

from invoicing.keyset import MOST_COUNTED
from invoicing.models import Batch, Notice, Upload
from invoicing.uploads.states import FAILED, is_not_known

State = Upload.State

_WORDS: Mapping[str, str] = {
    State.CLAIMED: "Sending",
    State.SENDING: "Sending",
    State.UNKNOWN: "Checking",
    State.REFUSED: "Refused",
    State.NEEDS_PERSON: "Needs a person",
    State.PARKED: "Parked",
    State.CANCELLED: "Cancelled",
    State.VOIDED: "Voided",
    State.SENT: "Sent",
}
_HISTORY: Mapping[str, str] = {**_WORDS, State.QUEUED: "Waiting", State.CLAIMED: "Preparing"}


@dataclass(frozen=True, kw_only=True)
class Told:
    """A state as a person reads it; `badge` is its colour."""

    badge: str
    words: str


def state_of(upload: Upload, *, now: datetime | None = None) -> Told:
    """The state of an upload in words, the time included at which it goes on.

    It comes with its `prospect`: see `invoicing.prospects`.
    """
    if upload.state == State.SENT and warnings_of(upload):
        return Told(badge="sent_with_warning", words="Sent with warning")
    if upload.state in (State.REFUSED, State.NEEDS_PERSON) and getattr(upload, "later_batch", None):
        return Told(badge="draft", words="Uploaded again")
    if as_told := getattr(upload, "set_aside_as", ""):
        return Told(badge=upload.state, words=as_told)
    if upload.state == State.QUEUED:
        return _waiting(upload, now)
    return Told(badge=upload.state, words=_WORDS[upload.state])


def warnings_of(upload: Upload) -> list[str]:
    """What is not as it should be with a document that is there.

    Its PDF is told of where it comes with its `pdf`: see `invoicing.selectors.give_pdfs`.
    """
    pdf: Upload | None = getattr(upload, "pdf", None)
    return [*upload.warnings, *([told] if pdf and (told := _pdf_told(pdf)) else [])]


def _pdf_told(pdf: Upload) -> str:
    """Why the PDF is not attached; nothing while that has only just begun."""
    prospect = pdf.prospect  # type: ignore[attr-defined]
    again = f" at {clock_time(prospect.at)}" if prospect.at else " by itself"
    if pdf.state == State.UNKNOWN:
        return f"It is not known yet whether the PDF is attached; we look again{again}."
    if pdf.state == State.QUEUED:
        if not prospect.reason and not prospect.at:
            return ""
        return f"The PDF is not attached yet; we try again{again}. {prospect.reason}".strip()
    if pdf.state not in FAILED:
        return ""
    unknown = "it is not known whether the PDF is attached"
    how = unknown if is_not_known(pdf) else "the PDF is not attached"
    return f"Sent, but {how}: {pdf.reason}"


def state_named(state: str) -> str:
    """A state of the history in words; the moment it was in does not matter there."""
    return _HISTORY.get(state, state)


def _waiting(upload: Upload, now: datetime | None) -> Told:
    prospect = upload.prospect  # type: ignore[attr-defined]
    if prospect.at is None:
        return Told(badge=State.QUEUED, words="Waiting")
    return Told(badge="retry", words=f"Waiting until {clock_time(prospect.at, now=now)}")


def clock_time(moment: datetime, *, now: datetime | None = None) -> str:
    """Hours and minutes in the practice's time zone, with the day, and the year, if another."""
    local = timezone.localtime(moment)
    today = timezone.localtime(now or timezone.now()).date()
    if local.date() == today:
        return date_format(local, "H:i")
    return date_format(local, "H:i, j M" if local.year == today.year else "H:i, j M Y")


_OUR_FAULT = "This is our fault, not yours; Abtrac's support sees it too. Nothing is lost."
_NOTICES: Mapping[str, str] = {
    Notice.Kind.NOT_TAKEN: f"{{uploads}} due since {{since}}, and still not taken. {_OUR_FAULT}",
    Notice.Kind.HELD: f"{{uploads}} being sent since {{since}}, without an end. {_OUR_FAULT}",
    Notice.Kind.CHECKING: "{uploads}: we have not found out since {since} whether {label} has what"
    " was sent. Please do not enter anything by hand.",
    Notice.Kind.GIVEN_UP: "{uploads} tried in vain since {since}. Nothing more happens by itself:"
    " find out what is wrong in {label}, then retry.",
    Notice.Kind.WAITING: "{uploads} waiting since {since}. Each goes by itself as soon as {label}"
    " takes it, and says why it waits.",
    Notice.Kind.NO_CONSENT: "{uploads} waiting since {since} for {name} to be connected. Each goes"
    " by itself afterwards; nothing is lost.",
    Notice.Kind.UNTOUCHED: "{uploads} failed or not known, and nobody has done anything about it"
    " since {since}. Each says what to do: correct, retry or park it.",
    Notice.Kind.PAYMENTS: "Not read from {label} since {since}, so what is shown as paid may be"
    " old.",
    Notice.Kind.CODES: "Not read from {label} since {since}, so what was added or archived there"
    " is not known here.",
}


def notice_told(notice: Notice, *, now: datetime | None = None) -> str:
    """What the practice's own people read of a notice, after its name."""
    return _NOTICES[notice.kind].format(
        uploads=counted(notice.uploads, "upload"),
        since=clock_time(notice.since, now=now),
        label=notice.interface.package.label,
        name=notice.interface.name,
    )


_ADVICE: Mapping[str, str] = {
    Notice.Kind.NOT_TAKEN: "Look whether the workers and the scheduler run. If they do, their log"
    " says why this interface is passed over.",
    Notice.Kind.HELD: "A worker hangs or has died. Restart the workers: what it held then goes on"
    " by itself.",
    Notice.Kind.CHECKING: "See in the log why {label} cannot be asked. Nobody should send or enter"
    " it by hand meanwhile.",
    Notice.Kind.GIVEN_UP: "Find out with the practice what is wrong in {label}; then they retry it"
    " in the batch.",
    Notice.Kind.WAITING: "See whether {label} is down, or limits calls. If others get through, the"
    " history of the oldest upload says what stops this one.",
    Notice.Kind.NO_CONSENT: "Ask an admin of the practice to connect the interface again.",
    Notice.Kind.UNTOUCHED: "Remind the practice: the batch says of each what is to be done.",
    Notice.Kind.PAYMENTS: "See in the log why reading fails; mostly the sign-in may no longer read"
    " payments, and an admin must connect again.",
    Notice.Kind.CODES: "See in the log why reading fails; mostly the sign-in may no longer read the"
    " settings, and an admin must connect again.",
}


def advice_on(kind: str, label: str) -> str:
    """What support should do about a notice of that kind, at a package of that name."""
    return _ADVICE[kind].format(label=label)


def money(amount: Decimal | None) -> str:
    """An amount with two decimals and thousands separators."""
    if amount is None:
        return ""
    return number_format(amount, decimal_pos=2, use_l10n=True, force_grouping=True)


def counted(count: int, one: str, many: str = "") -> str:
    """`1 invoice`, `1,200 invoices`."""
    word = one if count == 1 else many or f"{one}s"
    return f"{number_format(count, use_l10n=True, force_grouping=True)} {word}"


def up_to(count: int) -> str:
    """`1,234`, or `more than 10,000`: no more than that is ever counted."""
    most = min(count, MOST_COUNTED)
    told = number_format(most, use_l10n=True, force_grouping=True)
    return told if count == most else f"more than {told}"


_BESIDES = {
    Upload.Kind.CONTACT: "contact",
    Upload.Kind.JOB: "job",
    Upload.Kind.PDF: "PDF",
    Upload.Kind.VOID: "voiding",
    Upload.Kind.ALLOCATION: "credit allocation",
}


_MADE_FOR: Mapping[str, str] = {
    Batch.Origin.VOID: "void",
    Batch.Origin.CLIENTS: "client",
    Batch.Origin.JOBS: "job",
}


@dataclass(frozen=True, kw_only=True)
class Besides:
    """What goes with invoices and needs a person, counted by kind."""

    failed: Mapping[str, int] = field(default_factory=dict)
    not_known: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.failed or self.not_known)


def besides_told(besides: Besides) -> str:
    """`1 contact and 2 PDFs failed; 1 job not known`; nothing where all is well."""
    told = ((besides.failed, "failed"), (besides.not_known, "not known"))
    return "; ".join(f"{kinds_counted(counts)} {how}" for counts, how in told if counts)


def kinds_counted(counts: Mapping[str, int]) -> str:
    """`1 contact and 2 PDFs`."""
    return all_of(
        [counted(counts[kind], word) for kind, word in _BESIDES.items() if counts.get(kind)]
    )


def what_is_in(batch: Batch) -> int | str:
    """How many invoices the batch has, its `documents`; or `3 clients`, where it has none."""
    documents: int = batch.documents  # type: ignore[attr-defined]
    return documents if batch.is_of_invoices else counted(documents, _MADE_FOR[batch.origin])


def states_of_batch(batch: Any) -> list[Told]:
    """How a batch of the list fares; it comes with its counts and its `besides`."""
    told: list[Told] = []
    if batch.moving:
        told.append(Told(badge="sending", words="On the way"))
    elif batch.failed and batch.failed == batch.documents:
        told.append(Told(badge="failed", words="All failed"))
    elif batch.failed or batch.besides.failed:
        told.append(Told(badge="failed", words="Some failed"))
    elif batch.besides.not_known and not batch.not_known:
        told.append(Told(badge="needs_person", words="Not known: please check"))
    elif batch.failed_before:
        count = number_format(batch.failed_before, use_l10n=True, force_grouping=True)
        told.append(Told(badge="warning", words=f"{count} failed, uploaded again later"))
    elif not batch.not_known:
        told.append(_ended(batch))
    if batch.not_known:
        count = number_format(batch.not_known, use_l10n=True, force_grouping=True)
        told.append(Told(badge="needs_person", words=f"{count} not known: please check"))
    return told


def _ended(batch: Any) -> Told:
    if not batch.finished_at:
        return Told(badge="sending", words="Finishing")
    if batch.documents and not batch.sent:
        return Told(badge="draft", words="None sent")
    return Told(badge="sent", words="Finished")


def all_of(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *before, last = parts
    return f"{', '.join(before)} and {last}" if before else last


def listed(names: Sequence[str], *, most: int = 8) -> str:
    """The names, or the first of them and how many more."""
    shown = ", ".join(names[:most])
    left = len(names) - most
    return f"{shown} and {left} more" if left > 0 else shown


def by_reason(left_out: Iterable[tuple[str, str]]) -> list[str]:
    """(number, reason) pairs as one sentence per reason, naming the invoices it holds back.

    Those without a number are gone, and can only be counted.
    """
    grouped: dict[str, list[str]] = {}
    for number, reason in left_out:
        grouped.setdefault(reason, []).append(number)
    return [f"{_which(numbers)}: {reason}" for reason, numbers in grouped.items()]


def _which(numbers: Sequence[str]) -> str:
    named = [one for one in numbers if one]
    gone = len(numbers) - len(named)
    parts = [listed(named)] if named else []
    if gone:
        parts.append(counted(gone, "of those selected", "of those selected"))
    return " and ".join(parts)
