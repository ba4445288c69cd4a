"""What a package refuses, as rules that are asked of what is known of a company file already.

Nothing here opens a connection. A package lists its rules in `Package.rules`; each is data: which
text, which length, which characters, which setting. What a rule finds carries the code that the
package's own refusal for the same reason has. Whether account and tax codes can be used is no rule
of a package: the code book asks that for all of them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any, Protocol

from connectors.base.documents import CreditNote, SalesInvoice, TaxBasis
from connectors.base.errors import Rejected
from connectors.base.faults import Fault, Weight, faults_of
from connectors.base.known import Known, KnownContact, NumberThere
from connectors.base.shown import Show

CORRECT_CLIENT = "Correct the client in Abtrac, then retry."
CORRECT_INVOICE = "Un-commit the invoice in Abtrac, correct it and commit it again. Then retry."

NO_FACTS: Mapping[str, str] = {}
# Only while that setting, or that fact of the company file, has that value.
When = tuple[str, Any] | None


def _holds(when: When, settings: Mapping[str, Any], facts: Mapping[str, str] = NO_FACTS) -> bool:
    return when is None or settings.get(when[0], facts.get(when[0])) == when[1]


class Rule(Protocol):
    """One reason for which the package refuses documents, or takes them otherwise than meant."""

    @property
    def weight(self) -> Weight:
        """The most that it finds: what only remarks is not asked where nobody reads remarks."""

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """All that the rule finds wrong with the document."""


class _Refuses:
    """Of a rule that finds refusals."""

    @property
    def weight(self) -> Weight:
        """The most that it finds."""
        return Weight.REFUSED


class _Remarks:
    """Of a rule that only remarks."""

    @property
    def weight(self) -> Weight:
        """The most that it finds."""
        return Weight.REMARK


# --- Texts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _OfText(_Refuses):
    """A rule about one text of the document, of its contact or of each of its lines.

    `text` says which: `number`, `contact.email`, `line.job_code`; `word` is what people call it.
    """

    text: str
    word: str
    field: str
    code: str
    next_step: str = CORRECT_INVOICE
    when: When = None

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """One for each such text that is wrong."""
        if not _holds(self.when, known.settings, known.facts):
            return
        for line, whose, value in _texts(self.text, document):
            if wrong := self.wrong(value, known):
                of = f" of {whose}" if whose and whose != value else ""
                yield Fault(
                    field=self.field,
                    code=self.code,
                    subject=whose or (document.number if self.field == "number" else ""),
                    line=line,
                    message=f"The {self.word}{of} {wrong}.",
                    next_step=self.next_step,
                )

    def wrong(self, value: Any, known: Known) -> str:
        """What is wrong with the text, as the end of a sentence about it; or nothing."""
        raise NotImplementedError


def _texts(path: str, document: SalesInvoice) -> Iterable[tuple[int, str, Any]]:
    """(line, whose, value) of each such text."""
    owner, _, rest = path.partition(".")
    if owner == "line":
        return [(at, "", getattr(one, rest)) for at, one in enumerate(document.lines, start=1)]
    whose = document.contact.name if owner == "contact" else ""
    return [(0, whose, attrgetter(path)(document))]


@dataclass(frozen=True, kw_only=True)
class TextLength(_OfText):
    """At most so many characters; where `most` is 0 as many as the package takes in a number."""

    most: int = 0

    def wrong(self, value: Any, known: Known) -> str:
        """That it is too long."""
        most = self.most or known.number_length
        if len(value) <= most:
            return ""
        return f"“{_short(value)}” has {len(value)} characters; {known.label} takes {most}"


@dataclass(frozen=True, kw_only=True)
class Characters(_OfText):
    """None of the `refused` characters; with `trimmed` no spaces around it or several together.

    `only` says, as a function, whether an odd text is right as a whole, and `told` how it must be.
    """

    refused: str = ""
    trimmed: bool = False
    only: Callable[[str], Any] | None = None
    told: str = ""

    def wrong(self, value: Any, known: Known) -> str:
        """Which characters are not taken."""
        found = [one for one in self.refused if one in value]
        if found:
            return f"“{_short(value)}” has {' and '.join(found)}, which {known.label} does not take"
        if self.trimmed and value != " ".join(value.split()):
            return (
                f"“{_short(value)}” has spaces around it or several together, which"
                f" {known.label} does not take"
            )
        if self.only and value and not self.only(value):
            return f"“{_short(value)}” is not as {known.label} takes it: {self.told}"
        return ""


@dataclass(frozen=True, kw_only=True)
class Required(_OfText):
    """It must not be empty: a job on every line, a postal address."""

    def wrong(self, value: Any, known: Known) -> str:
        """That it is missing."""
        empty = not value.strip() if isinstance(value, str) else not value
        return f"is missing; {known.label} wants one" if empty else ""


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


# --- What the company file takes -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CurrencyEnabled(_Refuses):
    """The currency is one that the company file uses."""

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """That it is none."""
        currency = document.currency
        if known.currencies and currency not in known.currencies:
            yield Fault(
                field="currency",
                code="currency_not_enabled",
                subject=currency,
                message=f"{known.company_file} in {known.label} has no currency {currency}.",
                next_step=f"Enable {currency} in {known.label}, then read the codes again under"
                " Accounting >> Interface Settings, or correct the currency in Abtrac. Then retry.",
            )


@dataclass(frozen=True, kw_only=True)
class LockDate(_Refuses):
    """The books are locked up to a day, that day included."""

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """That the document is dated on or before it."""
        if known.lock_date is None or document.issued > known.lock_date:
            return
        yield Fault(
            field="issued",
            code="period_locked",
            message=f"Invoice date {day(document.issued)} is on or before the {known.label} lock"
            f" date {day(known.lock_date)}.",
            next_step="Ask your accountant to move the lock date, then retry. Or un-commit the"
            " invoice in Abtrac, change its date and commit it again, then retry. Or park it.",
        )


@dataclass(frozen=True, kw_only=True)
class NotWhere(_Refuses):
    """Nothing is taken by a company file of which the package told that fact."""

    fact: tuple[str, str]
    code: str
    field: str
    message: str
    next_step: str
    when: When = None

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """That it is so."""
        if _holds(self.when, known.settings) and known.facts.get(self.fact[0]) == self.fact[1]:
            yield Fault(
                field=self.field,
                code=self.code,
                message=self.message,
                next_step=self.next_step,
            )


@dataclass(frozen=True, kw_only=True)
class PlanLimit(_Refuses):
    """So many sales invoices of one month may be approved, as the interface's setting says.

    `when` is the setting with which they arrive approved; `counted` the package's own words for
    documents that were, and count.
    """

    setting: str
    when: When
    counted: frozenset[str]

    def counts(self, document: SalesInvoice, settings: Mapping[str, Any]) -> bool:
        """Whether the document is one that will be counted."""
        limited = int(settings.get(self.setting) or 0) > 0
        return limited and _holds(self.when, settings) and not is_credit(document)

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """That the month is full."""
        if not self.counts(document, known.settings):
            return
        month, most = document.issued.replace(day=1), int(known.settings[self.setting])
        there = known.approved_in.get(month, 0)
        if there >= most:
            yield Fault(
                field="",
                code="plan_limit",
                subject=f"{month:%Y-%m}",
                message=f"{known.label} takes {most} sales invoices a month with this plan, and for"
                f" {month:%B %Y} there are {there}, those before this one included.",
                next_step=f"Upgrade the plan in {known.label}, or correct the limit in the"
                " preferences of the interface, then retry.",
            )


# --- Numbers and contacts ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NumberTaken(_Refuses):
    """A number is used once; `never_again` are the package's words for documents that keep it."""

    never_again: frozenset[str] = frozenset()

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """That another has it; a remark where the one that has it is this very document."""
        there = known.numbers.get(document.key)
        if there is None:
            return
        word = "credit note" if is_credit(document) else "invoice"
        has = f"{known.label} already has {word} {there.number}"
        if there.status in self.never_again:
            yield _taken(
                document,
                f"{has}, {there.status.lower()}. A number is never used twice.",
                next_step="Give it another number in Abtrac, then retry.",
            )
        elif there.ours and there.remote_id:
            yield _taken(document, f"{has}, and it is linked to our {word} {there.ours} already.")
        elif not there.remote_id:
            yield _taken(
                document,
                f"Another {word} of ours with the number {there.number} goes before it:"
                f" {_described(there)}. {known.label} takes a number once.",
            )
        elif _is_same(document, there, known.contacts.get(document.key)):
            yield Fault(
                field="number",
                code="number_taken",
                subject=document.number,
                message=f"{has} with the same client, date and total: it will be linked, not sent"
                " again.",
                weight=Weight.REMARK,
            )
        else:
            yield _taken(
                document,
                f"{has}: {_described(there)}. Ours: {document.contact.name},"
                f" {day(document.issued)}, {document.currency} {document.total:,.2f}.",
            )


