"""Migration operations that put the database itself between practices."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection, migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Model

from offices.tenancy import right_to_become

POLICY = "practice_id = nullif(current_setting('app.practice', true), '')::bigint"


class MakeAppRole(migrations.RunPython):
    """Create the role the product works under, with rights to rows but none to the schema."""

    def __init__(self) -> None:
        super().__init__(_make_app_role, migrations.RunPython.noop)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__qualname__, [], {})


class Isolate(migrations.RunPython):
    """Row-level security on the models named: only rows of the practice being acted for exist."""

    def __init__(self, *models: str) -> None:
        self.models = models
        super().__init__(self._isolate, self._release)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__qualname__, list(self.models), {})

    def _tables(self, apps: Any, editor: BaseDatabaseSchemaEditor) -> list[str]:
        if editor.connection.vendor != "postgresql":
            return []
        quote = editor.connection.ops.quote_name
        return [quote(apps.get_model(*name.split("."))._meta.db_table) for name in self.models]

    def _isolate(self, apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        for table in self._tables(apps, editor):
            editor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            editor.execute(
                f"CREATE POLICY of_practice ON {table} USING ({POLICY}) WITH CHECK ({POLICY})"
            )

    def _release(self, apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        for table in self._tables(apps, editor):
            editor.execute(f"DROP POLICY of_practice ON {table}")
            editor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


class AppendOnly(migrations.RunPython):
    """Rows of the models named can be added, never changed or removed, by anybody."""

    def __init__(self, *models: str) -> None:
        self.models = models
        super().__init__(self._forbid, self._allow)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__qualname__, list(self.models), {})

    def _names(self, apps: Any) -> list[str]:
        return [apps.get_model(*name.split("."))._meta.db_table for name in self.models]

    def _forbid(self, apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        for table in self._names(apps):
            for statement in _forbid_on(table, editor.connection.vendor):
                # None: without parameters a percent sign is only a percent sign.
                editor.execute(statement, params=None)

    def _allow(self, apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        for table in self._names(apps):
            for verb in ("update", "delete"):
                on = f" ON {table}" if editor.connection.vendor == "postgresql" else ""
                editor.execute(f"DROP TRIGGER {table}_no_{verb}{on}")


def _forbid_on(table: str, vendor: str) -> list[str]:
    if vendor == "postgresql":
        function = (
            "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
        return [
            function,
            *(
                f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION append_only()"
                for verb in ("update", "delete")
            ),
        ]
    return [
        f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("update", "delete")
    ]


@contextmanager
def thinned_out(model: type[Model]) -> Iterator[None]:
    """Rows of an append-only table may be deleted, where a rule of the product says which.

    PostgreSQL has that rule in its trigger. A trigger of SQLite that named other tables would be in
    the way of every later migration of theirs, so it is taken off: within the transaction, in which
    nobody else can write, and which nobody sees without it.
    """
    name = f"{model._meta.db_table}_no_delete"
    if connection.vendor == "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = %s", [name])
        (trigger,) = cursor.fetchone()
        cursor.execute(f"DROP TRIGGER {name}")
        yield
        cursor.execute(trigger)


def _make_app_role(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor != "postgresql":
        return
    role = editor.connection.ops.quote_name(settings.DATABASE_APP_ROLE)
    # Roles belong to the whole server: another database may have made it, perhaps this instant, or
    # whoever set the server up did, and then the owner need not be allowed to make any.
    editor.execute(
        "DO $$ BEGIN IF NOT EXISTS "
        f"(SELECT FROM pg_roles WHERE rolname = '{settings.DATABASE_APP_ROLE}') "
        f"THEN CREATE ROLE {role} NOLOGIN; END IF; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    right = right_to_become(editor.connection)
    editor.execute(
        f"DO $$ BEGIN IF NOT pg_has_role(current_user, '{settings.DATABASE_APP_ROLE}', '{right}') "
        f"THEN GRANT {role} TO CURRENT_USER; END IF; "
        "EXCEPTION WHEN unique_violation THEN NULL; END $$"
    )
    editor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
    rights = "SELECT, INSERT, UPDATE, DELETE"
    editor.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {role}")
    editor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")
    editor.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rights} ON TABLES TO {role}")
    editor.execute(
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}"
    )
