"""Why an upload failed, told apart as causes are: by the rule, and by what has to be mended.

Whoever refuses an upload leaves the faults with the row in hand. Of one that came without them,
from an older worker, they are read off what is stored.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format

from connectors.base.errors import Rejected
from connectors.base.faults import Fault, Weight, tax_with_account
from invoicing.models import Upload

Kind = Upload.Kind
DOCUMENTS = (Kind.INVOICE, Kind.CREDIT_NOTE)

# The package holds something else in our place, so it surely does not hold ours.
CONFLICT = "conflict"
# A person was left with it only because its interface was disconnected.
NOT_ASKED = "not_asked"
# All look-ups are over, and nobody knows.
NOT_KNOWN = "not_known"
# All tries are over.
GIVEN_UP = "given_up"
OUR_FAULT = "our_fault"
TAKEN_BACK = "taken_back"
# Refused, and the package gave no reason that we know.
REFUSED = "refused"

ACCOUNT, TAX, PAIR = "account_code", "tax_code", "tax_not_for_account"
# The tax of a line is not what the rate of its tax code makes of it.
TAX_DIFFERS = "tax_differs"
CONTACT, JOB, NUMBER = "contact", "job", "number"
LOCKED, PLAN_LIMIT, CURRENCY = "period_locked", "plan_limit", "currency_not_enabled"

# What is mended once for a whole interface.
_OF_INTERFACE = {LOCKED, NOT_ASKED, NOT_KNOWN, GIVEN_UP, OUR_FAULT, "status"}
_LONGEST = 255

_TITLES = {
    "account_archived": "Account {subject} is archived in {label}.",
    "account_unknown": "Account {subject} is not in {label}.",
    "account_not_for_sales": "Account {subject} cannot be used on sales lines in {label}.",
    "account_missing": "No account is set: the {subject} is empty.",
    "tax_archived": "Tax code {subject} is archived in {label}.",
    "tax_unknown": "Tax code {subject} is not in {label}.",
    "tax_not_for_sales": "Tax code {subject} cannot be used on sales lines in {label}.",
    "tax_missing": "No tax code is set: the {subject} is empty.",
    PAIR: "Tax code {tax} cannot be used with account {account} in {label}.",
    CURRENCY: "{company} in {label} has no currency {subject}.",
    LOCKED: "The invoice date is on or before the lock date{locked} in {label}.",
    PLAN_LIMIT: "The {label} plan's limit of invoices is reached for {subject}.",
    "contact_archived": "{contact} is archived in {label}.",
    NOT_ASKED: "{interface} was disconnected before we could find out whether these arrived in"
    " {label}.",
    NOT_KNOWN: "We could not find out whether these arrived in {label}. Please do not enter them by"
    " hand.",
    OUR_FAULT: "Something went wrong on our side. This is our fault, not yours.",
}
# How a reason that is stored names the line of the invoice it is about.
_PREFIX = re.compile(r"Invoice .*?, line (\d+): (.*)", re.DOTALL)
# A subject without which the title says nothing.
_NEEDS_SUBJECT = re.compile(r"\{(subject|tax)\}")


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One reason for which one upload cannot go; `message` is of the cause, `told` of the upload.

    `subject` is what has to be mended: a code, `client id|name` of a contact, the id of a job or of
    the invoice itself; empty where it is the interface.
    """

    code: str
    subject: str
    field: str
    message: str
    next_step: str
    told: str
    line: int


def faults_of(refused: Rejected) -> tuple[Fault, ...]:
    """A refusal of a package, and its further reasons, as faults."""
    return tuple(
        Fault(
            field=one.field,
            code=one.code,
            subject=one.subject,
            message=str(one),
            line=one.line or 0,
            next_step=one.next_step,
        )
        for one in (refused, *refused.others)
    )


def reasons_of(upload: Upload) -> list[Reason]:
    """Every reason once, the first line that each is about; of one that has failed."""
    found: dict[tuple[str, str], Reason] = {}
    for fault in upload.faults or _stored(upload):
        if fault.weight is Weight.REFUSED:
            reason = _reason(upload, fault)
            found.setdefault((reason.code, reason.subject), reason)
    return list(found.values())


def client_of(subject: str) -> int:
    """The id of the client that a contact's subject names; 0 where it names none."""
    named = subject.partition("|")[0]
    return int(named) if named.isascii() and named.isdecimal() else 0


def _reason(upload: Upload, fault: Fault) -> Reason:
    field = {Kind.CONTACT: CONTACT, Kind.JOB: JOB}.get(Kind(upload.kind), fault.field)
    if field != NUMBER and fault.subject and fault.subject == _contact_name(upload):
        # Its e-mail, say: what is to be mended is the client.
        field = CONTACT
    subject = _subject(upload, fault, field)
    return Reason(
        code=(fault.code or field or REFUSED)[:60],
        subject=subject[:_LONGEST],
        field=field[:40],
        message=_title(upload, fault, subject, field),
        next_step=fault.next_step,
        told=fault.message,
        line=fault.line,
    )


