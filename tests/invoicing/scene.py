"""A practice in the middle of its work: every state that a page can show."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.utils import timezone

from interfaces.models import AccountingInterface, CodeRule, Lane, PackageBreaker
from invoicing.contact_book import fold
from invoicing.models import (
    Attempt,
    Batch,
    Client,
    ContactLink,
    Exchange,
    Invoice,
    InvoicePdf,
    InvoiceSetting,
    Job,
    Notice,
    PackageContact,
    PaymentReceived,
    Upload,
    UploadEvent,
)
from invoicing.uploads.states import DOCUMENTS, LIVE, mark_in_upload
from offices.models import Office, User
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_job,
    make_office,
    make_setting,
)

State = Upload.State
Kind = Upload.Kind

NAMES = (
    "Ridgeline Holdings Ltd",
    "Harbour View Trust",
    "Te Aro Cafe Group",
    "Southern Cross Schools",
    "Mason & Daughters Builders",
    "Kauri Point Marina",
    "J Brown",
    "Waitaki District Council",
    "Northcote Medical Centre",
    "Pohutukawa Apartments Body Corporate 40217",
)
_remote = count(1001)


@dataclass
class Scene:
    """What was made, by name."""

    interface: AccountingInterface
    lapsed: AccountingInterface
    setting: InvoiceSetting
    office: Office
    lapsed_office: Office
    unlinked_office: Office
    clients: list[Client]
    job: Job
    available: list[Invoice] = field(default_factory=list)
    parked: list[Invoice] = field(default_factory=list)
    finished: Batch | None = None
    running: Batch | None = None
    waiting: Batch | None = None
    uploads: dict[str, Upload] = field(default_factory=dict)
    rules: list[CodeRule] = field(default_factory=list)


def make_batch(number: int, *, actor: User | None = None, finished: bool = False) -> Batch:
    """A batch of that number."""
    now = timezone.now()
    return Batch.objects.create(
        number=number,
        created_by=actor,
        created_at=now - timedelta(minutes=5),
        finished_at=now if finished else None,
    )


def make_upload(
    batch: Batch, invoice: Invoice, state: str = State.QUEUED, kind: str = "", **fields: Any
) -> Upload:
    """An upload of the invoice in that state, with the history that leads there."""
    interface = fields.pop("interface", None) or invoice.invoice_setting.interface
    assert interface is not None
    if state == State.SENT:
        number = next(_remote)
        fields = {
            "remote_id": f"b1d6f4a2-{number}",
            "remote_number": invoice.number,
            "remote_url": f"https://go.xero.example/invoices/b1d6f4a2-{number}",
            "remote_total": abs(invoice.total),
            "sent_at": timezone.now(),
            **fields,
        }
    upload = Upload.objects.create(
        batch=batch,
        interface=interface,
        invoice=invoice,
        kind=kind or (Kind.CREDIT_NOTE if invoice.is_credit_note else Kind.INVOICE),
        state=state,
        document={"key": f"key-{invoice.pk}", "number": invoice.number},
        **{"due": timezone.now() if state in ("queued", "unknown") else None, **fields},
    )
    if upload.kind in DOCUMENTS and state in LIVE:
        mark_in_upload([upload], True)
    tell_history(upload)
    return upload


def make_step(
    batch: Batch,
    interface: AccountingInterface,
    *,
    client: Client | None = None,
    job: Job | None = None,
    **fields: Any,
) -> Upload:
    """A contact or a job on its way, which the invoices that name it wait for."""
    return Upload.objects.create(
        batch=batch,
        interface=interface,
        client=client,
        job=job,
        kind=Kind.CONTACT if client else Kind.JOB,
        document={"key": "step"},
        **{"due": timezone.now(), **fields},
    )


PATHS: dict[str, Sequence[str]] = {
    State.CLAIMED: ("queued", "claimed"),
    State.SENDING: ("queued", "claimed", "sending"),
    State.UNKNOWN: ("queued", "claimed", "sending", "unknown"),
    State.SENT: ("queued", "claimed", "sending", "sent"),
    State.REFUSED: ("queued", "claimed", "sending", "refused"),
    State.NEEDS_PERSON: ("queued", "claimed", "sending", "unknown", "needs_person"),
    State.PARKED: ("queued", "claimed", "sending", "refused", "parked"),
    State.CANCELLED: ("queued", "cancelled"),
}


def tell_history(upload: Upload) -> None:
    """The moves that lead to the upload's state, and the call that was made."""
    before = ""
    for after in PATHS.get(upload.state, ("queued",)):
        reason = upload.reason[:500] if after == upload.state else ""
        UploadEvent.objects.create(upload=upload, before=before, after=after, reason=reason)
        before = after
    if "sending" in PATHS.get(upload.state, ()):
        exchange = Exchange.objects.create(
            interface=upload.interface,
            method="PUT",
            path="/api.xro/2.0/Invoices?summarizeErrors=false&unitdp=4",
            call_key="k",
            body=b'{"Invoices": [{"InvoiceNumber": "ABT-1"}]}',
            answered_at=timezone.now() if upload.state != State.SENDING else None,
            status=200 if upload.state in (State.SENT, State.REFUSED, State.PARKED) else 0,
            answer=b'{"Status": "OK"}',
            failure="" if upload.state != State.UNKNOWN else "No answer in 60 seconds",
        )
        Attempt.objects.create(upload=upload, exchange=exchange, revision=1, generation=1)


