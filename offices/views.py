"""Pages about people: where they may go, who else may come in, and the keys of the API."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db import Error, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from offices import once, people, selectors
from offices.access import PracticeRequest, practice_view
from offices.audit import address_of
from offices.forms import KeyForm, SupportGrantForm
from offices.models import PracticeKey, Role, User


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Whether pages can be served at all. Says nothing of why not: anybody may ask."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ok"})


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The person's practices; straight on for those who have only one."""
    assert isinstance(request.user, User)  # noqa: S101 - login_required, told to the type checker
    memberships = list(selectors.memberships(request.user))
    if len(memberships) == 1 and not request.user.is_support:
        return redirect("offices:practice", practice_slug=memberships[0].practice.slug)
    context = {"memberships": memberships, "grants": selectors.live_grants(request.user)}
    return render(request, "offices/home.html", context)


@require_safe
@practice_view()
def practice(request: PracticeRequest) -> HttpResponse:
    """A practice opens on what is waiting to be uploaded."""
    return redirect("invoicing:available", practice_slug=request.practice.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def support(request: PracticeRequest) -> HttpResponse:
    """Who of Abtrac's support may come in, and letting one in."""
    form = SupportGrantForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _grant(request, form):
        return redirect("offices:support", practice_slug=request.practice.slug)
    context = {
        "form": form,
        "anybody": selectors.support_people().exists(),
        "grants": selectors.grants_of(request.practice),
        "live": set(
            request.practice.grants.filter(selectors.live_now()).values_list("pk", flat=True)
        ),
    }
    return render(request, "offices/support.html", context)


def _grant(request: PracticeRequest, form: SupportGrantForm) -> bool:
    try:
        grant = people.grant_support(
            practice=request.practice,
            user=form.cleaned_data["user"],
            granted_by=request.user,
            reason=form.cleaned_data["reason"],
            ends_at=form.ends_at(),
            address=address_of(request),
        )
    except ValidationError as error:
        form.add_error(None, error)
        return False
    messages.success(request, f"{grant.user} can now work in {grant.practice}.")
    return True


@require_POST
@practice_view(Role.ADMIN)
def end_support(request: PracticeRequest, *, grant_id: int) -> HttpResponse:
    """End one grant before its time."""
    grant = get_object_or_404(selectors.grants_of(request.practice), pk=grant_id)
    ended = people.end_grant(
        grant=grant, actor=request.user, as_support=request.as_support, address=address_of(request)
    )
    messages.success(
        request, f"The access of {grant.user} {'has ended' if ended else 'was over already'}."
    )
    if request.as_support and grant.user == request.user:
        return redirect("offices:home")  # they have just shut themselves out
    return redirect("offices:support", practice_slug=request.practice.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def keys(request: PracticeRequest) -> HttpResponse:
    """The keys with which Abtrac reaches this practice, and making one."""
    form = KeyForm(request.POST or None)
    context: dict[str, object] = {}
    sent = request.method == "POST" and form.is_valid()
    if sent and once.done_already(request):
        name = form.cleaned_data["name"]
        messages.warning(
            request,
            f"That was done already. The key “{name}” was shown once; if it was not kept, stop it"
            " and make another.",
        )
        return redirect("offices:keys", practice_slug=request.practice.slug)
    if sent and (made := _make_key(request, form)):
        # Shown on this very answer: a redirect would have to keep the secret somewhere.
        context = {"made": made[0], "secret": made[1]}
        form = KeyForm()
    context |= {"form": form, "keys": selectors.keys_of(request.practice)}
    return render(request, "offices/keys.html", context)


def _make_key(request: PracticeRequest, form: KeyForm) -> tuple[PracticeKey, str] | None:
    try:
        made = people.make_key(
            practice=request.practice,
            name=form.cleaned_data["name"],
            actor=request.user,
            as_support=request.as_support,
            address=address_of(request),
        )
    except ValidationError as error:
        form.add_error(None, error)
        return None
    once.note_done(request)
    return made


@require_POST
@practice_view(Role.ADMIN)
def revoke_key(request: PracticeRequest, *, prefix: str) -> HttpResponse:
    """Stop one key."""
    key = selectors.keys_of(request.practice).filter(prefix=prefix).first()
    if key is None:
        raise Http404
    people.revoke_key(
        key=key, actor=request.user, as_support=request.as_support, address=address_of(request)
    )
    messages.success(request, f"The key “{key.name}” no longer opens anything.")
    return redirect("offices:keys", practice_slug=request.practice.slug)
