"""Invoices and credit notes in Xero."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from connectors.base.documents import Conflict, Posted, TaxBasis
from connectors.base.errors import OutcomeUnknown, Rejected, RetryLater
from connectors.base.standin import Answer, Drop
from connectors.xero import books, sales
from connectors.xero.creating import New, Place, match
from connectors.xero.sales import ADOPTED
from connectors.xero.standin_ledger import Organisation
from tests.connectors import samples
from tests.connectors.rehearsal import Kept
from tests.connectors.xero.rehearsal import Rehearsal

NO_ID = "00000000-0000-0000-0000-000000000000"
GONE = "6d9f1b8e-0000-4000-8000-000000000000"
INVOICES = r"/api\.xro/2\.0/Invoices"


def ready(xero: Rehearsal, *lines: Any, **changes: Any) -> Any:
    [invoice] = xero.ready(samples.invoice(xero.terms, *lines, **changes))
    return invoice


def line(xero: Rehearsal, **changes: Any) -> Any:
    return samples.line(xero.terms, "100.00", quantity="1", unit_price="100.00", **changes)


def post(xero: Rehearsal, *invoices: Any, call_key: str = "call-1", **settings: Any) -> list[Any]:
    outcomes: list[Any] = xero.connect(**settings).post_invoices(invoices, call_key=call_key)
    return outcomes


# --- Arriving ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["DRAFT", "SUBMITTED", "AUTHORISED"])
def test_invoices_arrive_in_the_delivery_status(
    xero: Rehearsal, organisation: Organisation, status: str
) -> None:
    [outcome] = post(xero, ready(xero), delivery_status=status)
    assert isinstance(outcome, Posted)
    there = organisation.invoice("ABT-1001")
    assert there.status == status
    assert (there.issued, there.due) == (date(2026, 11, 20), date(2026, 12, 20))
    assert there.reference == "J1234 Harbour House"


@pytest.mark.parametrize("detail", ["lines", "single"])
@pytest.mark.parametrize("basis", list(TaxBasis))
def test_totals_agree_however_the_lines_are_sent(
    xero: Rehearsal, organisation: Organisation, detail: str, basis: TaxBasis
) -> None:
    nets = ["10.01", "33.33", "0.07", "1000.00"]
    lines = [
        samples.line(
            xero.terms,
            net,
            quantity="1",
            unit_price=str(Decimal(net) * Decimal("1.15") if basis is TaxBasis.INCLUSIVE else net),
        )
        for net in nets
    ]
    invoice = ready(xero, *lines, tax_basis=basis)
    [outcome] = post(xero, invoice, detail=detail)
    assert (outcome.total, outcome.tax, outcome.warnings) == (invoice.total, invoice.tax, ())
    assert len(organisation.invoice("ABT-1001").lines) == (1 if detail == "single" else 4)


def test_jobs_are_tracked_and_a_dropped_one_is_told(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_tracking_option("J1")
    invoice = ready(xero, line(xero, job_code="J1"), line(xero, job_code="J2"))
    [outcome] = post(xero, invoice, **xero.settings_for_jobs())
    assert isinstance(outcome, Posted)
    [warning] = outcome.warnings
    assert "J2" in warning
    assert "J1" not in warning


def test_a_total_that_differs_is_told(xero: Rehearsal, organisation: Organisation) -> None:
    rate = organisation.tax_rate("OUTPUT2")
    assert rate is not None
    rate.rate = Decimal("16")
    [outcome] = post(xero, ready(xero, line(xero)))
    assert outcome.total == Decimal("116.00")
    assert outcome.warnings == (
        "Xero shows a total of 116.00 (tax 16.00); Abtrac's is 115.00 (tax 15.00).",
    )


def test_the_same_call_again_within_minutes_gets_the_same_answer(xero: Rehearsal) -> None:
    invoice = ready(xero)
    [first] = post(xero, invoice)
    [second] = post(xero, invoice)
    assert second == first
    assert len(xero.standin.seen("GET", INVOICES)) == 0


def test_a_key_that_was_used_for_something_else_writes_nothing(xero: Rehearsal) -> None:
    post(xero, ready(xero))
    with pytest.raises(RetryLater):
        post(xero, ready(xero, number="ABT-1002"))
    assert xero.numbers() == ["ABT-1001"]


# --- Refusals ------------------------------------------------------------------------------------


def test_a_locked_period_is_told_by_its_date(xero: Rehearsal, organisation: Organisation) -> None:
    invoice = ready(xero)
    organisation.set_lock_date(invoice.issued)
    [outcome] = post(xero, invoice)
    assert isinstance(outcome, Rejected)
    assert (outcome.field, outcome.code) == ("issued", "period_locked")
    assert "lock" in outcome.next_step
    assert outcome.words
    organisation.set_lock_date(invoice.issued - timedelta(days=1))
    assert isinstance(post(xero, invoice, call_key="call-2")[0], Posted)


def test_an_archived_account_is_named_with_its_line(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.archive_account("205")
    invoice = ready(xero, line(xero), line(xero, account_code="205"))
    [outcome] = post(xero, invoice)
    assert (outcome.field, outcome.line) == ("account_code", 2)
    assert "205" in str(outcome)


def test_a_tax_code_that_does_not_fit_is_named_with_its_line(xero: Rehearsal) -> None:
    invoice = ready(xero, line(xero), line(xero, tax_code="INPUT2"))
    [outcome] = post(xero, invoice)
    assert (outcome.field, outcome.line) == ("tax_code", 2)
    assert "INPUT2" in str(outcome)


def test_lines_are_counted_as_ours_behind_a_long_text(xero: Rehearsal) -> None:
    long = line(xero, description="words " * 1500)
    [outcome] = post(xero, ready(xero, long, line(xero, account_code="999")))
    assert outcome.line == 2


def test_a_currency_that_is_not_in_use_is_told(xero: Rehearsal) -> None:
    [outcome] = post(xero, ready(xero, currency="JPY"))
    assert (outcome.field, outcome.code) == ("currency", "currency_not_enabled")


def test_an_archived_contact_is_told(xero: Rehearsal, organisation: Organisation) -> None:
    invoice = ready(xero)
    organisation.archive_contact(invoice.contact.name)
    [outcome] = post(xero, invoice)
    assert (outcome.field, outcome.code) == ("contact", "contact_archived")


def test_what_we_refuse_ourselves_stops_no_other(xero: Rehearsal) -> None:
    invoices = [ready(xero, number=f"ABT-{place}") for place in range(3)]
    invoices[1] = replace(invoices[1], number='ABT-"1"')
    first, second, third = post(xero, *invoices)
    assert isinstance(second, Rejected)
    assert [type(first), type(third)] == [Posted, Posted]


def test_when_all_are_refused_by_ourselves_nothing_is_sent(xero: Rehearsal) -> None:
    [outcome] = post(xero, replace(ready(xero), contact_id=""))
    assert isinstance(outcome, Rejected)
    assert not xero.standin.seen("PUT", INVOICES)


@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_contact_that_is_gone_stops_only_its_own_invoice(xero: Rehearsal, place: int) -> None:
    invoices = [ready(xero, number=f"ABT-{at}") for at in range(7)]
    invoices[place] = replace(invoices[place], contact_id=GONE)
    kept = Kept()
    outcomes = xero.connect(recorder=kept).post_invoices(invoices, call_key="call-1")
    refused = outcomes.pop(place)
    assert isinstance(refused, Rejected)
    assert (refused.field, refused.code) == ("contact", "contact_gone")
    assert all(isinstance(one, Posted) for one in outcomes)
    assert len(xero.numbers()) == 6
    keys = [one.idempotency_key for one in kept.requests]
    assert len(set(keys)) == len(keys) <= 7


def test_trouble_after_a_part_arrived_is_unknown_and_not_a_matter_of_trying_later(
    xero: Rehearsal,
) -> None:
    invoices = [ready(xero, number=f"ABT-{at}") for at in range(4)]
    invoices[3] = replace(invoices[3], contact_id=GONE)
    xero.standin.script(*xero.creates["invoices"], after=2, fault=Answer(429))
    with pytest.raises(OutcomeUnknown):
        post(xero, *invoices)
    assert xero.numbers() == ["ABT-0", "ABT-1"]


# --- Numbers that are taken ----------------------------------------------------------------------


def test_our_own_earlier_invoice_is_linked_and_said_so(xero: Rehearsal) -> None:
    invoice = ready(xero)
    [first] = post(xero, invoice)
    [second] = post(xero, invoice, call_key="call-2")
    assert (second.remote_id, second.warnings) == (first.remote_id, (ADOPTED,))


@pytest.mark.parametrize(
    "change",
    [
        {"issued": date(2026, 11, 21)},
        {"currency": "AUD"},
        {"contact": samples.contact("C2", "Other Ltd")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_invoice_that_differs_in_one_thing_is_not_ours(
    xero: Rehearsal, change: dict[str, Any]
) -> None:
    theirs = ready(xero, **change)
    [there] = post(xero, theirs)
    assert isinstance(there, Posted)
    ours = ready(xero)
    found = xero.connect().find_invoices([ours])
    [posted] = post(xero, ours, call_key="call-2")
    assert found == {ours.key: posted}
    assert isinstance(posted, Conflict)
    assert posted.remote_id == there.remote_id
    assert posted.message == (
        f"Xero already has invoice ABT-1001: {theirs.contact.name},"
        f" {theirs.issued.day} November 2026, {theirs.currency} 1,595.63."
        " Ours: Harbour, Lane & Co, 20 November 2026, NZD 1,595.63."
    )


def test_an_invoice_that_differs_by_a_cent_is_not_ours(
    xero: Rehearsal, organisation: Organisation
) -> None:
    ours = ready(xero)
    contact = organisation.contact(ours.contact.name)
    cent = Decimal("0.01")
    organisation.add_invoice(ours.number, contact, ours.total + cent, ours.issued)
    found = xero.connect().find_invoices([ours])[ours.key]
    assert isinstance(found, Conflict)
    assert found.total == ours.total + cent


def test_a_bill_with_our_number_is_somebody_elses_matter(
    xero: Rehearsal, organisation: Organisation
) -> None:
    invoice = ready(xero)
    organisation.add_invoice(invoice.number, "Supplier Ltd").type = "ACCPAY"
    assert xero.connect().find_invoices([invoice]) == {}


def test_a_number_is_found_whatever_its_case(xero: Rehearsal, organisation: Organisation) -> None:
    organisation.add_invoice("abt-1001", "Somebody Ltd")
    invoice = ready(xero)
    theirs = {"InvoiceNumber": "abt-1001", "Status": "DRAFT", "Type": "ACCREC"}
    listed = [theirs | {"InvoiceID": str(uuid4())}]
    xero.standin.script("GET", INVOICES, fault=Answer(200, {"Invoices": listed}))
    assert isinstance(xero.connect().find_invoices([invoice])[invoice.key], Conflict)


@pytest.mark.parametrize("listed", [None, "none", [None], [{"InvoiceNumber": "ABT-1001"}]])
def test_a_list_that_cannot_be_read_proves_nothing_absent(xero: Rehearsal, listed: Any) -> None:
    invoice = ready(xero)
    xero.standin.script("GET", INVOICES, fault=Answer(200, {"Invoices": listed}))
    with pytest.raises(RetryLater, match="cannot be read"):
        xero.connect().find_invoices([invoice])


def test_a_voided_number_is_not_used_again(xero: Rehearsal, organisation: Organisation) -> None:
    invoice = ready(xero)
    post(xero, invoice, delivery_status="AUTHORISED")
    organisation.void_invoice(invoice.number)
    found = xero.connect().find_invoices([invoice])[invoice.key]
    [posted] = post(xero, invoice, call_key="call-2")
    for outcome in (found, posted):
        assert isinstance(outcome, Conflict)
        assert "voided invoice ABT-1001" in outcome.message
        assert "another number" in outcome.next_step


def test_a_deleted_draft_does_not_count(xero: Rehearsal, organisation: Organisation) -> None:
    invoice = ready(xero)
    post(xero, invoice)
    organisation.invoice(invoice.number).status = "DELETED"
    assert xero.connect().find_invoices([invoice]) == {}


def test_a_number_that_is_taken_but_not_shown_is_left_to_a_person(xero: Rehearsal) -> None:
    refused = {"ValidationErrors": [{"Message": "Invoice # must be unique."}]}
    body = {"Invoices": [{"InvoiceNumber": "ABT-1001", "HasErrors": True, **refused}]}
    invoice = ready(xero)
    xero.standin.script(*xero.creates["invoices"], fault=Answer(200, body))
    [outcome] = post(xero, invoice)
    assert isinstance(outcome, Conflict)
    assert "shows no invoice with it" in outcome.message


def test_a_look_up_that_fails_after_others_arrived_leaves_all_unknown(xero: Rehearsal) -> None:
    taken = ready(xero, number="ABT-1001")
    post(xero, taken)
    xero.standin.script("GET", INVOICES, fault=Answer(429))
    with pytest.raises(OutcomeUnknown):
        post(xero, taken, ready(xero, number="ABT-1002"), call_key="call-2")
    assert xero.numbers() == ["ABT-1001", "ABT-1002"]


# --- Looking up ----------------------------------------------------------------------------------


def test_many_are_looked_up_in_one_call(xero: Rehearsal) -> None:
    invoices = [ready(xero, number=f"ABT-{place:04}") for place in range(50)]
    post(xero, *invoices)
    found = xero.connect().find_invoices([*invoices, ready(xero, number="ABT-9999")])
    assert set(found) == {one.key for one in invoices}
    [call] = xero.standin.seen("GET", INVOICES)
    assert call.query["InvoiceNumbers"].count(",") == 50
    assert call.query["unitdp"] == "4"


def test_long_numbers_are_looked_up_in_several_calls(xero: Rehearsal) -> None:
    invoices = [ready(xero, number=f"{place}".rjust(255, "x")) for place in range(12)]
    post(xero, *invoices)
    assert set(xero.connect().find_invoices(invoices)) == {one.key for one in invoices}
    calls = xero.standin.seen("GET", INVOICES)
    assert len(calls) > 1
    assert all(len(one.query["InvoiceNumbers"]) <= books.LONGEST_LIST for one in calls)


@pytest.mark.parametrize("number", ["A,B", "A", "Ā & Ō + %41 #1/2?"])
def test_odd_numbers_are_found_and_nothing_else(xero: Rehearsal, number: str) -> None:
    numbers = ["A,B", "A", "B", "Ā & Ō + %41 #1/2?"]
    invoices = [ready(xero, number=one) for one in numbers]
    post(xero, *invoices)
    [wanted] = [one for one in invoices if one.number == number]
    assert set(xero.connect().find_invoices([wanted])) == {wanted.key}


def test_a_number_that_was_never_sent_is_not_looked_for(xero: Rehearsal) -> None:
    odd = samples.invoice(xero.terms, number='A"B', contact_id=GONE)
    assert xero.connect().find_invoices([odd]) == {}
    assert not xero.standin.requests


def test_a_list_of_several_pages_is_read_to_its_end(
    xero: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoices = [ready(xero, number=f"ABT-{place}") for place in range(7)]
    post(xero, *invoices)
    page = books.Books.pages
    monkeypatch.setattr(
        books.Books, "pages", lambda *args, **options: page(*args, **{**options, "size": 3})
    )
    assert len(xero.connect().find_invoices(invoices)) == 7
    assert [one.query["page"] for one in xero.standin.seen("GET", INVOICES)] == ["1", "2", "3"]


# --- Pages that shift ----------------------------------------------------------------------------


class Pages:
    """Answers a list page by page as told."""

    def __init__(self, *readings: list[dict[str, Any]]) -> None:
        self.left = [page for reading in readings for page in reading]
        self.asked: list[int] = []

    def read(self, path: str, **params: Any) -> Any:
        self.asked.append(params["page"])
        return self.left.pop(0)


def page(ids: str, *, count: int | None, pages: int | None = 2) -> dict[str, Any]:
    paging = {"itemCount": count, "pageCount": pages} if count is not None else None
    told: dict[str, Any] = {"Things": [{"ThingID": one} for one in ids]}
    return {**told, "pagination": paging} if paging else told


def listing(*readings: list[dict[str, Any]], **options: Any) -> Any:
    made = books.Books.__new__(books.Books)
    made.http = Pages(*readings)  # type: ignore[assignment]
    found = made.pages("/Things", "Things", "ThingID", **options)
    return found and "".join(str(one["ThingID"]) for one in found.records)


def test_a_list_that_changed_between_pages_is_read_again() -> None:
    shifted = [page("ab", count=4), page("da", count=4)]
    assert listing(shifted, [page("bc", count=4), page("da", count=4)]) == "bcda"


def test_a_list_that_keeps_changing_is_read_later() -> None:
    shifted = [page("ab", count=4), page("da", count=4)]
    with pytest.raises(RetryLater, match="changed while"):
        listing(shifted, shifted, shifted)


def test_a_list_without_counts_is_read_until_a_page_is_empty() -> None:
    assert listing([page("ab", count=None), page("c", count=None), page("", count=None)]) == "abc"


def streamed(*readings: list[dict[str, Any]]) -> str:
    made = books.Books.__new__(books.Books)
    made.http = Pages(*readings)  # type: ignore[assignment]
    return "".join(str(one["ThingID"]) for one in made.each("/Things", "Things", "ThingID"))


def test_a_list_given_page_by_page_is_given_again_where_it_changed_meanwhile() -> None:
    shifted = [page("ab", count=4), page("da", count=4)]
    assert streamed([page("ab", count=4), page("cd", count=4)]) == "abcd"
    assert streamed(shifted, [page("bc", count=4), page("da", count=4)]) == "abdabcda"
    with pytest.raises(RetryLater, match="changed while"):
        streamed(shifted, shifted, shifted)


def test_a_list_longer_than_wanted_is_not_read_on() -> None:
    assert listing([page("ab", count=9, pages=5)], most=2) is None
    assert listing([page("ab", count=None), page("cd", count=None)], most=2) is None


# --- Answers -------------------------------------------------------------------------------------

PLACE = Place(path="/Invoices", plural="Invoices", known_by="InvoiceNumber")
SENT = [New(key=f"key-{name}", body={"InvoiceNumber": name}) for name in "ABC"]


def told(*names: str) -> list[dict[str, Any]]:
    return [{"InvoiceNumber": name, "at": place} for place, name in enumerate(names)]


@pytest.mark.parametrize(
    ("answered", "places"),
    [
        (["A", "B", "C"], [0, 1, 2]),
        (["C", "A", "B"], [1, 2, 0]),
        (["A", "B", "X-1"], [0, 1, 2]),
        (["", "", ""], [0, 1, 2]),
        (["C", "", "B"], [None, 2, 0]),
        (["A", "C"], [0, None, 1]),
        (["A", "A", "C"], [0, None, 2]),
        ([], [None, None, None]),
    ],
)
def test_answers_are_matched_by_number_and_else_by_position(
    answered: list[str], places: list[int | None]
) -> None:
    found = match(PLACE, SENT, told(*answered))
    assert [found[one.key]["at"] if one.key in found else None for one in SENT] == places


def test_an_invoice_that_xero_renumbered_is_told(xero: Rehearsal) -> None:
    invoice = ready(xero)
    body = {"Invoices": [{"InvoiceNumber": "INV-0007", "InvoiceID": GONE, "Total": 1595.63}]}
    xero.standin.script(*xero.creates["invoices"], fault=Answer(200, body))
    [outcome] = post(xero, invoice)
    assert (outcome.number, outcome.remote_id) == ("INV-0007", GONE)
    assert outcome.warnings == ("Xero gave it the number INV-0007.",)


@pytest.mark.parametrize(
    "elements",
    [
        [{"InvoiceNumber": "ABT-1001", "InvoiceID": NO_ID}],
        [{"InvoiceNumber": "ABT-1001"}],
        [{"InvoiceNumber": "ABT-1001", "InvoiceID": None}],
        [],
        ["ABT-1001"],
    ],
    ids=str,
)
def test_a_success_without_an_id_is_unknown(xero: Rehearsal, elements: list[Any]) -> None:
    invoice = ready(xero)
    xero.standin.script(*xero.creates["invoices"], fault=Answer(200, {"Invoices": elements}))
    with pytest.raises(OutcomeUnknown):
        post(xero, invoice)


def test_fewer_answers_than_documents_leave_all_unknown(xero: Rehearsal) -> None:
    invoices = [ready(xero, number=f"ABT-{place}") for place in range(2)]
    body = {"Invoices": [{"InvoiceNumber": "ABT-0", "InvoiceID": GONE}]}
    xero.standin.script(*xero.creates["invoices"], fault=Answer(200, body))
    with pytest.raises(OutcomeUnknown):
        post(xero, *invoices)


def test_xeros_remarks_become_warnings(xero: Rehearsal) -> None:
    element = {
        "InvoiceNumber": "ABT-1001",
        "InvoiceID": GONE,
        "StatusAttributeString": "WARNING",
        "Warnings": [{"Message": "Mind the date."}],
    }
    invoice = ready(xero)
    xero.standin.script(*xero.creates["invoices"], fault=Answer(200, {"Invoices": [element]}))
    assert post(xero, invoice)[0].warnings == ("Xero: Mind the date.",)


FAULT = {"ValidationErrors": [{"Message": "The document date is before the lock date"}]}


def refused_as_a_whole(*elements: dict[str, Any]) -> Answer:
    return Answer(
        400,
        {
            "ErrorNumber": 10,
            "Type": "ValidationException",
            "Message": "A validation exception occurred",
            "Elements": [{"InvoiceID": NO_ID, **one} for one in elements],
        },
    )


def test_a_call_refused_as_a_whole_says_why_for_each(xero: Rehearsal) -> None:
    invoices = [ready(xero, number=f"ABT-{place}") for place in range(2)]
    answer = refused_as_a_whole(*({"InvoiceNumber": one.number, **FAULT} for one in invoices))
    xero.standin.script(*xero.creates["invoices"], fault=answer)
    outcomes = post(xero, *invoices)
    assert [type(one) for one in outcomes] == [Rejected] * 2
    assert [one.field for one in outcomes] == ["issued"] * 2
    assert len(xero.standin.seen(*xero.creates["invoices"])) == 1


@pytest.mark.parametrize("all_listed", [True, False])
def test_what_was_refused_only_with_the_others_is_sent_again_without_the_faulty(
    xero: Rehearsal, organisation: Organisation, all_listed: bool
) -> None:
    invoices = [ready(xero, number=f"ABT-{place}") for place in range(3)]
    elements: list[dict[str, Any]] = [{"InvoiceNumber": one.number} for one in invoices]
    elements[1] |= FAULT
    answer = refused_as_a_whole(*(elements if all_listed else elements[1:2]))
    xero.standin.script(*xero.creates["invoices"], fault=answer)
    kept = Kept()
    first, faulty, last = xero.connect(recorder=kept).post_invoices(invoices, call_key="call-1")
    assert isinstance(faulty, Rejected)
    assert faulty.field == "issued"
    assert isinstance(first, Posted)
    assert isinstance(last, Posted)
    assert xero.numbers() == ["ABT-0", "ABT-2"]
    assert [one.idempotency_key for one in kept.requests] == ["call-1", "call-1r"]


def test_a_fault_that_fits_none_of_ours_is_found_by_halves(xero: Rehearsal) -> None:
    invoices = [ready(xero, number=f"ABT-{place}") for place in range(3)]
    answer = refused_as_a_whole({"InvoiceNumber": "ABT-9", **FAULT})
    xero.standin.script(*xero.creates["invoices"], fault=answer)
    outcomes = post(xero, *invoices)
    assert [type(one) for one in outcomes] == [Posted] * 3


def test_trouble_after_a_call_that_was_refused_as_a_whole_is_still_surely_not_written(
    xero: Rehearsal,
) -> None:
    invoices = [ready(xero, number=f"ABT-{place}") for place in range(2)]
    place = xero.creates["invoices"]
    xero.standin.script(*place, fault=refused_as_a_whole({"InvoiceNumber": "ABT-0", **FAULT}))
    xero.standin.script(*place, fault=Answer(429, ""))
    with pytest.raises(RetryLater):
        post(xero, *invoices)


# --- Credit notes --------------------------------------------------------------------------------


def note(xero: Rehearsal, number: str = "ABT-2001", **changes: Any) -> Any:
    [made] = xero.ready(samples.credit_note(xero.terms, number=number, **changes))
    return made


def test_a_credit_note_is_asked_for_before_it_is_sent(xero: Rehearsal) -> None:
    """Whether Xero refuses a number twice is not certain, so it is not relied on."""
    connector = xero.connect()
    [first] = connector.post_credit_notes([note(xero)], call_key="call-1")
    [second] = connector.post_credit_notes([note(xero)], call_key="call-2")
    assert (second.remote_id, second.warnings) == (first.remote_id, (ADOPTED,))
    assert len(xero.standin.seen(*xero.creates["credit notes"])) == 1


def test_an_invoice_and_a_credit_note_may_have_the_same_number(xero: Rehearsal) -> None:
    connector = xero.connect()
    connector.post_invoices([ready(xero, number="ABT-1")], call_key="call-1")
    assert connector.find_credit_notes([note(xero, "ABT-1")]) == {}
    [outcome] = connector.post_credit_notes([note(xero, "ABT-1")], call_key="call-2")
    assert isinstance(outcome, Posted)


def test_two_credit_notes_like_ours_are_left_to_a_person(
    xero: Rehearsal, organisation: Organisation
) -> None:
    ours = note(xero)
    for _ in range(2):
        contact = organisation.contact(ours.contact.name)
        organisation.add_credit_note(ours.number, contact, ours.total, ours.issued)
    found = xero.connect().find_credit_notes([ours])[ours.key]
    assert isinstance(found, Conflict)
    assert "2 credit notes ABT-2001 like ours" in found.message


@pytest.mark.parametrize("count", [2, 5])
def test_credit_notes_are_found_one_by_one_or_from_the_whole_list(
    xero: Rehearsal, count: int
) -> None:
    notes = [note(xero, f"ABT-200{place}") for place in range(count)]
    connector = xero.connect()
    connector.post_credit_notes(notes, call_key="call-1")
    path = xero.creates["credit notes"][1]
    before = len(xero.standin.seen("GET", path))
    assert set(connector.find_credit_notes(notes)) == {one.key for one in notes}
    calls = xero.standin.seen("GET", path)[before:]
    assert len(calls) == (2 if count == 2 else 1)


def test_of_very_many_credit_notes_each_is_asked_for(
    xero: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = [note(xero, f"ABT-200{place}") for place in range(4)]
    connector = xero.connect()
    connector.post_credit_notes(notes, call_key="call-1")
    monkeypatch.setattr(sales, "WHOLE_LIST_PAGE", 1)
    found = connector.find_credit_notes(notes[:3])
    assert set(found) == {one.key for one in notes[:3]}


def test_a_lost_credit_note_is_not_sent_again_by_its_look_up(xero: Rehearsal) -> None:
    connector = xero.connect()
    ours = note(xero)
    xero.misbehave("credit notes", Drop(after_effect=True))
    with pytest.raises(OutcomeUnknown):
        connector.post_credit_notes([ours], call_key="call-1")
    [outcome] = connector.post_credit_notes([ours], call_key="call-2")
    assert isinstance(outcome, Posted)
    assert len(xero.numbers(type(ours))) == 1


# --- Looking at what a person says is ours -------------------------------------------------------


def test_a_document_is_looked_at_by_its_id_and_compared(
    xero: Rehearsal, organisation: Organisation
) -> None:
    [posted] = post(xero, ready(xero))
    connector = xero.connect()
    same = connector.look_at(ready(xero), posted.remote_id)
    assert isinstance(same, Posted)
    assert same.remote_id == posted.remote_id
    other = organisation.add_invoice("X-1", "Somebody Else Ltd", "99.00")
    differs = connector.look_at(ready(xero), other.id)
    assert isinstance(differs, Conflict)
    assert (differs.remote_id, differs.number, differs.total) == (other.id, "X-1", Decimal("99.00"))
    assert (differs.contact_name, differs.currency) == ("Somebody Else Ltd", "NZD")
    assert (differs.issued, differs.status) == (other.issued, "Authorised")
    assert "Somebody Else Ltd" in differs.message
    organisation.void_invoice("X-1")
    assert connector.look_at(ready(xero), other.id).message.startswith("It is voided in Xero.")


@pytest.mark.parametrize("status", ["VOIDED", "DELETED"])
def test_our_own_document_that_was_taken_back_is_not_this_very_one(
    xero: Rehearsal, organisation: Organisation, status: str
) -> None:
    [posted] = post(xero, ready(xero))
    organisation.invoice(ready(xero).number).status = status
    found = xero.connect().look_at(ready(xero), posted.remote_id)
    assert isinstance(found, Conflict)
    assert found.message.startswith(f"It is {status.lower()} in Xero.")


@pytest.mark.parametrize("remote_id", ["nonsense", "../Contacts", "", GONE])
def test_an_id_no_invoice_has_is_none(xero: Rehearsal, remote_id: str) -> None:
    assert xero.connect().look_at(ready(xero), remote_id) is None


def test_a_credit_note_is_no_invoice(xero: Rehearsal, organisation: Organisation) -> None:
    note = organisation.add_credit_note("CN-1", "Somebody Else Ltd", "99.00")
    assert xero.connect().look_at(ready(xero), note.id) is None