def make_scene(actor: User | None = None) -> Scene:
    """All of it. Needs a scope."""
    interface = make_interface(name="Xero Auckland")
    lapsed = make_interface(name="Xero Wellington", company_file_name="Harbour Wellington Ltd")
    lapsed.state = AccountingInterface.State.NEEDS_CONSENT
    lapsed.state_reason = "Xero has signed us out."
    lapsed.save()
    setting = make_setting(interface, name="Standard")
    job = make_job(make_client("Ridgeline Holdings Ltd"), description="Ridgeline House")
    scene = Scene(
        interface=interface,
        lapsed=lapsed,
        setting=setting,
        office=make_office(setting, name="Auckland"),
        lapsed_office=make_office(make_setting(lapsed, name="Wellington"), name="Wellington"),
        unlinked_office=make_office(make_setting(name="Overseas work"), name="Queenstown"),
        clients=[job.client, *(make_client(name) for name in NAMES[1:])],
        job=job,
    )
    scene.rules.append(
        CodeRule.objects.create(
            interface=interface,
            scope=CodeRule.Scope.TASK,
            subject="Survey",
            account=interface.accounts.get(code="260"),
        )
    )
    _finished(scene, actor)
    _running(scene, actor)
    _waiting_for_consent(scene, actor)
    _offered(scene)
    _parked(scene, actor)
    _contacts(scene)
    return scene


def _invoice(scene: Scene, place: int, *nets: str, **fields: Any) -> Invoice:
    office = fields.pop("office", scene.office)
    return make_invoice(
        office,
        scene.clients[place % len(scene.clients)],
        nets=nets or (f"{1250 + 375 * place}.50",),
        issued=date(2026, 11, 1) + timedelta(days=place),
        **fields,
    )


