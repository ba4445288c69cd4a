"""An accounting interface, its codes, its consent, and the lane its uploads go through."""

from typing import Any

from django.db import models
from django.utils import timezone

from connectors import registry
from connectors.base.protocol import Package
from offices.models import Practice, User
from offices.tenancy import PracticeOwned


class AccountingInterface(PracticeOwned):
    """One link to one company file (Xero: organisation) in one accounting package."""

    class State(models.TextChoices):
        NOT_CONNECTED = "not_connected", "Not connected"
        CHOOSE_COMPANY_FILE = "choose_company_file", "Choose organisation"
        CONNECTED = "connected", "Connected"
        NEEDS_CONSENT = "needs_consent", "Needs reconnect"
        PAUSED = "paused", "Paused"
        DISCONNECTED = "disconnected", "Disconnected"

    package_key = models.CharField("package", max_length=40, choices=registry.choices)
    name = models.CharField("display name", max_length=100)
    state = models.CharField(max_length=20, choices=State, default=State.NOT_CONNECTED)
    state_reason = models.CharField(max_length=500, blank=True)
    state_changed_at = models.DateTimeField(default=timezone.now)
    company_file_id = models.CharField(max_length=100, blank=True)
    company_file_name = models.CharField(max_length=255, blank=True)
    connection_id = models.CharField(max_length=100, blank=True)
    country = models.CharField(max_length=2, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    currencies = models.JSONField(default=list)
    lock_date = models.DateField(null=True, blank=True)
    facts = models.JSONField(default=dict)
    preferences = models.JSONField(default=dict)
    codes_read_at = models.DateTimeField(null=True, blank=True)
    codes_error = models.CharField(max_length=500, blank=True)
    payments_mark = models.CharField(max_length=100, blank=True)
    payments_read_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    # The defaults of domain rule 10. A line's own code, and the code rules, come first.
    revenue_account = models.ForeignKey(
        "AccountCode", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    tax_free_account = models.ForeignKey(
        "AccountCode", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    disbursement_account = models.ForeignKey(
        "AccountCode", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    revenue_tax = models.ForeignKey(
        "TaxCode", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    tax_free_tax = models.ForeignKey(
        "TaxCode", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["practice", "name"], name="interface_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def package(self) -> Package:
        """What the package declares of itself."""
        return registry.package(self.package_key)

    @property
    def is_connected(self) -> bool:
        """Whether documents can go now."""
        return self.state == self.State.CONNECTED

    def preference(self, key: str) -> Any:
        """The preference of that key, or the package's default for it."""
        return self.preferences.get(key, self.package.default_settings().get(key))


class PackageCode(PracticeOwned):
    """A code as the package last listed it; `available` is the admin's choice to offer it."""

    interface = models.ForeignKey(AccountingInterface, on_delete=models.CASCADE, related_name="+")
    code = models.CharField(max_length=50)
    name = models.CharField(max_length=200)
    active = models.BooleanField(default=True)
    usable_for_sales = models.BooleanField(default=True)
    available = models.BooleanField(default=True)
    vanished_at = models.DateTimeField(null=True, blank=True)

    class Meta(PracticeOwned.Meta):
        abstract = True

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def can_be_used(self) -> bool:
        """Whether a sales line may carry the code today."""
        return self.active and self.usable_for_sales and self.vanished_at is None

    @property
    def why_not(self) -> str:
        """The reason a line may not carry the code, as the end of a sentence; empty if it may."""
        if self.vanished_at is not None:
            return "is no longer in the package's list"
        if not self.active:
            return "is archived"
        return "" if self.usable_for_sales else "cannot be used on sales lines"


class AccountCode(PackageCode):
    """An account (GL) code."""

    interface = models.ForeignKey(
        AccountingInterface, on_delete=models.CASCADE, related_name="accounts"
    )
    kind = models.CharField(max_length=50, blank=True)
    remote_id = models.CharField(max_length=100, blank=True)
    default_tax_code = models.CharField(max_length=50, blank=True)
    allowed_tax_codes = models.JSONField(null=True, blank=True)

    class Meta(PackageCode.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["interface", "code"], name="account_code_once"),
        ]


class TaxCode(PackageCode):
    """A tax code; `rate` is a percentage."""

    interface = models.ForeignKey(
        AccountingInterface, on_delete=models.CASCADE, related_name="taxes"
    )
    rate = models.DecimalField(max_digits=9, decimal_places=4)

    class Meta(PackageCode.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["interface", "code"], name="tax_code_once"),
        ]

    @property
    def percent(self) -> str:
        """The rate as people write it."""
        return f"{self.rate.normalize():f} %"


class CodeRule(PracticeOwned):
    """An account code for all lines of one task, job type, department, office and so on."""

    class Scope(models.TextChoices):
        """In the order they are asked, after the line itself and before the interface's default."""

        DISBURSEMENT_TYPE = "disbursement_type", "Disbursement type"
        TASK = "task", "Task"
        JOB_TYPE = "job_type", "Job type"
        DEPARTMENT = "department", "Department"
        OFFICE = "office", "Office"
        INVOICE_SETTING = "invoice_setting", "Invoice setting"

    interface = models.ForeignKey(
        AccountingInterface, on_delete=models.CASCADE, related_name="rules"
    )
    scope = models.CharField(max_length=20, choices=Scope)
    # The task, job type or department by name; the office or invoice setting by its Abtrac id.
    subject = models.CharField(max_length=100)
    account = models.ForeignKey(AccountCode, on_delete=models.CASCADE, related_name="+")

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["interface", "scope", "subject"], name="code_rule_once")
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} {self.subject}: {self.account.code}"


class Credential(PracticeOwned):
    """The tokens of an interface, sealed with the credential key ring.

    `version` grows by one with each renewal; `renewing_*` is the lease of the one who renews.
    """

    interface = models.OneToOneField(
        AccountingInterface, on_delete=models.CASCADE, related_name="credential"
    )
    sealed = models.TextField()
    expires_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    renewing_by = models.CharField(max_length=40, blank=True)
    renewing_until = models.DateTimeField(null=True, blank=True)
    connected_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    connected_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Credential of {self.interface_id}"


class ConsentRequest(PracticeOwned):
    """One trip to the package's sign-in page; its state serves once, in the session it began in."""

    interface = models.ForeignKey(AccountingInterface, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    state_hash = models.CharField(max_length=64, unique=True)
    sealed_verifier = models.TextField(blank=True)
    next_url = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Consent for {self.interface_id} of {self.created_at:%Y-%m-%d %H:%M}"


# The directory of work: ids and times only, no client's data, readable before any practice is
# being acted for, so that one sweeper can see what is due for everybody.


class Lane(models.Model):
    """The one writer of an interface: who holds it, until when, and when it is wanted next.

    `due` is when there is work next, None for never; `hold_until` is the package's "not before".
    The breaker opens after failures that are nobody's document's fault.
    """

    interface = models.OneToOneField(
        AccountingInterface, on_delete=models.CASCADE, related_name="lane"
    )
    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    package_key = models.CharField("package", max_length=40, db_default="")
    due = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=40, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    hold_until = models.DateTimeField(null=True, blank=True)
    hold_reason = models.CharField(max_length=300, blank=True)
    outcomes = models.CharField(max_length=20, blank=True)
    open_until = models.DateTimeField(null=True, blank=True)
    open_seconds = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["due"], name="lane_due", condition=models.Q(due__isnull=False)),
            models.Index(
                fields=["package_key", "open_until"],
                name="lane_open",
                condition=models.Q(open_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"Lane of interface {self.interface_id}"


class PackageBreaker(models.Model):
    """A package in trouble with many practices at once; no row while it is well.

    Nothing goes there before `open_until`; then one lane tries, for all of them.
    """

    package_key = models.CharField("package", max_length=40, primary_key=True)
    since = models.DateTimeField(default=timezone.now)
    open_until = models.DateTimeField()
    open_seconds = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.package_key} in trouble since {self.since:%Y-%m-%d %H:%M}"


class RateBucket(models.Model):
    """One rate limit's bucket, where no Redis keeps it. Holds no practice's data."""

    name = models.CharField(max_length=120, primary_key=True)
    # How many tokens were taken in which slot of time; see `interfaces.limits`.
    spent = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name
