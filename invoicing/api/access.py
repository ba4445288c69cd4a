"""Who may call: the holder of a practice's key, for that practice alone."""

import re
from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework_api_key.permissions import KeyParser

from offices.models import PracticeKey

# What the generator makes; anything else need not be looked for.
KEY = re.compile(r"[A-Za-z0-9]{1,16}\.[A-Za-z0-9]{1,128}")


class PracticeKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key …`. One answer for every key that does not open: it tells nothing."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, PracticeKey] | None:
        if "HTTP_AUTHORIZATION" not in request.META:
            return None
        return AnonymousUser(), _usable(KeyParser().get(request._request) or "")

    def authenticate_header(self, request: Request) -> str:
        return "Api-Key"


class HasPracticeKey(BasePermission):
    """Nobody comes in without a practice's key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, PracticeKey)


def _usable(given: str) -> PracticeKey:
    if KEY.fullmatch(given):
        try:
            key = cast(PracticeKey, PracticeKey.objects.get_from_key(given))
        except PracticeKey.DoesNotExist:
            pass
        else:
            if not key.has_expired:
                return key
    raise AuthenticationFailed(
        "This key opens nothing. It may be mistyped, revoked or expired; an admin of the practice"
        " makes keys under API keys."
    )
