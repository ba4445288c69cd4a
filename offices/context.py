"""What every template may use."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from offices import selectors
from offices.models import Practice


def practice(request: HttpRequest) -> dict[str, Any]:
    """The practice the page belongs to and the person's role there; both None outside one."""
    return {
        "practice": getattr(request, "practice", None),
        "role": getattr(request, "role", None),
        "as_support": getattr(request, "as_support", False),
        "practices": SimpleLazyObject(lambda: _practices(request)),
    }


def _practices(request: HttpRequest) -> list[Practice]:
    """Where the person may go, for the switcher."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    own = [one.practice for one in selectors.memberships(user)]
    granted = [one.practice for one in selectors.live_grants(user)]
    return list(dict.fromkeys(own + granted))
