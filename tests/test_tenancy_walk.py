"""Walks every address, and every task, of one practice with the rows of another.

Whatever is added later is walked too: an address whose values are not known here fails the first
test until they are.
"""

import inspect
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from celery import current_app
from django.apps import apps
from django.contrib.auth import SESSION_KEY
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.test import Client
from django.utils import timezone

from connectors.base.errors import ConnectorError
from interfaces import charges
from interfaces.codes import CodeBook
from interfaces.credentials import store_tokens
from interfaces.models import (
    AccountingInterface,
    AccountMapping,
    CodeRule,
    SetUpAnswers,
    SetUpRequest,
    TaxMapping,
)
from invoicing.documents import invoice_of, to_json
from invoicing.models import (
    Batch,
    Blocked,
    Cause,
    ContactLink,
    DigestReader,
    DryRun,
    Invoice,
    InvoiceEvent,
    InvoicePdf,
    ListLayout,
    Notice,
    PackageContact,
    PackageDocument,
    Upload,
    UploadEvent,
)
from offices.audit import record
from offices.models import Practice, Role, User
from offices.people import grant_support, make_key
from offices.tenancy import PracticeOwned, acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_job,
    make_member,
    make_office,
    make_practice,
    make_setting,
    make_user,
)
from tests.interfaces.conftest import server as server  # the package of both practices
from tests.interfaces.ledger import LedgerServer
from tests.routes import address_of, parts_of, routes

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# Addresses that belong to no practice: log-in, one's own account, health, description of the API.
OF_NOBODY = ("accounts/", "healthz", "api/schema/", "api/docs/", "api/no-such-page", "prices/")
# Neither: the list of one's own practices; a consent, found by the session it was begun in; what
# support sees of all practices, which has tests of its own below.
OF_THE_PERSON = (
    "",
    "oauth/<slug:package_key>/callback",
    "support/",
    "support/prices/",
    "support/prices/new/",
    "support/statements/<int:year>/<int:month>.csv",
)
# Support's alone as well; `tests.interfaces.test_assistance` sees to that.
OF_SUPPORT = ("support/set-ups/",)
API = "api/v1/"
# Parts of addresses that name no row of a practice.
NO_ROWS = {"practice_slug", "package_key", "year", "month", "list_key"}


@dataclass(frozen=True, kw_only=True)
class World:
    """A practice with a row of everything, each named after it; `values` fill addresses."""

    practice: Practice
    admin: User
    interface: AccountingInterface
    api_key: str
    values: dict[str, str]
    posted: dict[str, Any]
    abtrac_ids: list[str]


