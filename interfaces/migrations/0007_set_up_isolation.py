from django.db import migrations

from offices.isolation import AppendOnly, Isolate


class Migration(migrations.Migration):
    dependencies = [("interfaces", "0006_set_up"), ("offices", "0004_prices_slug")]

    operations = [
        Isolate(
            "interfaces.AccountMapping",
            "interfaces.TaxMapping",
            "interfaces.SetUpAnswers",
        ),
        AppendOnly("interfaces.PriceBook"),
    ]
