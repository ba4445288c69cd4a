"""What the invoices that have yet to go write, of codes and of all that code rules are about."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Case, Count, Exists, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Abs

from interfaces.models import AccountingInterface, CodeRule
from interfaces.suggestions import CodesInUse, InUse
from invoicing.models import InvoiceLine, InvoiceSetting, Job
from invoicing.uploads import unsent
from offices.models import Office

# Of codes and subjects: more are not chosen from by a person.
MOST_CODES = 200
MOST_SUBJECTS = 500

Scope = CodeRule.Scope


def codes_in_use(interface: AccountingInterface) -> CodesInUse:
    """The codes on committed invoices not yet sent, in two queries. Needs a scope.

    Of the invoice settings linked to the interface; while there is none, of those linked to none.
    """
    lines = _lines(interface)
    accounts = (
        lines.exclude(account_code="")
        .values("account_code")
        .annotate(count=Count("pk"))
        .order_by("account_code")
    )
    named = Case(When(tax_code="", then=F("invoice__tax_code")), default=F("tax_code"))
    taxes = (
        lines.annotate(named=named, taxed=Case(When(tax=0, then=Value(0)), default=Value(1)))
        .values("named", "taxed")
        .annotate(count=Count("pk"), net_sum=Sum(Abs("net")), tax_sum=Sum(Abs("tax")))
        .order_by("named", "taxed")
    )
    by_tax: dict[str, InUse] = {}
    taxed = None
    for row in taxes[: MOST_CODES * 2]:
        if row["named"]:
            by_tax[row["named"]] = _added(by_tax.get(row["named"]), row)
        elif row["taxed"]:
            taxed = _added(None, row)
    return CodesInUse(
        accounts=[
            InUse(code=row["account_code"], lines=row["count"]) for row in accounts[:MOST_CODES]
        ],
        taxes=list(by_tax.values()),
        taxed=taxed,
    )


def subjects() -> dict[str, list[tuple[str, str]]]:
    """What a code rule can be about, by scope: as it is kept, and as it is shown. Needs a scope."""
    offices = Office.objects.order_by("name").values_list("abtrac_id", "name")
    settings = InvoiceSetting.objects.order_by("name").values_list("abtrac_id", "name")
    return {
        Scope.DISBURSEMENT_TYPE: _distinct(InvoiceLine.objects.all(), "disbursement_type"),
        Scope.TASK: _distinct(InvoiceLine.objects.all(), "task"),
        Scope.JOB_TYPE: _distinct(Job.objects.all(), "job_type"),
        Scope.DEPARTMENT: _distinct(Job.objects.all(), "department"),
        Scope.OFFICE: list(offices[:MOST_SUBJECTS]),
        Scope.INVOICE_SETTING: list(settings[:MOST_SUBJECTS]),
    }


def _lines(interface: AccountingInterface) -> QuerySet[InvoiceLine]:
    none_linked = ~Exists(InvoiceSetting.objects.filter(interface=interface))
    invoices = unsent().filter(
        Q(invoice_setting__interface=interface)
        | Q(none_linked, invoice_setting__interface__isnull=True)
    )
    return InvoiceLine.objects.filter(invoice__in=invoices.order_by().values("pk")).order_by()


def _added(so_far: InUse | None, row: Mapping[str, Any]) -> InUse:
    before = so_far or InUse(code=row["named"], lines=0)
    return InUse(
        code=row["named"],
        lines=before.lines + row["count"],
        net=before.net + row["net_sum"],
        tax=before.tax + row["tax_sum"],
    )


def _distinct(rows: QuerySet[Any], field: str) -> list[tuple[str, str]]:
    """Each text once, whatever its capitals: rules do not tell them apart."""
    found = rows.exclude(**{field: ""}).order_by(field).values_list(field, flat=True).distinct()
    once = {text.casefold(): text for text in found[:MOST_SUBJECTS]}
    return [(text, text) for text in once.values()]
