"""Only the key of a practice opens the API, and only that practice."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from invoicing.models import Client, Invoice, InvoiceSetting
from offices.models import AuditEntry, Practice, PracticeKey, Role
from offices.people import make_key, revoke_key
from offices.tenancy import acting_for
from tests.factories import PASSWORD, make_member
from tests.invoicing.abtrac import (
    Abtrac,
    Row,
    abtrac,
    client,
    invoice,
    job,
    office,
    other,
    problems,
    rows_of,
)

__all__ = ["abtrac", "other"]

pytestmark = pytest.mark.django_db

CALLS = [
    ("PUT", "invoice-settings"),
    ("POST", "offices"),
    ("PUT", "clients"),
    ("PUT", "jobs"),
    ("PUT", "invoices"),
    ("POST", "invoices/approve"),
    ("POST", "invoices/commit"),
    ("POST", "invoices/uncommit"),
    ("GET", "invoices/I1"),
    ("PUT", "invoices/I1/pdf"),
    ("GET", "uploads"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_asks_for_a_key(abtrac: Abtrac, method: str, path: str) -> None:
    for authorization in ("", "Api-Key", "Api-Key ", f"Bearer {abtrac.secret}", abtrac.secret):
        answer = abtrac.call(method, path, Authorization=authorization)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Api-Key"
        assert set(problems(answer)) == {""}


@pytest.mark.parametrize(
    "wrong", ["x.y", "nonsense", "a" * 200 + ".b", "\u0000.x", "“key”", "a.b c", "../../etc"]
)
def test_a_key_that_is_none_opens_nothing(abtrac: Abtrac, wrong: str) -> None:
    answer = abtrac.call("GET", "uploads", key=wrong)
    assert answer.status_code == 401
    assert problems(answer) == {"": "key_not_usable"}


def test_a_key_with_another_secret_opens_nothing(abtrac: Abtrac) -> None:
    prefix = abtrac.secret.split(".")[0]
    assert abtrac.call("GET", "uploads", key=f"{prefix}.{'x' * 32}").status_code == 401


def test_a_revoked_and_an_expired_key_open_nothing_and_are_answered_alike(
    abtrac: Abtrac, practice: Practice
) -> None:
    unknown = abtrac.call("GET", "uploads", key="abcdefgh.abcdefgh").content
    revoke_key(key=abtrac.key, actor=None)
    assert abtrac.get("uploads").content == unknown
    key, secret = make_key(practice=practice, name="Old", actor=None)
    PracticeKey.objects.filter(pk=key.pk).update(expiry_date=timezone.now() - timedelta(seconds=1))
    answer = abtrac.call("GET", "uploads", key=secret)
    assert (answer.status_code, answer.content) == (401, unknown)


def test_a_key_that_expires_later_opens(abtrac: Abtrac) -> None:
    PracticeKey.objects.update(expiry_date=timezone.now() + timedelta(days=1))
    assert abtrac.get("uploads").status_code == 200


def test_being_logged_in_as_an_admin_is_no_key(abtrac: Abtrac, practice: Practice) -> None:
    admin = make_member(practice, Role.ADMIN)
    assert abtrac.browser.login(email=admin.email, password=PASSWORD)
    answer = abtrac.browser.get("/api/v1/uploads")
    assert answer.status_code == 401


def test_the_same_ids_of_two_practices_are_two_things(abtrac: Abtrac, other: Abtrac) -> None:
    assert abtrac.put("clients", client(name="Ours Ltd")).json()["changed"] == 1
    assert [one.name for one in rows_of(abtrac, Client)] == ["Ours Ltd"]
    assert [one.name for one in rows_of(other, Client)] == ["Kauri Homes Ltd"]


def test_what_another_practice_has_is_unknown(abtrac: Abtrac, other: Abtrac) -> None:
    other.put("clients", client("C9"))
    other.put("jobs", job("J9"))
    other.put("invoice-settings", {"abtrac_id": "S9", "name": "Theirs"})
    other.put("offices", office("O9", invoice_setting="S9"))
    other.put("invoices", invoice("I9"))
    answer = abtrac.put(
        "invoices",
        invoice("I1", office="O9", client="C9", job="J9", invoice_setting="S9"),
        invoice("I2", "-10.00", credits="I9"),
    )
    assert answer.status_code == 400
    assert problems(answer) == {
        "rows[0].office": "unknown_office",
        "rows[0].invoice_setting": "unknown_invoice_setting",
        "rows[0].client": "unknown_client",
        "rows[0].job": "unknown_job",
        "rows[1].credits": "unknown_invoice",
    }
    assert problems(abtrac.put("jobs", job(client="C9"))) == {"rows[0].client": "unknown_client"}
    assert problems(abtrac.put("offices", office(invoice_setting="S9"))) == {
        "rows[0].invoice_setting": "unknown_invoice_setting"
    }


def test_an_invoice_of_another_practice_is_answered_as_one_that_is_none(
    abtrac: Abtrac, other: Abtrac
) -> None:
    other.put("invoices", invoice("I9"))
    for theirs, none in [
        (abtrac.get("invoices/I9"), abtrac.get("invoices/I0")),
        (abtrac.put_pdf("I9", b"%PDF-1.4"), abtrac.put_pdf("I0", b"%PDF-1.4")),
    ]:
        assert theirs.status_code == none.status_code == 404
        assert theirs.content == none.content
    for step in ("approve", "commit", "uncommit"):
        answer = abtrac.move(step, "I9")
        assert answer.status_code == 400
        assert problems(answer) == {"invoices[0]": "unknown_invoice"}
    assert [one.status for one in rows_of(other, Invoice)] == ["draft"]


def test_every_other_address_is_answered_in_the_apis_own_words(abtrac: Abtrac) -> None:
    for path in ("", "clients/", "clients/C1", "invoices/I1/lines", "../v2/clients"):
        for method in ("GET", "PUT", "DELETE"):
            answer = abtrac.call(method, path)
            assert answer.status_code in {404, 405}, path
            problems(answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "clients"), ("DELETE", "invoices"), ("PUT", "invoices/approve"), ("POST", "uploads")],
)
def test_a_method_the_address_has_not_is_named(abtrac: Abtrac, method: str, path: str) -> None:
    answer = abtrac.call(method, path)
    assert answer.status_code == 405
    assert problems(answer) == {"": "method_not_allowed"}
    assert "Allow" in answer.headers


def test_what_was_done_with_a_key_is_recorded(abtrac: Abtrac, practice: Practice) -> None:
    abtrac.put("invoices", invoice("I1"))
    abtrac.move("approve", "I1")
    abtrac.move("approve", "I1")
    with acting_for(practice.pk):
        entries = {
            one.action: one.detail
            for one in AuditEntry.objects.filter(detail__key=abtrac.key.prefix)
        }
        assert AuditEntry.objects.filter(action="invoices.approved").count() == 1
    assert entries["invoices.approved"]["invoices"] == ["I1"]
    assert entries["clients.stored"] == {
        "key": abtrac.key.prefix,
        "created": 1,
        "changed": 0,
        "unchanged": 0,
    }
    assert abtrac.secret not in str(entries)


def test_answers_are_kept_by_no_cache(abtrac: Abtrac) -> None:
    assert abtrac.get("uploads").headers["Cache-Control"] == "no-store"


def test_fields_that_are_not_abtracs_to_say_are_refused(abtrac: Abtrac) -> None:
    not_ours: Row = {"practice": 1, "id": 1, "interface": 1, "paid": "1.00", "status": "committed"}
    answer = abtrac.put("invoices", invoice(**not_ours, committed_at="2026-11-20", revision=9))
    assert problems(answer) == dict.fromkeys(
        [f"rows[0].{name}" for name in (*not_ours, "committed_at", "revision")], "unknown_field"
    )
    answer = abtrac.put("invoice-settings", {"abtrac_id": "S1", "name": "S", "interface": 1})
    assert problems(answer) == {"rows[0].interface": "unknown_field"}
    assert [one.name for one in rows_of(abtrac, InvoiceSetting)] == ["Standard"]


def test_our_own_failure_is_told_without_its_cause(
    abtrac: Abtrac, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("CANARY")

    monkeypatch.setattr("invoicing.api.views.Clients.store", staticmethod(fail))
    abtrac.browser = Browser(raise_request_exception=False)
    answer = abtrac.put("clients", client(name="CANARY-client"))
    assert answer.status_code == 500
    assert problems(answer) == {"": "our_fault"}
    assert "CANARY" not in answer.content.decode()
    assert "CANARY-client" not in caplog.text
    assert abtrac.secret not in caplog.text
