"""Xero's refusals in our words."""

import re
from typing import Any

import pytest
import simplejson
from requests.structures import CaseInsensitiveDict

from connectors.base.errors import NeedsReconnect, Rejected, RetryLater
from connectors.base.http import Answer
from connectors.xero.refusals import KNOWN, ElementsRefused, explain, in_our_words, refusal

# Xero's own messages: what was seen by others, with the field and code it has to become.
MESSAGES = [
    ("Invoice # must be unique.", "number", "number_taken"),
    (
        "The contact name Smith Ltd is already assigned to another contact. The contact name must"
        " be unique across all active contacts.",
        "contact",
        "name_taken",
    ),
    (
        "Account code '205' has been archived, or has been deleted. Edit or remove the account"
        " code.",
        "account_code",
        "account_archived",
    ),
    (
        "Account code '999' is not a valid code for this document.",
        "account_code",
        "account_unknown",
    ),
    ("Account must be valid.", "account_code", "account_unknown"),
    ("Account code must be specified", "account_code", "account_missing"),
    (
        "The TaxType code 'INPUT2' cannot be used with account code '200'.",
        "tax_code",
        "tax_not_for_account",
    ),
    (
        "The TaxType code GST on Income does not exist or cannot be used for this type of"
        " transaction.",
        "tax_code",
        "tax_unknown",
    ),
    ("The TaxType field is mandatory", "tax_code", "tax_missing"),
    ("The document date cannot be before the period lock date", "issued", "period_locked"),
    (
        "The document date cannot be before the end of year lock date, currently set at"
        " 31-Jul-2013",
        "issued",
        "period_locked",
    ),
    ("The specified contact details matched an archived contact.", "contact", "contact_archived"),
    ("The contact Smith Ltd is archived.", "contact", "contact_archived"),
    (
        "A Contact must be specified for this type of transaction",
        "contact",
        "contact_missing",
    ),
    ("One or more line items must be specified", "lines", "no_lines"),
    ("Organisation is not subscribed to currency USD", "currency", "currency_not_enabled"),
    ("Email address must be valid.", "email", "email"),
    ("You have reached the limit of invoices you can approve.", "", "plan_limit"),
    ("Invoice not of valid status for creation", "delivery_status", "status"),
    ("DueDate must be given", "due", "due"),
]


@pytest.mark.parametrize(("words", "field", "code"), MESSAGES)
def test_a_known_refusal_names_its_field_and_what_to_do(words: str, field: str, code: str) -> None:
    for spelled in (words, words.upper(), f"Validation: {words}"):
        error = in_our_words(spelled)
        assert (error.field, error.code) == (field, code)
        assert error.next_step
        assert error.words == spelled
        assert "{" not in str(error)


def test_every_known_refusal_has_a_message_it_was_made_for() -> None:
    for known in KNOWN:
        assert any(re.search(known.fragment, words, re.IGNORECASE) for words, _, _ in MESSAGES)


def test_our_words_name_the_code_that_is_meant() -> None:
    assert str(in_our_words(MESSAGES[2][0])).startswith(
        "Account 205 is archived or deleted in Xero"
    )
    assert str(in_our_words(MESSAGES[6][0])) == (
        "Tax code INPUT2 cannot be used with account 200 in Xero."
    )
    assert "does not use USD" in str(in_our_words(MESSAGES[15][0]))


@pytest.mark.parametrize(
    ("place", "subject"), [(2, "205"), (6, "INPUT2|200"), (15, "USD"), (9, "")]
)
def test_a_refusal_names_what_is_to_be_mended(place: int, subject: str) -> None:
    assert in_our_words(MESSAGES[place][0]).subject == subject


def test_what_to_do_says_where_it_is_done() -> None:
    archived, locked = (in_our_words(MESSAGES[place][0]).next_step for place in (2, 9))
    assert archived == (
        "Choose another account under Needs attention or Interface Settings, or restore this one in"
        " Xero; then retry."
    )
    assert locked == (
        "Ask your accountant to move the lock date, then retry. Or un-commit the invoice in Abtrac,"
        " change its date and commit it again, then retry. Or park it."
    )
    for words, field, _ in MESSAGES:
        step = in_our_words(words).next_step
        # What stands on a committed invoice can be changed only after it was un-committed.
        if field in {"issued", "due", "lines"}:
            assert "un-commit the invoice in abtrac" in step.lower(), words
        if field in {"account_code", "tax_code"}:
            assert "Interface Settings" in step, words


def test_an_unknown_refusal_is_shown_as_it_is() -> None:
    error = in_our_words("The moon must be full.")
    assert str(error) == "Xero refused it: The moon must be full."
    assert (error.field, error.code) == ("", "refused")


LINES = [(1, "200", "OUTPUT2"), (2, "205", "OUTPUT2"), (2, "", ""), (3, "210", "INPUT2")]


def errors(*messages: str) -> list[dict[str, str]]:
    return [{"Message": one} for one in messages]


def test_nothing_wrong_is_no_refusal() -> None:
    assert refusal({"HasErrors": False, "StatusAttributeString": "OK"}) is None
    assert refusal({"StatusAttributeString": "WARNING", "Warnings": errors("Mind.")}) is None


