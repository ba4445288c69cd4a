"""What the pages of invoicing read. Every function here needs a scope."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    Min,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.utils import timezone

from interfaces import lanes
from interfaces.models import AccountingInterface, Lane
from invoicing import uploads
from invoicing.keyset import MOST_COUNTED, counted_up_to
from invoicing.models import (
    Attempt,
    Batch,
    Client,
    Invoice,
    InvoiceEvent,
    InvoiceLine,
    InvoiceSetting,
    Job,
    Notice,
    PaymentReceived,
    Upload,
    UploadEvent,
)
from invoicing.uploads.states import DOCUMENTS, FAILED, LIVE, MOVING, NOT_KNOWN
from invoicing.words import Besides
from offices.models import User

State = Upload.State
Kind = Upload.Kind
ASIDE = (State.PARKED, State.CANCELLED, State.VOIDED)
_ASIDE = Q(state__in=ASIDE) & ~Q(kind=Kind.VOID, state=State.VOIDED)
COMPANIONS = (Kind.CONTACT, Kind.JOB, Kind.PDF, Kind.ALLOCATION, Kind.VOID)
# What is shown of contacts, jobs, PDFs and credits that are not through; the rest is counted.
MOST_COMPANIONS = 50
# Where it was to get; a void is through when it has made what it takes back voided.
THROUGH = Q(state=State.SENT) | Q(kind=Kind.VOID, state=State.VOIDED)
MOST_HISTORY = 200
# Of a client, or a job.
MOST_INVOICES = 20
MOST_REASONS = 5
# Names that a box for typing offers; whatever else is typed is looked for as well.
MOST_SUGGESTED = 50

CENT = Decimal("0.01")
# The notices that say why what is on its way does not move.
WHY_NOTHING_MOVES = (
    Notice.Kind.NOT_TAKEN,
    Notice.Kind.HELD,
    Notice.Kind.CHECKING,
    Notice.Kind.WAITING,
)


@dataclass(frozen=True, kw_only=True)
class CurrencyTotal:
    """How many invoices of one currency, and what they come to; credit notes count negative."""

    currency: str
    count: int
    net: Decimal
    total: Decimal


# --- What can be uploaded ----------------------------------------------------------------------


def available(settings: Sequence[InvoiceSetting]) -> QuerySet[Invoice]:
    """The available list, with what its columns and notes tell.

    `settings` are all of the practice's: what is dated before their go-live dates is not looked at.
    """
    last_try = Upload.objects.filter(
        invoice=OuterRef("pk"), kind__in=DOCUMENTS, state__in=FAILED
    ).order_by("-pk")
    return with_columns(uploads.unsent().filter(_from_go_live(settings))).annotate(
        failed_in=Subquery(last_try.values("batch__number")[:1])
    )


def with_columns(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """The invoices with all that a column of a list can show of them."""
    return invoices.select_related("office", "invoice_setting__interface", "client", "job").defer(
        "client__postal_address", "client__street_address"
    )


def _from_go_live(settings: Sequence[InvoiceSetting]) -> Q:
    """Dated on the go-live date of the invoice's setting or later, or there is none.

    As `uploads.offered` says it, but by the dates themselves: an index knows nothing of other rows.
    """
    by_date: dict[date | None, list[int]] = {}
    for one in settings:
        first = one.interface.offered_from if one.interface else None
        by_date.setdefault(first, []).append(one.pk)
    found = Q()
    for first, pks in by_date.items():
        theirs = Q(invoice_setting__in=pks) if len(by_date) > 1 else Q()
        found |= theirs & Q(issued__gte=first) if first else theirs
    dates = [one for one in by_date if one]
    return found & Q(issued__gte=min(dates)) if len(dates) == len(by_date) > 1 else found


def is_outweighed_by_history(settings: Sequence[InvoiceSetting]) -> bool:
    """Whether so much is older than the go-live dates that no order should lead through it."""
    offered = _from_go_live(settings)
    return bool(offered) and counted_up_to(uploads.unsent().exclude(offered)) > MOST_COUNTED


@dataclass(frozen=True, kw_only=True)
class InterfaceSum:
    """What the invoices through one interface in one currency come to; None: not linked."""

    interface: str | None
    currency: str
    count: int
    net: Decimal
    total: Decimal


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What a list comes to: exactly, as long as it is no longer than what is counted at all."""

    count: int
    by_interface: list[InterfaceSum]

    @property
    def is_exact(self) -> bool:
        """Whether the amounts are those of the whole list."""
        return self.count <= MOST_COUNTED

    @property
    def totals(self) -> list[CurrencyTotal]:
        """By currency alone."""
        return [
            CurrencyTotal(
                currency=currency,
                count=sum(one.count for one in same),
                net=sum((one.net for one in same), Decimal(0)),
                total=sum((one.total for one in same), Decimal(0)),
            )
            for currency, same in _by_currency(self.by_interface)
        ]

    @property
    def is_of_several(self) -> bool:
        """Whether there are several interfaces, so that each has sums of its own."""
        return len({one.interface for one in self.by_interface}) > 1


