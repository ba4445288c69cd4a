"""Reads that span interfaces."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, QuerySet, Value, When

from connectors.base.protocol import Setting, SetUpBy
from interfaces import clock
from interfaces.models import (
    AccountCode,
    AccountingInterface,
    AccountMapping,
    CodeRule,
    Lane,
    TaxCode,
    TaxMapping,
)
from offices.tenancy import acting_for

CODES_LAST = timedelta(days=1)

State = AccountingInterface.State


@dataclass(frozen=True, kw_only=True)
class CodesOf:
    """All that was read and chosen of codes for one interface, in five queries."""

    accounts: list[AccountCode]
    taxes: list[TaxCode]
    rules: list[CodeRule]
    account_mappings: dict[str, AccountCode]
    tax_mappings: dict[str, TaxCode]

    def defaults(self, interface: AccountingInterface) -> dict[str, AccountCode | TaxCode | None]:
        """The defaults of the interface by name, as rows of these lists."""
        account = {one.pk: one for one in self.accounts}
        tax = {one.pk: one for one in self.taxes}
        return {
            "revenue_account": account.get(interface.revenue_account_id or 0),
            "tax_free_account": account.get(interface.tax_free_account_id or 0),
            "disbursement_account": account.get(interface.disbursement_account_id or 0),
            "revenue_tax": tax.get(interface.revenue_tax_id or 0),
            "tax_free_tax": tax.get(interface.tax_free_tax_id or 0),
        }


def codes_of(interface: AccountingInterface) -> CodesOf:
    """The lists, rules and mappings of the interface. Needs a scope."""
    accounts, taxes = accounts_of(interface), taxes_of(interface)
    account = {one.pk: one for one in accounts}
    tax = {one.pk: one for one in taxes}
    rules = list(CodeRule.objects.filter(interface=interface))
    for rule in rules:
        rule.account = account[rule.account_id]
    of_interface = {"interface": interface}
    return CodesOf(
        accounts=accounts,
        taxes=taxes,
        rules=rules,
        account_mappings={
            one.code: account[one.account_id]
            for one in AccountMapping.objects.filter(**of_interface)
        },
        tax_mappings={
            one.code: tax[one.tax_id] for one in TaxMapping.objects.filter(**of_interface)
        },
    )


def with_stale_codes() -> list[tuple[int, int]]:
    """(practice, interface) of those in use whose codes were last read over a day ago."""
    known = Lane.objects.order_by("practice_id").values_list("practice_id", "interface_id")
    by_practice: dict[int, list[int]] = {}
    for practice_id, interface_id in known:
        by_practice.setdefault(practice_id, []).append(interface_id)
    stale: list[tuple[int, int]] = []
    for practice_id, interface_ids in by_practice.items():
        with acting_for(practice_id):
            old = Q(codes_read_at__isnull=True) | Q(codes_read_at__lt=clock.now() - CODES_LAST)
            found = AccountingInterface.objects.filter(
                old, pk__in=interface_ids, state=State.CONNECTED
            )
            stale += [(practice_id, pk) for pk in found.values_list("pk", flat=True)]
    return stale


def sharing_company_file(
    interface: AccountingInterface, company_file_id: str
) -> list[AccountingInterface]:
    """The practice's other live interfaces to the same company file. Needs a scope."""
    if not company_file_id:
        return []
    return [one for one in others_in_use(interface) if one.company_file_id == company_file_id]


def others_in_use(interface: AccountingInterface) -> list[AccountingInterface]:
    """The practice's other interfaces to company files of the package. Needs a scope."""
    others = AccountingInterface.objects.filter(
        package_key=interface.package_key,
        # The books of a rehearsal are its own, whatever they are called.
        rehearsal_token=interface.rehearsal_token,
    ).exclude(pk=interface.pk)
    ended = Q(state__in=[State.DISCONNECTED, State.NOT_CONNECTED]) | Q(company_file_id="")
    return list(others.exclude(ended).order_by("name"))


def is_assisted(interface: AccountingInterface) -> bool:
    """Whether it can only go live by being confirmed at the hand-over by Abtrac's support.

    The package says so, whatever became of the request: withdrawn, nothing goes live and nothing
    is charged.
    """
    return interface.package.set_up_by is SetUpBy.SUPPORT and not interface.is_rehearsal


def missing_defaults(interface: AccountingInterface) -> list[str]:
    """The defaults without which lines that set no code of their own cannot be sent."""
    needed = {
        "revenue account": interface.revenue_account_id,
        "disbursement account": interface.disbursement_account_id,
        "tax code for revenue": interface.revenue_tax_id,
        "tax code for tax-free revenue": interface.tax_free_tax_id,
    }
    return [name for name, chosen in needed.items() if chosen is None]


@dataclass(frozen=True, kw_only=True)
class CodeToMend:
    """A code that is chosen somewhere and that no line may carry any more."""

    interface_id: int
    interface_name: str
    code: str
    why: str
    used: list[str]


