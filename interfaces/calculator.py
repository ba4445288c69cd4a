"""What a subscription costs a month, itemised, for anybody who asks: the price calculator."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.utils.text import get_text_list

from connectors import registry
from connectors.base.protocol import SetUpBy
from connectors.registry import label_of
from interfaces.models import PriceBook
from interfaces.price_books import Tier, set_up_fee_of, tiers_of, type_of, types_of


@dataclass(frozen=True, kw_only=True)
class Item:
    """One line of a calculation."""

    description: str
    quantity: int
    each: Decimal

    @property
    def net(self) -> Decimal:
        """What the line comes to."""
        return self.each * self.quantity


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What is paid a month; `total` is None where the price book has no price for so many.

    `set_ups` is what is paid once, by package; None: quoted before any work.
    """

    items: list[Item]
    set_ups: list[tuple[str, Decimal | None]]
    most_users: int
    total: Decimal | None


def subscription(
    book: PriceBook, *, users: int, package_keys: Collection[str], debtor_module: bool
) -> Subscription:
    """The lines and the monthly total for that many employees and those accounts links."""
    tiers = tiers_of(book)
    items = [Item(description="Base", quantity=1, each=book.base)]
    items += [_employees(tier, min(users, tier.last)) for tier in tiers if users >= tier.first]
    if debtor_module:
        items.append(Item(description="Debtor module", quantity=1, each=book.debtor_module))
    for kind in types_of(book, package_keys):
        labels = sorted({label_of(key) for key in package_keys if type_of(book, key) == kind})
        description = f"Accounts link to {get_text_list(labels, 'and')}"
        items.append(Item(description=description, quantity=1, each=book.link))
    most = tiers[-1].last
    total = sum((one.net for one in items), Decimal("0.00"))
    return Subscription(
        items=items,
        set_ups=_set_ups(book, package_keys),
        most_users=most,
        total=total if users <= most else None,
    )


def _set_ups(book: PriceBook, package_keys: Collection[str]) -> list[tuple[str, Decimal | None]]:
    """What our team takes for those packages that only it can set up."""
    known = registry.packages()
    chosen = [known[key] for key in known if key in package_keys]
    return [
        (one.label, set_up_fee_of(book, one.key))
        for one in chosen
        if one.set_up_by is SetUpBy.SUPPORT
    ]


def _employees(tier: Tier, last: int) -> Item:
    span = f"{tier.first} to {last}" if tier.first < last else f"{last}"
    description = f"Employees {span}" if tier.first < last else f"Employee {span}"
    return Item(description=description, quantity=last - tier.first + 1, each=tier.each)
