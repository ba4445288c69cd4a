"""The test before going live: read-only checks, each with where to mend what is wrong.

Nothing is written, neither here nor in the package. All that is wrong is told at once: a check that
cannot be made because an earlier one failed says so.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from connectors.base.documents import Contact, CreditNote, SalesInvoice, TaxBasis
from connectors.base.errors import ConnectorError, RetryLater
from connectors.base.faults import Fault, Weight
from connectors.base.protocol import (
    Found,
    ListsCompanyFiles,
    PostsCreditNotes,
    PostsInvoices,
    PushesContacts,
    ReadsCodes,
)
from interfaces.codes import refresh_codes
from interfaces.connections import open_connector
from interfaces.models import AccountingInterface, Credential
from invoicing import preflight
from invoicing.documents import document_key
from invoicing.models import Invoice
from invoicing.uploads import offered
from invoicing.uploads.enqueue import dated
from invoicing.words import all_of, counted, listed
from offices.models import Practice
from offices.tenancy import acting_for

# So many of the invoices that wait are looked through for what the package would refuse.
MOST_LOOKED_AT = 500
GOOD, BAD, WARN, LATER, UNASKED = "ready", "error", "warning", "retry", "draft"
# Codes read so long ago are not read again: the package counts its calls.
JUST_READ = timedelta(seconds=60)
# What the lock date is told of by itself.
LOCKED = "period_locked"
CURRENCIES = {"NZ": "NZD", "AU": "AUD"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check and its outcome; `step` is the page that mends it."""

    name: str
    state: str
    sentence: str
    step: str = ""

    @property
    def label(self) -> str:
        """The outcome in a word or two."""
        return {
            GOOD: "Good",
            BAD: "To mend",
            WARN: "Please look",
            LATER: "Later",
            UNASKED: "Not asked",
        }[self.state]


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """What waits to be sent, as it would be sent, and all that is wrong with it."""

    invoices: Sequence[Invoice]
    built: Sequence[SalesInvoice]
    faults: Sequence[tuple[str, Fault]]


def run(*, practice: Practice, interface_id: int) -> list[Check]:
    """All checks, in the order people read them. Outside every scope: it asks the package."""
    with acting_for(practice.pk):
        interface = AccountingInterface.objects.select_related("credential").get(pk=interface_id)
    checks = list(_asked(practice, interface))
    with acting_for(practice.pk):
        interface = AccountingInterface.objects.get(pk=interface_id)
        waiting = _waiting_at(interface)
    if interface.is_connected:
        checks += _of_numbers(practice, interface, waiting)
    checks += _of_codes(waiting)
    checks += [*_of_currency(practice, interface, waiting), *_of_lock(interface, waiting)]
    return checks


def _asked(practice: Practice, interface: AccountingInterface) -> Iterator[Check]:
    """What only the package can tell of the sign-in, the company file and the codes."""
    package, word = interface.package, interface.package.company_file_word
    if package.can(ListsCompanyFiles):
        failure, names = _company_files(practice, interface)
        if failure:
            yield _failed("Sign-in", failure)
            yield Check(
                name=word.capitalize(),
                state=UNASKED,
                sentence="Cannot be asked without the sign-in.",
            )
            return
        by = _connected_by(interface)
        yield Check(name="Sign-in", state=GOOD, sentence=f"{package.label} lets us in{by}.")
        yield _company_file(interface, names)
    if package.can(ReadsCodes):
        yield _codes(practice, interface)
    yield from _permissions(interface)


def _failed(name: str, error: ConnectorError) -> Check:
    """What could not be asked: later, where the package only wants us to wait."""
    if isinstance(error, RetryLater):
        return Check(name=name, state=LATER, sentence=f"{error} Check again in a minute.")
    return Check(name=name, state=BAD, sentence=str(error), step="connect")


def _company_files(
    practice: Practice, interface: AccountingInterface
) -> tuple[ConnectorError | None, dict[str, str]]:
    try:
        with open_connector(practice_id=practice.pk, interface_id=interface.pk) as connector:
            found = connector.list_company_files()
    except ConnectorError as error:
        return error, {}
    return None, {one.id: one.name for one in found}