def sums_of(invoices: QuerySet[Invoice], settings: Sequence[InvoiceSetting]) -> Sums:
    """The sums of all of them, by interface and currency, in one query.

    `settings` are all of the practice's.
    """
    some = invoices.order_by().values("invoice_setting_id", "currency", "net", "total")
    try:
        rows, params = some[: MOST_COUNTED + 1].query.sql_with_params()
    except EmptyResultSet:
        return Sums(count=0, by_interface=[])
    with connection.cursor() as cursor:
        # Of rows cut off at a number the query builder makes no groups.
        cursor.execute(
            "SELECT invoice_setting_id, currency, COUNT(*), SUM(net), SUM(total)"  # noqa: S608
            f" FROM ({rows}) listed GROUP BY invoice_setting_id, currency",
            params,
        )
        found = cursor.fetchall()
    through = {one.pk: one.interface.name if one.interface else None for one in settings}
    sums: dict[tuple[str | None, str], list[Any]] = {}
    for setting, currency, *added in found:
        sums.setdefault((through.get(setting), currency), []).append(added)
    by_interface = [
        InterfaceSum(
            interface=interface,
            currency=currency,
            count=sum(count for count, _, _ in same),
            net=sum((_cents(net) for _, net, _ in same), Decimal(0)),
            total=sum((_cents(total) for _, _, total in same), Decimal(0)),
        )
        for (interface, currency), same in sums.items()
    ]
    by_interface.sort(key=lambda one: (one.interface is None, one.interface or "", one.currency))
    return Sums(count=sum(one.count for one in by_interface), by_interface=by_interface)


def _by_currency(sums: Iterable[InterfaceSum]) -> list[tuple[str, list[InterfaceSum]]]:
    found: dict[str, list[InterfaceSum]] = {}
    for one in sums:
        found.setdefault(one.currency, []).append(one)
    return sorted(found.items())


def totals_of(invoices: QuerySet[Invoice]) -> list[CurrencyTotal]:
    """The sums of all of them, by currency, in one query."""
    rows = (
        Invoice.objects.filter(pk__in=invoices.order_by().values("pk"))
        .order_by()
        .values("currency")
        .annotate(count=Count("pk"), net_sum=Sum("net"), total_sum=Sum("total"))
        .order_by("currency")
    )
    return [
        CurrencyTotal(
            currency=row["currency"],
            count=row["count"],
            net=_cents(row["net_sum"]),
            total=_cents(row["total_sum"]),
        )
        for row in rows
    ]


def totals_of_rows(invoices: Iterable[Invoice]) -> list[CurrencyTotal]:
    """The same of invoices already in hand."""
    found: dict[str, list[Invoice]] = {}
    for one in invoices:
        found.setdefault(one.currency, []).append(one)
    return [
        CurrencyTotal(
            currency=currency,
            count=len(rows),
            net=sum((one.net for one in rows), Decimal(0)),
            total=sum((one.total for one in rows), Decimal(0)),
        )
        for currency, rows in sorted(found.items())
    ]


