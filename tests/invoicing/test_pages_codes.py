"""The page of codes: what invoices need, what is suggested for it, and what is refused."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from interfaces.models import (
    AccountCode,
    AccountingInterface,
    AccountMapping,
    CodeRule,
    TaxCode,
    TaxMapping,
)
from invoicing.codes_in_use import codes_in_use
from invoicing.models import Batch, Invoice, InvoiceLine, InvoiceSetting, Upload
from offices.models import AuditEntry, Office, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_job,
    make_member,
    make_office,
    make_setting,
)
from tests.invoicing.pages import client_of, counted_queries, said, text_of, url

pytestmark = pytest.mark.django_db

Scope = CodeRule.Scope
DEFAULTS = ("revenue_account", "disbursement_account", "revenue_tax", "tax_free_tax")


@pytest.fixture
def admin(practice: Practice) -> User:
    """An admin."""
    return make_member(practice, Role.ADMIN, "ana@harbour.example")


@pytest.fixture
def browser(admin: User) -> Client:
    """The admin's browser."""
    return client_of(admin)


@pytest.fixture
def interface(practice: Practice) -> AccountingInterface:
    """An interface whose codes nobody has chosen yet; its accounts take what each says."""
    with acting_for(practice.pk):
        made = make_interface(name="Xero Auckland", live_since=None)
        AccountCode.objects.filter(code="200").update(kind="Sales", default_tax_code="OUTPUT2")
        AccountCode.objects.exclude(code="200").update(kind="Revenue")
        AccountCode.objects.update(allowed_tax_codes=["OUTPUT2", "ZERORATED"])
        AccountCode.objects.create(
            interface=made, code="493", name="Travel", kind="Expense", allowed_tax_codes=["INPUT2"]
        )
        TaxCode.objects.create(interface=made, code="INPUT2", name="15% GST on Expenses", rate=15)
        for name in DEFAULTS:
            setattr(made, name, None)
        made.save()
    return made


@pytest.fixture
def office(interface: AccountingInterface) -> Office:
    """The office whose invoices are to go there."""
    with acting_for(interface.practice_id):
        return make_office(make_setting(interface))


def invoice_of(office: Office, *, nets: tuple[str, ...] = ("100.00",), **fields: Any) -> Invoice:
    """A committed invoice of the office."""
    with acting_for(office.practice_id):
        return make_invoice(office, make_client(), nets=nets, **fields)


def at(interface: AccountingInterface, path: str = "") -> str:
    return url(interface.practice, f"interfaces/{interface.pk}/codes/{path}")


def offered(interface: AccountingInterface) -> dict[str, Any]:
    """What the page posts for codes that are offered, as nothing else is changed."""
    now = reload(interface)
    with acting_for(interface.practice_id):
        return {
            **{name: getattr(now, f"{name}_id") or "" for name in (*DEFAULTS, "tax_free_account")},
            "account": list(interface.accounts.values_list("pk", flat=True)),
            "tax": list(interface.taxes.values_list("pk", flat=True)),
        }


def pk_of(interface: AccountingInterface, code: str) -> int:
    with acting_for(interface.practice_id):
        rows = [*interface.accounts.filter(code=code), *interface.taxes.filter(code=code)]
    return int(rows[0].pk)


def field_of(prefix: str, code: str) -> str:
    return f"map_{prefix}_{code.encode().hex()}"


def reload(interface: AccountingInterface) -> AccountingInterface:
    with acting_for(interface.practice_id):
        return AccountingInterface.objects.select_related(*DEFAULTS, "practice").get(
            pk=interface.pk
        )


def mapped(interface: AccountingInterface) -> dict[str, str]:
    with acting_for(interface.practice_id):
        accounts = AccountMapping.objects.filter(interface=interface)
        taxes = TaxMapping.objects.filter(interface=interface)
        found = dict(accounts.values_list("code", "account__code"))
        return found | dict(taxes.values_list("code", "tax__code"))


def entries(interface: AccountingInterface) -> list[tuple[str, dict[str, Any]]]:
    with acting_for(interface.practice_id):
        return list(AuditEntry.objects.order_by("pk").values_list("action", "detail"))


# --- What is in use -----


