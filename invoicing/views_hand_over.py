"""Pages at the end of a set-up by Abtrac's support: dry run, hand-over, confirmation."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from connectors.base.protocol import WritesImportFile
from interfaces import assistance, charges, selectors
from interfaces.models import AccountingInterface, SetUpAnswers, SetUpRequest
from interfaces.set_up_questions import IMPORTER
from invoicing import dry_runs, hand_overs
from invoicing.links import facts_of
from invoicing.models import DryRun
from offices.access import PracticeRequest, practice_view
from offices.audit import address_of, record_request
from offices.models import Role

State = SetUpRequest.State


class OutcomeForm(forms.Form):
    """How a dry run went."""

    outcome = forms.ChoiceField(
        label="How did it go?",
        choices=[(DryRun.Outcome.GOOD, "It worked"), (DryRun.Outcome.BAD, "It did not work")],
        widget=forms.RadioSelect,
        error_messages={"required": "Say whether it worked."},
    )
    note = forms.CharField(
        max_length=500,
        required=False,
        label="What you saw",
        help_text="If it did not work: what the package said, and about which invoice.",
    )


class ConfirmForm(forms.Form):
    """That the practice takes the set-up as it is."""

    accepted = forms.BooleanField(
        label="This is how we want it, and I accept what it costs",
        error_messages={"required": "Tick that you accept it, then confirm."},
    )


# --- The dry run ---------------------------------------------------------------------------------


@require_safe
@practice_view()
def dry_run(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """What would be sent, line by line, the file of it, and what came of it."""
    return _dry_run_page(request, _interface(interface_id), OutcomeForm())


@require_POST
@practice_view(Role.ADMIN)
def make_dry_run(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Try one of each."""
    interface = _interface(interface_id)
    before = dry_runs.latest(interface)
    run = dry_runs.make(practice=request.practice, interface=interface, actor=request.user)
    faults = dry_runs.faults_of(run)
    record_request(
        request,
        "dry_run.made",
        interface.name,
        interface=interface.pk,
        before=before.pk if before else None,
        after=run.pk,
        faults=faults,
        file=run.file_name,
    )
    if faults:
        messages.warning(request, "Something must be put right before this could be sent.")
    else:
        messages.success(request, "This is what would be sent. Nothing was sent.")
    return _to("dry_run", request, interface)


@require_safe
@practice_view(Role.ACCOUNTS)
def dry_run_file(request: PracticeRequest, *, interface_id: int, dry_run_id: int) -> HttpResponse:
    """The file of a dry run, byte for byte as it was made."""
    run = _run(interface_id, dry_run_id)
    if not run.file_name:
        raise Http404
    disposition = content_disposition_header(as_attachment=True, filename=run.file_name)
    headers = {"Content-Disposition": disposition or "attachment"}
    record_request(
        request,
        "dry_run.downloaded",
        run.interface.name,
        interface=run.interface_id,
        dry_run=run.pk,
    )
    return HttpResponse(
        bytes(run.content), content_type="application/octet-stream", headers=headers
    )


