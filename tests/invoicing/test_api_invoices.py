"""Invoices are taken in whole, with amounts that agree, and not changed once committed."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoicing.models import Invoice, InvoiceLine, InvoicePdf, Job, OfficeInvoicing
from offices.tenancy import acting_for
from tests.invoicing.abtrac import (
    Abtrac,
    Row,
    abtrac,
    client,
    invoice,
    job,
    line,
    office,
    problems,
    rows_of,
    setting,
    values,
)

__all__ = ["abtrac"]

pytestmark = pytest.mark.django_db

TALLY = {"created": 0, "changed": 0, "unchanged": 0}
CENT = Decimal("0.01")


def stored(abtrac: Abtrac, abtrac_id: str = "I1") -> Invoice:
    """The invoice as it is stored."""
    [one] = rows_of(abtrac, Invoice, abtrac_id=abtrac_id)
    assert isinstance(one, Invoice)
    return one


def lines_of(abtrac: Abtrac, abtrac_id: str = "I1") -> list[Any]:
    """Its lines."""
    return rows_of(abtrac, InvoiceLine, invoice__abtrac_id=abtrac_id)


def commit(abtrac: Abtrac, *ids: str) -> None:
    """Approve and commit."""
    assert abtrac.move("approve", *ids).status_code == 200
    assert abtrac.move("commit", *ids).status_code == 200


def test_every_field_of_an_invoice_and_its_lines_is_stored(abtrac: Abtrac) -> None:
    abtrac.put("invoice-settings", setting("S2"))
    first: Row = {
        "position": 2,
        "description": "Concept design\nand sketches",
        "kind": "time",
        "quantity": Decimal("7.25"),
        "unit_price": Decimal("180.0001"),
        "net": Decimal("1305.00"),
        "tax": Decimal("195.75"),
        "tax_code": "OUTPUT2",
        "account_code": "200",
        "task": "Concept",
        "disbursement_type": "",
    }
    second: Row = {
        **first,
        "position": 1,
        "kind": "disbursement",
        "disbursement_type": "Printing",
        "task": "",
    }
    head: Row = {
        "number": "AK-2100/b",
        "name_on_invoice": "The Trustees of Kauri",
        "recipient": "Mere Ngāta",
        "order_number": "PO 4471",
        "claim_number": "3",
        "tax_basis": "exclusive",
        "currency": "AUD",
        "tax_code": "OUTPUT2",
    }
    sent = invoice(
        **head,
        invoice_setting="S2",
        job="J1",
        lines=[{**first, "job": "J1"}, {**second, "job": ""}],
    )
    assert abtrac.put("invoices", sent).json() == {**TALLY, "created": 1}
    one = stored(abtrac)
    assert values(one, head) == head
    assert (str(one.issued), str(one.due)) == ("2026-11-20", "2026-12-20")
    assert (one.net, one.tax, one.total) == (
        Decimal("2610.00"),
        Decimal("391.50"),
        Decimal("3001.50"),
    )
    assert (one.status, one.revision, one.paid) == ("draft", 1, Decimal(0))
    [the_job] = rows_of(abtrac, Job)
    assert one.job_id == the_job.pk
    by_position = {row.position: row for row in lines_of(abtrac)}
    assert values(by_position[2], first) == first
    assert values(by_position[1], second) == second
    assert (by_position[2].job_id, by_position[1].job_id) == (the_job.pk, None)
    assert abtrac.get("invoices/I1").json()["invoice_setting"] == "S2"
    assert abtrac.put("invoices", sent).json() == {**TALLY, "unchanged": 1}


def test_an_invoice_uses_its_offices_setting_unless_it_names_one(abtrac: Abtrac) -> None:
    abtrac.put("invoice-settings", setting("S2"))
    abtrac.put("invoices", invoice("I1"), invoice("I2", invoice_setting="S2"))
    assert abtrac.get("invoices/I1").json()["invoice_setting"] == "S1"
    assert abtrac.get("invoices/I2").json()["invoice_setting"] == "S2"


def test_a_changed_invoice_has_its_new_lines_alone_and_the_next_revision(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice("I1", "100.00", "50.00", "25.00"), invoice("I2"))
    before = stored(abtrac)
    sent = [invoice("I1", "100.00", "75.00"), invoice("I2")]
    assert abtrac.put("invoices", *sent).json() == {**TALLY, "changed": 1, "unchanged": 1}
    one = stored(abtrac)
    assert (one.pk, one.revision, one.total) == (before.pk, 2, Decimal("201.25"))
    assert [row.net for row in lines_of(abtrac)] == [Decimal("100.00"), Decimal("75.00")]
    assert stored(abtrac, "I2").revision == 1


@pytest.mark.parametrize(
    "change",
    [
        {"number": "Other"},
        {"due": "2027-01-20"},
        {"job": "J1"},
        {"lines": [line(1, "1000.00", description="Other words")]},
        {"lines": [line(1, "1000.00", job="J1")]},
        {"lines": [line(2, "1000.00")]},
        {"lines": [line(1, "600.00"), line(2, "400.00")]},
    ],
)
def test_any_change_is_seen(abtrac: Abtrac, change: Row) -> None:
    abtrac.put("invoices", invoice())
    assert abtrac.put("invoices", invoice(**change)).json() == {**TALLY, "changed": 1}
    assert abtrac.put("invoices", invoice(**change)).json() == {**TALLY, "unchanged": 1}


def test_the_order_in_which_lines_are_sent_says_nothing(abtrac: Abtrac) -> None:
    lines = [line(1, "100.00"), line(2, "50.00")]
    abtrac.put("invoices", invoice(lines=lines))
    assert abtrac.put("invoices", invoice(lines=lines[::-1])).json() == {**TALLY, "unchanged": 1}


def test_a_change_takes_the_approval_and_the_pdf_away(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice())
    abtrac.move("approve", "I1")
    abtrac.put_pdf("I1", b"%PDF-1.4")
    abtrac.put("invoices", invoice())
    assert stored(abtrac).status == "approved"
    abtrac.put("invoices", invoice(number="AK-2"))
    assert stored(abtrac).status == "draft"
    assert rows_of(abtrac, InvoicePdf) == []
    assert problems(abtrac.move("commit", "I1")) == {"invoices[0]": "not_approved"}


# --- Locked ------------------------------------------------------------------------------------


def test_a_committed_invoice_can_be_repeated_but_not_changed(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice("I1"), invoice("I2"))
    commit(abtrac, "I1")
    assert abtrac.put("invoices", invoice("I1")).json() == {**TALLY, "unchanged": 1}
    for change in (invoice("I1", number="X"), invoice("I1", "999.00"), invoice("I1", job="J1")):
        answer = abtrac.put("invoices", invoice("I2", number="Y"), change)
        assert answer.status_code == 409
        assert problems(answer) == {"rows[1]": "locked"}
    assert "Un-commit it first" in answer.content.decode()
    assert stored(abtrac, "I2").number == "AK-I2"
    assert stored(abtrac).number == "AK-I1"


def test_a_locked_invoice_is_told_beside_all_other_problems(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice("I1"))
    commit(abtrac, "I1")
    answer = abtrac.put("invoices", invoice("I1", currency="nz"), invoice("I2", client="C7"))
    assert answer.status_code == 400
    assert problems(answer) == {
        "rows[0].currency": "invalid",
        "rows[0]": "locked",
        "rows[1].client": "unknown_client",
    }


def test_an_uncommitted_invoice_can_be_changed_again(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice("I1"))
    commit(abtrac, "I1")
    assert abtrac.move("uncommit", "I1").json() == {"changed": ["I1"], "unchanged": []}
    assert abtrac.put("invoices", invoice("I1", number="X")).json() == {**TALLY, "changed": 1}


def test_the_answer_to_a_move_names_ids_for_numbers_need_not_differ(abtrac: Abtrac) -> None:
    rows = [invoice(one, number="AK-1") for one in ("I1", "I2")]
    assert abtrac.put("invoices", *rows).status_code == 200
    abtrac.move("approve", "I2")
    assert abtrac.move("approve", "I1", "I2").json() == {"changed": ["I1"], "unchanged": ["I2"]}


# --- What does not fit together ----------------------------------------------------------------


def test_every_problem_of_every_row_is_told_at_once(abtrac: Abtrac) -> None:
    answer = abtrac.put(
        "invoices",
        invoice("I1", net="999.99", due="2026-11-19", currency="NZ$", office="O7"),
        invoice("I2", total="1150.01", claim_number="4" * 41),
        invoice(
            "I3",
            lines=[
                line(1),
                {**line(2), "net": "1.00"},
                {**line(1), "kind": "expense", "job": "J8"},
                {**line(4), "quantity": "1.00001", "job": "J9", "colour": "red"},
                {**line(1), "position": 1},
            ],
            job="J7",
        ),
        {"abtrac_id": "I4"},
        invoice("I5", lines=[]) | {"lines": []},
    )
    assert answer.status_code == 400
    told = problems(answer)
    assert told == {
        "rows[0].currency": "invalid",
        "rows[0].due": "due_before_issued",
        "rows[0].total": "totals_disagree",
        "rows[0].net": "totals_disagree",
        "rows[0].office": "unknown_office",
        "rows[1].total": "totals_disagree",
        "rows[1].claim_number": "max_length",
        "rows[2].lines[1].net": "line_disagrees",
        "rows[2].lines[2].kind": "invalid_word",
        "rows[2].lines[2].job": "unknown_job",
        "rows[2].lines[3].quantity": "decimals",
        "rows[2].lines[3].job": "unknown_job",
        "rows[2].lines[3].colour": "unknown_field",
        "rows[2].lines[4].position": "duplicate_position",
        "rows[2].job": "unknown_job",
        **{
            f"rows[3].{name}": "required"
            for name in (
                *("number", "office", "client", "name_on_invoice", "issued", "due"),
                *("tax_basis", "currency", "net", "tax", "total", "lines"),
            )
        },
        "rows[4].lines": "min_length",
    }
    assert rows_of(abtrac, Invoice) == []


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        (
            {"net": "999.99", "total": "1149.99"},
            "rows[0].net",
            "The lines' net amounts add up to 1000.00, but net is 999.99.",
        ),
        (
            {"tax": "150.01", "total": "1150.01"},
            "rows[0].tax",
            "The lines' taxes add up to 150.00, but tax is 150.01.",
        ),
        ({"total": "0.00"}, "rows[0].total", "Net plus tax is 1150.00, but total is 0.00."),
        (
            {"due": "2026-11-19"},
            "rows[0].due",
            "Due 2026-11-19 is before the invoice date 2026-11-20.",
        ),
        (
            {"lines": [line(1, "1000.00", quantity="2")]},
            "rows[0].lines[0].net",
            "2 at 1000 (tax exclusive) is 2000.00, but the line's net is 1000.00.",
        ),
        (
            {"tax_basis": "inclusive"},
            "rows[0].lines[0].net",
            "1 at 1000 (tax inclusive) is 1000.00, but the line's net plus tax is 1150.00.",
        ),
        (
            {"credits": "I0"},
            "rows[0].credits",
            "Only a credit note, whose total is negative, names what it credits.",
        ),
    ],
)
def test_amounts_and_dates_that_disagree_are_told_with_both_values(
    abtrac: Abtrac, change: Row, path: str, message: str
) -> None:
    answer = abtrac.put("invoices", invoice(**change))
    assert answer.status_code == 400
    assert message in [one["message"] for one in answer.json()["problems"] if one["path"] == path]


def test_an_office_without_a_setting_needs_the_invoice_to_name_one(abtrac: Abtrac) -> None:
    with acting_for(abtrac.practice.pk):
        OfficeInvoicing.objects.all().delete()
    answer = abtrac.put("invoices", invoice())
    assert problems(answer) == {"rows[0].invoice_setting": "no_invoice_setting"}
    assert abtrac.put("invoices", invoice(invoice_setting="S1")).status_code == 200


# --- Credit notes ------------------------------------------------------------------------------


def test_a_credit_note_names_an_invoice_sent_before_or_in_the_same_call(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice("I1"))
    # The credit note first: the order in which rows are sent says nothing.
    sent = [
        invoice("N2", "-50.00", credits="I2"),
        invoice("N1", "-100.00", credits="I1"),
        invoice("I2"),
    ]
    assert abtrac.put("invoices", *sent).json() == {**TALLY, "created": 3}
    assert stored(abtrac, "N1").credits_id == stored(abtrac, "I1").pk
    assert stored(abtrac, "N2").credits_id == stored(abtrac, "I2").pk
    assert len(lines_of(abtrac, "N2")) == 1
    assert abtrac.put("invoices", *sent).json() == {**TALLY, "unchanged": 3}
    assert abtrac.get("invoices/N2").json()["credits"] == "I2"


def test_a_credit_note_without_an_original_is_taken(abtrac: Abtrac) -> None:
    assert abtrac.put("invoices", invoice("N1", "-100.00")).json() == {**TALLY, "created": 1}
    assert stored(abtrac, "N1").is_credit_note


def test_what_is_credited_stays_an_invoice(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice("I1", "100.00"), invoice("N1", "-10.00", credits="I1"))
    for total in ("0.00", "-100.00"):
        answer = abtrac.put("invoices", invoice("I1", total))
        assert problems(answer) == {"rows[0].total": "credited"}
        assert "credits this invoice, so its total stays positive" in answer.content.decode()
    assert stored(abtrac, "I1").total == Decimal(115)
    # Let go in the same call, it may be anything.
    answer = abtrac.put("invoices", invoice("I1", "-100.00"), invoice("N1", "-10.00"))
    assert answer.status_code == 200, answer.content


def test_a_credit_note_credits_an_invoice_and_nothing_else(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice("N1", "-100.00"))
    answer = abtrac.put(
        "invoices",
        invoice("N2", "-1.00", credits="N1"),
        invoice("N3", "-1.00", credits="N3"),
        invoice("N4", "-1.00", credits="I7"),
        invoice("N5", "-1.00", credits="W1"),
        invoice("W1", "100.00", "-100.00"),
    )
    assert problems(answer) == {
        "rows[0].credits": "credits_no_invoice",
        "rows[1].credits": "credits_no_invoice",
        "rows[2].credits": "unknown_invoice",
        "rows[3].credits": "credits_no_invoice",
    }


def test_a_write_off_is_taken(abtrac: Abtrac) -> None:
    assert abtrac.put("invoices", invoice("W1", "100.00", "-100.00")).status_code == 200
    assert stored(abtrac, "W1").is_write_off


# --- Amounts -----------------------------------------------------------------------------------

money = st.decimals(min_value=-(10**6), max_value=10**6, places=2)
hours = st.decimals(min_value=-(10**3), max_value=10**3, places=4)
prices = st.decimals(min_value=-(10**3), max_value=10**3, places=4)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    worked=st.lists(st.tuples(hours, prices, st.sampled_from(["0", "0.1", "0.15"])), min_size=1),
    inclusive=st.booleans(),
    as_numbers=st.booleans(),
)
def test_amounts_come_back_to_the_cent_as_texts_or_as_numbers(
    abtrac: Abtrac, worked: list[tuple[Decimal, Decimal, str]], inclusive: bool, as_numbers: bool
) -> None:
    lines = []
    for position, (quantity, price, rate) in enumerate(worked, start=1):
        amount = (quantity * price).quantize(CENT, ROUND_HALF_UP)
        share = Decimal(rate) / (1 + Decimal(rate)) if inclusive else Decimal(rate)
        tax = (amount * share).quantize(CENT, ROUND_HALF_UP)
        net = amount - tax if inclusive else amount
        lines.append(
            line(position) | {"quantity": quantity, "unit_price": price, "net": net, "tax": tax}
        )
    sent = invoice(lines=lines, tax_basis="inclusive" if inclusive else "exclusive")
    body = as_json(sent, as_numbers=as_numbers)
    answer = abtrac.call("PUT", "invoices", body)
    assert answer.status_code == 200, answer.content
    one = stored(abtrac)
    assert (one.net, one.tax, one.total) == tuple(
        Decimal(str(sent[name])) for name in ("net", "tax", "total")
    )
    names = ("quantity", "unit_price", "net", "tax")
    assert [values(row, dict.fromkeys(names)) for row in lines_of(abtrac)] == [
        {name: row[name] for name in names} for row in lines
    ]


def as_json(row: Row, *, as_numbers: bool) -> bytes:
    """One invoice as a call's body; amounts as bare numbers, digit for digit, or as texts."""

    def told(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f'"{name}": {told(one)}' for name, one in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(told, value)) + "]"
        if isinstance(value, Decimal):
            return f"{value:f}" if as_numbers else f'"{value:f}"'
        return f"{value}" if isinstance(value, int) else f'"{value}"'

    return told({"rows": [row]}).encode()


