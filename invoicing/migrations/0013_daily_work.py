import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("interfaces", "0007_set_up_isolation"),
        ("invoicing", "0012_rehearsals_leave"),
        ("offices", "0005_last_batch"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Blocked",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("line", models.PositiveIntegerField(default=0)),
                ("message", models.TextField(blank=True)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                ("cleared_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "default_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Cause",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=60)),
                ("subject", models.CharField(blank=True, max_length=255)),
                ("field", models.CharField(blank=True, max_length=40)),
                ("message", models.TextField()),
                ("next_step", models.TextField(blank=True)),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "default_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="DigestReader",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sent_on", models.DateField(blank=True, null=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "default_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="ListLayout",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("list_key", models.CharField(max_length=30)),
                ("columns", models.JSONField(default=list)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "default_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="PackageDocument",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=12)),
                ("remote_id", models.CharField(max_length=100)),
                ("number", models.CharField(max_length=255)),
                ("folded", models.CharField(max_length=255)),
                ("contact_id", models.CharField(blank=True, max_length=100)),
                ("contact_name", models.CharField(blank=True, max_length=255)),
                ("issued", models.DateField(blank=True, null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                (
                    "total",
                    models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True),
                ),
                ("status", models.CharField(blank=True, max_length=20)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "default_manager_name": "objects",
            },
        ),
        migrations.RemoveConstraint(
            model_name="upload",
            name="upload_names_its_document",
        ),
        migrations.AddField(
            model_name="batch",
            name="first_finished_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="mailed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="origin",
            field=models.CharField(
                blank=True,
                choices=[("", "Upload to accounts"), ("commit", "On commit")],
                db_default="",
                default="",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="in_upload",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="packagecontact",
            name="details",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="upload",
            name="has_causes",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name="upload",
            name="kind",
            field=models.CharField(
                choices=[
                    ("contact", "Contact"),
                    ("job", "Job"),
                    ("invoice", "Invoice"),
                    ("credit_note", "Credit note"),
                    ("allocation", "Credit allocation"),
                    ("pdf", "PDF"),
                    ("void", "Void"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="upload",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "Waiting"),
                    ("claimed", "Preparing"),
                    ("sending", "Sending"),
                    ("unknown", "Checking"),
                    ("sent", "Sent"),
                    ("refused", "Refused"),
                    ("needs_person", "Needs a person"),
                    ("parked", "Parked"),
                    ("cancelled", "Cancelled"),
                    ("voided", "Voided"),
                ],
                default="queued",
                max_length=12,
            ),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", False), ("mailed_at__isnull", True)),
                fields=["finished_at"],
                name="batch_to_be_mailed",
            ),
        ),
        migrations.AddConstraint(
            model_name="upload",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("client__isnull", False),
                        ("invoice__isnull", True),
                        ("job__isnull", True),
                        ("kind", "contact"),
                    ),
                    models.Q(
                        ("client__isnull", True),
                        ("invoice__isnull", True),
                        ("job__isnull", False),
                        ("kind", "job"),
                    ),
                    models.Q(
                        ("client__isnull", True),
                        ("invoice__isnull", False),
                        ("job__isnull", True),
                        ("kind__in", ["invoice", "credit_note", "allocation", "pdf", "void"]),
                    ),
                    _connector="OR",
                ),
                name="upload_names_its_document",
            ),
        ),
        migrations.AddField(
            model_name="blocked",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="offices.practice"
            ),
        ),
        migrations.AddField(
            model_name="blocked",
            name="upload",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="blocked_by",
                to="invoicing.upload",
            ),
        ),
        migrations.AddField(
            model_name="cause",
            name="interface",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="interfaces.accountinginterface",
            ),
        ),
        migrations.AddField(
            model_name="cause",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="offices.practice"
            ),
        ),
        migrations.AddField(
            model_name="blocked",
            name="cause",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="blocked",
                to="invoicing.cause",
            ),
        ),
        migrations.AddField(
            model_name="digestreader",
            name="interface",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="interfaces.accountinginterface",
            ),
        ),
        migrations.AddField(
            model_name="digestreader",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="offices.practice"
            ),
        ),
        migrations.AddField(
            model_name="digestreader",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="listlayout",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="offices.practice"
            ),
        ),
        migrations.AddField(
            model_name="listlayout",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="packagedocument",
            name="interface",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="interfaces.accountinginterface",
            ),
        ),
        migrations.AddField(
            model_name="packagedocument",
            name="practice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="offices.practice"
            ),
        ),
        migrations.AddIndex(
            model_name="cause",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)),
                fields=["practice", "opened_at", "id"],
                name="cause_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="cause",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at__isnull", True)),
                fields=("interface", "code", "subject"),
                name="one_open_cause",
            ),
        ),
        migrations.AddIndex(
            model_name="blocked",
            index=models.Index(
                condition=models.Q(("cleared_at__isnull", True)),
                fields=["upload"],
                name="blocked_upload",
            ),
        ),
        migrations.AddConstraint(
            model_name="blocked",
            constraint=models.UniqueConstraint(fields=("cause", "upload"), name="blocked_once"),
        ),
        migrations.AddConstraint(
            model_name="digestreader",
            constraint=models.UniqueConstraint(
                fields=("interface", "user"), name="digest_reader_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="listlayout",
            constraint=models.UniqueConstraint(
                fields=("practice", "user", "list_key"), name="one_layout_of_a_list"
            ),
        ),
        migrations.AddIndex(
            model_name="packagedocument",
            index=models.Index(
                fields=["interface", "kind", "folded"], name="package_document_by_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="packagedocument",
            constraint=models.UniqueConstraint(
                fields=("interface", "kind", "remote_id"), name="package_document_once"
            ),
        ),
    ]