def settings_with_interfaces() -> list[InvoiceSetting]:
    """Every invoice setting with its interface, for the filters."""
    return list(InvoiceSetting.objects.select_related("interface").order_by("name"))


def chosen(invoice_ids: Sequence[int]) -> list[Invoice]:
    """The invoices of these ids that exist, in the order they would be sent."""
    return list(Invoice.objects.filter(pk__in=invoice_ids).order_by("issued", "number", "id"))


def offered_clients(offered: QuerySet[Invoice]) -> list[str]:
    """The names of clients that have invoices in the available list: the first ones only."""
    theirs = offered.filter(client=OuterRef("pk"))
    found = Client.objects.filter(Exists(theirs)).order_by("name", "pk")
    return list(dict.fromkeys(found.values_list("name", flat=True)[:MOST_SUGGESTED]))


def parked() -> QuerySet[Invoice]:
    """Invoices taken off the available list by a person."""
    taken_off = Invoice.objects.filter(parked_at__isnull=False)
    return with_columns(taken_off).select_related("parked_by")


def in_accounts() -> QuerySet[Invoice]:
    """Invoices that a person said are in the accounts already."""
    marked = Invoice.objects.filter(in_accounts_at__isnull=False)
    return with_columns(marked).select_related("in_accounts_by")


def batch_holding(invoice_ids: Sequence[int]) -> Batch | None:
    """The newest batch in which one of these invoices is on its way or through."""
    held = Upload.objects.filter(invoice__in=invoice_ids, kind__in=DOCUMENTS, state__in=LIVE)
    newest = held.order_by("-batch_id").select_related("batch").first()
    return newest.batch if newest else None


def older_than_go_live(interface: AccountingInterface) -> int:
    """How many committed invoices are dated before its go-live date and neither sent nor marked."""
    older = uploads.unsent().filter(
        invoice_setting__interface=interface, issued__lt=interface.offered_from
    )
    return older.count()


def trials_of(interface: AccountingInterface) -> list[Upload]:
    """The documents sent through it before it was live, newest first."""
    found = Upload.objects.filter(interface=interface, kind__in=DOCUMENTS)
    return list(found.select_related("invoice", "batch", "interface__lane").order_by("-pk")[:5])


# --- Batches -----------------------------------------------------------------------------------


def batches() -> QuerySet[Batch]:
    """Every batch with its counts; they are worked out for the rows of a page only."""
    return batches_marked().annotate(
        documents=_count_of(Q()),
        sent=_count_of(THROUGH),
        failed=_count_of(Q(state__in=FAILED) & ~NOT_KNOWN & ~went_on()),
        not_known=_count_of(NOT_KNOWN & ~went_on()),
        moving=_count_of(Q(state__in=MOVING)),
        # Of those set aside: what failed here, and went on in a later batch.
        failed_before=_count_of(Q(state__in=FAILED) & went_on()),
        aside=_count_of(_ASIDE | Q(state__in=FAILED) & went_on()),
    )


def batches_marked() -> QuerySet[Batch]:
    """Every batch; `rehearsed` is the key of a package whose rehearsal all of it was for."""
    uploads = Upload.objects.filter(batch=OuterRef("pk"))
    in_earnest = uploads.filter(interface__rehearsal_token="")
    return Batch.objects.select_related("created_by").annotate(
        rehearsed=Case(
            When(Exists(in_earnest), then=Value("")),
            default=Subquery(uploads.values("interface__package_key")[:1]),
            output_field=TextField(),
        )
    )


def _count_of(which: Q) -> Coalesce:
    own = (*DOCUMENTS, OuterRef("origin"))
    counts = (
        Upload.objects.filter(which, batch=OuterRef("pk"), kind__in=own)
        .order_by()
        .values("batch")
        .annotate(count=Count("pk"))
        .values("count")
    )
    return Coalesce(Subquery(counts, output_field=IntegerField()), 0)


def batch_makers() -> list[User]:
    """Who has made a batch, by e-mail; few, however many batches there are."""
    made = Batch.objects.filter(created_by=OuterRef("pk"))
    return list(User.objects.filter(Exists(made)).order_by("email"))


