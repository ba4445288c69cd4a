"""The set-up step by step: where it goes on, the test, and going live."""

from django.contrib import messages
from django.db.models import Case, When
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from interfaces import charges, selectors
from interfaces.models import AccountingInterface
from invoicing import going_live, set_up, set_up_checks, uploads
from invoicing.going_live import CannotGoLive
from invoicing.links import facts_of
from invoicing.posted import ids, tell_left_out, to
from invoicing.prospects import look_ahead
from invoicing.selectors import trials_of
from invoicing.uploads.states import MOVING
from offices.access import PracticeRequest, practice_view
from offices.audit import address_of, record_request
from offices.models import Role
from offices.selectors import members_of
from offices.tenancy import acting_for

# So many invoices are offered to be tried; one is enough.
MOST_OFFERED = 10


@require_safe
@practice_view(Role.ADMIN)
def go_on(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """To the step at which the set-up goes on; `after` is the step a person has just left."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    if interface.is_live:
        return to_page(request, "interfaces:detail", interface)
    left = request.GET.get("after", "")
    step = (
        set_up.reach(interface, beyond=left)
        if left in set_up.PAGES
        else set_up.of(interface).current
    )
    return to_page(request, step.page, interface)


@require_safe
@practice_view(Role.ADMIN, network=True)
def test(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """The read-only checks, made now, and what was tried so far."""
    practice = request.practice
    with acting_for(practice.pk):
        interface = get_object_or_404(AccountingInterface, pk=interface_id)
    checks = set_up_checks.run(practice=practice, interface_id=interface.pk)
    with acting_for(practice.pk):
        interface.refresh_from_db()
        tried = trials_of(interface)
        look_ahead(tried)
        waiting = uploads.offered().filter(invoice_setting__interface=interface)
        context = {
            "interface": interface,
            "checks": [(one, set_up.PAGES.get(one.step, "")) for one in checks],
            "wrong": sum(one.state == set_up_checks.BAD for one in checks),
            "tried": tried,
            "moving": any(one.state in MOVING for one in tried),
            # Invoices before credit notes, the newest first.
            "offered": list(
                waiting.order_by(Case(When(total__gt=0, then=0), default=1), "-issued", "-id")[
                    :MOST_OFFERED
                ]
            ),
        }
        return render(request, "invoicing/test.html", context)


@require_safe
@practice_view(Role.ADMIN)
def tried(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """What became of what was tried: the part of the test page that renews itself."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    found = trials_of(interface)
    look_ahead(found)
    context = {
        "interface": interface,
        "tried": found,
        "moving": any(one.state in MOVING for one in found),
    }
    return render(request, "invoicing/tried.html", context)


@require_POST
@practice_view(Role.ADMIN)
def try_one(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Send one real invoice, as a draft where the package has drafts."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    chosen = ids(request, "invoice")[:1]
    offered = uploads.offered().filter(invoice_setting__interface=interface, pk__in=chosen)
    if chosen and trials_of(interface) and not offered.exists():
        return to_page(request, "invoicing:test", interface)  # a second click: it is shown there
    if not chosen or not offered.exists():
        messages.warning(request, "Nothing was sent: choose one of the invoices first.")
        return to_page(request, "invoicing:test", interface)
    outcome = uploads.enqueue(invoice_ids=chosen, actor=request.user, before_live=True)
    tell_left_out(request, outcome.left_out)
    if outcome.batch:
        record_request(
            request,
            "interface.tried",
            interface.name,
            interface=interface.pk,
            invoices=chosen,
            batch=outcome.batch.number,
        )
    return to_page(request, "invoicing:test", interface)


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def go_live(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """The summary, and the end of the set-up."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    change = None if interface.is_live else _change(request, interface)
    if request.method == "POST":
        answer = _go_live(request, interface, agreed=request.POST.get("sure") == "on")
        if answer:
            return answer
    context = {
        **selectors.standing_of(interface),
        "interface": interface,
        "change": change,
        "lacking": [
            (one.sentence, set_up.PAGES[one.step]) for one in going_live.missing(interface)
        ],
        "concerns": [
            (one, set_up.PAGES.get(one.step, ""))
            for one in set_up_checks.concerns(request.practice, interface)
        ],
        "facts": facts_of([interface])[0],
        "preferences": selectors.preferences_in_words(interface),
        "uploaders": [
            one for one in members_of(request.practice) if Role(one.role).includes(Role.ACCOUNTS)
        ],
        "assisted": selectors.is_assisted(interface),
    }
    return render(request, "invoicing/go_live.html", context)


def _change(request: PracticeRequest, interface: AccountingInterface) -> charges.Change | None:
    if interface.is_rehearsal:
        return None
    return charges.change_if_added(request.practice, interface.package_key)


def _go_live(
    request: PracticeRequest, interface: AccountingInterface, *, agreed: bool
) -> HttpResponse | None:
    """Where to go afterwards; None when it cannot be, which has been said."""
    if request.as_support:
        messages.error(request, f"Only an admin of {request.practice} takes a link live.")
        return None
    if selectors.is_assisted(interface):
        messages.error(request, "Our team sets this up: confirm it on the hand-over page.")
        return None
    if not agreed:
        messages.error(request, "Tick that the summary is right first.")
        return None
    try:
        going_live.go_live(
            interface=interface,
            actor=request.user,
            as_support=request.as_support,
            address=address_of(request),
        )
    except CannotGoLive as error:
        messages.error(request, f"Not live yet. {error}")
        return None
    messages.success(request, f"{interface} is live. Its invoices can be uploaded.")
    return to(request, "available")


def to_page(request: PracticeRequest, page: str, interface: AccountingInterface) -> HttpResponse:
    """On to a page of the interface."""
    return redirect(reverse(page, args=[request.practice.slug, interface.pk]))


ONE = "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/"

urlpatterns_set_up = [
    path(f"{ONE}set-up/", go_on, name="set_up"),
    path(f"{ONE}test/", test, name="test"),
    path(f"{ONE}test/tried/", tried, name="tried"),
    path(f"{ONE}test/try/", try_one, name="try_one"),
    path(f"{ONE}go-live/", go_live, name="go_live"),
]