_SAME_OR_NOT = (
    "If they are the same, link it instead of sending it; if not, give one of them another number."
    " Then retry."
)


def _taken(document: SalesInvoice, message: str, *, next_step: str = _SAME_OR_NOT) -> Fault:
    return Fault(
        field="number",
        code="number_taken",
        subject=document.number,
        message=message,
        next_step=next_step,
    )


def _is_same(document: SalesInvoice, there: NumberThere, contact: KnownContact | None) -> bool:
    linked = contact.remote_id if contact else ""
    same_client = (
        there.contact_id == linked
        if linked and there.contact_id
        else there.contact_name.casefold() == document.contact.name.casefold()
    )
    return (
        same_client
        and there.total == document.total
        and there.issued == document.issued
        and there.currency == document.currency
    )


def _described(there: NumberThere) -> str:
    total = f"{there.currency} {there.total:,.2f}".strip() if there.total is not None else ""
    issued = day(there.issued) if there.issued else ""
    return ", ".join(part for part in (there.contact_name, issued, total) if part) or "no details"


@dataclass(frozen=True, kw_only=True)
class ContactUsable(_Refuses):
    """The contact is there, and documents may go to it; or it can be created.

    `created` is the setting with which contacts are created; None where they always are.
    """

    created: When = None

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """That it is archived or gone, or that there is none and none is created."""
        there, name, label = known.contacts.get(document.key), document.contact.name, known.label
        if there is None:
            return
        named = there.name or name
        restore = f"Restore it in {label}, or choose another contact for this client. Then retry."
        if there.archived:
            yield _of_contact(
                "contact_archived",
                name,
                f"“{named}” is archived in {label}, or was merged into another contact there.",
                restore,
            )
        elif not there.listed:
            yield _of_contact(
                "contact_gone",
                name,
                f"{label} no longer has the contact “{named}” this client is linked to.",
                "Choose another contact for this client, then retry.",
            )
        elif there.alike:
            yield _of_contact(
                "name_taken",
                name,
                f"{label} has another contact named “{name}”."
                if there.alike == 1
                else f"{label} has {there.alike} contacts named “{name}”.",
                "Link the client to the one that is meant, or rename one of them. Then retry.",
            )
        elif there.new and not _holds(self.created, known.settings):
            yield _of_contact(
                "contact_missing",
                name,
                f"{label} has no contact “{name}”, and “Add clients” is off.",
                f"Add it in {label}, link the client to another contact, or turn “Add"
                " clients” on in the preferences of the interface. Then retry.",
            )


