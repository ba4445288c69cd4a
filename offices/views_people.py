"""Pages of a practice's people: who belongs to it, as what, and how they get in again."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from offices import members, once, people, selectors
from offices.access import PracticeRequest, practice_view
from offices.audit import address_of
from offices.forms import MemberForm, RemoveForm, RoleForm
from offices.models import Membership, Role
from offices.once import OnceForm
from offices.people import NewMember


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def list_people(request: PracticeRequest) -> HttpResponse:
    """The people of this practice, and taking one in."""
    form = MemberForm(request.POST or None)
    context: dict[str, object] = {}
    sent = request.method == "POST" and form.is_valid()
    if sent and once.done_already(request):
        _tell_done_already(request, form.cleaned_data["email"])
        return redirect("offices:people", practice_slug=request.practice.slug)
    if sent and (added := _add(request, form)):
        # Shown on this very answer: a redirect would have to keep the password somewhere.
        context = {"added": added.membership, "password": added.password}
        form = MemberForm()
    context |= {"form": form, "members": selectors.members_of(request.practice)}
    return render(request, "offices/people.html", context)


def _add(request: PracticeRequest, form: MemberForm) -> NewMember | None:
    try:
        added = people.add_member(
            practice=request.practice,
            email=form.cleaned_data["email"],
            role=Role(form.cleaned_data["role"]),
            actor=request.user,
            address=address_of(request),
        )
    except ValidationError as error:
        form.add_error(None, error)
        return None
    once.note_done(request)
    return added


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def person(request: PracticeRequest, *, member_id: int) -> HttpResponse:
    """One person of this practice, and changing their role."""
    member = _member(request, member_id)
    own = member.user == request.user
    form = RoleForm(request.POST or None, own=own, initial={"role": member.role})
    if request.method == "POST" and form.is_valid() and _change_role(request, member, form):
        # Who is no admin any more cannot come back here.
        there = "practice" if own and member.role != Role.ADMIN else "people"
        return redirect(f"offices:{there}", practice_slug=request.practice.slug)
    return _show(request, member, form=form)


def _change_role(request: PracticeRequest, member: Membership, form: RoleForm) -> bool:
    try:
        changed = members.change_role(
            member=member,
            role=Role(form.cleaned_data["role"]),
            actor=request.user,
            sure=bool(form.cleaned_data.get("sure")),
            address=address_of(request),
        )
    except ValidationError as error:
        form.add_error(None, error)
        return False
    now = "is now" if changed else "was already"
    messages.success(request, f"{member.user.email} {now} {member.get_role_display()}.")
    return True


@require_POST
@practice_view(Role.ADMIN)
def new_password(request: PracticeRequest, *, member_id: int) -> HttpResponse:
    """Another password for somebody who has lost theirs, shown on this very answer."""
    member = _member(request, member_id)
    if once.done_already(request):
        _tell_done_already(request, member.user.email)
        return _to_person(member)
    try:
        password = members.new_password(
            member=member, actor=request.user, address=address_of(request)
        )
    except ValidationError as error:
        return _refused(request, member, error)
    once.note_done(request)
    return _show(request, member, password=password)


@require_POST
@practice_view(Role.ADMIN)
def forget_app(request: PracticeRequest, *, member_id: int) -> HttpResponse:
    """Let somebody whose phone is lost set up another authenticator app."""
    member = _member(request, member_id)
    try:
        forgotten = members.forget_members_app(
            member=member, actor=request.user, address=address_of(request)
        )
    except ValidationError as error:
        return _refused(request, member, error)
    became = "is forgotten" if forgotten else "was not set up"
    messages.success(request, f"The authenticator app of {member.user.email} {became}.")
    return _to_person(member)


@require_POST
@practice_view(Role.ADMIN)
def remove(request: PracticeRequest, *, member_id: int) -> HttpResponse:
    """Take somebody out of this practice."""
    member = _member(request, member_id)
    form = RemoveForm(request.POST)
    sure = form.is_valid() and form.cleaned_data["sure"]
    try:
        members.remove(member=member, actor=request.user, sure=sure, address=address_of(request))
    except ValidationError as error:
        return _refused(request, member, error)
    messages.success(request, f"{member.user.email} no longer belongs to {request.practice}.")
    if member.user == request.user:
        return redirect("offices:home")  # they have just shut themselves out
    return redirect("offices:people", practice_slug=request.practice.slug)


def _member(request: PracticeRequest, member_id: int) -> Membership:
    return get_object_or_404(selectors.members_of(request.practice), pk=member_id)


def _show(
    request: PracticeRequest,
    member: Membership,
    *,
    form: RoleForm | None = None,
    password: str = "",
) -> HttpResponse:
    own = member.user == request.user
    context = {
        "member": member,
        "own": own,
        "form": form or RoleForm(own=own, initial={"role": member.role}),
        "password_form": OnceForm(auto_id="password_%s"),
        "remove_form": RemoveForm(auto_id="remove_%s"),
        "password": password,
    }
    return render(request, "offices/person.html", context)


def _tell_done_already(request: PracticeRequest, email: str) -> None:
    messages.warning(
        request,
        f"That was done already. The password of {email} was shown once; if it was not kept, make"
        " a new one.",
    )


def _refused(request: PracticeRequest, member: Membership, error: ValidationError) -> HttpResponse:
    messages.error(request, " ".join(error.messages))
    return _to_person(member)


def _to_person(member: Membership) -> HttpResponse:
    return redirect("offices:person", practice_slug=member.practice.slug, member_id=member.pk)
