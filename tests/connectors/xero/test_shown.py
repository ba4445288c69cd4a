"""What Xero will show of a document is worked out before: the rehearsal shows the very same."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.base.documents import CreditNote, Posted, SalesInvoice, TaxBasis
from connectors.base.errors import Rejected
from connectors.base.shown import Shown
from connectors.xero.mapping import show
from tests.connectors import samples
from tests.connectors.samples import Terms, line
from tests.connectors.xero.rehearsal import Rehearsal

NZ = Terms(
    fees="200",
    recoveries="210",
    taxed="OUTPUT2",
    rate=Decimal(15),
    untaxed="ZERORATED",
    currency="NZD",
)
HALF_CENT = line(NZ, "0.10", quantity="1", unit_price="0.10", tax="0.01")
SHOWN = {
    **samples.invoices(NZ),
    "credit note": samples.credit_note(NZ, line(NZ), line(NZ, "-87.50", quantity="-1")),
    "half a cent": samples.invoice(NZ, HALF_CENT, line(NZ), number="ABT-1020"),
    "half a cent, tax inside": samples.invoice(
        NZ,
        line(NZ, "8.69", quantity="1", unit_price="9.99", tax="1.30"),
        number="ABT-1021",
        tax_basis=TaxBasis.INCLUSIVE,
    ),
    "jobs": samples.invoice(
        NZ, line(NZ, job_code="J1"), line(NZ, job_code="J1"), line(NZ), number="ABT-1022"
    ),
}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "all lines": {"delivery_status": "AUTHORISED"},
    "one line": {"detail": "single"},
    "jobs tracked": {"detail": "single", "jobs": "tracking", "tracking_category": "Job"},
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_shown_before_is_what_is_there_afterwards(xero: Rehearsal, way: str) -> None:
    books = xero.organisation
    books.add_tracking_option("J1")
    connector = xero.connect(**WAYS[way])
    [contact_id] = {one.contact_id for one in xero.ready(*SHOWN.values())}
    documents = [replace(one, contact_id=contact_id) for one in SHOWN.values()]
    notes = [one for one in documents if isinstance(one, CreditNote)]
    invoices = [one for one in documents if one not in notes]
    outcomes = [
        *connector.post_invoices(invoices, call_key="invoices"),
        *connector.post_credit_notes(notes, call_key="notes"),
    ]
    held = {one.id: one for one in [*books.invoices, *books.credit_notes]}
    for document, posted in zip([*invoices, *notes], outcomes, strict=True):
        assert isinstance(posted, Posted), posted
        compare(document, show(document, WAYS[way]), held[posted.remote_id])


def compare(document: SalesInvoice, shown: Shown, there: Any) -> None:
    """Total for total, and line for line."""
    assert (shown.net, shown.tax, shown.total) == (there.sub_total, there.total_tax, there.total)
    for ours, theirs in zip(shown.lines, there.lines, strict=True):
        assert ours.description == theirs.description
        amounts = (ours.quantity, ours.unit_price)
        assert amounts == (theirs.quantity, theirs.unit_amount)
        if ours.quantity is None:
            continue
        assert (ours.amount, ours.tax) == (theirs.amount, theirs.tax)
        assert (ours.account_code, ours.tax_code) == (theirs.account.code, theirs.tax_type)
        assert ours.job_code == "".join(option.name for _, option in theirs.tracking)
    # Every line of ours is in one of theirs.
    places = {at for one in shown.lines for at in one.lines}
    assert places == set(range(1, len(document.lines) + 1))
    facts = dict(shown.facts)
    assert facts.get("Reference", "") == there.reference
    assert facts["Contact"] == there.contact.name


def test_what_is_sent_otherwise_is_told() -> None:
    long, rounded = SHOWN["long text"], SHOWN["tax rounded on the total"]
    assert show(long, {}).notes == (
        "The text of line 1 is longer than the 4000 characters Xero takes: it goes on in a line of"
        " text.",
    )
    assert show(rounded, {}).notes == (
        "Xero would round the tax of line 3 to 3.84; Abtrac's 3.85 is sent with it (0.01 more).",
    )
    assert "reference was shortened" in show(replace(long, reference="r" * 256), {}).notes[0]
    assert show(SHOWN["one line"], {}).notes == ()


def test_what_is_not_sent_at_all_is_not_shown_and_every_reason_is_told() -> None:
    wrong = line(NZ, "100.00", quantity="1", unit_price="100", tax="0.00")
    with pytest.raises(Rejected) as refused:
        show(samples.invoice(NZ, wrong, wrong, number=""), {})
    reasons = [refused.value, *refused.value.others]
    assert [(one.code, one.line) for one in reasons] == [
        ("number", None),
        ("tax_differs", 1),
        ("tax_differs", 2),
    ]
