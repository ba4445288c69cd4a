"""What every package must do: one copy of each document, an outcome for each, nothing guessed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors import registry
from connectors.base.documents import (
    Allocation,
    Attachment,
    Conflict,
    CreditNote,
    Posted,
    SalesInvoice,
    Voiding,
)
from connectors.base.errors import OutcomeUnknown, Rejected, RetryLater
from connectors.base.protocol import (
    AllocatesCredits,
    AttachesPdf,
    Disconnects,
    ListsCompanyFiles,
    ListsContacts,
    PostsCreditNotes,
    PostsInvoices,
    PushesContacts,
    PushesJobs,
    ReadsCodes,
    ReadsPayments,
    VoidsInvoices,
)
from connectors.base.standin import Answer, Drop, Truncate
from tests.connectors import samples
from tests.connectors.rehearsal import Kept, Rehearsal
from tests.connectors.samples import Terms
from tests.packages import invented

SOME_TERMS = Terms(fees="", recoveries="", taxed="", rate=Decimal(0), untaxed="", currency="")
SAMPLES = list(samples.invoices(SOME_TERMS))
PACKAGES = [*registry.packages().values(), *invented().values()]

# --- Packages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", PACKAGES, ids=lambda one: one.key)
def test_a_package_declares_what_the_product_asks_of_it(package: Any) -> None:
    assert package.key.isidentifier()
    assert package.label
    assert len(package.capabilities()) > 0
    assert package.limits.per_call >= 1
    choices = {one.key: one.choices for one in package.settings}
    for setting in package.settings:
        assert setting.label
        if setting.kind == "choice":
            assert setting.default in dict(setting.choices)
        if setting.required_with:
            other, value = setting.required_with
            assert value in dict(choices[other])
    if package.oauth:
        places = [package.oauth.authorize, package.oauth.token, package.oauth.revoke]
        assert all(one is None or one[0] in package.endpoints for one in places)
    assert all(url.startswith("https://") for url in package.endpoints.values())


# --- Invoices and credit notes -------------------------------------------------------------------

Posts = Callable[..., list[Any]]


class Kind:
    """Invoices or credit notes: both keep the same contract."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.document: type[SalesInvoice] = CreditNote if name == "credit notes" else SalesInvoice

    def make(self, rehearsal: Rehearsal, number: str = "ABT-1001", **changes: Any) -> Any:
        """A document, its contact known to the package."""
        make = samples.credit_note if self.name == "credit notes" else samples.invoice
        [ready] = rehearsal.ready(make(rehearsal.terms, number=number, **changes))
        return ready

    def post(self, connector: Any, documents: Any, call_key: str = "call-1") -> list[Any]:
        """One outcome each."""
        name = "post_credit_notes" if self.name == "credit notes" else "post_invoices"
        outcomes: list[Any] = getattr(connector, name)(documents, call_key=call_key)
        return outcomes

    def post_again(self, rehearsal: Rehearsal, connector: Any, documents: Any) -> list[Any]:
        """As a lane posts a second time: what it does before, and its key, are the package's."""
        limits = rehearsal.package.limits
        there: Mapping[str, Any] = {}
        if limits.look_before_create:
            there = self.find(connector, documents)
        missing = [one for one in documents if one.key not in there]
        call_key = "call-1" if limits.keys_kept else "call-2"
        answered = self.post(connector, missing, call_key) if missing else []
        by_key = dict(there) | {one.key: one for one in answered}
        return [by_key[one.key] for one in documents]

    def find(self, connector: Any, documents: Any) -> Mapping[str, Any]:
        """Those that are there."""
        name = "find_credit_notes" if self.name == "credit notes" else "find_invoices"
        found: Mapping[str, Any] = getattr(connector, name)(documents)
        return found


@pytest.fixture(params=["invoices", "credit notes"])
def kind(request: pytest.FixtureRequest, rehearsal: Rehearsal) -> Kind:
    capability = PostsCreditNotes if request.param == "credit notes" else PostsInvoices
    if not rehearsal.package.can(capability):
        pytest.skip(f"{rehearsal.package.label} has no {request.param}.")
    return Kind(request.param)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_arrives_as_abtrac_shows_it(rehearsal: Rehearsal, name: str) -> None:
    [invoice] = rehearsal.ready(samples.invoices(rehearsal.terms)[name])
    connector = rehearsal.connect()
    [outcome] = connector.post_invoices([invoice], call_key="call-1")
    assert isinstance(outcome, Posted), outcome
    assert outcome.key == invoice.key
    assert outcome.remote_id
    assert outcome.total in {None, invoice.total}
    assert outcome.tax in {None, invoice.tax}
    assert outcome.warnings == ()
    assert list(rehearsal.numbers()) == [invoice.number]
    assert connector.find_invoices([invoice])[invoice.key].remote_id == outcome.remote_id


