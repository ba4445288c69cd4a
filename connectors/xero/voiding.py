"""Taking back invoices and credit notes that are in Xero: voided, or deleted while unapproved."""

from collections.abc import Sequence
from urllib.parse import quote

from connectors.base.documents import Key, Posted, Voiding
from connectors.base.errors import OutcomeUnknown, Rejected
from connectors.base.protocol import Found, Outcome
from connectors.xero.books import Books
from connectors.xero.creating import Record, one_by_one
from connectors.xero.refusals import NOT_FOUND, of_one, refusal
from connectors.xero.sales import CREDIT_NOTES, INVOICES, TAKEN_BACK, Sort
from connectors.xero.wire import LABEL, money, records, remote_id, text

# What each status ends in. The others are final, but that PAID is approved again without payment.
ENDS_IN = {"DRAFT": "DELETED", "SUBMITTED": "DELETED", "AUTHORISED": "VOIDED"}
IN_USE = "in_use"
OR_CREDIT_IT = "Or leave it, and send a credit note from Abtrac."


def find(books: Books, documents: Sequence[Voiding]) -> dict[Key, Found]:
    """Those that stand no more."""
    found: dict[Key, Found] = {}
    for one in documents:
        record = _read(books, one)
        if record is not None and text(record, "Status") in TAKEN_BACK:
            found[one.key] = _taken_back(books, one, record)
    return found


def void(books: Books, documents: Sequence[Voiding], *, call_key: str) -> list[Outcome]:
    """Take each back. It is read first: its status says how, and whether it may be."""
    return one_by_one(
        documents, lambda one, key: _void(books, one, call_key=key), call_key=call_key
    )


def _void(books: Books, document: Voiding, *, call_key: str) -> Outcome:
    record = _read(books, document)
    if record is None:
        return _gone(document)
    status = text(record, "Status")
    if status in TAKEN_BACK:
        return _taken_back(books, document, record)
    if refused := _is_another(document, record) or _is_in_use(document, record):
        return refused
    # Without lines, and the other fields, they stay as they are.
    body = {_sort(document).id_name: document.document_id, "Status": ENDS_IN[status]}
    place = _sort(document).place
    try:
        answer = books.http.write(
            "POST",
            _path(document),
            {place.plural: [body]},
            idempotency_key=call_key,
            params={"summarizeErrors": False, "unitdp": 4},
        )
    except Rejected as refused_call:
        return _not_taken_back(document, refused_call)
    listed = records(answer.get(place.plural)) if isinstance(answer, dict) else []
    if len(listed) != 1:
        raise OutcomeUnknown(f"{LABEL} did not say whether {document.number} is taken back.")
    if refused_one := refusal(listed[0]):
        return _not_taken_back(document, refused_one)
    same = remote_id(listed[0], _sort(document).id_name) == document.document_id
    if not same or text(listed[0], "Status") not in TAKEN_BACK:
        raise OutcomeUnknown(f"{LABEL} did not say whether {document.number} is taken back.")
    return _taken_back(books, document, listed[0])


def _read(books: Books, document: Voiding) -> Record | None:
    answer = books.http.read_or_none(_path(document), unitdp=4)
    found = records(answer.get(_sort(document).place.plural)) if isinstance(answer, dict) else []
    return found[0] if found else None


def _sort(document: Voiding) -> Sort:
    return CREDIT_NOTES if document.of_credit_note else INVOICES


def _path(document: Voiding) -> str:
    return f"{_sort(document).place.path}/{quote(document.document_id, safe='')}"


def _taken_back(books: Books, document: Voiding, record: Record) -> Posted:
    sort = _sort(document)
    return Posted(
        key=document.key,
        remote_id=document.document_id,
        number=sort.number(record),
        url=books.link(sort.shown_at + document.document_id),
        status=text(record, "Status"),
    )


def _is_another(document: Voiding, record: Record) -> Rejected | None:
    """Somebody has changed it since: what they made of it is not ours to take back."""
    sort = _sort(document)
    number, total = sort.number(record), money(record.get("Total"))
    if number.casefold() == document.number.casefold() and total == document.total:
        return None
    theirs = f"{number}, {total:,.2f}" if total is not None else number
    return Rejected(
        f"The {sort.word} was changed in {LABEL} since it was sent: it is {theirs} there; it was"
        f" {document.number}, {document.total:,.2f}.",
        field="total",
        code="changed_there",
        next_step=f"Look at it in {LABEL}. If it is to go, void it there, then retry.",
    )


def _is_in_use(document: Voiding, record: Record) -> Rejected | None:
    """Money stands against it: known from what was read, so nothing is asked."""
    if document.of_credit_note:
        used = money(record.get("RemainingCredit")) != money(record.get("Total"))
        used = used or bool(records(record.get("Allocations")))
    else:
        used = any(money(record.get(name)) for name in ("AmountPaid", "AmountCredited"))
    return _in_use(document) if used or text(record, "Status") not in ENDS_IN else None


def _in_use(document: Voiding, words: str = "") -> Rejected:
    why = "it has payments or credit notes allocated"
    if document.of_credit_note:
        why = "it is set against an invoice, or paid out"
    return Rejected(
        f"{LABEL} does not void {_sort(document).word} {document.number}: {why}.",
        field="payments",
        code=IN_USE,
        next_step=f"Take these off it in {LABEL}, then retry. {OR_CREDIT_IT}",
        words=words,
    )


def _not_taken_back(document: Voiding, refused: Rejected) -> Rejected:
    if refused.code == NOT_FOUND:
        return _gone(document)
    told = of_one(refused)
    if "allocated to it" in told.words:
        return _in_use(document, told.words)
    return Rejected(
        f"{LABEL} did not void {_sort(document).word} {document.number}. {told}",
        field=told.field,
        code=told.code,
        next_step=f"See in {LABEL} what stands in the way, then retry. {OR_CREDIT_IT}",
        words=told.words,
    )


def _gone(document: Voiding) -> Rejected:
    return Rejected(
        f"{LABEL} no longer has {_sort(document).word} {document.number}.",
        field="number",
        code="gone",
        next_step=f"Look in {LABEL} what became of it.",
    )