def codes_to_mend(interface: AccountingInterface | None = None) -> list[CodeToMend]:
    """Those of the interface, or of all that are in use, in one query. Needs a scope.

    Told before the next upload, which would refuse every line that comes to one of them.
    """
    accounts = _gone(AccountCode, "revenue_account", "tax_free_account", "disbursement_account")
    accounts = accounts.annotate(
        in_rule=Exists(CodeRule.objects.filter(account=OuterRef("pk"))),
        is_mapped=Exists(AccountMapping.objects.filter(account=OuterRef("pk"))),
    )
    taxes = _gone(TaxCode, "revenue_tax", "tax_free_tax").annotate(
        # Rules give accounts only.
        in_rule=Exists(TaxCode.objects.none()),
        is_mapped=Exists(TaxMapping.objects.filter(tax=OuterRef("pk"))),
    )
    columns = ("interface_id", "interface__name", "code", "name", "why", *USED)
    found = [
        rows.filter(Q(is_default=True) | Q(in_rule=True) | Q(is_mapped=True))
        .filter(Q(interface=interface) if interface else ~Q(interface__state=State.DISCONNECTED))
        .order_by()
        .values_list(*columns)
        for rows in (accounts, taxes)
    ]
    mended = [
        CodeToMend(
            interface_id=pk,
            interface_name=named,
            code=f"{code} {name}",
            why=why,
            used=[word for word, uses in zip(USED.values(), used, strict=True) if uses],
        )
        for pk, named, code, name, why, *used in found[0].union(found[1], all=True)
    ]
    return sorted(mended, key=lambda one: (one.interface_name, one.code))


# How a code can be chosen, and what people call that.
USED = {"is_default": "a default", "in_rule": "a rule", "is_mapped": "a code of Abtrac's"}


def _gone(model: Any, *defaults: str) -> QuerySet[Any]:
    """The codes that no line may carry, why, and whether one of these defaults is it."""
    as_default = Q()
    for name in defaults:
        as_default |= Q(**{f"interface__{name}": F("pk")})
    gone = Q(vanished_at__isnull=False) | Q(active=False) | Q(usable_for_sales=False)
    rows: QuerySet[Any] = model.objects.filter(gone).annotate(
        # In the words of `PackageCode.why_not`.
        why=Case(
            When(vanished_at__isnull=False, then=Value("is no longer in the package's list")),
            When(active=False, then=Value("is archived")),
            default=Value("cannot be used on sales lines"),
            output_field=CharField(),
        ),
        is_default=Case(When(as_default, then=Value(True)), default=Value(False)),
    )
    return rows


def accounts_of(interface: AccountingInterface) -> list[AccountCode]:
    """Every account code, by code. Needs a scope."""
    return list(AccountCode.objects.filter(interface=interface).order_by("code"))


def taxes_of(interface: AccountingInterface) -> list[TaxCode]:
    """Every tax code. Needs a scope."""
    return list(TaxCode.objects.filter(interface=interface).order_by("name"))


def all_of_practice() -> QuerySet[AccountingInterface]:
    """Every interface, with its practice, its lane, who connected it and who sets it up."""
    asked = ("set_up_request__taken_by", "set_up_request__asked_by")
    together = ("practice", "lane", "credential__connected_by", *asked)
    return AccountingInterface.objects.select_related(*together).order_by("name")


def standing_of(interface: AccountingInterface) -> dict[str, Any]:
    """What the interface's own page tells of it. Needs a scope."""
    accounts, taxes = accounts_of(interface), taxes_of(interface)
    mending = codes_to_mend(interface)
    told = {one.code for one in mending}
    return {
        "missing": missing_defaults(interface),
        "sharing": sharing_company_file(interface, interface.company_file_id),
        "defaults": _defaults_in_words(interface, accounts, taxes),
        "accounts_offered": sum(one.available and one.can_be_used for one in accounts),
        "taxes_offered": sum(one.available and one.can_be_used for one in taxes),
        "mending": mending,
        "vanished": [
            str(one)
            for one in (*accounts, *taxes)
            if one.available and one.vanished_at and str(one) not in told
        ],
    }


def _defaults_in_words(
    interface: AccountingInterface, accounts: list[AccountCode], taxes: list[TaxCode]
) -> list[tuple[str, AccountCode | TaxCode | None]]:
    account = {one.pk: one for one in accounts}
    tax = {one.pk: one for one in taxes}
    return [
        ("Revenue", account.get(interface.revenue_account_id or 0)),
        ("Tax-free revenue", account.get(interface.tax_free_account_id or 0)),
        ("Disbursements", account.get(interface.disbursement_account_id or 0)),
        ("Tax on taxed lines", tax.get(interface.revenue_tax_id or 0)),
        ("Tax on tax-free lines", tax.get(interface.tax_free_tax_id or 0)),
    ]


def settings_in_words(interface: AccountingInterface) -> dict[str, str]:
    """Its name and preferences, for the record of what was before and after."""
    return {"display name": interface.name, **dict(preferences_in_words(interface))}


def preferences_in_words(interface: AccountingInterface) -> list[tuple[str, str]]:
    """Each preference and its value as a person reads it; secrets only as kept or not."""
    return [(one.label, _value_in_words(one, interface)) for one in interface.settings]


def _value_in_words(setting: Setting, interface: AccountingInterface) -> str:
    value = interface.preference(setting.key)
    if setting.kind == "secret":
        return "Kept" if value else "Not set"
    if setting.kind == "boolean":
        return "Yes" if value else "No"
    return "Not set" if value in {"", None} else str(dict(setting.choices).get(value, value))
