"""What Xero's refusals mean, in our words.

Status and structure decide first. Texts are matched by their stable fragment only; the wording is
Xero's and may change, so one that is not known is shown as it is.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors.base.errors import ConnectorError, NeedsReconnect, Rejected, RetryLater
from connectors.base.faults import tax_with_account
from connectors.base.http import Answer
from connectors.xero.wire import LABEL, records, text

NUMBER_TAKEN = "number_taken"
NAME_TAKEN = "name_taken"
NOT_FOUND = "not_found"
PLAN_LIMIT = "plan_limit"

# Which permission a path needs, in the words of Xero's consent page.
PERMISSIONS = [
    ("/Attachments", "attachments"),
    ("/Contacts", "contacts"),
    ("/Payments", "payments"),
    ("/Invoices", "invoices"),
    ("/CreditNotes", "invoices"),
    ("", "organisation settings"),
]
# Xero gives no time for this one; it is over as soon as another call ends.
CONCURRENT_WAIT = timedelta(seconds=5)


class ElementsRefused(Rejected):
    """The whole call was refused, and each element says why. Nothing was written."""

    def __init__(self, message: str, elements: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message, code="refused")
        self.elements = elements


@dataclass(frozen=True, kw_only=True)
class Known:
    """One refusal: the fragment it is known by, and ours for it."""

    fragment: str
    code: str
    field: str
    message: str
    next_step: str = ""


def _unlocked(change: str) -> str:
    # A committed invoice is locked in Abtrac, so whoever is to change it is told how to get at it.
    return f"un-commit the invoice in Abtrac, {change} and commit it again"


OTHER_ACCOUNT = "Choose another account under Needs attention or Interface Settings"
OTHER_TAX = "Choose another tax code under Needs attention or Interface Settings"

KNOWN = [
    Known(
        fragment=r"# must be unique|credit note number must be unique",
        code=NUMBER_TAKEN,
        field="number",
        message="Xero already has a document with this number.",
        next_step="If they are the same, link it; if not, give one of them another number. Then"
        " retry.",
    ),
    Known(
        fragment=r"already assigned to another contact|contact name must be unique",
        code=NAME_TAKEN,
        field="contact",
        message="Xero already has a contact with this name.",
        next_step="Link the client to it, or give one of the two another name; then retry.",
    ),
    Known(
        fragment=r"account code '(?P<account>[^']*)' has been archived",
        code="account_archived",
        field="account_code",
        message="Account {account} is archived or deleted in Xero.",
        next_step=f"{OTHER_ACCOUNT}, or restore this one in Xero; then retry.",
    ),
    Known(
        fragment=r"TaxType code '?(?P<tax>[^']+?)'? cannot be used with account"
        r" code '?(?P<account>[^' .]*)",
        code="tax_not_for_account",
        field="tax_code",
        message="Tax code {tax} cannot be used with account {account} in Xero.",
        next_step=f"{OTHER_TAX}: sales take a tax on income. Or use another account; then retry.",
    ),
    Known(
        fragment=r"TaxType code '?(?P<tax>[^']+?)'? does not exist or cannot be used",
        code="tax_unknown",
        field="tax_code",
        message="Tax code {tax} is not in Xero, or not for sales.",
        next_step=f"{OTHER_TAX}, or add it in Xero and read the codes again; then retry.",
    ),
    Known(
        fragment=r"TaxType field is mandatory",
        code="tax_missing",
        field="tax_code",
        message="Xero wants a tax code here.",
        next_step="Choose one under Interface Settings, then retry.",
    ),
    Known(
        fragment=r"account code '(?P<account>[^']*)' is not a valid code",
        code="account_unknown",
        field="account_code",
        message="Account {account} is not in Xero, or cannot be used on a sale.",
        next_step=f"{OTHER_ACCOUNT}, or add it in Xero and read the codes again; then retry.",
    ),
    Known(
        fragment=r"account must be valid",
        code="account_unknown",
        field="account_code",
        message="An account is not in Xero, or cannot be used on a sale.",
        next_step=f"{OTHER_ACCOUNT}, or add it in Xero and read the codes again; then retry.",
    ),
    Known(
        fragment=r"account code must be specified",
        code="account_missing",
        field="account_code",
        message="Xero wants an account here.",
        next_step="Choose one under Interface Settings, then retry.",
    ),
    Known(
        fragment=r"lock date",
        code="period_locked",
        field="issued",
        message="The date lies in a period that is locked in Xero.",
        next_step="Ask your accountant to move the lock date, then retry. Or"
        f" {_unlocked('change its date')}, then retry. Or park it.",
    ),
    Known(
        fragment=r"archived contact|contact.*\barchived",
        code="contact_archived",
        field="contact",
        message="The contact is archived in Xero.",
        next_step="Restore it in Xero, or choose another contact for this client; then retry.",
    ),
    Known(
        fragment=r"a contact must be specified",
        code="contact_missing",
        field="contact",
        message="Xero wants a contact.",
        next_step="Retry: the client is then looked up in Xero again, or added.",
    ),
    Known(
        fragment=r"line items must be specified",
        code="no_lines",
        field="lines",
        message="The invoice has no lines.",
        next_step=f"The lines come from Abtrac: {_unlocked('add them')}. Then retry.",
    ),
    Known(
        fragment=r"not subscribed to currency (?P<currency>[A-Z]{3})",
        code="currency_not_enabled",
        field="currency",
        message="This Xero organisation does not use {currency}.",
        next_step="Add the currency in Xero, then retry.",
    ),
    Known(
        fragment=r"email address",
        code="email",
        field="email",
        message="Xero does not take the client's e-mail address.",
        next_step="Correct the address in Abtrac, then retry.",
    ),
    Known(
        fragment=r"reached the limit of invoices",
        code=PLAN_LIMIT,
        field="",
        message="The limit of invoices of this Xero plan is reached.",
        next_step="Change the plan in Xero, then retry.",
    ),
    Known(
        fragment=r"not of valid status for creation",
        code="status",
        field="delivery_status",
        message="Xero does not let invoices arrive in this status.",
        next_step="Choose another delivery status under Interface Settings, then retry.",
    ),
    Known(
        fragment=r"due ?date",
        code="due",
        field="due",
        message="Xero does not take the due date.",
        next_step=f"It comes from Abtrac: {_unlocked('correct it')}. Then retry.",
    ),
]


def in_our_words(words: str, *, line: int | None = None) -> Rejected:
    """One message of Xero's as a refusal."""
    for known in KNOWN:
        if match := re.search(known.fragment, words, re.IGNORECASE | re.DOTALL):
            return Rejected(
                known.message.format(**match.groupdict()),
                field=known.field,
                code=known.code,
                subject=_subject(**match.groupdict()),
                line=line,
                next_step=known.next_step,
                words=words,
            )
    return Rejected(
        f"Xero refused it: {words}",
        code="refused",
        line=line,
        next_step="Correct it in Abtrac or in Xero, then retry.",
        words=words,
    )


