"""The settings of one interface taken over into another to the same package."""

from typing import Any

import pytest

from interfaces.copying import DEFAULTS, NotTheSamePackage, copy_settings
from interfaces.models import (
    AccountCode,
    AccountingInterface,
    AccountMapping,
    CodeRule,
    TaxCode,
    TaxMapping,
)
from interfaces.preferences import save_preferences, settings_for
from offices.models import AuditEntry, Practice
from offices.tenancy import acting_for
from tests.factories import make_interface, make_member
from tests.interfaces.ledger import LedgerServer
from tests.invoicing.pages import client_of, said, text_of

pytestmark = pytest.mark.django_db

Pair = tuple[AccountingInterface, AccountingInterface]


@pytest.fixture
def pair(practice: Practice, server: LedgerServer) -> Pair:
    """One with preferences, rules and mappings; one as it was made, without account 260."""
    with acting_for(practice.pk):
        source = make_interface(package_key="ledger", name="Auckland")
        target = make_interface(package_key="ledger", name="Wellington")
        accounts = {one.code: one for one in AccountCode.objects.filter(interface=source)}
        taxes = {one.code: one for one in TaxCode.objects.filter(interface=source)}
        AccountCode.objects.filter(interface=target, code="260").delete()
        TaxCode.objects.filter(interface=target, code="ZERORATED").update(active=False)
        AccountCode.objects.filter(interface=source, code="210").update(available=False)
        for task, code in (("Design", "200"), ("Survey", "260")):
            CodeRule.objects.create(
                interface=source, scope="task", subject=task, account=accounts[code]
            )
        CodeRule.objects.create(
            interface=target,
            scope="task",
            subject="Design",
            account=AccountCode.objects.get(interface=target, code="210"),
        )
        AccountMapping.objects.create(interface=source, code="4000", account=accounts["200"])
        TaxMapping.objects.create(interface=source, code="GST", tax=taxes["OUTPUT2"])
        source.revenue_account = accounts["200"]
        source.tax_free_account = accounts["260"]
        source.save()
        AccountingInterface.objects.filter(pk=target.pk).update(
            revenue_account=None, revenue_tax=None
        )
        target.refresh_from_db()
    return source, target


def test_what_is_in_both_goes_over_and_the_rest_is_named(practice: Practice, pair: Pair) -> None:
    source, target = pair
    with acting_for(practice.pk):
        copied = copy_settings(source=source, target=target)
        target.refresh_from_db()
        assert str(target.revenue_account) == "200 Sales"
        assert target.revenue_account.interface_id == target.pk  # type: ignore[union-attr]
        assert target.tax_free_account is None
        # Archived there: what was chosen before stays, and is told.
        assert copied.left == ["260", "ZERORATED"]
        rules = CodeRule.objects.filter(interface=target).values_list("subject", "account__code")
        assert list(rules) == [("Design", "200")]
        assert AccountMapping.objects.get(interface=target).account.interface_id == target.pk
        assert TaxMapping.objects.get(interface=target).tax.interface_id == target.pk
        assert not AccountCode.objects.get(interface=target, code="210").available
        assert copied.preferences
        assert (copied.rules, copied.mappings) == (1, 2)


def test_secrets_stay_where_they_are(practice: Practice, pair: Pair) -> None:
    source, target = pair
    secret = next(one.key for one in source.package.settings if one.kind == "secret")
    with acting_for(practice.pk):
        save_preferences(source, {secret: "do not tell"})
        save_preferences(target, {secret: "our own"})
        copy_settings(source=source, target=target)
        target.refresh_from_db()
        assert settings_for(target)[secret] == "our own"


def test_only_between_two_interfaces_of_one_package(practice: Practice, pair: Pair) -> None:
    source, target = pair
    with acting_for(practice.pk):
        target.package_key = "other"
        for one in (target, source):
            with pytest.raises(NotTheSamePackage):
                copy_settings(source=source, target=one)