def _finished(scene: Scene, actor: User | None) -> None:
    batch = scene.finished = make_batch(1, actor=actor, finished=True)
    keep = scene.uploads
    first = _invoice(scene, 0, "12400.00", "860.00", job=scene.job, order_number="PO 4471")
    keep["sent"] = make_upload(batch, first, State.SENT)
    InvoicePdf.objects.create(
        invoice=first, file_name="ABT invoice.pdf", content=b"%PDF-1.4", sha256="0" * 64
    )
    PaymentReceived.objects.create(
        interface=scene.interface,
        invoice=first,
        remote_id="p-1",
        paid_on=date(2026, 11, 20),
        amount=Decimal("5000.00"),
        reference="Ridgeline part payment",
    )
    first.paid = Decimal("5000.00")
    first.package_status = "authorised"
    first.save(update_fields=["paid", "package_status"])
    keep["credit"] = make_upload(
        batch, _invoice(scene, 0, "-860.00", credits=first, job=scene.job), State.SENT
    )
    keep["warned"] = make_upload(
        batch,
        _invoice(scene, 1),
        State.SENT,
        warnings=["Xero shows a total of 1,869.33; ours is 1,869.32."],
    )
    for place in range(2, 5):
        make_upload(batch, _invoice(scene, place), State.SENT)
    keep["refused"] = make_upload(
        batch,
        _invoice(scene, 5, "900.00", "120.00"),
        State.REFUSED,
        reason="Invoice line 2: account 260 is archived in Xero.",
        next_step="Choose another account, or restore 260 in Xero. Then retry.",
        field="account_code",
        code="account_archived",
        package_words="Account code '260' has been archived, or is not valid for this document.",
    )
    keep["conflict"] = make_upload(
        batch,
        _invoice(scene, 6),
        State.NEEDS_PERSON,
        reason="Xero has an invoice of this number: 990.00, J Brown. Ours is 4,025.00, J Brown.",
        next_step="Is it the same? Say so. If not, give ours another number in Abtrac.",
        code="conflict",
        field="number",
        remote_id="0c1d-77",
        remote_number="ABT-00099",
        remote_total=Decimal("990.00"),
        there={
            "contact_name": "J Brown & Sons",
            "issued": "2026-10-30",
            "currency": "NZD",
            "status": "Paid",
        },
        remote_url="https://go.xero.example/invoices/other",
    )
    keep["not_known"] = make_upload(
        batch,
        _invoice(scene, 7),
        State.NEEDS_PERSON,
        reason="Xero did not answer, and could not be asked since.",
        next_step="Look in Xero whether it is there. Then retry, or say which one it is.",
        unknown_since=timezone.now() - timedelta(days=2),
    )
    keep["cancelled"] = make_upload(
        batch, _invoice(scene, 8), State.CANCELLED, reason="Cancelled before it was sent."
    )
    keep["parked"] = make_upload(batch, _invoice(scene, 9), State.PARKED)
    again = _invoice(scene, 3)
    keep["went_on"] = make_upload(batch, again, State.REFUSED, reason="The client was archived.")
    Upload.objects.create(
        batch=batch,
        interface=scene.interface,
        invoice=first,
        kind=Kind.PDF,
        state=State.REFUSED,
        reason="Xero did not take the PDF: it is larger than 25 MB.",
        next_step="The invoice itself is there. Make the PDF smaller in Abtrac, then retry.",
        document={"key": "pdf"},
    )
    scene.available.append(keep["refused"].invoice)  # type: ignore[arg-type]


def _running(scene: Scene, actor: User | None) -> None:
    batch = scene.running = make_batch(2, actor=actor)
    keep, now = scene.uploads, timezone.now()
    again = keep["went_on"].invoice
    assert again is not None
    keep["again"] = make_upload(batch, again, State.SENT)
    keep["queued"] = make_upload(batch, _invoice(scene, 10), State.QUEUED)
    keep["retry"] = make_upload(
        batch,
        _invoice(scene, 11),
        State.QUEUED,
        tries=2,
        due=now + timedelta(minutes=20),
        reason="Xero could not be reached.",
    )
    keep["next_year"] = make_upload(
        batch,
        _invoice(scene, 17),
        State.QUEUED,
        due=now + timedelta(days=366),
        reason="Xero allows only so many calls a day.",
    )
    keep["claimed"] = make_upload(batch, _invoice(scene, 12), State.CLAIMED)
    keep["sending"] = make_upload(batch, _invoice(scene, 13), State.SENDING)
    keep["unknown"] = make_upload(
        batch,
        _invoice(scene, 14),
        State.UNKNOWN,
        reason="Xero did not answer in time, so we do not know yet whether it arrived. We are"
        " checking; please do not enter it by hand.",
        unknown_since=now,
    )
    for place in (15, 16):
        make_upload(batch, _invoice(scene, place), State.QUEUED)
    keep["contact"] = Upload.objects.create(
        batch=batch,
        interface=scene.interface,
        client=scene.clients[4],
        kind=Kind.CONTACT,
        state=State.NEEDS_PERSON,
        reason="Xero has two contacts named Mason & Daughters Builders.",
        next_step="Merge or archive one of them in Xero, then retry.",
        document={"key": "contact"},
    )
    keep["job"] = Upload.objects.create(
        batch=batch,
        interface=scene.interface,
        job=scene.job,
        kind=Kind.JOB,
        state=State.QUEUED,
        due=now,
        document={"key": "job"},
    )
    Lane.objects.filter(interface=scene.interface).update(
        hold_until=now + timedelta(minutes=12),
        hold_reason="Xero allows only so many calls a minute.",
    )