def needing_a_person() -> QuerySet[Upload]:
    """What failed or is not known, of any kind, and was not uploaded again."""
    return Upload.objects.filter(state__in=FAILED).filter(~went_on())


def count_besides(rows: Iterable[Batch]) -> None:
    """Give each batch its `besides`: what needs a person beside its invoices, in one query."""
    batches = list(rows)
    failed = (
        Upload.objects.filter(batch__in=batches, kind__in=COMPANIONS, state__in=FAILED)
        .filter(~Q(kind=F("batch__origin")), ~went_on())
        .annotate(not_known=_is_not_known())
        .order_by()
        .values("batch", "kind", "not_known")
        .annotate(count=Count("pk"))
    )
    found: dict[tuple[int, int], dict[str, int]] = {}
    for row in failed:
        found.setdefault((row["batch"], row["not_known"]), {})[row["kind"]] = row["count"]
    for one in batches:
        besides = Besides(failed=found.get((one.pk, 0), {}), not_known=found.get((one.pk, 1), {}))
        one.besides = besides  # type: ignore[attr-defined]


def _is_not_known() -> Case:
    return Case(When(NOT_KNOWN, then=Value(1)), default=Value(0), output_field=IntegerField())


def _later(*same: str) -> QuerySet[Upload]:
    """Of a failed upload: those that have taken its place, also if they failed in their turn."""
    return Upload.objects.filter(
        # What was refused as an invoice may have been corrected to a credit note since.
        Q(kind=OuterRef("kind")) | Q(kind__in=DOCUMENTS),
        **{name: OuterRef(name) for name in same or ("invoice",)},
        state__in=(*LIVE, State.REFUSED, State.VOIDED),
        pk__gt=OuterRef("pk"),
    )


# What makes a later upload of a contact or a job one of the same; and what names them.
_SAME: dict[str, tuple[str, ...]] = {
    Batch.Origin.CLIENTS: ("interface", "client", "contact_name"),
    Batch.Origin.JOBS: ("interface", "job"),
}
_NAMED: dict[str, tuple[str, ...]] = {
    Batch.Origin.CLIENTS: ("client",),
    Batch.Origin.JOBS: ("job__client",),
}


