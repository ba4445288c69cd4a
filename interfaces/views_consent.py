"""Pages that join an interface to its package, and part them."""

import logging
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors import registry
from connectors.base.errors import ConnectorError, NeedsReconnect
from connectors.base.protocol import Package
from interfaces import codes, company_files, consent, disconnecting, selectors
from interfaces.company_files import CannotChoose
from interfaces.connections import why_not
from interfaces.consent import Arrival, ConsentRefused
from interfaces.forms import ChooseForm
from interfaces.models import AccountingInterface
from interfaces.oauth import NotSetUp
from interfaces.rehearsals import CannotRehearse, create_rehearsal
from offices.access import Access, PracticeRequest, find_access, practice_view
from offices.accounts import came_with_totp
from offices.audit import address_of, record, record_request
from offices.models import Practice, Role, User
from offices.tenancy import acting_for

log = logging.getLogger("interfaces.consent")


@require_POST
@practice_view(Role.ADMIN)
def connect(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Off to the package's sign-in page."""
    interface = get_object_or_404(AccountingInterface, pk=interface_id)
    return begin_consent(request, interface)


def begin_consent(
    request: PracticeRequest, interface: AccountingInterface, *, page: str = ""
) -> HttpResponse:
    """The way to the package's sign-in page; back on the interface's own page where there is none.

    Afterwards the person goes on where the form says, else with the set-up. Where a `page` of ours
    is given it is there that they go on, whether they can sign in or not.
    """
    if interface.is_rehearsal_over:
        # Its books are gone, whoever signs in: what was sent there is not there any more.
        messages.error(request, why_not(interface))
        return _to("detail", request.practice, interface)
    try:
        address = consent.start(
            interface=interface,
            user=request.user,
            session=request.session,
            next_url=page or _own_address(request, request.POST.get("next", "")),
        )
    except (NotSetUp, NeedsReconnect) as error:
        messages.error(request, str(error))
        return redirect(page) if page else _to("detail", request.practice, interface)
    record_request(request, "interface.consent_begun", interface.name, interface=interface.pk)
    return HttpResponseRedirect(address)


@require_POST
@practice_view(Role.ADMIN)
def rehearse(request: PracticeRequest) -> HttpResponse:
    """A new rehearsal company, and straight to its sign-in page."""
    try:
        interface = create_rehearsal(package_key=request.POST.get("package_key", ""))
        address = consent.start(interface=interface, user=request.user, session=request.session)
    except CannotRehearse as error:
        messages.error(request, str(error))
        return redirect("interfaces:list", practice_slug=request.practice.slug)
    after = {"name": interface.name, "package": interface.package_key}
    record_request(
        request,
        "interface.rehearsal_begun",
        interface.name,
        interface=interface.pk,
        before=None,
        after=after,
    )
    return HttpResponseRedirect(address)


@require_safe
def callback(request: HttpRequest, *, package_key: str) -> HttpResponse:
    """Back from the package's sign-in page."""
    try:
        package = registry.package(package_key)
    except KeyError:
        raise Http404 from None
    if not isinstance(request.user, User):
        # The code in this address is of no use without the session it was asked for in.
        return redirect_to_login(resolve_url("offices:home"))
    begun, access = consent.begun_for(request.session, request.GET.get("state", "")), None
    try:
        access = _access_of_trip(begun, request, package)
        arrival = consent.finish(
            package=package,
            session=request.session,
            user=request.user,
            answer={key: request.GET.get(key, "") for key in ("state", "code", "error")},
        )
    except ConsentRefused as error:
        context = {"reason": str(error), "back": access and begun and _detail(access, begun[1])}
        return render(request, "interfaces/refused.html", context, status=400)
    return _arrived(request, access, arrival)


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN, network=True)
def choose(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Which of the company files in reach the interface belongs to."""
    practice = request.practice
    with acting_for(practice.pk):
        interface = get_object_or_404(AccountingInterface, pk=interface_id)
    if interface.state != AccountingInterface.State.CHOOSE_COMPANY_FILE:
        return _to("detail", practice, interface)
    try:
        files = company_files.list_for(practice_id=practice.pk, interface_id=interface.pk)
        form = ChooseForm(request.POST or None, files=files)
        if request.method == "POST" and form.is_valid():
            return _chosen(request, interface, form.cleaned_data["company_file"])
    except (ConnectorError, CannotChoose) as error:
        messages.error(request, str(error))
        return _to("detail", practice, interface)
    with acting_for(practice.pk):
        rows = [(one, selectors.sharing_company_file(interface, one.id)) for one in files]
    context = {"interface": interface, "form": form, "files": rows}
    return render(request, "interfaces/choose.html", context)


@require_POST
@practice_view(Role.ADMIN, network=True)
def disconnect(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """End the link, there and here."""
    with acting_for(request.practice.pk):
        interface = get_object_or_404(AccountingInterface, pk=interface_id)
    if not interface.package.signs_in:
        messages.error(request, f"{interface.name} has no sign-in that could be ended.")
        return _to("detail", request.practice, interface)
    outcome = disconnecting.disconnect(
        practice_id=request.practice.pk,
        interface_id=interface.pk,
        actor=request.user,
        as_support=request.as_support,
        address=address_of(request),
    )
    messages.success(request, outcome)
    return _to("detail", request.practice, interface)


def _detail(access: Access, interface_id: int) -> str:
    """The address of the interface's page."""
    return reverse("interfaces:detail", args=[access.practice.slug, interface_id])


def _access_of_trip(
    begun: tuple[int, int] | None, request: HttpRequest, package: Package
) -> Access:
    """What the person may do where the trip began: they may have lost it since."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - checked by the view, told to the checker
    practice = Practice.objects.filter(pk=begun[0]).first() if begun else None
    access = practice and find_access(user=user, practice_slug=practice.slug)
    confirmed = access and (not access.must_have_totp or came_with_totp(request, user))
    if access and confirmed and access.role.includes(Role.ADMIN):
        return access
    raise consent.refused("no admin, or not begun in this session", package, user)


def _arrived(request: HttpRequest, access: Access, arrival: Arrival) -> HttpResponse:
    practice, interface = access.practice, arrival.interface
    assert isinstance(request.user, User)  # noqa: S101 - checked by the view, told to the checker
    with acting_for(practice.pk):
        record(
            actor=request.user,
            action="interface.connected" if arrival.connected else "interface.consent_given",
            subject=interface.name,
            detail={
                **_named(interface),
                "before": arrival.before,
                "after": interface.get_state_display(),
            },
            as_support=access.grant is not None,
            address=address_of(request),
        )
    if not arrival.connected:
        return _to("choose", practice, interface)
    if interface.state == AccountingInterface.State.PAUSED:
        messages.success(
            request, f"{interface.name} is signed in again. It stays paused until it is resumed."
        )
        return _to("detail", practice, interface)
    _read_codes(request, interface)
    if arrival.next_url:
        return HttpResponseRedirect(arrival.next_url)
    return _onward(practice, interface)


def _chosen(
    request: PracticeRequest, interface: AccountingInterface, company_file_id: str
) -> HttpResponse:
    practice_id = request.practice.pk
    company_files.choose(
        practice_id=practice_id, interface_id=interface.pk, company_file_id=company_file_id
    )
    with acting_for(practice_id):
        interface.refresh_from_db()
        record_request(
            request,
            "interface.connected",
            interface.name,
            **_named(interface),
            before=AccountingInterface.State.CHOOSE_COMPANY_FILE.label,
            after=interface.get_state_display(),
        )
    _read_codes(request, interface)
    return _onward(request.practice, interface)


def _onward(practice: Practice, interface: AccountingInterface) -> HttpResponse:
    """To the interface's own page, or on with its set-up."""
    if interface.is_live:
        return _to("detail", practice, interface)
    return redirect("invoicing:set_up", practice.slug, interface.pk)


def _named(interface: AccountingInterface) -> dict[str, Any]:
    return {
        "interface": interface.pk,
        "package": interface.package_key,
        "company_file": interface.company_file_name,
    }


def _read_codes(request: HttpRequest, interface: AccountingInterface) -> None:
    """Tell that it is connected, and read the codes while the person is still here."""
    to = f" to {interface.company_file_name}" if interface.company_file_name else ""
    messages.success(request, f"{interface.name} is connected{to}.")
    failure = codes.refresh_quietly(practice_id=interface.practice_id, interface_id=interface.pk)
    if failure:
        messages.warning(request, f"Its codes could not be read yet. {failure}")


def _own_address(request: HttpRequest, address: str) -> str:
    own = url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()})
    return address if own and address.startswith("/") else ""


def _to(name: str, practice: Practice, interface: AccountingInterface) -> HttpResponse:
    return redirect(f"interfaces:{name}", practice_slug=practice.slug, interface_id=interface.pk)
