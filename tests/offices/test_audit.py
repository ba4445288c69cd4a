"""The record of who did what: added to, and never changed or thinned out by anybody."""

import pytest
from django.db import Error, connection, transaction
from django.test import RequestFactory

from invoicing.models import UploadEvent
from offices.audit import address_of, record
from offices.models import AuditEntry, Practice, User
from offices.tenancy import NoPractice, acting_for

APPEND_ONLY = [AuditEntry, UploadEvent]


def test_an_entry_needs_a_practice(db: None) -> None:
    with pytest.raises(NoPractice):
        record(actor=None, action="test.made")


def test_an_entry_can_be_neither_changed_nor_removed(acting: Practice, admin: User) -> None:
    entry = record(actor=admin, action="test.made", subject="x" * 300, address="192.0.2.1")
    for change in (
        lambda: AuditEntry.objects.filter(pk=entry.pk).update(action="test.unmade"),
        lambda: AuditEntry.objects.filter(pk=entry.pk).delete(),
        entry.save,
        entry.delete,
    ):
        with pytest.raises(Error, match="append-only"), transaction.atomic():
            change()
    entry.refresh_from_db()
    assert (entry.action, entry.actor, len(entry.subject)) == ("test.made", admin, 200)


def test_not_even_raw_sql_changes_an_entry(acting: Practice) -> None:
    entry = record(actor=None, action="test.made")
    for statement in (
        "UPDATE offices_auditentry SET action = 'test.unmade' WHERE id = %s",
        "DELETE FROM offices_auditentry WHERE id = %s",
    ):
        with (
            pytest.raises(Error, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, [entry.pk])


def test_somebody_who_is_in_the_record_stays_in_the_directory(
    practice: Practice, admin: User
) -> None:
    with acting_for(practice.pk):
        record(actor=admin, action="test.made")
        with pytest.raises(Error), transaction.atomic():
            admin.delete()
    assert User.objects.filter(pk=admin.pk).exists()


@pytest.mark.parametrize("model", APPEND_ONLY)
def test_every_append_only_table_has_its_triggers(db: None, model: type) -> None:
    table = model._meta.db_table  # type: ignore[attr-defined]
    where = (
        "SELECT tgname FROM pg_trigger WHERE tgname LIKE %s AND tgenabled = 'O'"
        if connection.vendor == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(where, [f"{table}_no_%"])
        found = {row[0] for row in cursor.fetchall()}
    assert found == {f"{table}_no_update", f"{table}_no_delete"}


def test_the_address_is_the_sockets_unless_proxies_are_trusted(settings: object) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7", headers={})
    assert address_of(request) == "192.0.2.7"
    forged = RequestFactory().get(
        "/", REMOTE_ADDR="192.0.2.7", headers={"X-Forwarded-For": "10.0.0.1"}
    )
    assert address_of(forged) == "192.0.2.7"
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1  # type: ignore[attr-defined]
    assert address_of(forged) == "10.0.0.1"


def test_a_request_without_an_address_is_recorded_all_the_same() -> None:
    assert address_of(RequestFactory().get("/", REMOTE_ADDR="")) is None
