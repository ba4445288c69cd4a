"""What would be sent, tried before go-live: an invoice, a credit note and a disbursement.

The practice's own invoices where it has them, else specimens that say so. Nothing is sent. What was
tried is frozen with its codes, their names and all that is wrong with it, and for a package that
takes a file the file is kept too, so that what the practice judged can be shown again.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from connectors.base import faults
from connectors.base.cents import to_cents
from connectors.base.documents import CreditNote, LineKind, SalesInvoice, TaxBasis
from connectors.base.errors import Rejected
from connectors.base.faults import Fault
from connectors.base.protocol import WritesImportFile
from interfaces.connections import open_with
from interfaces.credentials import GivenToken
from interfaces.models import AccountCode, AccountingInterface, SetUpAnswers, TaxCode
from interfaces.set_up_questions import SAMPLE_INVOICE
from invoicing import preflight
from invoicing.documents import Line, Lines, document_key, invoice_from_json, to_json
from invoicing.models import (
    Client,
    DryRun,
    Invoice,
    InvoiceLine,
    InvoiceSetting,
)
from offices.models import Office, Practice, User

INVOICE, CREDIT_NOTE, DISBURSEMENT = "invoice", "credit_note", "disbursement"
TITLES = {
    INVOICE: "An invoice",
    CREDIT_NOTE: "A credit note",
    DISBURSEMENT: "An invoice with a disbursement",
}
# What a specimen is taxed at where no tax code is chosen yet, and its currency.
RATES = {"NZ": Decimal(15), "AU": Decimal(10)}
CURRENCIES = {"NZ": "NZD", "AU": "AUD"}
TERMS = timedelta(days=20)

Outcome = DryRun.Outcome


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """One document of a dry run, before it is frozen."""

    kind: str
    specimen: bool
    document: SalesInvoice
    faults: list[Fault]


@transaction.atomic
def make(*, practice: Practice, interface: AccountingInterface, actor: User) -> DryRun:
    """Try one of each and keep it. Calls no package. Needs a scope."""
    tried = [_try(practice, interface, kind) for kind in TITLES]
    name, content = _file_of(interface, tried)
    names = _names_of(interface)
    return DryRun.objects.create(
        interface=interface,
        made_at=timezone.now(),
        made_by=actor,
        documents=[_frozen(one, names) for one in tried],
        file_name=name,
        content=content,
    )


@transaction.atomic
def tell(*, run: DryRun, good: bool, note: str, actor: User) -> DryRun:
    """Keep what came of it, as the practice tells it. Needs a scope."""
    if good and faults_of(run):
        raise ValidationError("Something in it must be put right first. Then make another one.")
    run.outcome = Outcome.GOOD if good else Outcome.BAD
    run.outcome_note = note
    run.outcome_by, run.outcome_at = actor, timezone.now()
    run.save(update_fields=["outcome", "outcome_note", "outcome_by", "outcome_at"])
    return run


def latest(interface: AccountingInterface) -> DryRun | None:
    """The newest one: what was tried before it does not count any more. Needs a scope."""
    found = DryRun.objects.filter(interface=interface).select_related("made_by", "outcome_by")
    return found.order_by("-pk").first()


@dataclass(frozen=True, kw_only=True)
class ShownLine:
    """One line as people read it: its account and tax by name."""

    description: str
    account: str
    tax_code: str
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One document of a dry run as people read it."""

    title: str
    specimen: bool
    document: SalesInvoice
    is_credit_note: bool
    lines: list[ShownLine]
    faults: list[str]


def shown(run: DryRun) -> list[Shown]:
    """The documents as they were frozen."""
    return [_shown(one) for one in run.documents]


def faults_of(run: DryRun) -> list[str]:
    """All that is wrong with its documents."""
    return [fault["message"] for one in run.documents for fault in one["faults"]]


# --- The documents -------------------------------------------------------------------------------


def _try(practice: Practice, interface: AccountingInterface, kind: str) -> _Tried:
    own = _own(interface, kind)
    invoice, lines = (own, None) if own else _specimen(practice, interface, kind)
    key = document_key(interface_id=interface.pk, kind=kind, document_id=invoice.pk, name="dry run")
    checked = preflight.check([invoice], lines=lines, through=interface)[invoice.pk]
    assert checked.document is not None  # noqa: S101 - it goes through the interface
    return _Tried(
        kind=kind,
        specimen=own is None,
        document=replace(checked.document, key=key),
        faults=list(checked.refusals),
    )


def _own(interface: AccountingInterface, kind: str) -> Invoice | None:
    """The sample the practice named, if it is of that kind, else its newest one."""
    found = _unsent(interface)
    charged = InvoiceLine.objects.filter(invoice=OuterRef("pk"), kind=LineKind.DISBURSEMENT)
    if kind == CREDIT_NOTE:
        found = found.filter(total__lt=0)
    else:
        has_one = Exists(charged)
        found = found.filter(has_one if kind == DISBURSEMENT else ~has_one, total__gt=0)
    answered = SetUpAnswers.objects.filter(interface=interface).first()
    number = str(answered.answers.get(SAMPLE_INVOICE, "")) if answered else ""
    sample = found.filter(number=number).first() if number else None
    return sample or found.order_by("-issued", "-pk").first()


