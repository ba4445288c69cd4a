"""Compares what was clicked, what our rows say, and what the package holds.

`check` only reads, so it may look from another process at any moment. What it finds wrong it says
in sentences; an empty list means: nothing missing, nothing twice, nothing untold.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from connectors import registry
from interfaces import clock
from invoicing.models import Invoice, Upload
from invoicing.uploads.resolve import settle_of
from invoicing.uploads.states import DOCUMENTS, FAILED, HELD, MOVES, MOVING, State
from offices.tenancy import acting_for
from tests.faults.record import There, everything_in

# How much later than promised a thing may be: a sweep, and the lease of a worker that died.
GRACE = timedelta(minutes=5)
# What a document may be there as while its upload still says something else than "sent".
MAY_BE_THERE = frozenset({State.SENDING, State.UNKNOWN})


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One interface: who owns it, what people clicked, and what its package holds.

    `typed_in` are the package's ids of documents that somebody else made there.
    """

    practice_id: int
    interface_id: int
    package_key: str
    company_file: str
    state: Mapping[str, Any]
    clicked: Collection[int]
    typed_in: Collection[str] = ()


@dataclass(kw_only=True)
class Tally:
    """How the documents that were clicked stand, and what is wrong among them.

    `doubled` counts contacts and jobs as well.
    """

    clicked: int = 0
    sent: int = 0
    waiting: int = 0
    unknown: int = 0
    refused: int = 0
    person: int = 0
    withdrawn: int = 0
    lost: int = 0
    doubled: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        sums = {
            one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(Tally)
        }
        return Tally(**sums)


@dataclass(kw_only=True)
class Checked:
    """What was found: sentences, and the figures."""

    findings: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


# Under what each state counts.
COUNTED: Mapping[str, str] = {
    State.QUEUED: "waiting",
    State.CLAIMED: "waiting",
    State.SENDING: "waiting",
    State.UNKNOWN: "unknown",
    State.SENT: "sent",
    State.REFUSED: "refused",
    State.NEEDS_PERSON: "person",
    State.PARKED: "withdrawn",
    State.CANCELLED: "withdrawn",
}


def check(watched: Iterable[Watched], *, at_rest: bool = False) -> Checked:
    """Every finding over all the interfaces; `at_rest` says that nothing should be moving."""
    whole = Checked()
    every: list[_Interface] = []
    for one in watched:
        with acting_for(one.practice_id):
            interface = _Interface(one)
            checked = interface.checked(at_rest=at_rest)
        every.append(interface)
        whole.findings += checked.findings
        whole.tally += checked.tally
    whole.findings += _unclicked(every)
    return whole


def _unclicked(every: Sequence["_Interface"]) -> Iterator[str]:
    """Documents in a company file that none of the interfaces to it was asked for."""
    accounted: dict[tuple[str, str], set[str]] = {}
    there: dict[tuple[str, str], dict[str, There]] = {}
    for one in every:
        watched = one.watched
        place = (watched.package_key, watched.company_file)
        accounted.setdefault(place, set()).update(watched.typed_in, one.accounted())
        there.setdefault(place, {}).update({each.remote_id: each for each in one.there})
    for place, documents in there.items():
        for remote_id in documents.keys() - accounted[place]:
            document = documents[remote_id]
            yield (
                f"{_label(place[0])} has {_word(document)} {document.number} ({remote_id}),"
                " and nobody clicked it."
            )


