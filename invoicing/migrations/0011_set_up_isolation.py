from typing import Any
from zoneinfo import ZoneInfo

from django.db import migrations
from django.utils import timezone

from offices.isolation import Isolate


def go_on_live(apps: Any, _: Any) -> None:
    """What sends invoices today was set up before set-up had an end: it is live, from today."""
    now = timezone.now()
    interfaces = apps.get_model("interfaces", "AccountingInterface").objects.filter(
        invoice_settings__isnull=False, live_since__isnull=True
    )
    begun = interfaces.exclude(state__in=["not_connected", "choose_company_file"])
    live = list(begun.select_related("practice").distinct())
    period = apps.get_model("interfaces", "LivePeriod")
    for one in live:
        one.live_since = now
        one.save(update_fields=["live_since"])
        if one.state not in {"paused", "disconnected"}:
            period.objects.create(
                practice_id=one.practice_id,
                interface_id=one.pk,
                package_key=one.package_key,
                # The day it is where the practice is: its months are charged.
                began_on=now.astimezone(ZoneInfo(one.practice.time_zone)).date(),
            )


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0010_set_up"), ("interfaces", "0007_set_up_isolation")]

    operations = [
        Isolate("invoicing.PackageContact", "invoicing.DryRun"),
        migrations.RunPython(go_on_live, migrations.RunPython.noop),
    ]
