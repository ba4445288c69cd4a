from django.db import migrations

from offices.isolation import AppendOnly, Isolate, MakeAppRole


class Migration(migrations.Migration):
    dependencies = [("offices", "0001_initial")]

    operations = [
        MakeAppRole(),
        Isolate("offices.Office", "offices.AuditEntry"),
        AppendOnly("offices.AuditEntry"),
    ]
