"""The end of a rehearsal, and of an interface that was never used."""

from django.contrib import messages
from django.db.models import ProtectedError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_POST

from interfaces.models import AccountingInterface
from invoicing import removing
from invoicing.rehearsals import NoRehearsal, remove_rehearsal
from offices.access import PracticeRequest, practice_view
from offices.audit import address_of
from offices.models import Role
from offices.tenancy import acting_for


@require_POST
@practice_view(Role.ADMIN, network=True)
def remove(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Remove a rehearsal, with all that was rehearsed in it."""
    try:
        outcome = remove_rehearsal(
            practice_id=request.practice.pk,
            interface_id=interface_id,
            actor=request.user,
            as_support=request.as_support,
            address=address_of(request),
        )
    except AccountingInterface.DoesNotExist:
        with acting_for(request.practice.pk):
            return _removed_already(request, interface_id)
    except ProtectedError:
        messages.warning(
            request, "Something was uploaded to it in the same moment. Remove it once more."
        )
        return redirect("interfaces:detail", request.practice.slug, interface_id)
    except NoRehearsal as error:
        messages.error(request, str(error))
        return redirect("interfaces:detail", request.practice.slug, interface_id)
    messages.success(request, outcome)
    return redirect("interfaces:list", practice_slug=request.practice.slug)


@require_POST
@practice_view(Role.ADMIN)
def remove_interface(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Remove an interface that was added and never used."""
    try:
        outcome = removing.remove_unused(
            interface_id=interface_id,
            actor=request.user,
            as_support=request.as_support,
            address=address_of(request),
        )
    except AccountingInterface.DoesNotExist:
        return _removed_already(request, interface_id)
    except removing.CannotRemove as error:
        messages.error(request, str(error))
        return redirect("interfaces:detail", request.practice.slug, interface_id)
    messages.success(request, outcome)
    return redirect("interfaces:list", practice_slug=request.practice.slug)


def _removed_already(request: PracticeRequest, interface_id: int) -> HttpResponse:
    """What a second click is told; what the practice never had is not there. Needs a scope."""
    if not removing.was_removed(interface_id):
        raise Http404
    messages.info(request, "It is removed already.")
    return redirect("interfaces:list", practice_slug=request.practice.slug)


urlpatterns_rehearsals = [
    path(
        "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/remove/",
        remove,
        name="remove_rehearsal",
    ),
    path(
        "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/remove-unused/",
        remove_interface,
        name="remove_interface",
    ),
]