def test_it_is_done_from_the_page_of_preferences_and_recorded(
    practice: Practice, pair: Pair
) -> None:
    source, target = pair
    browser = client_of(make_member(practice))
    address = f"/{practice.slug}/accounting/interfaces/{target.pk}/preferences/"
    assert "Settings of another interface" in text_of(browser.get(address))
    wrong: list[dict[str, Any]] = [{}, {"copy_from": target.pk}, {"copy_from": 987654}]
    for one in wrong:
        answer = browser.post(f"{address}copy/", one, follow=True)
        assert said(answer) == ["Choose an interface first."]
    answer = browser.post(f"{address}copy/", {"copy_from": source.pk}, follow=True)
    assert "260, ZERORATED" in said(answer)[1]
    with acting_for(practice.pk):
        entry = AuditEntry.objects.get(action="interface.settings_copied")
    assert entry.detail["before"]["defaults"]["revenue_account"] == ""
    assert entry.detail["after"]["defaults"]["revenue_account"] == "200 Sales"
    assert entry.detail["source"] == "Auckland"
    # Of the rest too: what it was and what it is, and only what is another by now.
    changes = {
        (kind, key, was, entry.detail["after"][kind][key])
        for kind, rows in entry.detail["before"].items()
        for key, was in rows.items()
        if kind not in ("preferences", "defaults")
    }
    assert changes == {
        ("rules", "Task Design", "210 Recoveries", "200 Sales"),
        ("account_mappings", "4000", "", "200 Sales"),
        ("tax_mappings", "GST", "", "OUTPUT2 15% GST on Income"),
        ("accounts_offered", "210", True, False),
        ("taxes_offered", "ZERORATED", True, False),
    }
    told = text_of(browser.get(address.replace("preferences", "history")))
    assert "Rules: Task Design 210 Recoveries → Task Design 200 Sales" in told
    assert "Tax free account" not in told


@pytest.mark.parametrize(
    ("allowed", "defaults", "rules", "refused"),
    [
        # The account for disbursements does not take both of the tax codes that they get.
        (
            {"210": ["OUTPUT2"]},
            {"revenue_account": "200", "revenue_tax": "OUTPUT2", "tax_free_tax": "ZERORATED"},
            {"Design": "200", "Survey": "260"},
            ["210 Recoveries"],
        ),
        # A tax code goes with no account that lines go to.
        (
            {"200": ["OUTPUT2"], "210": ["OUTPUT2"], "260": ["OUTPUT2"]},
            {"revenue_account": "200", "disbursement_account": "210", "revenue_tax": "OUTPUT2"},
            {"Design": "200", "Survey": "260"},
            ["ZERORATED Zero Rated"],
        ),
        # An account of a rule takes nothing that lines get.
        (
            {"260": ["INPUT2"]},
            {
                "revenue_account": "200",
                "disbursement_account": "210",
                "revenue_tax": "OUTPUT2",
                "tax_free_tax": "ZERORATED",
            },
            {"Design": "200"},
            ["260 Other revenue"],
        ),
    ],
)
def test_what_the_package_does_not_take_together_there_is_left_out_and_told(
    practice: Practice,
    server: LedgerServer,
    allowed: dict[str, list[str]],
    defaults: dict[str, str],
    rules: dict[str, str],
    refused: list[str],
) -> None:
    with acting_for(practice.pk):
        source = make_interface(package_key="ledger", name="Auckland")
        target = make_interface(package_key="ledger", name="Wellington")
        AccountingInterface.objects.filter(pk=target.pk).update(**dict.fromkeys(DEFAULTS))
        for subject, code in (("Design", "200"), ("Survey", "260")):
            account = AccountCode.objects.get(interface=source, code=code)
            CodeRule.objects.create(
                interface=source, scope="task", subject=subject, account=account
            )
        zero = TaxCode.objects.get(interface=source, code="ZERORATED")
        TaxMapping.objects.create(interface=source, code="EXPORT", tax=zero)
        for code, taxes in allowed.items():
            found = AccountCode.objects.filter(interface=target, code=code)
            found.update(allowed_tax_codes=taxes)
    browser = client_of(make_member(practice))
    address = f"/{practice.slug}/accounting/interfaces/{target.pk}/preferences/copy/"
    answer = browser.post(address, {"copy_from": source.pk}, follow=True)
    for one in refused:
        assert one in said(answer)[1]
    with acting_for(practice.pk):
        target.refresh_from_db()
        chosen = {name: getattr(target, name) for name in DEFAULTS}
        assert {name: one.code for name, one in chosen.items() if one} == defaults
        kept = CodeRule.objects.filter(interface=target).values_list("subject", "account__code")
        assert dict(kept) == rules
        mapped = TaxMapping.objects.filter(interface=target, tax__code="ZERORATED").exists()
        assert mapped is ("ZERORATED Zero Rated" not in refused)
        entry = AuditEntry.objects.get(action="interface.settings_copied")
    assert entry.detail["refused"] == refused
