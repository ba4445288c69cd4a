"""The demonstration, step by step: Abtrac sends, an admin connects, an accounts person uploads."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import requests

from invoicing.demo.person import Lost, Person
from invoicing.demo.practice import ARCHIVED_LATER, NAME, TAKEN_BY, TAKEN_TOTAL, Story, pdf_of
from invoicing.demo.stage import Stage
from invoicing.models import Batch, Invoice, Upload
from invoicing.uploads.states import DOCUMENTS
from offices import people
from offices.models import Practice, Role
from offices.tenancy import acting_for

ORGANISATION = "Harbour Architects Ltd"
PATIENCE_SECONDS = 60.0
DEFAULTS = {
    "revenue_account": "200 Fees",
    "disbursement_account": "210 Disbursements recovered",
    "revenue_tax": "15% GST on Income",
    "tax_free_tax": "Zero Rated",
}


class WentWrong(Exception):
    """The demonstration cannot go on; the message says at which step and why."""


@dataclass(frozen=True, kw_only=True)
class LogIn:
    """How to log in to the practice."""

    role: str
    email: str
    password: str


@dataclass(frozen=True, kw_only=True)
class Cast:
    """The practice, its API key and its people."""

    practice: Practice
    key: str
    log_ins: list[LogIn]


def take_in_practice() -> Cast:
    """The practice, with one person of each role and an API key."""
    admin = people.create_practice(name=NAME, country="NZ", admin_email="admin@harbour.example")
    practice = admin.membership.practice
    log_ins = [LogIn(role="Admin", email="admin@harbour.example", password=admin.password)]
    for role in (Role.ACCOUNTS, Role.VIEWER):
        email = f"{role.value}@harbour.example"
        new = people.add_member(practice=practice, email=email, role=role)
        log_ins.append(LogIn(role=str(role.label), email=email, password=new.password))
    _, key = people.make_key(practice=practice, name="Abtrac", actor=admin.membership.user)
    return Cast(practice=practice, key=key, log_ins=log_ins)


def send_over_api(*, stage: Stage, cast: Cast, story: Story) -> None:
    """All rows through the REST API, as Abtrac itself would send them. Raises WentWrong."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Api-Key {cast.key}"
        api = f"{stage.url}/api/v1"
        for name, rows in (
            ("invoice-settings", story.settings),
            ("offices", story.offices),
            ("clients", story.clients),
            ("jobs", story.jobs),
            ("invoices", story.invoices),
        ):
            _checked(session.put(f"{api}/{name}", json={"rows": rows}, timeout=60))
        for step, ids in (("approve", story.approved), ("commit", story.committed)):
            _checked(session.post(f"{api}/invoices/{step}", json={"invoices": ids}, timeout=60))
        numbers = {one["abtrac_id"]: one["number"] for one in story.invoices}
        for invoice_id in story.with_pdf:
            _checked(
                session.put(
                    f"{api}/invoices/{invoice_id}/pdf",
                    data=pdf_of(numbers[invoice_id]),
                    headers={"Content-Type": "application/pdf"},
                    timeout=60,
                )
            )


def _checked(answer: requests.Response) -> None:
    if not answer.ok:
        call = f"{answer.request.method} {answer.url}"
        raise WentWrong(f"{call} answered {answer.status_code}: {answer.text[:500]}")


def connect(*, stage: Stage, cast: Cast, story: Story) -> None:
    """An admin connects Xero step by step, from the tile to going live."""
    admin = cast.log_ins[0]
    person = _logged_in(stage, admin)
    base = f"/{cast.practice.slug}/accounting/interfaces/"
    try:
        person.open(base)
        person.submit("/add/", package_key="xero")
        # Now at the rehearsal Xero, which asks what this app may reach.
        _allow(person)
        organisation = stage.standin.organisation(ORGANISATION).tenant_id
        person.submit("/choose/", company_file=organisation)
        one = person.page.url.removeprefix(stage.url).removesuffix("codes/")
        chosen = {
            name: person.option("/codes/save/", name, text) for name, text in DEFAULTS.items()
        }
        person.submit("/codes/save/", **chosen)
        person.open(f"{one}preferences/")
        person.submit("/preferences/", set_delivery_status="AUTHORISED")
        person.open(f"{one}set-up/?after=clients")
        form = person.form("/invoice-settings/")
        first = min(row["issued"] for row in story.invoices)
        person.submit(
            "/invoice-settings/", setting=list(form.options["setting"]), offered_from=first
        )
        person.open(f"{one}go-live/")
        person.submit("/go-live/", sure="on")
    except Lost as error:
        raise WentWrong(f"Connecting Xero: {error}") from None
    finally:
        person.close()


