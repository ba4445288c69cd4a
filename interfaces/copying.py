"""Takes the settings of one interface over into another to the same package.

Preferences go over except secrets. Codes, defaults, rules and mappings go over by code, where the
code is in the other company file too, may be used there, and is taken there together with the other
codes. Sign-ins never do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from interfaces import preferences, selectors
from interfaces.models import (
    AccountCode,
    AccountingInterface,
    AccountMapping,
    CodeRule,
    PackageCode,
    TaxCode,
    TaxMapping,
)
from interfaces.pairs import (
    DEFAULT_PAIRS,
    account_of,
    no_account_for,
    nothing_to_go_with,
    takes,
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
    """What went over, for the record; `left` are codes that could not.

    `refused` are codes that the package does not take there together with the others.
    """

    preferences: list[str] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)
    rules: int = 0
    mappings: int = 0
    left: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


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
    _rules_and_mappings(source, target, books, copied)
    copied.left = sorted(set().union(*(pair.left for pair in books.values())))
    copied.refused = sorted(set(copied.refused))
    return copied


Settings = dict[str, dict[str, Any]]


def settings_of(interface: AccountingInterface) -> Settings:
    """All that could go over, in words, for the record of what was before. Needs a scope."""
    codes = selectors.codes_of(interface)
    shown = [one.key for one in interface.settings if one.kind != "secret"]
    defaults = codes.defaults(interface)
    return {
        "preferences": {key: interface.preference(key) for key in shown},
        "defaults": {name: str(one or "") for name, one in defaults.items()},
        "rules": {
            f"{one.get_scope_display()} {one.subject}": str(one.account) for one in codes.rules
        },
        "account_mappings": {code: str(one) for code, one in codes.account_mappings.items()},
        "tax_mappings": {code: str(one) for code, one in codes.tax_mappings.items()},
        "accounts_offered": {one.code: one.available for one in codes.accounts},
        "taxes_offered": {one.code: one.available for one in codes.taxes},
    }


def changed_between(before: Settings, after: Settings) -> tuple[Settings, Settings]:
    """What of two `settings_of` one interface differs: as it was, and as it is."""
    changed = {
        kind: [key for key in {**before[kind], **after[kind]} if _differs(before, after, kind, key)]
        for kind in before
    }
    was, now = (
        {kind: {key: one[kind].get(key, "") for key in keys} for kind, keys in changed.items()}
        for one in (before, after)
    )
    return was, now


def _differs(before: Settings, after: Settings, kind: str, key: str) -> bool:
    return bool(before[kind].get(key, "") != after[kind].get(key, ""))


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
        one.key: source.preference(one.key) for one in source.settings if one.key not in secret
    }
    preferences.save_preferences(target, values)
    copied.preferences = sorted(values)


def _defaults(
    source: AccountingInterface,
    target: AccountingInterface,
    books: dict[Any, _Pair],
    copied: Copied,
) -> None:
    taken: dict[str, AccountCode | TaxCode] = {}
    for name, model in DEFAULTS.items():
        chosen = getattr(source, f"{name}_id")
        ours = books[model].match(chosen) if chosen else None
        if ours is not None:
            taken[name] = ours
    present = {name: getattr(target, name) for name in DEFAULTS}
    while name := _refused_default(present, taken):
        copied.refused.append(str(taken.pop(name)))
    for name, ours in taken.items():
        setattr(target, name, ours)
        copied.defaults[name] = ours.code
    target.save(update_fields=list(DEFAULTS))


def _refused_default(
    present: Mapping[str, AccountCode | TaxCode | None],
    taken: Mapping[str, AccountCode | TaxCode],
) -> str:
    """One taken over that the package refuses with another default; empty where there is none.

    Of two the account: a tax code is for the lines of other accounts too.
    """
    given = {**present, **taken}
    for of_account, of_tax in DEFAULT_PAIRS:
        account, tax = account_of(given, of_account), given.get(of_tax)
        if account is None or not isinstance(tax, TaxCode) or takes(account, tax):
            continue
        names = [of_account, of_tax]
        if given.get(of_account) is None:
            names.append("revenue_account")  # which stands in for it
        found = next((name for name in names if name in taken), "")
        if found:
            return found
    return ""


def _rules_and_mappings(
    source: AccountingInterface,
    target: AccountingInterface,
    books: dict[Any, _Pair],
    copied: Copied,
) -> None:
    """Those by which lines could be sent, with the defaults as they are by now."""
    theirs, had = selectors.codes_of(source), selectors.codes_of(target)
    match_account, match_tax = books[AccountCode].match, books[TaxCode].match
    rules = {(one.scope, one.subject): match_account(one.account_id) for one in theirs.rules}
    accounts = {code: match_account(one.pk) for code, one in theirs.account_mappings.items()}
    taxes = {code: match_tax(one.pk) for code, one in theirs.tax_mappings.items()}
    defaults = had.defaults(target).values()
    reached_accounts = [
        *(one for one in defaults if isinstance(one, AccountCode)),
        *({**had.account_mappings, **_found(accounts)}.values()),
        *({(one.scope, one.subject): one.account for one in had.rules} | _found(rules)).values(),
    ]
    label = target.package.label
    # Tax codes first: one that stays goes with some account, which then stays too.
    taxes = _going(_found(taxes), copied, lambda one: no_account_for(label, one, reached_accounts))
    reached_taxes = [
        *(one for one in defaults if isinstance(one, TaxCode)),
        *({**had.tax_mappings, **taxes}.values()),
    ]

    def why_not(account: AccountCode) -> str:
        return nothing_to_go_with(label, account, reached_taxes, had.taxes)

    rules, accounts = (_going(_found(one), copied, why_not) for one in (rules, accounts))
    _keep(
        [
            CodeRule(interface=target, scope=scope, subject=subject, account=ours)
            for (scope, subject), ours in rules.items()
        ],
        unique=["interface", "scope", "subject"],
        chosen="account",
    )
    _keep(
        [
            AccountMapping(interface=target, code=code, account=one)
            for code, one in accounts.items()
        ],
        unique=["interface", "code"],
        chosen="account",
    )
    _keep(
        [TaxMapping(interface=target, code=code, tax=one) for code, one in taxes.items()],
        unique=["interface", "code"],
        chosen="tax",
    )
    copied.rules, copied.mappings = len(rules), len(accounts) + len(taxes)


def _found(matched: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: ours for key, ours in matched.items() if ours is not None}


def _going(
    matched: Mapping[Any, Any], copied: Copied, why_not: Callable[[Any], str]
) -> dict[Any, Any]:
    """Those that some line could be sent with; the others are noted as refused."""
    refused = {key for key, ours in matched.items() if why_not(ours)}
    copied.refused += [str(matched[key]) for key in refused]
    return {key: ours for key, ours in matched.items() if key not in refused}


def _keep(rows: list[Any], *, unique: list[str], chosen: str) -> None:
    if rows:
        type(rows[0]).objects.bulk_create(
            rows, update_conflicts=True, unique_fields=unique, update_fields=[chosen]
        )
