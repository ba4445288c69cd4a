"""The badge of an invoice, wherever it appears; a table asks for all of its rows at once."""

from typing import Any

from django import template

from invoicing.badges import NOT_SENT, Badge, badges_of
from invoicing.models import Invoice, Upload

register = template.Library()

PARTIAL = "invoicing/invoice_badge.html"
# What an upload that is sent does not say for itself.
SINCE = {"Changed there", "Being voided"}


@register.inclusion_tag(PARTIAL)
def badge_of(invoice: Invoice, table: Any = None) -> dict[str, Badge]:
    """The badge of the invoice, a row of that table or by itself."""
    return {"badge": _known(invoice, table)}


@register.inclusion_tag(PARTIAL)
def badge_beside(upload: Upload, table: Any = None) -> dict[str, Badge | None]:
    """The badge of the upload's invoice, where that stands otherwise than the upload says."""
    if upload.invoice is None:
        return {"badge": None}
    badge = _known(upload.invoice, table)
    same = badge.upload_id == upload.pk and badge.words not in SINCE
    return {"badge": None if same else badge}


@register.inclusion_tag(PARTIAL)
def show_badge(badge: Badge | None) -> dict[str, Badge | None]:
    """A badge in hand."""
    return {"badge": badge}


def _known(invoice: Invoice, table: Any) -> Badge:
    if table is None:
        return badges_of([invoice])[invoice.pk]
    known = getattr(table, "badges", None)
    if known is None:
        rows = [row.record for row in table.paginated_rows]
        invoices = [one if isinstance(one, Invoice) else one.invoice for one in rows]
        known = table.badges = badges_of(invoices)
    found: Badge = known.get(invoice.pk, NOT_SENT)
    return found
