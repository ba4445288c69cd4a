"""The tables of invoicing: their columns, what sorts them, and where numbers stand."""

from dataclasses import dataclass
from typing import Any, ClassVar

import django_tables2 as tables
from django.core.paginator import EmptyPage, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django_tables2.data import TableData
from django_tables2.rows import BoundRows

from invoicing import keyset
from invoicing.models import Batch, Invoice, Upload
from invoicing.words import money, up_to

PER_PAGE = 50
_MONEY = {"td": {"class": "money"}, "th": {"class": "money"}}
_NUMBER = {"td": {"class": "number"}, "th": {"class": "number"}}
_TICK = {"td": {"class": "tick"}, "th": {"class": "tick"}}
_NOWRAP = {"td": {"class": "nowrap"}}
_CHECK = {"td": {"class": "words check-cell"}}
_WORDS = {"td": {"class": "words"}}


class _Counted(Paginator):  # type: ignore[type-arg]
    """A paginator that is told the count, where the page has counted already."""

    def __init__(self, rows: Any, per_page: int, *, counted: int) -> None:
        super().__init__(rows, per_page)
        self._counted = counted

    @cached_property
    def count(self) -> int:
        return self._counted


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The rows on a page of a long list, out of how many, and where its other pages are."""

    object_list: BoundRows
    count: int
    before: str
    after: str

    @property
    def has_other_pages(self) -> bool:
        """Whether there is more of the list."""
        return bool(self.before or self.after)

    @property
    def of_how_many(self) -> str:
        """`50 of 1,234`, or `50 of more than 10,000`."""
        return f"{len(self.object_list)} of {up_to(self.count)}"


class LongTable(tables.Table):  # type: ignore[misc]
    """A list of any length, which people lay out as they like: see `invoicing.columns`."""

    # Its name in addresses and in what is kept of a person's choice.
    list_key: ClassVar[str]
    heading: ClassVar[str]
    # Always there, in front of what is chosen; and what is, until somebody chooses otherwise.
    fixed: ClassVar[tuple[str, ...]] = ()
    usual: ClassVar[tuple[str, ...]] = ()
    # Of every row in the list, though not of every row there is.
    filled: ClassVar[tuple[str, ...]] = ()
    # Orders that lead through what is old to what is offered, where there is far more of it: it is
    # the first by its numbers; and amounts PostgreSQL compares only after it has seen whose they
    # are, so an index does not take it to one.
    through_history: ClassVar[tuple[str, ...]] = ()


def lay_out(
    table: Any, request: HttpRequest, *, count: int | None = None, sorted_out: bool = False
) -> Any:
    """Sort and page the table as the address says; never more than PER_PAGE rows, whatever it says.

    A page that is not there is the nearest one that is. `count` is known already, or is found out.
    `sorted_out` is said of a list that is outweighed by what is older than all of it.
    """
    table.request = request
    if isinstance(table, LongTable):
        return _walk(table, request, count=count, sorted_out=sorted_out)
    sort = request.GET.getlist(table.prefixed_order_by_field)
    if sort:
        table.order_by = sort
    wanted = request.GET.get(table.prefixed_page_field, "")
    page = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 9 else 1
    how: dict[str, Any] = {"per_page": PER_PAGE}
    if count is not None:
        how |= {"paginator_class": _Counted, "counted": count}
    try:
        table.paginate(page=max(page, 1), **how)
    except EmptyPage:
        table.page = table.paginator.page(table.paginator.num_pages)
    return table


def _walk(
    table: LongTable, request: HttpRequest, *, count: int | None, sorted_out: bool
) -> LongTable:
    rows: QuerySet[Any] = table.data.data
    wanted = request.GET.get(table.prefixed_order_by_field, "")
    order = order_of(table, wanted, sorted_out=sorted_out)
    page = keyset.page_of(rows, order=order, address=request.GET, size=PER_PAGE)
    count = keyset.counted_up_to(rows) if count is None else count
    table.data = TableData.from_data(page.rows)
    table.data.set_table(table)
    table.rows = BoundRows(data=table.data, table=table)
    table.page = Shown(object_list=table.rows[:], count=count, before=page.before, after=page.after)
    return table


def order_of(table: LongTable, wanted: str, *, sorted_out: bool = False) -> keyset.Order:
    """The order asked for by a column's name, or the table's own; the table's head shows it."""
    bare = wanted.removeprefix("-")
    known = bare in table.columns and table.columns[bare].orderable
    name = wanted if known else str(table.Meta.order_by)
    table.order_by = name
    (path, *_) = table.base_columns[name.removeprefix("-")].order_by
    return keyset.Order(
        model=table.Meta.model,
        path=str(path),
        descending=name.startswith("-"),
        filled=name.removeprefix("-") in table.filled,
        sorted_out=sorted_out and name.removeprefix("-") in table.through_history,
    )


