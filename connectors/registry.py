"""Finds the packages: every folder beside this file that declares a PACKAGE."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from connectors.base.protocol import Package

# Where packages are looked for; tests add a place of their own.
PLACES = ["connectors"]


@cache
def packages() -> Mapping[str, Package]:
    """All packages by key, in the order of their labels."""
    found: dict[str, Package] = {}
    for place in PLACES:
        parent = importlib.import_module(place)
        for module in pkgutil.iter_modules(parent.__path__):
            if module.ispkg and module.name != "base":
                folder = importlib.import_module(f"{place}.{module.name}")
                found[folder.PACKAGE.key] = folder.PACKAGE
    return dict(sorted(found.items(), key=lambda pair: pair[1].label))


def package(key: str) -> Package:
    """The package of that key. Raises KeyError naming it."""
    try:
        return packages()[key]
    except KeyError:
        raise KeyError(f"There is no accounting package {key!r}.") from None


def label_of(key: str) -> str:
    """The package as people call it; its key where it is no longer known here."""
    known = packages().get(key)
    return known.label if known else key


def standin_of(package: Package) -> Any:
    """The class of the package's stand-in, loaded only here: it brings a server with it."""
    module, _, name = package.standin.partition(":")
    return getattr(importlib.import_module(module), name)


def choices() -> list[tuple[str, str]]:
    """(key, label) of each package, for a model field's choices."""
    return [(one.key, one.label) for one in packages().values()]
