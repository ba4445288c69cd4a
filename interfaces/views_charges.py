"""Pages about money: what a practice's links cost, the price calculator, and the price book."""

from collections.abc import Iterable
from datetime import date
from itertools import islice
from typing import cast

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.formats import date_format
from django.views.decorators.http import require_http_methods, require_safe

from connectors import registry
from connectors.base.protocol import SetUpBy
from interfaces import calculator, charges, months, price_books, statements
from interfaces.forms_charges import CalculatorForm, PriceBookForm
from interfaces.models import SetUpFee
from offices import once
from offices.access import PracticeRequest, practice_view, support_view
from offices.audit import address_of
from offices.models import Role, User

# Months whose statements are shown at once, for a practice and for support.
_MONTHS_SHOWN = 12


@require_safe
@practice_view(Role.ADMIN)
def charges_of_practice(request: PracticeRequest) -> HttpResponse:
    """What the practice's links cost, what would change that, and what was charged so far."""
    practice, today = request.practice, charges.today_of(request.practice)
    books = price_books.load()
    book = books.of_month(today)
    periods = list(charges.open_periods(practice.pk).select_related("interface"))
    keys = [one.package_key for one in periods]
    types = charges.in_use(periods, books=books, today=today)
    made = statements.statements_of(practice.pk, books=books, today=today)
    context = {
        "types": types,
        "total": sum(one.net for one in types),
        "link": book.link,
        "packages": [
            {
                "label": one.label,
                "change": charges.if_added(one.key, to=keys, book=book),
                "by_support": one.set_up_by is SetUpBy.SUPPORT,
                "set_up_fee": price_books.set_up_fee_of(books.on(today), one.key),
            }
            for one in registry.packages().values()
        ],
        "to_come": charges.price_to_come(books, today=today),
        "fees": [
            (registry.label_of(one.package_key), one)
            for one in SetUpFee.objects.filter(practice=practice)
            .select_related("accepted_by")
            .order_by("-charged_on", "-pk")
        ],
        "statements": made[:_MONTHS_SHOWN],
        "earlier": made[_MONTHS_SHOWN:],
    }
    return render(request, "interfaces/charges.html", context)


@require_safe
@practice_view(Role.ADMIN)
def statement(request: PracticeRequest, *, year: int, month: int) -> StreamingHttpResponse:
    """The statement of one month as a file."""
    first = _month_or_404(year, month, today=charges.today_of(request.practice))
    rows = statements.statement_csv(first.year, first.month, practice_id=request.practice.pk)
    return _csv(rows, f"links-{request.practice.slug}-{first:%Y-%m}.csv")


@require_safe
def prices(request: HttpRequest) -> HttpResponse:
    """The price calculator, for anybody."""
    book = price_books.load().of_month(timezone.localdate())
    form = CalculatorForm(request.GET or None)
    asked = None
    if form.is_valid():
        asked = calculator.subscription(
            book,
            users=form.cleaned_data["users"],
            package_keys=form.cleaned_data["packages"],
            debtor_module=form.cleaned_data["debtor_module"],
        )
    context = {"form": form, "asked": asked, "book": book, "tiers": price_books.tiers_of(book)}
    return render(request, "interfaces/prices.html", context)


@require_safe
@support_view
def books_of_prices(request: HttpRequest) -> HttpResponse:
    """Every price book with what it changed, and the statements of all practices."""
    today, books = timezone.localdate(), price_books.load()
    context = {
        "entries": price_books.changes(books),
        "present": books.on(today),
        "today": today,
        "months": list(islice(months.back_from(today), _MONTHS_SHOWN)),
    }
    return render(request, "interfaces/charges_books.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@support_view
def add_prices(request: HttpRequest) -> HttpResponse:
    """Enter a price book."""
    present = price_books.load().on(timezone.localdate())
    form = PriceBookForm(request.POST or None, present=present)
    if request.method == "POST" and form.is_valid() and _enter(request, form):
        return redirect("interfaces:price_books")
    return render(request, "interfaces/charges_add.html", {"form": form})


@require_safe
@support_view
def statements_of_all(request: HttpRequest, *, year: int, month: int) -> StreamingHttpResponse:
    """The statements of one month of every practice as one file."""
    first = _month_or_404(year, month, today=timezone.localdate())
    return _csv(statements.statement_csv(first.year, first.month), f"links-{first:%Y-%m}.csv")


def _enter(request: HttpRequest, form: PriceBookForm) -> bool:
    with transaction.atomic():
        if once.done_already(request):
            messages.warning(request, "That was done already: these prices are in the list.")
            return True
        try:
            book = price_books.enter(
                prices=form.prices(),
                entered_by=cast(User, request.user),
                address=address_of(request),
            )
        except ValidationError as error:
            form.add_error("from_day", error)
            return False
        once.note_done(request)
    messages.success(request, f"The prices from {date_format(book.from_day, 'j F Y')} are entered.")
    return True


def _month_or_404(year: int, month: int, *, today: date) -> date:
    """The month's first day; a month that has not begun has no statement."""
    first = months.first_day(year, month)
    if first is None or first > today:
        raise Http404
    return first


def _csv(rows: Iterable[str], name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8", headers=headers)


_OF_PRACTICE = "<slug:practice_slug>/accounting/charges/"

urlpatterns_charges = [
    path(_OF_PRACTICE, charges_of_practice, name="charges"),
    path(f"{_OF_PRACTICE}<int:year>/<int:month>.csv", statement, name="statement"),
    path("prices/", prices, name="prices"),
    path("support/prices/", books_of_prices, name="price_books"),
    path("support/prices/new/", add_prices, name="add_prices"),
    path(
        "support/statements/<int:year>/<int:month>.csv", statements_of_all, name="statements_of_all"
    ),
]
