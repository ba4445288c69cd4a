from django.db import migrations

from offices.isolation import AppendOnly, Isolate


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0002_initial"), ("offices", "0002_isolation")]

    operations = [
        Isolate(
            "invoicing.InvoiceSetting",
            "invoicing.OfficeInvoicing",
            "invoicing.Client",
            "invoicing.Job",
            "invoicing.Invoice",
            "invoicing.InvoiceLine",
            "invoicing.InvoicePdf",
            "invoicing.ContactLink",
            "invoicing.JobLink",
            "invoicing.Batch",
            "invoicing.Upload",
            "invoicing.Exchange",
            "invoicing.Attempt",
            "invoicing.UploadEvent",
            "invoicing.PaymentReceived",
            "invoicing.ApiReplay",
        ),
        AppendOnly("invoicing.UploadEvent"),
    ]