def went_on() -> Q:
    """Of failed uploads those that a later one has replaced."""
    # Each by itself, so that each is found by its own index.
    return (
        Q(Exists(_later()))
        | Q(Exists(_later(*_SAME[Batch.Origin.CLIENTS])))
        | Q(Exists(_later(*_SAME[Batch.Origin.JOBS])))
    )


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a batch fares, counted in documents; companions are contacts, jobs, PDFs and credits.

    Of a batch made for voids, clients or jobs alone, those are what is counted.
    """

    documents: int = 0
    sent: int = 0
    warned: int = 0
    failed: int = 0
    # Of what failed: not refused, but a person must decide.
    needs_person: int = 0
    # It may be there: nobody has found out.
    not_known: int = 0
    moving: int = 0
    aside: int = 0
    companions_moving: int = 0
    besides: Besides = field(default_factory=Besides)
    totals: list[CurrencyTotal] = field(default_factory=list)
    sent_totals: list[CurrencyTotal] = field(default_factory=list)
    # What has become of those that are through.
    through: str = "sent"

    @property
    def done(self) -> int:
        """Documents nothing more happens to by itself."""
        return self.documents - self.moving

    @property
    def refused(self) -> int:
        """Of what failed: surely not there."""
        return self.failed - self.needs_person

    @property
    def everything_failed(self) -> int:
        """All that failed, companions included."""
        return self.failed + sum(self.besides.failed.values())

    @property
    def everything_not_known(self) -> int:
        """All that nobody has found out about, companions included."""
        return self.not_known + sum(self.besides.not_known.values())

    @property
    def companions(self) -> int:
        """Companions that are not through."""
        needing = [*self.besides.failed.values(), *self.besides.not_known.values()]
        return sum(needing) + self.companions_moving


def standing_of(batch: Batch) -> Standing:
    """The counts of one batch, in one query."""
    rows = (
        Upload.objects.filter(batch=batch)
        .annotate(went_on=Case(When(went_on(), then=Value(1)), default=Value(0)))
        .annotate(not_known=_is_not_known())
        .order_by()
        .values("kind", "state", "went_on", "not_known", "invoice__currency")
        .annotate(
            count=Count("pk"),
            warned=Count("pk", filter=~Q(warnings=[])),
            net=Sum("invoice__net"),
            total=Sum("invoice__total"),
        )
    )
    documents = _Tally()
    companions: dict[str, _Tally] = {kind: _Tally() for kind in COMPANIONS if kind != batch.origin}
    for row in rows:
        (companions.get(row["kind"]) or documents).add(row)
    besides = Besides(
        failed={kind: n for kind, one in companions.items() if (n := one.by_state["failed"])},
        not_known={kind: n for kind, one in companions.items() if (n := one.by_state["not_known"])},
    )
    return Standing(
        documents=documents.count,
        sent=documents.by_state["sent"],
        warned=documents.warned,
        failed=documents.by_state["failed"],
        needs_person=documents.needs_person,
        not_known=documents.by_state["not_known"],
        moving=documents.by_state["moving"],
        aside=documents.by_state["aside"],
        companions_moving=sum(one.by_state["moving"] for one in companions.values()),
        besides=besides,
        totals=documents.totals(documents.everything),
        sent_totals=documents.totals(documents.through),
        through="voided" if batch.origin == Batch.Origin.VOID else "sent",
    )


class _Tally:
    """Rows of counts added up."""

    def __init__(self) -> None:
        self.count = self.warned = self.needs_person = 0
        self.by_state = {"sent": 0, "failed": 0, "not_known": 0, "moving": 0, "aside": 0}
        self.everything: dict[str, list[Mapping[str, Any]]] = {}
        self.through: dict[str, list[Mapping[str, Any]]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        group = _group_of(row)
        self.count += row["count"]
        self.by_state[group] += row["count"]
        # Contacts and jobs have no amount.
        amounts = [row] if row["invoice__currency"] else []
        self.everything.setdefault(row["invoice__currency"], []).extend(amounts)
        if group == "failed" and row["state"] == State.NEEDS_PERSON:
            self.needs_person += row["count"]
        if group == "sent":
            self.warned += row["warned"]
            self.through.setdefault(row["invoice__currency"], []).extend(amounts)

    def totals(self, rows: dict[str, list[Mapping[str, Any]]]) -> list[CurrencyTotal]:
        return [
            CurrencyTotal(
                currency=currency,
                count=sum(row["count"] for row in same),
                net=sum((_cents(row["net"]) for row in same), Decimal(0)),
                total=sum((_cents(row["total"]) for row in same), Decimal(0)),
            )
            for currency, same in sorted(one for one in rows.items() if one[1])
        ]


def _group_of(row: Mapping[str, Any]) -> str:
    if row["state"] in MOVING:
        return "moving"
    if row["state"] == State.SENT or (row["kind"], row["state"]) == (Kind.VOID, State.VOIDED):
        return "sent"
    if row["state"] not in FAILED or row["went_on"]:
        return "aside"
    return "not_known" if row["not_known"] else "failed"


SHOWN = {
    "all": Q(),
    "failed": Q(state__in=FAILED, later_batch__isnull=True) & ~NOT_KNOWN,
    "not_known": Q(later_batch__isnull=True) & NOT_KNOWN,
    "moving": Q(state__in=MOVING),
    "sent": THROUGH,
    "aside": _ASIDE | Q(state__in=FAILED, later_batch__isnull=False),
}


def documents_of(batch: Batch, *, show: str = "all") -> QuerySet[Upload]:
    """The batch's invoices and credit notes with their uploads; or what it was made for else.

    While it is on its way they keep their order; afterwards what failed comes first.
    """
    rank = Case(
        When(Q(state__in=FAILED, later_batch__isnull=True), then=Value(0)),
        When(state__in=MOVING, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    later = _later(*_SAME.get(batch.origin, ()))
    rows = (
        Upload.objects.filter(batch=batch, kind__in=kinds_of(batch))
        .select_related("invoice", "interface__lane", *_NAMED.get(batch.origin, ()))
        .annotate(later_batch=Subquery(later.order_by("-pk").values("batch__number")[:1]))
        .annotate(rank=rank, absent_at=_proven_absent(), sent_as=_number_as_sent())
        .filter(SHOWN.get(show, Q()))
        .defer("document")
    )
    return rows.order_by("rank", "pk") if batch.finished_at else rows.order_by("pk")


def _number_as_sent() -> Coalesce:
    """The number it went under; the invoice may be under another by now."""
    return Coalesce(KT("document__number"), F("invoice__number"), output_field=CharField())


def kinds_of(batch: Batch) -> tuple[str, ...]:
    """The kinds of upload that the batch was made for; whatever else is in it goes with those."""
    return DOCUMENTS if batch.is_of_invoices else (batch.origin,)


def _proven_absent() -> Case:
    """When the package last said that it has not got what is now sent again."""
    proofs = UploadEvent.objects.filter(
        upload=OuterRef("pk"), before=State.UNKNOWN, after=State.QUEUED
    )
    again = (State.QUEUED, State.CLAIMED, State.SENDING)
    return Case(When(state__in=again, then=Subquery(proofs.order_by("-pk").values("at")[:1])))


def companions_of(batch: Batch) -> list[Upload]:
    """Contacts, jobs, PDFs and credits of the batch that failed, then those not through yet."""
    subject = Coalesce(
        F("client__name"), F("job__code"), F("invoice__number"), output_field=CharField()
    )
    rows = (
        Upload.objects.filter(batch=batch, kind__in=COMPANIONS)
        .exclude(kind__in=kinds_of(batch))
        .filter(Q(state__in=MOVING) | Q(state__in=FAILED) & ~went_on())
        .select_related("interface__lane")
        .annotate(
            subject=subject,
            rank=Case(When(state__in=FAILED, then=Value(0)), default=Value(1)),
        )
        .defer("document")
        .order_by("rank", "pk")
    )
    return list(rows[:MOST_COMPANIONS])


# Which of what needs a person is retried at once.
RETRIED = {"failed": ~NOT_KNOWN, "not_known": NOT_KNOWN}


def retryable(batch: Batch, *, upload_ids: Sequence[int] | None, which: str = "") -> list[Upload]:
    """What needs a person of the batch, of any kind; only those named, where some are."""
    rows = errors_of(batch).filter(RETRIED.get(which, Q()))
    if upload_ids is not None:
        rows = rows.filter(pk__in=upload_ids)
    return list(rows.select_related("invoice"))


def errors_of(batch: Batch) -> QuerySet[Upload]:
    """What needs a person of the batch, of any kind, in its order."""
    rows = Upload.objects.filter(batch=batch, state__in=FAILED).filter(~went_on())
    rows = rows.annotate(sent_as=_number_as_sent())
    return rows.defer("document").order_by("pk")


def give_pdfs(uploads: Iterable[Upload]) -> list[Upload]:
    """Give each document that is there its `pdf`: the upload of its PDF, while that is not through.

    They are answered as well, in one query; the caller looks ahead for them.
    """
    sent = {one.invoice_id: one for one in uploads if one.state == State.SENT}
    rows = (
        Upload.objects.filter(kind=Kind.PDF, invoice__in=list(sent))
        if sent
        else Upload.objects.none()
    )
    newest = {one.invoice_id: one for one in rows.defer("document").order_by("pk")}
    found = []
    for invoice_id, document in sent.items():
        pdf = newest.get(invoice_id)
        if pdf and pdf.interface_id == document.interface_id and pdf.state in (*MOVING, *FAILED):
            pdf.interface, pdf.invoice = document.interface, document.invoice
            document.pdf = pdf  # type: ignore[attr-defined]
            found.append(pdf)
    return found


# --- Why things wait ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """Why an interface keeps uploads of a batch back."""

    interface: AccountingInterface
    waits_until: datetime | None
    hold_reason: str


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A package that does not answer as it should, and when it is tried again; None for now."""

    label: str
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Uploads of a batch that wait for one reason, and when the first of them goes on."""

    checking: bool
    reason: str
    count: int
    due: datetime | None


def all_interfaces() -> list[AccountingInterface]:
    """Every interface of the practice, with its lane."""
    return list(AccountingInterface.objects.select_related("lane").order_by("name"))


def awaited_by(batch: Batch) -> list[AccountingInterface]:
    """The interfaces the batch still waits for, with their lanes."""
    awaited = Upload.objects.filter(batch=batch, state__in=MOVING).order_by().values("interface")
    rows = AccountingInterface.objects.filter(pk__in=awaited).select_related("lane")
    return list(rows.order_by("name"))


def interruptions(
    interfaces: Iterable[AccountingInterface], in_trouble: Mapping[str, datetime]
) -> list[Interruption]:
    """Those of them through which nothing goes at present, but for trouble with the package.

    `in_trouble` are the packages that are with everybody, from `lanes.troubled_packages`.
    """
    moment = timezone.now()
    found = []
    for one in interfaces:
        lane: Lane = one.lane
        held = lane.hold_until is not None and lane.hold_until > moment
        if held or not one.is_connected:
            waits = lanes.goes_on_at(lane, in_trouble, now=moment) if held else None
            reason = lane.hold_reason if held else ""
            found.append(Interruption(interface=one, waits_until=waits, hold_reason=reason))
    return found


def troubles(
    interfaces: Iterable[AccountingInterface], in_trouble: Mapping[str, datetime]
) -> list[Trouble]:
    """The packages of these interfaces that are in trouble, each once; lanes come with them.

    A package is, while this practice's own calls stop or, `in_trouble`, those of many practices do.
    """
    moment = timezone.now()
    found: dict[str, list[datetime]] = {}
    for one in interfaces:
        opened = one.lane.open_until is not None and one.lane.open_until > moment
        if one.is_connected and (opened or one.lane.package_key in in_trouble):
            at = lanes.goes_on_at(one.lane, in_trouble, now=moment)
            label = f"Rehearsal {one.package.label}" if one.is_rehearsal else one.package.label
            found.setdefault(label, []).extend([at] if at else [])
    return [
        Trouble(label=label, until=min(ahead, default=None))
        for label, ahead in sorted(found.items())
    ]


def waits_of(
    batch: Batch, interfaces: Iterable[AccountingInterface], in_trouble: Mapping[str, datetime]
) -> list[Wait]:
    """What of the batch is checked, or tried again later; the most frequent reason first.

    `interfaces` are those it waits for. Nothing goes before its interface goes on, whenever it is
    due itself.
    """
    now = timezone.now()
    connected = [one for one in interfaces if one.is_connected]
    goes_on = {one.pk: lanes.goes_on_at(one.lane, in_trouble, now=now) for one in connected}
    held = [pk for pk, at in goes_on.items() if at]
    not_yet = Q(due__gt=now) | Q(interface__in=held)
    later = Q(state=State.QUEUED, interface__in=connected) & not_yet & ~Q(reason="")
    rows = (
        Upload.objects.filter(later | Q(state=State.UNKNOWN), batch=batch)
        .annotate(
            why=Case(
                When(state=State.QUEUED, then=F("reason")),
                default=Value(""),
                output_field=TextField(),
            )
        )
        .order_by()
        .values("state", "why", "interface")
        .annotate(count=Count("pk"), first=Min("due"))
    )
    found: dict[tuple[str, str], list[tuple[int, datetime | None]]] = {}
    for row in rows:
        pk, first = row["interface"], row["first"]
        at = max(first, goes_on[pk] or first) if first and pk in goes_on else None
        found.setdefault((row["state"], row["why"]), []).append((row["count"], at))
    waits = [
        Wait(
            checking=state == State.UNKNOWN,
            reason=why,
            count=sum(count for count, _ in same),
            due=min((at for _, at in same if at), default=None),
        )
        for (state, why), same in found.items()
    ]
    return sorted(waits, key=lambda one: (-one.count, one.reason))[:MOST_REASONS]


def notices_of(
    interfaces: Iterable[AccountingInterface], *, kinds: Collection[str] = tuple(Notice.Kind)
) -> list[Notice]:
    """What has been late for too long at these interfaces, the longest first."""
    standing = Notice.objects.filter(
        cleared_at__isnull=True, interface__in=list(interfaces), kind__in=kinds
    )
    return list(standing.select_related("interface").order_by("since", "pk"))


def invoices_of(client: Client, interface: AccountingInterface) -> list[Invoice]:
    """The client's newest invoices that go through the interface."""
    rows = Invoice.objects.filter(client=client, invoice_setting__interface=interface)
    return list(rows.order_by("-issued", "-pk")[:MOST_INVOICES])