@require_POST
@practice_view(Role.ACCOUNTS)
def dry_run_outcome(
    request: PracticeRequest, *, interface_id: int, dry_run_id: int
) -> HttpResponse:
    """The practice tells how it went."""
    run = _run(interface_id, dry_run_id)
    if request.as_support:
        messages.error(request, f"{request.practice} itself says how it went.")
        return _to("dry_run", request, run.interface)
    form = OutcomeForm(request.POST)
    if not form.is_valid():
        return _dry_run_page(request, run.interface, form)
    before = {"outcome": run.get_outcome_display(), "note": run.outcome_note}
    good = form.cleaned_data["outcome"] == DryRun.Outcome.GOOD
    try:
        dry_runs.tell(run=run, good=good, note=form.cleaned_data["note"], actor=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return _to("dry_run", request, run.interface)
    after = {"outcome": run.get_outcome_display(), "note": run.outcome_note}
    record_request(
        request,
        "dry_run.told",
        run.interface.name,
        interface=run.interface_id,
        dry_run=run.pk,
        before=before,
        after=after,
    )
    messages.success(request, "Thank you: that is noted, and our team sees it.")
    return _to("dry_run", request, run.interface)


def _dry_run_page(
    request: PracticeRequest, interface: AccountingInterface, form: OutcomeForm
) -> HttpResponse:
    run = dry_runs.latest(interface)
    context = {
        "interface": interface,
        "run": run,
        "documents": dry_runs.shown(run) if run else [],
        "faults": bool(run and dry_runs.faults_of(run)),
        "writes_file": interface.package.can(WritesImportFile),
        "form": form,
        "may_tell": request.role.includes(Role.ACCOUNTS) and not request.as_support,
    }
    return render(request, "invoicing/dry_run.html", context)


# --- The hand-over -------------------------------------------------------------------------------


@require_safe
@practice_view()
def hand_over(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """How staff work with the interface, for printing; and the way to its going live."""
    return _hand_over_page(request, _interface(interface_id), ConfirmForm())


@require_POST
@practice_view(Role.ADMIN)
def give(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Support hands the finished set-up over."""
    interface = _asked_for(interface_id)
    try:
        hand_overs.give(
            interface=interface,
            actor=request.user,
            as_support=request.as_support,
            address=address_of(request),
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{request.practice} can confirm it now.")
    return _to("hand_over", request, interface)


@require_POST
@practice_view(Role.ADMIN)
def confirm_set_up(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """The practice confirms it, and it goes live."""
    interface = _asked_for(interface_id)
    form = ConfirmForm(request.POST)
    if not form.is_valid():
        return _hand_over_page(request, interface, form)
    try:
        hand_overs.confirm(
            interface=interface,
            actor=request.user,
            as_support=request.as_support,
            address=address_of(request),
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{interface.name} is live: its invoices can be uploaded.")
    return _to("hand_over", request, interface)


def _hand_over_page(
    request: PracticeRequest, interface: AccountingInterface, form: ConfirmForm
) -> HttpResponse:
    set_up, run = assistance.standing_of(interface), dry_runs.latest(interface)
    state = set_up.request.state if set_up else ""
    answered = SetUpAnswers.objects.filter(interface=interface).first()
    confirming = state == State.HANDED_OVER and request.role.includes(Role.ADMIN)
    context: dict[str, Any] = {
        **selectors.standing_of(interface),
        "interface": interface,
        "set_up": set_up,
        "run": run,
        "steps": hand_overs.steps_of(interface),
        "preferences": selectors.preferences_in_words(interface),
        "settings": facts_of([interface])[0].settings,
        "importer": answered.answers.get(IMPORTER, "") if answered else "",
        "unready": hand_overs.unready(interface, run) if state in assistance.OPEN else [],
        "may_give": request.as_support and state == State.WORKING,
        "may_confirm": confirming and not request.as_support,
        "form": form,
    }
    if confirming:
        change = charges.change_if_added(request.practice, interface.package_key)
        context["monthly"] = change.sentence
    return render(request, "invoicing/hand_over.html", context)


# --- Within --------------------------------------------------------------------------------------


def _interface(interface_id: int) -> AccountingInterface:
    return get_object_or_404(selectors.all_of_practice(), pk=interface_id)


def _asked_for(interface_id: int) -> AccountingInterface:
    """The interface, for which support was asked."""
    found = selectors.all_of_practice().filter(set_up_request__isnull=False)
    return get_object_or_404(found, pk=interface_id)


def _run(interface_id: int, dry_run_id: int) -> DryRun:
    found = DryRun.objects.filter(interface=interface_id).select_related("interface")
    return get_object_or_404(found, pk=dry_run_id)


def _to(name: str, request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    return redirect(
        f"invoicing:{name}", practice_slug=request.practice.slug, interface_id=interface.pk
    )


ONE = "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/"
RUN = f"{ONE}dry-run/<int:dry_run_id>/"

urlpatterns_hand_over = [
    path(f"{ONE}dry-run/", dry_run, name="dry_run"),
    path(f"{ONE}dry-run/make/", make_dry_run, name="make_dry_run"),
    path(f"{RUN}file/", dry_run_file, name="dry_run_file"),
    path(f"{RUN}outcome/", dry_run_outcome, name="dry_run_outcome"),
    path(f"{ONE}hand-over/", hand_over, name="hand_over"),
    path(f"{ONE}hand-over/give/", give, name="give_hand_over"),
    path(f"{ONE}hand-over/confirm/", confirm_set_up, name="confirm_set_up"),
]
