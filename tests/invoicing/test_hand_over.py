"""The end of a set-up by Abtrac's support: the dry run, the hand-over, the confirmation."""

import csv
import io
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from connectors.base.documents import LineKind
from interfaces import assistance
from interfaces.models import (
    AccountingInterface,
    LivePeriod,
    SetUpAnswers,
    SetUpFee,
    SetUpRequest,
)
from invoicing.models import DryRun, Invoice, InvoiceSetting, Upload
from offices.models import AuditEntry, Practice, Role, SupportGrant, User
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_member,
    make_office,
    make_setting,
    make_user,
)
from tests.invoicing.pages import client_of, said, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("invented_packages")]

State = SetUpRequest.State


@pytest.fixture
def ana(practice: Practice) -> User:
    return make_member(practice, Role.ADMIN, "ana@harbour.example")


@pytest.fixture
def sam() -> User:
    return make_user("sam@abtrac.example", is_support=True)


@pytest.fixture
def interface(practice: Practice, ana: User, sam: User) -> Iterator[AccountingInterface]:
    """Drawer, asked for by Ana, in Sam's hands, its codes and invoice setting chosen."""
    with acting_for(practice.pk):
        made = make_interface(
            package_key="drawer",
            name="Drawer",
            offered_from=date(2026, 11, 1),
            currency="",
            live_since=None,
        )
        SetUpAnswers.objects.create(interface=made, answers={"importer": "Bo"})
        make_setting(made, name="Head office")
    asked = SetUpRequest.objects.create(
        practice=practice,
        interface=made,
        package_key="drawer",
        asked_by=ana,
        access_until=timezone.now() + timedelta(days=7),
        quoted_fee=Decimal("240.00"),
    )
    assistance.take_on(request_id=asked.pk, user=sam)
    yield made


def _at(interface: AccountingInterface, path: str = "") -> str:
    return f"/{interface.practice.slug}/accounting/interfaces/{interface.pk}/{path}"


def _invoices(interface: AccountingInterface) -> dict[str, Invoice]:
    """One of each kind in the setting of the interface, and some that must not be taken."""
    with acting_for(interface.practice_id):
        setting = InvoiceSetting.objects.get(interface=interface)
        other = make_setting(make_interface(name="Xero of another office"))
        client, office = make_client("Ridge Trust"), make_office(setting)
        made = {
            "invoice": make_invoice(office, client, number="ABT-1"),
            "credit": make_invoice(office, client, number="ABT-2", nets=("-200.00",)),
            "disbursement": make_invoice(
                office,
                client,
                number="ABT-3",
                line_fields={"kind": LineKind.DISBURSEMENT},
            ),
        }
        later: Any = {"issued": date(2026, 11, 25)}
        make_invoice(office, client, number="DRAFT", committed=False, **later)
        make_invoice(office, client, number="PARKED", parked_at=timezone.now(), **later)
        make_invoice(office, client, number="THERE", in_accounts_at=timezone.now(), **later)
        make_invoice(make_office(other), client, number="ELSEWHERE", **later)
    return made


def _run(interface: AccountingInterface) -> DryRun:
    with acting_for(interface.practice_id):
        return DryRun.objects.order_by("-pk")[0]


def _made(browser: Client, interface: AccountingInterface) -> DryRun:
    assert browser.post(_at(interface, "dry-run/make/")).status_code == 302
    return _run(interface)


def _entry(interface: AccountingInterface, action: str) -> AuditEntry:
    """The only entry of that kind, which names its interface by what never changes."""
    with acting_for(interface.practice_id):
        return AuditEntry.objects.get(action=action, detail__interface=interface.pk)


# --- The dry run ---------------------------------------------------------------------------------


