"""Where each invoice stands with the accounts, in one word: the same wherever it appears."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import OuterRef, Subquery
from django.utils import timezone
from django.utils.formats import date_format

from connectors.base.documents import TAKEN_BACK
from invoicing.models import Invoice, PackageDocument, Upload
from invoicing.uploads.states import DOCUMENTS, MOVING, State, is_not_known
from invoicing.words import money

Kind = Upload.Kind


@dataclass(frozen=True, kw_only=True)
class Badge:
    """One word, its colour, what more there is to tell, and where the package shows it."""

    state: str
    words: str
    title: str = ""
    address: str = ""
    package: str = ""
    # The upload it tells of, if any.
    upload_id: int | None = None


_WORDS: Mapping[str, tuple[str, str]] = {
    State.QUEUED: ("queued", "Queued"),
    State.CLAIMED: ("sending", "Sending"),
    State.SENDING: ("sending", "Sending"),
    State.UNKNOWN: ("unknown", "Checking"),
    State.REFUSED: ("failed", "Failed"),
    State.NEEDS_PERSON: ("failed", "Failed"),
    State.VOIDED: ("voided", "Voided"),
}
NOT_SENT = Badge(state="draft", words="Not sent")


def badges_of(invoices: Collection[Invoice]) -> dict[int, Badge]:
    """The badge of each, by its id; one question however many they are. Needs a scope."""
    latest: dict[int, Upload] = {}
    voiding: dict[int, Upload] = {}
    for one in _uploads_of(invoices):
        found = voiding if one.kind == Kind.VOID else latest
        found[one.invoice_id or 0] = one
    return {one.pk: _badge(one, latest.get(one.pk), voiding.get(one.pk)) for one in invoices}


def with_badges(invoices: Sequence[Invoice]) -> list[tuple[Invoice, Badge]]:
    """The same beside each, in their order."""
    badges = badges_of(invoices)
    return [(one, badges[one.pk]) for one in invoices]


def _uploads_of(invoices: Collection[Invoice]) -> list[Upload]:
    """Their documents and voids, oldest first, with the total that the package last told."""
    told = PackageDocument.objects.filter(
        interface=OuterRef("interface"), kind=OuterRef("kind"), remote_id=OuterRef("remote_id")
    )
    rows = Upload.objects.filter(
        invoice__in=[one.pk for one in invoices], kind__in=(*DOCUMENTS, Kind.VOID)
    )
    return list(
        rows.select_related("interface")
        .annotate(total_there=Subquery(told.values("total")[:1]))
        .only(
            *("invoice_id", "kind", "state", "code", "unknown_since", "warnings", "sent_at"),
            *("remote_number", "remote_total", "remote_url", "practice_id"),
            *("interface__package_key", "interface__name", "interface__rehearsal_token"),
        )
        .order_by("pk")
    )


def _badge(invoice: Invoice, upload: Upload | None, voiding: Upload | None) -> Badge:
    if invoice.parked_at:
        title = _titled(_at(invoice.parked_at), invoice.parked_reason)
        return Badge(state="parked", words="Parked", title=title)
    if invoice.in_accounts_at:
        title = _titled(_at(invoice.in_accounts_at), invoice.in_accounts_reason)
        return Badge(state="parked", words="Already in accounts", title=title)
    if upload is None or upload.state in (State.PARKED, State.CANCELLED):
        return NOT_SENT
    package = upload.interface.package.label
    if upload.state == State.SENT:
        state, words, more = _standing(invoice, upload, voiding)
    elif is_not_known(upload):
        state, words, more = "needs_person", "Not known", ""
    else:
        state, words = _WORDS[upload.state]
        more = ""
    return Badge(
        state=state,
        words=words,
        title=_titled(upload.remote_number, _at(upload.sent_at), more),
        address=upload.remote_url,
        package=package,
        upload_id=upload.pk,
    )


def _standing(invoice: Invoice, upload: Upload, voiding: Upload | None) -> tuple[str, str, str]:
    """Colour, word and more of one that is in the accounts."""
    label = upload.interface.package.label
    if voiding and voiding.pk > upload.pk and voiding.state in MOVING:
        return "unknown", "Being voided", ""
    if change := _changed_there(invoice, upload):
        return "warning", "Changed there", f"{label}: {change}"
    if upload.warnings:
        return "sent_with_warning", "Sent with warning", ""
    return "sent", "Sent", ""


def _changed_there(invoice: Invoice, upload: Upload) -> str:
    """What the package last told that differs from what was sent, or nothing."""
    if invoice.package_status.casefold() in TAKEN_BACK:
        return invoice.package_status.lower()
    there: Decimal | None = upload.total_there  # type: ignore[attr-defined]
    sent = abs(invoice.total) if upload.remote_total is None else upload.remote_total
    if there is not None and there != sent:
        return f"total {money(there)}, sent {money(sent)}"
    return ""


def _at(moment: datetime | None) -> str:
    return date_format(timezone.localtime(moment), "j M Y, H:i") if moment else ""


def _titled(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
