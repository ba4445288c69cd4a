"""One settings file, read from the environment.

With nothing set this is the embedded shape: SQLite under var/, a Celery worker thread in the web
process and an in-memory broker. DATABASE_URL and REDIS_URL make it the server shape, in which
secrets must be given.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from abtrac_link import environment
from abtrac_link.secrets import kept_folder, kept_secret
from connectors import registry

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Shape -----------------------------------------------------------------------------------
VAR = Path(environment.text("VAR_DIR", str(BASE_DIR / "var"))).absolute()
DATABASE_URL = environment.text("DATABASE_URL")
REDIS_URL = environment.text("REDIS_URL")
EMBEDDED = not DATABASE_URL
if bool(DATABASE_URL) != bool(REDIS_URL):
    missing = "REDIS_URL" if DATABASE_URL else "DATABASE_URL"
    raise ImproperlyConfigured(
        f"{missing} is not set. The server shape needs both DATABASE_URL and REDIS_URL;"
        " set both, or neither for the embedded shape."
    )


def required_secret(name: str, make: Callable[[], str]) -> str:
    """The secret of that name from the environment; embedded, one made once and kept under var/."""
    if given := environment.text(name):
        return given
    if EMBEDDED:
        return kept_secret(VAR / name.lower().replace("_", "-"), make)
    raise ImproperlyConfigured(f"{name} is not set. The server shape needs it in the environment.")


DEBUG = environment.flag("DEBUG", default=False)
SECRET_KEY = required_secret("SECRET_KEY", get_random_secret_key)
# Newest first; the first one encrypts, all of them decrypt.
CREDENTIAL_KEYS = environment.sealing_keys(
    "CREDENTIAL_KEYS",
    required_secret("CREDENTIAL_KEYS", lambda: Fernet.generate_key().decode()),
)
SITE_URL = environment.site("SITE_URL", "http://localhost:8000")
# The machine asks itself for /healthz, whatever the outside calls it.
ALLOWED_HOSTS = [
    *environment.words("ALLOWED_HOSTS", [urlsplit(SITE_URL).hostname or "localhost"]),
    "localhost",
    "127.0.0.1",
]
HTTPS = SITE_URL.startswith("https://")

# --- Applications ----------------------------------------------------------------------------
INSTALLED_APPS = [
    "offices",
    "interfaces",
    "invoicing",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "rest_framework_api_key",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "crispy_forms",
    "crispy_bootstrap5",
    "django_tables2",
    "django_filters",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Before all that may answer by itself, so that redirects and refusals carry the headers too.
    "offices.middleware.NoStore",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "abtrac_link.urls"
WSGI_APPLICATION = "abtrac_link.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "offices.context.practice",
            ],
        },
    }
]

# --- Database --------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES: dict[str, dict[str, Any]]
if EMBEDDED:
    kept_folder(VAR)  # the secrets may be given, and then nothing else has made it
    DATABASES = {
        "default": {
            "ENGINE": "abtrac_link.sqlite",
            "NAME": VAR / "abtrac-link.sqlite3",
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                # FULL: a commit is on the disk when it answers. What is about to be sent, and that
                # somebody clicked, must not be forgotten in a power cut.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
            # A file, not memory: worker threads of the tests open connections of their own.
            "TEST": {"NAME": VAR / "test.sqlite3"},
        }
    }
else:
    DATABASES = {"default": environment.database("DATABASE_URL")}
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
    REDIS_URL = environment.redis("REDIS_URL")
# The role the product works under on PostgreSQL: no owner, so row-level security binds it.
DATABASE_APP_ROLE = environment.like(
    "DATABASE_APP_ROLE",
    "abtrac_link_app",
    pattern="[a-z_][a-z0-9_]{0,62}",
    written="a role's name of small letters, digits and underscores",
)

CACHES: dict[str, dict[str, Any]] = {
    "default": (
        {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
        if EMBEDDED
        else {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    )
}

# --- Worker ----------------------------------------------------------------------------------
CELERY_BROKER_URL = "memory://localhost" if EMBEDDED else REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Half a minute of a dead broker must not hold up a click: the row is the queue, not the message.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = (
    # How often the worker in this process looks for a bell in its memory; a second otherwise.
    {"polling_interval": 0.1}
    if EMBEDDED
    else {
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
    }
)
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# The scheduler notes each round in its file, which its health check looks at.
CELERY_BEAT_SYNC_EVERY = 1
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "invoicing.tasks.sweep", "schedule": timedelta(seconds=5)},
    "refresh-codes": {"task": "interfaces.tasks.refresh_all_codes", "schedule": timedelta(hours=1)},
    "read-contacts": {"task": "invoicing.tasks.read_all_contacts", "schedule": timedelta(hours=1)},
    "warn-of-lapsing": {
        "task": "interfaces.tasks.warn_of_lapsing",
        "schedule": timedelta(hours=6),
    },
    "read-payments": {
        "task": "invoicing.tasks.read_all_payments",
        "schedule": timedelta(minutes=30),
    },
    "mail-summaries": {
        "task": "invoicing.tasks.mail_summaries",
        "schedule": timedelta(minutes=1),
    },
    "mail-digests": {"task": "invoicing.tasks.mail_digests", "schedule": timedelta(minutes=15)},
    "watch": {"task": "invoicing.tasks.watch", "schedule": timedelta(minutes=1)},
    "watch-all": {"task": "invoicing.tasks.watch_all", "schedule": timedelta(hours=1)},
}

# --- Delivery (seconds) ----------------------------------------------------------------------
UPLOAD_LEASE_SECONDS = environment.whole("UPLOAD_LEASE_SECONDS", 60)
# A lease outlives the longest wait for an answer by this much.
UPLOAD_LEASE_MARGIN_SECONDS = environment.whole("UPLOAD_LEASE_MARGIN_SECONDS", 30, least=0)
UPLOAD_TURN_SECONDS = environment.whole("UPLOAD_TURN_SECONDS", 30)
# When an unanswered write is looked up, counted from the last look; then a person decides.
UPLOAD_LOOKUP_SECONDS = environment.waits(
    "UPLOAD_LOOKUP_SECONDS", [10, 120, 600, 3600, 21600, 86400]
)
# Waits after "surely not executed"; the last one repeats until UPLOAD_GIVE_UP_SECONDS.
UPLOAD_RETRY_SECONDS = environment.waits(
    "UPLOAD_RETRY_SECONDS", [5, 30, 120, 600, 1800, 7200, 18000]
)
UPLOAD_GIVE_UP_SECONDS = environment.whole("UPLOAD_GIVE_UP_SECONDS", 5 * 86400)
# None: as the package declares.
UPLOAD_SETTLE_SECONDS = (
    environment.seconds("UPLOAD_SETTLE_SECONDS", 0)
    if environment.text("UPLOAD_SETTLE_SECONDS")
    else None
)
# Consecutive failures that open an interface's breaker, and how long it stays open at first.
BREAKER_FAILURES = environment.whole("BREAKER_FAILURES", 5)
BREAKER_OPEN_SECONDS = environment.whole("BREAKER_OPEN_SECONDS", 60)
# So many open interfaces, and half of those in use, open the breaker of their package.
PACKAGE_BREAKER_INTERFACES = environment.whole("PACKAGE_BREAKER_INTERFACES", 5)

# --- Notices (seconds): how long something may last before people are told ------------------
NOTICE_NOT_TAKEN_SECONDS = environment.whole("NOTICE_NOT_TAKEN_SECONDS", 600)
# Beyond the end of its lease.
NOTICE_HELD_SECONDS = environment.whole("NOTICE_HELD_SECONDS", 300)
# Beyond the end of UPLOAD_LOOKUP_SECONDS.
NOTICE_CHECKING_SECONDS = environment.whole("NOTICE_CHECKING_SECONDS", 3600)
NOTICE_WAITING_SECONDS = environment.whole("NOTICE_WAITING_SECONDS", 86400)
NOTICE_CONSENT_SECONDS = environment.whole("NOTICE_CONSENT_SECONDS", 86400)
NOTICE_UNTOUCHED_SECONDS = environment.whole("NOTICE_UNTOUCHED_SECONDS", 5 * 86400)
NOTICE_PAYMENTS_SECONDS = environment.whole("NOTICE_PAYMENTS_SECONDS", 86400)
NOTICE_CODES_SECONDS = environment.whole("NOTICE_CODES_SECONDS", 2 * 86400)

# --- Packages --------------------------------------------------------------------------------
# Per package: <KEY>_CLIENT_ID, <KEY>_CLIENT_SECRET, <KEY>_SCOPES, <KEY>_<ENDPOINT>_URL and
# <KEY>_READ_TIMEOUT (seconds).
PACKAGE_APPS: dict[str, dict[str, Any]] = {
    key: {
        "client_id": environment.text(f"{key.upper()}_CLIENT_ID"),
        "client_secret": environment.text(f"{key.upper()}_CLIENT_SECRET"),
        "scopes": environment.text(
            f"{key.upper()}_SCOPES", " ".join(one.oauth.scopes) if one.oauth else ""
        ),
        "endpoints": {
            name: environment.endpoint(f"{key.upper()}_{name.upper()}_URL", url)
            for name, url in one.endpoints.items()
        },
        "read_timeout": environment.seconds(
            f"{key.upper()}_READ_TIMEOUT", one.limits.read_timeout, least=1
        ),
    }
    for key, one in registry.packages().items()
}

# --- Rehearsals ------------------------------------------------------------------------------
# Where rehearsal companies are, for browsers and for the product; empty where there are none.
# Embedded, the server of them runs in this same process.
REHEARSAL_URL = environment.switched_site(
    "REHEARSAL_URL", "http://localhost:4710" if EMBEDDED else "off"
)
# The product's own way there, where it is another one.
REHEARSAL_INTERNAL_URL = environment.site("REHEARSAL_INTERNAL_URL", REHEARSAL_URL or SITE_URL)

# --- People ----------------------------------------------------------------------------------
AUTH_USER_MODEL = "offices.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "offices.accounts.ClosedAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {
    "login_failed": environment.like(
        "LOGIN_FAILED_LIMIT",
        "10/m/ip,5/5m/key",
        pattern=r"\d+/\d*[smhd]/(ip|key|user)(,\d+/\d*[smhd]/(ip|key|user))*",
        written="tries per time and place, like 10/m/ip,5/5m/key",
    )
}
# How many proxies in front are ours: behind them all addresses look alike to throttling and record.
ALLAUTH_TRUSTED_PROXY_COUNT = environment.whole("TRUSTED_PROXY_COUNT", 0, least=0)
# Nobody signs up, so nobody can lock the owner of an address out by signing up with it.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Abtrac Link"
MFA_ADAPTER = "offices.accounts.SealedMfaAdapter"
# Admins and support must have a one-time code; off by default only in the embedded shape.
REQUIRE_TOTP = environment.flag("REQUIRE_TOTP", default=not EMBEDDED)
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
EMAIL_BACKEND = environment.text("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "link@abtrac.example")
# A mail server that hangs holds up no worker for ever.
EMAIL_TIMEOUT = 20
# The hour, in the practice's own time, from which the daily mail of what failed goes out.
DIGEST_HOUR = environment.whole("DIGEST_HOUR", 7, least=0)
if DIGEST_HOUR > 23:
    raise ImproperlyConfigured("DIGEST_HOUR must be an hour of the day, 0 to 23.")

# --- PDFs ------------------------------------------------------------------------------------
# The dotted path of a function that looks every PDF through; see `invoicing.pdfs`.
PDF_SCANNER = environment.like(
    "PDF_SCANNER",
    "",
    pattern=r"([A-Za-z_]\w*(\.[A-Za-z_]\w*)+)?",
    written="the dotted path of a function, like scanning.clamd.scan",
)

# --- API -------------------------------------------------------------------------------------
API_MAX_ROWS = 1000
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["invoicing.api.HasPracticeKey"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "invoicing.api.explain",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Abtrac Link API",
    "VERSION": "1.0.0",
    "DESCRIPTION": "What Abtrac sends (offices, clients, jobs, invoices) and what became of it.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Pages -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en-nz"
TIME_ZONE = "UTC"
USE_TZ = True
USE_THOUSAND_SEPARATOR = True
STATIC_URL = "/static/"
# Embedded, the files are served from where they are kept.
STATIC_ROOT = None if EMBEDDED else BASE_DIR / "static-collected"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if EMBEDDED
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}
WHITENOISE_USE_FINDERS = EMBEDDED
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"
DJANGO_TABLES2_TEMPLATE = "tables/table.html"

# --- Transport and headers -------------------------------------------------------------------
# A form that starts a consent is answered by a redirect to the package's own sign-in page.
CONSENT_ORIGINS = sorted(
    {
        "{0.scheme}://{0.netloc}".format(
            urlsplit(PACKAGE_APPS[key]["endpoints"][one.oauth.authorize[0]])
        )
        for key, one in registry.packages().items()
        if one.oauth
    }
    | {REHEARSAL_URL} - {""}
)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF, *CONSENT_ORIGINS],
    }
}
SECURE_SSL_REDIRECT = HTTPS and environment.flag("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked for by the machine itself, without a proxy
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [SITE_URL]

# --- Logs: one line each, key=value, never a body or a secret ----------------------------------
LOG_LEVEL = environment.like(
    "LOG_LEVEL",
    "INFO",
    pattern="DEBUG|INFO|WARNING|ERROR|CRITICAL",
    written="DEBUG, INFO, WARNING, ERROR or CRITICAL",
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "celery": {"level": "WARNING"},
        "django": {"level": LOG_LEVEL},  # its own default would say more than is asked for
        "kombu": {"level": "ERROR"},
    },
}
