"""The tables of invoicing: their columns, what sorts them, and where numbers stand."""

from typing import Any

import django_tables2 as tables
from django.core.paginator import EmptyPage, Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html

from invoicing.models import Batch, Invoice, Upload
from invoicing.words import money

PER_PAGE = 50
_MONEY = {"td": {"class": "money"}, "th": {"class": "money"}}
_NUMBER = {"td": {"class": "number"}, "th": {"class": "number"}}
_TICK = {"td": {"class": "tick"}, "th": {"class": "tick"}}
_DATE = {"td": {"class": "nowrap"}}
_WORDS = {"td": {"class": "words"}}


class _Counted(Paginator):  # type: ignore[type-arg]
    """A paginator that is told the count, where the page has counted already."""

    def __init__(self, rows: Any, per_page: int, *, counted: int) -> None:
        super().__init__(rows, per_page)
        self._counted = counted

    @cached_property
    def count(self) -> int:
        return self._counted


def lay_out(table: Any, request: HttpRequest, *, count: int | None = None) -> Any:
    """Sort and page the table as the address says; never more than PER_PAGE rows, whatever it says.

    A page that is not there is the nearest one that is.
    """
    table.request = request
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


class _InvoicesTable(tables.Table):  # type: ignore[misc]
    """What every list of invoices begins with."""

    tick = cell("tick_invoice", verbose_name="Select", orderable=False, attrs=_TICK)
    office = tables.Column(order_by=("office__name", "number", "id"), attrs=_WORDS)
    number = cell("number", verbose_name="Invoice No", order_by=("number", "id"), attrs=_WORDS)
    name_on_invoice = tables.Column(
        verbose_name="Name on Invoice",
        order_by=("name_on_invoice", "number", "id"),
        attrs=_WORDS,
    )


class AvailableTable(_InvoicesTable):
    """The available list of domain rule 4. Columns per user will be chosen among these."""

    recipient = tables.Column(order_by=("recipient", "number", "id"), attrs=_WORDS)
    issued = tables.DateColumn(
        verbose_name="Invoice Date", format="j M Y", order_by=("issued", "id"), attrs=_DATE
    )
    net = MoneyColumn("Amount excl Tax", order_by=("net", "id"))
    total = MoneyColumn("Amount incl Tax", order_by=("total", "id"))
    note = cell("note", verbose_name="Note", orderable=False, attrs=_WORDS)

    class Meta:
        model = Invoice
        fields = ()
        order_by = "issued"
        empty_text = "No invoice waits to be uploaded."


class ParkedTable(_InvoicesTable):
    """What was taken off the list, by whom and why."""

    total = MoneyColumn("Amount incl Tax", order_by=("total", "id"))
    parked_at = tables.DateTimeColumn(
        verbose_name="Parked", format="j M Y, H:i", order_by=("parked_at", "id"), attrs=_DATE
    )
    parked_by = tables.Column(verbose_name="By", order_by=("parked_by__email", "id"), attrs=_WORDS)
    parked_reason = tables.Column(verbose_name="Reason", orderable=False, attrs=_WORDS)

    class Meta:
        model = Invoice
        fields = ()
        order_by = "-parked_at"
        empty_text = "Nothing is parked."


class InAccountsTable(_InvoicesTable):
    """What is said to be in the accounts already, by whom and why."""

    issued = tables.DateColumn(
        verbose_name="Invoice Date", format="j M Y", order_by=("issued", "id"), attrs=_DATE
    )
    total = MoneyColumn("Amount incl Tax", order_by=("total", "id"))
    in_accounts_at = tables.DateTimeColumn(
        verbose_name="Marked", format="j M Y, H:i", order_by=("in_accounts_at", "id"), attrs=_DATE
    )
    in_accounts_by = tables.Column(
        verbose_name="By", order_by=("in_accounts_by__email", "id"), attrs=_WORDS
    )
    in_accounts_reason = tables.Column(verbose_name="Reason", orderable=False, attrs=_WORDS)

    class Meta:
        model = Invoice
        fields = ()
        order_by = "-in_accounts_at"
        empty_text = "Nothing is marked as already in the accounts."


class BatchesTable(tables.Table):  # type: ignore[misc]
    """Every batch and how it fares."""

    number = cell("batch_number", verbose_name="Batch", order_by="number")
    created_at = tables.DateTimeColumn(
        verbose_name="Made", format="j M Y, H:i", order_by=("created_at", "number"), attrs=_DATE
    )
    created_by = tables.Column(
        verbose_name="By",
        order_by=("created_by__email", "number"),
        default="Abtrac",
        attrs=_WORDS,
    )
    documents = tables.Column(verbose_name="Invoices", orderable=False, attrs=_NUMBER)
    sent = tables.Column(orderable=False, attrs=_NUMBER)
    failed = tables.Column(orderable=False, attrs=_NUMBER)
    moving = tables.Column(verbose_name="On the way", orderable=False, attrs=_NUMBER)
    aside = tables.Column(verbose_name="Set aside", orderable=False, attrs=_NUMBER)
    state = cell("batch_state", verbose_name="State", orderable=False, accessor="number")

    class Meta:
        model = Batch
        fields = ()
        order_by = "-number"
        empty_text = "Nothing has been uploaded yet."


class DocumentsTable(tables.Table):  # type: ignore[misc]
    """The invoices of one batch: what became of each, why, and what to do."""

    tick = cell("tick_upload", verbose_name="Select", orderable=False, attrs=_TICK)
    number = cell(
        "upload_number",
        verbose_name="Invoice No",
        order_by=("invoice__number", "pk"),
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
