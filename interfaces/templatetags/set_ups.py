"""Where the set-ups stand that Abtrac's support does."""

from collections.abc import Iterable

from django import template

from interfaces import assistance
from interfaces.assistance import Standing
from interfaces.models import AccountingInterface, SetUpRequest
from offices.models import AuditEntry

register = template.Library()


@register.simple_tag
def set_up_of(interface: AccountingInterface) -> Standing | None:
    """That of one interface, until it is confirmed; None where there is none."""
    return assistance.open_standing_of(interface)


@register.simple_tag
def set_ups_of(interfaces: Iterable[AccountingInterface]) -> list[Standing]:
    """Those of several, in their order."""
    found = (assistance.open_standing_of(one) for one in interfaces)
    return [one for one in found if one]


@register.simple_tag
def fee_changed(request: SetUpRequest) -> AuditEntry | None:
    """The last change of a fee that the practice had read; None where there was none."""
    return assistance.fee_changed(request)
