"""How the list of what can be uploaded is narrowed down."""

from collections.abc import Sequence
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet

from invoicing.models import Invoice, InvoiceSetting
from offices.models import Office

UNLINKED = "none"
_DATE = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class AvailableFilter(django_filters.FilterSet):  # type: ignore[misc]
    """By office, invoice setting, interface, dates, and words in the invoice."""

    q = django_filters.CharFilter(label="Number, name or job", method="having", max_length=100)
    office = django_filters.ModelChoiceFilter(
        queryset=lambda request: Office.objects.order_by("name"), empty_label="All"
    )
    setting = django_filters.ChoiceFilter(
        label="Invoice setting", field_name="invoice_setting", empty_label="All"
    )
    interface = django_filters.ChoiceFilter(label="Interface", method="through", empty_label="All")
    since = django_filters.DateFilter(
        label="Dated from", field_name="issued", lookup_expr="gte", widget=_DATE
    )
    until = django_filters.DateFilter(
        label="Dated to", field_name="issued", lookup_expr="lte", widget=_DATE
    )

    def __init__(self, *args: Any, settings: Sequence[InvoiceSetting], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        interfaces = {one.interface.pk: one.interface.name for one in settings if one.interface}
        by_name = sorted(interfaces.items(), key=lambda pair: pair[1])
        self.filters["setting"].extra["choices"] = [(one.pk, one.name) for one in settings]
        self.filters["interface"].extra["choices"] = [*by_name, (UNLINKED, "Not linked")]
        for field in self.form.fields.values():
            select = isinstance(field.widget, forms.Select)
            field.widget.attrs["class"] = "form-select" if select else "form-control"

    def having(self, queryset: QuerySet[Invoice], name: str, value: str) -> QuerySet[Invoice]:
        """Every word is somewhere in the number, the names, the order number or the job."""
        for word in value.split():
            queryset = queryset.filter(
                Q(number__icontains=word)
                | Q(name_on_invoice__icontains=word)
                | Q(recipient__icontains=word)
                | Q(order_number__icontains=word)
                | Q(job__code__icontains=word)
                | Q(job__description__icontains=word)
            )
        return queryset

    def through(self, queryset: QuerySet[Invoice], name: str, value: str) -> QuerySet[Invoice]:
        """Whose invoice setting goes through that interface, or through none."""
        if value == UNLINKED:
            return queryset.filter(invoice_setting__interface__isnull=True)
        return queryset.filter(invoice_setting__interface=int(value))

    @property
    def active(self) -> int:
        """How many filters are set."""
        return sum(bool(self.data.get(name)) for name in self.filters)
