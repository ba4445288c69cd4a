"""Another code instead of one that no line can go by, wherever lines come to it from."""

from collections.abc import Mapping
from dataclasses import dataclass

from interfaces.models import (
    AccountCode,
    AccountingInterface,
    AccountMapping,
    CodeRule,
    PackageCode,
    TaxCode,
    TaxMapping,
)
from interfaces.pairs import DEFAULT_PAIRS, account_of, refused_together, takes
from interfaces.selectors import CodesOf

# The defaults that give a code, by what a line says that found none there.
DEFAULTS = {
    "default for revenue": "revenue_account",
    "default for tax-free revenue": "tax_free_account",
    "default for disbursements": "disbursement_account",
    "default for taxed lines": "revenue_tax",
    "default for tax-free lines": "tax_free_tax",
}
_NAMES = {field: words for words, field in DEFAULTS.items()}


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """A code, and everything that leads lines to it; `code` is empty where none is set.

    `named` says that lines write the code themselves, and nothing stands for it yet.
    """

    is_tax: bool
    code: str
    defaults: tuple[str, ...]
    rules: tuple[CodeRule, ...]
    mapped: tuple[str, ...]
    named: bool

    @property
    def places(self) -> list[str]:
        """What would change, in words."""
        what = "tax code" if self.is_tax else "account code"
        return [
            *(f"the {_NAMES[one]}" for one in self.defaults),
            *(f"the rule for {_of_rule(one)}" for one in self.rules),
            *(f"what stands for Abtrac's {what} {one}" for one in self.mapped),
            *([f"invoice lines that name {self.code} themselves"] if self.named else []),
        ]


def leads_to(
    codes: CodesOf, interface: AccountingInterface, *, code: str, is_tax: bool, named: bool
) -> Replaced:
    """Everything that leads to the code; `code` may be the words of a default that is not set."""
    unset = DEFAULTS.get(code)
    if unset:
        return Replaced(is_tax=is_tax, code="", defaults=(unset,), rules=(), mapped=(), named=False)
    of_kind: type[PackageCode] = TaxCode if is_tax else AccountCode
    chosen = codes.defaults(interface)
    mappings: Mapping[str, PackageCode] = codes.tax_mappings if is_tax else codes.account_mappings
    return Replaced(
        is_tax=is_tax,
        code=code,
        defaults=tuple(
            name for name, one in chosen.items() if isinstance(one, of_kind) and one.code == code
        ),
        rules=() if is_tax else tuple(one for one in codes.rules if one.account.code == code),
        mapped=tuple(sorted(name for name, one in mappings.items() if one.code == code)),
        named=named and code not in mappings,
    )


def accounts_for(codes: CodesOf, *, code: str, tax: str = "") -> list[AccountCode]:
    """The accounts that may be chosen instead; with a tax code, those that take it."""
    with_tax = next((one for one in codes.taxes if one.code == tax), None)
    return [
        one
        for one in codes.accounts
        if _is_offered(one, code) and (with_tax is None or takes(one, with_tax))
    ]


def taxes_for(codes: CodesOf, *, code: str, account: str = "") -> list[TaxCode]:
    """The tax codes that may be chosen instead; with an account, those that it takes."""
    of_account = next((one for one in codes.accounts if one.code == account), None)
    return [
        one
        for one in codes.taxes
        if _is_offered(one, code) and (of_account is None or takes(of_account, one))
    ]


def why_not(
    interface: AccountingInterface, codes: CodesOf, replaced: Replaced, new: AccountCode | TaxCode
) -> str:
    """Why the code cannot be put there: the package refuses a pair of defaults; or nothing."""
    given = {**codes.defaults(interface), **dict.fromkeys(replaced.defaults, new)}
    for account_name, tax_name in DEFAULT_PAIRS:
        if not {account_name, tax_name} & set(replaced.defaults):
            continue
        account, tax = account_of(given, account_name), given.get(tax_name)
        if account is None or not isinstance(tax, TaxCode):
            continue
        why = refused_together(interface.package.label, account, tax, codes.taxes)
        if why:
            return why
    return ""


def replace(
    interface: AccountingInterface, replaced: Replaced, new: AccountCode | TaxCode
) -> tuple[dict[str, str], dict[str, str]]:
    """Put the new code in every place; what was there before and after. Needs a scope.

    The caller holds the interface.
    """
    before = dict.fromkeys(replaced.places, replaced.code)
    for name in replaced.defaults:
        setattr(interface, name, new)
    if replaced.defaults:
        interface.save(update_fields=list(replaced.defaults))
    codes = [*replaced.mapped, *([replaced.code] if replaced.named else [])]
    if isinstance(new, TaxCode):
        TaxMapping.objects.bulk_create(
            [TaxMapping(interface=interface, code=code, tax=new) for code in codes],
            update_conflicts=True,
            unique_fields=["interface", "code"],
            update_fields=["tax"],
        )
    else:
        CodeRule.objects.filter(pk__in=[one.pk for one in replaced.rules]).update(account=new)
        AccountMapping.objects.bulk_create(
            [AccountMapping(interface=interface, code=code, account=new) for code in codes],
            update_conflicts=True,
            unique_fields=["interface", "code"],
            update_fields=["account"],
        )
    return before, dict.fromkeys(before, str(new))


def _of_rule(rule: CodeRule) -> str:
    return f"{rule.get_scope_display().lower()} {rule.subject}"


def _is_offered(one: PackageCode, code: str) -> bool:
    return one.available and one.can_be_used and one.code != code
