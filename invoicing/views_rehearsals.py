"""The end of a rehearsal."""

from django.contrib import messages
from django.db.models import ProtectedError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_POST

from interfaces.models import AccountingInterface
from invoicing.rehearsals import NoRehearsal, remove_rehearsal
from offices.access import PracticeRequest, practice_view
from offices.audit import address_of
from offices.models import Role
from offices.tenancy import acting_for


@require_POST
@practice_view(Role.ADMIN, network=True)
def remove(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """Remove a rehearsal, with all that was rehearsed in it."""
    with acting_for(request.practice.pk):
        interface = get_object_or_404(AccountingInterface, pk=interface_id)
    try:
        outcome = remove_rehearsal(
            practice_id=request.practice.pk,
            interface_id=interface.pk,
            actor=request.user,
            as_support=request.as_support,
            address=address_of(request),
        )
    except AccountingInterface.DoesNotExist:
        messages.info(request, "It is removed already.")
        return redirect("interfaces:list", practice_slug=request.practice.slug)
    except ProtectedError:
        messages.warning(
            request, "Something was uploaded to it in the same moment. Remove it once more."
        )
        return redirect(
            "interfaces:detail", practice_slug=request.practice.slug, interface_id=interface.pk
        )
    except NoRehearsal as error:
        messages.error(request, str(error))
        return redirect(
            "interfaces:detail", practice_slug=request.practice.slug, interface_id=interface.pk
        )
    messages.success(request, outcome)
    return redirect("interfaces:list", practice_slug=request.practice.slug)


urlpatterns_rehearsals = [
    path(
        "<slug:practice_slug>/accounting/interfaces/<int:interface_id>/remove/",
        remove,
        name="remove_rehearsal",
    ),
]
