"""An accounting interface, its codes, its consent, and the lane its uploads go through."""

from typing import Any

from django.db import models
from django.utils import timezone

from connectors import registry
from connectors.base.protocol import Package, Setting
from interfaces.common_settings import common_settings
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
    contacts_read_at = models.DateTimeField(null=True, blank=True)
    contacts_error = models.CharField(max_length=500, blank=True, db_default="")
    created_at = models.DateTimeField(default=timezone.now)

    # How far the set-up has come, by the key of the step; invoices can be sent from `live_since`.
    setup_step = models.CharField(max_length=20, blank=True, db_default="")
    live_since = models.DateTimeField(null=True, blank=True)
    # The first invoice date that is offered: "go-live date". None: every date.
    offered_from = models.DateField(null=True, blank=True)
    # Of a rehearsal company: the unguessable name of its books at the rehearsal server.
    rehearsal_token = models.CharField(max_length=64, blank=True, db_default="")

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

    @property
    def is_live(self) -> bool:
        """Whether the set-up is finished, so that invoices are offered through it."""
        return self.live_since is not None

    @property
    def ready_when(self) -> str:
        """What it waits for, as the end of a sentence, while documents cannot go."""
        return "is resumed" if self.state == self.State.PAUSED else "is connected"

    @property
    def is_rehearsal(self) -> bool:
        """Whether it belongs to a rehearsal company: nothing real, and nothing to pay."""
        return bool(self.rehearsal_token)

    @property
    def is_rehearsal_over(self) -> bool:
        """Whether its books are gone: they are kept nowhere, so a new sign-in helps nothing."""
        return self.is_rehearsal and self.state == self.State.NEEDS_CONSENT

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What can be preferred: the package's own settings, then those common to all packages."""
        return (*self.package.settings, *common_settings(self.package))

    def preference(self, key: str) -> Any:
        """The preference of that key, or the default for it."""
        if key in self.preferences:
            return self.preferences[key]
        return next((one.default for one in self.settings if one.key == key), None)


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


class CodeMapping(PracticeOwned):
    """Which of the package's codes stands for a code as Abtrac's invoices write it."""

    interface = models.ForeignKey(AccountingInterface, on_delete=models.CASCADE, related_name="+")
    code = models.CharField(max_length=50)

    class Meta(PracticeOwned.Meta):
        abstract = True