def test_codes_in_use_are_those_of_invoices_that_have_yet_to_go(
    interface: AccountingInterface, office: Office
) -> None:
    coded = {"account_code": "4000", "tax_code": "S15"}
    invoice_of(office, nets=("100.00", "200.00"), line_fields=coded)
    invoice_of(office, nets=("-100.00",), line_fields=coded)
    invoice_of(office, tax_code="INV", line_fields={"account_code": "5000"})
    invoice_of(office)
    gone: dict[str, Any] = {"line_fields": {"account_code": "9", "tax_code": "GONE"}}
    invoice_of(office, committed=False, **gone)
    invoice_of(office, parked_at=timezone.now(), **gone)
    invoice_of(office, in_accounts_at=timezone.now(), **gone)
    sent = invoice_of(office, in_upload=True, **gone)
    with acting_for(office.practice_id):
        elsewhere = make_office(make_setting(None, name="Unlinked"))
        batch = Batch.objects.create(number=1)
        Upload.objects.create(
            interface=interface,
            batch=batch,
            kind=Upload.Kind.INVOICE,
            invoice=sent,
            state=Upload.State.SENT,
            document={},
            sent_at=timezone.now(),
            remote_id="r1",
        )
    invoice_of(elsewhere, line_fields={"account_code": "7777", "tax_code": "ELSE"})
    with acting_for(office.practice_id), counted_queries() as queries:
        found = codes_in_use(interface)
    assert len(queries) == 2
    assert [(one.code, one.lines) for one in found.accounts] == [("4000", 3), ("5000", 1)]
    assert [(one.code, one.lines, one.net, one.percent) for one in found.taxes] == [
        ("INV", 1, Decimal(100), "15 %"),
        ("S15", 3, Decimal(400), "15 %"),
    ]
    assert found.taxed is not None
    assert (found.taxed.lines, found.taxed.rate) == (1, Decimal(15))
    with acting_for(office.practice_id):
        InvoiceSetting.objects.filter(interface=interface).update(interface=None)
        other = [one.code for one in codes_in_use(interface).accounts]
    assert other == ["4000", "5000", "7777"]


# --- Suggestions on the page -----


def test_exact_suggestions_are_taken_all_at_once_and_near_ones_by_their_own_tick(
    interface: AccountingInterface, office: Office, browser: Client
) -> None:
    invoice_of(office, line_fields={"account_code": "SALES", "tax_code": "S15"})
    invoice_of(office)
    page = browser.get(at(interface))
    told = text_of(page)
    for words in (
        "Use 200 Sales (commonly used there: Sales)",
        "Tax code for taxed lines (1 line at 15 %)",
        "Use OUTPUT2 15% GST on Income (same rate, 15 %)",
        "Use ZERORATED Zero Rated (same rate, 0 %)",
        "Use 210 Recoveries (by its name)",
        "Account code SALES (1 line)",
        "Use 200 Sales (same name)",
        "Tax code S15 (1 line at 15 %)",
        "Accept all exact (4)",
        "Save and continue",
    ):
        assert words in told, words
    assert "checked" not in page.content.decode().split("Manage GL")[0]
    exact = [one.accepts for one in page.context["exact"]]
    sent = offered(interface) | {"exact": exact, "accept_exact": "1", "next": at(interface, "?x")}
    answer = browser.post(at(interface, "save/"), sent)
    assert answer["Location"].startswith(at(interface, "?next="))
    after = reload(interface)
    assert (str(after.revenue_tax), str(after.tax_free_tax)) == (
        "OUTPUT2 15% GST on Income",
        "ZERORATED Zero Rated",
    )
    assert (after.revenue_account, after.disbursement_account) == (None, None)
    assert mapped(interface) == {"SALES": "200", "S15": "OUTPUT2"}
    page = browser.get(answer["Location"])
    assert "Accept all exact" not in text_of(page)
    near = [one.accepts for one in page.context["needs"] if one.suggestion]
    chosen = {one.field.name: one.field.value() or "" for one in page.context["needs"]}
    sent = offered(interface) | chosen | {"accept": near, "next": page.context["next"]}
    answer = browser.post(at(interface, "save/"), sent)
    assert answer["Location"] == at(interface, "?x")
    after = reload(interface)
    assert (str(after.revenue_account), str(after.disbursement_account)) == (
        "200 Sales",
        "210 Recoveries",
    )
    (first, one), (_, two) = entries(interface)
    assert first == "interface.codes_set"
    assert one["before"]["revenue_tax"] == ""
    assert one["after"]["Account code SALES"] == "200 Sales"
    assert two["after"] == {
        "revenue_account": "200 Sales",
        "disbursement_account": "210 Recoveries",
    }