def sorts(table: Any) -> list[tuple[str, str, bool]]:
    """(value, label, chosen) of each order, for screens too narrow for a table's head."""
    current = [str(one) for one in table.order_by]
    return [
        (value, f"{column.header}{words}", value in current)
        for column in table.columns
        if column.orderable
        for value, words in ((column.name, ""), (f"-{column.name}", ", descending"))
    ]


def cell(name: str, **column: Any) -> Any:
    """A column whose cells are drawn by a template of that name."""
    return tables.TemplateColumn(template_name=f"invoicing/cells/{name}.html", **column)


class MoneyColumn(tables.Column):  # type: ignore[misc]
    """An amount of the row's invoice; with its currency where the table holds several."""

    def __init__(self, verbose_name: str, **column: Any) -> None:
        super().__init__(verbose_name=verbose_name, attrs=_MONEY, **column)

    def render(self, value: Any, record: Any, table: Any) -> str:
        """1,150.00 or NZD 1,150.00."""
        if not getattr(table, "mixed", False):
            return money(value)
        invoice = record if isinstance(record, Invoice) else record.invoice
        return format_html("{}&nbsp;{}", invoice.currency, money(value))


class InvoicesTable(LongTable):
    """What every list of invoices can show; each says what it does unless somebody chose."""

    tick = cell("tick_invoice", verbose_name="Select", orderable=False, attrs=_TICK)
    office = tables.Column(order_by="office__name", attrs=_WORDS)
    number = cell("number", verbose_name="Invoice No", order_by="number", attrs=_WORDS)
    name_on_invoice = tables.Column(
        verbose_name="Name on Invoice", order_by="name_on_invoice", attrs=_WORDS
    )
    recipient = tables.Column(order_by="recipient", attrs=_WORDS)
    client = tables.Column(accessor="client__name", order_by="client__name", attrs=_WORDS)
    job = tables.Column(order_by="job__code", attrs=_WORDS)
    issued = tables.DateColumn(
        verbose_name="Invoice Date", format="j M Y", order_by="issued", attrs=_NOWRAP
    )
    due = tables.DateColumn(verbose_name="Due Date", format="j M Y", order_by="due", attrs=_NOWRAP)
    order_number = tables.Column(verbose_name="Order No", order_by="order_number", attrs=_WORDS)
    setting = tables.Column(
        verbose_name="Invoice Setting",
        accessor="invoice_setting__name",
        order_by="invoice_setting__name",
        attrs=_WORDS,
    )
    interface = tables.Column(
        accessor="invoice_setting__interface__name",
        order_by="invoice_setting__interface__name",
        default="Not linked",
        attrs=_WORDS,
    )
    currency = tables.Column(order_by="currency")
    net = MoneyColumn("Amount excl Tax", order_by="net")
    tax = MoneyColumn("Tax", order_by="tax")
    total = MoneyColumn("Amount incl Tax", order_by="total")

    fixed = ("tick",)
    through_history = ("number", "due", "net", "tax", "total")


class AvailableTable(InvoicesTable):
    """The available list of domain rule 4."""

    check = cell("check", verbose_name="Check", orderable=False, accessor="number", attrs=_CHECK)
    note = cell("note", verbose_name="Note", orderable=False, attrs=_WORDS)

    list_key = "available"
    heading = "Upload invoices"
    usual = (
        *("office", "number", "name_on_invoice", "recipient", "issued", "net", "total"),
        *("check", "note"),
    )

    class Meta:
        model = Invoice
        fields = ()
        order_by = "issued"
        empty_text = "No invoice waits to be uploaded."


class ParkedTable(InvoicesTable):
    """What was taken off the list, by whom and why."""

    parked_at = tables.DateTimeColumn(
        verbose_name="Parked", format="j M Y, H:i", order_by="parked_at", attrs=_NOWRAP
    )
    parked_by = tables.Column(verbose_name="By", order_by="parked_by__email", attrs=_WORDS)
    parked_reason = tables.Column(verbose_name="Reason", orderable=False, attrs=_WORDS)

    list_key = "parked"
    heading = "Parked invoices"
    usual = (
        *("office", "number", "name_on_invoice", "total"),
        *("parked_at", "parked_by", "parked_reason"),
    )

    filled = ("parked_at",)

    class Meta:
        model = Invoice
        fields = ()
        order_by = "-parked_at"
        empty_text = "Nothing is parked."


