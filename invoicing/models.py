"""Invoices and what belongs to them, and the uploads that carry them to the accounts."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from connectors.base.documents import LineKind, TaxBasis
from connectors.base.faults import Fault
from interfaces.models import AccountingInterface
from offices.models import Office, Practice
from offices.tenancy import PracticeOwned

# SQLite compares decimals as binary fractions, so "equal" means within less than half a cent.
SLACK = Decimal("0.004")


class InvoiceSetting(PracticeOwned):
    """Numbering, terms and tax of a set of offices; linked to one accounting interface at most."""

    abtrac_id = models.CharField(max_length=40)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=20, blank=True)
    next_number = models.PositiveIntegerField(default=1)
    terms_days = models.PositiveSmallIntegerField(default=20)
    terms_text = models.CharField(max_length=200, blank=True)
    tax_name = models.CharField(max_length=20, default="GST")
    tax_number = models.CharField(max_length=50, blank=True)
    interface = models.ForeignKey(
        AccountingInterface,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="invoice_settings",
    )

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["practice", "abtrac_id"], name="setting_abtrac_id"),
        ]

    def __str__(self) -> str:
        return self.name


class OfficeInvoicing(PracticeOwned):
    """The invoice setting an office uses."""

    office = models.OneToOneField(Office, on_delete=models.CASCADE, related_name="invoicing")
    invoice_setting = models.ForeignKey(
        InvoiceSetting, on_delete=models.PROTECT, related_name="offices"
    )

    def __str__(self) -> str:
        return f"{self.office_id} uses {self.invoice_setting_id}"


class Client(PracticeOwned):
    """The practice's customer."""

    abtrac_id = models.CharField("client ID", max_length=40)
    abbreviation = models.CharField(max_length=40, blank=True)
    name = models.CharField(max_length=255)
    contact_first_name = models.CharField(max_length=100, blank=True)
    contact_last_name = models.CharField(max_length=100, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=50, blank=True)
    tax_number = models.CharField(max_length=50, blank=True)
    # Each: attention, lines (list of text), city, region, postal_code, country.
    postal_address = models.JSONField(default=dict)
    street_address = models.JSONField(default=dict)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["practice", "abtrac_id"], name="client_abtrac_id"),
        ]
        indexes = [models.Index(fields=["practice", "name", "id"], name="client_by_name")]

    def __str__(self) -> str:
        return self.name


class Job(PracticeOwned):
    """A job (project) of one client."""

    abtrac_id = models.CharField("job ID", max_length=40)
    code = models.CharField("job code", max_length=40)
    description = models.CharField(max_length=255, blank=True)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="jobs")
    job_type = models.CharField(max_length=100, blank=True)
    department = models.CharField(max_length=100, blank=True)
    client_reference = models.CharField("client's own reference", max_length=100, blank=True)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["practice", "abtrac_id"], name="job_abtrac_id"),
        ]
        indexes = [models.Index(fields=["practice", "code", "id"], name="job_by_code")]

    def __str__(self) -> str:
        return f"{self.code} {self.description}".strip()


# What may be offered: see `invoicing.uploads.unsent`. Its list is read in the order of one of them,
# from where a page begins.
UNSENT = Q(
    status="committed", in_upload=False, parked_at__isnull=True, in_accounts_at__isnull=True
) & ~Q(total=0)
SORTED_BY = (
    *("number", "name_on_invoice", "recipient", "issued", "due", "order_number", "currency"),
    *("net", "tax", "total", "office", "client"),
)


