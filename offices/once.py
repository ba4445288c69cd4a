"""Forms that act once: sent again, by reloading the answer or clicking twice, they do nothing more.

Such a form carries a token, which is kept in the session once the form has done its work. An answer
that shows a secret needs this: it cannot be a redirect, so reloading it sends the form again.
"""

import secrets
from typing import Any

from django import forms
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.models import Session
from django.http import HttpRequest

_SPENT = "forms-done"
# Of one session; the oldest are forgotten first.
_MOST = 200
_LONGEST = 40


class OnceForm(forms.Form):
    """A form with a token of its own each time it is shown."""

    once = forms.CharField(
        widget=forms.HiddenInput,
        required=False,
        max_length=_LONGEST,
        initial=lambda: secrets.token_urlsafe(16),
    )


def done_already(request: HttpRequest) -> bool:
    """Whether the form that was sent has done its work. Asked inside the work's own transaction.

    Holds the session until that ends, so that of two clicks the second waits for the first.
    """
    request.session[_SPENT] = _spent(request)
    return _token(request) in request.session[_SPENT]


def note_done(request: HttpRequest) -> None:
    """The form that was sent has done its work; kept or undone together with that work."""
    # What came without a token came from no page of ours, and is not known again.
    if token := _token(request):
        request.session[_SPENT] = [*request.session[_SPENT], token][-_MOST:]
        request.session.save()


def _token(request: HttpRequest) -> str:
    return request.POST.get("once", "")[:_LONGEST]


def _spent(request: HttpRequest) -> list[str]:
    """As it is kept now: the session of this request was read before it was held."""
    held = Session.objects.select_for_update().filter(pk=request.session.session_key).first()
    if held is None:
        raise SessionInterrupted("The session ended while a form was sent.")
    spent: Any = held.get_decoded().get(_SPENT, [])
    return list(spent)