def test_nothing_is_chosen_without_a_tick(
    interface: AccountingInterface, office: Office, browser: Client
) -> None:
    invoice_of(office)
    exact = [one.accepts for one in browser.get(at(interface)).context["exact"]]
    assert exact
    browser.post(at(interface, "save/"), offered(interface) | {"exact": exact})
    assert reload(interface).revenue_tax is None
    assert entries(interface) == []


def test_a_tick_never_takes_back_what_was_chosen_beside_it(
    interface: AccountingInterface, browser: Client
) -> None:
    accept = f"revenue_account={pk_of(interface, '200')}"
    sent = offered(interface) | {"revenue_account": pk_of(interface, "260"), "accept": accept}
    page = text_of(browser.post(at(interface, "save/"), sent))
    assert "You chose 260 Other revenue and ticked 200 Sales. Leave only one of them." in page
    browser.post(at(interface, "save/"), sent | {"exact": accept, "accept": "", "accept_exact": 1})
    assert str(reload(interface).revenue_account) == "260 Other revenue"


@pytest.mark.parametrize("wrong", ["revenue_account=999999", "revenue_account=x", "a=1", "", "²=²"])
def test_a_tick_for_what_is_not_there_is_refused_or_passed_over(
    interface: AccountingInterface, browser: Client, wrong: str
) -> None:
    sent = offered(interface) | {"accept": wrong, field_of("account", "\0"): "1", "map_tax_zz": "1"}
    answer = browser.post(at(interface, "save/"), sent, follow=True)
    assert answer.status_code == 200
    assert reload(interface).revenue_account is None
    assert mapped(interface) == {}


def test_the_next_page_is_one_of_this_practice_or_none(
    interface: AccountingInterface, browser: Client
) -> None:
    for there in ("https://evil.example/", "//evil.example", "/other/accounting/"):
        answer = browser.post(at(interface, "save/"), offered(interface) | {"next": there})
        assert answer["Location"] == at(interface)
    with acting_for(interface.practice_id):
        AccountingInterface.objects.update(live_since=timezone.now())
    page = text_of(browser.get(at(interface)))
    assert "Save and continue" not in page


# --- Mappings -----


def test_a_mapping_is_kept_shown_changed_and_taken_away(
    interface: AccountingInterface, office: Office, browser: Client
) -> None:
    invoice_of(office, line_fields={"account_code": "4000 <b>"})
    name = field_of("account", "4000 <b>")
    for code in ("200", "260"):
        sent = offered(interface) | {name: pk_of(interface, code)}
        browser.post(at(interface, "save/"), sent)
        assert mapped(interface) == {"4000 <b>": code}
    with acting_for(office.practice_id):
        InvoiceLine.objects.update(account_code="")
    page = browser.get(at(interface))
    assert "Account code 4000 <b> (on no invoice that has yet to go)" in text_of(page)
    assert "<b>" not in page.content.decode()
    browser.post(at(interface, "save/"), offered(interface) | {name: ""})
    assert mapped(interface) == {}
    last = entries(interface)[-1][1]
    assert (last["before"], last["after"]) == (
        {"Account code 4000 <b>": "260 Other revenue"},
        {"Account code 4000 <b>": ""},
    )


def test_a_code_the_package_has_needs_nothing(
    interface: AccountingInterface, office: Office, browser: Client
) -> None:
    invoice_of(office, line_fields={"account_code": "260", "tax_code": "OUTPUT2"})
    page = browser.get(at(interface))
    assert "Same code: 260 Other revenue" in text_of(page)
    assert "Same code: 15% GST on Income (OUTPUT2, 15 %)" in text_of(page)
    [need] = [one for one in page.context["needs"] if one.label == "Account code 260"]
    assert need.suggestion is None


def test_the_page_costs_the_same_however_many_codes_are_in_use(
    interface: AccountingInterface, office: Office, browser: Client
) -> None:
    costs = []
    browser.get(at(interface))
    for more in (1, 12):
        for number in range(more):
            invoice_of(office, line_fields={"account_code": f"{more}-{number}", "tax_code": "S15"})
        with counted_queries() as queries:
            assert browser.get(at(interface)).status_code == 200
        costs.append(len(queries))
    assert costs[0] == costs[1], queries


# --- Pairs -----