class _Interface:
    """One interface as our rows and its package's record show it. Inside a scope."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self._label = _label(watched.package_key)
        everything = [
            one
            for one in everything_in(watched.package_key, watched.state)
            if one.company_file == watched.company_file
        ]
        self.there = [one for one in everything if one.kind in DOCUMENTS]
        self._companions = [one for one in everything if one.kind not in DOCUMENTS]
        self._uploads = list(
            Upload.objects.filter(interface_id=watched.interface_id)
            .select_related("interface", "invoice")
            .prefetch_related("events", "attempts__exchange")
            .order_by("pk")
        )
        self._documents = [one for one in self._uploads if one.kind in DOCUMENTS]
        self._newest = {one.invoice_id: one for one in self._documents}
        self._now = clock.now()

    def accounted(self) -> set[str]:
        """The ids there that belong to a click."""
        return {one.remote_id for each in self._newest.values() for one in self._of(each)}

    def checked(self, *, at_rest: bool) -> Checked:
        """All that is wrong with this interface's own uploads."""
        checked = Checked(tally=Tally(clicked=len(self.watched.clicked)))
        checked.findings += self._clicks(checked.tally)
        for upload in self._newest.values():
            name = COUNTED[upload.state]
            setattr(checked.tally, name, getattr(checked.tally, name) + 1)
            checked.findings += self._arrival(upload, checked.tally)
        for upload in self._uploads:
            told = [
                *_history(upload),
                *self._words(upload),
                *self._attempts(upload),
                *self._age(upload),
            ]
            if at_rest and upload.state in MOVING:
                told.append(f"is still {upload.state}")
            checked.findings += [f"{_name(upload)} {finding}." for finding in told]
        checked.findings += self._doubled_companions(checked.tally)
        return checked

    def _clicks(self, tally: Tally) -> Iterator[str]:
        """Each click has its upload, and each upload its click."""
        numbers = dict(
            Invoice.objects.filter(pk__in=self.watched.clicked).values_list("pk", "number")
        )
        for missing in sorted(set(self.watched.clicked) - self._newest.keys()):
            tally.lost += 1
            yield f"Invoice {numbers.get(missing, missing)} was clicked and has no upload."
        for upload in self._newest.values():
            if upload.invoice_id not in self.watched.clicked:
                yield f"{_name(upload)} has an upload, and nobody clicked it."

    def _of(self, upload: Upload) -> list[There]:
        """What is there for the upload: by its id, by our mark, or by its number where no other's.

        What somebody else typed in is there for an upload only once it is linked to it.
        """
        key, number = upload.document.get("key"), upload.document.get("number")
        others = {
            one.remote_id
            for one in self._newest.values()
            if one.state == State.SENT and one.pk != upload.pk
        }
        found = []
        for one in self.there:
            linked = upload.state == State.SENT and one.remote_id == upload.remote_id
            same = one.number == number and one.remote_id not in others
            ours = key in one.reference or same
            typed_in = one.remote_id in self.watched.typed_in
            if one.kind == upload.kind and (linked or (ours and not typed_in)):
                found.append(one)
        return found

    def _arrival(self, upload: Upload, tally: Tally) -> Iterator[str]:
        """What is there for it is what it says, once."""
        found = self._of(upload)
        name = _name(upload)
        ours = [one for one in found if one.remote_id not in self.watched.typed_in]
        if len(ours) > 1:
            tally.doubled += len(ours) - 1
            ids = ", ".join(one.remote_id for one in ours)
            yield f"{name} is in {self._label} {len(ours)} times: {ids}."
        every_try = [one for one in self._documents if one.invoice_id == upload.invoice_id]
        if ours and not any(one.attempts.all() for one in every_try):
            yield f"{name} is in {self._label}, and no attempt of ours sent it."
        if upload.state == State.SENT:
            document = next((one for one in found if one.remote_id == upload.remote_id), None)
            if document is None:
                tally.lost += 1
                yield (
                    f"{name} is said to be sent, and {self._label} has nothing with the id"
                    f" {upload.remote_id}."
                )
            else:
                yield from self._differences(upload, document)
        elif found and not self._may_be_there(upload):
            yield f"{name} is in {self._label}, and its upload says {upload.state}."

    def _may_be_there(self, upload: Upload) -> bool:
        """Whether the upload says, by its state, that it may have arrived."""
        asked_for = upload.state == State.NEEDS_PERSON and upload.unknown_since is not None
        return upload.state in MAY_BE_THERE or asked_for

    def _differences(self, upload: Upload, document: There) -> Iterator[str]:
        """A number or total that differs is told on the upload, or it is a finding."""
        if upload.linked or upload.warnings:
            return
        name, invoice = _name(upload), upload.document
        if document.number != invoice["number"]:
            yield f"{name} has the number {document.number} in {self._label}."
        if document.total is not None and f"{document.total:.2f}" != invoice["total"]:
            yield (
                f"{name} has a total of {document.total} in {self._label}; ours is"
                f" {invoice['total']}."
            )

    def _words(self, upload: Upload) -> Iterator[str]:
        """Whoever waits sees why and until when; whoever must act sees why and what to do."""
        waits = upload.state in {State.QUEUED, State.UNKNOWN}
        if waits and upload.due is None:
            yield f"is {upload.state} and shows no next time"
        # What a person has corrected and retried has not been tried yet as it is now.
        sent = any(one.revision == upload.revision for one in upload.attempts.all())
        tried = upload.tries or upload.generation > 1 or sent
        if (upload.state == State.UNKNOWN or (waits and tried)) and not upload.reason:
            yield f"is {upload.state} and shows no reason"
        if upload.state in FAILED:
            if not upload.reason:
                yield f"is {upload.state} and shows no reason"
            if not upload.next_step:
                yield f"is {upload.state} and shows no next step"

    def _attempts(self, upload: Upload) -> Iterator[str]:
        """Every request is known by its attempt, stored before it left."""
        attempts = list(upload.attempts.all())
        sendings = sum(event.after == State.SENDING for event in upload.events.all())
        if len(attempts) < sendings:
            yield f"was sending {sendings} times and has {len(attempts)} attempts"
        if attempts and not sendings:
            yield f"has {len(attempts)} attempts and was never sending"
        for attempt in attempts:
            if not attempt.exchange.body:
                yield f"has attempt {attempt.pk}, and what was sent by it is not known"

    def _age(self, upload: Upload) -> Iterator[str]:
        """Nothing stays on its way for longer than it may without a person being told."""
        since, limit = _limit(upload)
        if since is not None and self._now - since > limit + GRACE:
            yield f"has been {upload.state} since {since:%Y-%m-%d %H:%M}, and nobody was told"

    def _doubled_companions(self, tally: Tally) -> Iterator[str]:
        """Contacts and jobs are created once as well."""
        marks = Counter((one.kind, one.reference or one.number) for one in self._companions)
        for (kind, mark), count in marks.items():
            if count > 1:
                tally.doubled += count - 1
                yield f"The {kind} {mark} is in {self._label} {count} times."


