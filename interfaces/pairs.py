"""Which account and tax codes the package takes together."""

from collections.abc import Iterable, Mapping

from interfaces.models import AccountCode, TaxCode

# The defaults that meet on one line: the account's and the tax code's.
DEFAULT_PAIRS = (
    ("revenue_account", "revenue_tax"),
    ("tax_free_account", "tax_free_tax"),
    ("disbursement_account", "revenue_tax"),
    ("disbursement_account", "tax_free_tax"),
)


def takes(account: AccountCode, tax: TaxCode) -> bool:
    """Whether the package takes the tax code on lines of that account, as far as it says."""
    return account.allowed_tax_codes is None or tax.code in account.allowed_tax_codes


def account_of(
    defaults: Mapping[str, AccountCode | TaxCode | None], name: str
) -> AccountCode | None:
    """The default account of that name; tax-free revenue without one goes where revenue goes."""
    found = defaults.get(name)
    if found is None and name == "tax_free_account":
        found = defaults.get("revenue_account")
    return found if isinstance(found, AccountCode) else None


def refused_together(
    label: str, account: AccountCode, tax: TaxCode, taxes: Iterable[TaxCode]
) -> str:
    """The sentence that refuses the pair, and what would do; empty where the package takes it."""
    if takes(account, tax):
        return ""
    return (
        f"{label} does not take tax code {tax} with account {account}."
        f" {_what_would_do(label, account, taxes)}"
    )


def nothing_to_go_with(
    label: str, account: AccountCode, reached: Iterable[TaxCode], taxes: Iterable[TaxCode]
) -> str:
    """Why no line could go to the account: it takes none of the tax codes that lines here get."""
    given = list(dict.fromkeys(reached))
    if not given or any(takes(account, one) for one in given):
        return ""
    return (
        f"{_what_would_do(label, account, taxes)}"
        f" Lines here get {listed([one.code for one in given], 'or')}."
    )


def no_account_for(label: str, tax: TaxCode, reached: Iterable[AccountCode]) -> str:
    """Why no line could carry the tax code: none of the accounts that lines here get takes it."""
    given = list(dict.fromkeys(reached))
    if not given or any(takes(one, tax) for one in given):
        return ""
    return (
        f"{label} does not take tax code {tax} with any account that lines here go to:"
        f" {listed([str(one) for one in given], 'and')}."
    )


def listed(names: list[str], word: str) -> str:
    """The names as a person lists them; the last after that word. Many are cut, and it is said."""
    shown = names if len(names) <= 6 else [*names[:5], f"{len(names) - 5} more"]
    return f" {word} ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _what_would_do(label: str, account: AccountCode, taxes: Iterable[TaxCode]) -> str:
    usable = [one.code for one in taxes if one.can_be_used and takes(account, one)]
    if not usable:
        return f"{label} takes no tax code that can be used with {account}."
    return f"{label} takes {listed(sorted(usable), 'or')} with {account}."
