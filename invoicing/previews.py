"""What an upload would send, before it is made: grouped, with all that is wrong or worth knowing.

Nothing is written here. A contact or job is new where it is neither linked nor on its way.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Q

from connectors.base.documents import SalesInvoice
from connectors.base.errors import Rejected
from connectors.base.faults import Fault, Weight
from connectors.base.shown import Shown, ShownLine
from interfaces.models import AccountCode, AccountingInterface, TaxCode
from interfaces.preferences import settings_for
from invoicing import preflight, selectors
from invoicing.contact_book import fold
from invoicing.models import Batch, Client, Invoice, InvoiceLine, Job, PackageContact, Upload
from invoicing.preflight import Checked
from invoicing.selectors import CurrencyTotal
from invoicing.uploads.enqueue import contacts_for, dated, jobs_for, left_out
from invoicing.uploads.kinds import may_create
from invoicing.words import by_reason

# Of each group so many rows are shown, those with faults first; all of them are counted.
MOST_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class Group:
    """The invoices, or the credit notes, of a choice."""

    key: str
    word: str
    label: str
    rows: Sequence[Checked]

    @property
    def shown(self) -> Sequence[Checked]:
        """The rows of the page: what cannot go first, then what is worth knowing."""
        order = {"red": 0, "amber": 1, "green": 2}
        return sorted(self.rows, key=lambda one: order[one.light])[:MOST_SHOWN]

    @property
    def hidden(self) -> int:
        """How many rows the page leaves out."""
        return max(len(self.rows) - MOST_SHOWN, 0)

    @property
    def totals(self) -> list[CurrencyTotal]:
        """What they come to, by currency."""
        return selectors.totals_of_rows(one.invoice for one in self.rows)

    @property
    def refused(self) -> int:
        """How many of them cannot go."""
        return sum(one.light == "red" for one in self.rows)

    @property
    def remarked(self) -> int:
        """How many go with something worth knowing."""
        return sum(one.light == "amber" for one in self.rows)


@dataclass(frozen=True, kw_only=True)
class Companion:
    """A contact or a job that would go in front of the invoices that need it."""

    name: str
    interface: AccountingInterface
    does: str
    invoices: int
    totals: Sequence[CurrencyTotal]
    faults: Sequence[Fault]
    client: Client | None = None
    job: Job | None = None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """All that a choice of invoices would bring to the packages."""

    groups: Sequence[Group]
    contacts: Sequence[Companion]
    jobs: Sequence[Companion]
    # Why some of what was chosen would not join the batch at all, one sentence for each reason.
    left_out: Sequence[str]

    @property
    def count(self) -> int:
        """The documents chosen."""
        return sum(len(one.rows) for one in self.groups)

    @property
    def refused(self) -> int:
        """Those that cannot go."""
        return sum(one.refused for one in self.groups)

    @property
    def going(self) -> int:
        """Those that go."""
        return self.count - self.refused


def preview(invoices: Sequence[Invoice]) -> Preview:
    """The preview of these invoices, in a number of queries that does not grow with them."""
    left = left_out(invoices)
    aside = {one.invoice_id for one in left}
    invoices = [one for one in invoices if one.pk not in aside]
    checked = preflight.check(invoices)
    rows = [checked[one.pk] for one in invoices if one.pk in checked]
    notes = [one for one in rows if one.invoice.is_credit_note]
    others = [one for one in rows if not one.invoice.is_credit_note]
    groups = [
        Group(key="invoice", word="invoice", label="Invoices", rows=others),
        Group(key="credit_note", word="credit note", label="Credit notes", rows=notes),
    ]
    drafts = [_draft(one) for one in rows if one.interface is not None]
    by_client: dict[tuple[int, int], list[Checked]] = {}
    by_job: dict[tuple[int, int], list[Checked]] = {}
    for one in rows:
        if one.interface is None:
            continue
        by_client.setdefault((one.interface.pk, one.invoice.client_id), []).append(one)
    jobs_of = _jobs_of(rows)
    for one in rows:
        for job_id in jobs_of.get(one.invoice.pk, ()):
            if one.interface is not None:
                by_job.setdefault((one.interface.pk, job_id), []).append(one)
    nowhere = Batch()
    contacts = contacts_for(drafts, batch=nowhere)
    return Preview(
        left_out=by_reason((one.number, one.reason) for one in left),
        groups=[one for one in groups if one.rows],
        contacts=_contacts(contacts, by_client),
        jobs=[
            Companion(
                name=str(one.job),
                interface=one.interface,
                does="Looked for by its code; added where it is not there.",
                invoices=len(by_job.get((one.interface_id, one.job_id or 0), ())),
                totals=_totals(by_job.get((one.interface_id, one.job_id or 0), ())),
                faults=_faults(by_job.get((one.interface_id, one.job_id or 0), ()), ("job",)),
                job=one.job,
            )
            for one in jobs_for(drafts, batch=nowhere)
        ],
    )


def _draft(one: Checked) -> Upload:
    """An upload that is never kept: what leads from an invoice to the contact and jobs it needs."""
    return Upload(interface=one.interface, invoice=one.invoice)


def _jobs_of(rows: Iterable[Checked]) -> dict[int, set[int]]:
    """The jobs of each invoice and its lines."""
    ids = [one.invoice.pk for one in rows]
    found = {one.invoice.pk: {one.invoice.job_id} - {None} for one in rows}
    for invoice_id, job_id in jobs_of_lines(ids):
        found[invoice_id].add(job_id)
    return {pk: {job for job in jobs if job} for pk, jobs in found.items()}


def jobs_of_lines(invoice_ids: Sequence[int]) -> list[tuple[int, int]]:
    """(invoice, job) of each job that a line of them names for itself."""
    lines = InvoiceLine.objects.filter(invoice__in=invoice_ids, job__isnull=False).order_by()
    return [
        (invoice_id, job_id)
        for invoice_id, job_id in lines.values_list("invoice_id", "job_id").distinct()
        if job_id
    ]


def _contacts(
    drafts: Sequence[Upload], by_client: Mapping[tuple[int, int], Sequence[Checked]]
) -> list[Companion]:
    listed = _listed(drafts)
    found = []
    for one in drafts:
        name, number = one.document["name"], one.document["number"]
        rows = by_client.get((one.interface_id, one.client_id or 0), ())
        there = (one.interface_id, fold(name)) in listed or (one.interface_id, number) in listed
        faults = _faults(rows, ("contact", "email"))
        found.append(
            Companion(
                name=name,
                interface=one.interface,
                does="" if faults else _does(one, there=there),
                invoices=len(rows),
                totals=_totals(rows),
                faults=faults,
                client=one.client,
            )
        )
    return found


def _does(contact: Upload, *, there: bool) -> str:
    label = contact.interface.package.label
    if contact.document.get("remote_id"):
        return f"Linked; brought up to date in {label}."
    if there:
        return f"Found in {label}'s list: linked, not added."
    if not may_create(Upload.Kind.CONTACT, contact.interface):
        return f"Not found in {label}'s list, and clients are not added there."
    return f"New: added to {label}."


def _listed(drafts: Sequence[Upload]) -> set[tuple[int, str]]:
    """Which of their names and numbers the packages' lists have, by interface."""
    if not drafts:
        return set()
    names = {fold(one.document["name"]) for one in drafts}
    numbers = {one.document["number"] for one in drafts}
    rows = PackageContact.objects.filter(
        Q(folded__in=names) | Q(number__in=numbers - {""}),
        interface__in={one.interface_id for one in drafts},
        archived=False,
    ).values_list("interface_id", "folded", "number")
    return {(at, known) for at, folded, number in rows for known in (folded, number) if known}