class AccountMapping(CodeMapping):
    """An account code of Abtrac's and the package's account for it."""

    account = models.ForeignKey(AccountCode, on_delete=models.CASCADE, related_name="+")

    class Meta(CodeMapping.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["interface", "code"], name="account_mapped_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.account.code}"


class TaxMapping(CodeMapping):
    """A tax code of Abtrac's and the package's tax code for it."""

    tax = models.ForeignKey(TaxCode, on_delete=models.CASCADE, related_name="+")

    class Meta(CodeMapping.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["interface", "code"], name="tax_mapped_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.tax.code}"


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
    # What the person agreed to, as the package told; empty where it did not.
    scopes = models.CharField(max_length=1000, blank=True, db_default="")
    # When the sign-in ends unless it is used before; None where the package names no end.
    lapses_at = models.DateTimeField(null=True, blank=True)
    # The nearest warning given, in days before that; None for none.
    warned_days = models.PositiveSmallIntegerField(null=True, blank=True)

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


# The directory of what is charged and of what support is asked for: packages, days, amounts and
# people of ours, no client's data, readable over all practices.


class PriceBook(models.Model):
    """All prices from a day on, per month and without GST. Added to, never changed.

    Of two books for the same day the later entry counts. `tiers` are `[up to, each]`: what each
    employee costs up to that many, lowest first. `packages` says of a package, by key, under which
    type it is charged (`charged_as`) and its own set-up fee (`set_up_fee`), where they differ.
    """

    from_day = models.DateField()
    base = models.DecimalField(max_digits=9, decimal_places=2)
    tiers = models.JSONField()
    debtor_module = models.DecimalField(max_digits=9, decimal_places=2)
    link = models.DecimalField(max_digits=9, decimal_places=2)
    # None: quoted before any work.
    set_up_fee = models.DecimalField(max_digits=9, decimal_places=2, null=True, blank=True)
    packages = models.JSONField(default=dict)
    note = models.CharField(max_length=200, blank=True)
    entered_at = models.DateTimeField(default=timezone.now)
    entered_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    address = models.GenericIPAddressField(null=True)

    class Meta:
        indexes = [models.Index(fields=["from_day", "id"], name="price_book_by_day")]

    def __str__(self) -> str:
        return f"Prices from {self.from_day:%Y-%m-%d}"


class LivePeriod(models.Model):
    """The days on which an interface was in use, from go-live or resuming to its end, both counted.

    `interface_id` is kept when the interface is gone: what was charged stays explained.
    """

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    interface = models.ForeignKey(
        AccountingInterface, null=True, on_delete=models.SET_NULL, related_name="live_periods"
    )
    package_key = models.CharField("package", max_length=40)
    began_on = models.DateField()
    ended_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["interface"],
                condition=models.Q(ended_on__isnull=True),
                name="one_open_live_period",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_on__isnull=True)
                | models.Q(ended_on__gte=models.F("began_on")),
                name="live_period_ends_after_start",
            ),
        ]
        indexes = [models.Index(fields=["practice", "began_on"], name="live_period_of_practice")]

    def __str__(self) -> str:
        return f"{self.package_key} from {self.began_on:%Y-%m-%d}"


class SetUpFee(models.Model):
    """A fee for a set-up done by Abtrac's support, as the customer accepted it; without GST."""

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    interface = models.ForeignKey(
        AccountingInterface, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    package_key = models.CharField("package", max_length=40)
    amount = models.DecimalField(max_digits=9, decimal_places=2)
    charged_on = models.DateField()
    accepted_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["interface"], name="set_up_fee_once"),
        ]
        indexes = [models.Index(fields=["practice", "charged_on"], name="set_up_fee_of_practice")]

    def __str__(self) -> str:
        return f"{self.package_key} {self.amount}"


class SetUpRequest(models.Model):
    """A practice's wish that Abtrac's support sets an interface up. What it says is in `SetUp`."""

    class State(models.TextChoices):
        """In the order of the way there."""

        ASKED = "asked", "Asked for"
        WORKING = "working", "Our team is setting it up"
        HANDED_OVER = "handed_over", "Ready for you to confirm"
        CONFIRMED = "confirmed", "Confirmed"
        WITHDRAWN = "withdrawn", "Withdrawn"

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    interface = models.OneToOneField(
        AccountingInterface, on_delete=models.CASCADE, related_name="set_up_request"
    )
    package_key = models.CharField("package", max_length=40)
    state = models.CharField(max_length=12, choices=State, default=State.ASKED)
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    # Leave for whoever of support takes it on to work in the practice, until then.
    access_until = models.DateTimeField()
    # What the customer still has to give, as words for the queue: names of questions and lists.
    missing = models.JSONField(default=list)
    taken_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    taken_at = models.DateTimeField(null=True, blank=True)
    # What the set-up costs, quoted before the work; without GST.
    quoted_fee = models.DecimalField(max_digits=9, decimal_places=2, null=True, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["state", "asked_at"], name="set_up_request_queue")]

    def __str__(self) -> str:
        return f"{self.package_key} for {self.practice}: {self.get_state_display()}"


class SetUpAnswers(PracticeOwned):
    """What the practice answered to the questions before a set-up, by question."""

    interface = models.OneToOneField(
        AccountingInterface, on_delete=models.CASCADE, related_name="set_up_answers"
    )
    answers = models.JSONField(default=dict)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Answers for interface {self.interface_id}"