def invoices_of_job(job: Job) -> list[Invoice]:
    """The newest invoices that name the job, themselves or on a line."""
    lines = InvoiceLine.objects.filter(job=job).order_by().values("invoice")
    rows = Invoice.objects.filter(Q(job=job) | Q(pk__in=lines))
    return list(rows.order_by("-issued", "-pk")[:MOST_INVOICES])


# --- One invoice -------------------------------------------------------------------------------


def invoice_page(invoice_id: int) -> tuple[Invoice, list[Invoice]] | None:
    """The invoice and the credit notes against it; None where there is none of that id."""
    if invoice_id > BigIntegerField.MAX_BIGINT:
        return None
    rows = (
        Invoice.objects.filter(Q(pk=invoice_id) | Q(credits=invoice_id))
        .select_related(
            "office",
            "invoice_setting__interface",
            "client",
            "job",
            "credits",
            "parked_by",
            "in_accounts_by",
            "pdf",
        )
        .defer("pdf__content")
        .order_by("issued", "pk")
    )
    found = list(rows)
    invoice = next((one for one in found if one.pk == invoice_id), None)
    if invoice is None:
        return None
    return invoice, [one for one in found if one.pk != invoice_id]


def lines_of(invoice: Invoice) -> list[InvoiceLine]:
    """Its lines in order."""
    return list(InvoiceLine.objects.filter(invoice=invoice).select_related("job"))