def _subject(upload: Upload, fault: Fault, field: str) -> str:
    document = upload.document
    if fault.code in _OF_INTERFACE:
        return ""
    if field == CONTACT:
        client = upload.client_id or (upload.invoice.client_id if upload.invoice else "")
        return f"{client}|{_link_name(upload)}"
    if upload.kind == Kind.JOB:
        return str(upload.job_id)
    if fault.code == PLAN_LIMIT:
        return str(document.get("issued", ""))[:7]
    if fault.code == CURRENCY:
        return fault.subject or str(document.get("currency", ""))
    if field != NUMBER and (fault.subject or fault.code == PAIR or field in (ACCOUNT, TAX)):
        return fault.subject or _named_in(fault, field)
    itself = str(upload.invoice_id or upload.job_id or upload.client_id)
    return itself if upload.kind in DOCUMENTS else f"{upload.kind} {itself}"


def _link_name(upload: Upload) -> str:
    """By what the contact is told apart: nothing, where it is matched by the client's ID."""
    if upload.kind == Kind.CONTACT:
        return upload.contact_name
    by_number = upload.interface.preference("match_contacts_by") == "number"
    return "" if by_number else _contact_name(upload)


def _contact_name(upload: Upload) -> str:
    document = upload.document
    return str(document.get("contact", {}).get("name") or document.get("name", ""))


def _named_in(fault: Fault, field: str) -> str:
    """The codes that a message names, where nobody said which they are."""
    tax = re.search(r"[Tt]ax code (\S+)", fault.message)
    account = re.search(r"[Aa]ccount(?: code)? (\S*\d\S*)", fault.message)
    if fault.code == PAIR:
        return tax_with_account(tax[1], account[1]) if tax and account else ""
    empty = re.search(r"the (.+?) is empty", fault.message)
    found = empty or (account if field == ACCOUNT else tax)
    return found[1].rstrip(".,") if found else ""


def _title(upload: Upload, fault: Fault, subject: str, field: str) -> str:
    """What is wrong, without naming the invoice that met it, where others can meet it too."""
    interface, title = upload.interface, _TITLES.get(fault.code, "")
    if title and (subject or not _NEEDS_SUBJECT.search(title)):
        tax, _, account = subject.partition("|")
        locked = interface.lock_date
        return title.format(
            subject=_month(subject) if fault.code == PLAN_LIMIT else subject,
            tax=tax,
            account=account,
            label=interface.package.label,
            company=interface.company_file_name or interface.name,
            interface=interface,
            contact=_contact_name(upload) or "The contact",
            locked=f" {date_format(locked, 'j M Y')}" if locked else "",
        )
    return _of_its_own(upload, fault.message, field)


def _month(subject: str) -> str:
    """2026-11 as people write it."""
    year, _, month = subject.partition("-")
    known = year.isdecimal() and month.isdecimal() and 1 <= int(month) <= 12
    return date_format(date(int(year), int(month), 1), "F Y") if known else subject


def _of_its_own(upload: Upload, message: str, field: str) -> str:
    """The message with what it is about, where it does not say that itself."""
    if field == CONTACT:
        name = _contact_name(upload)
        return message if not name or name in message else f"{name}: {message}"
    if upload.kind == Kind.JOB:
        return f"Job {upload.document.get('code', '')}: {message}"
    number = str(upload.document.get("number") or upload.invoice or "")
    if field in (ACCOUNT, TAX) or not number or number in message:
        return message
    what = "Invoice" if upload.kind in DOCUMENTS else f"{upload.get_kind_display()} of invoice"
    return f"{what} {number}: {message}"


def _stored(upload: Upload) -> Iterator[Fault]:
    """What is known of why it failed where only the row tells."""
    code, state = upload.code, upload.state
    if state == Upload.State.NEEDS_PERSON and not code:
        code = NOT_KNOWN if upload.unknown_since else TAKEN_BACK
    message, line = without_prefix(upload.reason.partition("\n")[0])
    yield Fault(
        field=upload.field, code=code, message=message, line=line, next_step=upload.next_step
    )


def without_prefix(reason: str) -> tuple[str, int]:
    """One reason as it is stored, without the line it says it is about; and that line, or 0."""
    found = _PREFIX.match(reason)
    return (found[2], int(found[1])) if found else (reason, 0)


def needs_person(upload: Upload, code: str) -> Sequence[Fault]:
    """Why nothing more happens with it by itself: in the words of its own row."""
    return (Fault(field="", code=code, message=upload.reason, next_step=upload.next_step),)
