"""Rows are stored under Abtrac's ids: whole, once, all of them or none."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoicing.models import Client, Invoice, InvoiceSetting, Job, OfficeInvoicing
from offices.models import Office
from offices.tenancy import acting_for
from tests.factories import make_interface
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

SETTING: Row = {
    "name": "Auckland",
    "prefix": "AK-",
    "next_number": 2100,
    "terms_days": 14,
    "terms_text": "14 days",
    "tax_name": "GST",
    "tax_number": "123-456-789",
}
OFFICE: Row = {
    "name": "Wellington",
    "phone": "04 555 0100",
    "email": "wellington@harbour.example",
    "postal_address": "PO Box 1\nWellington",
    "street_address": "77 Cuba Street\nWellington 6011",
}
ADDRESS: Row = {
    "attention": "Accounts",
    "lines": ["3 Kauri Street", "Level 2"],
    "city": "Auckland",
    "region": "Auckland",
    "postal_code": "1010",
    "country": "New Zealand",
}
CLIENT: Row = {
    "name": "Kauri & Rimu “Homes” Ltd",
    "abbreviation": "KAURI",
    "contact_first_name": "Mere",
    "contact_last_name": "Ngāta",
    "email": "accounts@kauri.example",
    "phone": "09 555 1000",
    "tax_number": "987-654-321",
    "postal_address": ADDRESS,
    "street_address": {**ADDRESS, "lines": []},
}
JOB: Row = {
    "code": "26001",
    "description": "New house",
    "job_type": "Residential",
    "department": "Architecture",
    "client_reference": "PO 4471",
}


def tally(created: int = 0, changed: int = 0, unchanged: int = 0) -> dict[str, int]:
    """What a call is answered with."""
    return {"created": created, "changed": changed, "unchanged": unchanged}


@pytest.mark.parametrize(
    ("path", "model", "row", "more"),
    [
        ("invoice-settings", InvoiceSetting, SETTING, {}),
        ("offices", Office, OFFICE, {"invoice_setting": "S1"}),
        ("clients", Client, CLIENT, {}),
        ("jobs", Job, JOB, {"client": "C1"}),
    ],
)
def test_a_row_is_created_then_changed_then_left_alone(
    abtrac: Abtrac, path: str, model: Any, row: Row, more: Row
) -> None:
    sent = {"abtrac_id": "X1", **row, **more}
    assert abtrac.put(path, sent).json() == tally(created=1)
    [stored] = rows_of(abtrac, model, abtrac_id="X1")
    assert values(stored, row) == row

    assert abtrac.put(path, sent).json() == tally(unchanged=1)
    name = "code" if path == "jobs" else "name"
    assert abtrac.call("POST", path, {"rows": [{**sent, name: "Other"}]}).json() == tally(changed=1)
    [again] = rows_of(abtrac, model, abtrac_id="X1")
    assert again.pk == stored.pk
    assert values(again, row) == {**row, name: "Other"}


def test_what_a_row_leaves_out_is_empty(abtrac: Abtrac) -> None:
    abtrac.put("clients", {"abtrac_id": "C2", **CLIENT})
    assert abtrac.put("clients", client("C2", name="Bare Ltd")).json() == tally(changed=1)
    [stored] = rows_of(abtrac, Client, abtrac_id="C2")
    assert (stored.email, stored.phone, stored.postal_address["lines"]) == ("", "", [])
    assert abtrac.put("clients", client("C2", name="Bare Ltd")).json() == tally(unchanged=1)


def test_texts_are_stored_without_the_blanks_around_them(abtrac: Abtrac) -> None:
    abtrac.put("clients", client("  C2 ", name="  Bare Ltd  "))
    assert [one.name for one in rows_of(abtrac, Client, abtrac_id="C2")] == ["Bare Ltd"]


def test_new_changed_and_unchanged_rows_come_in_one_call(abtrac: Abtrac) -> None:
    rows = [client("C1"), client("C2"), client("C3", name="New Ltd")]
    abtrac.put("clients", client("C2", name="Old Ltd"))
    assert abtrac.put("clients", *rows).json() == tally(created=1, changed=1, unchanged=1)


def test_a_call_with_no_rows_is_harmless(abtrac: Abtrac) -> None:
    for path in ("invoice-settings", "offices", "clients", "jobs", "invoices"):
        assert abtrac.put(path).json() == tally()


def test_an_office_that_uses_another_setting_is_changed(abtrac: Abtrac) -> None:
    abtrac.put("invoice-settings", setting("S2", name="Other"))
    assert abtrac.put("offices", office(invoice_setting="S2")).json() == tally(changed=1)
    [uses] = rows_of(abtrac, OfficeInvoicing)
    [other] = rows_of(abtrac, InvoiceSetting, abtrac_id="S2")
    assert uses.invoice_setting_id == other.pk
    assert abtrac.put("offices", office(invoice_setting="S2")).json() == tally(unchanged=1)


def test_storing_a_setting_again_keeps_its_link_to_an_interface(abtrac: Abtrac) -> None:
    with acting_for(abtrac.practice.pk):
        interface = make_interface()
        InvoiceSetting.objects.update(interface=interface)
    assert abtrac.put("invoice-settings", setting(name="Renamed")).json() == tally(changed=1)
    [stored] = rows_of(abtrac, InvoiceSetting)
    assert (stored.name, stored.interface_id) == ("Renamed", interface.pk)


def test_one_bad_row_keeps_all_of_them_out_and_every_problem_is_told(abtrac: Abtrac) -> None:
    answer = abtrac.put(
        "clients",
        client("C2", name="Good Ltd"),
        client("C3", name="", email="no address"),
        client("C4", phone="1" * 51),
        client("C5", postal_address={"lines": ["a", 5], "planet": "Earth"}),
        "no row",
        None,
        client("C2"),
        {},
    )
    assert answer.status_code == 400
    assert problems(answer) == {
        "rows[0].abtrac_id": "duplicate_id",
        "rows[1].name": "blank",
        "rows[1].email": "invalid",
        "rows[2].phone": "max_length",
        "rows[3].postal_address.lines[1]": "invalid",
        "rows[3].postal_address.planet": "unknown_field",
        "rows[4]": "invalid",
        "rows[5]": "null",
        "rows[6].abtrac_id": "duplicate_id",
        "rows[7].abtrac_id": "required",
        "rows[7].name": "required",
    }
    assert [one.abtrac_id for one in rows_of(abtrac, Client)] == ["C1"]


@pytest.mark.parametrize("email", ["nope", "a@firm.example; b@firm.example", 5, ["a@firm.example"]])
def test_what_is_no_single_email_address_is_told_as_that(abtrac: Abtrac, email: Any) -> None:
    answer = abtrac.put("clients", client("C2", email=email))
    assert answer.json()["problems"] == [
        {
            "path": "rows[0].email",
            "code": "invalid",
            "message": "Give one e-mail address, such as accounts@firm.example.",
        }
    ]


# A blank that keeps two words together is taken in an ID, as any other blank is.
ODD = "A\u00a0B"


@pytest.mark.parametrize(
    ("path", "row", "field"),
    [
        ("offices", office(invoice_setting=ODD), "invoice_setting"),
        ("jobs", job(client=ODD), "client"),
        ("invoices", invoice(office=ODD), "office"),
        ("invoices", invoice(client=ODD), "client"),
        ("invoices", invoice(invoice_setting=ODD), "invoice_setting"),
        ("invoices", invoice(job=ODD), "job"),
        ("invoices", invoice(lines=[line(job=ODD)]), "lines[0].job"),
    ],
)
def test_an_unusual_id_never_sent_is_refused_like_any_other(
    abtrac: Abtrac, path: str, row: Row, field: str
) -> None:
    answer = abtrac.put(path, row)
    assert list(problems(answer)) == [f"rows[0].{field}"]


def test_an_unusual_id_is_found_again(abtrac: Abtrac) -> None:
    abtrac.put("clients", client(ODD))
    abtrac.put("jobs", job(ODD, client=ODD))
    answer = abtrac.put("invoices", invoice(client=ODD, job=ODD, lines=[line(job=ODD)]))
    assert answer.status_code == 200, answer.content
    [found] = rows_of(abtrac, Job, abtrac_id=ODD)
    [stored] = rows_of(abtrac, Invoice)
    assert stored.job_id == found.pk


def test_an_unusual_id_that_stands_twice_is_told(abtrac: Abtrac) -> None:
    answer = abtrac.put("clients", client(ODD, name="One"), client(ODD, name="Two"))
    assert set(problems(answer).values()) == {"duplicate_id"}


def test_a_job_of_a_client_never_sent_is_refused(abtrac: Abtrac) -> None:
    answer = abtrac.put("jobs", job("J2", client="C7"), job("J3", code=""), job("J4"))
    assert problems(answer) == {"rows[0].client": "unknown_client", "rows[1].code": "blank"}
    assert "There is no client with the ID “C7”. Send it first." in answer.content.decode()
    assert [one.abtrac_id for one in rows_of(abtrac, Job)] == ["J1"]


def statements(queries: CaptureQueriesContext) -> list[str]:
    """The statements made, those that only continue the one before taken together.

    SQLite takes few values in one statement, so there many rows are several of the same.
    """
    made: list[str] = []
    for query in queries.captured_queries:
        begin = query["sql"][:60]
        if not made or made[-1] != begin or not begin.startswith("INSERT"):
            made.append(begin)
    return made


@pytest.mark.parametrize("path", ["invoice-settings", "offices", "clients", "jobs", "invoices"])
def test_queries_do_not_grow_with_the_rows(abtrac: Abtrac, path: str) -> None:
    def rows(count: int, text: str) -> list[Row]:
        if path == "invoices":
            return [
                invoice(f"{text}{index}", "100.00", "50.00", order_number=text)
                for index in range(count)
            ]
        make = {"invoice-settings": setting, "offices": office, "clients": client, "jobs": job}
        return [make[path](f"{text}{index}") for index in range(count)]

    made = []
    for sent in (rows(1, "A"), rows(200, "B"), [*rows(200, "B"), *rows(1, "A")]):
        with CaptureQueriesContext(connection) as queries:
            assert abtrac.put(path, *sent).status_code == 200
        made.append(statements(queries))
    assert len(made[0]) <= 24
    assert len(made[1]) == len(made[0])
    assert len(made[2]) <= len(made[0])


def test_queries_do_not_grow_with_what_the_lines_name(abtrac: Abtrac) -> None:
    abtrac.put("jobs", *(job(f"J{index}") for index in range(300)))
    abtrac.put("invoices", invoice("I1"))
    made = []
    for ids in ([1], range(300)):
        lines = [line(place, job=f"J{one}") for place, one in enumerate(ids, start=1)]
        with CaptureQueriesContext(connection) as queries:
            assert abtrac.put("invoices", invoice("I1", lines=lines)).status_code == 200
        made.append(len(statements(queries)))
    assert made[1] == made[0]


def test_a_thousand_rows_are_taken_and_one_more_is_too_many(abtrac: Abtrac) -> None:
    rows = [client(f"N{index}") for index in range(1001)]
    answer = abtrac.put("clients", *rows)
    assert answer.status_code == 413
    assert problems(answer) == {"rows": "too_large"}
    assert len(rows_of(abtrac, Client)) == 1
    assert abtrac.put("clients", *rows[:1000]).json() == tally(created=1000)
