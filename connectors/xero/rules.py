"""What Xero refuses, or takes otherwise than it is in Abtrac, as far as it can be known before.

Account and tax codes are asked of the code book, as for every package.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from connectors.base.documents import SalesInvoice
from connectors.base.faults import Fault, Weight
from connectors.base.known import Known
from connectors.base.rules import (
    CORRECT_CLIENT,
    AsConnector,
    Characters,
    ContactNew,
    ContactUsable,
    CurrencyEnabled,
    LineAmount,
    LockDate,
    Notes,
    NotWhere,
    NumberTaken,
    OfNewContact,
    PlanLimit,
    ReadLately,
    Required,
    Rounding,
    Rule,
    TextLength,
)
from connectors.xero.mapping import NAME_LENGTH, OPTION_LENGTH, refusals, show
from connectors.xero.refusals import PLAN_LIMIT

APPROVED = ("delivery_status", "AUTHORISED")
TRACKED = ("jobs", "tracking")
LARGEST_LINE = Decimal("9999999999.99")
# From so many options on Xero advises against a tracking category.
MANY_OPTIONS = 100
# Plain letters only: Xero takes no umlauts in an address.
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
LETTERS = re.compile(r"[A-Za-z ]*")


@dataclass(frozen=True, kw_only=True)
class TrackingCategory:
    """Jobs are options of a category that there must be, and that should not have too many."""

    weight: Weight = Weight.REFUSED

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """That it is not there, or as good as full; nothing where that was not read."""
        tracked = known.settings.get(TRACKED[0]) == TRACKED[1]
        options = known.facts.get("tracking_options")
        if not tracked or options is None or not any(one.job_code for one in document.lines):
            return
        name = str(known.settings.get("tracking_category") or "").strip()
        if known.facts.get("tracking_category", "").casefold() != name.casefold():
            return  # it was read for another one
        if not options:
            yield Fault(
                field="job",
                code="no_category",
                subject=name,
                message=f"{known.label} has no tracking category “{name}” in use.",
                next_step="Add it in Xero, or name another one in the preferences of the interface,"
                " then read the codes again and retry.",
            )
        elif int(options) >= MANY_OPTIONS:
            yield Fault(
                field="job",
                code="many_options",
                subject=name,
                message=f"Tracking category “{name}” has {options} options; {known.label} advises"
                f" at most {MANY_OPTIONS}, and may take no more.",
                weight=Weight.REMARK,
            )


def _of_client(text: str, word: str, most: int, *, field: str = "contact") -> Rule:
    return TextLength(
        text=f"contact.{text}",
        word=word,
        most=most,
        field=field,
        code=field,
        next_step=CORRECT_CLIENT,
    )


def _in_letters(which: str) -> Rule:
    return Characters(
        text=f"contact.{which}.country",
        word="country",
        only=LETTERS.fullmatch,
        told="letters and spaces only",
        field="contact",
        code="contact",
        next_step=CORRECT_CLIENT,
    )


OF_CLIENTS: tuple[Rule, ...] = (
    Required(
        text="contact.name",
        word="name of the client",
        field="contact",
        code="contact",
        next_step=CORRECT_CLIENT,
    ),
    Characters(
        text="contact.name",
        word="name",
        refused="<>",
        trimmed=True,
        field="contact",
        code="contact",
        next_step=CORRECT_CLIENT,
    ),
    _of_client("name", "name", NAME_LENGTH),
    _of_client("number", "client ID", 50),
    _of_client("email", "e-mail address", 255, field="email"),
    _of_client("phone", "phone number", 50),
    _of_client("tax_number", "tax number", 50),
    _of_client("postal.postal_code", "postal code", 50),
    _of_client("street.postal_code", "postal code", 50),
    _of_client("postal.country", "country", 50),
    _of_client("street.country", "country", 50),
    _in_letters("postal"),
    _in_letters("street"),
    Characters(
        text="contact.email",
        word="e-mail address",
        only=EMAIL.fullmatch,
        told="name@firm.nz, in plain letters",
        field="email",
        code="email",
        next_step="Correct the address in Abtrac, then retry.",
    ),
)
RULES: tuple[Rule, ...] = (
    AsConnector(refusals=refusals),
    CurrencyEnabled(),
    LockDate(),
    NumberTaken(never_again=frozenset({"VOIDED"})),
    LineAmount(most=LARGEST_LINE),
    PlanLimit(
        setting=PLAN_LIMIT, when=APPROVED, counted=frozenset({"AUTHORISED", "PAID", "VOIDED"})
    ),
    # What the organisation and whoever signed in may do at all.
    NotWhere(
        fact=("edition", "PARTNER"),
        field="",
        code="no_invoicing",
        message="This Xero organisation is of an edition for accountants that has no invoices.",
        next_step="Change its plan in Xero, then read the codes again and retry.",
    ),
    NotWhere(
        fact=("may_approve", "no"),
        when=APPROVED,
        field="delivery_status",
        code="not_allowed",
        message="Whoever connected Xero may not approve invoices there.",
        next_step="Connect again as somebody who may, or choose another delivery status in the"
        " preferences of the interface. Then retry.",
    ),
    # Clients, and what is sent of those that would be added.
    ContactUsable(created=("add_contacts", True)),
    OfNewContact(rules=OF_CLIENTS),
    # Jobs.
    TrackingCategory(),
    TextLength(
        text="line.job_code",
        word="job code",
        most=OPTION_LENGTH,
        field="job",
        code="job_code",
        next_step="Correct the job in Abtrac, then retry.",
        when=TRACKED,
    ),
    # What is worth knowing though it goes.
    ContactNew(),
    Notes(show=show),
    Rounding(show=show),
    ReadLately(),
)
