"""Xero: what it is, how one signs in, what it can take, and what can be set."""

from datetime import timedelta

from connectors.base.protocol import Limits, OAuth2, Package, RateLimit, Scope, Setting
from connectors.xero.connector import Xero
from connectors.xero.mapping import NUMBER_LENGTH, STATUSES, Detail, Matching, show
from connectors.xero.rules import RULES

LIMITS = Limits(
    per_call=50,
    concurrent=4,
    # Xero's own bounds: 60 a minute and 5,000 a day per organisation, 10,000 a minute per app.
    rates=(
        RateLimit(name="minute", scope=Scope.INTERFACE, calls=55, per=timedelta(minutes=1)),
        RateLimit(name="day", scope=Scope.INTERFACE, calls=4900, per=timedelta(days=1)),
        RateLimit(name="appminute", scope=Scope.PACKAGE, calls=9500, per=timedelta(minutes=1)),
    ),
    number_length=NUMBER_LENGTH,
)

SETTINGS = (
    Setting(
        key="delivery_status",
        label="Delivery status",
        kind="choice",
        default="DRAFT",
        choices=tuple(STATUSES.items()),
        help="How invoices and credit notes arrive. A credit can be set against its invoice only"
        " once both are authorised.",
        required=True,
    ),
    Setting(
        key="detail",
        label="Lines",
        kind="choice",
        default=Detail.LINES.value,
        choices=(
            (Detail.LINES.value, "All lines"),
            (Detail.SINGLE.value, "One line per invoice"),
        ),
        help="One line merges the lines of the same account and tax code, never across codes.",
        required=True,
    ),
    Setting(
        key="match_contacts_by",
        label="Match clients by",
        group="Clients",
        kind="choice",
        default=Matching.NUMBER.value,
        choices=(
            (Matching.NUMBER.value, "Client ID = contact number"),
            (Matching.NAME.value, "Client name = contact name"),
            (Matching.NAME_ON_INVOICE.value, "Name on Invoice = contact name"),
        ),
        help="Matching by a name makes a second contact when the name is spelled differently in"
        " Xero.",
        required=True,
    ),
    Setting(
        key="add_contacts",
        label="Add clients",
        group="Clients",
        kind="boolean",
        default=True,
        help="Add clients that Xero does not have yet.",
    ),
    Setting(
        key="update_contacts",
        label="Update clients",
        group="Clients",
        kind="boolean",
        default=False,
        help="Off: contacts that are there are only linked, never changed. On: the name, people,"
        " addresses, e-mail, phone and tax number kept in Abtrac are written over those in Xero"
        " with the next invoice after they change.",
    ),
    Setting(
        key="plan_limit",
        label="Sales invoices a month",
        kind="integer",
        default="",
        help="How many of one month this organisation's plan lets you approve: Xero's small plan"
        " takes 20, by invoice date. Empty: no limit. Drafts are not counted, as Xero is not known"
        " to count them.",
    ),
    Setting(
        key="jobs",
        label="Jobs",
        group="Jobs",
        kind="choice",
        default="none",
        choices=(("none", "Not sent"), ("tracking", "As a tracking category")),
        help="Xero advises at most about 100 options in a tracking category.",
        required=True,
    ),
    Setting(
        key="tracking_category",
        label="Tracking category for jobs",
        group="Jobs",
        default="Job",
        help="Its name in Xero, where jobs are sent as a tracking category.",
        required_with=("jobs", "tracking"),
    ),
)

PACKAGE = Package(
    key="xero",
    label="Xero",
    connector=Xero,
    summary="Invoices, credit notes, clients and jobs go to Xero; payments come back.",
    company_file_word="organisation",
    endpoints={
        "login": "https://login.xero.com",
        "identity": "https://identity.xero.com",
        "api": "https://api.xero.com",
    },
    oauth=OAuth2(
        authorize=("login", "/identity/connect/authorize"),
        token=("identity", "/connect/token"),
        revoke=("identity", "/connect/revocation"),
        scopes=(
            "offline_access",
            "accounting.invoices",
            "accounting.payments.read",
            "accounting.contacts",
            # Not only read: tracking options are added for jobs.
            "accounting.settings",
            "accounting.attachments",
        ),
        refresh_overlap=timedelta(minutes=30),
        # A refresh token that is not used for 60 days is over.
        lapses_after=timedelta(days=60),
    ),
    settings=SETTINGS,
    limits=LIMITS,
    standin="connectors.xero.standin:XeroStandIn",
    draft=("delivery_status", "DRAFT"),
    rules=RULES,
    gone=frozenset({"DELETED"}),
    # A retry looks the contact up anew; the others say that our own call could not be read.
    unforeseen=frozenset({"contact_missing", "bad_request", "bad_request_14", "bad_request_16"}),
    show=show,
    usual_kinds={
        "revenue_account": ("Sales", "Revenue", "Other income"),
        "disbursement_account": ("Revenue", "Other income", "Sales"),
    },
)
