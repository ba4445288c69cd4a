"""The way of an upload when nothing goes wrong, and what is refused before it starts."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connectors.base.documents import Contact, CreditNote, Job, SalesInvoice
from interfaces.models import AccountCode
from interfaces.preferences import save_preferences
from invoicing.invoices import keep_pdf
from invoicing.models import ContactLink, Exchange, InvoiceLine, InvoicePdf, JobLink, Upload
from invoicing.uploads import lane, offered, park, retry
from invoicing.uploads.states import State
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_invoice,
    make_job,
    make_office,
    make_practice,
    make_setting,
)
from tests.invoicing.uploads.conftest import Desk, open_desk
from tests.invoicing.uploads.till import Books, refused


def test_an_uploaded_invoice_is_sent_once_with_its_contact_first(desk: Desk, books: Books) -> None:
    invoice = desk.invoice(nets=("1000.00", "250.50"))
    asked = desk.upload(invoice)
    assert (asked.queued, asked.refused, asked.left_out) == (1, 0, [])
    desk.work()
    upload = desk.of(invoice)
    assert upload.state == State.SENT
    assert upload.remote_id
    assert upload.remote_total == invoice.total == Decimal("1438.08")
    assert [type(call[0]) for call in books.posts] == [Contact, SalesInvoice]
    assert desk.moves(upload) == ["queued", "claimed", "sending", "sent"]
    assert desk.batch().finished_at is not None


def test_what_was_sent_is_kept_with_its_key_and_answer(desk: Desk, books: Books) -> None:
    invoice = desk.invoice()
    desk.upload(invoice)
    desk.work()
    with acting_for(desk.practice.pk):
        exchange = Exchange.objects.get(attempts__upload=desk.of(invoice))
        assert exchange.call_key == books.call_keys[-1]
        assert bytes(exchange.body).decode() == books.posts[-1][0].key
        assert (exchange.status, bytes(exchange.answer)) == (200, b"kept")


def test_a_contact_is_created_once_and_matched_afterwards(desk: Desk, books: Books) -> None:
    for _ in range(2):
        desk.upload(desk.invoice(), desk.invoice())
        desk.work()
    assert books.names(Contact) == ["Harbour View Trust"]
    assert len(books.names(SalesInvoice)) == 4


def test_a_contact_that_is_there_already_is_taken_and_not_overwritten(
    desk: Desk, books: Books
) -> None:
    first = desk.invoice()
    desk.upload(first)
    desk.work()
    with acting_for(desk.practice.pk):
        ContactLink.objects.all().delete()
    books.posts.clear()
    desk.upload(desk.invoice())
    desk.work()
    assert books.names(Contact) == []
    assert len(books.names(SalesInvoice)) == 1


def test_a_contact_changed_in_abtrac_is_left_alone_unless_the_interface_says_otherwise(
    desk: Desk, books: Books
) -> None:
    desk.upload(desk.invoice())
    desk.work()
    with acting_for(desk.practice.pk):
        desk.client.phone = "09 555 0199"
        desk.client.save()
    desk.upload(desk.invoice())
    desk.work()
    assert books.names(Contact) == ["Harbour View Trust"]
    update_clients(desk)
    for _ in range(2):  # brought up to date once, then it is
        desk.upload(desk.invoice())
        desk.work()
    [new, update] = [call[0] for call in books.posts if isinstance(call[0], Contact)]
    assert (new.remote_id, new.phone) == ("", "")
    assert update.remote_id
    assert update.phone == "09 555 0199"
    assert len(books.copies) == 5
    with acting_for(desk.practice.pk):
        assert ContactLink.objects.get().remote_id == update.remote_id


def test_updates_and_new_contacts_go_in_calls_of_their_own(desk: Desk, books: Books) -> None:
    update_clients(desk)
    with acting_for(desk.practice.pk):
        new = make_client("New Client Ltd")
    desk.upload(desk.invoice())
    desk.work()
    with acting_for(desk.practice.pk):
        desk.client.name = "Harbour View Family Trust"
        desk.client.save()
    books.posts.clear()
    desk.upload(desk.invoice(), desk.invoice(client=new))
    desk.work()
    calls = [[one.name for one in call] for call in books.posts if isinstance(call[0], Contact)]
    assert sorted(calls) == [["Harbour View Family Trust"], ["New Client Ltd"]]
    assert {one.state for one in desk.all()} == {State.SENT}


def test_a_refused_update_stops_no_invoice(desk: Desk, books: Books) -> None:
    update_clients(desk)
    desk.upload(desk.invoice())
    desk.work()
    with acting_for(desk.practice.pk):
        desk.client.phone = "09 555 0199"
        desk.client.save()
    books.refusals["Harbour View Trust"] = refused("It is archived.")
    invoice = desk.invoice()
    desk.upload(invoice)
    desk.work()
    assert desk.of(invoice).state == State.SENT
    [_, update] = desk.all(kind="contact")
    assert update.reason == "It is archived."
    books.refusals.clear()
    with acting_for(desk.practice.pk):
        retry(upload_ids=[update.pk], actor=desk.user)
    desk.work()
    [_, update] = desk.all(kind="contact")
    assert update.state == State.SENT
    assert books.kept[update.document["key"]].phone == "09 555 0199"


def update_clients(desk: Desk) -> None:
    with acting_for(desk.practice.pk):
        desk.interface.preferences["update_contacts"] = True
        desk.interface.save()


def test_documents_go_by_date_then_number_in_full_calls(desk: Desk, books: Books) -> None:
    days = [date(2026, 11, day) for day in (12, 3, 3)]
    invoices = [
        desk.invoice(issued=day, due=date(2026, 12, 20), number=number)
        for day, number in zip(days, ["B-3", "B-2", "B-1"], strict=True)
    ]
    desk.upload(*invoices)
    desk.work()
    assert books.names(SalesInvoice) == ["B-1", "B-2", "B-3"]
    assert len(books.posts) == 2


def test_no_call_holds_more_than_the_package_takes(desk: Desk, books: Books) -> None:
    desk.upload(*(desk.invoice() for _ in range(23)))
    desk.work()
    assert [len(call) for call in books.posts] == [1, 10, 10, 3]
    assert {one.state for one in desk.all()} == {State.SENT}


def test_jobs_go_before_the_invoices_that_name_them(desk: Desk, books: Books) -> None:
    desk.interface.preferences["jobs"] = "tracking"
    with acting_for(desk.practice.pk):
        desk.interface.save()
        jobs = [make_job(desk.client, code=code) for code in ("J-9", "J-1")]
    invoice = desk.invoice(job=jobs[0], line_fields={"job": jobs[1]})
    desk.upload(invoice)
    desk.work()
    assert [type(call[0]) for call in books.posts] == [Contact, Job, SalesInvoice]
    assert sorted(books.names(Job)) == ["J-1", "J-9"]
    with acting_for(desk.practice.pk):
        assert JobLink.objects.count() == 2


def test_a_negative_invoice_goes_as_a_credit_note_and_is_set_against_its_invoice(
    desk: Desk, books: Books
) -> None:
    original = desk.invoice(number="A-1")
    desk.upload(original)
    desk.work()
    note = desk.invoice(number="A-2", nets=("-400.00",), credits=original)
    desk.upload(note)
    desk.work()
    [sent] = [call[0] for call in books.posts if isinstance(call[0], CreditNote)]
    assert (sent.number, sent.total, sent.credits) == ("A-2", Decimal("460.00"), "A-1")
    assert desk.batch(2).finished_at is not None
    [allocation] = desk.all(kind="allocation")
    assert allocation.state == State.SENT
    assert allocation.document["amount"] == "460.00"
    assert allocation.document["invoice_id"] == desk.of(original).remote_id


def test_the_pdf_follows_its_invoice_as_a_step_of_its_own(desk: Desk, books: Books) -> None:
    invoice = desk.invoice()
    with acting_for(desk.practice.pk):
        InvoicePdf.objects.create(
            invoice=invoice, file_name="a.pdf", content=b"%PDF-1.7", sha256="0" * 64
        )
    desk.upload(invoice)
    desk.work()
    [pdf] = desk.all(kind="pdf")
    assert pdf.state == State.SENT
    assert books.posts[-1][0].document_id == desk.of(invoice).remote_id
    with acting_for(desk.practice.pk):
        kept = Exchange.objects.get(attempts__upload=pdf)
        assert b"%PDF" not in bytes(kept.body) or kept.method == "PUT"


def test_no_pdf_follows_where_the_preference_says_so(desk: Desk, books: Books) -> None:
    invoice = desk.invoice()
    with acting_for(desk.practice.pk):
        save_preferences(desk.interface, {"attach_pdf": False})
        keep_pdf(invoice_id=invoice.abtrac_id, content=b"%PDF-1.7")
    desk.upload(invoice)
    desk.work()
    assert desk.of(invoice).state == State.SENT
    assert desk.all(kind="pdf") == []


def test_offered_are_committed_invoices_worth_something_that_go_nowhere_yet(desk: Desk) -> None:
    plain = desk.invoice()
    desk.invoice(committed=False)
    desk.invoice(nets=("0.00",))
    parked = desk.invoice()
    on_its_way = desk.invoice()
    desk.upload(on_its_way)
    with acting_for(desk.practice.pk):
        assert len(park(invoice_ids=[parked.pk], reason="typed by hand", actor=desk.user)) == 1
        assert list(offered()) == [plain]


def test_a_second_click_is_told_the_batch_it_is_in(desk: Desk) -> None:
    invoice = desk.invoice()
    desk.upload(invoice)
    again = desk.upload(invoice)
    assert again.batch is None
    assert [one.reason for one in again.left_out] == ["Already in batch 1."]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"committed": False}, "Not committed yet"),
        ({"nets": ("0.00",)}, "zero-value"),
    ],
)
def test_what_cannot_go_is_left_out_in_words(
    desk: Desk, fields: dict[str, Any], words: str
) -> None:
    asked = desk.upload(desk.invoice(**fields))
    assert asked.batch is None
    assert words in asked.left_out[0].reason


def test_without_an_interface_the_setting_is_named(desk: Desk) -> None:
    with acting_for(desk.practice.pk):
        office = make_office(make_setting(None, name="Surveys"))
    asked = desk.upload(desk.invoice(office=office))
    assert "invoice setting Surveys is not linked" in asked.left_out[0].reason


def test_every_missing_or_inactive_code_of_every_line_is_named_at_once(desk: Desk) -> None:
    invoice = desk.invoice(nets=("10.00", "20.00", "30.00"))
    with acting_for(desk.practice.pk):
        AccountCode.objects.filter(code="260").update(active=False)
        for position, account, tax in [(1, "999", "OUTPUT2"), (2, "260", "NOPE"), (3, "", "")]:
            InvoiceLine.objects.filter(invoice=invoice, position=position).update(
                account_code=account, tax_code=tax
            )
    asked = desk.upload(invoice)
    assert (asked.queued, asked.refused) == (0, 1)
    upload = desk.of(invoice)
    assert upload.state == State.REFUSED
    lines = upload.reason.splitlines()
    assert len(lines) == 3
    assert "line 1: Account code 999" in lines[0]
    assert "line 2: Account code 260" in lines[1]
    assert "archived" in lines[1]
    assert "line 2: Tax code NOPE" in lines[2]
    assert upload.next_step
    assert desk.batch().finished_at is not None


def test_an_over_long_number_is_refused_before_anything_is_sent(desk: Desk, books: Books) -> None:
    invoice = desk.invoice(number="N" * 21)
    assert desk.upload(invoice).refused == 1
    assert "has 21 characters; Till takes 20" in desk.of(invoice).reason
    desk.work()
    assert books.posts == []


def test_a_currency_the_company_file_does_not_have_is_refused(desk: Desk) -> None:
    invoice = desk.invoice(currency="EUR")
    assert desk.upload(invoice).refused == 1
    upload = desk.of(invoice)
    assert "no currency EUR" in upload.reason
    assert upload.next_step == (
        "Enable EUR in Till, then read the codes again under Accounting >> Interface Settings, or"
        " correct the currency in Abtrac. Then retry."
    )


def test_each_next_step_is_told_once(desk: Desk) -> None:
    invoice = desk.invoice(currency="EUR", number="N" * 21)
    desk.upload(invoice)
    steps = desk.of(invoice).next_step.splitlines()
    assert [one.split()[0] for one in steps] == ["Un-commit", "Enable"]


def test_one_bad_invoice_does_not_stop_the_others(desk: Desk) -> None:
    bad = desk.invoice(number="N" * 21)
    good = [desk.invoice() for _ in range(3)]
    desk.upload(bad, *good)
    desk.work()
    assert [desk.of(one).state for one in good] == [State.SENT] * 3
    assert desk.of(bad).state == State.REFUSED


def test_each_interface_gets_its_own(desk: Desk, books: Books, practice: Any) -> None:
    other = open_desk(practice, books, desk.user, name="Till two")
    mine, theirs = desk.invoice(), desk.invoice(office=other.office)
    desk.upload(mine, theirs)
    desk.work()
    assert (desk.of(mine).state, desk.of(theirs).state) == (State.SENT, State.QUEUED)
    other.work()
    assert desk.of(theirs).state == State.SENT


def test_the_name_on_the_invoice_makes_a_contact_of_its_own_where_matched_by_it(
    desk: Desk, books: Books
) -> None:
    desk.interface.preferences["match_contacts_by"] = "name_on_invoice"
    with acting_for(desk.practice.pk):
        desk.interface.save()
    desk.upload(desk.invoice(name_on_invoice="A Trust"), desk.invoice(name_on_invoice="B Trust"))
    desk.work()
    assert sorted(books.names(Contact)) == ["A Trust", "B Trust"]


def test_a_turn_costs_as_many_queries_for_many_as_for_few(desk: Desk) -> None:
    desk.upload(desk.invoice())
    desk.work()
    counts = []
    for size in (1, 10):
        desk.upload(*(desk.invoice() for _ in range(size)))
        desk.make_due()
        with CaptureQueriesContext(
            connection,
        ) as seen:
            lane.drain(practice_id=desk.practice.pk, interface_id=desk.interface.pk)
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_clicking_costs_as_many_queries_for_many_as_for_few(desk: Desk) -> None:
    counts = []
    for size in (2, 20):
        with acting_for(desk.practice.pk):
            clients = [make_client() for _ in range(size)]
            invoices = [make_invoice(desk.office, client) for client in clients]
        with CaptureQueriesContext(connection) as seen:
            desk.upload(*invoices)
        counts.append(len(seen))
    # SQLite takes no more than a thousand values in one statement, so many rows are several.
    assert counts[1] <= counts[0] + 3


def test_uploads_of_another_practice_are_not_there(desk: Desk, db: None) -> None:
    desk.upload(desk.invoice())
    with acting_for(make_practice().pk):
        assert Upload.objects.count() == 0


def test_a_bell_that_a_later_turn_has_answered_makes_no_turn_of_its_own(desk: Desk) -> None:
    """Ten clicks are no ten turns before another practice's first."""
    lane_of = {"practice_id": desk.practice.pk, "interface_id": desk.interface.pk}
    rung_at = desk.lane().fence
    desk.upload(desk.invoice())
    lane.drain(**lane_of, rung_at=rung_at)
    later = desk.invoice()
    desk.upload(later)
    lane.drain(**lane_of, rung_at=rung_at)
    assert desk.of(later).state == "queued"
    lane.drain(**lane_of, rung_at=desk.lane().fence)
    assert desk.of(later).state == "sent"
