"""The only code that decides whose rows may be seen.

A tenant row is a `PracticeOwned` model. Its managers answer only inside `acting_for(practice)`, a
transaction in which that practice's rows exist and no others: by a filter here, and on PostgreSQL
by row-level security as well, so that raw SQL is bound too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Self, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models, transaction
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper

_practice: ContextVar[int | None] = ContextVar("practice", default=None)

M = TypeVar("M", bound=models.Model)


class NoPractice(RuntimeError):
    """A tenant row was asked for outside `acting_for`: a bug, never a user's mistake."""


def current_practice_id() -> int:
    """The practice being acted for. Raises NoPractice."""
    practice_id = _practice.get()
    if practice_id is None:
        raise NoPractice("No practice is set: wrap this in tenancy.acting_for(practice_id).")
    return practice_id


@contextmanager
def acting_for(practice_id: int) -> Iterator[None]:
    """One transaction in which exactly this practice's rows can be read and written."""
    with transaction.atomic():
        before = _practice.get()
        token = _practice.set(practice_id)
        _tell_database(practice_id)
        try:
            yield
            # An outer transaction goes on as whoever it was; a rollback does this by itself.
            _tell_database(before)
        finally:
            _practice.reset(token)


def _tell_database(practice_id: int | None) -> None:
    if connection.vendor == "postgresql" and not connection.needs_rollback:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('app.practice', %s, true)",
                ["" if practice_id is None else str(practice_id)],
            )


class PracticeManager(models.Manager[M]):
    """Sees the rows of the practice being acted for; raises NoPractice when there is none."""

    def get_queryset(self) -> models.QuerySet[M]:
        return super().get_queryset().filter(practice_id=current_practice_id())

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> list[M]:
        """As Django's, with the practice filled in."""
        rows = list(objs)
        for row in rows:
            _claim_for_practice(row)
        return super().bulk_create(rows, *args, **kwargs)


class PracticeOwned(models.Model):
    """A row of exactly one practice."""

    practice = models.ForeignKey("offices.Practice", on_delete=models.CASCADE, related_name="+")

    objects: ClassVar[PracticeManager[Self]] = PracticeManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
        default_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save under the practice being acted for; a row of another one raises NoPractice."""
        _claim_for_practice(self)
        super().save(*args, **kwargs)


def _claim_for_practice(row: Any) -> None:
    practice_id = current_practice_id()
    if row.practice_id is None:
        row.practice_id = practice_id
    elif row.practice_id != practice_id:
        raise NoPractice("This row belongs to another practice than the one being acted for.")


def take_app_role(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Work as the product's own role, which owns no table, wherever that role exists."""
    if connection.vendor != "postgresql" or connection.alias == NO_DB_ALIAS:
        return  # without a database of its own it is there to create or drop one, as an owner
    role = settings.DATABASE_APP_ROLE
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_roles WHERE rolname = %s AND pg_has_role(session_user, oid, %s)",
            [role, right_to_become(connection)],
        )
        if cursor.fetchone():
            cursor.execute(f"SET ROLE {connection.ops.quote_name(role)}")
            return
        cursor.execute(UNBOUND)
        unbound = cursor.fetchone()
    if unbound:
        connection.close()
        raise ImproperlyConfigured(
            f"The role {role} (DATABASE_APP_ROLE) is not to be had, and the user of DATABASE_URL is"
            " one whom row-level security does not bind. Grant the role to that user."
        )


# Whether the practices' tables are isolated from everybody but the user who is asking: as their
# owner, as a superuser, or by a right of its own.
UNBOUND = """
    SELECT 1 FROM pg_policy
    JOIN pg_class ON pg_class.oid = polrelid
    JOIN pg_roles ON rolname = current_user
    WHERE polname = 'of_practice'
    AND (pg_has_role(current_user, relowner, 'USAGE') OR rolsuper OR rolbypassrls)
    LIMIT 1
"""


def right_to_become(connection: Any) -> str:
    """The privilege that lets one role become another: from version 16 membership is not enough."""
    return "SET" if connection.pg_version >= 160000 else "MEMBER"


@contextmanager
def as_owner() -> Iterator[None]:
    """Work as the owner of the tables, for migrations and for nothing else."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.needs_rollback:
            take_app_role(connection=connection)