class Invoice(PracticeOwned):
    """A sales invoice, or a credit note when its total is negative.

    Amounts are in `currency`, two decimals; `net`, `tax` and `total` are what Abtrac shows.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        APPROVED = "approved", "Approved"
        COMMITTED = "committed", "Committed"

    abtrac_id = models.CharField("invoice ID", max_length=40)
    number = models.CharField("invoice number", max_length=255)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    revision = models.PositiveIntegerField(default=1)
    office = models.ForeignKey(Office, on_delete=models.PROTECT, related_name="+")
    invoice_setting = models.ForeignKey(
        InvoiceSetting, on_delete=models.PROTECT, related_name="invoices"
    )
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="invoices")
    job = models.ForeignKey(
        Job, null=True, blank=True, on_delete=models.PROTECT, related_name="invoices"
    )
    credits = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="credited_by"
    )
    name_on_invoice = models.CharField(max_length=255)
    recipient = models.CharField(max_length=255, blank=True)
    issued = models.DateField("invoice date")
    due = models.DateField("due date")
    order_number = models.CharField(max_length=100, blank=True)
    claim_number = models.CharField("progress claim number", max_length=40, blank=True)
    tax_basis = models.CharField(
        max_length=10, choices=[(basis.value, basis.name.title()) for basis in TaxBasis]
    )
    currency = models.CharField(max_length=3)
    tax_code = models.CharField(max_length=50, blank=True)
    net = models.DecimalField("amount excl tax", max_digits=12, decimal_places=2)
    tax = models.DecimalField(max_digits=12, decimal_places=2)
    total = models.DecimalField("amount incl tax", max_digits=12, decimal_places=2)
    committed_at = models.DateTimeField(null=True, blank=True)
    parked_at = models.DateTimeField(null=True, blank=True)
    parked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    parked_reason = models.CharField(max_length=200, blank=True)
    # "Already in accounts": typed in by hand, or from before the link. Never offered, never sent.
    in_accounts_at = models.DateTimeField(null=True, blank=True)
    in_accounts_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    in_accounts_reason = models.CharField(max_length=200, blank=True, db_default="")
    # An upload of it is on its way, in the accounts, or waits for a person: it is not offered.
    in_upload = models.BooleanField(default=False, db_default=False)
    paid = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal(0))
    package_status = models.CharField(max_length=20, blank=True)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["practice", "abtrac_id"], name="invoice_abtrac_id"),
            models.CheckConstraint(
                condition=Q(total__gt=F("net") + F("tax") - SLACK)
                & Q(total__lt=F("net") + F("tax") + SLACK),
                name="invoice_total_is_net_and_tax",
            ),
            models.CheckConstraint(
                condition=~Q(status="committed") | Q(committed_at__isnull=False),
                name="committed_invoice_has_its_time",
            ),
        ]
        indexes = [
            models.Index(fields=["practice", "-issued", "-id"], name="invoice_by_date"),
            models.Index(fields=["practice", "number"], name="invoice_by_number"),
            *(
                models.Index(
                    fields=["practice", field, "id"],
                    name=f"offered_by_{field}",
                    condition=UNSENT,
                )
                for field in SORTED_BY
            ),
            # What is dated from the go-live date of an invoice setting on.
            models.Index(
                fields=["practice", "invoice_setting", "issued"],
                name="offered_by_setting",
                condition=UNSENT,
            ),
            *(
                models.Index(
                    fields=["practice", field, "id"],
                    name=f"aside_by_{field}",
                    condition=Q(**{f"{field}__isnull": False}),
                )
                for field in ("parked_at", "in_accounts_at")
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_credit_note(self) -> bool:
        """Whether the package gets a credit note."""
        return self.total < 0

    @property
    def is_write_off(self) -> bool:
        """Whether there is nothing to send: zero-value invoices are never offered."""
        return self.total == 0


class InvoiceEvent(PracticeOwned):
    """A person took the invoice off the available list, or put it back: when, who and why."""

    class Move(models.TextChoices):
        """What was done with it."""

        PARKED = "parked", "Parked"
        UNPARKED = "unparked", "Un-parked"
        IN_ACCOUNTS = "in_accounts", "Already in accounts"
        OFFERED_AGAIN = "offered_again", "Offered again"

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    move = models.CharField(max_length=13, choices=Move)
    reason = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta(PracticeOwned.Meta):
        indexes = [models.Index(fields=["invoice", "id"], name="event_of_invoice")]

    def __str__(self) -> str:
        return self.get_move_display()


class InvoiceLine(PracticeOwned):
    """One line; `net` and `tax` are its amounts whatever the tax basis of the price."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    description = models.TextField(max_length=4000)
    kind = models.CharField(
        max_length=12, choices=[(kind.value, kind.name.title()) for kind in LineKind]
    )
    quantity = models.DecimalField(max_digits=12, decimal_places=4)
    unit_price = models.DecimalField(max_digits=14, decimal_places=4)
    net = models.DecimalField(max_digits=12, decimal_places=2)
    tax = models.DecimalField(max_digits=12, decimal_places=2)
    tax_code = models.CharField(max_length=50, blank=True)
    account_code = models.CharField(max_length=50, blank=True)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    task = models.CharField(max_length=100, blank=True)
    disbursement_type = models.CharField(max_length=100, blank=True)

    class Meta(PracticeOwned.Meta):
        ordering = ["invoice_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="line_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.description[:40]}"