def _company_file(interface: AccountingInterface, names: dict[str, str]) -> Check:
    word = interface.package.company_file_word
    name = names.get(interface.company_file_id)
    if name is None:
        reached = all_of(sorted(names.values())) if names else f"no {word}"
        return Check(
            name=word.capitalize(),
            state=BAD,
            sentence=f"The sign-in reaches {reached}, not {interface.company_file_name}.",
            step="connect",
        )
    where = f" ({interface.country}, {interface.currency})" if interface.country else ""
    return Check(name=word.capitalize(), state=GOOD, sentence=f"{name}{where}")


def _connected_by(interface: AccountingInterface) -> str:
    credential: Credential | None = getattr(interface, "credential", None)
    by = credential.connected_by if credential else None
    return f", signed in by {by}" if by else ""


def _codes(practice: Practice, interface: AccountingInterface) -> Check:
    read_at = interface.codes_read_at
    if interface.codes_error or read_at is None or timezone.now() - read_at > JUST_READ:
        try:
            refresh_codes(practice_id=practice.pk, interface_id=interface.pk)
        except ConnectorError as error:
            return _failed("Reading accounts and tax codes", error)
    with acting_for(practice.pk):
        accounts, taxes = interface.accounts.count(), interface.taxes.count()
    sentence = f"{counted(accounts, 'account')} and {counted(taxes, 'tax code')} read just now."
    return Check(name="Reading accounts and tax codes", state=GOOD, sentence=sentence)


def _permissions(interface: AccountingInterface) -> Iterator[Check]:
    """What the person agreed to, against what the package is asked for."""
    oauth, credential = interface.package.oauth, getattr(interface, "credential", None)
    if oauth is None or credential is None:
        return
    granted = set(credential.scopes.split())
    lacking = [one for one in oauth.scopes if one not in granted]
    if not granted:
        sentence = f"{interface.package.label} did not say what it allows; the first upload tells."
        yield Check(name="Permission to write", state=WARN, sentence=sentence)
    elif lacking:
        yield Check(
            name="Permission to write",
            state=BAD,
            sentence=f"Not allowed at the sign-in: {all_of(lacking)}. Connect again and allow it.",
            step="connect",
        )
    else:
        yield Check(
            name="Permission to write",
            state=GOOD,
            sentence="Everything the link needs was allowed at the sign-in.",
        )


def _waiting_at(interface: AccountingInterface) -> _Waiting:
    invoices = list(
        offered()
        .filter(invoice_setting__interface=interface)
        .order_by("issued", "number", "id")[:MOST_LOOKED_AT]
    )
    checked = preflight.check(invoices)
    built, faults = [], []
    for one in checked.values():
        assert one.document is not None  # noqa: S101 - they were asked for by their interface
        built.append(one.document)
        faults += [(one.invoice.number, fault) for fault in one.faults]
    return _Waiting(invoices=invoices, built=built, faults=faults)


def concerns(practice: Practice, interface: AccountingInterface) -> list[Check]:
    """What can be told without asking the package, and is not good. Needs a scope."""
    waiting = _waiting_at(interface)
    checks = [
        *_of_codes(waiting),
        *_of_currency(practice, interface, waiting),
        *_of_lock(interface, waiting),
    ]
    return [one for one in checks if one.state in {BAD, WARN}]


def _of_codes(waiting: _Waiting) -> list[Check]:
    """Accounts, tax codes, and whatever else our own checks would refuse."""
    checks = []
    for name, field in (("Accounts", "account_code"), ("Tax codes", "tax_code")):
        causes = _told_once(one for one in waiting.faults if one[1].field == field)
        if causes:
            more = f" And {len(causes) - 3} more." if len(causes) > 3 else ""
            sentence = " ".join(causes[:3]) + more
            checks.append(Check(name=name, state=BAD, sentence=sentence, step="codes"))
        else:
            sentence = (
                f"Right on every line of {counted(len(waiting.invoices), 'waiting invoice')}."
                if waiting.invoices
                else "No invoice waits, so there is no line to look at."
            )
            checks.append(Check(name=name, state=GOOD, sentence=sentence))
    others = _told_once(
        (number, fault)
        for number, fault in waiting.faults
        if fault.weight is Weight.REFUSED
        and not fault.field.endswith("_code")
        and fault.code != LOCKED
    )
    if others:
        checks.append(Check(name="Invoices", state=WARN, sentence=" ".join(others[:3])))
    return checks