def make_world(server: LedgerServer, name: str, batch_number: int) -> World:
    """The world of a practice of that name."""
    practice = make_practice(name)
    admin = make_member(practice, Role.ADMIN, f"ana@{name.lower()}.example")
    support = make_user(f"sam@{name.lower()}.example", is_support=True)
    member = make_member(practice, Role.VIEWER, f"vi@{name.lower()}.example")
    grant = grant_support(
        practice=practice,
        user=support,
        granted_by=admin,
        reason=f"{name} asked",
        ends_at=timezone.now() + timedelta(days=1),
    )
    key, secret = make_key(practice=practice, name=f"{name} server", actor=admin)
    with acting_for(practice.pk):
        interface = make_interface(
            package_key="ledger",
            name=f"{name} Ledger",
            company_file_id="f1",
            company_file_name=f"{name} Ltd",
            connection_id=f"connection-{name}",
        )
        tokens = server.issue() | {"expires_at": timezone.now().timestamp() + 1800}
        store_tokens(interface.pk, tokens, admin)
        setting = make_setting(interface, name=f"{name} setting")
        office = make_office(setting, name=f"{name} office")
        client = make_client(f"{name} client")
        job = make_job(client)
        sent, waiting, draft = (
            make_invoice(office, client, number=f"{name}-{number}", committed=number < 2)
            for number in range(3)
        )
        InvoicePdf.objects.create(
            invoice=sent, file_name=f"{name}.pdf", content=b"%PDF-", sha256="0" * 64
        )
        ContactLink.objects.create(
            interface=interface, client=client, name=f"{name} client", remote_id="r1"
        )
        contact = PackageContact.objects.create(
            interface=interface, remote_id="r2", name=f"{name} contact", folded=name.lower()
        )
        batch = Batch.objects.create(number=batch_number, created_by=admin)
        upload = Upload.objects.create(
            interface=interface,
            batch=batch,
            kind=Upload.Kind.INVOICE,
            invoice=sent,
            state=Upload.State.REFUSED,
            reason=f"{name} was refused",
            document=_frozen(sent, interface),
        )
        UploadEvent.objects.create(upload=upload, after=Upload.State.REFUSED, reason=name)
        InvoiceEvent.objects.create(invoice=sent, move="parked", reason=name)
        cause = Cause.objects.create(interface=interface, code="refused", message=f"{name} cause")
        Blocked.objects.create(cause=cause, upload=upload)
        PackageDocument.objects.create(
            interface=interface, kind="invoice", remote_id="r3", number=name, folded=name.lower()
        )
        ListLayout.objects.create(user=admin, list_key=name)
        DigestReader.objects.create(interface=interface, user=admin)
        record(actor=admin, action="test.made", subject=name)
        Notice.objects.create(
            practice=practice,
            interface=interface,
            kind=Notice.Kind.UNTOUCHED,
            since=timezone.now() - timedelta(days=9),
            uploads=1,
        )
        charges.begin(interface)
        charges.record_set_up_fee(interface, amount=Decimal(250), accepted_by=admin)
        SetUpAnswers.objects.create(interface=interface, answers={"version": name})
        SetUpRequest.objects.create(
            practice=practice,
            interface=interface,
            package_key="ledger",
            asked_by=admin,
            access_until=timezone.now() + timedelta(days=7),
        )
        run = DryRun.objects.create(interface=interface, file_name=f"{name}.csv", content=b"x")
        account, tax = interface.accounts.first(), interface.taxes.first()
        assert account
        assert tax
        AccountMapping.objects.create(interface=interface, code=f"{name} code", account=account)
        TaxMapping.objects.create(interface=interface, code=f"{name} tax", tax=tax)
        rule = CodeRule.objects.create(
            interface=interface, scope="task", subject=f"{name} task", account=account
        )
    return World(
        practice=practice,
        admin=admin,
        interface=interface,
        api_key=secret,
        values={
            "practice_slug": practice.slug,
            "grant_id": str(grant.pk),
            "member_id": str(member.memberships.get().pk),
            "prefix": key.prefix,
            "interface_id": str(interface.pk),
            "rule_id": str(rule.pk),
            "client_id": str(client.pk),
            "invoice_id": str(sent.pk),
            "batch_number": str(batch.number),
            "upload_id": str(upload.pk),
            "abtrac_id": sent.abtrac_id,
            "package_key": "ledger",
            "year": f"{timezone.now():%Y}",
            "month": f"{timezone.now():%m}",
            "dry_run_id": str(run.pk),
            "cause_id": str(cause.pk),
            "job_id": str(job.pk),
            "list_key": "available",
        },
        # Under every name a form of the product uses for rows it is about.
        posted={
            "invoice": [sent.pk, waiting.pk, draft.pk],
            "only": [waiting.pk],
            "upload": [upload.pk],
            "job": [job.pk],
            "place": [f"{client.pk} {name} client"],
            "contact": contact.pk,
            "setting": [setting.pk],
            "move": [setting.pk],
            "account": [account.pk],
            "tax": [tax.pk],
            "revenue_account": account.pk,
            "revenue_tax": tax.pk,
            "accept": [f"revenue_account={account.pk}"],
            "subject": f"task|{name} task",
            "user": support.pk,
            "reason": "Planted",
            "name": "Planted",
            "hours": "4",
            "email": f"planted@{name.lower()}.example",
            "role": "admin",
            "sure": "on",
            "remote_id": "planted",
            "company_file": "f2",
            "copy_from": interface.pk,
            "days": "7",
            "practice": practice.pk,
            "practice_id": practice.pk,
        },
        abtrac_ids=[sent.abtrac_id, waiting.abtrac_id, draft.abtrac_id],
    )


@pytest.fixture
def ours(db: None, server: LedgerServer) -> World:
    """The practice whose people and key do the walking."""
    return make_world(server, "Harbour", batch_number=1)


@pytest.fixture
def theirs(ours: World, server: LedgerServer) -> World:
    """The practice nobody of ours may see."""
    return make_world(server, "Ridge", batch_number=777)


@pytest.fixture
def untouched(theirs: World) -> Iterator[None]:
    """Afterwards every row of theirs is as it was, and there is none more."""
    before = rows_of(theirs.practice)
    assert len(before) > 20
    yield
    assert rows_of(theirs.practice) == before


def _frozen(invoice: Invoice, interface: AccountingInterface) -> dict[str, Any]:
    book = CodeBook.load(interface)
    document, _ = invoice_of(invoice, interface=interface, book=book, key="x")
    return to_json(document)


def rows_of(practice: Practice) -> dict[str, list[dict[str, Any]]]:
    """Every row of the practice in every table that has rows of practices."""
    with acting_for(practice.pk):
        return {
            model._meta.label: list(
                model._default_manager.filter(practice_id=practice.pk).order_by("pk").values()
            )
            for model in apps.get_models()
            if any(
                isinstance(field, models.ForeignKey) and field.related_model is Practice
                for field in model._meta.get_fields()
            )
        }


