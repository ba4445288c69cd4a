from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("invoicing", "0014_daily_work_isolation"),
        ("offices", "0005_last_batch"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="invoice",
            name="invoice_committed_by_date",
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(fields=["practice", "created_at", "id"], name="batch_by_day"),
        ),
        migrations.AddIndex(
            model_name="client",
            index=models.Index(fields=["practice", "name", "id"], name="client_by_name"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "number", "id"],
                name="offered_by_number",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "name_on_invoice", "id"],
                name="offered_by_name_on_invoice",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "recipient", "id"],
                name="offered_by_recipient",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "issued", "id"],
                name="offered_by_issued",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "due", "id"],
                name="offered_by_due",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "order_number", "id"],
                name="offered_by_order_number",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "currency", "id"],
                name="offered_by_currency",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "net", "id"],
                name="offered_by_net",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "tax", "id"],
                name="offered_by_tax",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "total", "id"],
                name="offered_by_total",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "office", "id"],
                name="offered_by_office",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "client", "id"],
                name="offered_by_client",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(
                    ("in_accounts_at__isnull", True),
                    ("in_upload", False),
                    ("parked_at__isnull", True),
                    ("status", "committed"),
                    models.Q(("total", 0), _negated=True),
                ),
                fields=["practice", "invoice_setting", "issued"],
                name="offered_by_setting",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("parked_at__isnull", False)),
                fields=["practice", "parked_at", "id"],
                name="aside_by_parked_at",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("in_accounts_at__isnull", False)),
                fields=["practice", "in_accounts_at", "id"],
                name="aside_by_in_accounts_at",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["practice", "code", "id"], name="job_by_code"),
        ),
    ]
