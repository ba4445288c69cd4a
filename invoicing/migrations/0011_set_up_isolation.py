from typing import Any

from django.db import migrations
from django.utils import timezone

from offices.isolation import Isolate


def go_on_live(apps: Any, _: Any) -> None:
    """What sends invoices today was set up before set-up had an end: it is live, from today."""
    now = timezone.now()
    interfaces = apps.get_model("interfaces", "AccountingInterface").objects.filter(
        invoice_settings__isnull=False, live_since__isnull=True
    )
    live = list(interfaces.exclude(company_file_id="").distinct())
    period = apps.get_model("interfaces", "LivePeriod")
    for one in live:
        one.live_since = now
        one.save(update_fields=["live_since"])
        if one.state not in {"paused", "disconnected"}:
            period.objects.create(
                practice_id=one.practice_id,
                interface_id=one.pk,
                package_key=one.package_key,
                began_on=now.date(),
            )


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0010_set_up"), ("interfaces", "0007_set_up_isolation")]

    operations = [
        Isolate("invoicing.PackageContact", "invoicing.DryRun"),
        migrations.RunPython(go_on_live, migrations.RunPython.noop),
    ]