def pages() -> list[str]:
    return [one for one in routes() if "practice_slug" in parts_of(one)]


def calls() -> list[str]:
    return [one for one in routes() if one.startswith(API)]


def send(client: Client, method: str, address: str, **options: Any) -> Any:
    """The answer of a page or of the API; what breaks is answered as a 500."""
    client.raise_request_exception = False
    return getattr(client, method.lower())(address, **options)


def told(answer: Any) -> str:
    """Everything an answer says."""
    body = answer.content.decode(errors="replace") if not answer.streaming else ""
    return f"{dict(answer.headers)} {body}"


def test_every_address_is_walked_or_belongs_to_nobody(ours: World) -> None:
    walked = {*pages(), *calls()}
    assert len(pages()) > 25
    assert len(calls()) > 8
    left = [
        route
        for route in routes()
        if route not in walked
        and route not in OF_THE_PERSON
        and not route.startswith(OF_NOBODY + OF_SUPPORT)
    ]
    assert not left, f"Say in this file whose they are: {left}"
    for route in walked:
        unknown = set(parts_of(route)) - set(ours.values)
        assert not unknown, f"Give the worlds of this file a row for {unknown} of {route}"


def test_our_own_rows_are_there(ours: World) -> None:
    """Otherwise nothing below would prove anything: each address does find rows of ours."""
    client = Client()
    client.force_login(ours.admin)
    found = {
        route
        for method in ("GET", "POST")  # all pages are read before anything is changed
        for route in pages()
        if _answers(send(client, method, address_of(route, ours.values), **_body(ours, method)))
    }
    assert found == set(pages())
    for route in calls():
        asked = [_call(method, route, ours, ours) for method in ("GET", "POST", "PUT")]
        assert any(one.status_code not in {404, 405} for one in asked), route
        assert not any(one.status_code == 500 for one in asked), route


@pytest.mark.usefixtures("untouched")
def test_every_page_of_another_practice_is_not_there(ours: World, theirs: World) -> None:
    for client in _browsers(ours):
        for route in pages():
            for method in METHODS:
                answer = send(
                    client, method, address_of(route, theirs.values), **_body(theirs, method)
                )
                assert answer.status_code in {404, 405}, f"{method} {route} {answer.status_code}"
                assert "Ridge" not in told(answer), route


@pytest.mark.usefixtures("untouched")
def test_rows_of_another_practice_are_not_there_below_our_own_address(
    ours: World, theirs: World
) -> None:
    mixed = theirs.values | {"practice_slug": ours.practice.slug}
    for client in _browsers(ours):
        for route in pages():
            if not set(parts_of(route)) - NO_ROWS:
                continue
            for method in METHODS:
                answer = send(client, method, address_of(route, mixed), **_body(theirs, method))
                # 403: the role is too low, whatever row is asked for.
                assert answer.status_code in {403, 404, 405}, f"{method} {route}"
                assert "Ridge" not in told(answer), route


@pytest.mark.usefixtures("untouched")
def test_our_own_pages_neither_show_nor_take_rows_of_another_practice(
    ours: World, theirs: World
) -> None:
    for client in _browsers(ours):
        for route in pages():
            for method in METHODS:
                address = address_of(route, ours.values)
                answer = send(client, method, address, **_body(theirs, method))
                assert answer.status_code < 500, f"{method} {route} {answer.status_code}"
                assert "Ridge" not in told(answer), route
    with acting_for(ours.practice.pk):
        assert not Upload.objects.filter(invoice__abtrac_id__in=theirs.abtrac_ids).exists()


@pytest.mark.usefixtures("untouched")
def test_without_a_log_in_there_is_nothing_but_the_log_in(ours: World, theirs: World) -> None:
    for route in pages():
        for method in METHODS:
            answer = send(Client(), method, address_of(route, theirs.values))
            assert answer.status_code in {302, 405}, f"{method} {route} {answer.status_code}"
            if answer.status_code == 302:
                assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.usefixtures("untouched")
def test_a_key_opens_nothing_of_another_practice(ours: World, theirs: World) -> None:
    for route in calls():
        for method in METHODS:
            answer = _call(method, route, ours, theirs)
            assert answer.status_code < 500, f"{method} {route}"
            if "abtrac_id" in parts_of(route) and method != "OPTIONS":
                assert answer.status_code in {404, 405, 415}, f"{method} {route}"
            assert "Ridge" not in told(answer), route


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("header", [None, "Api-Key", "Api-Key x.y", "Basic YTpi", "Bearer x"])
def test_without_a_key_the_api_is_closed(ours: World, theirs: World, header: str | None) -> None:
    logged_in = Client()
    logged_in.force_login(ours.admin)
    headers = {"Authorization": header} if header else {}
    for client in (Client(), logged_in):
        for route in calls():
            for method in METHODS:
                address = address_of(route, theirs.values)
                answer = send(client, method, address, headers=headers)
                assert answer.status_code in {401, 403, 405}, f"{method} {route}"
                assert "Ridge" not in told(answer), route


