"""Who may open a practice's pages, and as what."""

import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import SimpleTemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from offices import selectors
from offices.accounts import came_with_totp, has_totp
from offices.audit import address_of, record
from offices.models import Practice, Role, SupportGrant, User
from offices.tenancy import acting_for

P = ParamSpec("P")
READING = ("GET", "HEAD")


class PracticeRequest(HttpRequest):
    """A request of somebody who may be where they are."""

    user: User
    practice: Practice
    role: Role
    as_support: bool


@dataclass(frozen=True, kw_only=True)
class Access:
    """In what capacity a person works in a practice."""

    practice: Practice
    role: Role
    grant: SupportGrant | None = None

    @property
    def must_have_totp(self) -> bool:
        """Whether a one-time code is asked of this person here."""
        return bool(settings.REQUIRE_TOTP) and (self.role == Role.ADMIN or self.grant is not None)


def find_access(*, user: User, practice_slug: str) -> Access | None:
    """What the person is in that practice; None also when there is no such practice."""
    membership = selectors.membership(user, practice_slug)
    if membership:
        return Access(practice=membership.practice, role=Role(membership.role))
    grant = selectors.live_grant(user, practice_slug)
    # Support sets links up, so it needs what an admin may; everything it does is marked.
    return Access(practice=grant.practice, role=Role.ADMIN, grant=grant) if grant else None


def practice_view(
    role: Role = Role.VIEWER, *, network: bool = False
) -> Callable[
    [Callable[Concatenate[PracticeRequest, P], HttpResponseBase]], Callable[..., HttpResponseBase]
]:
    """Make a view of one below `/<practice_slug>/`, run for people of at least that role.

    The view runs inside `acting_for(practice)`; with `network=True` it opens that itself round its
    database work, because nobody calls a package while a transaction is open.
    """

    def decorate(
        view: Callable[Concatenate[PracticeRequest, P], HttpResponseBase],
    ) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def checked(request: HttpRequest, *, practice_slug: str, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _ask_to_log_in(request)
            access = find_access(user=request.user, practice_slug=practice_slug)
            if access is None:
                raise Http404
            if access.must_have_totp and not came_with_totp(request, request.user):
                asks = f"{access.practice} asks its admins, and our support,"
                return _ask_for_totp(request, asks)
            admitted = _admit(request, access)
            _refuse_below(role, admitted)
            return _run(admitted, cast("Callable[..., HttpResponseBase]", view), network, kwargs)

        return checked

    return decorate


def support_view(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Make a view one for Abtrac's support, over all practices; for anybody else it is not there.

    No practice is acted for, so it can show what is in the directory and nothing of a client.
    """

    @wraps(view)
    def checked(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _ask_to_log_in(request)
        if not request.user.is_support:
            raise Http404
        if settings.REQUIRE_TOTP and not came_with_totp(request, request.user):
            return _ask_for_totp(request, "Abtrac asks its support")
        return view(request, *args, **kwargs)

    return checked


def _run(
    request: PracticeRequest,
    view: Callable[..., HttpResponseBase],
    network: bool,
    kwargs: dict[str, Any],
) -> HttpResponseBase:
    with timezone.override(zoneinfo.ZoneInfo(request.practice.time_zone)):
        if network:
            return view(request, **kwargs)
        with acting_for(request.practice.pk):
            response = view(request, **kwargs)
            if isinstance(response, SimpleTemplateResponse):
                response.render()  # its queries need the scope too
            return response


def _ask_to_log_in(request: HttpRequest) -> HttpResponseBase:
    if request.method not in READING:
        messages.warning(request, "You were logged out, so nothing was done.")
    return _send_to(request, redirect_to_login(_page_of(request)).url)


def _ask_for_totp(request: HttpRequest, who_asks_whom: str) -> HttpResponseBase:
    asks = f"{who_asks_whom} to log in with a one-time code as well."
    if has_totp(cast(User, request.user)):
        messages.warning(request, f"{asks} Type the code your authenticator app shows now.")
        there = redirect_to_login(_page_of(request), reverse("mfa_reauthenticate"))
        return _send_to(request, there.url)
    messages.warning(request, f"{asks} Set up your authenticator app here; then you can go on.")
    return _send_to(request, reverse("mfa_activate_totp"))


def _page_of(request: HttpRequest) -> str:
    """The page the person was on or asked for, to come back to."""
    htmx = getattr(request, "htmx", None)
    if htmx:
        return htmx.current_url_abs_path or "/"
    if request.method in READING:
        return request.get_full_path()
    # A form names the page it stands on where that is the answer to another form.
    places = (request.POST.get("next", ""), request.headers.get("Referer", ""))
    return next(filter(None, (_own(request, one) for one in places)), "/")


def _own(request: HttpRequest, address: str) -> str:
    """The address without its host if it is one of this site, else nothing."""
    hosts, secure = {request.get_host()}, request.is_secure()
    if not url_has_allowed_host_and_scheme(address, allowed_hosts=hosts, require_https=secure):
        return ""
    parts = urlsplit(address)
    there = urlunsplit(("", "", parts.path, parts.query, ""))
    # Without its host it has to be safe as well: "https://here//elsewhere" is not.
    return there if url_has_allowed_host_and_scheme(there, allowed_hosts=None) else ""


def _send_to(request: HttpRequest, address: str) -> HttpResponseBase:
    # Of htmx not into the fragment: the whole page goes there.
    htmx = getattr(request, "htmx", None)
    return HttpResponseClientRedirect(address) if htmx else redirect(address)


def _admit(request: HttpRequest, access: Access) -> PracticeRequest:
    admitted = cast(PracticeRequest, request)
    admitted.practice = access.practice
    admitted.role = access.role
    admitted.as_support = access.grant is not None
    if access.grant:
        _record_entry(admitted, access.grant)
    return admitted


def _record_entry(request: PracticeRequest, grant: SupportGrant) -> None:
    """Once for each session and day in which support is at work in the practice."""
    key, today = f"support-grant-{grant.pk}", timezone.now().date().isoformat()
    if request.session.get(key) == today:
        return
    with acting_for(grant.practice_id):
        record(
            actor=request.user,
            action="support.entered",
            subject=str(request.user),
            detail={"grant": grant.pk, "reason": grant.reason},
            as_support=True,
            address=address_of(request),
        )
    request.session[key] = today


def _refuse_below(role: Role, request: PracticeRequest) -> None:
    if not request.role.includes(role):
        # Read by the 403 page; an exception's text could come from anywhere.
        able = [one.label for one in reversed(Role) if one.includes(role)]
        request.needed_role = " or ".join(able)  # type: ignore[attr-defined]
        raise PermissionDenied
