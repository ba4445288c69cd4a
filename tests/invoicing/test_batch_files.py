"""A batch as files for a spreadsheet, and the PDF that does not hang on its invoice yet."""

import csv
import io
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from invoicing import spreadsheets
from invoicing.models import Invoice, Upload
from offices.models import AuditEntry, Practice, Role
from offices.tenancy import acting_for
from tests.factories import make_interface, make_member
from tests.invoicing.pages import client_of, counted_queries, text_of, url
from tests.invoicing.scene import Scene, make_batch, make_scene, make_upload
from tests.invoicing.test_pages_batches import row_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(practice: Practice) -> Scene:
    """Every state."""
    with acting_for(practice.pk):
        return make_scene(make_member(practice, Role.ADMIN, "ana@harbour.example"))


def rows_of(answer: Any) -> list[dict[str, str]]:
    """The file as a spreadsheet reads it."""
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))


def test_the_errors_of_a_batch_are_a_row_for_each_reason(practice: Practice, scene: Scene) -> None:
    refused = scene.uploads["refused"]
    with acting_for(practice.pk):
        Upload.objects.filter(pk=refused.pk).update(
            reason=f"Invoice {refused.invoice}, line 2: account 260 is archived in Xero.\n"
            f"Invoice {refused.invoice}, line 3: there is no tax code NONE in Xero."
        )
    browser = client_of(make_member(practice, Role.VIEWER))
    answer = browser.get(url(practice, "batches/1/errors.csv"))
    assert answer["Content-Disposition"] == 'attachment; filename="batch-1-errors.csv"'
    rows = rows_of(answer)
    states = [row["State"] for row in rows]
    assert states == ["Refused", "Refused", "Needs a person", "Needs a person", "Refused"]
    first, second, *_, pdf = rows
    assert refused.invoice
    assert first == {
        "Invoice No": refused.invoice.number,
        "What": "Invoice",
        "Client": refused.invoice.client.name,
        "Job": "",
        "Name on Invoice": refused.invoice.name_on_invoice,
        "Invoice Date": f"{refused.invoice.issued}",
        "Currency": "NZD",
        "Amount excl Tax": f"{refused.invoice.net}",
        "Amount incl Tax": f"{refused.invoice.total}",
        "State": "Refused",
        "Line": "2",
        "Interface": refused.interface.name,
        "What happened": f"Invoice {refused.invoice}, line 2: account 260 is archived in Xero.",
        "What to do": "Choose another account, or restore 260 in Xero. Then retry.",
    }
    # What to do is told once.
    assert (second["Line"], second["What to do"]) == ("3", "")
    assert (pdf["What"], pdf["Line"]) == ("PDF", "")
    with acting_for(practice.pk):
        entry = AuditEntry.objects.get(action="batch.errors_exported")
    assert (entry.subject, entry.detail) == ("Batch 1", {"rows": 5})


def test_the_whole_batch_is_a_row_for_each_invoice(practice: Practice, scene: Scene) -> None:
    with acting_for(practice.pk):
        Invoice.objects.filter(uploads=scene.uploads["sent"]).update(
            name_on_invoice='=HYPERLINK("https://evil.example")'
        )
    browser = client_of(make_member(practice, Role.ACCOUNTS))
    rows = {
        row["Invoice No"]: row for row in rows_of(browser.get(url(practice, "batches/1/batch.csv")))
    }
    assert len(rows) == 12
    sent, credit = scene.uploads["sent"], scene.uploads["credit"]
    row = rows[sent.invoice.number]  # type: ignore[union-attr]
    assert row["Name on Invoice"] == '\'=HYPERLINK("https://evil.example")'
    assert (row["Number in the package"], row["Link"]) == (sent.remote_number, sent.remote_url)
    assert row["State"] == "Sent with warning"
    assert "the PDF is not attached: Xero did not take the PDF" in row["What happened"]
    # Negative numbers stay numbers.
    assert rows[credit.invoice.number]["Amount excl Tax"] == "-860.00"  # type: ignore[union-attr]
    with acting_for(practice.pk):
        assert AuditEntry.objects.filter(action="batch.exported", subject="Batch 1").exists()


