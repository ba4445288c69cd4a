"""What is sent to a rehearsal company was never sent, and leaves nothing behind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import Error, models, transaction
from django.test import Client as Browser
from django.utils import timezone

from connectors.base.rehearsals import Rehearsals
from interfaces.models import AccountCode, AccountingInterface, Lane, RateBucket, TaxCode
from invoicing import lateness, payments, rehearsals, uploads
from invoicing.invoices import Refused, keep_pdf, uncommit
from invoicing.models import (
    Batch,
    ContactLink,
    Exchange,
    Invoice,
    InvoiceSetting,
    Upload,
    UploadEvent,
)
from invoicing.uploads import killpoints, lane
from offices.models import AuditEntry, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_member,
    make_office,
    make_setting,
)
from tests.invoicing.abtrac import Abtrac
from tests.invoicing.pages import client_of, said, text_of, url
from tests.rehearsing import rehearse, rehearsing, stand_in

__all__ = ["rehearsing"]

pytestmark = pytest.mark.django_db(transaction=True)

MARK = "Rehearsal: nothing here reaches Xero"


@dataclass(kw_only=True)
class Play:
    """A practice that rehearses, and what it does."""

    practice: Practice
    admin: User
    browser: Browser
    interface: AccountingInterface
    setting: InvoiceSetting
    invoices: list[Invoice]

    @property
    def page(self) -> str:
        """The rehearsal's own page."""
        return url(self.practice, f"interfaces/{self.interface.pk}/")

    def link(self, interface: AccountingInterface, *, move: bool = False) -> Any:
        """Tick the invoice setting at the page of the interface."""
        given = {"setting": self.setting.pk, "offered_from": "2026-11-01"} | (
            {"move": self.setting.pk} if move else {}
        )
        page = url(self.practice, f"interfaces/{interface.pk}/invoice-settings/")
        return self.browser.post(page, given)

    def upload(self, *invoices: Invoice) -> None:
        """Tick invoices and press “Upload to accounts”; the worker does its part."""
        chosen = [one.pk for one in invoices or self.invoices]
        sent = self.browser.post(url(self.practice, "upload/send/"), {"invoice": chosen})
        assert sent.status_code == 302, sent.content
        self.work()

    def work(self) -> None:
        """A worker's turn."""
        lane.drain(practice_id=self.practice.pk, interface_id=self.interface.pk)

    def states(self) -> list[str]:
        """Of all invoices' uploads."""
        with acting_for(self.practice.pk):
            rows = Upload.objects.filter(kind__in=["invoice", "credit_note"]).order_by("pk")
            return list(rows.values_list("state", flat=True))

    def offered(self) -> list[str]:
        """The numbers on the available list."""
        page = text_of(self.browser.get(url(self.practice, "upload/")))
        return [one.number for one in self.invoices if one.number in page]

    def remove(self) -> Any:
        """Press “Remove rehearsal”; the page after it."""
        return self.browser.post(f"{self.page}remove/", follow=True)


@pytest.fixture
def play(practice: Practice, rehearsing: Rehearsals) -> Play:
    """Two invoices whose setting is linked to a rehearsal with codes."""
    admin = make_member(practice, Role.ADMIN, "ana@harbour.example")
    browser = client_of(admin)
    interface = rehearse(browser, practice)
    with acting_for(practice.pk):
        AccountingInterface.objects.filter(pk=interface.pk).update(
            live_since=timezone.now(),
            revenue_account=AccountCode.objects.get(code="200"),
            disbursement_account=AccountCode.objects.get(code="210"),
            revenue_tax=TaxCode.objects.get(code="OUTPUT2"),
            tax_free_tax=TaxCode.objects.get(code="ZERORATED"),
            preferences={"delivery_status": "AUTHORISED"},
        )
        setting = make_setting()
        office, client = make_office(setting), make_client()
        invoices = [make_invoice(office, client), make_invoice(office, client, nets=["-50.00"])]
    made = Play(
        practice=practice,
        admin=admin,
        browser=browser,
        interface=interface,
        setting=setting,
        invoices=invoices,
    )
    made.link(interface)
    browser.get(made.page)  # what there was to be said is said
    return made


@pytest.fixture
def sent(play: Play) -> Play:
    """Both are in the rehearsal company."""
    play.upload()
    assert play.states() == ["sent", "sent"]
    return play


@pytest.fixture
def real(play: Play) -> AccountingInterface:
    """An interface to the real Xero, which nobody calls."""
    with acting_for(play.practice.pk):
        return make_interface(name="Xero", live_since=timezone.now())