def test_defaults_the_package_does_not_take_together_are_refused_with_what_would_do(
    interface: AccountingInterface, browser: Client
) -> None:
    sent = offered(interface) | {
        "revenue_account": pk_of(interface, "200"),
        "revenue_tax": pk_of(interface, "INPUT2"),
    }
    page = text_of(browser.post(at(interface, "save/"), sent))
    assert (
        "Xero does not take tax code INPUT2 15% GST on Expenses with account 200 Sales."
        " Xero takes OUTPUT2 or ZERORATED with 200 Sales."
    ) in page
    assert reload(interface).revenue_account is None
    sent["revenue_tax"] = pk_of(interface, "OUTPUT2")
    sent["disbursement_account"] = pk_of(interface, "493")
    page = text_of(browser.post(at(interface, "save/"), sent))
    assert "Xero takes INPUT2 with 493 Travel." in page


def test_a_pair_nobody_touched_does_not_stop_the_rest_from_being_saved(
    interface: AccountingInterface, browser: Client
) -> None:
    with acting_for(interface.practice_id):
        interface.revenue_account = AccountCode.objects.get(code="200")
        interface.revenue_tax = TaxCode.objects.get(code="INPUT2")
        interface.save()
    sent = offered(interface) | {
        "revenue_account": pk_of(interface, "200"),
        "revenue_tax": pk_of(interface, "INPUT2"),
        "tax_free_tax": pk_of(interface, "ZERORATED"),
    }
    browser.post(at(interface, "save/"), sent)
    assert str(reload(interface).tax_free_tax) == "ZERORATED Zero Rated"


@pytest.mark.parametrize("left_out", ["everything", "revenue_tax", "tax_free_account"])
def test_a_form_that_comes_incomplete_is_refused_and_changes_nothing(
    interface: AccountingInterface, browser: Client, left_out: str
) -> None:
    chosen = offered(interface) | {"revenue_account": pk_of(interface, "260")}
    browser.post(at(interface, "save/"), chosen)
    sent = offered(interface) | {"account": []}
    sent = {} if left_out == "everything" else {k: v for k, v in sent.items() if k != left_out}
    page = browser.post(at(interface, "save/"), sent, follow=True)
    assert said(page)[-1] == "That form came incomplete, so nothing was saved."
    assert reload(interface).revenue_account_id == chosen["revenue_account"]
    with acting_for(interface.practice_id):
        assert not AccountCode.objects.filter(available=False).exists()
        assert AuditEntry.objects.filter(action="interface.codes_set").count() == 1


@pytest.mark.parametrize(
    ("taxed", "tax_free", "warnings"),
    [
        ("OUTPUT2", "ZERORATED", []),
        (
            *("OUTPUT", "ZERORATED"),
            ["Tax code for taxed lines is OUTPUT at 10 %, but your lines were taxed at 15 %."],
        ),
        (
            *("OUTPUT2", "OUTPUT"),
            ["Tax code for tax-free lines is OUTPUT at 10 %, but tax-free lines carry no tax."],
        ),
        ("", "", []),
    ],
)
def test_a_default_of_another_rate_than_the_lines_is_saved_with_a_warning(
    interface: AccountingInterface,
    office: Office,
    browser: Client,
    taxed: str,
    tax_free: str,
    warnings: list[str],
) -> None:
    invoice_of(office)
    with acting_for(interface.practice_id):
        AccountCode.objects.update(allowed_tax_codes=None)
        TaxCode.objects.create(interface=interface, code="OUTPUT", name="10% GST", rate=10)
    sent = {
        "revenue_tax": taxed and pk_of(interface, taxed),
        "tax_free_tax": tax_free and pk_of(interface, tax_free),
        "next": at(interface),
    }
    page = browser.post(at(interface, "save/"), offered(interface) | sent, follow=True)
    assert said(page) == ["Codes and defaults are saved.", *warnings]
    after = reload(interface)
    assert (after.revenue_tax.code if after.revenue_tax else "") == taxed


def test_what_somebody_else_mapped_since_the_page_was_shown_stays(
    interface: AccountingInterface, browser: Client
) -> None:
    with acting_for(interface.practice_id):
        account = AccountCode.objects.get(code="260")
        AccountMapping.objects.create(interface=interface, code="FEES", account=account)
    browser.post(at(interface, "save/"), offered(interface))
    with acting_for(interface.practice_id):
        assert AccountMapping.objects.get(code="FEES").account == account