def _subject(*, account: str = "", tax: str = "", currency: str = "") -> str:
    """What is to be mended, as far as the message names it."""
    if account and tax:
        return tax_with_account(tax, account)
    return account or tax or currency


def refusal(
    element: Mapping[str, Any], *, lines: Sequence[tuple[int, str, str]] = ()
) -> Rejected | None:
    """Why the element was refused, the first reason with all others; None when it was not.

    `lines` are what was sent, in order: our line, its account code and its tax code.
    """
    found = []
    for words, index in _messages(element):
        one = in_our_words(words)
        one.line = lines[index][0] if index is not None and index < len(lines) else None
        if one.line is None and one.field in {"account_code", "tax_code"}:
            one.line = _line_of(words, lines)
        found.append(one)
    if not found:
        if not _is_refused(element):
            return None
        found = [in_our_words("no reason was given")]
    # What leads to a look-up counts before all else.
    found.sort(key=lambda one: one.code not in {NUMBER_TAKEN, NAME_TAKEN})
    told: dict[tuple[str, int | None], Rejected] = {}
    for one in found:
        told.setdefault((str(one), one.line), one)
    first, *others = told.values()
    first.others = tuple(others)
    first.words = "\n".join(one.words for one in found)
    return first


def of_one(refused: Rejected) -> Rejected:
    """Why a call for one thing was refused: what its element says, where it says something."""
    if isinstance(refused, ElementsRefused):
        reasons = (refusal(element) for element in refused.elements)
        return next((one for one in reasons if one), refused)
    return refused


