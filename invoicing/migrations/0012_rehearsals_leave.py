"""The history of an upload stays for ever, unless it was only a rehearsal.

On SQLite, whose triggers must not name other tables, `offices.isolation.thinned_out` sees to it.
"""

from typing import Any

from django.db import migrations

EVENTS = "invoicing_uploadevent"
LEAVE = """
CREATE FUNCTION uploads_in_earnest_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM invoicing_upload AS upload
    JOIN interfaces_accountinginterface AS interface ON interface.id = upload.interface_id
    WHERE upload.id = OLD.upload_id AND interface.rehearsal_token <> ''
  ) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$
"""


def let_rehearsals_leave(apps: Any, editor: Any) -> None:
    """Only what belongs to a rehearsal may be deleted."""
    if editor.connection.vendor == "postgresql":
        editor.execute(LEAVE, params=None)
        _refuse_by(editor, "uploads_in_earnest_stay")


def keep_all(apps: Any, editor: Any) -> None:
    """As it was."""
    if editor.connection.vendor == "postgresql":
        _refuse_by(editor, "append_only")
        editor.execute("DROP FUNCTION uploads_in_earnest_stay()")


def _refuse_by(editor: Any, function: str) -> None:
    editor.execute(f"DROP TRIGGER {EVENTS}_no_delete ON {EVENTS}")
    editor.execute(
        f"CREATE TRIGGER {EVENTS}_no_delete BEFORE DELETE ON {EVENTS}"
        f" FOR EACH ROW EXECUTE FUNCTION {function}()"
    )


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0011_set_up_isolation")]

    operations = [migrations.RunPython(let_rehearsals_leave, keep_all)]
