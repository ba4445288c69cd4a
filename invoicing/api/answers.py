"""The shapes of answers, for telling them and for describing them."""

from typing import Any

from rest_framework import serializers

from invoicing.models import Invoice, Upload


def money() -> serializers.DecimalField:
    """An amount with two decimals, as a text."""
    return serializers.DecimalField(max_digits=12, decimal_places=2)


class ChoiceAnswer(serializers.Serializer[Any]):
    """What may be done instead."""

    do = serializers.ChoiceField(choices=["void", "credit_note"])
    method = serializers.CharField(
        allow_blank=True, help_text="Of the call that does it; empty where it is not one call."
    )
    address = serializers.CharField(allow_blank=True)


class ProblemAnswer(serializers.Serializer[Any]):
    """One thing that is wrong."""

    path = serializers.CharField(
        allow_blank=True,
        help_text="Where, such as `rows[3].lines[1].net`; empty for the call as a whole.",
    )
    code = serializers.CharField(help_text="What, for a program.")
    message = serializers.CharField(help_text="What, and what to do, for a person.")
    choices = ChoiceAnswer(
        many=True, required=False, help_text="Where an invoice is in the accounts: the ways out."
    )


class ProblemsAnswer(serializers.Serializer[Any]):
    """Everything that is wrong with a call. Nothing of it was stored."""

    problems = ProblemAnswer(many=True)


class TallyAnswer(serializers.Serializer[Any]):
    """What became of the rows."""

    created = serializers.IntegerField(min_value=0)
    changed = serializers.IntegerField(min_value=0)
    unchanged = serializers.IntegerField(min_value=0)


class MovedAnswer(serializers.Serializer[Any]):
    """Abtrac's IDs of the invoices that moved, and of those that were there already."""

    changed = serializers.ListField(child=serializers.CharField())
    unchanged = serializers.ListField(child=serializers.CharField())


class VoidAnswer(serializers.Serializer[Any]):
    """The void is on its way. `/uploads` tells when the invoice's upload is voided."""

    invoice = serializers.CharField(help_text="Abtrac's invoice ID.")
    batch = serializers.IntegerField(help_text="In which it goes.")


class CommittedAnswer(MovedAnswer):
    """Likewise, and the batch in which some of them went to the accounts at once."""

    batch = serializers.IntegerField(
        allow_null=True,
        help_text="Its number, where an interface uploads on commit; null where nothing was"
        " uploaded. Invoices with which something is wrong stay on the list.",
    )


class PdfAnswer(serializers.Serializer[Any]):
    """By what the PDF that is kept can be recognised."""

    file_name = serializers.CharField()
    sha256 = serializers.CharField()
    received_at = serializers.DateTimeField()


class KeptPdfAnswer(PdfAnswer):
    """The PDF as it is kept now."""

    changed = serializers.BooleanField(help_text="False when the very same one was kept before.")


class PaymentAnswer(serializers.Serializer[Any]):
    """Money received, as the package has it."""

    package_id = serializers.CharField()
    paid_on = serializers.DateField()
    amount = money()
    reference = serializers.CharField(allow_blank=True)
    reversed = serializers.BooleanField(help_text="Deleted in the package again.")


class UploadAnswer(serializers.Serializer[Any]):
    """Where an upload stands."""

    invoice = serializers.CharField(help_text="Abtrac's invoice ID.")
    number = serializers.CharField(help_text="The invoice number.")
    batch = serializers.IntegerField()
    interface = serializers.CharField(help_text="The accounts interface, by its display name.")
    package = serializers.CharField()
    kind = serializers.ChoiceField(
        choices=[
            Upload.Kind.INVOICE.value,
            Upload.Kind.CREDIT_NOTE.value,
            Upload.Kind.VOID.value,
        ],
        help_text="A `void` takes back what an upload brought there; it has a state of its own.",
    )
    state = serializers.ChoiceField(choices=Upload.State.values)
    state_in_words = serializers.CharField()
    reason = serializers.CharField(
        allow_blank=True, help_text="What became of it, or why it waits, for a person."
    )
    next_step = serializers.CharField(allow_blank=True)
    warnings = serializers.ListField(child=serializers.CharField())
    next_try = serializers.DateTimeField(
        allow_null=True,
        help_text="When it goes on, or the package is asked whether it has it. Null where that is"
        " now, where it is over, and where it waits for a person.",
    )
    sent_at = serializers.DateTimeField(allow_null=True)
    package_id = serializers.CharField(allow_blank=True)
    package_number = serializers.CharField(allow_blank=True)
    link = serializers.CharField(allow_blank=True, help_text="Opens the document in the package.")
    paid = money()
    package_status = serializers.CharField(allow_blank=True)


class UploadsAnswer(serializers.Serializer[Any]):
    """Uploads to which something has happened, each as it is now."""

    uploads = UploadAnswer(many=True)
    next = serializers.CharField(
        allow_null=True,
        help_text="Where the next page begins: give it as `since`. Null on the last page.",
    )
    mark = serializers.CharField(
        help_text="Keep it and give it as `since` the next time. What happened in the last minute"
        " is told again then."
    )


class InvoiceAnswer(serializers.Serializer[Any]):
    """An invoice as it is stored, and what became of it."""

    abtrac_id = serializers.CharField()
    number = serializers.CharField()
    status = serializers.ChoiceField(choices=Invoice.Status.values)
    revision = serializers.IntegerField(help_text="Grows by one with each change.")
    office = serializers.CharField()
    invoice_setting = serializers.CharField()
    client = serializers.CharField()
    job = serializers.CharField(allow_blank=True)
    credits = serializers.CharField(allow_blank=True)
    issued = serializers.DateField()
    due = serializers.DateField()
    currency = serializers.CharField()
    net = money()
    tax = money()
    total = money()
    badge = serializers.CharField(
        help_text="Where it stands with the accounts, in the word that every page has for it."
    )
    parked = serializers.BooleanField()
    in_accounts = serializers.BooleanField(
        help_text="A person said that it is in the accounts already: it is not sent."
    )
    paid = money()
    package_status = serializers.CharField(allow_blank=True)
    pdf = PdfAnswer(allow_null=True)
    upload = UploadAnswer(allow_null=True)
    payments = PaymentAnswer(many=True)
