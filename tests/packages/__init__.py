"""Three invented packages, for tests only.

Keeper keeps keys, Plain keeps neither keys nor order, and Drawer takes a file.

The product looks for packages under `connectors` alone and never sees these. A test asks for the
fixture `invented_packages`; a process that a test starts calls `make_known` before the settings
are read, for they list the packages.
"""

from collections.abc import Mapping

from connectors import registry
from connectors.base.protocol import Package

PLACE = "tests.packages"


def make_known() -> None:
    """Let this whole process know them. Only before its settings are read."""
    if PLACE not in registry.PLACES:
        registry.PLACES.append(PLACE)
        registry.packages.cache_clear()


def invented() -> Mapping[str, Package]:
    """The packages by key, known to nobody for that."""
    from tests.packages import drawer, keeper, plain

    return {one.key: one for one in (drawer.PACKAGE, keeper.PACKAGE, plain.PACKAGE)}
