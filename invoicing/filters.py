"""How the list of what can be uploaded, and that of the batches, are narrowed down."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from interfaces.models import AccountingInterface
from invoicing import selectors
from invoicing.models import Batch, Client, Invoice, InvoiceSetting, Upload
from offices.models import Office, User

UNLINKED = "none"
BY_ITSELF = "abtrac"
_DATE = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


def _dress(form: forms.Form) -> None:
    """Give every field the looks of its kind."""
    for field in form.fields.values():
        select = isinstance(field.widget, forms.Select)
        field.widget.attrs["class"] = "form-select" if select else "form-control"


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


class AvailableFilter(django_filters.FilterSet):  # type: ignore[misc]
    """By client, office, invoice setting, interface, dates, and words in the invoice."""

    q = django_filters.CharFilter(label="Number, name or job", method="having", max_length=100)
    client = django_filters.CharFilter(
        method="of_client",
        max_length=100,
        widget=forms.TextInput(attrs={"list": "clients", "autocomplete": "off"}),
    )
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
        _dress(self.form)

    @property
    def qs(self) -> QuerySet[Invoice]:
        """The list; nothing of it where a filter cannot be used, which is told beside that."""
        if self.is_bound and not self.form.is_valid():
            nothing: QuerySet[Invoice] = self.queryset.none()
            return nothing
        found: QuerySet[Invoice] = super().qs
        return found

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

    def of_client(self, queryset: QuerySet[Invoice], name: str, value: str) -> QuerySet[Invoice]:
        """Whose client has that in its name, or that client ID."""
        named = Client.objects.filter(Q(name__icontains=value) | Q(abtrac_id__iexact=value))
        return queryset.filter(client__in=named)

    def through(self, queryset: QuerySet[Invoice], name: str, value: str) -> QuerySet[Invoice]:
        """Whose invoice setting goes through that interface, or through none."""
        if value == UNLINKED:
            return queryset.filter(invoice_setting__interface__isnull=True)
        return queryset.filter(invoice_setting__interface=int(value))

    @property
    def active(self) -> int:
        """How many filters are set."""
        return sum(bool(self.data.get(name)) for name in self.filters)


class BatchesFilter(django_filters.FilterSet):  # type: ignore[misc]
    """By who made them, the interface they went through, the day, and whether something failed."""

    who = django_filters.ChoiceFilter(label="Made by", method="made_by", empty_label="Anybody")
    interface = django_filters.ChoiceFilter(label="Interface", method="through", empty_label="All")
    since = django_filters.DateFilter(label="Made from", method="made_from", widget=_DATE)
    until = django_filters.DateFilter(label="Made to", method="made_to", widget=_DATE)
    failed = django_filters.ChoiceFilter(
        label="Show",
        method="with_failures",
        choices=[("only", "Only with failures")],
        empty_label="All",
    )

    def __init__(
        self,
        *args: Any,
        makers: Sequence[User],
        interfaces: Sequence[AccountingInterface],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        people = [(str(one.pk), str(one)) for one in makers]
        self.filters["who"].extra["choices"] = [*people, (BY_ITSELF, "Abtrac")]
        self.filters["interface"].extra["choices"] = [(str(one.pk), one.name) for one in interfaces]
        _dress(self.form)

    def made_by(self, queryset: QuerySet[Batch], name: str, value: str) -> QuerySet[Batch]:
        """Made by that person, or by nobody."""
        if value == BY_ITSELF:
            return queryset.filter(created_by__isnull=True)
        return queryset.filter(created_by=int(value))

    def through(self, queryset: QuerySet[Batch], name: str, value: str) -> QuerySet[Batch]:
        """Something of it went that way."""
        went = Upload.objects.filter(batch=OuterRef("pk"), interface=int(value))
        return queryset.filter(Exists(went))

    def made_from(self, queryset: QuerySet[Batch], name: str, value: date) -> QuerySet[Batch]:
        """On that day where the practice is, or later."""
        if value == date.min:
            # Where the practice is, it began before the first day that there is elsewhere.
            return queryset
        return queryset.filter(created_at__gte=_midnight(value))

    def made_to(self, queryset: QuerySet[Batch], name: str, value: date) -> QuerySet[Batch]:
        """On that day or before."""
        if value == date.max:
            return queryset
        return queryset.filter(created_at__lt=_midnight(value + timedelta(days=1)))

    def with_failures(self, queryset: QuerySet[Batch], name: str, value: str) -> QuerySet[Batch]:
        """Something of it still needs a person."""
        return queryset.filter(pk__in=selectors.needing_a_person().values("batch"))

    @property
    def active(self) -> int:
        """How many filters are set."""
        return sum(bool(self.data.get(name)) for name in self.filters)
