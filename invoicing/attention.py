"""What the pages of what needs attention read. Every function here needs a scope."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum, Window
from django.db.models.functions import Abs, RowNumber

from interfaces.models import AccountingInterface
from invoicing import reasons
from invoicing.causes import open_causes
from invoicing.models import Blocked, Cause, InvoiceLine, Upload
from invoicing.uploads.states import DOCUMENTS, FAILED, MOVING, State
from invoicing.words import counted, kinds_counted, money

PER_PAGE = 20
ROWS_PER_PAGE = 50
# So many of its invoices are named with each entry; its own page has all.
MOST_NAMED = 5
HEAVY = ("upload__document", "upload__there", "upload__warnings")

VALUE, SINCE = "value", "since"
SORTS = ((VALUE, "Most value first"), (SINCE, "Longest first"))


@dataclass(kw_only=True)
class Entry:
    """One cause: what it holds up, and how far it is mended; counted in documents where it can."""

    cause: Cause
    documents: int = 0
    totals: list[tuple[str, Decimal]] = field(default_factory=list)
    besides: dict[str, int] = field(default_factory=dict)
    fixed: int = 0
    # Parked or given up: it waits no more, and is not in the accounts.
    aside: int = 0
    tried: int = 0
    named: list[Blocked] = field(default_factory=list)

    @property
    def held_up(self) -> int:
        """How many it holds up, those that are being tried included."""
        return self.documents or sum(self.besides.values())

    @property
    def over(self) -> int:
        """How many it holds up no more."""
        return self.fixed + self.aside

    @property
    def counter(self) -> str:
        """`3 of 17 fixed, 1 set aside, 2 being tried`; nothing before anything was done."""
        parts = []
        if self.fixed:
            parts.append(f"{self.fixed:,} of {self.over + self.held_up:,} fixed")
        if self.aside:
            parts.append(f"{self.aside:,} set aside")
        if self.tried:
            parts.append(f"{self.tried:,} being tried")
        return ", ".join(parts)

    @property
    def all_tried(self) -> bool:
        """Whether everything it held up is on its way again."""
        return 0 < self.held_up <= self.tried

    @property
    def blocks(self) -> str:
        """`blocks 14 invoices, NZD 38,200.00`."""
        sums = [f"{currency} {money(total)}" for currency, total in self.totals]
        parts = [counted(self.documents, "invoice")] if self.documents else []
        if self.besides:
            parts.append(kinds_counted(self.besides))
        return f"blocks {', '.join([' and '.join(parts), *sums])}"

    @property
    def heading(self) -> str:
        """What is wrong and what that blocks, in one line."""
        message = self.cause.message.rstrip()
        if self.cause.closed_at or not self.held_up:
            return message
        return f"{message.removesuffix('.')}: {self.blocks}"

    @property
    def way(self) -> str:
        """How it is mended here: see `way_of`."""
        return way_of(self.cause)

    @property
    def is_in_doubt(self) -> bool:
        """Whether it may have voided something, so that it has to be looked for first."""
        return Upload.Kind.VOID in self.besides and self.way in ("look", "connect")

    @property
    def way_words(self) -> str:
        """The same as a button says it."""
        if self.cause.code == reasons.TAX_DIFFERS:
            return "See what fits"
        return _WAYS.get(self.way, "See what to do")

    @property
    def next_step(self) -> str:
        """What to do, in the words of the buttons here: what batches call to retry."""
        return self.cause.next_step.replace("retry", "check again").replace("Retry", "Check again")

    @property
    def is_restored_there(self) -> bool:
        """Whether it is mended by bringing the contact back in the package."""
        return self.way == "contact" and self.cause.code == "contact_archived"

    @property
    def is_for_admins(self) -> bool:
        """Whether only an admin can mend it here."""
        mends = self.way in ("account", "tax", "pair", "preferences")
        return mends and self.cause.code != reasons.TAX_DIFFERS


_WAYS = {
    "account": "Choose another account",
    "tax": "Choose another tax code",
    "pair": "Choose another code",
    "contact": "Choose the contact",
    "number": "Compare the two",
    "preferences": "Change the preferences",
    "lock": "See the dates, or park",
    "look": "Look in the package",
}


def way_of(cause: Cause) -> str:
    """What mends a cause of that kind; empty where it is only tried again."""
    of_code = {
        reasons.PAIR: "pair",
        reasons.LOCKED: "lock",
        reasons.CURRENCY: "currency",
        reasons.PLAN_LIMIT: "plan",
        reasons.CONFLICT: "number",
        "number_taken": "number",
        reasons.NOT_ASKED: "connect",
        reasons.NOT_KNOWN: "look",
    }
    of_field = {
        reasons.CONTACT: "contact",
        reasons.ACCOUNT: "account",
        reasons.TAX: "tax",
        "delivery_status": "preferences",
        reasons.JOB: "job",
    }
    if cause.field in (reasons.CONTACT, reasons.JOB):
        return of_field[cause.field]
    return of_code.get(cause.code) or of_field.get(cause.field, "")


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some entries, and how the next ones are asked for."""

    entries: list[Entry]
    total: int
    after: str = ""


