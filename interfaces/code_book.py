"""Finds the account code and the tax code of every line, and says which rule gave them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Self, TypeVar

from django.db.models import Model

from connectors.base.documents import LineKind
from connectors.base.faults import tax_with_account
from interfaces.models import (
    AccountCode,
    AccountingInterface,
    AccountMapping,
    CodeRule,
    PackageCode,
    TaxCode,
    TaxMapping,
)

Scope = CodeRule.Scope
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, kw_only=True)
class LineFacts:
    """What decides the codes of one line; empty where it says nothing.

    `office_id` and `invoice_setting_id` are Abtrac's own ids.
    """

    account_code: str = ""
    tax_code: str = ""
    invoice_tax_code: str = ""
    kind: str = LineKind.TIME
    task: str = ""
    disbursement_type: str = ""
    job_type: str = ""
    department: str = ""
    office_id: str = ""
    invoice_setting_id: str = ""
    net: Decimal
    tax: Decimal

    def subject(self, scope: Scope) -> str:
        """What a rule of that scope is asked about."""
        return {
            Scope.DISBURSEMENT_TYPE: self.disbursement_type,
            Scope.TASK: self.task,
            Scope.JOB_TYPE: self.job_type,
            Scope.DEPARTMENT: self.department,
            Scope.OFFICE: self.office_id,
            Scope.INVOICE_SETTING: self.invoice_setting_id,
        }[scope]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a line cannot be sent, and what to do; `field` is `account_code` or `tax_code`.

    `code` is the kind of problem, `subject` the code it is about; where none is set, what was asked
    for it last.
    """

    field: str
    code: str
    subject: str
    message: str
    next_step: str


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """The codes of a line and where each came from; both empty where nothing set them."""

    account_code: str
    account_rule: str
    tax_code: str
    tax_rule: str
    tax_rate: Decimal
    problems: tuple[Problem, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One place that was asked for a code, and its answer; `taken` marks the one that counts."""

    asked: str
    answer: str
    taken: bool = False


@dataclass(frozen=True, kw_only=True)
class Explained:
    """How a line comes by its codes: all that is asked, in order, up to what answered."""

    resolved: Resolved
    account: AccountCode | None
    tax: TaxCode | None
    account_steps: tuple[Step, ...]
    tax_steps: tuple[Step, ...]


class CodeBook:
    """All codes and rules of one interface, in memory: one serves a whole batch of invoices."""

    def __init__(
        self,
        interface: AccountingInterface,
        *,
        accounts: Sequence[AccountCode],
        taxes: Sequence[TaxCode],
        rules: Sequence[CodeRule],
        account_mappings: Sequence[AccountMapping] = (),
        tax_mappings: Sequence[TaxMapping] = (),
    ) -> None:
        self._label = interface.package.label
        self._accounts = {one.code: one for one in accounts}
        self._taxes = {one.code: one for one in taxes}
        account_of = {one.pk: one.code for one in accounts}
        tax_of = {one.pk: one.code for one in taxes}
        by_scope: dict[str, dict[str, str]] = {}
        for rule in rules:
            codes = by_scope.setdefault(rule.scope, {})
            codes[rule.subject.casefold()] = account_of[rule.account_id]
        # In the order they are asked; a scope without a rule is not asked at all.
        self._rules = [(scope, by_scope[scope]) for scope in Scope if scope in by_scope]
        self._revenue = account_of.get(interface.revenue_account_id or 0, "")
        self._mapped_accounts = {one.code: account_of[one.account_id] for one in account_mappings}
        self._mapped_taxes = {one.code: tax_of[one.tax_id] for one in tax_mappings}
        # Without an account of its own, tax-free revenue goes where revenue goes.
        self._tax_free = account_of.get(interface.tax_free_account_id or 0, "") or self._revenue
        self._disbursement = account_of.get(interface.disbursement_account_id or 0, "")
        self._revenue_tax = tax_of.get(interface.revenue_tax_id or 0, "")
        self._tax_free_tax = tax_of.get(interface.tax_free_tax_id or 0, "")

    @classmethod
    def load(cls, interface: AccountingInterface) -> Self:
        """The book of the interface, in five queries. Needs a scope."""
        return cls.load_all([interface])[interface.pk]

    @classmethod
    def load_all(cls, interfaces: Collection[AccountingInterface]) -> dict[int, Self]:
        """The books of the interfaces by id, in five queries for all. Needs a scope."""
        accounts = _by_interface(AccountCode, interfaces)
        taxes = _by_interface(TaxCode, interfaces)
        rules = _by_interface(CodeRule, interfaces)
        account_mappings = _by_interface(AccountMapping, interfaces)
        tax_mappings = _by_interface(TaxMapping, interfaces)
        return {
            one.pk: cls(
                one,
                accounts=accounts.get(one.pk, []),
                taxes=taxes.get(one.pk, []),
                rules=rules.get(one.pk, []),
                account_mappings=account_mappings.get(one.pk, []),
                tax_mappings=tax_mappings.get(one.pk, []),
            )
            for one in interfaces
        }

    def resolve(self, line: LineFacts) -> Resolved:
        """The codes of the line, and everything that is wrong with them at once."""
        account_code, account_rule = self._account(line)
        tax_code, tax_rule = self._tax(line)
        account, tax = self._accounts.get(account_code), self._taxes.get(tax_code)
        problems = [
            self._problem("account_code", account_code, account, account_rule),
            self._problem("tax_code", tax_code, tax, tax_rule),
            self._mismatch(account, tax),
        ]
        return Resolved(
            account_code=account_code,
            account_rule=account_rule,
            tax_code=tax_code,
            tax_rule=tax_rule,
            tax_rate=tax.rate if tax else Decimal(0),
            problems=tuple(problem for problem in problems if problem),
        )

    def explain(self, line: LineFacts, *, named: Mapping[str, str] | None = None) -> Explained:
        """Which rule gave the line its codes, and what was asked before it.

        `named` are the names people know an office or invoice setting by, by scope.
        """
        resolved = self.resolve(line)
        return Explained(
            resolved=resolved,
            account=self._accounts.get(resolved.account_code),
            tax=self._taxes.get(resolved.tax_code),
            account_steps=tuple(self._account_steps(line, named or {})),
            tax_steps=tuple(self._tax_steps(line)),
        )

    def _account(self, line: LineFacts) -> tuple[str, str]:
        """The first that is set: line, rules in the order of their scopes, interface default."""
        if line.account_code:
            return _mapped(line.account_code, "line", self._mapped_accounts)
        for scope, codes in self._rules:
            subject = line.subject(scope)
            code = codes.get(subject.casefold()) if subject else None
            if code:
                return code, f"{scope.label.lower()} {subject}"
        if line.kind == LineKind.DISBURSEMENT:
            return self._disbursement, "default for disbursements"
        if line.tax == 0:
            return self._tax_free, "default for tax-free revenue"
        return self._revenue, "default for revenue"

    def _account_steps(self, line: LineFacts, named: Mapping[str, str]) -> Iterator[Step]:
        code, rule = self._account(line)
        found = _in_words(code, self._accounts)
        if line.account_code:
            yield Step(asked=_capital(rule), answer=found, taken=True)
            return
        yield Step(asked="Line", answer="not set")
        for scope in Scope:
            subject = line.subject(scope)
            asked = f"{scope.label} {named.get(scope, subject)}".strip()
            if subject and rule == f"{scope.label.lower()} {subject}":
                yield Step(asked=asked, answer=found, taken=True)
                return
            yield Step(asked=asked, answer="no rule" if subject else "none on this line")
        yield Step(asked=_capital(rule), answer=found, taken=True)

    def _tax(self, line: LineFacts) -> tuple[str, str]:
        if line.tax_code:
            return _mapped(line.tax_code, "line", self._mapped_taxes)
        if line.invoice_tax_code:
            return _mapped(line.invoice_tax_code, "invoice", self._mapped_taxes)
        if line.tax == 0:
            return self._tax_free_tax, "default for tax-free lines"
        return self._revenue_tax, "default for taxed lines"

    def _tax_steps(self, line: LineFacts) -> Iterator[Step]:
        code, rule = self._tax(line)
        if not line.tax_code:
            yield Step(asked="Line", answer="not set")
        if not line.tax_code and not line.invoice_tax_code:
            yield Step(asked="Invoice", answer="not set")
        yield Step(asked=_capital(rule), answer=_in_words(code, self._taxes), taken=True)

    def _problem(
        self, field: str, code: str, found: PackageCode | None, rule: str
    ) -> Problem | None:
        """What is wrong with one code: none was set, it is unknown, or it may not be used."""
        label, word, kind = self._label, field.replace("_", " "), field.removesuffix("_code")
        if not code:
            return Problem(
                field=field,
                code=f"{kind}_missing",
                subject=rule,
                message=f"No {word} is set: the {rule} is empty.",
                next_step="Choose one under Accounting >> Interface Settings, then retry.",
            )
        if found is not None and found.can_be_used:
            return None
        state = _state_of(found)
        given, another = f"{word.capitalize()} {found or code} (from the {rule})", f"another {word}"
        told, how = {
            _UNKNOWN: (f"is not in {label}'s list", f"or add {code} in {label}"),
            _VANISHED: (f"is no longer in {label}'s list", f"or add {code} in {label}"),
            "archived": (f"is archived in {label}", f"or restore {code} in {label}"),
            "not_for_sales": (f"cannot be used on sales lines in {label}", ""),
        }[state]
        steps = ", ".join(filter(None, (f"Choose {another}", how, "then retry.")))
        return Problem(
            field=field,
            code=f"{kind}_{_UNKNOWN if state == _VANISHED else state}",
            subject=code,
            message=f"{given} {told}.",
            next_step=steps,
        )

    def _mismatch(self, account: AccountCode | None, tax: TaxCode | None) -> Problem | None:
        if account is None or tax is None or account.allowed_tax_codes is None:
            return None
        if tax.code in account.allowed_tax_codes:
            return None
        return Problem(
            field="tax_code",
            code="tax_not_for_account",
            subject=tax_with_account(tax.code, account.code),
            message=f"{self._label} does not take tax code {tax} with account code {account}.",
            next_step="Choose another tax code or another account: sales take a tax on income. Then"
            " retry.",
        )


def _by_interface(
    model: type[Row], interfaces: Collection[AccountingInterface]
) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in model._default_manager.filter(interface__in=interfaces):
        found.setdefault(row.interface_id, []).append(row)  # type: ignore[attr-defined]
    return found


def _mapped(code: str, rule: str, mapped: Mapping[str, str]) -> tuple[str, str]:
    """What was mapped for the code, even where the package has that very code: somebody chose."""
    there = mapped.get(code)
    return (there, f"{rule}, {code} mapped to {there}") if there else (code, rule)


def _in_words(code: str, known: Mapping[str, PackageCode]) -> str:
    return str(known.get(code) or code) or "not set"


def _capital(rule: str) -> str:
    return rule[:1].upper() + rule[1:]


_UNKNOWN, _VANISHED = "unknown", "vanished"


def _state_of(found: PackageCode | None) -> str:
    """Why the code may not be used, as refusals are coded."""
    if found is None:
        return _UNKNOWN
    if found.vanished_at is not None:
        return _VANISHED
    return "not_for_sales" if found.active else "archived"