def rows_of(practice: Practice) -> dict[str, int]:
    """How many rows of each kind the practice has, without its record and its log-ins."""
    counts = {}
    with acting_for(practice.pk):
        for model in apps.get_models():
            fields = [one for one in model._meta.get_fields() if isinstance(one, models.ForeignKey)]
            if any(one.related_model is Practice for one in fields):
                rows = model._default_manager.filter(practice_id=practice.pk)
                counts[model._meta.label] = rows.count()
    del counts["offices.AuditEntry"]
    return counts


def test_invoices_go_to_the_rehearsal_company_and_say_so_everywhere(
    sent: Play, rehearsing: Rehearsals
) -> None:
    books = stand_in(rehearsing, sent.interface).organisation("Harbour Architects Ltd")
    numbers = [one.number for one in (*books.invoices, *books.credit_notes)]
    assert sorted(numbers) == sorted(one.number for one in sent.invoices)
    assert not RateBucket.objects.filter(name__startswith="rate:xero").exists()
    batch = sent.browser.get(url(sent.practice, "batches/1/"))
    assert MARK in text_of(batch)
    # There is no page of it anywhere: the link would lead into the real Xero.
    assert "Open in Xero" not in text_of(batch)
    invoice = sent.browser.get(url(sent.practice, f"invoices/{sent.invoices[0].pk}/"))
    assert MARK in text_of(invoice)
    assert "Rehearsal" in text_of(sent.browser.get(url(sent.practice, "batches/")))
    with acting_for(sent.practice.pk):
        assert set(Exchange.objects.values_list("path", flat=True).distinct())
        assert not Exchange.objects.filter(path__contains=sent.interface.rehearsal_token).exists()


def test_the_list_says_that_an_invoice_would_go_to_a_rehearsal(play: Play) -> None:
    page = text_of(play.browser.get(url(play.practice, "upload/")))
    assert page.count(MARK) == len(play.invoices)


def test_the_api_tells_nothing_of_it(sent: Play) -> None:
    abtrac = Abtrac(sent.practice)
    assert abtrac.get("uploads").json()["uploads"] == []
    told = abtrac.get(f"invoices/{sent.invoices[0].abtrac_id}").json()
    assert told["upload"] is None
    assert (told["paid"], told["package_status"], told["payments"]) == ("0.00", "", [])


def test_nothing_is_read_back_from_it(sent: Play, rehearsing: Rehearsals) -> None:
    books = stand_in(rehearsing, sent.interface).organisation("Harbour Architects Ltd")
    books.pay_invoice(sent.invoices[0].number, "100.00")
    assert (sent.practice.pk, sent.interface.pk) not in payments.due_interfaces()
    before = len(stand_in(rehearsing, sent.interface).requests)
    read = payments.read_payments(practice_id=sent.practice.pk, interface_id=sent.interface.pk)
    assert read == payments.ReadBack()
    assert len(stand_in(rehearsing, sent.interface).requests) == before


def test_nothing_of_it_is_ever_late(sent: Play) -> None:
    with acting_for(sent.practice.pk):
        long_ago = timezone.now() - timedelta(days=99)
        Upload.objects.update(state="refused", created_at=long_ago)
        AccountingInterface.objects.update(state_changed_at=long_ago, codes_read_at=long_ago)
        rows = AccountingInterface.objects.select_related("lane")
        assert lateness.late_at(rows) == []


def test_removed_it_leaves_nothing_behind(
    play: Play, rehearsing: Rehearsals, real: AccountingInterface
) -> None:
    with acting_for(play.practice.pk):
        other = make_setting(real, name="In earnest")
        kept = make_invoice(make_office(other), make_client())
        batch = Batch.objects.create(number=40)
        Upload.objects.create(
            interface=real, batch=batch, kind="invoice", invoice=kept, state="sent", remote_id="r"
        )
    before = rows_of(play.practice)
    play.upload()
    assert rows_of(play.practice)["invoicing.Upload"] > before["invoicing.Upload"]
    page = play.remove()
    told = said(page)[-1]
    assert told == (
        "Xero rehearsal is removed, with all that was rehearsed in it."
        " Standard goes through no interface now."
    )
    assert "Xero rehearsal" not in text_of(page).replace(told, "")
    after = rows_of(play.practice)
    gone = {name: before[name] - count for name, count in after.items() if count != before[name]}
    assert gone.pop("interfaces.AccountCode") > 5
    assert gone.pop("interfaces.TaxCode") > 3
    assert gone == {
        "interfaces.AccountingInterface": 1,
        "interfaces.ConsentRequest": 1,
        "interfaces.Credential": 1,
        "interfaces.Lane": 1,
    }
    assert rehearsing.standin("xero", play.interface.rehearsal_token) is None
    with acting_for(play.practice.pk):
        assert Upload.objects.get().invoice == kept
        assert InvoiceSetting.objects.get(pk=play.setting.pk).interface is None
        entry = AuditEntry.objects.get(action="interface.rehearsal_removed")
    assert entry.actor == play.admin
    assert entry.detail["before"]["invoice_settings"] == [play.setting.name]
    assert entry.detail["before"]["uploads"] == 3
    assert entry.detail["after"] is None
    assert play.offered() == [one.number for one in play.invoices]