def test_a_dry_run_takes_the_practices_own_invoices_and_shows_accounts_and_taxes_by_name(
    interface: AccountingInterface, sam: User
) -> None:
    _invoices(interface)
    run = _made(client_of(sam), interface)
    numbers = [one["document"]["number"] for one in run.documents]
    assert numbers == ["ABT-1", "ABT-2", "ABT-3"]
    page = text_of(client_of(sam).get(_at(interface, "dry-run/")))
    for told in (
        "A credit note: ABT-2",
        "200 Sales",
        "210 Recoveries",
        "OUTPUT2 15% GST on Income",
    ):
        assert told in page
    assert "Specimen" not in page
    assert "Credit incl tax NZD 230.00" in page
    with acting_for(interface.practice_id):
        assert not Upload.objects.exists()
    entry = _entry(interface, "dry_run.made")
    assert (entry.actor, entry.as_support, entry.detail["after"]) == (sam, True, run.pk)


def test_the_sample_the_practice_named_goes_before_newer_ones(
    interface: AccountingInterface, sam: User
) -> None:
    invoices = _invoices(interface)
    with acting_for(interface.practice_id):
        invoice = invoices["invoice"]
        make_invoice(invoice.office, invoice.client, number="NEWER", issued=date(2026, 11, 27))
        SetUpAnswers.objects.update(answers={"sample_invoice": "ABT-1"})
    assert _made(client_of(sam), interface).documents[0]["document"]["number"] == "ABT-1"


def test_without_invoices_there_are_specimens_that_say_so_and_no_row_of_them_is_kept(
    interface: AccountingInterface, sam: User
) -> None:
    browser = client_of(sam)
    run = _made(browser, interface)
    assert all(one["specimen"] and not one["faults"] for one in run.documents)
    page = text_of(browser.get(_at(interface, "dry-run/")))
    assert page.count("Specimen, not a real one") == 3
    assert "NZD 1,150.00" in page
    with acting_for(interface.practice_id):
        assert not Invoice.objects.exists()


def test_the_file_is_kept_and_given_as_it_was_made(
    interface: AccountingInterface, sam: User, ana: User
) -> None:
    _invoices(interface)
    run = _made(client_of(sam), interface)
    address = _at(interface, f"dry-run/{run.pk}/file/")
    with acting_for(interface.practice_id):
        Invoice.objects.update(number="CHANGED")
    answer = client_of(ana).get(address)
    assert answer["Content-Disposition"] == 'attachment; filename="drawer-sales.csv"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"] == "application/octet-stream"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [(row["Kind"], row["Number"], row["Net"]) for row in rows] == [
        ("INV", "ABT-1", "1000.00"),
        ("CRN", "ABT-2", "-200.00"),
        ("INV", "ABT-3", "1000.00"),
    ]
    assert client_of(make_member(interface.practice, Role.VIEWER)).get(address).status_code == 403
    assert _entry(interface, "dry_run.downloaded").detail["dry_run"] == run.pk


def test_what_is_wrong_is_all_shown_and_no_file_is_made(
    interface: AccountingInterface, sam: User, ana: User
) -> None:
    invoices = _invoices(interface)
    with acting_for(interface.practice_id):
        AccountingInterface.objects.filter(pk=interface.pk).update(disbursement_account=None)
        Invoice.objects.filter(pk=invoices["credit"].pk).update(number="ABT-2000000002")
    browser = client_of(sam)
    run = _made(browser, interface)
    assert (run.file_name, bytes(run.content)) == ("", b"")
    page = text_of(browser.get(_at(interface, "dry-run/")))
    assert "Line 1: No account code is set: the default for disbursements is empty." in page
    assert "Drawer takes 11" in page
    assert "There is no file while something must be put right." in page
    assert browser.get(_at(interface, f"dry-run/{run.pk}/file/")).status_code == 404
    good = {"outcome": "good"}
    answer = client_of(ana).post(_at(interface, f"dry-run/{run.pk}/outcome/"), good, follow=True)
    assert said(answer) == ["Something in it must be put right first. Then make another one."]