def test_a_list_in_which_nothing_is_offered_says_why(
    interface: AccountingInterface, browser: Client
) -> None:
    why = "No code is offered: tick some under “Manage {} codes” below."
    page = text_of(browser.get(at(interface)))
    assert "No code is offered" not in page
    with acting_for(interface.practice_id):
        TaxCode.objects.update(available=False)
    page = text_of(browser.get(at(interface)))
    assert page.count(why.format("tax")) == 2
    assert why.format("GL account") not in page
    with acting_for(interface.practice_id):
        AccountCode.objects.update(available=False)
    assert text_of(browser.get(at(interface))).count(why.format("GL account")) == 3


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("account", "493", "Xero takes INPUT2 with 493 Travel. Lines here get OUTPUT2."),
        ("tax", "INPUT2", "with any account that lines here go to: 200 Sales."),
    ],
)
def test_a_mapping_to_what_no_line_here_could_carry_is_refused(
    interface: AccountingInterface,
    office: Office,
    browser: Client,
    kind: str,
    code: str,
    words: str,
) -> None:
    invoice_of(office, line_fields={f"{kind}_code": "OURS"})
    name = field_of(kind, "OURS")
    sent = offered(interface) | {
        "revenue_account": pk_of(interface, "200"),
        "revenue_tax": pk_of(interface, "OUTPUT2"),
        name: pk_of(interface, code),
    }
    if kind == "tax":
        # The mapped tax code itself is reached; only accounts decide whether it could go.
        sent["tax_free_account"] = ""
    assert words in text_of(browser.post(at(interface, "save/"), sent))
    assert mapped(interface) == {}


# --- Rules -----


def test_a_rule_is_added_changed_and_removed_and_each_is_recorded(
    interface: AccountingInterface, office: Office, browser: Client
) -> None:
    with acting_for(interface.practice_id):
        make_job(make_client(), job_type="Houses", department="North")
    invoice_of(office, line_fields={"task": "Design", "disbursement_type": "Travel"})
    page = browser.get(at(interface, "rules/"))
    groups = [label for label, _ in page.context["form"].fields["subject"].choices[1:]]
    assert groups == [str(scope.label) for scope in Scope]
    subject = f"{Scope.OFFICE}|{office.abtrac_id}"
    sent = {"subject": subject, "account": pk_of(interface, "260")}
    page = browser.post(at(interface, "rules/"), sent, follow=True)
    assert said(page) == ["Office Auckland goes to 260 Other revenue."]
    sent = {"other_scope": Scope.TASK, "other_subject": "Survey", "account": sent["account"]}
    browser.post(at(interface, "rules/"), sent, follow=True)
    with acting_for(interface.practice_id):
        rules = {one.scope: one for one in CodeRule.objects.all()}
    change = at(interface, f"rules/{rules['office'].pk}/")
    page = browser.post(change, {"account": pk_of(interface, "210")}, follow=True)
    assert said(page) == ["Office Auckland now goes to 210 Recoveries."]
    # In the order they are asked, not the order they were made.
    told = text_of(page)
    assert told.index("Task Survey") < told.index("Office Auckland 210")
    page = browser.post(at(interface, f"rules/{rules['task'].pk}/remove/"), follow=True)
    assert said(page) == ["The rule for Task Survey is removed."]
    assert "1 rule gives lines another account" in text_of(browser.get(at(interface)))
    assert [
        (action, one["rule"], one["before"], one["after"]) for action, one in entries(interface)
    ] == [
        ("interface.rule_added", "Office Auckland", "", "260 Other revenue"),
        ("interface.rule_added", "Task Survey", "", "260 Other revenue"),
        ("interface.rule_changed", "Office Auckland", "260 Other revenue", "210 Recoveries"),
        ("interface.rule_removed", "Task Survey", "260 Other revenue", ""),
    ]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({}, "Choose one here, or name another below; not both."),
        ({"subject": "task|Design", "other_subject": "x"}, "not both"),
        ({"other_subject": "Survey"}, "Say both what kind it is and how it is named."),
        ({"subject": "task|Nothing"}, "Select a valid choice"),
        ({"other_scope": "office", "other_subject": "x"}, "Select a valid choice"),
        ({"other_scope": "task", "other_subject": "x" * 101}, "at most 100"),
        ({"other_scope": "task", "other_subject": "DESIGN"}, "There is a rule for it already"),
        ({"other_scope": "task", "other_subject": "New", "account": ""}, "This field is required"),
        ({"other_scope": "task", "other_subject": "New", "account": "9"}, "Select a valid choice"),
        ({"other_scope": "task", "other_subject": "New", "code": "218"}, "Select a valid choice"),
        ({"other_scope": "task", "other_subject": "New", "code": "493"}, "takes INPUT2 with 493"),
    ],
)
def test_a_rule_asked_for_wrongly_is_explained(
    interface: AccountingInterface,
    office: Office,
    browser: Client,
    sent: dict[str, str],
    words: str,
) -> None:
    invoice_of(office, line_fields={"task": "Design"})
    with acting_for(interface.practice_id):
        made = AccountCode.objects.get(code="200")
        CodeRule.objects.create(
            interface=interface, scope=Scope.TASK, subject="Design", account=made
        )
        interface.revenue_tax = TaxCode.objects.get(code="OUTPUT2")
        interface.save()
        AccountCode.objects.create(interface=interface, code="218", name="Old", active=False)
    account = pk_of(interface, sent.get("code", "200"))
    answer = browser.post(at(interface, "rules/"), {"account": account} | sent)
    assert words in text_of(answer)
    with acting_for(interface.practice_id):
        assert CodeRule.objects.count() == 1


