"""Which of the package's codes could stand for what invoices need, and why; nothing is chosen here.

A suggestion is exact where one code alone has the same code, the same name or the only fitting
rate: such ones may be accepted all at once. All others are near, and a person looks at each. Where
two codes are equally good, neither is exact.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from interfaces.models import AccountCode, PackageCode, TaxCode
from interfaces.pairs import DEFAULT_PAIRS, account_of, takes

HALF_A_CENT = Decimal("0.005")
# What accounts for costs charged on are called, in folded words.
RECOVERED = ("disburs", "recover", "reimburs", "oncharge")
# What tax codes are called that say nothing of a sale, in folded words.
OUTSIDE = ("nogst", "notax", "none", "excluded", "outside")


@dataclass(frozen=True, kw_only=True)
class InUse:
    """A code as invoices write it that have yet to go; amounts are added up without their signs."""

    code: str
    lines: int
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)

    @property
    def rate(self) -> Decimal | None:
        """The rate its lines come to, as near as cents tell; None where they come to nothing."""
        return (self.tax * 100 / self.net).quantize(Decimal("0.01")) if self.net else None

    @property
    def percent(self) -> str:
        """That rate as people write it; empty where there is none."""
        return "" if self.rate is None else f"{self.rate.normalize():f} %"

    def fits(self, rate: Decimal) -> bool:
        """Whether that rate gives these amounts but for the rounding of each line."""
        return bool(self.net) and abs(self.tax - self.net * rate / 100) <= HALF_A_CENT * (
            self.lines + 1
        )


@dataclass(frozen=True, kw_only=True)
class CodesInUse:
    """What the invoices of an interface write that have yet to go.

    `taxed` are the lines with tax that name no tax code, whose code is the interface's default.
    """

    accounts: Sequence[InUse] = ()
    taxes: Sequence[InUse] = ()
    taxed: InUse | None = None


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A code of the package and why it is offered; only exact ones are accepted all at once."""

    code: PackageCode
    reason: str
    exact: bool


class Chart:
    """What the package lists and what is chosen already, to find suggestions in.

    `chosen` are the interface's defaults by name. Only codes that can be used and are offered are
    ever suggested, and no pair that the package refuses.
    """

    def __init__(
        self,
        *,
        label: str,
        accounts: Iterable[AccountCode],
        taxes: Iterable[TaxCode],
        usual_kinds: Mapping[str, Sequence[str]],
        chosen: Mapping[str, AccountCode | TaxCode | None],
        in_use: CodesInUse,
    ) -> None:
        self._label = label
        self._accounts = [one for one in accounts if one.can_be_used and one.available]
        self._taxes = [one for one in taxes if one.can_be_used and one.available]
        self._usual_kinds = usual_kinds
        self._in_use = in_use
        self._defaults = {name: one for name, one in chosen.items() if one and one.can_be_used}
        self._found: dict[str, Suggestion] = {}
        # Each is looked for beside what is chosen or suggested before it, so that they go together.
        self._note("revenue_account", self._revenue())
        self._note("revenue_tax", self._taxed())
        self._note("tax_free_tax", self._tax_free())
        self._note("disbursement_account", self._disbursement())

    def default(self, name: str) -> Suggestion | None:
        """What to take as the default of that name, unless it is set and can be used."""
        return self._found.get(name)

    def account(self, in_use: InUse) -> Suggestion | None:
        """What could stand for an account code of Abtrac's."""
        taxes = [one for one in self._defaults.values() if isinstance(one, TaxCode)]
        fitting = [
            one for one in self._accounts if not taxes or any(takes(one, tax) for tax in taxes)
        ]
        return _alike(in_use, fitting)

    def tax(self, in_use: InUse) -> Suggestion | None:
        """What could stand for a tax code of Abtrac's."""
        accounts = [one for one in self._defaults.values() if isinstance(one, AccountCode)]
        fitting = [
            one
            for one in self._taxes
            if not accounts or any(takes(account, one) for account in accounts)
        ]
        alike = _alike(in_use, fitting)
        if alike and isinstance(alike.code, TaxCode) and not in_use.fits(alike.code.rate):
            reason = f"{alike.reason}, but {alike.code.percent} there"
            return Suggestion(code=alike.code, reason=reason, exact=False)
        same = [one for one in fitting if in_use.fits(one.rate)]
        return alike or _by_rate(same, account_of(self._defaults, "revenue_account"))

    def _note(self, name: str, found: Suggestion | None) -> None:
        if name not in self._defaults and found is not None:
            self._found[name] = found
            self._defaults[name] = found.code  # type: ignore[assignment]

    def _goes_with(self, name: str, code: AccountCode | TaxCode) -> bool:
        """Whether the package takes the code as that default beside the other defaults."""
        beside = {**self._defaults, name: code}
        pairs = [pair for pair in DEFAULT_PAIRS if name in pair]
        if name == "revenue_account":
            pairs.append(("tax_free_account", "tax_free_tax"))
        for of_account, of_tax in pairs:
            account, tax = account_of(beside, of_account), beside.get(of_tax)
            if account and isinstance(tax, TaxCode) and not takes(account, tax):
                return False
        return True

    def _revenue(self) -> Suggestion | None:
        return self._usual("revenue_account", ())

    def _disbursement(self) -> Suggestion | None:
        name = "disbursement_account"
        named = [
            one
            for one in self._accounts
            if any(word in fold(one.name) for word in RECOVERED) and self._goes_with(name, one)
        ]
        usual = self._kinds(name)
        for kind in usual:
            of_kind = [one for one in named if fold(one.kind) == kind]
            if of_kind:
                return _near(of_kind, "by its name")
        return self._usual(name, (self._defaults.get("revenue_account"),))

    def _usual(self, name: str, last: Sequence[AccountCode | TaxCode | None]) -> Suggestion | None:
        """The lowest code of the kinds where this default usually lies there."""
        for avoided in (last, ()):
            for kind in self._kinds(name):
                found = [
                    one
                    for one in self._accounts
                    if fold(one.kind) == kind and one not in avoided and self._goes_with(name, one)
                ]
                if found:
                    return _near(found, f"commonly used there: {found[0].kind}")
        return None

    def _kinds(self, name: str) -> list[str]:
        return [fold(kind) for kind in self._usual_kinds.get(name, ())]

    def _taxed(self) -> Suggestion | None:
        fitting = [one for one in self._taxes if one.rate and self._goes_with("revenue_tax", one)]
        account = account_of(self._defaults, "revenue_account")
        seen = self._in_use.taxed
        if seen:
            return _by_rate([one for one in fitting if seen.fits(one.rate)], account)
        own = _carried(fitting, account)
        return _near(own, f"the tax code account {account} carries in {self._label}") or (
            _near(fitting, "the only tax code for sales that has a rate")
            if len(fitting) == 1
            else None
        )

    def _tax_free(self) -> Suggestion | None:
        return _by_rate(
            [one for one in self._taxes if not one.rate and self._goes_with("tax_free_tax", one)],
            account_of(self._defaults, "tax_free_account"),
        )


