"""Who may have an account: people are invited by their practice, never self-registered."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Log-in as allauth does it; sign-up closed."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
