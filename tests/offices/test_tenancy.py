"""The line between one practice and the next, in Python and in the database."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as product
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, ProgrammingError, connection, models, transaction
from django.test import override_settings

from interfaces.models import Lane, LivePeriod, SetUpFee, SetUpRequest
from invoicing.models import Client, InvoiceSetting, Notice
from offices.models import AuditEntry, Membership, Office, Practice, PracticeKey, SupportGrant
from offices.tenancy import NoPractice, PracticeOwned, acting_for, as_owner, current_practice_id
from tests.factories import make_client, make_interface, make_practice, make_setting

# Found before anybody is acted for: who belongs where, which lane has work, what is late. No
# client's data.
DIRECTORY = {Membership, SupportGrant, PracticeKey, Lane, Notice}
DIRECTORY |= {LivePeriod, SetUpFee, SetUpRequest}


@pytest.fixture
def other(db: None) -> Practice:
    """A second practice with an office, a client and an invoice setting."""
    made = make_practice("Ridge Engineers")
    with acting_for(made.pk):
        Office.objects.create(abtrac_id="1", name="Ridge office")
        make_client("Ridge's client")
        make_setting(name="Ridge's setting")
    return made


def tenant_models() -> list[type[PracticeOwned]]:
    return [one for one in apps.get_models() if issubclass(one, PracticeOwned)]


def test_rows_of_a_practice_are_not_to_be_had_without_one(db: None) -> None:
    for model in tenant_models():
        with pytest.raises(NoPractice):
            model.objects.all()
        with pytest.raises(NoPractice):
            model.objects.count()
    with pytest.raises(NoPractice):
        Office(abtrac_id="1", name="Nowhere").save()
    with pytest.raises(NoPractice):
        Office.objects.bulk_create([Office(abtrac_id="1", name="Nowhere")])


def test_a_new_row_belongs_to_the_practice_acted_for(acting: Practice) -> None:
    office = Office.objects.create(abtrac_id="1", name="Auckland")
    [bulk] = Office.objects.bulk_create([Office(abtrac_id="2", name="Napier")])
    found, made = Office.objects.get_or_create(abtrac_id="3", defaults={"name": "Nelson"})
    assert made
    assert {office.practice_id, bulk.practice_id, found.practice_id} == {acting.pk}


def test_only_rows_of_the_practice_acted_for_are_seen(practice: Practice, other: Practice) -> None:
    with acting_for(other.pk):
        theirs = Office.objects.get()
        client = Client.objects.get()
    with acting_for(practice.pk):
        assert not Office.objects.exists()
        assert not Office.objects.filter(pk=theirs.pk).update(name="Taken")
        assert Office.objects.filter(pk=theirs.pk).delete()[0] == 0
        with pytest.raises(Office.DoesNotExist):
            theirs.refresh_from_db()
        with pytest.raises(Client.DoesNotExist):
            Client.objects.get(pk=client.pk)
    with acting_for(other.pk):
        theirs.refresh_from_db()
    assert theirs.name == "Ridge office"


def test_rows_reached_through_another_row_are_scoped_too(
    practice: Practice, other: Practice
) -> None:
    with acting_for(other.pk):
        interface = make_interface()
        code = interface.accounts.first()
    assert code is not None
    with acting_for(practice.pk):
        assert list(interface.accounts.all()) == []
        code.__class__._meta.get_field("interface").delete_cached_value(code)
        with pytest.raises(interface.DoesNotExist):
            _ = code.interface
    with pytest.raises(NoPractice):
        interface.accounts.all()


def test_a_row_of_another_practice_is_not_saved(practice: Practice, other: Practice) -> None:
    with acting_for(other.pk):
        theirs = Office.objects.get()
    with acting_for(practice.pk):
        with pytest.raises(NoPractice, match="another practice"):
            theirs.save()
        with pytest.raises(NoPractice, match="another practice"):
            Office.objects.bulk_create([Office(practice=other, abtrac_id="9", name="Planted")])
        with pytest.raises(NoPractice, match="another practice"):
            Office.objects.create(practice=other, abtrac_id="9", name="Planted")
    with acting_for(other.pk):
        assert Office.objects.count() == 1


def test_acting_nests_and_goes_back_to_the_practice_before(
    practice: Practice, other: Practice
) -> None:
    with acting_for(practice.pk):
        with acting_for(other.pk):
            assert current_practice_id() == other.pk
            assert Office.objects.get().name == "Ridge office"
        assert current_practice_id() == practice.pk
        assert not Office.objects.exists()
        Office.objects.create(abtrac_id="1", name="Auckland")
        with pytest.raises(ZeroDivisionError), acting_for(other.pk):
            _ = 1 / 0
        assert current_practice_id() == practice.pk
        assert Office.objects.get().name == "Auckland"
    with pytest.raises(NoPractice):
        current_practice_id()


def test_what_was_written_for_a_practice_is_gone_when_its_block_fails(
    practice: Practice,
) -> None:
    with pytest.raises(ZeroDivisionError), acting_for(practice.pk):
        Office.objects.create(abtrac_id="1", name="Half")
        _ = 1 / 0
    with acting_for(practice.pk):
        assert not Office.objects.exists()


def test_a_database_error_inside_leaves_the_scope_in_order(practice: Practice) -> None:
    with acting_for(practice.pk):
        Office.objects.create(abtrac_id="1", name="Auckland")
        with pytest.raises(DatabaseError), transaction.atomic():
            Office.objects.bulk_create([Office(abtrac_id="1", name="Again")])
        assert Office.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_thread_starts_out_acting_for_nobody(practice: Practice) -> None:
    raised: list[BaseException] = []

    def look() -> None:
        try:
            Office.objects.count()
        except NoPractice as error:
            raised.append(error)
        finally:
            connection.close()

    with acting_for(practice.pk):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert len(raised) == 1


def test_every_model_with_a_practice_is_scoped_or_of_the_directory() -> None:
    """A new table with tenants' rows cannot be forgotten: it must be one or the other."""
    with_practice = {
        model
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.related_model is Practice
    }
    assert with_practice == {*tenant_models(), *DIRECTORY}
    assert not any(issubclass(one, PracticeOwned) for one in DIRECTORY)


