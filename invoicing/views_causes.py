"""Needs attention: one entry for each cause, and what mends it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST, require_safe

from interfaces import replacing
from interfaces import selectors as of_interfaces
from interfaces.forms_replacing import ReplaceForm
from interfaces.models import AccountingInterface, PackageCode, TaxCode
from interfaces.replacing import Replaced
from invoicing import attention, preflight, reasons, rechecking, selectors, uploads
from invoicing.causes import open_causes
from invoicing.codes_in_use import codes_in_use
from invoicing.forms import ParkForm
from invoicing.models import Blocked, Cause, Upload
from invoicing.posted import MOST_AT_ONCE, back, is_id, may_upload, to
from invoicing.prospects import look_ahead
from invoicing.reasons import client_of
from invoicing.sign_in import who_can
from invoicing.views_available import ask_why
from invoicing.words import kinds_counted, listed
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role
from offices.tenancy import acting_for

FIXED = "That is fixed already: nothing waits for it any more."
# What a click answers of those that still cannot go.
MOST_REASONS = 5


@require_safe
@practice_view()
def needs_attention(request: PracticeRequest) -> HttpResponse:
    """What keeps invoices from going, one entry for each thing to mend."""
    chosen = request.GET.get("interface", "")
    sort = request.GET.get("sort", attention.VALUE)
    sort = sort if sort in dict(attention.SORTS) else attention.VALUE
    interface_id = int(chosen) if is_id(chosen) else None
    page = attention.page_of(
        interface_id=interface_id, sort=sort, after=request.GET.get("after", "")
    )
    context = {
        "page": page,
        "sort": sort,
        "sorts": attention.SORTS,
        "interface_id": interface_id,
        "interfaces": attention.interfaces_with_causes(),
        "may_upload": may_upload(request),
    }
    return render(request, "invoicing/needs_attention.html", context)


@require_safe
@practice_view()
def cause(request: PracticeRequest, *, cause_id: int) -> HttpResponse:
    """One cause: all that it holds up, and what mends it."""
    found = _cause(cause_id)
    fixed = request.GET.get("show") == "fixed"
    after = request.GET.get("after", "")
    rows, next_after = attention.rows_of(
        found, fixed=fixed, after=int(after) if is_id(after) else 0
    )
    look_ahead([one.upload for one in rows])
    entry = attention.entry_of(found)
    client_id = client_of(found.subject) if entry.way == "contact" else 0
    context = {
        "entry": entry,
        "cause": found,
        "interface": found.interface,
        "package": found.interface.package,
        "rows": rows,
        "next_after": next_after,
        "is_first": not after,
        "fixed": fixed,
        "may_upload": may_upload(request) and not found.closed_at,
        "offers": list(_offers(found, looked_at=request.GET.get("tax", "")))
        if not found.closed_at
        else [],
        "client_id": client_id,
        "admins": "" if request.role.includes(Role.ADMIN) else listed(who_can(request)),
        "package_words": _words_of_package(request, rows),
        "here": reverse("invoicing:cause", args=[request.practice.slug, found.pk]),
    }
    return render(request, "invoicing/cause.html", context)


@require_safe
@practice_view()
def cause_of(request: PracticeRequest, *, upload_id: int) -> HttpResponse:
    """To the cause that holds an upload up: the first, where there are several; it names them."""
    upload = get_object_or_404(Upload, pk=upload_id)
    held = upload.blocked_by.filter(cleared_at__isnull=True).order_by("cause")
    first = held.values_list("cause_id", flat=True).first()
    if first is None:
        messages.info(request, "Nothing holds it up any more.")
        return to(request, "needs_attention")
    return to(request, "cause", cause_id=first)


@require_POST
@practice_view(Role.ACCOUNTS, network=True)
def check_cause(request: PracticeRequest, *, cause_id: int) -> HttpResponse:
    """Check what the cause holds up again and send it; `read` asks the package for news first."""
    with acting_for(request.practice.pk):
        found = _cause(cause_id)
    if request.POST.get("do") == "read":
        _read(request, found.interface)
    _check_again(request, [found.pk], subject=found.message, interface=found.interface)
    return back(request, "needs_attention")


@require_POST
@practice_view(Role.ACCOUNTS, network=True)
def check_interface(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """The same of all that is held up at an interface, after something was set there."""
    with acting_for(request.practice.pk):
        interface = get_object_or_404(AccountingInterface, pk=interface_id)
        causes = list(open_causes().filter(interface=interface).values_list("pk", flat=True))
    if request.POST.get("do") == "read":
        _read(request, interface)
    _check_again(request, causes, subject=interface.name, interface=interface)
    return back(request, "needs_attention")


@require_POST
@practice_view(Role.ADMIN, network=True)
def replace_code(request: PracticeRequest, *, cause_id: int) -> HttpResponse:
    """Use another code wherever lines come to the one that cannot be used; then check again."""
    with acting_for(request.practice.pk):
        found = _cause(cause_id)
        # Held, so that what is recorded as before is what was before.
        interface = AccountingInterface.objects.select_for_update(no_key=True).get(
            pk=found.interface_id
        )
        wanted = request.POST.get("do", "")
        offer = next((one for one in _offers(found, request) if one.do == wanted), None)
        unsure = _to_look_at(request, found, offer)
        problem = "" if unsure else _replaced(request, found, interface, offer)
    if unsure:
        return redirect(unsure)
    if problem:
        messages.error(request, problem)
        return to(request, "cause", cause_id=found.pk)
    _check_again(request, [found.pk], subject=found.message, interface=interface)
    return back(request, "needs_attention")


@require_POST
@practice_view(Role.ACCOUNTS)
def park_cause(request: PracticeRequest, *, cause_id: int) -> HttpResponse:
    """Ask why the invoices that the cause holds up are to be parked."""
    found = _cause(cause_id)
    invoices = selectors.chosen(attention.parkable(found, most=MOST_AT_ONCE))
    if not invoices:
        messages.warning(request, FIXED)
        return back(request, "needs_attention")
    return ask_why(request, ParkForm(), invoices)


@require_POST
@practice_view(Role.ACCOUNTS)
def give_up_cause(request: PracticeRequest, *, cause_id: int) -> HttpResponse:
    """Try no more what the cause holds up besides invoices: contacts, jobs, PDFs and voids."""
    found = _cause(cause_id)
    held = attention.besides(found, most=MOST_AT_ONCE)
    rows = uploads.give_up(upload_ids=held, actor=request.user)
    if not rows:
        messages.warning(request, FIXED)
        return back(request, "needs_attention")
    told = kinds_counted(Counter(one.kind for one in rows))
    record_request(
        request,
        "cause.given_up",
        found.message,
        interface=found.interface_id,
        before={"held up": [str(one.invoice or one.job or one.client) for one in rows]},
        after={"held up": [], "given up": told},
    )
    messages.success(request, f"Given up: {told}. Nothing more is tried.")
    return back(request, "needs_attention")


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A code that can be replaced: `do` says which of the two, where it is a pair."""

    do: str
    replaced: Replaced
    form: ReplaceForm
    # How many there are to choose from.
    choices: int
    # Why the line itself has to be corrected, in Abtrac.
    only_in_abtrac: str = ""
    # The one chosen, and why to look at it once more before it is used.
    chosen: PackageCode | None = None
    warnings: tuple[str, ...] = ()