def test_a_package_without_a_file_shows_what_would_be_sent(practice: Practice, ana: User) -> None:
    with acting_for(practice.pk):
        online = make_interface(package_key="plain", name="Plain")
    browser = client_of(ana)
    run = _made(browser, online)
    assert run.file_name == ""
    page = text_of(browser.get(_at(online, "dry-run/")))
    assert "Download" not in page
    assert "as they would go to Plain" in page


def test_the_practice_tells_how_it_went_and_support_does_not(
    interface: AccountingInterface, sam: User, ana: User
) -> None:
    run = _made(client_of(sam), interface)
    address = _at(interface, f"dry-run/{run.pk}/outcome/")
    answer = client_of(sam).post(address, {"outcome": "good"}, follow=True)
    assert said(answer)[-1] == "Harbour Architects itself says how it went."
    assert _run(interface).outcome == ""
    browser = client_of(ana)
    assert "Say whether it worked." in text_of(browser.post(address, {"note": "?"}))
    browser.post(address, {"outcome": "bad", "note": "Row 3: unknown card"})
    assert "Row 3: unknown card" in text_of(client_of(sam).get(_at(interface, "dry-run/")))
    entry = _entry(interface, "dry_run.told")
    assert entry.detail["before"] == {"outcome": "Not told yet", "note": ""}
    assert entry.detail["after"] == {
        "outcome": "It did not work",
        "note": "Row 3: unknown card",
    }


# --- The hand-over -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [
        ("run", "There is no dry run yet."),
        ("bad", "The practice says that the dry run did not work."),
        ("fault", "The dry run shows what must be put right."),
        ("codes", "Not set yet: revenue account"),
        ("setting", "No invoice setting is linked to it."),
        ("preference", "Not set under Preferences: Match clients by."),
    ],
)
def test_what_is_not_finished_is_not_handed_over(
    interface: AccountingInterface, sam: User, lacking: str, sentence: str
) -> None:
    browser = client_of(sam)
    if lacking != "run":
        _made(browser, interface)
    with acting_for(interface.practice_id):
        if lacking == "bad":
            DryRun.objects.update(outcome="bad")
        if lacking == "fault":
            DryRun.objects.update(documents=[{"faults": [{"message": "No account."}]}])
        if lacking == "codes":
            AccountingInterface.objects.update(revenue_account=None)
        if lacking == "setting":
            InvoiceSetting.objects.update(interface=None)
        if lacking == "preference":
            AccountingInterface.objects.update(preferences={"match_contacts_by": ""})
    answer = browser.post(_at(interface, "hand-over/give/"), follow=True)
    assert sentence in said(answer)[-1]
    assert SetUpRequest.objects.get().state == State.WORKING


def test_the_page_tells_staff_how_to_work_with_it_and_whom_to_ask(
    interface: AccountingInterface,
) -> None:
    page = text_of(
        client_of(make_member(interface.practice, Role.VIEWER)).get(_at(interface, "hand-over/"))
    )
    for told in (
        "In Drawer choose File, then Import, then Sales, and pick the file.",
        "Harbour Architects Ltd",
        "Head office",
        "200 Sales",
        "Tax-free revenue As for revenue",
        "Client ID = card number",
        "Set up by sam@abtrac.example",
        "Works with it Bo",
        "Whom to ask sam@abtrac.example, or Abtrac's support",
    ):
        assert told in page, told
    assert "Confirm and go live" not in page


def _handed_over(interface: AccountingInterface, sam: User, ana: User) -> DryRun:
    support = client_of(sam)
    run = _made(support, interface)
    answer = support.post(_at(interface, "hand-over/give/"), follow=True)
    assert said(answer)[-1] == "Harbour Architects can confirm it now."
    return run