@pytest.mark.usefixtures("untouched")
def test_a_key_opens_no_page(ours: World) -> None:
    headers = {"Authorization": f"Api-Key {ours.api_key}"}
    for route in pages():
        answer = send(Client(), "GET", address_of(route, ours.values), headers=headers)
        assert answer.status_code in {302, 405}, route


@pytest.mark.usefixtures("untouched")
def test_no_task_of_ours_works_on_an_interface_of_theirs(
    ours: World, theirs: World, server: LedgerServer
) -> None:
    server.calls.clear()
    current_app.loader.import_default_modules()
    walked = 0
    for name, task in current_app.tasks.items():
        if name.startswith("celery."):
            continue
        # The fence of a bell names no row.
        taken = set(inspect.signature(task.run).parameters) - {"rung_at"}
        if not taken:
            continue
        assert taken == {"practice_id", "interface_id"}, f"Say here what {name} is to be given"
        with suppress(ObjectDoesNotExist, ConnectorError):
            task.run(practice_id=ours.practice.pk, interface_id=theirs.interface.pk)
        walked += 1
    assert walked >= 3
    assert server.calls == []


def _answers(answer: Any) -> bool:
    assert answer.status_code != 500, answer.request
    return answer.status_code not in {404, 405}


def _browsers(world: World) -> Iterator[Client]:
    """Everybody of that practice, and the support person it let in."""
    people = [world.admin, *(make_member(world.practice, role) for role in list(Role)[1:])]
    people.append(User.objects.get(grants__practice=world.practice))
    for person in people:
        client = Client()
        client.force_login(person)
        yield client


def _body(world: World, method: str) -> dict[str, Any]:
    return {"data": world.posted} if method == "POST" else {}


def _call(method: str, route: str, caller: World, about: World) -> Any:
    """Call the API with one practice's key about the other's rows."""
    options: dict[str, Any] = {"headers": {"Authorization": f"Api-Key {caller.api_key}"}}
    if method in {"POST", "PUT", "PATCH"}:
        pdf = route.endswith("/pdf")
        body = {"reason": "Planted"} if route.endswith("/void") else {"invoices": about.abtrac_ids}
        options |= {
            "data": b"%PDF-1.7 planted" if pdf else json.dumps(body),
            "content_type": "application/pdf" if pdf else "application/json",
        }
    return send(Client(), method, address_of(route, about.values), **options)


@pytest.mark.usefixtures("untouched")
def test_what_support_sees_of_all_practices_is_there_for_support_alone(
    ours: World, theirs: World
) -> None:
    for client in [Client(), *_browsers(ours)]:
        for method in METHODS:
            answer = send(client, method, "/support/", **_body(theirs, method))
            asked_by = User.objects.filter(pk=client.session.get(SESSION_KEY, 0)).first()
            if asked_by is None:
                assert answer.status_code in {302, 405}, method
            elif not asked_by.is_support:
                assert answer.status_code in {404, 405}, method
            if asked_by is None or not asked_by.is_support:
                assert "Ridge" not in told(answer), method


@pytest.mark.usefixtures("untouched")
def test_of_a_practice_that_let_them_in_nowhere_support_sees_its_name_and_nothing_else(
    ours: World, theirs: World
) -> None:
    client = Client()
    client.force_login(User.objects.get(grants__practice=ours.practice))
    page = send(client, "GET", "/support/")
    assert page.status_code == 200
    # Everything in the world of a practice begins with its name: this is the practice itself.
    assert told(page).count("Ridge") == 1
    assert f"/{theirs.practice.slug}/" not in told(page)
    assert f"/{ours.practice.slug}/accounting/interfaces/{ours.interface.pk}/" in told(page)


def test_every_model_of_a_practice_has_a_row_in_the_worlds(ours: World) -> None:
    """A table without one would be untouched whatever happened to it."""
    without = {"ConsentRequest", "JobLink", "Exchange", "Attempt", "ApiReplay"}
    without |= {"PaymentReceived"}
    empty = {label.split(".")[1] for label, rows in rows_of(ours.practice).items() if not rows}
    assert empty <= without
    assert {one.__name__ for one in apps.get_models() if issubclass(one, PracticeOwned)} >= without
