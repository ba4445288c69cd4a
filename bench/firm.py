"""An invented firm whose invoices go to a rehearsal Xero in the same process. Import it only
inside `measure.product()`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import count

from django.conf import settings
from django.utils import timezone

from connectors import registry
from connectors.base.documents import LineKind, TaxBasis
from connectors.xero.standin import CallLimits, XeroStandIn
from interfaces.models import AccountingInterface, Lane
from invoicing.models import Client, Invoice, InvoiceLine, Job, Upload
from invoicing.uploads import enqueue, lane
from offices.models import Office, Practice, User
from offices.tenancy import acting_for
from tests import factories
from tests.connected import connect_xero

MANY = 10**9

_numbers = count(1)


@dataclass(kw_only=True)
class Firm:
    """A practice with one interface to Xero, its clients and its jobs."""

    practice: Practice
    user: User
    xero: XeroStandIn
    interface: AccountingInterface
    office: Office
    clients: list[Client]
    jobs: list[Job]

    def upload(self, invoices: int, *, clients: int = 1, jobs: int = 0) -> None:
        """Queue that many new invoices, spread over so many of the clients and jobs."""
        ids = self.commit(invoices, clients=clients, jobs=jobs)
        with acting_for(self.practice.pk):
            answer = enqueue(invoice_ids=ids, actor=self.user)
        if answer.queued != invoices:
            raise RuntimeError(f"Only {answer.queued} of {invoices} could be queued.")

    def commit(
        self, invoices: int, *, clients: int = 1, jobs: int = 0, lines: int = 1
    ) -> list[int]:
        """The ids of that many new invoices of 1,150.00, ready to be uploaded."""
        with acting_for(self.practice.pk):
            made = Invoice.objects.bulk_create(
                self._invoice(
                    self.clients[at % clients], job=self.jobs[at % jobs] if jobs else None
                )
                for at in range(invoices)
            )
            InvoiceLine.objects.bulk_create(
                InvoiceLine(
                    invoice=invoice,
                    position=position,
                    description="Concept design",
                    kind=LineKind.TIME,
                    quantity=Decimal(1),
                    unit_price=Decimal(1000) / lines,
                    net=Decimal(1000) / lines,
                    tax=Decimal(150) / lines,
                )
                for invoice in made
                for position in range(1, lines + 1)
            )
        return [invoice.pk for invoice in made]

    def _invoice(self, client: Client, *, job: Job | None) -> Invoice:
        number, today = next(_numbers), timezone.localdate()
        client = job.client if job else client
        return Invoice(
            office=self.office,
            invoice_setting=self.office.invoicing.invoice_setting,
            client=client,
            job=job,
            abtrac_id=f"B{number}",
            number=f"B-{number:06}",
            name_on_invoice=client.name,
            recipient=client.name,
            issued=today,
            due=today + timedelta(days=30),
            tax_basis=TaxBasis.EXCLUSIVE,
            currency="NZD",
            net=Decimal(1000),
            tax=Decimal(150),
            total=Decimal(1150),
            status=Invoice.Status.COMMITTED,
            committed_at=timezone.now(),
        )

    def work(self) -> None:
        """Turns of the lane until nothing is due."""
        while Lane.objects.filter(interface=self.interface, due__isnull=False).exists():
            lane.drain(practice_id=self.practice.pk, interface_id=self.interface.pk)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is due and no worker is at it. Asked often, so it locks nothing."""
        found = Lane.objects.get(interface=self.interface)
        return found.due is None and found.lease_until is None

    def must_be_sent(self) -> None:
        """Raise unless every upload was sent: a benchmark of failures measures nothing."""
        with acting_for(self.practice.pk):
            other = Upload.objects.exclude(state="sent").first()
        if other:
            raise RuntimeError(f"An upload is {other.state}: {other.reason}")


@contextmanager
def opened(
    *, clients: int = 1, jobs: int = 0, per_call: int = 50, concurrent: int = 1
) -> Iterator[Firm]:
    """The firm, connected, with limits on its calls that are never reached."""
    xero = XeroStandIn(limits=CallLimits(minute=MANY, day=MANY, app_minute=MANY))
    be_generous(per_call=per_call, concurrent=concurrent)
    with xero:
        settings.PACKAGE_APPS["xero"] |= {
            "client_id": xero.client_id,
            "client_secret": xero.client_secret,
            "endpoints": dict(xero.endpoints),
        }
        settings.UPLOAD_TURN_SECONDS = 600
        yield connected(xero, clients=clients, jobs=jobs)


def be_generous(*, per_call: int = 50, concurrent: int = 1) -> None:
    """Never wait for a rate limit. The buckets are there still, and cost what they cost."""
    known = registry.packages()
    rates = tuple(replace(one, calls=MANY) for one in known["xero"].limits.rates)
    limits = replace(known["xero"].limits, rates=rates, per_call=per_call, concurrent=concurrent)
    package = replace(known["xero"], limits=limits)
    registry.packages = lambda: {"xero": package}  # type: ignore[assignment]


def connected(xero: XeroStandIn, *, clients: int = 1, jobs: int = 0) -> Firm:
    """Another one, of the same Xero."""
    practice = factories.make_practice()
    user = factories.make_member(practice)
    interface = connect_xero(
        practice,
        xero,
        user,
        preferences={"jobs": "tracking"} if jobs else {},
        signed_in_for=timedelta(days=1),
    )
    with acting_for(practice.pk):
        made = [factories.make_client() for _ in range(clients)]
        return Firm(
            practice=practice,
            user=user,
            xero=xero,
            interface=interface,
            office=factories.make_office(factories.make_setting(interface)),
            clients=made,
            jobs=[factories.make_job(made[at % clients]) for at in range(jobs)],
        )
