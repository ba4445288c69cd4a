"""A batch as files that people open in a spreadsheet. Every function here needs a scope."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from django.utils.timezone import localtime

from invoicing import selectors
from invoicing.models import Batch, Upload
from invoicing.prospects import look_ahead
from invoicing.reasons import without_prefix
from invoicing.spreadsheets import Cell
from invoicing.words import state_of, warnings_of

# What both files begin with.
_ABOUT = (
    *("Invoice No", "What", "Client", "Job", "Name on Invoice", "Invoice Date", "Currency"),
    *("Amount excl Tax", "Amount incl Tax", "State"),
)
WHOLE = (
    *_ABOUT,
    *("Number in the package", "Sent", "Interface", "What happened", "What to do", "Link"),
)
ERRORS = (*_ABOUT, "Line", "Interface", "What happened", "What to do")
_NAMED = ("invoice__client", "client", "job__client", "interface__lane")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under the names of their columns."""

    columns: Sequence[str]
    rows: list[Sequence[Cell]]


def whole(batch: Batch) -> Table:
    """Every row of the batch, as its page lists them, and what became of it."""
    uploads = list(selectors.documents_of(batch).select_related(*_NAMED))
    look_ahead([*uploads, *selectors.give_pdfs(uploads)])
    return Table(columns=WHOLE, rows=[_row(one) for one in uploads])


def errors(batch: Batch) -> Table:
    """What is refused or needs a person, a row for each reason."""
    uploads = list(selectors.errors_of(batch).select_related(*_NAMED))
    look_ahead(uploads)
    return Table(columns=ERRORS, rows=[row for one in uploads for row in _reasons(one)])


def _row(upload: Upload) -> Sequence[Cell]:
    prospect = upload.prospect  # type: ignore[attr-defined]
    return (
        *_about(upload),
        upload.remote_number if upload.sent_at else "",
        upload.sent_at and localtime(upload.sent_at),
        upload.interface.name,
        _one_line("\n".join([prospect.reason, *warnings_of(upload)])),
        _one_line(prospect.next_step),
        upload.remote_url,
    )


def _about(upload: Upload) -> Sequence[Cell]:
    """What it is, its invoice or its client or job alone, and its state."""
    invoice, job = upload.invoice, upload.job
    client = upload.client or (invoice and invoice.client) or (job and job.client)
    return (
        upload.sent_as if invoice else "",  # type: ignore[attr-defined]
        upload.get_kind_display(),
        client.name if client else "",
        str(job) if job else "",
        invoice.name_on_invoice if invoice else "",
        *((invoice.issued, invoice.currency) if invoice else (None, "")),
        *((invoice.net, invoice.total) if invoice else (None, None)),
        state_of(upload).words,
    )


def _reasons(upload: Upload) -> Iterator[Sequence[Cell]]:
    reasons = upload.reason.splitlines() or [""]
    steps = upload.prospect.next_step.splitlines()  # type: ignore[attr-defined]
    if len(steps) != len(reasons):
        # Which step is for which reason is not known: they are told once, beside the first.
        steps = [_one_line(" ".join(steps))]
    for reason, step in zip_longest(reasons, steps, fillvalue=""):
        _, line = without_prefix(reason)
        yield (*_about(upload), line or None, upload.interface.name, reason, step)


def _one_line(text: str) -> str:
    return " ".join(text.split())