def test_a_post_whose_answer_is_lost_is_found_again(rehearsal: Rehearsal, kind: Kind) -> None:
    document = kind.make(rehearsal)
    connector = rehearsal.connect()
    rehearsal.misbehave(kind.name, Drop(after_effect=True))
    with pytest.raises(OutcomeUnknown):
        kind.post(connector, [document])
    found = kind.find(connector, [document])[document.key]
    assert isinstance(found, Posted)
    assert found.total in {None, document.total}
    assert list(rehearsal.numbers(kind.document)) == [document.number]


def test_a_post_that_was_lost_on_the_way_is_unknown_and_not_found(
    rehearsal: Rehearsal, kind: Kind
) -> None:
    document = kind.make(rehearsal)
    connector = rehearsal.connect()
    rehearsal.misbehave(kind.name, Drop(after_effect=False))
    with pytest.raises(OutcomeUnknown):
        kind.post(connector, [document])
    assert kind.find(connector, [document]) == {}
    assert list(rehearsal.numbers(kind.document)) == []


BROKEN = {
    "cut in the middle": Truncate(),
    "a page": Answer(200, "<html>", {"Content-Type": "text/html"}, after_effect=True),
    "nothing": Answer(200, b"", {"Content-Type": "application/json"}, after_effect=True),
    "something else": Answer(200, b"[]", {"Content-Type": "application/json"}, after_effect=True),
    "an empty object": Answer(200, {}, after_effect=True),
    "an error": Answer(500, b"", after_effect=True),
    "a gateway's error": Answer(502, "<html>", after_effect=True),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_says_nothing_is_never_taken_for_success(
    rehearsal: Rehearsal, kind: Kind, fault: Any
) -> None:
    document = kind.make(rehearsal)
    connector = rehearsal.connect()
    rehearsal.misbehave(kind.name, fault)
    with pytest.raises(OutcomeUnknown):
        kind.post(connector, [document])
    assert isinstance(kind.find(connector, [document])[document.key], Posted)
    assert list(rehearsal.numbers(kind.document)) == [document.number]


def test_a_second_post_of_the_same_makes_no_second_copy(rehearsal: Rehearsal, kind: Kind) -> None:
    document = kind.make(rehearsal)
    connector = rehearsal.connect()
    [first] = kind.post(connector, [document], "call-1")
    before = rehearsal.books()
    [second] = kind.post_again(rehearsal, connector, [document])
    assert second.remote_id == first.remote_id
    assert isinstance(second, Posted)
    # Where the package itself says that the number is taken, it is told.
    assert second.warnings or not rehearsal.refuses_doubles
    assert rehearsal.books() == before


def test_one_outcome_each_in_order_and_a_refused_one_stops_no_other(
    rehearsal: Rehearsal, kind: Kind
) -> None:
    documents = [
        kind.make(rehearsal, f"ABT-10{place:02}")
        for place in range(min(6, rehearsal.package.limits.per_call))
    ]
    bad = samples.line(rehearsal.terms, account_code="NONESUCH")
    documents[-1] = replace(documents[-1], lines=(bad,))
    outcomes = kind.post(rehearsal.connect(), documents)
    *good, refused = outcomes
    assert [one.key for one in good] == [one.key for one in documents[:-1]]
    assert all(isinstance(one, Posted) for one in good)
    assert isinstance(refused, Rejected)
    assert refused.field == "account_code"
    assert refused.line == 1
    assert str(refused)
    assert refused.next_step
    assert list(rehearsal.numbers(kind.document)) == [one.number for one in documents[:-1]]


def test_as_many_go_in_one_call_as_the_package_says(rehearsal: Rehearsal, kind: Kind) -> None:
    most = rehearsal.package.limits.per_call
    documents = [kind.make(rehearsal, f"ABT-10{place:02}") for place in range(most)]
    kept = Kept()
    outcomes = kind.post(rehearsal.connect(recorder=kept), documents)
    assert [one.key for one in outcomes] == [one.key for one in documents]
    assert all(isinstance(one, Posted) for one in outcomes)
    assert len(kept.requests) == 1


def test_a_look_up_never_invents(rehearsal: Rehearsal, kind: Kind) -> None:
    connector = rehearsal.connect()
    there = kind.make(rehearsal, "ABT-1001")
    kind.post(connector, [there])
    near = [kind.make(rehearsal, number) for number in ("ABT-100", "ABT-10011", "BT-1001")]
    assert kind.find(connector, near) == {}
    assert set(kind.find(connector, [*near, there])) == {there.key}


def test_somebody_elses_invoice_is_a_conflict_and_stays_as_it_is(rehearsal: Rehearsal) -> None:
    [invoice] = rehearsal.ready(samples.invoice(rehearsal.terms))
    rehearsal.add_invoice_of_others(invoice.number, Decimal("47.11"))
    connector = rehearsal.connect()
    before = rehearsal.books()
    outcomes = [connector.find_invoices([invoice])[invoice.key]]
    if rehearsal.refuses_doubles:
        outcomes += connector.post_invoices([invoice], call_key="call-1")
    theirs = "Somebody Else Ltd" if rehearsal.names_contacts else ""
    for outcome in outcomes:
        assert isinstance(outcome, Conflict)
        assert outcome.total == Decimal("47.11")
        assert outcome.contact_name == theirs
        for word in (invoice.number, "47.11", f"{invoice.total:,.2f}", theirs):
            assert word in outcome.message
        assert outcome.next_step
    assert rehearsal.books() == before


LIMITED = Answer(429, b"", {"Retry-After": "40"})


def test_too_many_calls_writes_nothing(rehearsal: Rehearsal, kind: Kind) -> None:
    document = kind.make(rehearsal)
    connector = rehearsal.connect()
    rehearsal.misbehave(kind.name, LIMITED)
    with pytest.raises(RetryLater) as caught:
        kind.post(connector, [document])
    assert caught.value.congested
    assert caught.value.after == timedelta(seconds=40)
    assert list(rehearsal.numbers(kind.document)) == []


def test_a_package_out_of_reach_writes_nothing(rehearsal: Rehearsal, kind: Kind) -> None:
    document = kind.make(rehearsal)
    connector = rehearsal.connect()
    rehearsal.standin.stop()
    with pytest.raises(RetryLater):
        kind.post(connector, [document])
    assert list(rehearsal.numbers(kind.document)) == []


def test_an_expired_token_is_renewed_and_the_document_arrives_once(
    rehearsal: Rehearsal, kind: Kind
) -> None:
    document = kind.make(rehearsal)
    kept = Kept()
    connector = rehearsal.connect(recorder=kept)
    rehearsal.misbehave(kind.name, Answer(401, {"Detail": "TokenExpired"}))
    [outcome] = kind.post(connector, [document])
    assert isinstance(outcome, Posted)
    assert rehearsal.tokens.renewals == 1
    assert len(kept.requests) == len(kept.answers) == 2
    assert kept.answers[0].status == 401
    assert list(rehearsal.numbers(kind.document)) == [document.number]


def test_what_is_recorded_is_what_arrived(rehearsal: Rehearsal, kind: Kind) -> None:
    document = kind.make(rehearsal)
    kept = Kept()
    kind.post(rehearsal.connect(recorder=kept), [document], "call-7")
    [told] = kept.requests
    [seen] = rehearsal.standin.seen(*rehearsal.creates[kind.name])
    assert told.body == seen.body
    assert told.path.partition("?")[0] == seen.path
    assert kept.answers[0].status == seen.status
    assert rehearsal.tokens.access_token() not in f"{told}{kept.answers}"


# --- Contacts ------------------------------------------------------------------------------------


@pytest.fixture
def contacts_of(rehearsal: Rehearsal) -> Rehearsal:
    if not rehearsal.package.can(PushesContacts):
        pytest.skip(f"{rehearsal.package.label} takes no contacts.")
    return rehearsal


def test_a_contact_is_created_once_and_found_afterwards(contacts_of: Rehearsal) -> None:
    connector = contacts_of.connect()
    contact = samples.contact()
    assert connector.find_contacts([contact]) == {}
    [posted] = connector.post_contacts([contact], call_key="call-1")
    assert isinstance(posted, Posted)
    found = connector.find_contacts([contact])[contact.key]
    assert isinstance(found, Posted)
    assert found.remote_id == posted.remote_id
    assert list(contacts_of.names()) == [contact.name]


def test_a_contact_whose_answer_is_lost_is_found_again(contacts_of: Rehearsal) -> None:
    connector = contacts_of.connect()
    contact = samples.contact()
    contacts_of.misbehave("contacts", Drop(after_effect=True))
    with pytest.raises(OutcomeUnknown):
        connector.post_contacts([contact], call_key="call-1")
    assert isinstance(connector.find_contacts([contact])[contact.key], Posted)
    assert list(contacts_of.names()) == [contact.name]


def test_every_contact_is_listed_archived_ones_marked(contacts_of: Rehearsal) -> None:
    if not contacts_of.package.can(ListsContacts):
        pytest.skip(f"{contacts_of.package.label} does not list its contacts.")
    connector = contacts_of.connect()
    wanted = [replace(samples.contact(f"C{n}", f"Client {n} Ltd"), key=f"k{n}") for n in range(3)]
    posted = [connector.post_contacts([one], call_key=one.key)[0] for one in wanted]
    contacts_of.archive_contact("Client 1 Ltd")
    listed = {one.remote_id: one for one in connector.list_contacts()}
    assert [listed[one.remote_id].name for one in posted] == [one.name for one in wanted]
    assert [listed[one.remote_id].number for one in posted] == [one.number for one in wanted]
    assert [listed[one.remote_id].email for one in posted] == [one.email for one in wanted]
    assert [listed[one.remote_id].archived for one in posted] == [False, True, False]
    assert len(listed) == len(contacts_of.names())


def test_a_contact_that_exists_is_linked_and_left_as_it_is(contacts_of: Rehearsal) -> None:
    connector = contacts_of.connect()
    [first] = connector.post_contacts([samples.contact()], call_key="call-1")
    before = contacts_of.books()
    moved = samples.contact(email="new@elsewhere.example", phone="021 1")
    # A lane looks before it creates a contact; a package that refuses a second one is asked too.
    second = connector.find_contacts([moved])[moved.key]
    if contacts_of.refuses_doubles:
        [second] = connector.post_contacts([moved], call_key="call-2")
    assert isinstance(second, Posted)
    assert second.remote_id == first.remote_id
    assert contacts_of.books() == before


def test_an_archived_contact_is_left_to_a_person(contacts_of: Rehearsal) -> None:
    connector = contacts_of.connect()
    contact = samples.contact()
    connector.post_contacts([contact], call_key="call-1")
    contacts_of.archive_contact(contact.name)
    found = connector.find_contacts([contact])[contact.key]
    assert isinstance(found, Conflict)
    assert contact.name in found.message
    assert found.next_step


def test_many_contacts_go_in_order_and_a_bad_one_stops_no_other(contacts_of: Rehearsal) -> None:
    connector = contacts_of.connect()
    count = min(8, contacts_of.package.limits.per_call)
    made = [samples.contact(f"C{place}", f"Client {place} Ltd") for place in range(count)]
    made[count // 2] = replace(made[count // 2], name="")
    outcomes = connector.post_contacts(made, call_key="call-1")
    assert [isinstance(one, Rejected) for one in outcomes] == [not one.name for one in made]
    assert sorted(contacts_of.names()) == sorted(one.name for one in made if one.name)
    found = connector.find_contacts(made)
    assert set(found) == {one.key for one in made if one.name}
    for contact, outcome in zip(made, outcomes, strict=True):
        if contact.name:
            assert found[contact.key].remote_id == outcome.remote_id


# --- Jobs ----------------------------------------------------------------------------------------


def test_a_job_is_created_once_and_found_afterwards(rehearsal: Rehearsal) -> None:
    if not rehearsal.package.can(PushesJobs):
        pytest.skip(f"{rehearsal.package.label} has no place for jobs.")
    connector = rehearsal.connect(**rehearsal.settings_for_jobs())
    jobs = [samples.job("J0001"), samples.job("J0002")]
    assert connector.find_jobs(jobs) == {}
    outcomes = connector.post_jobs(jobs, call_key="call-1")
    assert [type(one) for one in outcomes] == [Posted, Posted]
    found = connector.find_jobs(jobs)
    assert [found[one.key].remote_id for one in jobs] == [one.remote_id for one in outcomes]


# --- What follows a document ---------------------------------------------------------------------


@pytest.fixture
def allocation(rehearsal: Rehearsal) -> Allocation:
    """A credit note and its invoice, both there, and what is to be done."""
    if not rehearsal.package.can(AllocatesCredits):
        pytest.skip(f"{rehearsal.package.label} does not set credits against invoices.")
    connector = rehearsal.connect(**rehearsal.settings_to_allocate())
    lines = [samples.line(rehearsal.terms, "200.00", quantity="1", unit_price="200.00")]
    [invoice] = rehearsal.ready(samples.invoice(rehearsal.terms))
    [note] = rehearsal.ready(samples.credit_note(rehearsal.terms, *lines, credits=invoice.number))
    [there] = connector.post_invoices([invoice], call_key="call-1")
    [credit] = connector.post_credit_notes([note], call_key="call-2")
    return Allocation(
        key="key-1/allocation",
        credit_note_id=credit.remote_id,
        invoice_id=there.remote_id,
        issued=note.issued,
        amount=note.total,
    )


def test_a_credit_is_set_against_its_invoice_once(
    rehearsal: Rehearsal, allocation: Allocation
) -> None:
    connector = rehearsal.connect()
    assert connector.find_allocations([allocation]) == {}
    for call_key in ("call-3", "call-4"):
        [outcome] = connector.post_allocations([allocation], call_key=call_key)
        assert isinstance(outcome, Posted)
    assert isinstance(connector.find_allocations([allocation])[allocation.key], Posted)
    assert rehearsal.credited("ABT-1001") == allocation.amount


def test_an_allocation_whose_answer_is_lost_is_found_again(
    rehearsal: Rehearsal, allocation: Allocation
) -> None:
    connector = rehearsal.connect()
    rehearsal.misbehave("allocations", Drop(after_effect=True))
    with pytest.raises(OutcomeUnknown):
        connector.post_allocations([allocation], call_key="call-3")
    assert isinstance(connector.find_allocations([allocation])[allocation.key], Posted)
    assert rehearsal.credited("ABT-1001") == allocation.amount


def test_a_pdf_hangs_on_its_invoice_once(rehearsal: Rehearsal) -> None:
    if not rehearsal.package.can(AttachesPdf):
        pytest.skip(f"{rehearsal.package.label} takes no PDF.")
    connector = rehearsal.connect()
    [invoice] = rehearsal.ready(samples.invoice(rehearsal.terms))
    [there] = connector.post_invoices([invoice], call_key="call-1")
    pdf = Attachment(
        key="key-1/pdf",
        document_id=there.remote_id,
        of_credit_note=False,
        file_name="Invoice ABT-1001 #3: Ōtākou.pdf",
        content=b"%PDF-1.7 a page",
    )
    assert connector.find_attachments([pdf]) == {}
    rehearsal.misbehave("pdf", Drop(after_effect=True))
    with pytest.raises(OutcomeUnknown):
        connector.post_attachments([pdf], call_key="call-2")
    assert isinstance(connector.find_attachments([pdf])[pdf.key], Posted)
    [again] = connector.post_attachments([pdf], call_key="call-3")
    assert isinstance(again, Posted)
    assert list(rehearsal.attached(pdf)) == [pdf.content]


# --- What is taken back --------------------------------------------------------------------------


@pytest.fixture(params=["", "drafts"])
def voiding(request: pytest.FixtureRequest, rehearsal: Rehearsal, kind: Kind) -> Voiding:
    """A document that is there, approved or as drafts are, and that is to be taken back."""
    if not rehearsal.package.can(VoidsInvoices):
        pytest.skip(f"{rehearsal.package.label} takes nothing back.")
    settings = {} if request.param else rehearsal.settings_to_allocate()
    document = kind.make(rehearsal)
    [there] = kind.post(rehearsal.connect(**settings), [document])
    return Voiding(
        key="key-1/void",
        document_id=there.remote_id,
        of_credit_note=kind.document is CreditNote,
        number=document.number,
        total=document.total,
    )


def test_a_document_is_taken_back_once(rehearsal: Rehearsal, voiding: Voiding) -> None:
    connector = rehearsal.connect()
    assert connector.find_voided([voiding]) == {}
    [outcome] = connector.void([voiding], call_key="call-2")
    assert isinstance(outcome, Posted)
    assert (outcome.key, outcome.remote_id) == (voiding.key, voiding.document_id)
    before = rehearsal.books()
    [again] = connector.void([voiding], call_key="call-3")
    assert isinstance(again, Posted)
    assert rehearsal.books() == before
    assert connector.find_voided([voiding])[voiding.key].remote_id == voiding.document_id


@pytest.mark.parametrize("arrives", [True, False])
def test_a_void_without_an_answer_is_unknown_and_looked_up(
    rehearsal: Rehearsal, voiding: Voiding, arrives: bool
) -> None:
    connector = rehearsal.connect()
    rehearsal.misbehave("void", Drop(after_effect=arrives))
    with pytest.raises(OutcomeUnknown):
        connector.void([voiding], call_key="call-2")
    assert bool(connector.find_voided([voiding])) is arrives


def test_what_is_not_there_any_more_or_not_as_it_was_sent_is_not_taken_back(
    rehearsal: Rehearsal, voiding: Voiding
) -> None:
    connector = rehearsal.connect()
    others = [
        replace(voiding, key="a", total=Decimal("47.11")),
        replace(voiding, key="b", number="ABT-9"),
        replace(voiding, key="c", document_id="00000000-0000-4000-8000-000000000000"),
    ]
    before = rehearsal.books()
    outcomes = connector.void(others, call_key="call-2")
    assert [one.code for one in outcomes] == ["changed_there", "changed_there", "gone"]
    assert all(one.next_step for one in outcomes)
    assert rehearsal.books() == before
    assert connector.find_voided(others) == {}


# --- What comes back -----------------------------------------------------------------------------


def test_payments_come_back_and_go_when_they_are_taken_back(rehearsal: Rehearsal) -> None:
    if not rehearsal.package.can(ReadsPayments):
        pytest.skip(f"{rehearsal.package.label} does not tell of payments.")
    connector = rehearsal.connect(**rehearsal.settings_to_allocate())
    [invoice] = rehearsal.ready(samples.invoice(rehearsal.terms))
    [there] = connector.post_invoices([invoice], call_key="call-1")
    before = connector.read_changes("")
    assert before.payments == ()
    payment_id = rehearsal.pay(invoice.number, Decimal("100.00"))
    changes = connector.read_changes(before.mark)
    [payment] = changes.payments
    assert payment.remote_id == payment_id
    assert payment.document_id == there.remote_id
    assert payment.amount == Decimal("100.00")
    assert not payment.reversed
    [state] = [one for one in changes.documents if one.remote_id == there.remote_id]
    assert (state.total, state.paid) == (invoice.total, Decimal("100.00"))
    assert state.due == invoice.total - Decimal("100.00")
    rehearsal.take_back(payment_id)
    [payment] = connector.read_changes(changes.mark).payments
    assert payment.remote_id == payment_id
    assert payment.reversed


# --- The company file ----------------------------------------------------------------------------


def test_codes_are_listed_with_what_may_be_used(rehearsal: Rehearsal) -> None:
    if not rehearsal.package.can(ReadsCodes):
        pytest.skip(f"{rehearsal.package.label} does not list its codes.")
    codes = rehearsal.connect().read_codes()
    accounts = {one.code: one for one in codes.accounts}
    taxes = {one.code: one for one in codes.taxes}
    terms = rehearsal.terms
    for code in (terms.fees, terms.recoveries):
        assert accounts[code].active
        assert accounts[code].usable_for_sales
        allowed = accounts[code].allowed_tax_codes
        assert allowed is None or terms.taxed in allowed
    assert taxes[terms.taxed].rate == terms.rate
    assert taxes[terms.taxed].usable_for_sales
    assert all(isinstance(value, str) for value in codes.facts.values())


def test_company_files_are_listed_and_one_can_be_left(rehearsal: Rehearsal) -> None:
    if not rehearsal.package.can(ListsCompanyFiles):
        pytest.skip(f"{rehearsal.package.label} has one company file a connection.")
    connector = rehearsal.connect(company_file="")
    files = connector.list_company_files()
    assert rehearsal.company_file in {one.id for one in files}
    assert all(one.name for one in files)
    if rehearsal.package.can(Disconnects):
        for left, one in enumerate(files, start=1):
            assert connector.disconnect(one.connection_id) is (left == len(files))
        assert connector.disconnect(files[0].connection_id) is True
        assert connector.list_company_files() == []