def payments_of(invoice: Invoice) -> list[PaymentReceived]:
    """What was received against it, oldest first."""
    return list(PaymentReceived.objects.filter(invoice=invoice).order_by("paid_on", "pk"))


def events_of(invoice: Invoice) -> list[InvoiceEvent]:
    """When it was parked, said to be in the accounts, or put back, oldest first."""
    rows = InvoiceEvent.objects.filter(invoice=invoice).select_related("actor")
    return list(reversed(rows.order_by("-pk")[:MOST_HISTORY]))


def history_of(invoice: Invoice, *, with_bodies: bool, with_documents: bool) -> list[Upload]:
    """Its uploads, newest first, each with its `moves` and its `calls`.

    What was sent and answered, as a document and word for word, is read only for those who may see
    it.
    """
    attempts = Attempt.objects.select_related("exchange").order_by("pk")
    if not with_bodies:
        attempts = attempts.defer("exchange__body", "exchange__answer")
    events = UploadEvent.objects.select_related("actor").order_by("pk")
    rows = Upload.objects.filter(invoice=invoice).select_related(
        "batch", "interface__lane", "invoice"
    )
    return list(
        (rows if with_documents else rows.defer("document"))
        .prefetch_related(
            Prefetch("events", queryset=events[:MOST_HISTORY], to_attr="moves"),
            Prefetch("attempts", queryset=attempts[:MOST_HISTORY], to_attr="calls"),
        )
        .order_by("-pk")[:MOST_HISTORY]
    )


def _cents(amount: Decimal | float | None) -> Decimal:
    # SQLite adds decimals up as binary fractions.
    return Decimal(amount or 0).quantize(CENT)
