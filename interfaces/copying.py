"""Takes the settings of one interface over into another to the same package.

Preferences go over except secrets. Codes, defaults, rules and mappings go over by code, where the
code is in the other company file too and may be used there. Sign-ins never do.
"""

from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from interfaces import preferences
from interfaces.models import (
    AccountCode,
    AccountingInterface,
    AccountMapping,
    CodeRule,
    PackageCode,
    TaxCode,
    TaxMapping,
)

DEFAULTS: dict[str, Any] = {
    "revenue_account": AccountCode,
    "tax_free_account": AccountCode,
    "disbursement_account": AccountCode,
    "revenue_tax": TaxCode,
    "tax_free_tax": TaxCode,
}


@dataclass(kw_only=True)
class Copied:
    """What went over, for the record; `left` are codes that could not."""

    preferences: list[str] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)
    rules: int = 0
    mappings: int = 0
    left: list[str] = field(default_factory=list)


class NotTheSamePackage(Exception):
    """Settings go over between interfaces of one package only."""


def candidates(package_key: str, *, but: AccountingInterface | None = None) -> QuerySet[Any]:
    """The practice's interfaces whose settings could be taken over. Needs a scope."""
    found = AccountingInterface.objects.filter(package_key=package_key)
    return (found.exclude(pk=but.pk) if but else found).order_by("name")


@transaction.atomic
def copy_settings(*, source: AccountingInterface, target: AccountingInterface) -> Copied:
    """Take them over; what the target had of the same kind is replaced. Needs a scope."""
    if source.package_key != target.package_key or source.pk == target.pk:
        raise NotTheSamePackage(f"{source} and {target} are not two of one package.")
    copied = Copied()
    _preferences(source, target, copied)
    books = {model: _Pair(model, source, target) for model in (AccountCode, TaxCode)}
    for pair in books.values():
        pair.offer_alike()
    _defaults(source, target, books, copied)
    _rules(source, target, books[AccountCode], copied)
    _mappings(AccountMapping, "account", source, target, books[AccountCode], copied)
    _mappings(TaxMapping, "tax", source, target, books[TaxCode], copied)
    copied.left = sorted(set().union(*(pair.left for pair in books.values())))
    return copied


class _Pair:
    """The codes of one kind in both company files."""

    def __init__(
        self, model: Any, source: AccountingInterface, target: AccountingInterface
    ) -> None:
        self._model = model
        self._theirs: dict[int, PackageCode] = {
            one.pk: one for one in model.objects.filter(interface=source)
        }
        self._ours: dict[str, PackageCode] = {
            one.code: one for one in model.objects.filter(interface=target)
        }
        self.left: set[str] = set()

    def match(self, pk: int) -> Any:
        """Ours of the same code, if it may be used; else None, and it is among those left."""
        theirs = self._theirs[pk]
        ours = self._ours.get(theirs.code)
        if ours is None or not ours.can_be_used:
            self.left.add(theirs.code)
            return None
        return ours

    def offer_alike(self) -> None:
        """Offer what is offered there, of the codes that are in both."""
        changed = []
        for theirs in self._theirs.values():
            ours = self._ours.get(theirs.code)
            if ours is not None and ours.available != (theirs.available and ours.can_be_used):
                ours.available = not ours.available
                changed.append(ours)
        self._model.objects.bulk_update(changed, ["available"])


def _preferences(source: AccountingInterface, target: AccountingInterface, copied: Copied) -> None:
    secret = {one.key for one in preferences.secrets_of(source.package)}
    values = {
        one.key: source.preference(one.key)
        for one in source.package.settings
        if one.key not in secret
    }
    preferences.save_preferences(target, values)
    copied.preferences = sorted(values)


def _defaults(
    source: AccountingInterface,
    target: AccountingInterface,
    books: dict[Any, _Pair],
    copied: Copied,
) -> None:
    for name, model in DEFAULTS.items():
        chosen = getattr(source, f"{name}_id")
        ours = books[model].match(chosen) if chosen else None
        if ours is not None:
            setattr(target, name, ours)
            copied.defaults[name] = ours.code
    target.save(update_fields=list(DEFAULTS))


def _rules(
    source: AccountingInterface, target: AccountingInterface, pair: _Pair, copied: Copied
) -> None:
    rows = []
    for rule in CodeRule.objects.filter(interface=source):
        ours = pair.match(rule.account_id)
        if ours is not None:
            rows.append(
                CodeRule(interface=target, scope=rule.scope, subject=rule.subject, account=ours)
            )
    CodeRule.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["interface", "scope", "subject"],
        update_fields=["account"],
    )
    copied.rules = len(rows)


def _mappings(
    model: Any,
    name: str,
    source: AccountingInterface,
    target: AccountingInterface,
    pair: _Pair,
    copied: Copied,
) -> None:
    rows = []
    for one in model.objects.filter(interface=source):
        ours = pair.match(getattr(one, f"{name}_id"))
        if ours is not None:
            rows.append(model(interface=target, code=one.code, **{name: ours}))
    model.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["interface", "code"],
        update_fields=[name],
    )
    copied.mappings += len(rows)