def _words_of_package(request: PracticeRequest, rows: list[Blocked]) -> str:
    """The package's own words on one of them, for support."""
    words = (one.upload.package_words for one in rows if one.upload.package_words)
    return next(words, "") if may_upload(request) else ""


def _cause(cause_id: int) -> Cause:
    return get_object_or_404(Cause.objects.select_related("interface"), pk=cause_id)


def _offers(
    found: Cause, request: PracticeRequest | None = None, *, looked_at: str = ""
) -> Iterator[Offer]:
    """What can be chosen instead of the codes that the cause is about.

    `looked_at` is the id of a tax code that was chosen, to be warned of before it is used.
    """
    way = attention.way_of(found)
    if way not in ("account", "tax", "pair"):
        return
    codes = of_interfaces.codes_of(found.interface)
    tax, _, account = found.subject.partition("|") if way == "pair" else (found.subject,) * 3
    for is_tax in (True, False):
        do, code = ("tax", tax) if is_tax else ("account", account)
        if way not in (do, "pair") or not code:
            continue
        named = attention.lines_name(found, code, is_tax=is_tax)
        beside = {"account": account} if is_tax else {"tax": tax}
        replaced = replacing.leads_to(codes, found.interface, code=code, is_tax=is_tax, named=named)
        choices: list[PackageCode] = [
            *(replacing.taxes_for if is_tax else replacing.accounts_for)(
                codes, code=code, **(beside if way == "pair" else {})
            )
        ]
        why = ""
        if found.code == reasons.TAX_DIFFERS:
            # A default stays as it is, whatever one line says.
            replaced = replace(replaced, defaults=())
            choices = _that_fit(found, replaced, choices)
            why = _only_in_abtrac(found, replaced, choices)
        posted = request.POST if request and request.POST.get("do") == do else None
        chosen = next((one for one in choices if is_tax and str(one.pk) == looked_at), None)
        yield Offer(
            do=do,
            replaced=replaced,
            form=ReplaceForm(posted, choices=choices, is_tax=is_tax, chosen=chosen),
            choices=len(choices),
            only_in_abtrac=why,
            chosen=chosen,
            warnings=_other_rates(found, replaced, chosen),
        )


