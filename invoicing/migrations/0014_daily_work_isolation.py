from typing import Any

from django.db import migrations
from django.db.models import F

from offices.isolation import Isolate

LIVE = ["queued", "claimed", "sending", "unknown", "sent", "needs_person"]


def find_in_upload(apps: Any, _: Any) -> None:
    """Mark what is on its way or in the accounts already."""
    invoices = apps.get_model("invoicing", "Invoice")._base_manager
    uploads = apps.get_model("invoicing", "Upload")._base_manager
    live = uploads.filter(kind__in=["invoice", "credit_note"], state__in=LIVE)
    invoices.filter(pk__in=live.values("invoice")).update(in_upload=True)


def count_as_mailed(apps: Any, _: Any) -> None:
    """Nobody is told now of what was finished before there were mails."""
    batches = apps.get_model("invoicing", "Batch")._base_manager
    finished = batches.filter(finished_at__isnull=False)
    finished.update(first_finished_at=F("finished_at"), mailed_at=F("finished_at"))


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0013_daily_work")]

    operations = [
        Isolate(
            "invoicing.PackageDocument",
            "invoicing.Cause",
            "invoicing.Blocked",
            "invoicing.ListLayout",
            "invoicing.DigestReader",
        ),
        migrations.RunPython(find_in_upload, migrations.RunPython.noop),
        migrations.RunPython(count_as_mailed, migrations.RunPython.noop),
    ]