def _history(upload: Upload) -> Iterator[str]:
    """Its events lead, by moves that are allowed, from nothing to where it stands."""
    stands = ""
    for event in sorted(upload.events.all(), key=lambda one: one.pk):
        if event.before != stands:
            yield f"went on from {event.before or 'nothing'} when it was {stands or 'nothing'}"
        elif stands and event.after != stands and event.after not in MOVES[stands]:
            yield f"went from {stands} to {event.after}, which is no legal move"
        elif not stands and event.after not in {State.QUEUED, State.REFUSED, State.UNKNOWN}:
            yield f"began as {event.after}"
        stands = event.after
    if stands != upload.state:
        yield f"is {upload.state}, and its history ends with {stands or 'nothing'}"


def _limit(upload: Upload) -> tuple[datetime | None, timedelta]:
    """Since when it is as it is, and for how long it may be."""
    if upload.state in HELD:
        return upload.lease_until, timedelta(0)
    if upload.state == State.UNKNOWN:
        looks = timedelta(seconds=sum(settings.UPLOAD_LOOKUP_SECONDS))
        return upload.unknown_since, looks + settle_of(upload.interface.package)
    if upload.state == State.QUEUED:
        longest = settings.UPLOAD_GIVE_UP_SECONDS + max(settings.UPLOAD_RETRY_SECONDS) * 1.2
        return upload.waiting_since, timedelta(seconds=longest)
    return None, timedelta(0)


def _name(upload: Upload) -> str:
    named = upload.document.get("number") or upload.document.get("name") or upload.pk
    return f"{upload.get_kind_display()} {upload.document.get('code') or named}"


def _word(document: There) -> str:
    return document.kind.replace("_", " ")


def _label(package_key: str) -> str:
    return registry.package(package_key).label