class InvoicePdf(PracticeOwned):
    """The invoice as the client sees it, to be attached to the document in the package."""

    invoice = models.OneToOneField(Invoice, on_delete=models.CASCADE, related_name="pdf")
    file_name = models.CharField(max_length=200)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    received_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.file_name


class ContactLink(PracticeOwned):
    """The contact that stands for a client in one company file. Made once, matched afterwards.

    `name` is the name it was matched or made by: with a match on the name on the invoice, one
    client may be several contacts.
    """

    interface = models.ForeignKey(AccountingInterface, on_delete=models.CASCADE, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="contact_links")
    name = models.CharField(max_length=255)
    remote_id = models.CharField(max_length=100)
    remote_url = models.CharField(max_length=500, blank=True)
    # Of what we last wrote there; empty where the contact was only matched.
    written = models.CharField(max_length=64, blank=True)
    linked_at = models.DateTimeField(default=timezone.now)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["interface", "client", "name"], name="contact_linked_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PackageContact(PracticeOwned):
    """A contact as the package last listed it; `folded` is its name as names are compared."""

    interface = models.ForeignKey(AccountingInterface, on_delete=models.CASCADE, related_name="+")
    remote_id = models.CharField(max_length=100)
    number = models.CharField(max_length=100, blank=True)
    name = models.CharField(max_length=255)
    folded = models.CharField(max_length=255)
    email = models.CharField(max_length=254, blank=True)
    url = models.CharField(max_length=500, blank=True)
    archived = models.BooleanField(default=False)
    # What else is known of it, by our own names: phone, tax_number, first_name, last_name, postal,
    # street.
    details = models.JSONField(default=dict, db_default={})

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["interface", "remote_id"], name="package_contact_once"),
        ]
        indexes = [
            models.Index(fields=["interface", "folded"], name="package_contact_by_name"),
            models.Index(fields=["interface", "number"], name="package_contact_by_number"),
        ]

    def __str__(self) -> str:
        return self.name


class JobLink(PracticeOwned):
    """What stands for a job in one company file."""

    interface = models.ForeignKey(AccountingInterface, on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="links")
    remote_id = models.CharField(max_length=100)
    linked_at = models.DateTimeField(default=timezone.now)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["interface", "job"], name="job_linked_once"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.remote_id}"


class PackageDocument(PracticeOwned):
    """A sales document as the package last told of it, whoever made it: its number is taken.

    `folded` is its number as numbers are compared; `status` is the package's own word.
    """

    interface = models.ForeignKey(AccountingInterface, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12)
    remote_id = models.CharField(max_length=100)
    number = models.CharField(max_length=255)
    folded = models.CharField(max_length=255)
    contact_id = models.CharField(max_length=100, blank=True)
    contact_name = models.CharField(max_length=255, blank=True)
    issued = models.DateField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    total = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    status = models.CharField(max_length=20, blank=True)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["interface", "kind", "remote_id"], name="package_document_once"
            ),
        ]
        indexes = [
            models.Index(fields=["interface", "kind", "folded"], name="package_document_by_number"),
        ]

    def __str__(self) -> str:
        return self.number


