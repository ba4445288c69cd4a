"""What follows a document: a credit set against its invoice, and the PDF."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from connectors.base.documents import Allocation, Attachment, Key, Posted
from connectors.base.errors import OutcomeUnknown, Rejected
from connectors.base.protocol import Found, Outcome
from connectors.xero.books import Books
from connectors.xero.creating import Record, one_by_one
from connectors.xero.refusals import NOT_FOUND, of_one, refusal
from connectors.xero.sales import CREDIT_NOTES, INVOICES
from connectors.xero.wire import LABEL, money, number, records, remote_id, text

# The 10 MB of its documents in the narrower reading, which it takes either way.
LARGEST_PDF = 10_000_000
NAME_LENGTH = 100


def find_allocations(books: Books, allocations: Sequence[Allocation]) -> dict[Key, Found]:
    """Those already made: the same invoice and amount on the credit note."""
    found: dict[Key, Found] = {}
    for one in allocations:
        note = _note(books, one)
        if note is not None and (made := _made(note, one)):
            found[one.key] = made
    return found


def post_allocations(
    books: Books, allocations: Sequence[Allocation], *, call_key: str
) -> list[Outcome]:
    """Set each against its invoice. An allocation has no number, so the note is read first."""
    return one_by_one(
        allocations, lambda one, key: _allocate(books, one, call_key=key), call_key=call_key
    )


def _allocate(books: Books, allocation: Allocation, *, call_key: str) -> Outcome:
    note = _note(books, allocation)
    if note is None:
        return _gone(CREDIT_NOTES.word)
    if made := _made(note, allocation):
        return made
    if refused := _not_yet(note, allocation):
        return refused
    body = {
        "Amount": number(allocation.amount),
        "Date": allocation.issued.isoformat(),
        "Invoice": {"InvoiceID": allocation.invoice_id},
    }
    try:
        answer = books.http.write(
            "PUT",
            f"{_path(CREDIT_NOTES.place.path, allocation.credit_note_id)}/Allocations",
            {"Allocations": [body]},
            idempotency_key=call_key,
            params={"summarizeErrors": False},
        )
    except Rejected as refused:
        return _not_allocated(refused)
    listed = records(answer.get("Allocations")) if isinstance(answer, dict) else []
    if len(listed) != 1:
        raise OutcomeUnknown(f"{LABEL} did not say whether the credit is set against the invoice.")
    if refused_one := refusal(listed[0]):
        return _not_allocated(refused_one)
    return Posted(key=allocation.key, remote_id=_allocation_id(listed[0], allocation))


def _note(books: Books, allocation: Allocation) -> Record | None:
    answer = books.http.read_or_none(
        _path(CREDIT_NOTES.place.path, allocation.credit_note_id), unitdp=4
    )
    listed = records(answer.get(CREDIT_NOTES.place.plural)) if isinstance(answer, dict) else []
    return listed[0] if listed else None


def _made(note: Record, allocation: Allocation) -> Posted | None:
    for one in records(note.get("Allocations")):
        invoice = one.get("Invoice")
        invoice_id = text(invoice, "InvoiceID") if isinstance(invoice, dict) else ""
        if invoice_id == allocation.invoice_id and money(one.get("Amount")) == allocation.amount:
            return Posted(key=allocation.key, remote_id=_allocation_id(one, allocation))
    return None


def _allocation_id(record: Record, allocation: Allocation) -> str:
    """Its own id, or where Xero gives none the two it joins."""
    own = remote_id(record, "AllocationID")
    return own or f"{allocation.credit_note_id}/{allocation.invoice_id}"


def _not_yet(note: Record, allocation: Allocation) -> Rejected | None:
    status = text(note, "Status")
    if status in {"DRAFT", "SUBMITTED"}:
        return Rejected(
            f"The credit note is not approved in {LABEL} yet.",
            field="delivery_status",
            code="not_approved",
            next_step="Approve invoice and credit note in Xero, then retry.",
        )
    left = money(note.get("RemainingCredit"))
    if left is not None and left < allocation.amount:
        return Rejected(
            f"The credit note has {left} left in {LABEL}; {allocation.amount} is to be set"
            " against the invoice.",
            field="total",
            code="credit_used",
            next_step="Look at the credit note in Xero: its credit may be used already.",
        )
    return None


def _not_allocated(refused: Rejected) -> Rejected:
    if refused.code == NOT_FOUND:
        return _gone(INVOICES.word)
    told = of_one(refused)
    return Rejected(
        f"{LABEL} did not set the credit against the invoice. {told}",
        field="total",
        code=told.code,
        next_step="Look whether the invoice is approved and still open in Xero, or set the credit"
        " against it there.",
        words=told.words,
        others=told.others,
    )


def find_attachments(books: Books, attachments: Sequence[Attachment]) -> dict[Key, Found]:
    """Those already there: the same name and size on the same document."""
    found: dict[Key, Found] = {}
    for one in attachments:
        answer: Any = books.http.read_or_none(f"{_document(one)}/Attachments")
        listed = records(answer.get("Attachments")) if isinstance(answer, dict) else []
        for there in listed:
            same_size = there.get("ContentLength") == len(one.content)
            if text(there, "FileName") == safe_name(one.file_name) and same_size:
                found[one.key] = _attached(one, there)
    return found


def post_attachments(
    books: Books, attachments: Sequence[Attachment], *, call_key: str
) -> list[Outcome]:
    """Attach each. The same name replaces what was there, so a repetition is harmless."""
    return one_by_one(
        attachments, lambda one, key: _attach(books, one, call_key=key), call_key=call_key
    )


def _attach(books: Books, attachment: Attachment, *, call_key: str) -> Outcome:
    if len(attachment.content) > LARGEST_PDF:
        return Rejected(
            f"The PDF has {len(attachment.content) / 1_000_000:.1f} MB; {LABEL} takes 10 MB.",
            field="pdf",
            code="too_large",
            next_step="Make the PDF smaller in Abtrac, then retry.",
        )
    name = safe_name(attachment.file_name)
    try:
        answer = books.http.write(
            "PUT",
            f"{_document(attachment)}/Attachments/{quote(name, safe='')}",
            attachment.content,
            idempotency_key=call_key,
            params={"IncludeOnline": True},
            content_type="application/pdf",
        )
    except Rejected as refused:
        if refused.code == NOT_FOUND:
            return _gone(CREDIT_NOTES.word if attachment.of_credit_note else INVOICES.word)
        told = of_one(refused)
        return Rejected(
            f"{LABEL} did not take the PDF. {told}",
            field="pdf",
            code=told.code,
            next_step=told.next_step,
            words=told.words,
            others=told.others,
        )
    listed = records(answer.get("Attachments")) if isinstance(answer, dict) else []
    if not listed or not remote_id(listed[0], "AttachmentID"):
        raise OutcomeUnknown(f"{LABEL} did not say whether it has the PDF.")
    return _attached(attachment, listed[0])


def safe_name(file_name: str) -> str:
    """A name of letters, digits and . _ - only: spaces and # have failed in practice."""
    stem = file_name[:-4] if file_name.lower().endswith(".pdf") else file_name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")
    return f"{plain[:NAME_LENGTH] or 'invoice'}.pdf"


def _attached(attachment: Attachment, record: Record) -> Posted:
    return Posted(
        key=attachment.key,
        remote_id=remote_id(record, "AttachmentID"),
        number=text(record, "FileName"),
    )


def _document(attachment: Attachment) -> str:
    sort = CREDIT_NOTES if attachment.of_credit_note else INVOICES
    return _path(sort.place.path, attachment.document_id)


def _path(path: str, document_id: str) -> str:
    return f"{path}/{quote(document_id, safe='')}"


def _gone(word: str) -> Rejected:
    return Rejected(
        f"{LABEL} no longer has the {word}.",
        field=word.replace(" ", "_"),
        code="gone",
        next_step="Look in Xero what became of it.",
    )
