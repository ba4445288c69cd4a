"""The package tiles: what each package of the registry is, can, costs, and who sets it up.

All text comes from what the packages declare, so one that is added shows without another edit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connectors import registry
from connectors.base.protocol import Package, SetUpBy
from interfaces import charges, price_books, rehearsals
from interfaces.models import AccountingInterface, PriceBook
from offices.models import Practice

# What people call the capabilities that matter to them, in the order they are told.
WORDS: Mapping[str, str] = {
    "invoices": "Invoices",
    "credit notes": "Credit notes",
    "contacts": "Contacts",
    "jobs": "Jobs",
    "payments": "Payments back",
    "pdf": "Invoice PDF",
    "import file": "Import file",
}


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One package as it is offered to a practice; amounts per month, without GST."""

    package: Package
    abilities: list[str]
    price: Decimal
    change: charges.Change
    set_up_fee: Decimal | None
    rehearsal: bool

    @property
    def by_ourselves(self) -> bool:
        """Whether the practice's own admin can do it."""
        return self.package.set_up_by is SetUpBy.ADMIN


def tiles_for(practice: Practice) -> list[Tile]:
    """Every package, those an admin can set up first. Needs a scope."""
    charged = list(charges.open_periods(practice.pk).values_list("package_key", flat=True))
    book = price_books.load().of_month(charges.today_of(practice))
    tiles = [_tile(one, charged=charged, book=book) for one in registry.packages().values()]
    return sorted(tiles, key=lambda tile: (not tile.by_ourselves, tile.package.label.casefold()))


def free_name(package: Package) -> str:
    """What a new interface to the package is called: its label, numbered from the second on."""
    taken = set(
        AccountingInterface.objects.filter(name__startswith=package.label[:90]).values_list(
            "name", flat=True
        )
    )
    names = (package.label, *(f"{package.label} {number}" for number in range(2, len(taken) + 3)))
    return next(one for one in names if one not in taken)


def _tile(package: Package, *, charged: Sequence[str], book: PriceBook) -> Tile:
    can = package.capabilities()
    return Tile(
        package=package,
        abilities=[word for name, word in WORDS.items() if name in can],
        price=book.link,
        change=charges.if_added(package.key, to=charged, book=book),
        set_up_fee=price_books.set_up_fee_of(book, package.key),
        rehearsal=rehearsals.is_offered(package),
    )
