"""Another code instead of one that no line can go by, wherever lines come to it from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

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
from interfaces.suggestions import CodesInUse, InUse

# The defaults that give a code, by what a line says that found none there.
DEFAULTS = {
    "default for revenue": "revenue_account",
    "default for tax-free revenue": "tax_free_account",
    "default for disbursements": "disbursement_account",
    "default for taxed lines": "revenue_tax",
    "default for tax-free lines": "tax_free_tax",
}
_NAMES = {field: words for words, field in DEFAULTS.items()}
# So far a tax may be from what a rate makes of the amount, for the rounding of its line.
ROUNDING = Decimal("0.02")


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

    @property
    def written(self) -> tuple[str, ...]:
        """The codes of Abtrac's that lead to it, as lines write them."""
        return (*self.mapped, *([self.code] if self.named else []))


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


def that_explain(
    taxes: Iterable[TaxCode], lines: Iterable[tuple[Decimal, Decimal]]
) -> list[TaxCode]:
    """Those whose rate makes the tax of every line, given as (net, tax)."""
    amounts = list(lines)
    return [
        one
        for one in taxes
        if all(abs(tax - net * one.rate / 100) <= ROUNDING for net, tax in amounts)
    ]


def other_rates(replaced: Replaced, new: TaxCode, in_use: CodesInUse) -> Iterator[str]:
    """A sentence for each place whose lines that wait were taxed at another rate than the new."""
    by_code = {one.code: one for one in in_use.taxes}
    would_be = f"would be {new.code} at {new.percent}"
    for name in replaced.defaults:
        if name == "tax_free_tax" and new.rate:
            yield f"The {_NAMES[name]} {would_be}, but tax-free lines carry no tax."
        elif name == "revenue_tax" and (percent := _other_rate(in_use.taxed, new)):
            yield f"The {_NAMES[name]} {would_be}, but the lines that wait were taxed at {percent}."
    for code in replaced.written:
        if percent := _other_rate(by_code.get(code), new):
            yield (
                f"What stands for Abtrac's tax code {code} {would_be}, but the lines that wait and"
                f" name it were taxed at {percent}."
            )


def _other_rate(seen: InUse | None, new: TaxCode) -> str:
    """At what the lines were taxed, where the rate of the code is another; or nothing."""
    return "" if seen is None or not seen.net or seen.fits(new.rate) else seen.percent


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
    codes = replaced.written
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