def warnings_of(element: Mapping[str, Any]) -> tuple[str, ...]:
    """What Xero remarks on something it took."""
    return tuple(f"Xero: {words}" for words in _texts(element.get("Warnings")) if words)


def explain(answer: Answer) -> ConnectorError | None:
    """Read an answer that is no success; None leaves it to the general rule of its status."""
    reading = {400: _bad_request, 401: _unauthorised, 403: _forbidden, 429: _limited}
    if answer.status in reading:
        return reading[answer.status](answer)
    if answer.status == 404:
        return Rejected("Xero does not know this any more.", code=NOT_FOUND)
    if answer.status == 413:
        return Rejected(
            "It is too large for Xero.",
            field="size",
            code="too_large",
            next_step="Send fewer lines, or a smaller PDF.",
        )
    return None


def _bad_request(answer: Answer) -> ConnectorError:
    body = _object(answer)
    words = text(body, "Message") or text(body, "Detail") or text(body, "detail")
    if "is used with a different request" in words:
        return RetryLater("Xero still remembers an earlier call; this one was not carried out.")
    elements = records(body.get("Elements"))
    if any(refusal(element) for element in elements):
        return ElementsRefused(f"Xero refused the whole call: {words}", elements)
    return Rejected(
        "Xero could not read what was sent; our support can see why.",
        code=f"bad_request_{body.get('ErrorNumber', '')}".rstrip("_"),
        next_step="Ask our support team.",
        words=words,
    )


def _unauthorised(answer: Answer) -> ConnectorError | None:
    said = f"{answer.headers.get('WWW-Authenticate', '')} {_object(answer)}"
    if "AuthorizationUnsuccessful" not in said and "insufficient_scope" not in said:
        return None  # a newer token may do
    permission = next(words for part, words in PERMISSIONS if part in answer.path)
    return NeedsReconnect(
        f"Xero was connected without permission for {permission}. Connect again and allow all"
        " that is asked for."
    )


def _forbidden(answer: Answer) -> ConnectorError:
    if _object(answer):
        return NeedsReconnect(
            "This organisation is not connected any more: it was disconnected in Xero. Connect"
            " again."
        )
    return NeedsReconnect(
        "The person who connected Xero may not do this there. Connect again as somebody whose"
        " role in Xero may."
    )


def _limited(answer: Answer) -> ConnectorError:
    problem = answer.headers.get("X-Rate-Limit-Problem", "").lower()
    if "day" in problem or "daily" in problem:
        return RetryLater("Xero takes no more calls for this organisation today.", congested=True)
    if "concurrent" in problem:
        after = None if "Retry-After" in answer.headers else CONCURRENT_WAIT
        return RetryLater("Xero is busy with other calls of ours.", after=after, congested=True)
    return RetryLater(
        f"{LABEL} allows only so many calls a minute; it goes on by itself.", congested=True
    )


def _object(answer: Answer) -> Mapping[str, Any]:
    body = answer.json_or_none()
    return body if isinstance(body, dict) else {}


def _is_refused(element: Mapping[str, Any]) -> bool:
    return element.get("HasErrors") is True or element.get("StatusAttributeString") == "ERROR"


def _messages(element: Mapping[str, Any]) -> list[tuple[str, int | None]]:
    """Every message in the element once, with the index of the line it hangs on."""
    found: dict[str, int | None] = {}
    for index, line in enumerate(records(element.get("LineItems"))):
        for words in _texts(line.get("ValidationErrors")):
            found.setdefault(words, index)
    places = [element, element.get("Contact")]
    for place in places:
        if isinstance(place, dict):
            for words in _texts(place.get("ValidationErrors")):
                found.setdefault(words, None)
    return list(found.items())


def _texts(entries: Any) -> Iterable[str]:
    for entry in records(entries):
        yield text(entry, "Message") or text(entry, "Description")


def _line_of(words: str, lines: Sequence[tuple[int, str, str]]) -> int | None:
    """The first line sent with the codes that the message names."""
    named = {one.rstrip(".") for one in re.findall(r"[\w.-]+", words)} - {""}
    both = [line for line, account, tax in lines if account in named and tax in named]
    one = [line for line, account, tax in lines if account in named or tax in named]
    return next(iter(both or one), None)
