"""Practices, their offices and their people."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from rest_framework_api_key.models import AbstractAPIKey

from offices.tenancy import PracticeOwned


class UserManager(BaseUserManager["User"]):
    """Makes users, who are known by their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A user with a normalised address; without a password they cannot log in."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractUser):
    """A person who logs in. Support people belong to Abtrac, not to any practice."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail", unique=True)
    is_support = models.BooleanField(default=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.get_full_name() or self.email


# First parts of the product's own addresses: a practice is found at /<slug>/.
RESERVED_SLUGS = [
    "accounts",
    "admin",
    "api",
    "healthz",
    "help",
    "oauth",
    "prices",
    "static",
    "support",
]


class Practice(models.Model):
    """The tenant: one subscribing firm."""

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=60, unique=True)
    country = models.CharField(max_length=2, choices=[("NZ", "New Zealand"), ("AU", "Australia")])
    time_zone = models.CharField(max_length=60, default="Pacific/Auckland")
    # The highest number of a batch that was removed: no number is given twice.
    last_batch = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(slug__in=RESERVED_SLUGS), name="practice_slug_not_reserved"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member may do; each includes those below it."""

    ADMIN = "admin", "Admin"
    ACCOUNTS = "accounts", "Accounts"
    VIEWER = "viewer", "Viewer"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what the other may."""
        order = list(Role)
        return order.index(self) <= order.index(other)


# The directory: how a person or a key finds its practice. It must be readable before any practice
# is being acted for, so these rows are not behind row-level security; each names its practice.


class Membership(models.Model):
    """A person's role in a practice."""

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "user"], name="one_role_per_practice"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class SupportGrant(models.Model):
    """Leave for one support person to work in one practice, until a stated time."""

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="grants")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200)
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="grant_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.practice} until {self.ends_at:%Y-%m-%d %H:%M}"


class PracticeKey(AbstractAPIKey):
    """The key Abtrac uses to reach one practice over the API; only its hash is kept."""

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="keys")

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "API key"


class Office(PracticeOwned):
    """A branch of a practice."""

    abtrac_id = models.CharField(max_length=40)
    name = models.CharField(max_length=100)
    phone = models.CharField(max_length=50, blank=True)
    email = models.EmailField(blank=True)
    postal_address = models.TextField(blank=True)
    street_address = models.TextField(blank=True)

    class Meta(PracticeOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["practice", "abtrac_id"], name="office_abtrac_id"),
        ]

    def __str__(self) -> str:
        return self.name


class AuditEntry(PracticeOwned):
    """Who did what, when and from where. Rows are never changed or removed."""

    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    as_support = models.BooleanField(default=False)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)

    class Meta(PracticeOwned.Meta):
        indexes = [models.Index(fields=["practice", "-at"], name="audit_by_time")]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}".strip()