@pytest.mark.parametrize("number", ["0.1", "1e2", "100.00", "1000000000.07", "-0", "0.07E1"])
def test_a_number_is_read_digit_for_digit(abtrac: Abtrac, number: str) -> None:
    row = line(1, f"{Decimal(number):f}") | {"quantity": 1, "tax": 0}
    body = as_json(invoice(lines=[row]), as_numbers=False).replace(
        f'"net": "{row["net"]}"'.encode(), f'"net": {number}'.encode()
    )
    assert b'"net": ' + number.encode() in body
    answer = abtrac.call("PUT", "invoices", body)
    assert answer.status_code == 200, answer.content
    assert stored(abtrac).net == Decimal(number)


def test_a_whole_thousand_invoices_fit_into_one_call(abtrac: Abtrac) -> None:
    rows = [invoice(f"I{index}", "100.00", "50.00") for index in range(1000)]
    assert abtrac.put("invoices", *rows).json() == {**TALLY, "created": 1000}
    assert abtrac.put("invoices", *rows).json() == {**TALLY, "unchanged": 1000}
    ids = [row["abtrac_id"] for row in rows]
    assert len(abtrac.move("approve", *ids).json()["changed"]) == 1000
    assert len(abtrac.move("commit", *ids).json()["changed"]) == 1000


def test_clients_offices_and_jobs_may_change_after_invoices_are_committed(abtrac: Abtrac) -> None:
    abtrac.put("invoices", invoice(job="J1"))
    commit(abtrac, "I1")
    assert abtrac.put("clients", client(name="Renamed Ltd")).json() == {**TALLY, "changed": 1}
    assert abtrac.put("jobs", job(description="Renamed")).json() == {**TALLY, "changed": 1}
    assert abtrac.put("offices", office(name="Renamed")).json() == {**TALLY, "changed": 1}
    assert abtrac.put("invoices", invoice(job="J1")).json() == {**TALLY, "unchanged": 1}
