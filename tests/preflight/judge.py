"""How the checks before sending fare with a corpus, on facts read as production reads them.

The package's stand-in is arranged for a case; codes, contacts and documents are read from it
through the connector; then the case's documents are checked as rows of a practice.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.conf import settings as product
from django.utils import timezone

from connectors import registry
from connectors.base.documents import Contact, CreditNote, Job, SalesInvoice
from connectors.base.faults import Fault, Weight
from connectors.base.known import Known
from connectors.xero.standin import CallLimits, XeroStandIn
from interfaces.credentials import store_tokens
from interfaces.models import AccountingInterface
from interfaces.registration import create_interface
from invoicing import models, preflight
from invoicing.documents import Line, Lines
from offices.models import Office, Practice
from offices.tenancy import acting_for
from tests.preflight.corpus import CORPORA, VALID, Case, Valid
from tests.preflight.corpus_xero_books import open_books
from tests.preflight.corpus_xero_samples import GOOD

UNLIMITED = CallLimits(minute=10**6, day=10**6, app_minute=10**6)
# What the check can say more exactly than the package's refusal does.
SAME: Mapping[str, frozenset[str]] = {
    "account_unknown": frozenset({"account_not_for_sales"}),
    "tax_unknown": frozenset({"tax_archived", "tax_not_for_sales"}),
}
# Of a hundred cases so many are caught at least.
LEAST = 95.0
_ids = itertools.count(1_000_000)


@dataclass(kw_only=True)
class Report:
    """What came of one corpus: names of cases missed, and of documents held up wrongly."""

    package: str
    cases: int = 0
    missed: list[str] = field(default_factory=list)
    valid: int = 0
    blocked: list[str] = field(default_factory=list)

    @property
    def caught(self) -> int:
        """How many cases were refused before sending, for the reason the package has."""
        return self.cases - len(self.missed)

    @property
    def share(self) -> float:
        """The same of a hundred."""
        return 100 * self.caught / self.cases

    def __str__(self) -> str:
        return (
            f"preflight {self.package}: caught {self.caught} of {self.cases} ({self.share:.1f} %),"
            f" valid blocked {len(self.blocked)}"
        )


class XeroBench:
    """A practice whose interface reaches a stand-in of Xero, with new books for each group."""

    def __init__(self, standin: XeroStandIn, practice: Practice) -> None:
        self._standin, self._practice = standin, practice

    def open(self, case: Case | Valid) -> "Place":
        """An interface to the books arranged for the case, everything read from them."""
        books = open_books(case)
        self._standin.take_in(books)
        linked = {}
        with acting_for(self._practice.pk):
            interface = create_interface(package_key="xero", name=f"Books {next(_ids)}")
            interface.preferences |= dict(case.settings)
            interface.company_file_id, interface.company_file_name = books.tenant_id, books.name
            interface.live_since = timezone.now()
            interface.state = AccountingInterface.State.CONNECTED
            interface.save()
            store_tokens(interface.pk, self._standin.issue_tokens(), None)
            for one in books.contacts:
                if one.number in {"C1001", "C1002"}:
                    linked[one.number] = _link(interface, one.number, one.name, one.id)
        failures = preflight.refresh(practice_id=self._practice.pk, interface_id=interface.pk)
        assert not failures, failures
        with acting_for(self._practice.pk):
            interface.refresh_from_db()
        return Place(
            practice=self._practice,
            interface=interface,
            clients=linked,
            limit=books.plan_limit,
        )


def _link(interface: AccountingInterface, number: str, name: str, remote_id: str) -> models.Client:
    client, _ = models.Client.objects.get_or_create(abtrac_id=number, defaults={"name": name})
    models.ContactLink.objects.create(
        interface=interface,
        client=client,
        name="",
        remote_id=remote_id,
        linked_at=timezone.now() - timedelta(days=1),
    )
    return client


@dataclass(kw_only=True)
class Place:
    """An interface, and which clients are linked at it, by number."""

    practice: Practice
    interface: AccountingInterface
    clients: dict[str, models.Client]
    # The plan's limit, as the admin has entered it.
    limit: int | None
    # Many cases have one neighbour.
    answers: dict[Any, list[tuple[Fault, ...]]] = field(default_factory=dict)

    def check(self, case: Case | Valid) -> list[tuple[Fault, ...]]:
        """What keeps each of the case's documents from being sent."""
        asked = (case.documents, tuple(sorted(case.settings.items())))
        if asked not in self.answers:
            self.answers[asked] = self._checked(case)
        return self.answers[asked]

    def _checked(self, case: Case | Valid) -> list[tuple[Fault, ...]]:
        self.interface.preferences = {
            **self.interface.package.default_settings(),
            **case.settings,
            "plan_limit": self.limit,
        }
        with acting_for(self.practice.pk):
            rows = [self._row(one) for one in case.documents if _is_checked(one)]
            jobs = {job.pk: job for _, lines in rows for job in lines.values()}
            by_invoice = {
                invoice.pk: invoice.rows  # type: ignore[attr-defined]
                for invoice, _ in rows
            }
            checked = preflight.check(
                [invoice for invoice, _ in rows],
                lines=Lines(by_invoice=by_invoice, jobs=jobs),
                through=self.interface,
                remarks=False,
            )
        return [checked[invoice.pk].refusals for invoice, _ in rows]

    def _row(self, document: Any) -> tuple[models.Invoice, dict[int, models.Job]]:
        """The document as an invoice of the practice, and the jobs its lines name."""
        if isinstance(document, Contact):
            document = replace(GOOD, number=f"CLIENT-{document.number}", contact=document)
        elif isinstance(document, Job):
            line = replace(GOOD.lines[0], job_code=document.code)
            document = replace(GOOD, number=f"JOB-{document.code[:20]}", lines=(line,))
        sign = -1 if isinstance(document, CreditNote) else 1
        pk = next(_ids)
        jobs: dict[str, models.Job] = {}
        for one in document.lines:
            if one.job_code:
                jobs.setdefault(one.job_code, models.Job(pk=next(_ids), code=one.job_code))
        invoice = models.Invoice(
            pk=pk,
            number=document.number,
            office=Office(abtrac_id=""),
            invoice_setting=models.InvoiceSetting(abtrac_id="", name=""),
            client=self._client(document),
            job=None,
            credits=None,
            name_on_invoice=document.contact.name,
            issued=document.issued,
            due=document.due,
            tax_basis=document.tax_basis,
            currency=document.currency,
            net=document.net * sign,
            tax=document.tax * sign,
            total=document.total * sign,
        )
        invoice.rows = [  # type: ignore[attr-defined]
            Line(
                invoice_id=pk,
                position=place,
                description=one.description,
                kind=one.kind,
                quantity=one.quantity,
                unit_price=one.unit_price * sign,
                net=one.net * sign,
                tax=one.tax * sign,
                account_code=one.account_code,
                tax_code=one.tax_code,
                task="",
                disbursement_type="",
                job_id=jobs[one.job_code].pk if one.job_code else None,
            )
            for place, one in enumerate(document.lines, start=1)
        ]
        return invoice, {one.pk: one for one in jobs.values()}

    def _client(self, document: SalesInvoice) -> models.Client:
        """The client that is linked, or one that the package may not have yet."""
        contact = document.contact
        if document.contact_id:
            if document.contact_id not in self.clients:
                self.clients[document.contact_id] = _link(
                    self.interface, f"X{next(_ids)}", contact.name, document.contact_id
                )
            return self.clients[document.contact_id]
        if contact.number in self.clients:
            return self.clients[contact.number]
        return models.Client(
            pk=next(_ids),
            abtrac_id=contact.number,
            name=contact.name,
            contact_first_name=contact.first_name,
            contact_last_name=contact.last_name,
            email=contact.email,
            phone=contact.phone,
            tax_number=contact.tax_number,
            postal_address=vars(contact.postal),
            street_address=vars(contact.street),
        )


