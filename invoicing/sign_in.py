"""Where a sign-in has lapsed when invoices are uploaded: the batch is made, and waits for it."""

from django.http import HttpResponse
from django.urls import reverse

from interfaces.models import AccountingInterface
from interfaces.views_consent import begin_consent
from invoicing import selectors
from invoicing.models import Batch
from invoicing.posted import to
from offices.access import PracticeRequest
from offices.models import Membership, Role


def on_from(request: PracticeRequest, batch: Batch) -> HttpResponse:
    """From the click on to the batch; by way of the package's sign-in, where that has lapsed.

    Only an admin can sign in. Back from there they are on the page of the batch, which goes on.
    """
    lapsed = _lapsed(batch) if request.role.includes(Role.ADMIN) else None
    if lapsed is None:
        return to(request, "batch", batch_number=batch.number)
    page = reverse("invoicing:batch", args=[request.practice.slug, batch.number])
    return begin_consent(request, lapsed, page=page)


def who_can(request: PracticeRequest) -> list[str]:
    """The names of those who can sign in for the practice."""
    admins = Membership.objects.filter(practice=request.practice, role=Role.ADMIN)
    active = admins.filter(user__is_active=True).select_related("user").order_by("user__email")
    return [str(one.user) for one in active]


def _lapsed(batch: Batch) -> AccountingInterface | None:
    """The first interface that the batch waits for a sign-in of."""
    state = AccountingInterface.State.NEEDS_CONSENT
    awaited = [one for one in selectors.awaited_by(batch) if one.state == state]
    return next((one for one in awaited if not one.is_rehearsal_over), None)
