"""What keeps uploads from going, each cause once, for mails. Every function here needs a scope."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from invoicing.models import Blocked, Upload
from invoicing.uploads.states import DOCUMENTS
from invoicing.words import counted, money

MOST = 20
# What names the invoice, so that the same cause of many is told alike.
_NAMED = re.compile(r"Invoice \S.*?(, line \d+)?: ")


@dataclass(frozen=True, kw_only=True)
class HeldUp:
    """Uploads held up by one cause, and what somebody must do."""

    message: str
    next_step: str
    uploads: Sequence[Upload]

    @property
    def told(self) -> str:
        """`Account 205 is archived in Xero: 14 invoices, NZD 38,200.00.` and what to do."""
        message = self.message.rstrip(".")
        return f"{message}: {sum_told(self.uploads)}. {self.next_step}".strip()


def by_cause(uploads: Iterable[Upload]) -> list[HeldUp]:
    """Each cause once, with all it holds up; what holds up most comes first.

    An upload with several reasons is told under each. They come with their invoices.
    """
    rows = list(uploads)
    causes = _causes(rows)
    found: dict[tuple[str, str], list[Upload]] = {}
    for one in rows:
        for place in causes.get(one.pk) or _reasons(one):
            found.setdefault(place, []).append(one)
    held = [
        HeldUp(message=message, next_step=step, uploads=same)
        for (message, step), same in found.items()
    ]
    return sorted(held, key=lambda one: (-len(one.uploads), one.message))


def listed(held: Sequence[HeldUp]) -> str:
    """A line for each, no more than can be read."""
    lines = [f"- {one.told}" for one in held[:MOST]]
    if left := len(held) - MOST:
        lines += [f"- and {counted(left, 'more cause')}."] if left > 0 else []
    return "\n".join(lines)


def sum_told(uploads: Sequence[Upload]) -> str:
    """`14 invoices and 1 PDF, NZD 38,200.00`."""
    invoices = [one.invoice for one in uploads if one.kind in DOCUMENTS and one.invoice]
    others = len(uploads) - len(invoices)
    parts = [counted(len(invoices), "invoice")] if invoices else []
    parts += [counted(others, "contact, job or PDF", "contacts, jobs or PDFs")] if others else []
    sums: dict[str, Decimal] = {}
    for one in invoices:
        sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.total
    values = [f"{currency} {money(total)}" for currency, total in sorted(sums.items())]
    return ", ".join([" and ".join(parts), *values])


def _causes(uploads: Sequence[Upload]) -> dict[int, list[tuple[str, str]]]:
    """Of uploads whose causes are kept: what these say."""
    with_causes = [one.pk for one in uploads if one.has_causes]
    if not with_causes:
        return {}
    blocked = Blocked.objects.filter(upload__in=with_causes, cleared_at__isnull=True)
    found: dict[int, list[tuple[str, str]]] = {}
    for pk, message, step in blocked.order_by("pk").values_list(
        "upload", "cause__message", "cause__next_step"
    ):
        found.setdefault(pk, []).append((message, " ".join(step.split())))
    return found


def _reasons(upload: Upload) -> list[tuple[str, str]]:
    reasons = [_NAMED.sub("", line, count=1) for line in upload.reason.splitlines()]
    step = " ".join(upload.next_step.split())
    told = [(f"{one[:1].upper()}{one[1:]}", step) for one in reasons if one]
    return list(dict.fromkeys(told)) or [("Why is not known", step)]
