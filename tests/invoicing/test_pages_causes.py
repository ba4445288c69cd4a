"""Needs attention, seen as a person sees it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser

from interfaces.models import AccountCode, AccountingInterface, AccountMapping, CodeRule, TaxCode
from invoicing import attention, views_causes
from invoicing.causes import open_causes
from invoicing.models import (
    Batch,
    Blocked,
    Cause,
    Client,
    Invoice,
    InvoiceLine,
    PackageContact,
    Upload,
)
from invoicing.uploads import enqueue, states
from invoicing.uploads.states import State
from offices.models import AuditEntry, Office, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_member,
    make_office,
    make_setting,
)
from tests.invoicing.pages import client_of, counted_queries, said, text_of, url
from tests.invoicing.scene import make_batch, make_upload

pytestmark = pytest.mark.django_db

ARCHIVED = ("205", "206", "207", "208")
FOREIGN = ("AUD", "USD")
EACH = 50


@dataclass
class Month:
    """A month of invoices of which none could go, for ten reasons."""

    practice: Practice
    admin: User
    browser: Browser
    interface: AccountingInterface
    office: Office
    clients: list[Client]

    def cause(self, code: str, subject: str = "") -> Cause:
        """The open cause of that code, about that."""
        with acting_for(self.practice.pk):
            return open_causes().get(code=code, subject=subject)

    def held(self) -> dict[int, set[int]]:
        """The uploads that failed and that each open cause holds up."""
        with acting_for(self.practice.pk):
            found: dict[int, set[int]] = {
                one: set() for one in open_causes().values_list("pk", flat=True)
            }
            rows = Blocked.objects.filter(
                cleared_at__isnull=True, upload__state__in=["refused", "needs_person"]
            )
            for cause_id, upload_id in rows.values_list("cause_id", "upload_id"):
                found[cause_id].add(upload_id)
        return found

    def post(self, path: str, **fields: Any) -> Any:
        """What a form of the pages posts, and the page it leads to."""
        return self.browser.post(url(self.practice, path), fields, follow=True)

    def page(self, path: str = "attention/") -> Any:
        """A page."""
        answer = self.browser.get(url(self.practice, path))
        assert answer.status_code == 200
        return answer


@pytest.fixture
def month(practice: Practice) -> Month:
    """The practice before anything is uploaded."""
    admin = make_member(practice, Role.ADMIN)
    with acting_for(practice.pk):
        interface = make_interface(currencies=["NZD", "GBP"])
        AccountCode.objects.bulk_create(
            AccountCode(interface=interface, code=code, name=f"Fees {code}", active=False)
            for code in ARCHIVED
        )
        office = make_office(make_setting(interface))
        clients = [make_client(f"Client {place}") for place in range(4)]
    return Month(
        practice=practice,
        admin=admin,
        browser=client_of(admin),
        interface=interface,
        office=office,
        clients=clients,
    )


def invoices_of(month: Month, many: int, *, place: int, **fields: Any) -> list[Invoice]:
    """So many committed invoices of one line each, made at once."""
    line: dict[str, Any] = fields.pop("line", {})
    made = Invoice.objects.bulk_create(
        Invoice(
            abtrac_id=f"I{place}-{number}",
            number=f"N{place}-{number:03}",
            office=month.office,
            invoice_setting=month.office.invoicing.invoice_setting,
            name_on_invoice="As agreed",
            issued=date(2026, 11, 20),
            due=date(2026, 12, 20),
            tax_basis="exclusive",
            net=Decimal(100),
            status=Invoice.Status.COMMITTED,
            committed_at=month.interface.created_at,
            **{
                **{"currency": "NZD", "client": month.clients[0]},
                **{"tax": Decimal(15), "total": Decimal(115)},
                **fields,
            },
        )
        for number in range(many)
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=one,
            position=1,
            description="Concept design",
            kind="time",
            quantity=Decimal(1),
            unit_price=Decimal(100),
            net=Decimal(100),
            **{"tax": Decimal(15), **line},
        )
        for one in made
    )
    return made


def refused_for_their_contact(month: Month, batch: Batch, client: Client) -> None:
    """The package refuses the client, so what is sent to it cannot go: as the lane says."""
    uploads = Upload.objects.select_related("interface", "invoice")
    contact = uploads.get(batch=batch, client=client)
    contact.reason, contact.field = f"Xero has two contacts named {client}.", "contact"
    contact.code, contact.state = "name_taken", State.QUEUED
    states.move([contact], State.REFUSED, fields=("reason", "field", "code"))
    documents = list(uploads.filter(batch=batch, invoice__client=client))
    for one in documents:
        one.reason, one.field, one.waits_for = contact.reason, "contact", contact
    states.move(documents, State.REFUSED, fields=("reason", "field"))


@pytest.fixture
def failed(month: Month) -> Month:
    """500 invoices uploaded at one click, none of which can go: ten reasons, fifty of each."""
    lines: list[dict[str, Any]] = [
        *({"account_code": code} for code in ARCHIVED[:3]),
        {"task": "Survey"},
        {"tax_code": "GST9"},
        {"account_code": "260"},
    ]
    with acting_for(month.practice.pk):
        accounts = AccountCode.objects.filter(interface=month.interface)
        accounts.filter(code="260").update(allowed_tax_codes=["ZERORATED"])
        CodeRule.objects.create(
            interface=month.interface,
            scope="task",
            subject="Survey",
            account=accounts.get(code="208"),
        )
        made = [
            one
            for place, line in enumerate(lines)
            for one in invoices_of(month, EACH, place=place, line=line)
        ]
        for place, currency in enumerate(FOREIGN, start=len(lines)):
            made += invoices_of(month, EACH, place=place, currency=currency)
        for place, client in enumerate(month.clients[1:3], start=8):
            made += invoices_of(month, EACH, place=place, client=client)
        batch = enqueue(invoice_ids=[one.pk for one in made], actor=month.admin).batch
        assert batch
        for client in month.clients[1:3]:
            refused_for_their_contact(month, batch, client)
    return month


def mend_in_the_package(month: Month) -> None:
    """Account 206 is restored there and the currencies are added, and we have read so."""
    with acting_for(month.practice.pk):
        AccountCode.objects.filter(interface=month.interface, code="206").update(active=True)
        AccountingInterface.objects.update(currencies=["NZD", *FOREIGN])


def test_ten_causes_of_500_invoices_are_ten_entries_and_each_fix_frees_its_own(
    failed: Month,
) -> None:
    page = failed.page()
    assert page.content.decode().count("blocks 50 invoices") == 10
    assert "Account 205 is archived in Xero: blocks 50 invoices, NZD 5,750.00" in text_of(page)
    pick = {one.code: one.pk for one in _rows(failed, AccountCode)}
    taxes = {one.code: one.pk for one in _rows(failed, TaxCode)}
    first, second = failed.clients[1:3]
    with acting_for(failed.practice.pk):
        known = PackageContact.objects.create(
            interface=failed.interface, remote_id="c-1", name="Theirs", folded="theirs"
        )
    mend_in_the_package(failed)
    replace: dict[tuple[str, str], dict[str, Any]] = {
        ("account_archived", "205"): {"do": "account", "account-code": pick["200"]},
        ("account_archived", "207"): {"do": "account", "account-code": pick["210"]},
        ("account_archived", "208"): {"do": "account", "account-code": pick["200"]},
        ("tax_unknown", "GST9"): {"do": "tax", "tax-code": taxes["OUTPUT2"]},
        ("tax_not_for_account", "OUTPUT2|260"): {"do": "account", "account-code": pick["210"]},
    }
    steps: list[tuple[tuple[str, str], str, dict[str, Any]]] = [
        *((place, "replace/", fields) for place, fields in replace.items()),
        *((("account_archived", "206"), "check/", {"do": "again"}),),
        *((("currency_not_enabled", one), "check/", {"do": "again"}) for one in FOREIGN),
        (("name_taken", f"{second.pk}|"), "check/", {"do": "again"}),
    ]
    for place, path, fields in steps:
        before, cause = failed.held(), failed.cause(*place)
        answer = failed.post(f"attention/{cause.pk}/{path}", **fields)
        assert "50 invoices checked again: 50 on the way." in said(answer), place
        assert failed.held() == {**before, cause.pk: set()}, place
        assert "Everything it held up is on its way again" in text_of(answer)
    # A client's own page frees what waits for it, as it links.
    before, cause = failed.held(), failed.cause("name_taken", f"{first.pk}|")
    answer = failed.post(
        f"interfaces/{failed.interface.pk}/clients/{first.pk}/decide/",
        do="link",
        name="",
        contact=known.pk,
    )
    assert any("50 invoices checked again: 50 on the way." in one for one in said(answer))
    assert failed.held() == {**before, cause.pk: set()}
    with acting_for(failed.practice.pk):
        replaced = AuditEntry.objects.filter(action="interface.code_replaced")
        assert replaced.get(detail__cause__startswith="Account 208").detail["before"] == {
            "the rule for task Survey": "208"
        }
        stands = AccountMapping.objects.filter(interface=failed.interface)
        assert dict(stands.values_list("code", "account__code")) == {
            "205": "200",
            "207": "210",
            "260": "210",
        }


def _rows(month: Month, model: type[Any]) -> list[Any]:
    with acting_for(month.practice.pk):
        return list(model.objects.filter(interface=month.interface))


@pytest.fixture
def few(month: Month) -> Month:
    """Three of an account that is archived, one of them in a tax code nobody knows as well."""
    with acting_for(month.practice.pk):
        made = invoices_of(month, 2, place=0, line={"account_code": "205"})
        made += invoices_of(month, 1, place=1, line={"account_code": "205", "tax_code": "GST9"})
        enqueue(invoice_ids=[one.pk for one in made], actor=month.admin)
    return month


def test_an_invoice_with_two_causes_is_in_both_entries_and_goes_when_both_are_mended(
    few: Month,
) -> None:
    account, tax = few.cause("account_archived", "205"), few.cause("tax_unknown", "GST9")
    path = f"attention/{account.pk}/"
    with acting_for(few.practice.pk):
        one = Upload.objects.latest("pk")
    assert url(few.practice, f"uploads/{one.pk}/cause/") in few.page("batches/1/").content.decode()
    led = few.browser.get(url(few.practice, f"uploads/{one.pk}/cause/"))
    assert led.headers["Location"] == url(few.practice, path)
    page = text_of(few.page(path))
    assert "Also held up by: Tax code GST9 is not in Xero." in page
    pick = {one.code: one.pk for one in [*_rows(few, AccountCode), *_rows(few, TaxCode)]}
    form = {"do": "account", "account-code": pick["200"]}
    assert said(few.post(f"attention/{account.pk}/replace/", **form)) == [
        "200 Sales is used from now on for invoice lines that name 205 themselves.",
        "3 invoices checked again: 2 on the way, 1 still held up.",
        "N1-000: Invoice N1-000, line 1: Tax code GST9 (from the line) is not in Xero's list.",
    ]
    assert "2 being tried" in text_of(few.page())
    form = {"do": "tax", "tax-code": pick["OUTPUT2"]}
    assert said(few.post(f"attention/{tax.pk}/replace/", **form))[1:] == [
        "1 invoice checked again: 1 on the way."
    ]


def test_a_default_that_is_empty_is_set_in_its_entry(month: Month) -> None:
    with acting_for(month.practice.pk):
        AccountingInterface.objects.update(revenue_account=None)
        made = invoices_of(month, 2, place=0)
        enqueue(invoice_ids=[one.pk for one in made], actor=month.admin)
    cause = month.cause("account_missing", "default for revenue")
    assert "No account is set: the default for revenue is empty" in text_of(month.page())
    sales = next(one for one in _rows(month, AccountCode) if one.code == "200")
    done = month.post(
        f"attention/{cause.pk}/replace/", **{"do": "account", "account-code": sales.pk}
    )
    assert "2 invoices checked again: 2 on the way." in said(done)
    with acting_for(month.practice.pk):
        assert AccountingInterface.objects.get().revenue_account == sales


def taxed_wrongly(month: Month, *, tax: str = "12.50", **line: Any) -> Cause:
    """One invoice whose tax its tax code does not make: the package refuses it as such."""
    with acting_for(month.practice.pk):
        amounts = {"tax": Decimal(tax), "total": 100 + Decimal(tax)}
        [made] = invoices_of(month, 1, place=3, **amounts, line={**line, "tax": Decimal(tax)})
        enqueue(invoice_ids=[made.pk], actor=month.admin)
        return open_causes().get(code="tax_differs")


def test_a_wrong_tax_is_corrected_in_abtrac_and_changes_no_default(month: Month) -> None:
    cause = taxed_wrongly(month)
    page = text_of(month.page(f"attention/{cause.pk}/"))
    assert "Correct the tax in Abtrac. The tax code comes from a default" in page
    assert "Tax code to use instead" not in page
    assert "Choose another tax code" not in text_of(month.page())
    free = next(one for one in _rows(month, TaxCode) if one.code == "ZERORATED")
    done = month.post(
        f"attention/{cause.pk}/replace/", **{"do": "tax", "tax-code": free.pk, "sure": free.pk}
    )
    assert said(done)[0].startswith("Nothing was changed")
    with acting_for(month.practice.pk):
        assert AccountingInterface.objects.get().revenue_tax == TaxCode.objects.get(code="OUTPUT2")


def test_a_wrong_tax_is_offered_only_the_tax_codes_that_make_it(month: Month) -> None:
    cause = taxed_wrongly(month, tax_code="ZERORATED")
    path = f"attention/{cause.pk}/"
    assert "No tax code of Xero has a rate that fits that tax" in text_of(month.page(path))
    with acting_for(month.practice.pk):
        fits = TaxCode.objects.create(
            interface=month.interface, code="EIGHTH", name="An eighth", rate=Decimal("12.5")
        )
    [offer] = month.page(path).context["offers"]
    assert [pk for pk, _ in offer.form.fields["code"].choices if pk] == [fits.pk]
    assert offer.replaced.places == ["invoice lines that name ZERORATED themselves"]


def test_a_default_at_another_rate_than_the_lines_that_wait_is_warned_of_first(
    month: Month,
) -> None:
    with acting_for(month.practice.pk):
        AccountingInterface.objects.update(revenue_tax=None)
        made = invoices_of(month, 2, place=0)
        enqueue(invoice_ids=[one.pk for one in made], actor=month.admin)
    path = f"attention/{month.cause('tax_missing', 'default for taxed lines').pk}/"
    free = next(one for one in _rows(month, TaxCode) if one.code == "ZERORATED")
    chosen = {"do": "tax", "tax-code": free.pk}
    asked = month.post(f"{path}replace/", **chosen)
    assert said(asked) == []
    assert (
        "Nothing is changed yet. The default for taxed lines would be ZERORATED at 0 %, but the"
        " lines that wait were taxed at 15 %." in text_of(asked)
    )
    with acting_for(month.practice.pk):
        assert AccountingInterface.objects.get().revenue_tax is None
    done = month.post(f"{path}replace/", **chosen, sure=free.pk)
    assert said(done)[0] == (
        "ZERORATED Zero Rated is used from now on for the default for taxed lines."
    )


def test_nothing_is_changed_without_a_choice_or_to_what_the_package_refuses(few: Month) -> None:
    account = few.cause("account_archived", "205")
    archived = next(one for one in _rows(few, AccountCode) if one.code == "206")
    for chosen in ("", str(archived.pk), "nonsense"):
        done = few.post(
            f"attention/{account.pk}/replace/", **{"do": "account", "account-code": chosen}
        )
        assert said(done) == ["Nothing was changed: choose the code to use instead first."]
    with acting_for(few.practice.pk):
        takes_nothing = AccountCode.objects.get(interface=few.interface, code="260")
        AccountCode.objects.filter(pk=takes_nothing.pk).update(allowed_tax_codes=["ZERORATED"])
        AccountingInterface.objects.update(
            revenue_account=AccountCode.objects.get(interface=few.interface, code="205")
        )
    done = few.post(
        f"attention/{account.pk}/replace/",
        **{"do": "account", "account-code": takes_nothing.pk},
    )
    assert said(done)[0].startswith("Nothing was changed. Xero does not take tax code OUTPUT2")
    with acting_for(few.practice.pk):
        assert not AuditEntry.objects.filter(action="interface.code_replaced").exists()


@pytest.mark.parametrize("role", [Role.ACCOUNTS, Role.VIEWER])
def test_who_may_not_mend_a_cause_sees_it_all_the_same(few: Month, role: Role) -> None:
    cause = few.cause("account_archived", "205")
    someone = client_of(make_member(few.practice, role))
    path = url(few.practice, f"attention/{cause.pk}/")
    page = text_of(someone.get(path))
    assert "Account 205 is archived in Xero: blocks 3 invoices, NZD 345.00" in page
    assert ("Check again" in page) == (role == Role.ACCOUNTS)
    asked = f"An admin of your practice can choose another one here: ask {few.admin}."
    assert (asked in page) == (role == Role.ACCOUNTS)
    entries = text_of(someone.get(url(few.practice, "attention/")))
    assert ("Ask an admin: choose another account" in entries) == (role == Role.ACCOUNTS)
    assert "Choose another account : Account 205" not in entries
    assert "Choose another account : Account 205" in text_of(few.page())
    assert ("need attention" in text_of(someone.get(url(few.practice) + "upload/"))) == (
        role == Role.ACCOUNTS
    )
    assert someone.post(f"{path}replace/").status_code == 403
    assert someone.post(f"{path}check/").status_code == (302 if role == Role.ACCOUNTS else 403)


def test_entries_and_rows_come_in_pages_that_cost_the_same(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "PER_PAGE", 2)
    monkeypatch.setattr(attention, "ROWS_PER_PAGE", 3)
    with acting_for(month.practice.pk):
        for place in range(5):
            made = invoices_of(month, place + 1, place=place, line={"account_code": f"X{place}"})
            enqueue(invoice_ids=[one.pk for one in made], actor=month.admin)
    for sort, order in (("value", "43210"), ("since", "01234")):
        seen, costs, path = [], [], f"attention/?sort={sort}"
        while path:
            with counted_queries() as queries:
                page = month.page(path)
            costs.append(len(queries))
            seen += [one.cause.subject for one in page.context["page"].entries]
            after = page.context["page"].after
            path = f"attention/?sort={sort}&after={after}" if after else ""
        assert seen == [f"X{place}" for place in order]
        assert len(set(costs)) == 1
        assert costs[0] <= 12
    for nonsense in ("x", "1_", "nan_1", "-1e999_1", "_", "9" * 400):
        assert len(month.page(f"attention/?after={nonsense}").context["page"].entries) == 2
    cause = month.cause("account_unknown", "X4")
    with counted_queries() as queries:
        first = month.page(f"attention/{cause.pk}/")
    assert len(first.context["rows"]) == 3
    # The log-in is four of them.
    assert len(queries) <= 16
    after = first.context["next_after"]
    assert len(month.page(f"attention/{cause.pk}/?after={after}").context["rows"]) == 2


def test_what_a_cause_holds_up_is_parked_together_and_closes_it(few: Month) -> None:
    cause = few.cause("account_archived", "205")
    asked = few.post(f"attention/{cause.pk}/park/")
    invoices = [one.pk for one in asked.context["invoices"]]
    assert len(invoices) == 3
    few.post("upload/park/", invoice=invoices, reason="By hand")
    assert few.held() == {}
    assert "Fixed" in text_of(few.page(f"attention/{cause.pk}/"))
    assert said(few.post(f"attention/{cause.pk}/replace/", do="account")) == [views_causes.FIXED]
    assert said(few.post(f"attention/{cause.pk}/park/")) == [views_causes.FIXED]
    nothing = "Nothing waits to be checked again: it is on its way, or fixed."
    assert said(few.post(f"attention/{cause.pk}/check/")) == [nothing]


@pytest.mark.parametrize("code", ["contact_archived", "name_refused"])
def test_the_words_are_those_of_the_buttons_and_only_what_was_archived_is_restored(
    month: Month, code: str
) -> None:
    with acting_for(month.practice.pk):
        cause = Cause.objects.create(
            interface=month.interface,
            code=code,
            field="contact",
            subject=f"{month.clients[0].pk}|",
            message="The contact cannot be used.",
            next_step="Correct the client in Abtrac, then retry.",
        )
        upload = make_upload(
            make_batch(1), invoices_of(month, 1, place=0)[0], State.REFUSED, has_causes=True
        )
        Blocked.objects.create(cause=cause, upload=upload)
    page = text_of(month.page(f"attention/{cause.pk}/"))
    assert ("I have restored it in Xero" in page) == (code == "contact_archived")
    for words in (page, text_of(month.page())):
        assert "Correct the client in Abtrac, then check again." in words


def test_what_is_parked_is_set_aside_and_not_counted_as_fixed(few: Month) -> None:
    cause = few.cause("account_archived", "205")
    with acting_for(few.practice.pk):
        first, second, _ = Invoice.objects.order_by("number")
    few.post("upload/park/", invoice=[first.pk], reason="By hand")
    with acting_for(few.practice.pk):
        sent = Upload.objects.get(invoice=second)
        states.move([sent], State.QUEUED)
        Upload.objects.filter(pk=sent.pk).update(state="sending", remote_id="x-1")
        sent.refresh_from_db()
        states.move([sent], State.SENT)
    assert "1 of 3 fixed, 1 set aside" in text_of(few.page())
    assert "Fixed or set aside 2" in text_of(few.page(f"attention/{cause.pk}/"))


def test_what_holds_up_no_invoice_is_given_up_and_closes_its_cause(month: Month) -> None:
    with acting_for(month.practice.pk):
        [invoice] = invoices_of(month, 1, place=0)
        batch = make_batch(1)
        make_upload(batch, invoice, State.SENT)
        pdf = make_upload(batch, invoice, State.QUEUED, kind="pdf", reason="It is too large.")
        states.move([pdf], State.REFUSED)
        cause = open_causes().get()
    page = text_of(month.page(f"attention/{cause.pk}/"))
    assert "Give it up" in page
    assert "Park" not in page
    done = month.post(f"attention/{cause.pk}/give-up/")
    assert said(done) == ["Given up: 1 PDF. Nothing more is tried."]
    assert month.held() == {}
    with acting_for(month.practice.pk):
        pdf.refresh_from_db()
        assert pdf.state == State.CANCELLED
        told = AuditEntry.objects.get(action="cause.given_up").detail
        assert told["before"] == {"held up": [invoice.number]}
    assert said(month.post(f"attention/{cause.pk}/give-up/")) == [views_causes.FIXED]


def test_a_client_added_now_takes_along_what_waited_for_it(month: Month) -> None:
    client = month.clients[1]
    with acting_for(month.practice.pk):
        made = invoices_of(month, 2, place=0, client=client)
        batch = enqueue(invoice_ids=[one.pk for one in made], actor=month.admin).batch
        assert batch
        refused_for_their_contact(month, batch, client)
    cause = month.cause("name_taken", f"{client.pk}|")
    assert len(month.held()[cause.pk]) == 3
    done = month.post(
        f"interfaces/{month.interface.pk}/clients/{client.pk}/decide/", do="create", name=""
    )
    assert "2 invoices checked again: 2 on the way." in said(done)
    # The contact refused is uploaded anew; both invoices go behind it.
    assert month.held()[cause.pk] == set()


def test_after_a_change_of_an_interface_all_it_holds_up_is_checked_again(few: Month) -> None:
    page = text_of(few.page(f"interfaces/{few.interface.pk}/preferences/"))
    assert "2 things keep invoices from going through" in page
    with acting_for(few.practice.pk):
        AccountCode.objects.filter(code="205").update(active=True)
    done = few.post(f"interfaces/{few.interface.pk}/check-again/", do="again")
    assert "3 invoices checked again: 2 on the way, 1 still held up." in said(done)


def test_reading_that_fails_is_told_and_what_was_known_is_used(few: Month) -> None:
    cause = few.cause("account_archived", "205")
    told = said(few.post(f"attention/{cause.pk}/check/", do="read"))
    assert told[0].startswith("Xero could not be read, so what was known before was used.")
    assert told[1] == "3 invoices checked again: 3 still held up."
