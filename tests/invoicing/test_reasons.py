"""Why uploads failed, told apart by what has to be mended."""

from datetime import date
from typing import Any

import pytest

from connectors.base.errors import Rejected
from connectors.base.faults import Fault, Weight
from interfaces.models import AccountingInterface
from invoicing.models import Client, Invoice, Upload
from invoicing.reasons import faults_of, reasons_of

State = Upload.State


def failed(*faults: Fault, **fields: Any) -> Upload:
    """An upload of invoice N-7, of client 5, refused for these; nothing of it is stored."""
    interface = AccountingInterface(
        package_key="xero",
        name="Xero Auckland",
        company_file_name="Harbour Ltd",
        lock_date=date(2026, 9, 30),
        preferences={"match_contacts_by": "name"},
    )
    document = {
        "number": "N-7",
        "currency": "AUD",
        "issued": "2026-11-20",
        "contact": {"name": "Te Aro Cafe"},
    }
    upload = Upload(
        **{
            "kind": Upload.Kind.INVOICE,
            "state": State.REFUSED,
            "interface": interface,
            "invoice": Invoice(pk=7, number="N-7", client=Client(pk=5, name="Te Aro Cafe")),
            "document": document,
            **fields,
        }
    )
    upload.faults = faults
    return upload


@pytest.mark.parametrize(
    ("fault", "subject", "message"),
    [
        (
            {"code": "account_archived", "field": "account_code", "subject": "205"},
            "205",
            "Account 205 is archived in Xero.",
        ),
        (
            {"code": "tax_not_for_account", "field": "tax_code", "subject": "GST|205"},
            "GST|205",
            "Tax code GST cannot be used with account 205 in Xero.",
        ),
        (
            {"code": "tax_missing", "field": "tax_code", "subject": "default for taxed lines"},
            "default for taxed lines",
            "No tax code is set: the default for taxed lines is empty.",
        ),
        # A package's own words on a code, from before it said which one.
        (
            {
                "code": "account_unknown",
                "field": "account_code",
                "message": "Account 205 is not in Xero, or cannot be used on a sale.",
            },
            "205",
            "Account 205 is not in Xero.",
        ),
        (
            {"code": "currency_not_enabled", "field": "currency"},
            "AUD",
            "Harbour Ltd in Xero has no currency AUD.",
        ),
        (
            {"code": "period_locked", "field": "issued", "message": "Dated 20 Sep."},
            "",
            "The invoice date is on or before the lock date 30 Sep 2026 in Xero.",
        ),
        (
            {"code": "plan_limit"},
            "2026-11",
            "The Xero plan's limit of invoices is reached for November 2026.",
        ),
        (
            {
                "code": "number_taken",
                "field": "number",
                "subject": "N-7",
                "message": "It is taken.",
            },
            "7",
            "Invoice N-7: It is taken.",
        ),
        (
            {"code": "contact_archived", "field": "contact", "subject": "Te Aro Cafe"},
            "5|Te Aro Cafe",
            "Te Aro Cafe is archived in Xero.",
        ),
        # What is wrong with the client's details is mended at the client.
        (
            {"code": "email", "field": "email", "subject": "Te Aro Cafe", "message": "No e-mail."},
            "5|Te Aro Cafe",
            "Te Aro Cafe: No e-mail.",
        ),
        (
            {"code": "status", "field": "delivery_status", "message": "Not in this status."},
            "",
            "Invoice N-7: Not in this status.",
        ),
        ({"code": "refused", "message": "Xero refused it."}, "7", "Invoice N-7: Xero refused it."),
    ],
)
def test_a_fault_names_what_has_to_be_mended(
    fault: dict[str, Any], subject: str, message: str
) -> None:
    [reason] = reasons_of(failed(Fault(**{"field": "", "message": "", **fault})))
    assert (reason.code, reason.subject, reason.message) == (fault["code"], subject, message)


def test_a_refusal_tells_each_of_its_reasons_once_and_remarks_are_none() -> None:
    tax = Rejected("No tax.", field="tax_code", code="tax_unknown", subject="X", line=2)
    refused = Rejected("No tax.", field="tax_code", code="tax_unknown", subject="X", others=[tax])
    remark = Fault(field="", message="It will be added.", weight=Weight.REMARK)
    reasons = reasons_of(failed(*faults_of(refused), remark))
    assert [(one.code, one.line) for one in reasons] == [("tax_unknown", 0)]


@pytest.mark.parametrize(
    ("stored", "code", "subject", "line"),
    [
        (
            {
                "reason": "Invoice N 7, line 2: Account code 205 Fees (from the line) is archived.",
                "code": "account_archived",
                "field": "account_code",
            },
            *("account_archived", "205", 2),
        ),
        ({"reason": "No contact.", "field": "contact"}, *("contact", "5|Te Aro Cafe", 0)),
        ({"reason": "No more."}, *("refused", "7", 0)),
        ({"state": State.NEEDS_PERSON, "reason": "Something else."}, *("taken_back", "7", 0)),
        (
            {"state": State.NEEDS_PERSON, "unknown_since": date(2026, 11, 20), "reason": "Lost."},
            *("not_known", "", 0),
        ),
    ],
)
def test_what_an_older_worker_refused_is_read_off_its_row(
    stored: dict[str, Any], code: str, subject: str, line: int
) -> None:
    [reason] = reasons_of(failed(**stored))
    assert (reason.code, reason.subject, reason.line) == (code, subject, line)
