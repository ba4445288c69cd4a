"""Reads that span interfaces."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet

from connectors.base.protocol import Setting
from interfaces import clock
from interfaces.models import (
    AccountCode,
    AccountingInterface,
    AccountMapping,
    CodeRule,
    Lane,
    SetUpRequest,
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
    others = AccountingInterface.objects.filter(
        package_key=interface.package_key,
        company_file_id=company_file_id,
        # The books of a rehearsal are its own, whatever they are called.
        rehearsal_token=interface.rehearsal_token,
    ).exclude(pk=interface.pk)
    return list(others.exclude(state__in=[State.DISCONNECTED, State.NOT_CONNECTED]))


def is_assisted(interface: AccountingInterface) -> bool:
    """Whether Abtrac's support sets it up, so that its going live is confirmed at the hand-over."""
    asked = SetUpRequest.objects.filter(interface=interface)
    return asked.exclude(state=SetUpRequest.State.WITHDRAWN).exists()


def missing_defaults(interface: AccountingInterface) -> list[str]:
    """The defaults without which lines that set no code of their own cannot be sent."""
    needed = {
        "revenue account": interface.revenue_account_id,
        "disbursement account": interface.disbursement_account_id,
        "tax code for revenue": interface.revenue_tax_id,
        "tax code for tax-free revenue": interface.tax_free_tax_id,
    }
    return [name for name, chosen in needed.items() if chosen is None]


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
    return {
        "missing": missing_defaults(interface),
        "sharing": sharing_company_file(interface, interface.company_file_id),
        "defaults": _defaults_in_words(interface, accounts, taxes),
        "accounts_offered": sum(one.available and one.can_be_used for one in accounts),
        "taxes_offered": sum(one.available and one.can_be_used for one in taxes),
        "vanished": [str(one) for one in (*accounts, *taxes) if one.available and one.vanished_at],
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


def preferences_in_words(interface: AccountingInterface) -> list[tuple[str, str]]:
    """Each preference and its value as a person reads it; secrets only as kept or not."""
    return [(one.label, _value_in_words(one, interface)) for one in interface.package.settings]


def _value_in_words(setting: Setting, interface: AccountingInterface) -> str:
    value = interface.preference(setting.key)
    if setting.kind == "secret":
        return "Kept" if value else "Not set"
    if setting.kind == "boolean":
        return "Yes" if value else "No"
    return "Not set" if value in {"", None} else str(dict(setting.choices).get(value, value))