class InAccountsTable(InvoicesTable):
    """What is said to be in the accounts already, by whom and why."""

    in_accounts_at = tables.DateTimeColumn(
        verbose_name="Marked", format="j M Y, H:i", order_by="in_accounts_at", attrs=_NOWRAP
    )
    in_accounts_by = tables.Column(
        verbose_name="By", order_by="in_accounts_by__email", attrs=_WORDS
    )
    in_accounts_reason = tables.Column(verbose_name="Reason", orderable=False, attrs=_WORDS)

    list_key = "in_accounts"
    heading = "Already in accounts"
    usual = (
        *("office", "number", "name_on_invoice", "issued", "total"),
        *("in_accounts_at", "in_accounts_by", "in_accounts_reason"),
    )

    filled = ("in_accounts_at",)

    class Meta:
        model = Invoice
        fields = ()
        order_by = "-in_accounts_at"
        empty_text = "Nothing is marked as already in the accounts."


class BatchesTable(LongTable):
    """Every run: who began it and how, how long it took, and how it fared."""

    number = cell("batch_number", verbose_name="Batch", order_by="number", attrs=_NOWRAP)
    created_at = tables.DateTimeColumn(
        verbose_name="Made", format="j M Y, H:i", order_by="created_at", attrs=_NOWRAP
    )
    created_by = tables.Column(
        verbose_name="By", order_by="created_by__email", default="Abtrac", attrs=_WORDS
    )
    origin = tables.Column(
        verbose_name="Began with", accessor="get_origin_display", order_by="origin"
    )
    documents = cell("batch_documents", verbose_name="Invoices", orderable=False, attrs=_NUMBER)
    sent = tables.Column(orderable=False, attrs=_NUMBER)
    failed = cell("batch_failed", verbose_name="Failed", orderable=False, attrs=_NUMBER)
    moving = tables.Column(verbose_name="On the way", orderable=False, attrs=_NUMBER)
    aside = tables.Column(verbose_name="Set aside", orderable=False, attrs=_NUMBER)
    state = cell("batch_state", verbose_name="State", orderable=False, accessor="number")
    took = cell("batch_took", verbose_name="Took", orderable=False, accessor="number")

    list_key = "batches"
    heading = "Batches"
    usual = (
        *("number", "created_at", "origin", "created_by"),
        *("documents", "sent", "failed", "moving", "aside", "state", "took"),
    )

    class Meta:
        model = Batch
        fields = ()
        order_by = "-number"
        empty_text = "No batch is like that, or nothing has been uploaded yet."
        row_attrs = {
            "class": lambda record: "row-failed" if record.failed or record.failed_before else ""
        }


# What can be laid out, by name.
LONG_TABLES: dict[str, type[LongTable]] = {
    one.list_key: one for one in (AvailableTable, ParkedTable, InAccountsTable, BatchesTable)
}


class DocumentsTable(tables.Table):  # type: ignore[misc]
    """The invoices of one batch: what became of each, why, and what to do."""

    tick = cell("tick_upload", verbose_name="Select", orderable=False, attrs=_TICK)
    number = cell(
        "upload_number",
        verbose_name="Invoice No",
        order_by=("sent_as", "pk"),
        attrs=_WORDS,
    )
    name = tables.Column(
        verbose_name="Name on Invoice",
        accessor="invoice__name_on_invoice",
        order_by=("invoice__name_on_invoice", "pk"),
        attrs=_WORDS,
    )
    total = MoneyColumn(
        "Amount incl Tax", accessor="invoice__total", order_by=("invoice__total", "pk")
    )
    state = cell("upload_state", verbose_name="State", order_by=("state", "pk"))
    remote_number = cell(
        "upload_remote",
        verbose_name="In the package",
        order_by=("remote_number", "pk"),
        attrs=_WORDS,
    )
    reason = cell("upload_reason", verbose_name="What happened, and what to do", orderable=False)

    class Meta:
        model = Upload
        fields = ()
        # What failed comes first in a finished batch; nothing is sorted until somebody asks.
        order_by = ()
        empty_text = "None of the batch."


class _StepsTable(DocumentsTable):
    """Of a batch that was made for something else than invoices."""

    remote_number = None
    reason = cell("companion_reason", verbose_name="What happened, and what to do", orderable=False)


class VoidsTable(_StepsTable):
    """What is taken back."""


class ClientsTable(_StepsTable):
    """The clients sent on their own."""

    number = cell(
        "upload_client", verbose_name="Client", order_by=("client__name", "pk"), attrs=_WORDS
    )
    name: Any = None
    total: Any = None


class JobsTable(_StepsTable):
    """The jobs sent on their own."""

    number = cell("upload_job", verbose_name="Job", order_by=("job__code", "pk"), attrs=_WORDS)
    name: Any = None
    total: Any = None


# By what began the batch.
TABLES_OF_BATCHES: dict[str, type[DocumentsTable]] = {
    Batch.Origin.CLICK: DocumentsTable,
    Batch.Origin.COMMIT: DocumentsTable,
    Batch.Origin.VOID: VoidsTable,
    Batch.Origin.CLIENTS: ClientsTable,
    Batch.Origin.JOBS: JobsTable,
}