@pytest.mark.parametrize("said", [{"HasErrors": True}, {"StatusAttributeString": "ERROR"}])
def test_a_refusal_without_a_reason_is_one_all_the_same(said: dict[str, Any]) -> None:
    error = refusal(said)
    assert isinstance(error, Rejected)
    assert "no reason was given" in str(error)


def test_a_refusal_on_a_line_names_our_line() -> None:
    sent = {"LineItems": [{}, {}, {}, {"ValidationErrors": errors("Account must be valid.")}]}
    error = refusal(sent, lines=LINES)
    assert error is not None
    assert error.line == 3


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (MESSAGES[2][0], 2),
        ("The TaxType code 'INPUT2' cannot be used with account code '210'.", 3),
        ("Account code '999' is not a valid code for this document.", None),
    ],
)
def test_a_refusal_that_names_a_code_is_put_to_the_line_that_has_it(words: str, line: Any) -> None:
    error = refusal({"ValidationErrors": errors(words)}, lines=LINES)
    assert error is not None
    assert error.line == line


def test_all_reasons_are_told_at_once_and_each_once() -> None:
    sent = {
        "ValidationErrors": errors(MESSAGES[9][0], MESSAGES[2][0], MESSAGES[2][0]),
        "LineItems": [{"ValidationErrors": [{"Description": "The TaxType field is mandatory"}]}],
        "Contact": {"ValidationErrors": errors("Email address must be valid.")},
    }
    error = refusal(sent, lines=LINES)
    assert error is not None
    assert [(one.line, one.code, one.subject) for one in (error, *error.others)] == [
        (1, "tax_missing", ""),
        (None, "period_locked", ""),
        (2, "account_archived", "205"),
        (None, "email", ""),
    ]
    assert str(error) == "Xero wants a tax code here."
    assert len(error.words.splitlines()) == 4


def test_a_number_that_is_taken_counts_before_all_else() -> None:
    sent = {"ValidationErrors": errors(MESSAGES[9][0], "Invoice # must be unique.")}
    error = refusal(sent)
    assert error is not None
    assert error.code == "number_taken"


# --- Whole answers -------------------------------------------------------------------------------


def answer(status: int, body: Any = b"", **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else simplejson.dumps(body).encode()
    kind = "text/html" if isinstance(body, bytes) else "application/json; charset=utf-8"
    return Answer(
        path="/api.xro/2.0/Invoices",
        status=status,
        headers=CaseInsensitiveDict({"Content-Type": kind, **headers}),
        body=raw,
    )


VALIDATION = {
    "ErrorNumber": 10,
    "Type": "ValidationException",
    "Message": "A validation exception occurred",
    "Elements": [{"InvoiceNumber": "1", "ValidationErrors": errors("Invoice # must be unique.")}],
}


def test_a_refused_call_keeps_what_each_element_says() -> None:
    error = explain(answer(400, VALIDATION))
    assert isinstance(error, ElementsRefused)
    assert len(error.elements) == 1


@pytest.mark.parametrize(
    ("number", "words"), [(14, "PostDataInvalidException"), (16, "QueryParseException")]
)
def test_what_xero_cannot_read_is_a_case_for_our_support(number: int, words: str) -> None:
    error = explain(answer(400, {"ErrorNumber": number, "Type": words, "Message": "Syntax"}))
    assert isinstance(error, Rejected)
    assert error.code == f"bad_request_{number}"
    assert "support" in error.next_step


def test_a_key_used_for_something_else_wrote_nothing() -> None:
    body = {"Message": "The Idempotency-Key is used with a different request"}
    assert isinstance(explain(answer(400, body)), RetryLater)


@pytest.mark.parametrize(
    "body",
    [
        {"Title": "Unauthorized", "Status": 401, "Detail": "TokenExpired: token expired at 09/24"},
        {"title": "Unauthorized", "detail": "AuthenticationUnsuccessful"},
        b"<html>",
    ],
)
def test_a_refused_token_is_left_to_be_renewed(body: Any) -> None:
    assert explain(answer(401, body)) is None


@pytest.mark.parametrize(
    "told",
    [
        answer(401, {"Detail": "AuthorizationUnsuccessful"}),
        answer(401, {"detail": "AuthorizationUnsuccessful"}),
        answer(401, b"", **{"WWW-Authenticate": "Bearer error=insufficient_scope"}),
    ],
)
def test_a_missing_permission_needs_a_new_consent(told: Answer) -> None:
    error = explain(told)
    assert isinstance(error, NeedsReconnect)
    assert "permission for invoices" in str(error)


@pytest.mark.parametrize("status", [302, 408, 500, 501, 502, 503, 504])
def test_trouble_is_left_to_the_general_rule(status: int) -> None:
    assert explain(answer(status, b"The organisation is offline.")) is None


@pytest.mark.parametrize("status", [400, 404, 413])
def test_a_refusal_that_is_no_json_is_still_one(status: int) -> None:
    assert isinstance(explain(answer(status, b"<html>")), Rejected)
