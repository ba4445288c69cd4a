"""The record of who did what, when and from where. Entries are added, never changed."""

from typing import TYPE_CHECKING, Any

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from offices.models import AuditEntry, User

if TYPE_CHECKING:
    from offices.access import PracticeRequest


def record(
    *,
    actor: User | None,
    action: str,
    subject: str = "",
    detail: dict[str, Any] | None = None,
    as_support: bool = False,
    address: str | None = None,
) -> AuditEntry:
    """Add an entry to the record of the practice being acted for; no actor means the product."""
    return AuditEntry.objects.create(
        actor=actor,
        action=action,
        subject=subject[:200],
        detail=detail or {},
        as_support=as_support,
        address=address,
    )


def record_request(
    request: "PracticeRequest", action: str, subject: str = "", **detail: Any
) -> AuditEntry:
    """Add an entry for what this request did. Needs a scope, as every tenant row does."""
    return record(
        actor=request.user,
        action=action,
        subject=subject,
        detail=detail,
        as_support=request.as_support,
        address=address_of(request),
    )


def address_of(request: HttpRequest) -> str | None:
    """Where the request came from, by the rule for trusted proxies that log-in throttling uses."""
    try:
        return str(get_adapter(request).get_client_ip(request))
    except PermissionDenied:
        return None  # a socket without an address: worth an entry all the same