def _allow(person: Person) -> None:
    form = person.form("/authorize")
    boxes = {name: list(values) for name, values in form.options.items()}
    person.submit("/authorize", **boxes, decision="allow")


def spoil(*, stage: Stage, story: Story) -> None:
    """Meanwhile at the bookkeeper's: an account archived, a period locked, a number used."""
    books = stage.standin.organisation(ORGANISATION)
    books.archive_account(ARCHIVED_LATER)
    books.set_lock_date(story.lock_date)
    books.add_contact(name=TAKEN_BY)
    books.add_invoice(number=story.taken_number, contact=TAKEN_BY, total=TAKEN_TOTAL)


def upload(*, stage: Stage, cast: Cast) -> int:
    """An accounts person ticks the whole list and uploads; the batch's number. Raises WentWrong."""
    person = _logged_in(stage, cast.log_ins[1])
    try:
        person.open(f"/{cast.practice.slug}/accounting/upload/")
        offered = list(person.form("/upload/send/").options["invoice"])
        person.submit("/upload/send/", invoice=offered)
        number = int(person.page.url.rstrip("/").rsplit("/", 1)[1])
    except (Lost, ValueError) as error:
        raise WentWrong(f"Uploading: {error}") from None
    finally:
        person.close()
    _wait_for(cast, number)
    return number


def _logged_in(stage: Stage, log_in: LogIn) -> Person:
    person = Person(stage.url)
    try:
        person.open("/accounts/login/")
        person.submit("/accounts/login/", login=log_in.email, password=log_in.password)
    except Lost as error:
        person.close()
        raise WentWrong(f"Logging in as {log_in.email}: {error}") from None
    return person


def _wait_for(cast: Cast, number: int) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        with acting_for(cast.practice.pk):
            if Batch.objects.filter(number=number, finished_at__isnull=False).exists():
                return
        time.sleep(0.1)
    raise WentWrong(f"Batch {number} was not finished after {PATIENCE_SECONDS:.0f} seconds.")


def documents_of(cast: Cast, number: int) -> list[Upload]:
    """The invoices and credit notes of the batch, in the order they were sent."""
    with acting_for(cast.practice.pk):
        found = Upload.objects.filter(batch__number=number, kind__in=DOCUMENTS)
        return list(
            found.select_related("invoice__client", "interface").order_by(
                "invoice__issued", "invoice__number"
            )
        )


def not_offered(cast: Cast) -> tuple[list[str], int]:
    """The numbers of the write-offs, and how many drafts there are."""
    with acting_for(cast.practice.pk):
        committed = Invoice.objects.filter(status=Invoice.Status.COMMITTED, total=0)
        numbers = list(committed.order_by("number").values_list("number", flat=True))
        return numbers, Invoice.objects.exclude(status=Invoice.Status.COMMITTED).count()


def differences(*, stage: Stage, story: Story) -> list[str]:
    """What the rehearsal Xero holds that it should not, or lacks, or has at another total."""
    books = stage.standin.organisation(ORGANISATION)
    held: dict[str, list[Decimal]] = {}
    for document in (*books.documents("ACCREC"), *books.documents("ACCRECCREDIT")):
        held.setdefault(document.number, []).append(document.total)
    # The bookkeeper's own, which was there before.
    if TAKEN_TOTAL in held.get(story.taken_number, []):
        held[story.taken_number].remove(TAKEN_TOTAL)
    wrong = []
    for number, total in story.expected.items():
        there = held.pop(number, [])
        if there != [total]:
            wrong.append(f"{number} should be there once at {total}: {_amounts(there)}")
    wrong += [f"{number} should not be there" for number, there in held.items() if there]
    return wrong


def _amounts(totals: Sequence[Decimal]) -> str:
    return ", ".join(str(total) for total in totals) or "not there"