def test_a_second_click_is_told_that_the_rehearsal_is_removed_already(play: Play) -> None:
    play.remove()
    assert said(play.remove()) == ["It is removed already."]
    never = play.browser.post(url(play.practice, "interfaces/987654/remove/"))
    assert never.status_code == 404


def test_the_history_of_what_was_really_sent_stays(play: Play, real: AccountingInterface) -> None:
    with acting_for(play.practice.pk):
        upload = Upload.objects.create(
            interface=real,
            batch=Batch.objects.create(number=40),
            kind="invoice",
            invoice=play.invoices[0],
        )
        UploadEvent.objects.create(upload=upload, after="queued")
        rehearsals.forget_uploads(real, [play.setting.pk])
        rehearsals.forget_invoices([play.invoices[0].abtrac_id])
        with pytest.raises(Error, match="append-only"), transaction.atomic():
            upload.delete()
    play.upload(play.invoices[1])
    play.remove()
    with acting_for(play.practice.pk):
        with pytest.raises(Error, match="append-only"), transaction.atomic():
            UploadEvent.objects.all().delete()
        assert UploadEvent.objects.filter(upload=upload).exists()


def test_a_real_interface_is_not_removed(play: Play, real: AccountingInterface) -> None:
    page = play.browser.post(url(play.practice, f"interfaces/{real.pk}/remove/"), follow=True)
    assert said(page) == ["Xero is no rehearsal. Disconnect it instead."]
    with acting_for(play.practice.pk):
        assert AccountingInterface.objects.filter(pk=real.pk, state="connected").exists()
        rehearsals.forget_uploads(real, [play.setting.pk])
    assert "Remove rehearsal" not in text_of(
        play.browser.get(url(play.practice, f"interfaces/{real.pk}/"))
    )


def test_what_was_refused_in_earnest_never_becomes_part_of_a_rehearsal(
    play: Play, real: AccountingInterface
) -> None:
    assert play.link(real, move=True).status_code == 302
    with acting_for(play.practice.pk):
        play.invoices[0].lines.update(account_code="999")
    play.upload(play.invoices[0])
    taken = play.link(play.interface, move=True)
    assert said(taken)[-1] == (
        f"Standard goes through {real}, which is in use. A rehearsal cannot take it: choose another"
        " invoice setting."
    )
    with acting_for(play.practice.pk):
        InvoiceSetting.objects.update(interface=play.interface)
        refused = Upload.objects.get(kind="invoice")
        answer = uploads.retry(upload_ids=[refused.pk], actor=play.admin)
        refused.refresh_from_db()
    assert (answer.queued, refused.interface_id, refused.state) == (0, real.pk, "refused")
    assert [one.reason for one in answer.left_out] == [
        f"It was uploaded through {real}. Upload it anew through {play.interface}."
    ]


def test_a_rehearsal_marks_nothing_as_already_in_the_accounts(play: Play) -> None:
    page = url(play.practice, f"interfaces/{play.interface.pk}/invoice-settings/")
    assert "mark_older" not in play.browser.get(page).content.decode()
    given = {"setting": play.setting.pk, "offered_from": "2027-01-01", "mark_older": "on"}
    play.browser.post(page, given)
    with acting_for(play.practice.pk):
        assert not Invoice.objects.filter(in_accounts_at__isnull=False).exists()


def test_the_number_of_a_removed_batch_is_not_given_again(
    sent: Play, real: AccountingInterface
) -> None:
    answer = sent.browser.post(f"{sent.page}remove/", follow=True)
    assert "Standard goes through no interface now." in said(answer)[-1]
    sent.link(real)
    sent.browser.post(
        url(sent.practice, "upload/send/"), {"invoice": [one.pk for one in sent.invoices]}
    )
    with acting_for(sent.practice.pk):
        assert [one.number for one in Batch.objects.all()] == [2]
    assert said(sent.remove())[-1] == "It is removed already."


def test_only_an_admin_removes(play: Play) -> None:
    browser = client_of(make_member(play.practice, Role.ACCOUNTS))
    assert browser.post(f"{play.page}remove/").status_code == 403