def interfaces_with_causes() -> list[AccountingInterface]:
    """Those at which anything is held up."""
    held = open_causes().order_by().values("interface")
    return list(AccountingInterface.objects.filter(pk__in=held).order_by("name"))


def page_of(*, interface_id: int | None, sort: str, after: str = "") -> Page:
    """The open causes in that order, a few queries however many there are."""
    causes = open_causes()
    if interface_id:
        causes = causes.filter(interface=interface_id)
    sums = _sums(Q(cause__in=causes.values("pk")))
    keys: list[tuple[Any, int]] = sorted(
        (_key(sort, opened, sums.get(pk, ())), pk)
        for pk, opened in causes.values_list("pk", "opened_at")
    )
    begins = _place(sort, after)
    there = [one for one in keys if begins is None or one > begins]
    shown, more = there[:PER_PAGE], len(there) > PER_PAGE
    rows = Cause.objects.select_related("interface").in_bulk([pk for _, pk in shown])
    entries = _entries([rows[pk] for _, pk in shown if pk in rows], sums)
    _name_first(entries)
    return Page(entries=entries, total=len(keys), after=_written(sort, shown[-1]) if more else "")


def entry_of(cause: Cause) -> Entry:
    """One cause, open or closed."""
    return _entries([cause], _sums(Q(cause=cause)))[0]


def rows_of(cause: Cause, *, fixed: bool, after: int = 0) -> tuple[list[Blocked], int]:
    """What it holds up, or held up, in its order; and after which the next ones come, if any."""
    rows = cause.blocked.filter(cleared_at__isnull=not fixed, pk__gt=after).order_by("pk")
    found = list(
        rows.select_related(
            *("upload__invoice__client", "upload__batch", "upload__interface__lane"),
            *("upload__client", "upload__job"),
        ).defer(*HEAVY)[: ROWS_PER_PAGE + 1]
    )
    shown = found[:ROWS_PER_PAGE]
    _tell_others(shown)
    return shown, shown[-1].pk if len(found) > ROWS_PER_PAGE else 0


def parkable(cause: Cause, *, most: int) -> list[int]:
    """The invoices it holds up, by id."""
    held = cause.blocked.filter(cleared_at__isnull=True, upload__kind__in=DOCUMENTS)
    held = held.exclude(upload__state__in=MOVING).order_by("pk")
    return list(held.values_list("upload__invoice", flat=True)[:most])


def besides(cause: Cause, *, most: int) -> list[int]:
    """The uploads it holds up that are no documents, by id: contacts, jobs and steps after."""
    held = cause.blocked.filter(cleared_at__isnull=True, upload__state__in=FAILED)
    held = held.exclude(upload__kind__in=DOCUMENTS).order_by("pk")
    return list(held.values_list("upload", flat=True)[:most])


def lines_name(cause: Cause, code: str, *, is_tax: bool) -> bool:
    """Whether lines of what it holds up, or their invoices, write that code themselves."""
    return _lines_of(cause, [code], is_tax=is_tax).exists()


def taxed_by(cause: Cause, codes: Collection[str]) -> list[tuple[Decimal, Decimal]]:
    """Net and tax, each pair once, of the lines of what it holds up that write these tax codes."""
    lines = _lines_of(cause, codes, is_tax=True)
    return list(lines.order_by().values_list("net", "tax").distinct())


