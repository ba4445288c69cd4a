"""Two documents side by side: ours as it was to be sent, and what stands in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format

from connectors.base.documents import Conflict
from invoicing.models import Invoice, PackageDocument, Upload
from invoicing.preflight import folded_number
from invoicing.reasons import NUMBER
from invoicing.uploads import resolve
from invoicing.uploads.states import CONFLICT, State
from invoicing.words import clock_time, money

CLIENT = "Client"
TOTAL = "Total incl tax"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One fact of both; `differs` only where both are known, and not of what may well differ."""

    name: str
    ours: str
    theirs: str
    differs: bool = False


def told_of(upload: Upload) -> Conflict:
    """What is known of the document in our place: by the look-up, else as it was last read.

    Of what our own checks refused for its number the package was not asked.
    """
    if upload.state == State.REFUSED and upload.field == NUMBER and not upload.remote_number:
        return _last_read(upload)
    there = upload.there or {}
    issued = there.get("issued")
    return Conflict(
        key=upload.document.get("key", ""),
        message=upload.reason,
        remote_id=upload.remote_id,
        number=upload.remote_number,
        contact_name=there.get("contact_name", ""),
        issued=date.fromisoformat(issued) if issued else None,
        currency=there.get("currency", ""),
        total=upload.remote_total,
        status=there.get("status", ""),
        url=upload.remote_url,
    )


def _last_read(upload: Upload) -> Conflict:
    """Of several under our number one that still stands."""
    number = str(upload.document.get("number", ""))
    rows = PackageDocument.objects.filter(
        interface=upload.interface, kind=upload.kind, folded=folded_number(number)
    )
    told = [_told(upload, one) for one in rows.order_by("pk")]
    nothing = Conflict(key=upload.document.get("key", ""), message=upload.reason)
    return min(told, key=lambda one: one.is_taken_back, default=nothing)


def _told(upload: Upload, there: PackageDocument) -> Conflict:
    return Conflict(
        key=upload.document.get("key", ""),
        message=upload.reason,
        remote_id=there.remote_id,
        number=there.number,
        contact_name=there.contact_name,
        issued=there.issued,
        currency=there.currency,
        total=there.total,
        status=there.status.capitalize(),
    )


def side_by_side(upload: Upload, theirs: Conflict) -> list[Fact]:
    """Number, client, date, total and status of both; none where nothing is known of theirs."""
    if not theirs.number and theirs.total is None:
        return []
    invoice = upload.invoice
    assert invoice is not None  # noqa: S101 - documents name their invoice
    ours = _frozen(upload.document, invoice)
    return [
        _fact("Number", ours.number, theirs.number),
        _fact(CLIENT, ours.contact_name, theirs.contact_name),
        _fact("Date", _day(ours.issued), _day(theirs.issued)),
        _fact(
            TOTAL,
            _amount(ours.currency, ours.total),
            # Of one currency more is not said where the package says none.
            _amount(theirs.currency or ours.currency, theirs.total),
        ),
        Fact(
            name="Status",
            ours=f"{invoice.get_status_display()} in Abtrac",
            theirs=theirs.status or NOT_KNOWN,
        ),
    ]


def told_of_nothing(upload: Upload) -> str:
    """Why nothing stands beside ours: what the package was asked, and what that proves."""
    label = upload.interface.package.label
    if upload.code == CONFLICT:
        return upload.reason
    asked, sent = upload.not_there_at, upload.unknown_since
    by_hand = f"Please do not enter it in {label} by hand."
    if asked and (sent is None or asked >= sent):
        at = clock_time(asked)
        if asked >= resolve.settled_at(upload):
            sure = "That was late enough to be sure that it had not arrived."
            return f"{label} was asked at {at} and did not have it. {sure}"
        return (
            f"{label} was asked at {at} and did not have it then, which proves nothing yet: it may"
            f" have arrived since. {by_hand}"
        )
    if sent:
        return f"{label} could not be asked yet, so it may be there. {by_hand}"
    return f"{label} has not been asked yet whether it is there."


def are_of_others(facts: Sequence[Fact]) -> bool:
    """Whether the client or the total is another: then our number is taken, and ours is not there.

    Another date alone may well be a slip of the pen.
    """
    return any(one.differs and one.name in (CLIENT, TOTAL) for one in facts)


NOT_KNOWN = "Not known"


def _frozen(document: dict[str, Any], invoice: Invoice) -> Conflict:
    """Ours, as it was frozen when it was queued, whatever the invoice says since."""
    issued = document.get("issued")
    total = document.get("total")
    return Conflict(
        key=document.get("key", ""),
        message="",
        number=document.get("number", invoice.number),
        contact_name=document.get("contact", {}).get("name", invoice.name_on_invoice),
        issued=date.fromisoformat(issued) if issued else invoice.issued,
        total=Decimal(total) if total else abs(invoice.total),
        currency=document.get("currency", invoice.currency),
    )


def _fact(name: str, ours: str, theirs: str) -> Fact:
    differs = bool(theirs) and ours.casefold() != theirs.casefold()
    return Fact(name=name, ours=ours, theirs=theirs or NOT_KNOWN, differs=differs)


def _day(day: date | None) -> str:
    return date_format(day, "j M Y") if day else ""


def _amount(currency: str, amount: Decimal | None) -> str:
    return f"{currency} {money(amount)}" if amount is not None else ""