@pytest.mark.parametrize("first_unlinked", [False, True])
def test_what_was_rehearsed_can_be_sent_in_earnest(
    sent: Play, real: AccountingInterface, first_unlinked: bool
) -> None:
    assert sent.offered() == []
    if first_unlinked:
        sent.browser.post(f"{sent.page}invoice-settings/", {"offered_from": "2026-11-01"})
        assert sent.link(real).status_code == 302
    else:
        assert "Xero rehearsal" in text_of(sent.link(real))
        assert sent.link(real, move=True).status_code == 302
    assert sent.offered() == [one.number for one in sent.invoices]
    assert sent.states() == []
    sent.browser.post(
        url(sent.practice, "upload/send/"), {"invoice": [one.pk for one in sent.invoices]}
    )
    with acting_for(sent.practice.pk):
        documents = Upload.objects.filter(kind__in=["invoice", "credit_note"])
        assert {one.interface_id for one in documents} == {real.pk}
        # The client is known to the rehearsal company; the real one is still to be told of it.
        assert Upload.objects.filter(kind="contact", interface=real).exists()
        assert set(ContactLink.objects.values_list("interface", flat=True)) == {sent.interface.pk}
    batches = text_of(sent.browser.get(url(sent.practice, "batches/")))
    assert "Rehearsal" in batches  # the client's own upload is still of the first batch


def test_what_was_really_sent_stays_when_its_setting_moves(
    play: Play, real: AccountingInterface
) -> None:
    with acting_for(play.practice.pk):
        InvoiceSetting.objects.update(interface=real)
        Upload.objects.create(
            interface=real,
            batch=Batch.objects.create(number=40),
            kind="invoice",
            invoice=play.invoices[0],
            state="sent",
            remote_id="r",
        )
        Invoice.objects.filter(pk=play.invoices[0].pk).update(in_upload=True)
    with acting_for(play.practice.pk):
        # Not yet in use, so that the rehearsal may take its invoice setting.
        AccountingInterface.objects.filter(pk=real.pk).update(live_since=None)
    assert play.link(play.interface, move=True).status_code == 302
    assert play.states() == ["sent"]
    assert play.offered() == [play.invoices[1].number]


def test_an_invoice_that_was_only_rehearsed_can_be_un_committed(sent: Play) -> None:
    first, second = sent.invoices
    with acting_for(sent.practice.pk):
        assert uncommit(invoice_ids=[first.abtrac_id]).changed == [first.abtrac_id]
        assert not Upload.objects.filter(invoice=first).exists()
        assert Upload.objects.filter(invoice=second).exists()
        AccountingInterface.objects.update(rehearsal_token="")
        with pytest.raises(Refused, match="cannot be un-committed"):
            uncommit(invoice_ids=[second.abtrac_id])


def test_its_pdf_can_be_another_one_after_the_rehearsal(sent: Play) -> None:
    invoice = sent.invoices[0]
    with acting_for(sent.practice.pk):
        keep_pdf(invoice_id=invoice.abtrac_id, content=b"%PDF-1 first")
    sent.work()
    with acting_for(sent.practice.pk):
        assert Upload.objects.get(kind="pdf").state == "sent"
        assert keep_pdf(invoice_id=invoice.abtrac_id, content=b"%PDF-1 second").changed
        assert Upload.objects.get(kind="pdf").state == "queued"


PLACES = [
    killpoints.AFTER_CLAIM,
    killpoints.BEFORE_SOCKET,
    killpoints.AFTER_RECORD,
]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Any], None]]:
    """Does something once, when a worker is at a place."""
    planned: dict[str, Any] = {}

    def reached(place: str) -> None:
        if does := planned.pop(place, None):
            does()

    monkeypatch.setattr(killpoints, "reached", reached)
    yield planned.__setitem__
    assert not planned, "No worker came there."


@pytest.mark.parametrize("place", PLACES)
def test_a_worker_whose_rehearsal_is_removed_under_it_ends_its_turn(
    play: Play, meanwhile: Callable[[str, Any], None], place: str
) -> None:
    meanwhile(place, play.remove)
    play.upload()
    assert play.states() == []
    assert not Lane.objects.filter(interface_id=play.interface.pk).exists()
    play.work()  # its bell comes late
    assert play.offered() == [one.number for one in play.invoices]


def test_a_worker_whose_rehearsal_is_removed_after_its_last_call_gives_nothing_back(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = lane._work

    def work(held: Any) -> None:
        works(held)
        play.remove()

    monkeypatch.setattr(lane, "_work", work)
    play.upload()
    assert play.states() == []


def test_a_worker_whose_uploads_are_forgotten_under_it_leaves_the_lane_free(
    play: Play, real: AccountingInterface, meanwhile: Callable[[str, Any], None]
) -> None:
    play.upload(play.invoices[0])
    meanwhile(killpoints.BEFORE_SOCKET, lambda: play.link(real, move=True))
    play.upload(play.invoices[1])
    assert play.states() == []
    assert Lane.objects.get(interface=play.interface).owner == ""
    with acting_for(play.practice.pk):
        InvoiceSetting.objects.update(interface=play.interface)
    play.upload(play.invoices[1])
    assert play.states() == ["sent"]
