"""Pages of set-ups that Abtrac's support does: the practice's side, and support's queue."""

from collections.abc import Callable
from typing import cast

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors import registry
from connectors.base.protocol import Package, SetUpBy
from interfaces import assistance, charges, copying, pairs
from interfaces.forms import NAME_TAKEN
from interfaces.forms_assistance import AnswersForm, AskForm, CopyForm, LeaveForm, QuoteForm
from interfaces.models import AccountingInterface, SetUpAnswers, SetUpRequest
from offices.access import PracticeRequest, practice_view, support_view
from offices.audit import address_of, record_request
from offices.models import Role, User

State = SetUpRequest.State


# --- The practice --------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def ask(request: PracticeRequest, *, package_key: str) -> HttpResponse:
    """Ask Abtrac's support to set the package up: what it costs, the checklist, and the leave."""
    package = _package(package_key)
    if package.set_up_by is not SetUpBy.SUPPORT:
        messages.info(request, f"You can connect {package.label} yourself, without a set-up fee.")
        return redirect("interfaces:list", practice_slug=request.practice.slug)
    form = AskForm(
        request.POST or None,
        package=package,
        practice_name=request.practice.name,
        answers={"country": request.practice.country},
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = _ask(request, package, form)
        except IntegrityError:
            form.add_error("name", NAME_TAKEN)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, "Our team has been asked. Below is where it stands.")
            return _to("answers", request, made)
    context = {"form": form, "package": package, "fee": charges.quote_for(package.key)}
    return render(request, "interfaces/ask.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def answers(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """What was answered, where the set-up stands, and what only the practice can give."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    known = get_object_or_404(SetUpAnswers, interface=interface)
    form = AnswersForm(request.POST or None, package=interface.package, answers=known.answers)
    if request.method == "POST" and form.is_valid():
        said = _try(
            request,
            lambda: assistance.answer(
                interface=interface,
                answers=form.answers(),
                actor=request.user,
                as_support=request.as_support,
                address=address_of(request),
            ),
        )
        if said:
            messages.success(request, "The answers are saved.")
        return _to("answers", request, interface)
    context = {
        "interface": interface,
        "form": form,
        "leave_form": LeaveForm(),
        "set_up": assistance.standing_of(interface),
        "usual_fee": charges.quote_for(interface.package_key),
    }
    return render(request, "interfaces/answers.html", context)


@require_POST
@practice_view(Role.ADMIN)
def leave(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Give support leave anew; what was withdrawn is asked for again by it."""
    interface = _asked_for(interface_id)
    form = LeaveForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose how long our team may work in your practice.")
        return _to("answers", request, interface)
    days = form.cleaned_data["days"]
    said = _try(
        request,
        lambda: assistance.give_leave(
            interface=interface, days=days, actor=request.user, address=address_of(request)
        ),
    )
    if said:
        messages.success(request, f"Our team may work in {request.practice} for {days} days.")
    return _to("answers", request, interface)


@require_POST
@practice_view(Role.ADMIN)
def withdraw(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Take the request back."""
    interface = _asked_for(interface_id)
    said = _try(
        request,
        lambda: assistance.withdraw(
            interface=interface, actor=request.user, address=address_of(request)
        ),
    )
    if said:
        messages.success(request, "The request is withdrawn, and our team's access has ended.")
    return _to("answers", request, interface)


@require_POST
@practice_view(Role.ADMIN)
def copy_settings(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Take the settings of another interface to the same package over into this one."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    form = CopyForm(request.POST, interface=interface)
    if not form.is_valid():
        messages.error(request, "Choose an interface first.")
        return _to("preferences", request, interface)
    source = form.cleaned_data["copy_from"]
    there_before = copying.settings_of(interface)
    copied = copying.copy_settings(source=source, target=interface)
    before, after = copying.changed_between(there_before, copying.settings_of(interface))
    record_request(
        request,
        "interface.settings_copied",
        interface.name,
        interface=interface.pk,
        source=source.name,
        before=before,
        after=after,
        rules=copied.rules,
        mappings=copied.mappings,
        left=copied.left,
        refused=copied.refused,
    )
    messages.success(request, f"The settings of {source.name} were taken over.")
    if copied.left:
        messages.warning(
            request,
            f"Not in the list of {interface.name}, or not to be used there, so left as it was:"
            f" {', '.join(copied.left)}. Choose those under Codes and defaults.",
        )
    if copied.refused:
        messages.warning(
            request,
            f"{interface.package.label} does not take these with the other codes of"
            f" {interface.name}, so what they were for is left as it was:"
            f" {pairs.listed(copied.refused, 'and')}. Choose others under Codes and defaults.",
        )
    return _to("preferences", request, interface)


# --- Abtrac's support ----------------------------------------------------------------------------


@require_safe
@support_view
def set_ups(request: HttpRequest) -> HttpResponse:
    """Every set-up asked for, over all practices."""
    over = request.GET.get("show") == "done"
    rows = assistance.queue(cast(User, request.user), over=over)
    context = {"rows": rows, "over": over, "most": assistance.MOST_IN_QUEUE}
    return render(request, "interfaces/set_ups.html", context)


@require_POST
@support_view
def take_on(request: HttpRequest, *, request_id: int) -> HttpResponse:
    """Put one set-up in one's own hands, and open the practice under the leave it gave."""
    asked = get_object_or_404(SetUpRequest, pk=request_id)
    user = cast(User, request.user)
    said = _try(
        request,
        lambda: assistance.take_on(request_id=asked.pk, user=user, address=address_of(request)),
    )
    if not said:
        return redirect("interfaces:set_ups")
    messages.success(request, f"{asked.practice} is open to you. This is what they answered.")
    return redirect(
        "interfaces:answers",
        practice_slug=asked.practice.slug,
        interface_id=asked.interface_id,
    )


@require_POST
@support_view
def quote(request: HttpRequest, *, request_id: int) -> HttpResponse:
    """Tell a practice what its set-up costs."""
    asked = get_object_or_404(SetUpRequest, pk=request_id)
    form = QuoteForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(one) for one in form.errors["fee"]))
        return redirect("interfaces:set_ups")
    fee, user = form.cleaned_data["fee"], cast(User, request.user)
    said = _try(
        request,
        lambda: assistance.quote(
            request_id=asked.pk, fee=fee, user=user, address=address_of(request)
        ),
    )
    if said:
        messages.success(request, f"{asked.practice} now reads a set-up fee of ${fee:.2f}.")
    return redirect("interfaces:set_ups")


# --- Within --------------------------------------------------------------------------------------


def _ask(request: PracticeRequest, package: Package, form: AskForm) -> AccountingInterface:
    with transaction.atomic():
        made = assistance.ask(
            practice=request.practice,
            package=package,
            name=form.cleaned_data["name"],
            answers=form.answers(),
            days=form.cleaned_data["days"],
            copy_from=form.cleaned_data.get("copy_from"),
            actor=request.user,
            address=address_of(request),
        )
    return made.interface


def _try(request: HttpRequest, act: Callable[[], object]) -> bool:
    """Whether it was done; what is not allowed is said on the next page."""
    try:
        act()
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return False
    return True


def _asked_for(interface_id: int) -> AccountingInterface:
    """The interface, for which support was asked."""
    found = AccountingInterface.objects.filter(set_up_request__isnull=False)
    return get_object_or_404(found, pk=interface_id)


def _package(key: str) -> Package:
    package = registry.packages().get(key)
    if package is None:
        raise Http404
    return package


def _to(name: str, request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    return redirect(
        f"interfaces:{name}", practice_slug=request.practice.slug, interface_id=interface.pk
    )