def fold(text: str) -> str:
    """The text as names are compared: no capitals, accents, macrons, spaces or punctuation."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in plain if one.isalnum())


def _by_rate(same: Sequence[TaxCode], account: AccountCode | None) -> Suggestion | None:
    """Of those that have the rate looked for the one that the account carries, or else is alone.

    Exact where no other has the rate. Between equals nothing is suggested: the order of their
    names says nothing of what they are for.
    """
    own = _carried(same, account)
    meant = own or [one for one in same if not _says_nothing(one)] or same
    if len(meant) != 1:
        return None
    reason = f"same rate, {meant[0].percent}"
    if len(same) > 1:
        reason = f"{reason}, as {len(same) - 1} other{'s' if len(same) > 2 else ''}"
        reason += f"; account {account} carries it" if own else ""
    return Suggestion(code=meant[0], reason=reason, exact=len(same) == 1)


def _carried(codes: Sequence[TaxCode], account: AccountCode | None) -> list[TaxCode]:
    """The one of them that the account carries in the package."""
    return [one for one in codes if account and one.code == account.default_tax_code]


def _says_nothing(tax: TaxCode) -> bool:
    return any(word in fold(f"{tax.code} {tax.name}") for word in OUTSIDE)


def _near(codes: Sequence[PackageCode], reason: str) -> Suggestion | None:
    lowest = min(codes, key=lambda one: one.code, default=None)
    return Suggestion(code=lowest, reason=reason, exact=False) if lowest else None


def _alike(in_use: InUse, codes: Sequence[PackageCode]) -> Suggestion | None:
    """The same code, else the same name, whatever the capitals and marks."""
    wanted = fold(in_use.code)
    if not wanted:
        return None
    same: tuple[tuple[str, Callable[[PackageCode], str]], ...] = (
        ("same code", lambda one: one.code),
        ("same name", lambda one: one.name),
    )
    for reason, word_of in same:
        found = [one for one in codes if fold(word_of(one)) == wanted]
        if len(found) == 1:
            return Suggestion(code=found[0], reason=reason, exact=True)
        if found:
            return _near(found, f"{reason}, as {len(found) - 1} more")
    return None
