"""Accounts and one-time codes, where the product asks for more than allauth does by itself."""

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from offices.models import User
from offices.sealing import Unreadable, reseal, seal, unseal

log = logging.getLogger("offices.accounts")

TOTP_SET_UP_HERE = "totp-set-up-here"
# What an authenticator keeps that opens an account: of the app, and of the recovery codes.
SECRETS = ("secret", "seed")


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Log-in as allauth does it; sign-up closed: people are invited by their practice."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "too_many_login_attempts": "Too many failed log-ins. Try again in five minutes.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class SealedMfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Keeps the secrets of one-time codes sealed, as every other secret is."""

    def encrypt(self, text: str) -> str:
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return unseal(encrypted_text)
        except Unreadable:
            log.error("a one-time-code secret needs a key that CREDENTIAL_KEYS no longer has")
            raise ValidationError(
                "One-time codes cannot be checked just now. This is our fault: tell Abtrac's"
                " support, whatever code you have will not work."
            ) from None


def has_totp(user: User) -> bool:
    """Whether the person has set up an authenticator app."""
    return bool(is_mfa_enabled(user, [Authenticator.Type.TOTP]))


def forget_app(user: User) -> bool:
    """Forget the person's authenticator app and recovery codes; False when there is no app."""
    had = has_totp(user)
    Authenticator.objects.filter(user=user).delete()
    return had


def came_with_totp(request: HttpRequest, user: User) -> bool:
    """Whether the person has an authenticator app and confirmed this very log-in with it.

    A session opened with the password alone, or with an app that is no longer theirs, stays what
    it is when an app is set up elsewhere.
    """
    theirs = set(Authenticator.objects.filter(user=user).values_list("type", "pk"))
    shown = {
        record.get("id")
        for record in get_authentication_records(request, user)
        if record.get("method") == "mfa"
    }
    shown.add(request.session.get(TOTP_SET_UP_HERE))
    has_app = any(kind == Authenticator.Type.TOTP for kind, _ in theirs)
    return has_app and any(pk in shown for _, pk in theirs)


def note_set_up(*, request: HttpRequest, authenticator: Authenticator, **_: Any) -> None:
    """Setting the app up takes a code from it, which counts for this log-in as well."""
    if authenticator.type == Authenticator.Type.TOTP:
        request.session[TOTP_SET_UP_HERE] = authenticator.pk


def reseal_authenticator(authenticator: Authenticator) -> bool:
    """Put its secrets under the newest key; False when one cannot be read."""
    try:
        fresh = {
            name: reseal(authenticator.data[name]) for name in SECRETS if name in authenticator.data
        }
    except Unreadable:
        return False
    authenticator.data = {**authenticator.data, **fresh}
    authenticator.save(update_fields=["data"])
    return True