def _that_fit(
    found: Cause, replaced: Replaced, choices: Iterable[PackageCode]
) -> list[PackageCode]:
    lines = attention.taxed_by(found, replaced.written)
    taxes = [one for one in choices if isinstance(one, TaxCode)]
    return [*replacing.that_explain(taxes, lines)] if lines else []


def _only_in_abtrac(found: Cause, replaced: Replaced, choices: Sequence[PackageCode]) -> str:
    if choices:
        return ""
    if replaced.written:
        label = found.interface.package.label
        return f"No tax code of {label} has a rate that fits that tax. Correct the tax in Abtrac."
    return (
        "Correct the tax in Abtrac. The tax code comes from a default, which is for all lines and"
        " is not changed for these."
    )


def _other_rates(found: Cause, replaced: Replaced, chosen: PackageCode | None) -> tuple[str, ...]:
    if not isinstance(chosen, TaxCode):
        return ()
    return tuple(replacing.other_rates(replaced, chosen, codes_in_use(found.interface)))


def _to_look_at(request: PracticeRequest, found: Cause, offer: Offer | None) -> str:
    """The page that warns of the code chosen, before it is used; empty once that was seen."""
    if found.closed_at or offer is None or not offer.form.is_valid():
        return ""
    new = offer.form.cleaned_data["code"]
    seen = request.POST.get("sure") == str(new.pk)
    if seen or not _other_rates(found, offer.replaced, new):
        return ""
    address = reverse("invoicing:cause", args=[request.practice.slug, found.pk])
    return f"{address}?tax={new.pk}"


def _replaced(
    request: PracticeRequest,
    found: Cause,
    interface: AccountingInterface,
    offer: Offer | None,
) -> str:
    """Put the chosen code in all its places, and record it; why not, or nothing."""
    if found.closed_at:
        return FIXED
    if offer is None or not offer.form.is_valid():
        return "Nothing was changed: choose the code to use instead first."
    new = offer.form.cleaned_data["code"]
    if not offer.replaced.places:
        return (
            "Nothing was changed: nothing leads to that code any more. Check again what is held up."
        )
    codes = of_interfaces.codes_of(interface)
    if why := replacing.why_not(interface, codes, offer.replaced, new):
        return f"Nothing was changed. {why}"
    before, after = replacing.replace(interface, offer.replaced, new)
    record_request(
        request,
        "interface.code_replaced",
        interface.name,
        interface=interface.pk,
        cause=found.message,
        before=before,
        after=after,
    )
    messages.success(request, f"{new} is used from now on for {', '.join(before)}.")
    return ""


def _read(request: PracticeRequest, interface: AccountingInterface) -> None:
    label = interface.package.label
    failures = preflight.refresh(practice_id=request.practice.pk, interface_id=interface.pk)
    if failures:
        told = " ".join(["could not be read, so what was known before was used.", *failures])
        messages.warning(request, f"{label} {told}")


def _check_again(
    request: PracticeRequest, causes: list[int], *, subject: str, interface: AccountingInterface
) -> None:
    """Do it, record it, and say what came of it."""
    checked = rechecking.check_again(
        practice_id=request.practice.pk, causes=causes, actor=request.user
    )
    if not checked.checked:
        messages.info(request, "Nothing waits to be checked again: it is on its way, or fixed.")
        return
    with acting_for(request.practice.pk):
        record_request(
            request,
            "cause.checked_again",
            subject,
            interface=interface.pk,
            before={"held up": checked.checked},
            after={"on the way": checked.on_the_way, "held up": len(checked.held_up)},
        )
    tell_checked(request, checked)


def tell_checked(request: PracticeRequest, checked: rechecking.Rechecked) -> None:
    """What came of checking again, and why some still cannot go."""
    tell = messages.warning if checked.held_up else messages.success
    tell(request, checked.sentence)
    for why in checked.why[:MOST_REASONS]:
        messages.warning(request, why)


BASE = "<slug:practice_slug>/accounting/attention/"
ONE = f"{BASE}<int:cause_id>/"

urlpatterns_causes = [
    path(BASE, needs_attention, name="needs_attention"),
    path(ONE, cause, name="cause"),
    path(
        "<slug:practice_slug>/accounting/uploads/<int:upload_id>/cause/", cause_of, name="cause_of"
    ),
    path(f"{ONE}check/", check_cause, name="check_cause"),
    path(f"{ONE}replace/", replace_code, name="replace_code"),
    path(f"{ONE}park/", park_cause, name="park_cause"),
    path(f"{ONE}give-up/", give_up_cause, name="give_up_cause"),
    path(
        "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/check-again/",
        check_interface,
        name="check_interface",
    ),
]