def _is_checked(document: Any) -> bool:
    """PDFs and allocations follow a document that is there, and are not checked before it."""
    return isinstance(document, SalesInvoice | Contact | Job)


def judge(package_key: str, practice: Practice) -> Report:
    """Run the package's whole corpus."""
    report = Report(package=package_key)
    with BENCHES[package_key](practice) as bench:
        for group in _groups([*CORPORA[package_key], *VALID[package_key]]):
            place = bench.open(group[0])
            for one in group:
                _judge(one, place, report)
    return report


def _groups(cases: Iterable[Case | Valid]) -> Iterable[Sequence[Case | Valid]]:
    """Those for which the same books are read the same way."""
    found: dict[Any, list[Case | Valid]] = {}
    for one in cases:
        key = (one.arrange, one.company_file, one.settings.get("jobs"))
        found.setdefault(key, []).append(one)
    return found.values()


def _judge(case: Case | Valid, place: Place, report: Report) -> None:
    if isinstance(case, Valid):
        _expect_free(case, case.name, place, report)
        return
    _expect_free(case.right(), f"{case.name}: its neighbour", place, report)
    if not case.blocks:
        _expect_free(case, case.name, place, report)
        return
    report.cases += 1
    last = case.documents[-1]
    if isinstance(last, SalesInvoice) and last.total < 0:
        # No row makes such a document: an invoice below zero goes as a credit note.
        found: Sequence[Fault] = tuple(_by_itself(last, place.interface))
    else:
        found = place.check(case)[-1]
    if not any(_is_it(one, case) for one in found):
        report.missed.append(case.name)


def _expect_free(case: Case | Valid, name: str, place: Place, report: Report) -> None:
    report.valid += 1
    for faults in place.check(case):
        report.blocked += [f"{name}: {one.message}" for one in faults]


def _by_itself(document: SalesInvoice, interface: AccountingInterface) -> Iterator[Fault]:
    known = Known(label=interface.package.label, settings=interface.package.default_settings())
    for rule in interface.package.rules:
        if rule.weight is Weight.REFUSED:
            yield from rule.faults(document, known)


def _is_it(fault: Fault, case: Case) -> bool:
    codes = {case.code} | SAME.get(case.code, frozenset())
    at_place = case.line is None or not fault.line or fault.line == case.line
    return fault.field == case.field and fault.code in codes and at_place


@contextmanager
def open_xero(practice: Practice) -> Iterator[XeroBench]:
    """A running stand-in, which the product takes for Xero."""
    before = product.PACKAGE_APPS
    with XeroStandIn(limits=UNLIMITED) as standin:
        endpoints = dict.fromkeys(standin.endpoint_names, standin.url)
        product.PACKAGE_APPS = {
            **before,
            "xero": {
                **before["xero"],
                "client_id": standin.client_id,
                "client_secret": standin.client_secret,
                "endpoints": endpoints,
            },
        }
        try:
            yield XeroBench(standin, practice)
        finally:
            product.PACKAGE_APPS = before


BENCHES: Mapping[str, Callable[[Practice], Any]] = {"xero": open_xero}
assert BENCHES.keys() >= CORPORA.keys() & registry.packages().keys()