def _told_once(faults: Iterable[tuple[str, Fault]]) -> list[str]:
    """Each cause once, with the first invoice and line it is found on."""
    causes: dict[tuple[str, str], str] = {}
    for number, fault in faults:
        where = f"{number}, line {fault.line}" if fault.line else number
        causes.setdefault((fault.code, fault.subject), f"{where}: {fault.message}")
    return list(causes.values())


def _of_currency(
    practice: Practice, interface: AccountingInterface, waiting: _Waiting
) -> Iterator[Check]:
    if not interface.currency:
        return
    own = CURRENCIES.get(practice.country, "")
    if own and own != interface.currency:
        yield Check(
            name="Currency",
            state=BAD,
            sentence=f"The books are kept in {interface.currency}; {practice} invoices in {own}. If"
            f" this is the wrong {interface.package.company_file_word}, add another interface.",
        )
        return
    yield Check(name="Currency", state=GOOD, sentence=f"Books and offices both use {own}.")


def _of_lock(interface: AccountingInterface, waiting: _Waiting) -> Iterator[Check]:
    if interface.lock_date is None:
        if interface.package.can(ReadsCodes):
            yield Check(name="Lock date", state=GOOD, sentence="The books are not locked.")
        return
    locked = [number for number, fault in waiting.faults if fault.code == LOCKED]
    day = dated(interface.lock_date)
    if locked:
        yield Check(
            name="Lock date",
            state=WARN,
            sentence=f"The books are locked up to {day}: {listed(locked)} would be refused.",
            step="settings",
        )
        return
    yield Check(name="Lock date", state=GOOD, sentence=f"Locked up to {day}; no invoice is older.")


def _of_numbers(
    practice: Practice, interface: AccountingInterface, waiting: _Waiting
) -> list[Check]:
    """Whether contacts and invoices can be read there, and the next number is free."""
    first = waiting.built[0] if waiting.built else _specimen(interface)
    checks = []
    try:
        with open_connector(practice_id=practice.pk, interface_id=interface.pk) as connector:
            if interface.package.can(PushesContacts):
                checks.append(_contacts(connector, first))
            if interface.package.can(PostsInvoices):
                checks += _numbers(connector, interface, first, real=bool(waiting.built))
    except ConnectorError as error:
        checks.append(_failed("Reading", error))
    return checks


def _contacts(connector: Any, document: SalesInvoice) -> Check:
    name = "Reading contacts"
    try:
        connector.find_contacts([document.contact])
    except ConnectorError as error:
        return _failed(name, error)
    return Check(name=name, state=GOOD, sentence="Contacts can be read.")


def _numbers(
    connector: Any, interface: AccountingInterface, document: SalesInvoice, *, real: bool
) -> Iterator[Check]:
    credit = isinstance(document, CreditNote) and interface.package.can(PostsCreditNotes)
    find = "find_credit_notes" if credit else "find_invoices"
    name, label = "Reading invoices", interface.package.label
    try:
        found: dict[str, Found] = getattr(connector, find)([document])
    except ConnectorError as error:
        yield _failed(name, error)
        return
    yield Check(name=name, state=GOOD, sentence="Invoices can be read.")
    if not real:
        return
    name = "Next invoice number"
    if document.key in found:
        yield Check(
            name=name,
            state=WARN,
            sentence=f"{label} has an invoice {document.number} already. Change the number in"
            " Abtrac, or mark ours as already in the accounts.",
        )
        return
    yield Check(name=name, state=GOOD, sentence=f"{document.number} is free in {label}.")


def _specimen(interface: AccountingInterface) -> SalesInvoice:
    """A document nobody has, to ask for where no invoice waits."""
    key = document_key(interface_id=interface.pk, kind="invoice", document_id=0)
    return SalesInvoice(
        key=key,
        number=f"LINK-{key[:8]}",
        reference="",
        contact=Contact(key=key, number=f"LINK-{key[:8]}", name=f"Abtrac Link {key[:8]}"),
        contact_id="",
        issued=timezone.localdate(),
        due=timezone.localdate(),
        currency=interface.currency,
        tax_basis=TaxBasis.EXCLUSIVE,
        net=Decimal(0),
        tax=Decimal(0),
        total=Decimal(0),
        lines=(),
    )