def _of_contact(code: str, name: str, message: str, next_step: str) -> Fault:
    return Fault(field="contact", code=code, subject=name, message=message, next_step=next_step)


@dataclass(frozen=True, kw_only=True)
class OfNewContact(_Refuses):
    """Rules about what is sent of a contact that would be created; of others nothing is."""

    rules: Collection[Rule]

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """All that they find."""
        there = known.contacts.get(document.key)
        if there is not None and there.new:
            for rule in self.rules:
                yield from rule.faults(document, known)


@dataclass(frozen=True, kw_only=True)
class ContactNew(_Remarks):
    """That a contact will be created is worth knowing: of a misspelled name it makes a second."""

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """That it will be."""
        there = known.contacts.get(document.key)
        if there is not None and there.new:
            yield Fault(
                field="contact",
                code="contact_new",
                subject=document.contact.name,
                message=f"{known.label} has no contact “{document.contact.name}” yet: it will be"
                " added.",
                weight=Weight.REMARK,
            )


# --- Figures -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LineAmount(_Refuses):
    """No line is of more than `most`, its tax included where it is part of the price."""

    most: Decimal

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """One for each line that is."""
        inside = document.tax_basis is TaxBasis.INCLUSIVE
        for place, line in enumerate(document.lines, start=1):
            amount = line.net + line.tax if inside else line.net
            if abs(amount) > self.most:
                yield Fault(
                    field="net",
                    code="line_too_large",
                    line=place,
                    message=f"Its amount is {amount:,.2f}; {known.label} takes {self.most:,.2f}.",
                    next_step=CORRECT_INVOICE,
                )


