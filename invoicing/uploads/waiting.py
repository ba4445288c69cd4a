"""What waits in an interface's queue, what of it may go now, and in which order."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Case, IntegerField, Min, Q, QuerySet, Value, When

from interfaces import clock
from interfaces.models import AccountingInterface
from invoicing.models import Invoice, InvoiceLine, Upload
from invoicing.uploads.kinds import CARRIERS
from invoicing.uploads.states import DOCUMENTS, MOVING, State

Kind = Upload.Kind

# What documents wait for.
STEPS = (Kind.CONTACT, Kind.JOB)
# Contact, job, document: the order of the kinds is the order they must arrive in.
RANK = Case(
    *(When(kind=kind, then=Value(rank)) for rank, kind in enumerate(Kind.values)),
    output_field=IntegerField(),
)

# What of an invoice nobody reads on the way: what is sent was frozen.
UNREAD = [
    f"invoice__{field.name}"
    for field in Invoice._meta.concrete_fields
    if field.name not in {"id", "practice", "client", "job", "issued"}
]
# In which they go, and in which those of one call stand.
ORDER = (RANK, "alone", "invoice__issued", "invoice__number", "id")


def ready(interface_id: int) -> QuerySet[Upload]:
    """Queued uploads that wait for nothing but their time: no contact or job is still coming.

    What is coming is listed once for the whole question: asked row by row it costs more than the
    call itself as soon as a thousand uploads wait.
    """
    queued = Upload.objects.filter(interface_id=interface_id, state=State.QUEUED)
    coming = Upload.objects.filter(interface_id=interface_id, state__in=MOVING).order_by()
    # Mostly nothing is, and then a query without these questions takes half as long to make.
    # Between the two no click comes: it writes the lane, as whoever claims has done already.
    if not coming.filter(kind__in=STEPS).exists():
        return queued
    documents = Q(kind__in=DOCUMENTS)
    return queued.filter(~documents | ~named_by(coming))


def named_by(steps: QuerySet[Upload]) -> Q:
    """Of documents of one interface those whose contact or job is among these uploads."""
    clients = steps.filter(kind=Kind.CONTACT).values("client_id")
    jobs = steps.filter(kind=Kind.JOB).values("job_id")
    lines = InvoiceLine.objects.filter(job_id__in=jobs).order_by().values("invoice_id")
    return Q(invoice__client_id__in=clients) | Q(invoice__job_id__in=jobs) | Q(invoice_id__in=lines)


def ahead_of(uploads: Iterable[Upload]) -> dict[int, list[Upload]]:
    """The contacts and jobs still coming that keep these from being `ready`, by their ids.

    The uploads come with their invoices. However many there are, these are two questions at most.
    """
    behind = [
        (one, one.invoice)
        for one in uploads
        if one.state == State.QUEUED and one.kind in DOCUMENTS and one.invoice
    ]
    if not behind:
        return {}
    lines = InvoiceLine.objects.filter(invoice__in={invoice.pk for _, invoice in behind}).order_by()
    jobs = Q(job__in={invoice.job_id for _, invoice in behind}) | Q(job__in=lines.values("job"))
    clients = Q(client__in={invoice.client_id for _, invoice in behind})
    coming = list(
        Upload.objects.filter(
            Q(kind=Kind.CONTACT) & clients | Q(kind=Kind.JOB) & jobs,
            interface__in={one.interface_id for one, _ in behind},
            state__in=MOVING,
        )
        .select_related("client", "job")
        .defer("document")
        .order_by(RANK, "id")
    )
    jobs_coming = {one.job_id for one in coming if one.job_id}
    named = (
        set(lines.filter(job__in=jobs_coming).values_list("invoice", "job"))
        if jobs_coming
        else set()
    )
    return {
        one.pk: [
            step
            for step in coming
            if step.interface_id == one.interface_id
            and (
                step.client_id == invoice.client_id
                if step.kind == Kind.CONTACT
                else step.job_id == invoice.job_id or (invoice.pk, step.job_id) in named
            )
        ]
        for one, invoice in behind
    }


def next_call(
    interface: AccountingInterface, *, most: int, only: Sequence[str] = ()
) -> tuple[list[Upload], bool]:
    """The uploads that go next in one call, locked; all of one kind, at most that many.

    And whether there are others that could go now.
    """
    due = (
        ready(interface.pk)
        .filter(due__lte=clock.now())
        .select_related("invoice")
        .defer(*UNREAD)
        .order_by(*ORDER)
    )
    if only:
        due = due.filter(kind__in=only)
    rows = list(due.select_for_update(of=("self",), skip_locked=True)[: most + 1])
    if not rows:
        return [], False
    for one in rows:
        one.interface = interface
    first = rows[0]
    together = [first, *(one for one in rows[1:most] if _goes_with(first, one))]
    return together, len(rows) > len(together)


def _goes_with(first: Upload, other: Upload) -> bool:
    if other.kind != first.kind or first.alone or other.alone:
        return False
    return CARRIERS[first.kind].goes_with(first, other)


def due_look_ups(interface_id: int, *, most: int) -> list[Upload]:
    """Unknown uploads to be asked after now, all of one kind, at most that many."""
    due = (
        Upload.objects.filter(interface_id=interface_id, state=State.UNKNOWN, due__lte=clock.now())
        .select_related("interface", "invoice", "client", "job")
        .order_by(RANK, "due", "id")
    )
    rows = list(due[:most])
    if rows and rows[0].alone:
        return rows[:1]
    return [one for one in rows if one.kind == rows[0].kind and not one.alone]


def anything_due(interface_id: int) -> bool:
    """Whether a turn would find something to do."""
    moment = next_due(interface_id)
    return moment is not None and moment <= clock.now()


def next_due(interface_id: int) -> datetime | None:
    """When the lane is wanted next; None when nothing of it waits for a time."""
    unknown = Upload.objects.filter(interface_id=interface_id, state=State.UNKNOWN)
    moments = [
        queryset.order_by().aggregate(first=Min("due"))["first"]
        for queryset in (ready(interface_id), unknown)
    ]
    return min((moment for moment in moments if moment is not None), default=None)