def _totals(rows: Iterable[Checked]) -> list[CurrencyTotal]:
    return selectors.totals_of_rows(one.invoice for one in rows)


def _faults(rows: Iterable[Checked], fields: Sequence[str]) -> list[Fault]:
    """What is wrong with the contact or job itself, each once."""
    found = {
        fault.message: fault
        for one in rows
        for fault in one.faults
        if fault.field in fields and fault.weight is Weight.REFUSED
    }
    return list(found.values())


# --- One document ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NamedLine:
    """A line as it is sent, its codes with the names the package gives them."""

    line: ShownLine
    account: str
    tax: str


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Exactly what would be sent of one invoice; `refusal` where the package cannot be given it."""

    checked: Checked
    shown: Shown | None
    lines: Sequence[NamedLine]
    refusal: str = ""


def what_is_sent(invoice: Invoice) -> Sent:
    """The document as its package will get and show it."""
    checked = preflight.check([invoice])[invoice.pk]
    if checked.interface is None or checked.document is None:
        return Sent(checked=checked, shown=None, lines=())
    show = checked.interface.package.show or as_in_abtrac
    try:
        shown = show(checked.document, settings_for(checked.interface))
    except Rejected as error:
        return Sent(checked=checked, shown=None, lines=(), refusal=str(error))
    return Sent(checked=checked, shown=shown, lines=_named(checked.interface, shown))


def as_in_abtrac(document: SalesInvoice, settings: Mapping[str, object]) -> Shown:
    """For a package that shows a document as Abtrac does, and takes it line by line."""
    return Shown(
        lines=tuple(
            ShownLine(
                description=one.description,
                lines=(place,),
                quantity=one.quantity,
                unit_price=one.unit_price,
                amount=one.net,
                tax=one.tax,
                account_code=one.account_code,
                tax_code=one.tax_code,
                job_code=one.job_code,
            )
            for place, one in enumerate(document.lines, start=1)
        ),
        net=document.net,
        tax=document.tax,
        total=document.total,
        facts=(
            ("Contact", document.contact.name),
            ("Reference", document.reference),
            ("Date", dated(document.issued)),
            ("Due date", dated(document.due)),
            ("Currency", document.currency),
        ),
    )


def _named(interface: AccountingInterface, shown: Shown) -> list[NamedLine]:
    accounts = {one.code: str(one) for one in AccountCode.objects.filter(interface=interface)}
    taxes = {
        one.code: f"{one} ({one.percent})" for one in TaxCode.objects.filter(interface=interface)
    }
    return [
        NamedLine(
            line=one,
            account=accounts.get(one.account_code, one.account_code),
            tax=taxes.get(one.tax_code, one.tax_code),
        )
        for one in shown.lines
    ]
