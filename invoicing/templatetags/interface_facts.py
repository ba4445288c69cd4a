"""What pages about interfaces tell of invoicing, which interfaces themselves know nothing of."""

from collections.abc import Iterable

from django import template

from interfaces import lanes
from interfaces.models import AccountingInterface
from invoicing import selectors
from invoicing.links import UploadFacts, facts_of
from invoicing.models import Notice
from invoicing.selectors import Trouble

register = template.Library()


@register.simple_tag
def upload_facts(interfaces: Iterable[AccountingInterface]) -> list[UploadFacts]:
    """The facts of all of them, in their order."""
    return facts_of(interfaces)


@register.simple_tag
def upload_facts_of(interface: AccountingInterface) -> UploadFacts:
    """The facts of one."""
    return facts_of([interface])[0]


@register.simple_tag
def notices_of(interface: AccountingInterface) -> list[Notice]:
    """What has been late for too long at one."""
    return selectors.notices_of([interface])


@register.simple_tag
def troubles_of(interface: AccountingInterface) -> list[Trouble]:
    """Its package, while that is in trouble."""
    return selectors.troubles([interface], lanes.troubled_packages())