def _unsent(interface: AccountingInterface) -> QuerySet[Invoice]:
    """Committed, on no way to any accounts, of a setting that no other interface serves."""
    ours = Q(invoice_setting__interface=interface) | Q(invoice_setting__interface__isnull=True)
    found = Invoice.objects.filter(
        ours,
        in_upload=False,
        status=Invoice.Status.COMMITTED,
        parked_at__isnull=True,
        in_accounts_at__isnull=True,
    )
    return found.select_related("client", "job", "office", "invoice_setting", "credits")


def _specimen(
    practice: Practice, interface: AccountingInterface, kind: str
) -> tuple[Invoice, Lines]:
    """An invented document that nobody takes for a real one; no row of it is kept."""
    sign = -1 if kind == CREDIT_NOTE else 1
    rate = interface.revenue_tax.rate if interface.revenue_tax else RATES[practice.country]
    rows = [("Specimen: concept design", LineKind.TIME, Decimal(1000) * sign)]
    if kind == DISBURSEMENT:
        rows.append(("Specimen: printing", LineKind.DISBURSEMENT, Decimal(80)))
    lines = [
        Line(
            invoice_id=0,
            position=position,
            description=description,
            kind=line_kind,
            quantity=Decimal(1),
            unit_price=net,
            net=net,
            tax=to_cents(net * rate / 100),
            account_code="",
            tax_code="",
            task="",
            disbursement_type="",
            job_id=None,
        )
        for position, (description, line_kind, net) in enumerate(rows, start=1)
    ]
    net = sum((one.net for one in lines), Decimal(0))
    tax = sum((one.tax for one in lines), Decimal(0))
    today = timezone.localdate()
    setting = InvoiceSetting.objects.filter(interface=interface).order_by("name").first()
    invoice = Invoice(
        pk=0,
        number=f"TEST-{list(TITLES).index(kind) + 1}",
        office=Office(abtrac_id=""),
        invoice_setting=setting or InvoiceSetting(abtrac_id=""),
        client=Client(abtrac_id="TEST", name="Specimen client", abbreviation="TEST"),
        name_on_invoice="Specimen client",
        issued=today,
        due=today + TERMS,
        tax_basis=TaxBasis.EXCLUSIVE,
        currency=interface.currency or CURRENCIES[practice.country],
        net=net,
        tax=tax,
        total=net + tax,
    )
    return invoice, Lines(by_invoice={0: lines}, jobs={})


# --- The file ------------------------------------------------------------------------------------


def _file_of(interface: AccountingInterface, tried: Sequence[_Tried]) -> tuple[str, bytes]:
    """The file of all of them. What the package cannot take becomes a fault; then there is none."""
    if not interface.package.can(WritesImportFile):
        return "", b""
    with closing(open_with(interface, tokens=GivenToken(""))) as connector:
        for one in tried:
            try:
                connector.write_file([one.document])
            except Rejected as error:
                one.faults.extend(faults.faults_of(error))
        if any(one.faults for one in tried):
            return "", b""
        written = connector.write_file([one.document for one in tried])
        return written.name, written.content


# --- Frozen, and shown again ---------------------------------------------------------------------

Names = dict[str, dict[str, str]]


def _names_of(interface: AccountingInterface) -> Names:
    accounts = AccountCode.objects.filter(interface=interface).values_list("code", "name")
    taxes = TaxCode.objects.filter(interface=interface).values_list("code", "name")
    return {"accounts": dict(accounts), "taxes": dict(taxes)}


def _frozen(one: _Tried, names: Names) -> dict[str, Any]:
    accounts = {line.account_code for line in one.document.lines}
    taxes = {line.tax_code for line in one.document.lines}
    return {
        "kind": one.kind,
        "specimen": one.specimen,
        "document": to_json(one.document),
        "accounts": {code: names["accounts"].get(code, "") for code in sorted(accounts)},
        "taxes": {code: names["taxes"].get(code, "") for code in sorted(taxes)},
        "faults": [asdict(fault) for fault in one.faults],
    }


def _shown(stored: dict[str, Any]) -> Shown:
    document = invoice_from_json(stored["document"], contact_id="")
    lines = [
        ShownLine(
            description=line.description,
            account=_named(line.account_code, stored["accounts"]),
            tax_code=_named(line.tax_code, stored["taxes"]),
            net=line.net,
            tax=line.tax,
        )
        for line in document.lines
    ]
    return Shown(
        title=TITLES[stored["kind"]],
        specimen=stored["specimen"],
        document=document,
        is_credit_note=isinstance(document, CreditNote),
        lines=lines,
        faults=list(_in_words(stored["faults"])),
    )


def _named(code: str, names: dict[str, str]) -> str:
    return f"{code} {names.get(code, '')}".strip() or "None set"


def _in_words(faults: Sequence[dict[str, Any]]) -> Iterator[str]:
    for one in faults:
        where = f"Line {one['line']}: " if one["line"] else ""
        yield f"{where}{one['message']} {one['next_step']}".strip()