def test_every_manager_of_a_tenant_model_is_scoped(db: None) -> None:
    for model in tenant_models():
        for manager in (*model._meta.managers, model._base_manager):
            with pytest.raises(NoPractice):
                manager.get_queryset()


# From here on the database itself is asked: row-level security exists on PostgreSQL alone.


@pytest.mark.services
def test_every_tenant_table_has_the_policy_and_no_other(db: None) -> None:
    expected = {model._meta.db_table for model in tenant_models()}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid),"
            " pg_get_expr(p.polwithcheck, p.polrelid)"
            " FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relrowsecurity"
        )
        policies = cursor.fetchall()
    rule = "(practice_id = (NULLIF(current_setting('app.practice'::text, true), ''::text))::bigint)"
    assert sorted(row[0] for row in policies) == sorted(expected)
    assert {row[1:] for row in policies} == {("*", True, rule, rule)}


@pytest.mark.services
def test_the_product_works_under_a_role_that_row_level_security_binds(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb"
            " FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (product.DATABASE_APP_ROLE, *[False] * 5)
        cursor.execute("SELECT count(*) FROM pg_tables WHERE tableowner = current_user")
        assert cursor.fetchone() == (0,)


@pytest.mark.services
def test_raw_sql_sees_nothing_without_a_practice_and_only_its_own_with_one(
    practice: Practice, other: Practice
) -> None:
    with acting_for(practice.pk):
        make_setting(name="Harbour's setting")
    names = "SELECT name FROM invoicing_invoicesetting ORDER BY name"
    assert _raw(names) == []
    with acting_for(practice.pk):
        assert _raw(names) == [("Harbour's setting",)]
        with acting_for(other.pk):
            assert _raw(names) == [("Ridge's setting",)]
        assert _raw(names) == [("Harbour's setting",)]
    assert _raw(names) == []


@pytest.mark.services
def test_every_tenant_table_is_empty_to_raw_sql_without_a_practice(
    practice: Practice, other: Practice
) -> None:
    for one in (practice, other):
        with acting_for(one.pk):
            make_interface()
            AuditEntry.objects.create(action="test.made")
    for model in tenant_models():
        assert _raw(f'SELECT count(*) FROM "{model._meta.db_table}"') == [(0,)]  # noqa: S608


@pytest.mark.services
def test_raw_sql_cannot_write_into_another_practice(practice: Practice, other: Practice) -> None:
    with acting_for(other.pk):
        theirs = InvoiceSetting.objects.get()
    with acting_for(practice.pk):
        ours = make_setting()
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            InvoiceSetting.objects.filter(pk=ours.pk).update(practice=other)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE invoicing_invoicesetting SET name = 'Taken' WHERE id = %s", [theirs.pk]
            )
            assert cursor.rowcount == 0
            cursor.execute("DELETE FROM invoicing_invoicesetting WHERE id = %s", [theirs.pk])
            assert cursor.rowcount == 0


@pytest.mark.services
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE offices_office DISABLE ROW LEVEL SECURITY",
        "DROP POLICY of_practice ON offices_office",
        "ALTER TABLE offices_auditentry DISABLE TRIGGER ALL",
        "TRUNCATE offices_auditentry",
        "CREATE TABLE public.aside (id int)",
    ],
)
def test_the_products_role_cannot_take_the_isolation_away(db: None, statement: str) -> None:
    with (
        pytest.raises(ProgrammingError, match=r"owner|permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_a_connection_used_again_remembers_no_practice(practice: Practice) -> None:
    with acting_for(practice.pk):
        make_setting()
    assert _raw("SELECT current_setting('app.practice', true)") in ([("",)], [(None,)])
    assert _raw("SELECT count(*) FROM invoicing_invoicesetting") == [(0,)]


@pytest.fixture
def fresh_connection(transactional_db: None) -> Iterator[Any]:
    """A connection made anew, as a worker's is."""
    connection.close()
    yield connection
    connection.close()


@pytest.mark.services
def test_a_new_connection_takes_the_products_role_and_work_as_owner_gives_it_back(
    fresh_connection: Any,
) -> None:
    role = [(product.DATABASE_APP_ROLE,)]
    assert _raw("SELECT current_user") == role
    with as_owner():
        assert _raw("SELECT current_user") != role
    assert _raw("SELECT current_user") == role
    with pytest.raises(ZeroDivisionError), as_owner():
        _ = 1 / 0
    assert _raw("SELECT current_user") == role


@pytest.mark.services
def test_an_owner_without_the_products_role_is_refused_rather_than_let_loose(
    fresh_connection: Any,
) -> None:
    """A misspelt DATABASE_APP_ROLE would otherwise put every practice's rows before everybody."""
    with override_settings(DATABASE_APP_ROLE="nobody_made_this"):
        for _ in range(2):  # and the connection is not kept for the next one who asks
            with pytest.raises(ImproperlyConfigured, match="DATABASE_APP_ROLE"):
                _raw("SELECT current_user")
    assert _raw("SELECT current_user") == [(product.DATABASE_APP_ROLE,)]


def _raw(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
