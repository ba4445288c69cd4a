"""Why each upload on its way waits, and until when: the same wherever it is told."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client as Browser

from interfaces.models import AccountingInterface, Lane, PackageBreaker
from invoicing.models import Batch, Invoice, Upload
from invoicing.prospects import Prospect, look_ahead
from invoicing.uploads import waiting
from offices.models import Practice, Role
from offices.tenancy import acting_for
from tests.factories import make_client, make_interface, make_invoice, make_job, make_member
from tests.invoicing.pages import client_of, text_of, url
from tests.invoicing.scene import Scene, make_batch, make_scene, make_step, make_upload
from tests.invoicing.test_pages_batches import row_of

pytestmark = pytest.mark.django_db

State = Upload.State
NOW = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
UNREACHABLE = "Xero could not be reached."


@pytest.fixture
def scene(practice: Practice) -> Scene:
    """A practice; nothing holds its lane back but what a test says."""
    with acting_for(practice.pk):
        made = make_scene()
        Lane.objects.update(hold_until=None, hold_reason="")
    return made


@pytest.fixture
def browser(practice: Practice) -> Browser:
    """The browser of somebody who may upload; what is kept for a visit is there."""
    browser = client_of(make_member(practice, Role.ACCOUNTS))
    browser.get("/")
    return browser


@pytest.fixture
def batch(practice: Practice, scene: Scene) -> Batch:
    """An empty batch."""
    with acting_for(practice.pk):
        return make_batch(7)


def lane(scene: Scene, **fields: object) -> None:
    Lane.objects.filter(interface=scene.interface).update(**fields)


def test_an_invoice_whose_client_is_still_coming_says_so_and_until_when(
    practice: Practice, scene: Scene, browser: Browser, batch: Batch
) -> None:
    with acting_for(practice.pk):
        client = make_client("Kelburn Trust")
        make_step(
            batch, scene.interface, client=client, due=NOW + 6 * MINUTE, reason=UNREACHABLE, tries=1
        )
        upload = make_upload(batch, make_invoice(scene.office, client), due=NOW - MINUTE)
    words = f"Waits until its client Kelburn Trust is in Xero. {UNREACHABLE}"
    with time_machine.travel(NOW, tick=False):
        listed = browser.get(url(practice, "batches/7/"))
        page = text_of(browser.get(url(practice, f"invoices/{upload.invoice_id}/")))
    # The time is the contact's own.
    assert f" Waiting until 13:36 \N{EN DASH} {words}" in row_of(listed, upload)
    assert "Contact Kelburn Trust Waiting until 13:36" in text_of(listed)
    assert f"Waiting until 13:36 {words}" in page


def test_an_invoice_waits_for_every_job_it_names_and_goes_after_the_last(
    practice: Practice, scene: Scene, browser: Browser, batch: Batch
) -> None:
    with acting_for(practice.pk):
        client = make_client("Kelburn Trust")
        jobs = [make_job(client, code=code) for code in ("K1", "K2", "K3")]
        invoice = make_invoice(scene.office, client, job=jobs[0], nets=("10.00", "20.00"))
        invoice.lines.filter(position=2).update(job=jobs[1])
        upload = make_upload(batch, invoice)
        make_step(batch, scene.interface, client=client, state=State.SENDING, reason="Old.")
        for minutes, job in zip((9, 4, 30), jobs, strict=True):
            make_step(batch, scene.interface, job=job, due=NOW + minutes * MINUTE)
    with time_machine.travel(NOW, tick=False):
        row = row_of(browser.get(url(practice, "batches/7/")), upload)
    assert "Waiting until 13:39 " in row
    names = "its client Kelburn Trust, its job K1 and its job K2"
    assert f"Waits until {names} are in Xero." in row
    assert "Old." not in row


def test_what_they_wait_for_is_what_keeps_them_from_being_sent(
    practice: Practice, scene: Scene, batch: Batch
) -> None:
    with acting_for(practice.pk):
        other = make_interface(name="Another Xero")
        clients = [make_client(), make_client()]
        jobs = [make_job(client) for client in clients]
        in_line = make_invoice(scene.office, clients[1])
        in_line.lines.update(job=jobs[1])
        invoices = [
            make_invoice(scene.office, clients[0]),
            make_invoice(scene.office, clients[1], job=jobs[1]),
            make_invoice(scene.office, clients[1], job=jobs[0]),
            in_line,
            make_invoice(scene.office, clients[1]),
        ]
        for one in invoices:
            make_upload(batch, one)
        make_upload(batch, make_invoice(scene.office, clients[0]), interface=other)
        make_upload(batch, invoices[0], kind=Upload.Kind.PDF)
        for fields in ({"client": clients[0]}, {"job": jobs[1], "state": State.UNKNOWN}):
            make_step(batch, scene.interface, **fields)
        uploads = Upload.objects.filter(batch=batch).select_related("invoice", "interface")
        rows = list(uploads.order_by("pk"))
        ahead = waiting.ahead_of(rows)
        free = {
            *waiting.ready(scene.interface.pk).values_list("pk", flat=True),
            *waiting.ready(other.pk).values_list("pk", flat=True),
        }
    queued = {one.pk for one in rows if one.state == State.QUEUED}
    assert {pk for pk in queued if not ahead.get(pk)} == queued & free
    waits: list[Invoice | None] = [one.invoice for one in rows if ahead.get(one.pk)]
    assert waits == [invoices[0], invoices[1], invoices[3]]


@pytest.mark.parametrize("who", ["the package", "the interface", "everybody"])
def test_nothing_is_said_to_go_before_its_interface_goes_on(
    practice: Practice, scene: Scene, browser: Browser, batch: Batch, who: str
) -> None:
    later = NOW + 24 * MINUTE
    with acting_for(practice.pk):
        rows = [
            make_upload(batch, make_invoice(scene.office, scene.clients[0]), due=due, **fields)
            for due, fields in (
                (NOW - MINUTE, {"reason": UNREACHABLE, "tries": 1}),
                (NOW + 23 * MINUTE, {"reason": UNREACHABLE, "tries": 2}),
                (NOW - MINUTE, {}),
                (NOW + 30 * MINUTE, {"reason": "Xero is being updated."}),
            )
        ]
        checked = make_upload(
            batch, make_invoice(scene.office, scene.clients[0]), State.UNKNOWN, due=NOW - MINUTE
        )
    reason = "Waits until Xero answers again."
    if who == "the package":
        reason = "Xero allows only so many calls a minute."
        lane(scene, hold_until=later, hold_reason=reason, open_until=NOW + MINUTE)
    elif who == "the interface":
        lane(scene, open_until=later, hold_until=NOW + MINUTE, hold_reason="Xero said so.")
    else:
        PackageBreaker.objects.create(package_key="xero", open_until=later, open_seconds=60)
        lane(scene, open_until=NOW + MINUTE)
    with time_machine.travel(NOW, tick=False):
        page = browser.get(url(practice, "batches/7/"))
        invoice = text_of(browser.get(url(practice, f"invoices/{checked.invoice_id}/")))
    first, second, third, fourth = (row_of(page, one) for one in rows)
    assert "Waiting until 13:54" in first
    assert "Waiting until 13:54" in second
    assert f"Waiting until 13:54 \N{EN DASH} {reason}" in third
    assert "Waiting until 14:00" in fourth
    assert "We look again at 13:54." in row_of(page, checked)
    assert "We look again at 13:54." in invoice
    told = text_of(page)
    assert f"2 uploads tried again from 13:54: {UNREACHABLE}" in told
    assert "We look again at 13:54; please" in told
    assert "Xero is tried again at 13:54." in told
    assert "13:31" not in told
    assert "13:53" not in told


@pytest.mark.parametrize(
    ("state", "until"), [("needs_consent", "connected"), ("paused", "resumed")]
)
def test_what_waits_for_a_person_has_no_time(
    practice: Practice, scene: Scene, browser: Browser, batch: Batch, state: str, until: str
) -> None:
    with acting_for(practice.pk):
        client = make_client("Kelburn Trust")
        make_step(batch, scene.lapsed, client=client, due=NOW + 6 * MINUTE, reason=UNREACHABLE)
        invoice = make_invoice(scene.lapsed_office, client)
        upload = make_upload(batch, invoice, due=NOW + 9 * MINUTE, reason=UNREACHABLE)
        AccountingInterface.objects.filter(pk=scene.lapsed.pk).update(
            name="Xero Kelburn", state=state
        )
    with time_machine.travel(NOW, tick=False):
        page = browser.get(url(practice, "batches/7/"))
    assert f"Waiting \N{EN DASH} Waits until Xero Kelburn is {until}." in row_of(page, upload)
    assert "tried again" not in text_of(page)
    assert "Waiting until" not in text_of(page)


def test_what_is_through_costs_no_question(
    practice: Practice, scene: Scene, django_assert_num_queries: object
) -> None:
    with acting_for(practice.pk):
        through = [scene.uploads["sent"], scene.uploads["refused"]]
        with django_assert_num_queries(0):  # type: ignore[operator]
            look_ahead(through)
    refused = through[1]
    told = Prospect(reason=refused.reason, next_step=refused.next_step)
    assert refused.prospect == told  # type: ignore[attr-defined]