def test_a_rule_to_an_account_that_went_says_so_until_another_is_chosen(
    interface: AccountingInterface, browser: Client
) -> None:
    with acting_for(interface.practice_id):
        account = AccountCode.objects.get(code="260")
        made = CodeRule.objects.create(
            interface=interface, scope=Scope.TASK, subject="Design", account=account
        )
        AccountCode.objects.filter(pk=account.pk).update(vanished_at=timezone.now())
    assert "260 Other revenue is no longer in the package's list" in text_of(
        browser.get(at(interface, "rules/"))
    )
    answer = browser.post(at(interface, f"rules/{made.pk}/"), {"account": account.pk})
    assert "is no longer in the package's list. Choose another." in text_of(answer)


def test_rules_of_another_interface_are_not_there_and_readers_change_nothing(
    interface: AccountingInterface, office: Office, browser: Client
) -> None:
    with acting_for(interface.practice_id):
        other = make_interface(name="Xero Wellington")
        made = CodeRule.objects.create(
            interface=other, scope=Scope.TASK, subject="x", account=other.accounts.all()[0]
        )
    for path in (f"rules/{made.pk}/", f"rules/{made.pk}/remove/"):
        assert browser.post(at(interface, path)).status_code == 404
    reader = client_of(make_member(interface.practice, Role.ACCOUNTS))
    assert "Task x" in text_of(reader.get(at(other, "rules/")))
    assert "Add a rule" not in text_of(reader.get(at(other, "rules/")))
    for path in ("rules/", f"rules/{made.pk}/", f"rules/{made.pk}/remove/", "save/"):
        assert reader.post(at(other, path)).status_code == 403


# --- Codes that went -----


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"vanished_at": timezone.now()}, "is no longer in the package's list"),
        ({"active": False}, "is archived"),
        ({"usable_for_sales": False}, "cannot be used on sales lines"),
    ],
)
def test_a_code_that_went_is_told_before_the_next_upload_with_where_it_is_chosen(
    interface: AccountingInterface, browser: Client, change: dict[str, Any], why: str
) -> None:
    with acting_for(interface.practice_id):
        account = AccountCode.objects.get(code="200")
        tax = TaxCode.objects.get(code="INPUT2")
        rule = {"interface": interface, "account": account}
        CodeRule.objects.create(scope=Scope.TASK, subject="Design", **rule)
        AccountMapping.objects.create(code="4000", **rule)
        TaxMapping.objects.create(interface=interface, code="EXP", tax=tax)
        interface.tax_free_tax = TaxCode.objects.get(code="ZERORATED")
        interface.save()
        for model in (AccountCode, TaxCode):
            # Also of codes that are chosen nowhere: they stop nothing.
            model.objects.update(**change)
    paths = ("upload/", f"interfaces/{interface.pk}/")
    pages = [url(interface.practice, path) for path in paths]
    for page in pages:
        told = text_of(browser.get(page))
        for words in (
            f"Xero Auckland : 200 Sales (a rule and a code of Abtrac's) {why}.",
            f"INPUT2 15% GST on Expenses (a code of Abtrac's) {why}.",
            f"ZERORATED Zero Rated (a default) {why}.",
        ):
            assert words in told
        assert "260 Other revenue (" not in told
    with acting_for(interface.practice_id):
        AccountingInterface.objects.update(state=AccountingInterface.State.DISCONNECTED)
    assert "are refused before they are sent" not in text_of(browser.get(pages[0]))
