"""What people post from the pages of invoicing, and where they are led back to."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from interfaces.models import AccountingInterface
from invoicing.uploads import LeftOut
from invoicing.words import by_reason
from offices.access import PracticeRequest
from offices.models import Role

# More than this is not one person's decision; it also keeps one click's transaction short.
MOST_AT_ONCE = 1000
_LONGEST_ID = 18


def ids(request: PracticeRequest, name: str) -> list[int]:
    """The ids posted under that name, each once, in their order; what is no id is passed over."""
    posted = (value for value in request.POST.getlist(name) if is_id(value))
    return list(dict.fromkeys(int(value) for value in posted))


def is_id(value: str) -> bool:
    """Whether the text can be the id of a row."""
    return value.isascii() and value.isdecimal() and len(value) <= _LONGEST_ID


def may_upload(request: PracticeRequest) -> bool:
    """Whether the person may do more than look."""
    return request.role.includes(Role.ACCOUNTS)


def to(request: PracticeRequest, name: str, **kwargs: Any) -> HttpResponse:
    """On to a page of invoicing in this practice."""
    address = reverse(
        f"invoicing:{name}", kwargs={"practice_slug": request.practice.slug, **kwargs}
    )
    return redirect(address)


def own_address(request: PracticeRequest) -> str:
    """Where the form says to go on, if that is a page of this practice's accounting, else nothing.

    A page that shows a form is told it in its own address.
    """
    there = request.POST.get("next", "") or request.GET.get("next", "")
    own = url_has_allowed_host_and_scheme(there, allowed_hosts={request.get_host()})
    within = own and urlsplit(there).path.startswith(f"/{request.practice.slug}/accounting/")
    return there if within else ""


def onward(request: PracticeRequest, interface: AccountingInterface, step: str) -> str:
    """Where a step of the set-up leads: where the form says, else to the next step, if any."""
    there = own_address(request)
    if there or interface.is_live:
        return there
    return f"{reverse('invoicing:set_up', args=[request.practice.slug, interface.pk])}?after={step}"


def back(request: PracticeRequest, name: str, **kwargs: Any) -> HttpResponse:
    """Back to the page the form came from, else to the page of that name."""
    there = own_address(request)
    return redirect(there) if there else to(request, name, **kwargs)


def tell_left_out(request: PracticeRequest, left_out: Iterable[LeftOut]) -> None:
    """One warning for each reason, naming the invoices it held back."""
    for sentence in by_reason((one.number, one.reason) for one in left_out):
        messages.warning(request, sentence)