def test_the_practices_own_admin_confirms_and_it_goes_live_with_its_fee(
    interface: AccountingInterface, sam: User, ana: User
) -> None:
    run = _handed_over(interface, sam, ana)
    browser, confirm = client_of(ana), _at(interface, "hand-over/confirm/")
    assert "Look at it and confirm" in text_of(browser.get(_at(interface)))
    page = text_of(browser.get(_at(interface, "hand-over/")))
    assert "Look at it and confirm" not in page
    assert "Set-up fee: $240.00 without GST, once" in page
    assert "Drawer costs $15.00 a month" in page
    assert "Tick that you accept it" in text_of(browser.post(confirm))
    answer = browser.post(confirm, {"accepted": "on"}, follow=True)
    assert said(answer) == ["Say first how the dry run went."]
    browser.post(_at(interface, f"dry-run/{run.pk}/outcome/"), {"outcome": "good"})
    answer = browser.post(confirm, {"accepted": "on"}, follow=True)
    assert said(answer)[-1] == "Drawer is live: its invoices can be uploaded."
    with acting_for(interface.practice_id):
        assert AccountingInterface.objects.get(pk=interface.pk).is_live
    fee = SetUpFee.objects.get()
    assert (fee.amount, fee.accepted_by, fee.package_key) == (Decimal("240.00"), ana, "drawer")
    assert LivePeriod.objects.get().interface_id == interface.pk
    assert SetUpRequest.objects.get().state == State.CONFIRMED
    assert _entry(interface, "set_up.confirmed").detail["fee"] == "240.00"
    # The leave is over with the work.
    assert not SupportGrant.objects.filter(ended_at__isnull=True).exists()
    assert client_of(sam).get(_at(interface)).status_code == 404
    answer = browser.post(confirm, {"accepted": "on"}, follow=True)
    assert said(answer)[-1] == "This set-up is “Confirmed” by now."
    assert SetUpFee.objects.count() == LivePeriod.objects.count() == 1


@pytest.mark.parametrize("who", ["support", "accounts"])
def test_nobody_else_confirms(
    interface: AccountingInterface, sam: User, ana: User, who: str
) -> None:
    _handed_over(interface, sam, ana)
    with acting_for(interface.practice_id):
        DryRun.objects.update(outcome="good")
    person = sam if who == "support" else make_member(interface.practice, Role.ACCOUNTS)
    browser = client_of(person)
    assert "Confirm and go live" not in text_of(browser.get(_at(interface, "hand-over/")))
    answer: Any = browser.post(
        _at(interface, "hand-over/confirm/"), {"accepted": "on"}, follow=True
    )
    assert answer.status_code == 403 or "Only an admin of" in said(answer)[-1]
    assert SetUpRequest.objects.get().state == State.HANDED_OVER
    assert not SetUpFee.objects.exists()


def test_only_support_hands_over(interface: AccountingInterface, ana: User) -> None:
    answer = client_of(ana).post(_at(interface, "hand-over/give/"), follow=True)
    assert said(answer) == ["Only our team hands a set-up over."]
    assert "Hand over to" not in text_of(answer)


def test_what_went_missing_after_the_hand_over_stops_the_confirmation(
    interface: AccountingInterface, sam: User, ana: User
) -> None:
    _handed_over(interface, sam, ana)
    with acting_for(interface.practice_id):
        DryRun.objects.update(outcome="good")
        AccountingInterface.objects.update(offered_from=None)
    answer = client_of(ana).post(
        _at(interface, "hand-over/confirm/"), {"accepted": "on"}, follow=True
    )
    assert said(answer) == ["No go-live date is set."]
    assert SetUpRequest.objects.get().state == State.HANDED_OVER
    assert not SetUpFee.objects.exists()


def test_a_set_up_that_was_withdrawn_does_not_go_live_without_its_fee(
    interface: AccountingInterface, ana: User
) -> None:
    browser = client_of(ana)
    browser.post(_at(interface, "answers/withdraw/"))
    assert SetUpRequest.objects.get().state == State.WITHDRAWN
    answer = browser.post(_at(interface, "go-live/"), {"sure": "on"})
    assert said(answer)[-1] == "Our team sets this up: confirm it on the hand-over page."
    with acting_for(interface.practice_id):
        assert not AccountingInterface.objects.get(pk=interface.pk).is_live
