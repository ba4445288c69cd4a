"""How much needs attention, for every page that has the menu."""

from typing import Any

from django import template

from interfaces.models import AccountingInterface
from invoicing import causes
from offices.models import Role
from offices.tenancy import NoPractice, acting_for, current_practice_id

register = template.Library()


@register.simple_tag(takes_context=True)
def open_causes(context: Any) -> int:
    """How many causes are open in the practice of the page, for those who may mend them."""
    practice, role = context.get("practice"), context.get("role")
    if practice is None or role is None or not Role(role).includes(Role.ACCOUNTS):
        return 0
    return _count(practice.pk)


@register.simple_tag
def held_up_at(interface: AccountingInterface) -> int:
    """How many causes are open at one interface."""
    return _count(interface.practice_id, interface=interface)


def _count(practice_id: int, **which: Any) -> int:
    """How many of these are open; in a scope of its own, where the page has none."""
    try:
        current_practice_id()
    except NoPractice:
        # A page that calls a package is written after its transactions.
        with acting_for(practice_id):
            return causes.open_causes().filter(**which).count()
    return causes.open_causes().filter(**which).count()