@dataclass(frozen=True, kw_only=True)
class LineCount(_Refuses):
    """No document has more lines than `most`."""

    most: int
    when: When = None

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """That it has."""
        count = len(document.lines)
        if count > self.most and _holds(self.when, known.settings, known.facts):
            yield Fault(
                field="lines",
                code="too_many_lines",
                message=f"It has {count:,} lines; {known.label} takes {self.most:,}.",
                next_step="Send one line per invoice: see the preferences of the interface.",
            )


@dataclass(frozen=True, kw_only=True)
class TaxReckoned(_Remarks):
    """The tax of a line is what the rate of its tax code makes of it, but for so much rounding."""

    within: Decimal = Decimal("0.02")

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """One for each line whose tax is not."""
        for place, line in enumerate(document.lines, start=1):
            reckoned = line.net * line.tax_rate / 100
            if line.tax_code and abs(line.tax - reckoned) > self.within:
                yield Fault(
                    field="tax_code",
                    code="tax_differs",
                    subject=line.tax_code,
                    line=place,
                    message=tax_differs(line.tax, line.tax_code, line.tax_rate, line.net, reckoned),
                    weight=Weight.REMARK,
                )


def tax_differs(
    tax: Decimal, tax_code: str, rate: Decimal, amount: Decimal, reckoned: Decimal
) -> str:
    """That the tax is not what the tax code's rate makes of the amount."""
    return (
        f"Its tax is {tax:,.2f}, but {tax_code} at {rate.normalize():f} % of {amount:,.2f} is"
        f" {reckoned:,.2f}."
    )


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """The package works the total out by itself; `show` says what it comes to.

    Where it takes the document all the same that is a remark.
    """

    show: Show
    weight: Weight = Weight.REMARK
    when: When = None

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """By how much its total differs from ours."""
        if not _holds(self.when, known.settings, known.facts):
            return
        try:
            total = self.show(document, known.settings).total
        except Rejected:
            return  # which says so by itself
        more = total - document.total
        if more:
            yield Fault(
                field="total",
                code="total_differs",
                message=f"{known.label} will come to a total of {total:,.2f}, which is"
                f" {abs(more):,.2f} {'more' if more > 0 else 'less'} than Abtrac's"
                f" {document.total:,.2f}.",
                next_step=CORRECT_INVOICE if self.weight is Weight.REFUSED else "",
                weight=self.weight,
            )


@dataclass(frozen=True, kw_only=True)
class Notes(_Remarks):
    """What is shortened, or sent otherwise than it is in Abtrac, as `show` tells it."""

    show: Show

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """One remark for each."""
        try:
            notes = self.show(document, known.settings).notes
        except Rejected:
            return
        for note in notes:
            yield Fault(field="", code="sent_otherwise", message=note, weight=Weight.REMARK)


@dataclass(frozen=True, kw_only=True)
class AsConnector(_Refuses):
    """What the connector itself would not send: the same function says so before and then."""

    refusals: Callable[[SalesInvoice, Mapping[str, Any]], Iterable[Rejected]]

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """One for each of its reasons."""
        for refused in self.refusals(document, known.settings):
            yield from faults_of(refused)


@dataclass(frozen=True, kw_only=True)
class ReadLately(_Remarks):
    """All this is as good as what was last read of the package."""

    def faults(self, document: SalesInvoice, known: Known) -> Iterator[Fault]:
        """That it is old."""
        if known.read_at:
            yield Fault(
                field="",
                code="read_long_ago",
                message=f"{known.label} was last read {known.read_at}: what was changed there since"
                " is not known here.",
                weight=Weight.REMARK,
            )


def is_credit(document: SalesInvoice) -> bool:
    """Whether it goes as a credit note."""
    return isinstance(document, CreditNote)


def day(date_: date) -> str:
    """A day as people write it."""
    return f"{date_.day} {date_:%b %Y}"


NUMBER_LENGTH = TextLength(
    text="number", word="invoice number", field="number", code="number_too_long"
)
# Of packages that say nothing else.
USUAL: Collection[Rule] = (
    NUMBER_LENGTH,
    CurrencyEnabled(),
    LockDate(),
    TaxReckoned(),
    ReadLately(),
)
