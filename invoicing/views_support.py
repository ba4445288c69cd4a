"""The page of Abtrac's support: everything older than its limit, over all practices."""

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from invoicing.overdue import desk_of
from offices.access import support_view
from offices.models import User


@require_safe
@support_view
def overdue(request: HttpRequest) -> HttpResponse:
    """What is late, per practice, and where it hangs."""
    context = {"desk": desk_of(cast(User, request.user))}
    return render(request, "invoicing/overdue.html", context)


# Below one of `offices.models.RESERVED_SLUGS`, so that no practice is ever called like it.
urlpatterns_support = [path("support/", overdue, name="overdue")]