@pytest.mark.parametrize("file", ["batch", "errors"])
def test_a_file_costs_the_same_questions_however_long_it_is(
    practice: Practice, scene: Scene, file: str
) -> None:
    browser = client_of(make_member(practice, Role.VIEWER))
    address = url(practice, f"batches/1/{file}.csv")
    browser.get(address)
    with counted_queries() as few:
        browser.get(address)
    with acting_for(practice.pk):
        for one in scene.available[1:]:
            interface = one.invoice_setting.interface or scene.interface
            make_upload(scene.finished, one, "refused", interface=interface)  # type: ignore[arg-type]
    with counted_queries() as many:
        browser.get(address)
    assert len(many) == len(few) <= 12


def test_files_of_another_practice_are_not_there(practice: Practice, scene: Scene) -> None:
    browser = client_of(make_member(practice, Role.ADMIN))
    assert browser.get(url(practice, "batches/99/errors.csv")).status_code == 404


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
def test_text_is_never_a_formula_and_numbers_stay_numbers(start: str) -> None:
    row: list[spreadsheets.Cell] = [f"{start}1+1", Decimal("-1.50"), -3, date(2026, 11, 20), None]
    written = "".join(spreadsheets.lines(["A"] * 5, [row]))
    text = f"'{start}1+1"
    told = next(islice(csv.reader(io.StringIO(written, newline="")), 1, None))
    assert told == [text, "-1.50", "-3", "2026-11-20", ""]


@pytest.mark.parametrize(
    ("state", "fields", "words"),
    [
        ("queued", {}, ""),
        (
            "queued",
            {"reason": "Xero could not be reached.", "tries": 1},
            "The PDF is not attached yet; we try again at 14:12. Xero could not be reached.",
        ),
        (
            "unknown",
            {"unknown_since": timezone.now()},
            "It is not known yet whether the PDF is attached; we look again at 14:12.",
        ),
        ("sending", {}, ""),
        ("refused", {"reason": "It is too large."}, "the PDF is not attached: It is too large."),
        (
            "needs_person",
            {"reason": "We could not find out.", "unknown_since": timezone.now()},
            "it is not known whether the PDF is attached: We could not find out.",
        ),
        ("sent", {"remote_id": "x"}, ""),
    ],
)
def test_a_pdf_that_is_not_attached_is_a_warning_on_its_invoice(
    practice: Practice, state: str, fields: dict[str, Any], words: str
) -> None:
    with acting_for(practice.pk):
        scene = make_scene()
        interface = make_interface()
        batch = make_batch(7)
        sent = make_upload(batch, scene.available[1], "sent", interface=interface)
        now = datetime(2026, 11, 20, 14, 0, tzinfo=ZoneInfo(practice.time_zone))
        due = {"due": now + timedelta(minutes=12)} if fields else {"due": now}
        Upload.objects.create(
            batch=batch,
            interface=interface,
            invoice=sent.invoice,
            kind="pdf",
            state=state,
            document={"key": "pdf"},
            **due,
            **fields,
        )
    browser = client_of(make_member(practice, Role.VIEWER))
    browser.get("/")
    with time_machine.travel(now, tick=False):
        page = browser.get(url(practice, "batches/7/"))
    row = row_of(page, sent)
    assert ("Sent with warning" in row) == bool(words)
    assert words in row
    assert "1 of 1 sent" in text_of(page)


def test_a_batch_names_its_invoices_as_they_were_sent(practice: Practice, scene: Scene) -> None:
    sent = scene.uploads["sent"]
    assert sent.invoice
    number = sent.invoice.number
    with acting_for(practice.pk):
        Invoice.objects.filter(uploads=sent).update(number="Renumbered")
    browser = client_of(make_member(practice, Role.ACCOUNTS))
    rows = rows_of(browser.get(url(practice, "batches/1/batch.csv")))
    assert number in [row["Invoice No"] for row in rows]
    assert f"{number} now Renumbered" in text_of(browser.get(url(practice, "batches/1/")))
