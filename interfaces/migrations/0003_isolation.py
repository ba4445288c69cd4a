from django.db import migrations

from offices.isolation import Isolate


class Migration(migrations.Migration):
    dependencies = [("interfaces", "0002_initial"), ("offices", "0002_isolation")]

    operations = [
        Isolate(
            "interfaces.AccountingInterface",
            "interfaces.AccountCode",
            "interfaces.TaxCode",
            "interfaces.CodeRule",
            "interfaces.Credential",
            "interfaces.ConsentRequest",
        ),
    ]
