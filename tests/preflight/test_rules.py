"""Rules that Xero has no use for find what Keeper, an invented package, really refuses."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from connectors.base.documents import Address, Contact, SalesInvoice, TaxBasis
from connectors.base.errors import Rejected
from connectors.base.faults import Fault, Weight
from connectors.base.known import Known, KnownContact
from connectors.base.rules import Characters, LineAmount, NotWhere, TextLength
from tests.connectors import samples
from tests.connectors.keeper.rehearsal import Rehearsal
from tests.connectors.samples import Terms, line
from tests.packages.keeper import PACKAGE

NZ = Terms(
    fees="200",
    recoveries="210",
    taxed="OUTPUT2",
    rate=Decimal(15),
    untaxed="ZERORATED",
    currency="NZD",
)
GOOD = samples.invoice(NZ, number="K-1")
CASES: dict[str, tuple[str, SalesInvoice, SalesInvoice]] = {
    "job": (
        "job_missing",
        samples.invoice(NZ, line(NZ, job_code="J1"), line(NZ), number="K-2"),
        samples.invoice(NZ, line(NZ, job_code="J1"), line(NZ, job_code="J1"), number="K-2"),
    ),
    "few lines": (
        "too_many_lines",
        samples.invoice(NZ, *[line(NZ)] * 4, number="K-3"),
        samples.invoice(NZ, *[line(NZ)] * 3, number="K-3"),
    ),
    "total": (
        "total_differs",
        samples.invoice(NZ, line(NZ, "42.38", quantity="1", unit_price="42.375"), number="K-4"),
        samples.invoice(NZ, line(NZ, "42.37", quantity="1", unit_price="42.375"), number="K-4"),
    ),
    "address": (
        "address_missing",
        replace(GOOD, contact=replace(samples.contact("C9"), postal=Address())),
        replace(GOOD, contact=samples.contact("C9")),
    ),
}


@pytest.fixture(scope="module")
def keeper() -> Iterator[Rehearsal]:
    """One rehearsal for all; what it demands is set by each test."""
    with Rehearsal(PACKAGE) as rehearsal:
        yield rehearsal


def faults(document: SalesInvoice, **known: Any) -> list[Fault]:
    """What Keeper's rules find, of a client who is not there yet."""
    new = {document.key: KnownContact(remote_id="", new=True)}
    known = {"label": "Keeper", "number_length": 20, "contacts": new, **known}
    return [fault for rule in PACKAGE.rules for fault in rule.faults(document, Known(**known))]


@pytest.mark.parametrize("demand", CASES)
def test_what_a_company_file_demands_is_known_before_it_refuses(
    keeper: Rehearsal, demand: str
) -> None:
    code, wrong, right = CASES[demand]
    keeper.standin.books(keeper.company_file).demands = {demand}
    facts = keeper.connect().read_codes().facts
    [fault] = faults(wrong, facts=facts)
    refused = sent(keeper, wrong)
    assert isinstance(refused, Rejected)
    assert (fault.code, fault.field, fault.weight) == (code, refused.field, Weight.REFUSED)
    assert (refused.code, refused.line or 0) == (code, fault.line)
    assert faults(right, facts=facts) == []
    assert not isinstance(sent(keeper, right), Rejected)
    # Elsewhere it is taken, and nothing is said.
    assert faults(wrong) == []


def sent(keeper: Rehearsal, document: SalesInvoice) -> Any:
    """What Keeper says of the document, or of its contact where it does not take that."""
    connector = keeper.connect()
    contact: Contact = document.contact
    there = connector.find_contacts([contact]).get(contact.key)
    if there is None:
        [there] = connector.post_contacts([contact], call_key=str(uuid4()))
    if isinstance(there, Rejected):
        return there
    ready = replace(document, contact_id=there.remote_id)
    [outcome] = connector.post_invoices([ready], call_key=str(uuid4()))
    return outcome


def test_a_rounding_says_by_how_much() -> None:
    [fault] = faults(CASES["total"][1], facts={"demands total": "yes"})
    assert fault.message == (
        "Keeper will come to a total of 48.73, which is 0.01 less than Abtrac's 48.74."
    )


def test_the_tax_of_a_line_that_its_code_does_not_explain_is_a_remark() -> None:
    [fault] = faults(samples.invoice(NZ, line(NZ, "100.00", tax="12.50"), number="K-5"))
    assert (fault.code, fault.subject, fault.weight) == ("tax_differs", "OUTPUT2", Weight.REMARK)
    assert fault.message == "Its tax is 12.50, but OUTPUT2 at 15 % of 100.00 is 15.00."


@pytest.mark.parametrize(
    ("rule", "document", "message"),
    [
        (
            TextLength(text="reference", word="reference", field="reference", code="x", most=4),
            GOOD,
            "The reference “J1234 Harbour House” has 19 characters; Keeper takes 4.",
        ),
        (
            Characters(
                text="contact.name",
                word="name",
                field="contact",
                code="x",
                refused=":",
                trimmed=True,
            ),
            replace(GOOD, contact=samples.contact(name="A: B")),
            "The name “A: B” has :, which Keeper does not take.",
        ),
        (
            LineAmount(most=Decimal("110.00")),
            samples.invoice(NZ, line(NZ, "100.00"), tax_basis=TaxBasis.INCLUSIVE),
            "Its amount is 115.00; Keeper takes 110.00.",
        ),
        (
            NotWhere(fact=("edition", "LITE"), field="", code="x", message="No.", next_step=""),
            GOOD,
            "No.",
        ),
    ],
)
def test_a_rule_says_what_is_wrong(rule: Any, document: SalesInvoice, message: str) -> None:
    known = Known(label="Keeper", facts={"edition": "LITE"})
    assert [fault.message for fault in rule.faults(document, known)] == [message]
    free = replace(
        GOOD, reference="J1", contact=samples.contact(name="A B"), lines=(line(NZ, "1.00"),)
    )
    assert list(rule.faults(free, Known(label="Keeper"))) == []
