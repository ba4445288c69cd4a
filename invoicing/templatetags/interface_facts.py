"""What pages about interfaces tell of invoicing, which interfaces themselves know nothing of."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from django import template

from connectors.base.protocol import PostsInvoices
from interfaces import lanes
from interfaces import selectors as of_interfaces
from interfaces.models import AccountingInterface
from interfaces.selectors import CodeToMend
from invoicing import removing, selectors, set_up
from invoicing.documents import reference_of
from invoicing.forms import DigestForm
from invoicing.links import UploadFacts, facts_of
from invoicing.models import Invoice, Notice
from invoicing.selectors import Trouble
from offices.models import Role

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
def steps_of(interface: AccountingInterface) -> set_up.SetUp:
    """The steps of its set-up."""
    return set_up.of(interface)


@register.simple_tag
def interface_tabs(interface: AccountingInterface, role: Role) -> list[tuple[str, str, str]]:
    """Key, label and page of each of its tabs."""
    return set_up.tabs_of(interface, role)


@register.simple_tag
def price_of(interface: AccountingInterface, prices: Mapping[int, Decimal]) -> Decimal | None:
    """What it costs a month, 0 where another one of its type is charged, None where it is not."""
    return prices.get(interface.pk)


@register.simple_tag
def can_be_removed(interface: AccountingInterface) -> bool:
    """Whether it was added and never used."""
    return not removing.why_not_removed(interface)


@register.simple_tag
def notices_of(interface: AccountingInterface) -> list[Notice]:
    """What has been late for too long at one."""
    return selectors.notices_of([interface])


@register.simple_tag
def troubles_of(interface: AccountingInterface) -> list[Trouble]:
    """Its package, while that is in trouble."""
    return selectors.troubles([interface], lanes.troubled_packages())


@register.simple_tag
def reference_preview(interface: AccountingInterface, template: str) -> tuple[str, str] | None:
    """The newest invoice that goes there, and its reference by that template; None without one.

    One with a job, where there is any: it has most to tell.
    """
    newest = Invoice.objects.filter(invoice_setting__interface=interface)
    newest = newest.select_related("job", "client", "office").order_by("-issued", "-pk")
    named = newest.filter(job__isnull=False).first() or newest.first()
    return (named.number, reference_of(named, template)) if named else None


@register.simple_tag
def digest_form(interface: AccountingInterface) -> DigestForm | None:
    """Who gets its daily mail, to be chosen; None where nothing is sent by itself."""
    return DigestForm(interface=interface) if interface.package.can(PostsInvoices) else None


@register.simple_tag
def codes_to_mend() -> list[CodeToMend]:
    """Codes that are chosen at any interface in use, and that no line may carry any more."""
    return of_interfaces.codes_to_mend()