def _waiting_for_consent(scene: Scene, actor: User | None) -> None:
    batch = scene.waiting = make_batch(3, actor=actor)
    for place in (18, 19):
        make_upload(batch, _invoice(scene, place, office=scene.lapsed_office), State.QUEUED)


def _offered(scene: Scene) -> None:
    scene.available += [
        _invoice(scene, 20, "4800.00", "350.25", job=scene.job),
        _invoice(scene, 21, "-420.00"),
        _invoice(scene, 22, recipient="Accounts Payable, Te Aro Cafe Group"),
        _invoice(scene, 23, office=scene.lapsed_office),
        _invoice(scene, 24, office=scene.unlinked_office, currency="AUD"),
        _invoice(scene, 25),
    ]
    _invoice(scene, 26, "0.00")  # a write-off
    _invoice(scene, 27, committed=False)


def _parked(scene: Scene, actor: User | None) -> None:
    for place, why in ((28, "Sent by hand in October"), (29, "Client disputes the claim")):
        scene.parked.append(
            _invoice(
                scene,
                place,
                parked_at=timezone.now(),
                parked_by=actor,
                parked_reason=why,
            )
        )


def _contacts(scene: Scene) -> None:
    """The contacts as last read: certain, likely, archived; and a client that is linked."""
    scene.interface.contacts_read_at = timezone.now() - timedelta(hours=2)
    scene.interface.save(update_fields=["contacts_read_at"])
    for name in ("Harbour View Ltd", "Te Aro Cafe Group", "Mason and Daughters", "J Brown & Co"):
        PackageContact.objects.create(
            interface=scene.interface,
            remote_id=f"contact-{name}",
            name=name,
            folded=fold(name),
            email="accounts@contact.example",
            archived=name == "J Brown & Co",
        )
    ContactLink.objects.create(
        interface=scene.interface, client=scene.clients[3], name="", remote_id="contact-elsewhere"
    )


def make_trouble(scene: Scene) -> None:
    """Everything that can be late is, and the package is in trouble with everybody."""
    now = timezone.now()
    for days, kind in enumerate(Notice.Kind, start=1):
        interface = scene.lapsed if kind == Notice.Kind.NO_CONSENT else scene.interface
        Notice.objects.create(
            practice_id=interface.practice_id,
            interface=interface,
            kind=kind,
            since=now - timedelta(days=days),
            uploads=0 if kind in {Notice.Kind.PAYMENTS, Notice.Kind.CODES} else 3 * days,
            oldest_upload=None if kind in {Notice.Kind.PAYMENTS, Notice.Kind.CODES} else 4711,
            oldest_batch=None if kind in {Notice.Kind.PAYMENTS, Notice.Kind.CODES} else 2,
            last_contact=now - timedelta(days=days) if days > 2 else None,
        )
    PackageBreaker.objects.create(
        package_key="xero", open_until=now + timedelta(minutes=7), open_seconds=480
    )
    Lane.objects.filter(interface=scene.lapsed).update(open_until=now + timedelta(minutes=7))