class Batch(PracticeOwned):
    """A numbered set of invoices chosen together for upload: one run."""

    class Origin(models.TextChoices):
        """What began it; of what goes on its own, its kind."""

        CLICK = "", "Upload to accounts"
        COMMIT = "commit", "On commit"
        VOID = "void", "Void"
        CLIENTS = "contact", "Clients"
        JOBS = "job", "Jobs"

    number = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    origin = models.CharField(
        max_length=10, choices=Origin, default=Origin.CLICK, db_default="", blank=True
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    # What is retried later opens it again; how long it took is told by this.
    first_finished_at = models.DateTimeField(null=True, blank=True)
    summary_shown_at = models.DateTimeField(null=True, blank=True)
    # When the summary went to the person who clicked, or was found to go to nobody.
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["practice", "number"], name="batch_number_once"),
        ]
        indexes = [
            models.Index(fields=["practice", "-id"], name="batch_newest_first"),
            models.Index(fields=["practice", "created_at", "id"], name="batch_by_day"),
            models.Index(
                fields=["finished_at"],
                name="batch_to_be_mailed",
                condition=Q(finished_at__isnull=False, mailed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"Batch {self.number}"

    @property
    def is_of_invoices(self) -> bool:
        """Whether it was made to send invoices and credit notes: not for something else alone."""
        return self.origin in (self.Origin.CLICK, self.Origin.COMMIT)

    @property
    def took(self) -> timedelta | None:
        """From the click to the first moment at which nothing of it was on its way any more."""
        return self.first_finished_at - self.created_at if self.first_finished_at else None


class Upload(PracticeOwned):
    """One document on its way to one accounting interface. The row is the queue.

    The states and who moves between them are in `invoicing.uploads.states`.
    """

    class Kind(models.TextChoices):
        """In the order they must arrive."""

        CONTACT = "contact", "Contact"
        JOB = "job", "Job"
        INVOICE = "invoice", "Invoice"
        CREDIT_NOTE = "credit_note", "Credit note"
        ALLOCATION = "allocation", "Credit allocation"
        PDF = "pdf", "PDF"
        # Takes back what an earlier upload brought there.
        VOID = "void", "Void"

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        CLAIMED = "claimed", "Preparing"
        SENDING = "sending", "Sending"
        UNKNOWN = "unknown", "Checking"
        SENT = "sent", "Sent"
        REFUSED = "refused", "Refused"
        NEEDS_PERSON = "needs_person", "Needs a person"
        PARKED = "parked", "Parked"
        CANCELLED = "cancelled", "Cancelled"
        VOIDED = "voided", "Voided"

    interface = models.ForeignKey(
        AccountingInterface, on_delete=models.PROTECT, related_name="uploads"
    )
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="uploads")
    kind = models.CharField(max_length=12, choices=Kind)
    invoice = models.ForeignKey(
        Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="uploads"
    )
    client = models.ForeignKey(
        Client, null=True, blank=True, on_delete=models.PROTECT, related_name="uploads"
    )
    job = models.ForeignKey(
        Job, null=True, blank=True, on_delete=models.PROTECT, related_name="uploads"
    )
    # A contact is one per client and name; empty for everything else.
    contact_name = models.CharField(max_length=255, blank=True)

    state = models.CharField(max_length=12, choices=State, default=State.QUEUED)
    due = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=40, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)

    # What is sent, frozen when it was queued; a correction makes a new revision.
    document = models.JSONField(default=dict)
    revision = models.PositiveIntegerField(default=1)
    generation = models.PositiveIntegerField(default=1)
    tries = models.PositiveIntegerField(default=0)
    lookups = models.PositiveIntegerField(default=0)
    # How often it was sent anew, after a write without an answer proved not to have arrived.
    repeats = models.PositiveIntegerField(default=0, db_default=0)
    waiting_since = models.DateTimeField(null=True, blank=True)
    unknown_since = models.DateTimeField(null=True, blank=True)
    # When the package was last asked and did not have it; since the settle time that is a proof.
    not_there_at = models.DateTimeField(null=True, blank=True)
    # A call with several documents was refused as a whole: each goes by itself, to tell which.
    alone = models.BooleanField(default=False)
    # A person said that it was there already: nothing was sent, and they may take it back.
    linked = models.BooleanField(default=False)
    # Some `Blocked` names it that is not cleared.
    has_causes = models.BooleanField(default=False, db_default=False)

    # What became of it, in words for an accounts person.
    reason = models.TextField(blank=True)
    next_step = models.TextField(blank=True)
    field = models.CharField(max_length=40, blank=True)
    code = models.CharField(max_length=60, blank=True)
    package_words = models.TextField(blank=True)
    warnings = models.JSONField(default=list)
    remote_id = models.CharField(max_length=100, blank=True)
    remote_number = models.CharField(max_length=255, blank=True)
    remote_url = models.CharField(max_length=500, blank=True)
    remote_total = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    # What more is known of a document that stands in its place: contact_name, issued, currency,
    # status; of one that was taken back, its status there.
    there = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)

    # Known of a row in hand only, by whoever moves it: every reason why it failed, and the contact
    # or job whose failing holds it up.
    faults: Sequence[Fault] = ()
    waits_for: "Upload | None" = None

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(kind="contact", client__isnull=False, invoice__isnull=True, job__isnull=True)
                    | Q(kind="job", job__isnull=False, invoice__isnull=True, client__isnull=True)
                    | Q(
                        kind__in=["invoice", "credit_note", "allocation", "pdf", "void"],
                        invoice__isnull=False,
                        client__isnull=True,
                        job__isnull=True,
                    )
                ),
                name="upload_names_its_document",
            ),
            models.CheckConstraint(
                condition=~Q(state="sent") | ~Q(remote_id=""), name="sent_has_its_remote_id"
            ),
            # One live upload of a document: refused, cancelled and parked ones are over.
            models.UniqueConstraint(
                fields=["invoice", "kind"],
                condition=Q(invoice__isnull=False)
                & Q(state__in=["queued", "claimed", "sending", "unknown", "sent", "needs_person"]),
                name="one_live_upload_per_invoice",
            ),
            models.UniqueConstraint(
                fields=["interface", "client", "contact_name"],
                condition=Q(client__isnull=False)
                & Q(state__in=["queued", "claimed", "sending", "unknown", "needs_person"]),
                name="one_live_upload_per_contact",
            ),
            models.UniqueConstraint(
                fields=["interface", "job"],
                condition=Q(job__isnull=False)
                & Q(state__in=["queued", "claimed", "sending", "unknown", "needs_person"]),
                name="one_live_upload_per_job",
            ),
            # Two invoices never share one document there.
            models.UniqueConstraint(
                fields=["interface", "kind", "remote_id"],
                condition=Q(state="sent", kind__in=["invoice", "credit_note"]),
                name="one_invoice_per_remote_document",
            ),
        ]
        indexes = [
            models.Index(
                fields=["interface", "due", "id"],
                name="upload_queued",
                condition=Q(state="queued"),
            ),
            models.Index(
                fields=["interface", "state", "due"],
                name="upload_in_flight",
                condition=Q(state__in=["claimed", "sending", "unknown"]),
            ),
            models.Index(
                fields=["interface", "created_at"],
                name="upload_failed",
                condition=Q(state__in=["refused", "needs_person"]),
            ),
            models.Index(fields=["batch", "kind", "id"], name="upload_of_batch"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} upload {self.pk}: {self.get_state_display()}"


class Cause(PracticeOwned):
    """What keeps uploads from going, whatever batch they are in: one rule about one object.

    `code` is the rule's, as refusals are coded; `subject` what is to be mended: an account code, a
    tax code, a client. It is open until nothing waits for it any more.
    """

    interface = models.ForeignKey(AccountingInterface, on_delete=models.CASCADE, related_name="+")
    code = models.CharField(max_length=60, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    field = models.CharField(max_length=40, blank=True)
    message = models.TextField()
    next_step = models.TextField(blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["interface", "code", "subject"],
                condition=Q(closed_at__isnull=True),
                name="one_open_cause",
            ),
        ]
        indexes = [
            models.Index(
                fields=["practice", "opened_at", "id"],
                name="cause_open",
                condition=Q(closed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.message


class Blocked(PracticeOwned):
    """One upload held up by one cause, until it is sent, set aside or refused for others only."""

    cause = models.ForeignKey(Cause, on_delete=models.CASCADE, related_name="blocked")
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="blocked_by")
    # The first line it is about; 0 for the whole document.
    line = models.PositiveIntegerField(default=0)
    message = models.TextField(blank=True)
    since = models.DateTimeField(default=timezone.now)
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["cause", "upload"], name="blocked_once"),
        ]
        indexes = [
            models.Index(
                fields=["upload"], name="blocked_upload", condition=Q(cleared_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"Upload {self.upload_id} by cause {self.cause_id}"


class Exchange(PracticeOwned):
    """One write on the wire: what left, exactly, and what came back. No header, so no secret."""

    interface = models.ForeignKey(AccountingInterface, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)
    method = models.CharField(max_length=6)
    path = models.CharField(max_length=500)
    call_key = models.CharField(max_length=64)
    body = models.BinaryField()
    answered_at = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(default=0)
    answer = models.BinaryField(default=b"")
    failure = models.CharField(max_length=300, blank=True)

    class Meta(PracticeOwned.Meta):
        indexes = [models.Index(fields=["interface", "-id"], name="exchange_newest_first")]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status or 'no answer'}"


class Attempt(PracticeOwned):
    """One upload's part in one exchange."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="attempts")
    exchange = models.ForeignKey(Exchange, on_delete=models.CASCADE, related_name="attempts")
    revision = models.PositiveIntegerField()
    generation = models.PositiveIntegerField()

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["upload", "exchange"], name="attempt_once"),
        ]

    def __str__(self) -> str:
        return f"Upload {self.upload_id} in exchange {self.exchange_id}"


class UploadEvent(PracticeOwned):
    """One move between states: when, by whom, why. Written in the move's own transaction."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    before = models.CharField(max_length=12, blank=True)
    after = models.CharField(max_length=12)
    reason = models.CharField(max_length=500, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta(PracticeOwned.Meta):
        indexes = [models.Index(fields=["upload", "id"], name="event_of_upload")]

    def __str__(self) -> str:
        return f"{self.before or 'new'} to {self.after}"


class PaymentReceived(PracticeOwned):
    """Money received against an uploaded invoice, as read back from the package."""

    interface = models.ForeignKey(AccountingInterface, on_delete=models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    remote_id = models.CharField(max_length=100)
    paid_on = models.DateField()
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    reference = models.CharField(max_length=255, blank=True)
    reversed = models.BooleanField(default=False)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["interface", "remote_id"], name="payment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} on {self.paid_on}"


class DryRun(PracticeOwned):
    """What would be sent, or written to a file, tried before go-live, and what came of it."""

    class Outcome(models.TextChoices):
        """As the practice tells it."""

        OPEN = "", "Not told yet"
        GOOD = "good", "It worked"
        BAD = "bad", "It did not work"

    interface = models.ForeignKey(
        AccountingInterface, on_delete=models.CASCADE, related_name="dry_runs"
    )
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    # One of each: the document as it was frozen, what it shows, and what is wrong with it.
    documents = models.JSONField(default=list)
    file_name = models.CharField(max_length=200, blank=True)
    content = models.BinaryField(default=b"")
    outcome = models.CharField(max_length=4, choices=Outcome, default=Outcome.OPEN, blank=True)
    outcome_note = models.CharField(max_length=500, blank=True)
    outcome_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    outcome_at = models.DateTimeField(null=True, blank=True)

    class Meta(PracticeOwned.Meta):
        indexes = [models.Index(fields=["interface", "-id"], name="dry_run_newest_first")]

    def __str__(self) -> str:
        return f"Dry run of {self.made_at:%Y-%m-%d %H:%M}"


class ListLayout(PracticeOwned):
    """The columns of one list as one person wants them: `[{"name": ..., "width": ...}]`, in order.

    A width is a number of pixels, or None for as wide as it needs.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    list_key = models.CharField(max_length=30)
    columns = models.JSONField(default=list)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["practice", "user", "list_key"], name="one_layout_of_a_list"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.list_key} of {self.user_id}"


class DigestReader(PracticeOwned):
    """Somebody who gets a daily mail of what failed at an interface; none where nothing did."""

    interface = models.ForeignKey(AccountingInterface, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    sent_on = models.DateField(null=True, blank=True)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["interface", "user"], name="digest_reader_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} reads of {self.interface_id}"


class ApiReplay(PracticeOwned):
    """The answer to an API call that carried an Idempotency-Key, kept for 24 hours."""

    key = models.CharField(max_length=128)
    request_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    status = models.PositiveSmallIntegerField(default=0)  # 0 while in flight
    answer = models.JSONField(null=True)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["practice", "key"], name="replay_key_once"),
        ]

    def __str__(self) -> str:
        return self.key


# The directory of what is late: ids, kinds and times only, no client's data, readable before any
# practice is being acted for, so that support sees it over all practices.


class Notice(models.Model):
    """Something at an interface that has lasted longer than its limit, from raising to clearing.

    What is late, and when, is in `invoicing.lateness`; `invoicing.notices` raises and clears.
    """

    class Kind(models.TextChoices):
        """The most urgent first: what is ours to mend, then the package's, then the practice's."""

        NOT_TAKEN = "not_taken", "Due and not taken"
        HELD = "held", "Sending without an end"
        CHECKING = "checking", "Outcome not found out"
        GIVEN_UP = "given_up", "Given up"
        WAITING = "waiting", "Waiting for the package"
        NO_CONSENT = "no_consent", "Waiting for a sign-in"
        UNTOUCHED = "untouched", "Failed and left"
        PAYMENTS = "payments", "Payments not read"
        CODES = "codes", "Codes not read"

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    interface = models.ForeignKey(AccountingInterface, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind)
    since = models.DateTimeField()
    # None of them for codes and payments, and no oldest one.
    uploads = models.PositiveIntegerField(default=0)
    oldest_upload = models.PositiveBigIntegerField(null=True, blank=True)
    oldest_batch = models.PositiveIntegerField(null=True, blank=True)
    last_contact = models.DateTimeField(null=True, blank=True)
    raised_at = models.DateTimeField(default=timezone.now)
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["interface", "kind"],
                condition=Q(cleared_at__isnull=True),
                name="one_open_notice_of_a_kind",
            ),
        ]
        indexes = [
            models.Index(
                fields=["since"], name="notice_open", condition=Q(cleared_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at interface {self.interface_id}"
