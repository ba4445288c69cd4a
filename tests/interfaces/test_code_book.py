"""Which codes a line gets: each rule in its turn, and everything wrong with them at once."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.base.documents import LineKind
from interfaces.code_book import CodeBook, LineFacts
from interfaces.models import (
    AccountCode,
    AccountingInterface,
    AccountMapping,
    CodeRule,
    TaxCode,
    TaxMapping,
)
from offices.models import Practice
from tests.factories import make_interface
from tests.interfaces.ledger import LedgerServer

Scope = CodeRule.Scope

# A line that says all there is to say, so that every rule can find it.
LINE = LineFacts(
    account_code="line",
    disbursement_type="Travel",
    task="Design",
    job_type="Houses",
    department="North",
    office_id="O1",
    invoice_setting_id="S1",
    net=Decimal(100),
    tax=Decimal(15),
)
PLAIN = LineFacts(net=Decimal(100), tax=Decimal(15))
SUBJECTS = {
    Scope.DISBURSEMENT_TYPE: "Travel",
    Scope.TASK: "Design",
    Scope.JOB_TYPE: "Houses",
    Scope.DEPARTMENT: "North",
    Scope.OFFICE: "O1",
    Scope.INVOICE_SETTING: "S1",
}


@pytest.fixture
def book_of(acting: Practice, server: LedgerServer) -> Any:
    """An interface whose code rules give each scope an account named after it."""
    interface = make_interface(package_key="ledger")
    for scope, subject in SUBJECTS.items():
        account = AccountCode.objects.create(interface=interface, code=scope.value, name="x")
        CodeRule.objects.create(interface=interface, scope=scope, subject=subject, account=account)
    AccountCode.objects.create(interface=interface, code="line", name="x")
    return interface


def test_the_account_is_the_first_that_is_set_from_the_line_to_the_interface(
    book_of: AccountingInterface,
) -> None:
    book = CodeBook.load(book_of)
    steps = [
        ("account_code", "line", "line"),
        ("disbursement_type", "disbursement_type", "disbursement type Travel"),
        ("task", "task", "task Design"),
        ("job_type", "job_type", "job type Houses"),
        ("department", "department", "department North"),
        ("office_id", "office", "office O1"),
        ("invoice_setting_id", "invoice_setting", "invoice setting S1"),
    ]
    line = LINE
    for field, code, rule in steps:
        found = book.resolve(line)
        assert (found.account_code, found.account_rule) == (code, rule)
        emptied: dict[str, Any] = {field: ""}
        line = replace(line, **emptied)
    found = book.resolve(line)
    assert (found.account_code, found.account_rule) == ("200", "default for revenue")


def test_a_subject_without_a_rule_passes_on_to_the_next(book_of: AccountingInterface) -> None:
    line = replace(LINE, account_code="", disbursement_type="Printing", task="Drawing")
    assert CodeBook.load(book_of).resolve(line).account_code == "job_type"


def test_a_rule_is_found_whatever_its_capitals(book_of: AccountingInterface) -> None:
    line = replace(PLAIN, task="DESIGN")
    found = CodeBook.load(book_of).resolve(line)
    assert (found.account_code, found.account_rule) == ("task", "task DESIGN")


@pytest.mark.parametrize(
    ("kind", "tax", "code", "rule"),
    [
        (LineKind.TIME, "15", "200", "default for revenue"),
        (LineKind.TIME, "0", "260", "default for tax-free revenue"),
        (LineKind.DISBURSEMENT, "15", "210", "default for disbursements"),
        (LineKind.DISBURSEMENT, "0", "210", "default for disbursements"),
    ],
)
def test_each_kind_of_line_has_a_default_of_its_own(
    book_of: AccountingInterface, kind: LineKind, tax: str, code: str, rule: str
) -> None:
    book_of.tax_free_account = AccountCode.objects.get(interface=book_of, code="260")
    book_of.save()
    found = CodeBook.load(book_of).resolve(replace(PLAIN, kind=kind, tax=Decimal(tax)))
    assert (found.account_code, found.account_rule) == (code, rule)


def test_tax_free_revenue_without_an_account_of_its_own_goes_where_revenue_goes(
    book_of: AccountingInterface,
) -> None:
    found = CodeBook.load(book_of).resolve(replace(PLAIN, tax=Decimal(0)))
    assert (found.account_code, found.problems) == ("200", ())


def test_the_tax_code_is_the_lines_then_the_invoices_then_the_interfaces(
    book_of: AccountingInterface,
) -> None:
    for code in ("A", "B"):
        TaxCode.objects.create(interface=book_of, code=code, name=code, rate=Decimal(10))
    book = CodeBook.load(book_of)
    line = replace(PLAIN, tax_code="A", invoice_tax_code="B")
    steps = [
        (line, "A", "line", "10"),
        (replace(line, tax_code=""), "B", "invoice", "10"),
        (PLAIN, "OUTPUT2", "default for taxed lines", "15"),
        (replace(PLAIN, tax=Decimal(0)), "ZERORATED", "default for tax-free lines", "0"),
    ]
    for one, code, rule, rate in steps:
        found = book.resolve(one)
        assert (found.tax_code, found.tax_rule) == (code, rule)
        assert found.tax_rate == Decimal(rate)
        assert found.problems == ()


def test_codes_that_are_not_set_are_named_with_the_default_that_is_empty(
    book_of: AccountingInterface,
) -> None:
    book_of.revenue_account = book_of.revenue_tax = book_of.disbursement_account = None
    book_of.save()
    book = CodeBook.load(book_of)
    found = book.resolve(PLAIN)
    assert (found.account_code, found.tax_code, found.tax_rate) == ("", "", Decimal(0))
    assert [one.message for one in found.problems] == [
        "No account code is set: the default for revenue is empty.",
        "No tax code is set: the default for taxed lines is empty.",
    ]
    [first, _] = book.resolve(replace(PLAIN, kind=LineKind.DISBURSEMENT)).problems
    assert first.next_step == "Choose one under Accounting >> Interface Settings, then retry."
    assert first.message == "No account code is set: the default for disbursements is empty."


def test_codes_the_package_does_not_list_are_named_with_where_they_came_from(
    book_of: AccountingInterface,
) -> None:
    line = replace(PLAIN, account_code="999", invoice_tax_code="NOTAX")
    found = CodeBook.load(book_of).resolve(line)
    assert [(one.code, one.subject, one.message) for one in found.problems] == [
        (
            "account_unknown",
            "999",
            "Account code 999 (from the line) is not in Ledger's list.",
        ),
        (
            "tax_unknown",
            "NOTAX",
            "Tax code NOTAX (from the invoice) is not in Ledger's list.",
        ),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"active": False}, "is archived in Ledger"),
        ({"usable_for_sales": False}, "cannot be used on sales lines in Ledger"),
        ({"vanished_at": timezone.now()}, "is no longer in Ledger's list"),
        ({"vanished_at": timezone.now(), "active": False}, "is no longer in Ledger's list"),
    ],
)
def test_codes_that_may_not_be_used_today_are_both_named_with_the_reason(
    book_of: AccountingInterface, change: dict[str, Any], reason: str
) -> None:
    AccountCode.objects.filter(interface=book_of, code="task").update(**change)
    TaxCode.objects.filter(interface=book_of).update(**change)
    found = CodeBook.load(book_of).resolve(replace(PLAIN, task="Design"))
    assert [one.message for one in found.problems] == [
        f"Account code task x (from the task Design) {reason}.",
        f"Tax code OUTPUT2 15% GST on Income (from the default for taxed lines) {reason}.",
    ]
    how = {"is archived in Ledger": "or restore task in Ledger, "}.get(reason, "")
    how = "or add task in Ledger, " if "longer" in reason else how
    assert found.problems[0].next_step == f"Choose another account code, {how}then retry."


def test_a_code_not_offered_may_still_be_named_by_abtrac(book_of: AccountingInterface) -> None:
    """What is offered is for choosing; what a line says is another matter."""
    AccountCode.objects.filter(interface=book_of).update(available=False)
    assert CodeBook.load(book_of).resolve(PLAIN).problems == ()


def test_a_tax_code_the_account_does_not_take_is_named_with_both(
    book_of: AccountingInterface,
) -> None:
    accounts = AccountCode.objects.filter(interface=book_of, code="200")
    accounts.update(allowed_tax_codes=["ZERORATED"])
    [problem] = CodeBook.load(book_of).resolve(PLAIN).problems
    assert (problem.field, problem.code) == ("tax_code", "tax_not_for_account")
    assert problem.subject == "OUTPUT2|200"
    assert problem.message == (
        "Ledger does not take tax code OUTPUT2 15% GST on Income with account code 200 Sales."
    )
    for allowed in (["OUTPUT2", "ZERORATED"], None):
        accounts.update(allowed_tax_codes=allowed)
        assert CodeBook.load(book_of).resolve(PLAIN).problems == ()
    accounts.update(allowed_tax_codes=[])
    assert len(CodeBook.load(book_of).resolve(PLAIN).problems) == 1


def test_everything_wrong_with_a_line_is_told_at_once(book_of: AccountingInterface) -> None:
    AccountCode.objects.filter(interface=book_of, code="200").update(
        active=False, allowed_tax_codes=[]
    )
    TaxCode.objects.filter(interface=book_of).update(active=False)
    problems = CodeBook.load(book_of).resolve(PLAIN).problems
    assert [one.field for one in problems] == ["account_code", "tax_code", "tax_code"]


def test_codes_of_another_interface_do_not_count(book_of: AccountingInterface) -> None:
    other = make_interface(package_key="ledger")
    AccountCode.objects.create(interface=other, code="888", name="Theirs")
    [problem] = CodeBook.load(book_of).resolve(replace(PLAIN, account_code="888")).problems
    assert "888" in problem.message


def test_one_book_serves_a_whole_batch_in_five_queries(book_of: AccountingInterface) -> None:
    with CaptureQueriesContext(connection) as queries:
        book = CodeBook.load(book_of)
        for _ in range(50):
            book.resolve(LINE)
    assert len(queries) == 5


# --- Codes of Abtrac's own -----


def test_a_code_of_abtracs_own_stands_for_the_packages_wherever_it_is_written(
    book_of: AccountingInterface,
) -> None:
    account = AccountCode.objects.get(interface=book_of, code="210")
    tax = TaxCode.objects.get(interface=book_of, code="ZERORATED")
    AccountMapping.objects.create(interface=book_of, code="4000", account=account)
    TaxMapping.objects.create(interface=book_of, code="GST", tax=tax)
    book = CodeBook.load(book_of)
    found = book.resolve(replace(PLAIN, account_code="4000", tax_code="GST"))
    assert (found.account_code, found.account_rule) == ("210", "line, 4000 mapped to 210")
    assert (found.tax_code, found.tax_rule) == ("ZERORATED", "line, GST mapped to ZERORATED")
    assert found.tax_rate == 0
    assert found.problems == ()
    found = book.resolve(replace(PLAIN, invoice_tax_code="GST"))
    assert found.tax_rule == "invoice, GST mapped to ZERORATED"


def test_a_mapping_somebody_chose_wins_over_the_same_code_in_the_package(
    book_of: AccountingInterface,
) -> None:
    account = AccountCode.objects.get(interface=book_of, code="210")
    AccountMapping.objects.create(interface=book_of, code="200", account=account)
    found = CodeBook.load(book_of).resolve(replace(PLAIN, account_code="200"))
    assert (found.account_code, found.account_rule) == ("210", "line, 200 mapped to 210")


def test_a_mapped_code_that_may_not_be_used_is_named_with_both_codes(
    book_of: AccountingInterface,
) -> None:
    account = AccountCode.objects.get(interface=book_of, code="210")
    AccountMapping.objects.create(interface=book_of, code="4000", account=account)
    AccountCode.objects.filter(pk=account.pk).update(vanished_at=timezone.now())
    [problem] = CodeBook.load(book_of).resolve(replace(PLAIN, account_code="4000")).problems
    assert problem.message == (
        "Account code 210 Recoveries (from the line, 4000 mapped to 210)"
        " is no longer in Ledger's list."
    )


# --- Which rule gave this -----


def test_every_place_asked_is_told_up_to_the_one_that_answered(
    book_of: AccountingInterface,
) -> None:
    told = CodeBook.load(book_of).explain(
        replace(LINE, account_code="", disbursement_type="", task="Drawing", invoice_tax_code="X")
    )
    assert [(one.asked, one.answer, one.taken) for one in told.account_steps] == [
        ("Line", "not set", False),
        ("Disbursement type", "none on this line", False),
        ("Task Drawing", "no rule", False),
        ("Job type Houses", "job_type x", True),
    ]
    assert [(one.asked, one.answer, one.taken) for one in told.tax_steps] == [
        ("Line", "not set", False),
        ("Invoice", "X", True),
    ]
    assert str(told.account) == "job_type x"
    assert told.tax is None
    assert len(told.resolved.problems) == 1


@pytest.mark.parametrize("emptied", range(8))
def test_what_is_explained_is_what_is_sent(book_of: AccountingInterface, emptied: int) -> None:
    fields = ["account_code", "disbursement_type", "task", "job_type", "department"]
    fields += ["office_id", "invoice_setting_id"]
    gone: dict[str, Any] = dict.fromkeys(fields[:emptied], "")
    line = replace(LINE, **gone)
    book = CodeBook.load(book_of)
    [*_, last] = book.explain(line).account_steps
    assert last.taken
    assert last.asked.lower() == book.resolve(line).account_rule.lower()
    assert last.answer.split()[0] == book.resolve(line).account_code
