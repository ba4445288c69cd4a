"""The columns of a list: which of them a person sees, in which order and how wide."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render, resolve_url
from django.urls import path
from django.views.decorators.http import require_http_methods

from invoicing import columns
from invoicing.columns import WIDTHS, Chosen
from invoicing.posted import back, own_address
from invoicing.tables import LONG_TABLES, LongTable
from offices.access import PracticeRequest, practice_view

# No list has as many columns.
MOST_POSITIONS = 99


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view()
def choose(request: PracticeRequest, *, list_key: str) -> HttpResponse:
    """Choose them, or have them again as they are for everybody; nobody else sees a difference."""
    table = LONG_TABLES.get(list_key)
    if table is None:
        raise Http404
    if request.method == "POST":
        return _keep(request, table)
    chosen = columns.chosen_by(request.user, table)
    places = {one.name: (place, one.width) for place, one in enumerate(chosen, start=1)}
    labels = columns.choices_of(table)
    rows = [(name, labels[name], True, *places[name]) for name in places]
    rows += [
        (name, label, False, place, None)
        for place, (name, label) in enumerate(
            ((name, label) for name, label in labels.items() if name not in places),
            start=len(places) + 1,
        )
    ]
    context = {
        "heading": table.heading,
        "rows": rows,
        "widths": WIDTHS.items(),
        "most": MOST_POSITIONS,
        "next": own_address(request) or resolve_url(f"invoicing:{list_key}", request.practice.slug),
    }
    return render(request, "invoicing/columns.html", context)


def _keep(request: PracticeRequest, table: type[LongTable]) -> HttpResponse:
    if "reset" in request.POST:
        columns.keep(request.user, table, [])
        messages.success(request, "The columns are as they are for everybody.")
        return back(request, table.list_key)
    chosen = _posted(request, table)
    if not chosen:
        messages.warning(request, "Nothing was saved: choose at least one column.")
        return back(request, table.list_key)
    columns.keep(request.user, table, chosen)
    messages.success(request, "Your columns are saved.")
    return back(request, table.list_key)


def _posted(request: PracticeRequest, table: type[LongTable]) -> list[Chosen]:
    """The columns ticked, by the positions given; of equal ones the one that stands first."""
    shown = set(request.POST.getlist("shown"))
    known = [name for name in columns.choices_of(table) if name in shown]
    known.sort(key=lambda name: _number(request.POST.get(f"place-{name}", "")))
    widths = {name: _number(request.POST.get(f"width-{name}", "")) for name in known}
    return [
        Chosen(name=name, width=widths[name] if widths[name] in WIDTHS else None) for name in known
    ]


def _number(text: str) -> int:
    known = text.isascii() and text.isdecimal() and len(text) <= 4
    return int(text) if known else MOST_POSITIONS + 1


urlpatterns_columns = [
    path("<slug:practice_slug>/accounting/columns/<slug:list_key>/", choose, name="columns"),
]
