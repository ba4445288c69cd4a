"""What waits in an interface's queue, what of it may go now, and in which order."""

from datetime import datetime

from django.db.models import Case, IntegerField, Min, Q, QuerySet, Value, When

from interfaces import clock
from invoicing.models import InvoiceLine, Upload
from invoicing.uploads.kinds import CARRIERS
from invoicing.uploads.states import MOVING, State

Kind = Upload.Kind

# Contact, job, document: the order of the kinds is the order they must arrive in.
RANK = Case(
    *(When(kind=kind, then=Value(rank)) for rank, kind in enumerate(Kind.values)),
    output_field=IntegerField(),
)


def ready(interface_id: int) -> QuerySet[Upload]:
    """Queued uploads that wait for nothing but their time: no contact or job is still coming.

    What is coming is listed once for the whole question: asked row by row it costs more than the
    call itself as soon as a thousand uploads wait.
    """
    coming = Upload.objects.filter(interface_id=interface_id, state__in=MOVING).order_by()
    clients = coming.filter(kind=Kind.CONTACT).values("client_id")
    jobs = coming.filter(kind=Kind.JOB).values("job_id")
    lines = InvoiceLine.objects.filter(job_id__in=jobs).order_by().values("invoice_id")
    waits = (
        Q(invoice__client_id__in=clients) | Q(invoice__job_id__in=jobs) | Q(invoice_id__in=lines)
    )
    documents = Q(kind__in=[Kind.INVOICE, Kind.CREDIT_NOTE])
    queued = Upload.objects.filter(interface_id=interface_id, state=State.QUEUED)
    return queued.filter(~documents | ~waits)


def next_call(interface_id: int, *, most: int) -> list[Upload]:
    """The uploads that go next in one call, locked; all of one kind, at most that many."""
    due = (
        ready(interface_id)
        .filter(due__lte=clock.now())
        .select_related("interface", "invoice", "client", "job")
        .order_by(RANK, "alone", "invoice__issued", "invoice__number", "id")
    )
    rows = list(due.select_for_update(of=("self",), skip_locked=True)[:most])
    if not rows:
        return []
    first = rows[0]
    if first.alone:
        return rows[:1]
    carrier = CARRIERS[first.kind]
    others = [one for one in rows[1:] if one.kind == first.kind and not one.alone]
    return [first, *(one for one in others if carrier.goes_with(first, one))]


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
