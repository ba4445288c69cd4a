"""What a test leaves in the database is gone for the next one."""

from datetime import date

import pytest
from django.contrib.auth.models import Permission
from django.db import Error

from interfaces.models import PriceBook
from interfaces.price_books import FIRST
from offices.models import AuditEntry, Practice, User
from offices.tenancy import acting_for
from tests.as_migrated import AsMigrated
from tests.factories import make_client, make_member, make_practice

pytestmark = pytest.mark.django_db(transaction=True)


def spoil() -> int:
    """Rows everywhere, and others than the migrations have made; the practice of those rows."""
    practice = make_practice()
    user = make_member(practice)
    with acting_for(practice.pk):
        make_client()
        AuditEntry.objects.create(actor=user, action="came")
    PriceBook.objects.create(**FIRST | {"from_day": date(2027, 1, 1)}, entered_by=user)
    Permission.objects.latest("pk").delete()
    Permission.objects.update(name="May do all")
    return practice.pk


def test_rows_of_a_test_go_and_those_of_the_migrations_are_as_they_were() -> None:
    database, prices = AsMigrated(), list(PriceBook.objects.values())
    permissions = list(Permission.objects.values())
    practice_id = spoil()
    database.again()
    assert not Practice.objects.exists()
    assert not User.objects.exists()
    with acting_for(practice_id):
        assert not AuditEntry.objects.exists()
    assert list(PriceBook.objects.values()) == prices != []
    assert list(Permission.objects.values()) == permissions != []


def test_a_table_that_is_only_added_to_is_so_again() -> None:
    database = AsMigrated()
    spoil()
    database.again()
    practice_id = spoil()
    with pytest.raises(Error, match="append-only"), acting_for(practice_id):
        AuditEntry.objects.all().delete()