def _lines_of(cause: Cause, codes: Collection[str], *, is_tax: bool) -> QuerySet[InvoiceLine]:
    named = Q(tax_code__in=codes) | Q(tax_code="", invoice__tax_code__in=codes)
    lines = InvoiceLine.objects.filter(named if is_tax else Q(account_code__in=codes))
    held = cause.blocked.filter(cleared_at__isnull=True, upload__kind__in=DOCUMENTS)
    return lines.filter(invoice__in=held.values("upload__invoice"))


def _sums(which: Q) -> dict[int, list[dict[str, Any]]]:
    """By cause what it holds up, in each currency."""
    held = Blocked.objects.filter(
        which, cleared_at__isnull=True, upload__kind__in=DOCUMENTS
    ).order_by()
    found: dict[int, list[dict[str, Any]]] = {}
    for row in held.values("cause_id", "upload__invoice__currency").annotate(
        count=Count("pk"),
        total=Sum("upload__invoice__total"),
        value=Sum(Abs("upload__invoice__total")),
    ):
        found.setdefault(row["cause_id"], []).append(dict(row))
    return found


def _key(sort: str, opened: datetime, sums: Sequence[Mapping[str, Any]]) -> Any:
    if sort == SINCE:
        return opened
    return -sum((row["value"] for row in sums), Decimal(0)).quantize(Decimal("0.01"))


def _written(sort: str, key: tuple[Any, int]) -> str:
    first = f"{key[0].timestamp():.6f}" if sort == SINCE else str(key[0])
    return f"{first}_{key[1]}"


def _place(sort: str, written: str) -> tuple[Any, int] | None:
    """Where a page begins; None, the first page, for what nobody could have been given."""
    first, _, pk = written.partition("_")
    try:
        number = Decimal(first)
        key: Any = datetime.fromtimestamp(float(number), tz=UTC) if sort == SINCE else number
        return (key, int(pk)) if number.is_finite() else None
    except (InvalidOperation, ValueError, OverflowError, OSError):
        return None


def _entries(
    causes: Sequence[Cause], sums: Mapping[int, Sequence[Mapping[str, Any]]]
) -> list[Entry]:
    entries = {one.pk: Entry(cause=one) for one in causes}
    for pk, entry in entries.items():
        for row in sums.get(pk, ()):
            entry.documents += row["count"]
            entry.totals.append((row["upload__invoice__currency"], row["total"]))
        entry.totals.sort()
    counts = Blocked.objects.filter(cause__in=entries).order_by().values("cause_id", "upload__kind")
    waiting = Q(cleared_at__isnull=True)
    for row in counts.annotate(
        held=Count("pk", filter=waiting),
        tried=Count("pk", filter=waiting & Q(upload__state__in=MOVING)),
        over=Count("pk", filter=~waiting),
        aside=Count("pk", filter=~waiting & Q(upload__state__in=(State.PARKED, State.CANCELLED))),
    ):
        entry, is_document = entries[row["cause_id"]], row["upload__kind"] in DOCUMENTS
        if not is_document and row["held"]:
            entry.besides[row["upload__kind"]] = row["held"]
        if is_document or not entry.documents:
            entry.tried += row["tried"]
            entry.fixed += row["over"] - row["aside"]
            entry.aside += row["aside"]
    return list(entries.values())


def _name_first(entries: Sequence[Entry]) -> None:
    """Give each entry the first of its invoices."""
    of = {one.cause.pk: one for one in entries}
    numbered = Window(RowNumber(), partition_by=F("cause"), order_by=F("pk").asc())
    held: QuerySet[Blocked] = Blocked.objects.filter(
        cause__in=of, cleared_at__isnull=True, upload__kind__in=DOCUMENTS
    )
    first = held.annotate(place=numbered).filter(place__lte=MOST_NAMED).order_by("pk")
    for one in first.select_related("upload__invoice", "upload__batch").defer(*HEAVY):
        of[one.cause_id].named.append(one)


def _tell_others(rows: Sequence[Blocked]) -> None:
    """Give each row what else holds its upload up."""
    by_upload = {one.upload_id: one for one in rows}
    for one in rows:
        one.others = []  # type: ignore[attr-defined]
    if not rows:
        return
    also = Blocked.objects.filter(upload__in=by_upload, cleared_at__isnull=True)
    for other in also.exclude(cause=rows[0].cause_id).select_related("cause"):
        by_upload[other.upload_id].others.append(other.cause)  # type: ignore[attr-defined]
