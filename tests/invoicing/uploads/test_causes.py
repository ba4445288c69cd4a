"""What holds uploads up: one cause for one thing to mend, in step with the uploads."""

from typing import Any

import pytest
from django.db.models import F

from connectors.base.errors import Rejected, RetryLater
from invoicing import notices
from invoicing.causes import open_causes
from invoicing.invoices import commit, uncommit
from invoicing.models import Blocked, Cause, Invoice, InvoiceLine, Upload
from invoicing.uploads import forgotten, park, retry
from invoicing.uploads.states import State
from offices.tenancy import acting_for
from tests.factories import make_client
from tests.invoicing.pages import counted_queries
from tests.invoicing.uploads import till
from tests.invoicing.uploads.conftest import Desk
from tests.invoicing.uploads.till import Books

pytestmark = pytest.mark.django_db


def archived(code: str = "200", **more: Any) -> Rejected:
    """Till refuses the account."""
    message = f"Account {code} is archived in Till."
    return till.refused(
        message, field="account_code", code="account_archived", subject=code, line=1, **more
    )


def standing(desk: Desk) -> dict[str, list[str]]:
    """The numbers or names of what each open cause holds up, by its code and subject."""
    with acting_for(desk.practice.pk):
        found: dict[str, list[str]] = {f"{one.code} {one.subject}": [] for one in open_causes()}
        held = Blocked.objects.filter(cleared_at__isnull=True, cause__closed_at__isnull=True)
        for one in held.select_related("cause", "upload__invoice").order_by("upload"):
            named = one.upload.invoice or one.upload.contact_name or one.upload.kind
            found[f"{one.cause.code} {one.cause.subject}"].append(str(named))
        assert {one.upload_id for one in held} == set(
            Upload.objects.filter(has_causes=True).values_list("pk", flat=True)
        )
    return found


def try_again(desk: Desk, *invoices: Invoice) -> None:
    """Retry the newest uploads of these."""
    with acting_for(desk.practice.pk):
        retry(upload_ids=[desk.of(one).pk for one in invoices], actor=desk.user)


def test_many_refused_for_one_thing_have_one_cause_until_each_is_sent(
    known: Desk, books: Books
) -> None:
    invoices = [known.invoice(number=number) for number in ("A-1", "A-2", "A-3")]
    books.refusals = {"A-1": archived(), "A-2": archived(), "A-3": archived("260")}
    known.upload(*invoices[:2])
    known.upload(invoices[2])
    known.work(turns=2)
    two, one = "account_archived 200", "account_archived 260"
    assert standing(known) == {two: ["A-1", "A-2"], one: ["A-3"]}
    books.refusals.clear()
    try_again(known, *invoices[:2])
    # Being tried is not yet over.
    assert standing(known) == {two: ["A-1", "A-2"], one: ["A-3"]}
    known.work(turns=2)
    assert standing(known) == {one: ["A-3"]}
    with acting_for(known.practice.pk):
        assert Cause.objects.get(subject="200").closed_at
        assert Cause.objects.get(subject="200").message == "Account 200 is archived in Till."
    # What was mended and breaks again is another cause, opened later.
    books.refusals = {"A-4": archived()}
    known.upload(known.invoice(number="A-4"))
    known.work()
    assert standing(known) == {one: ["A-3"], two: ["A-4"]}


def test_an_invoice_with_two_causes_waits_for_both(known: Desk, books: Books) -> None:
    invoice = known.invoice(number="A-1")
    tax = till.refused("No such tax code.", field="tax_code", code="tax_unknown", subject="X")
    books.refusals["A-1"] = archived(others=[tax])
    known.upload(invoice)
    known.work()
    assert standing(known) == {"account_archived 200": ["A-1"], "tax_unknown X": ["A-1"]}
    books.refusals["A-1"] = tax
    try_again(known, invoice)
    known.work()
    assert standing(known) == {"tax_unknown X": ["A-1"]}
    books.refusals.clear()
    try_again(known, invoice)
    known.work()
    assert standing(known) == {}
    assert known.of(invoice).state == State.SENT


def test_what_our_own_checks_refuse_has_its_cause_at_the_click(known: Desk) -> None:
    missing = [known.invoice(line_fields={"account_code": "999"}) for _ in range(2)]
    known.upload(*missing)
    expected = {"account_unknown 999": [str(one) for one in missing]}
    assert standing(known) == expected
    # Checked again it is refused again; uploaded anew, the later upload has taken its place.
    try_again(known, *missing)
    assert standing(known) == expected
    first = known.of(missing[0])
    with acting_for(known.practice.pk):
        cause = open_causes().get()
    known.upload(missing[0])
    assert standing(known) == {"account_unknown 999": [str(one) for one in reversed(missing)]}
    assert not known.of_pk(first.pk).has_causes
    known.upload(*missing)
    with acting_for(known.practice.pk):
        # Refused for the same once more: it is the same cause, since when it was.
        assert open_causes().get() == cause
        park(invoice_ids=[one.pk for one in missing], reason="By hand", actor=known.user)
    assert standing(known) == {}


def test_what_was_corrected_to_a_credit_note_has_taken_the_place_of_the_invoice(
    known: Desk, books: Books
) -> None:
    invoice = known.invoice(number="A-1")
    books.refusals["A-1"] = archived()
    known.upload(invoice)
    known.work()
    books.refusals.clear()
    with acting_for(known.practice.pk):
        uncommit(invoice_ids=[invoice.abtrac_id])
        minus = {"net": -100, "tax": -15}
        Invoice.objects.filter(pk=invoice.pk).update(**minus, total=-115)
        InvoiceLine.objects.filter(invoice=invoice).update(**minus, quantity=1, unit_price=-100)
        commit(invoice_ids=[invoice.abtrac_id])
    known.upload(invoice)
    known.work()
    assert [one.state for one in known.all(invoice=invoice)] == [State.REFUSED, State.SENT]
    notices.watch(everywhere=True)
    assert standing(known) == {}


def test_an_invoice_taken_back_to_be_corrected_waits_for_nothing(known: Desk) -> None:
    wrong, other = (known.invoice(line_fields={"account_code": "999"}) for _ in range(2))
    known.upload(wrong, other)
    with acting_for(known.practice.pk):
        uncommit(invoice_ids=[wrong.abtrac_id])
    assert standing(known) == {"account_unknown 999": [str(other)]}
    with acting_for(known.practice.pk):
        assert forgotten.put_right([known.interface.pk]) == 0
        commit(invoice_ids=[wrong.abtrac_id])
        # Committed as it was, it was refused and has not been sent since.
        assert forgotten.put_right([known.interface.pk]) == 1
    assert standing(known) == {"account_unknown 999": [str(wrong), str(other)]}


def test_invoices_join_the_cause_of_their_contact(desk: Desk, books: Books) -> None:
    first, second = desk.invoice(number="A-1"), desk.invoice(number="A-2")
    books.refusals["Harbour View Trust"] = till.refused(
        "Till has that name already.", field="contact", code="name_taken"
    )
    desk.upload(first, second)
    desk.work(turns=2)
    assert standing(desk) == {f"name_taken {desk.client.pk}|": ["contact", "A-1", "A-2"]}
    with acting_for(desk.practice.pk):
        assert open_causes().get().message.startswith("Harbour View Trust: ")
    books.refusals.clear()
    try_again(desk, first)
    desk.work(turns=2)
    # The contact is there, and so is the first; the second has not been tried.
    assert list(standing(desk).values()) == [["A-2"]]
    try_again(desk, second)
    desk.work(turns=2)
    assert standing(desk) == {}


def test_what_went_wrong_on_our_side_or_is_not_known_is_a_cause_of_the_interface(
    known: Desk, books: Books, settings: Any
) -> None:
    settings.UPLOAD_LOOKUP_SECONDS = [0.0]
    books.script = [till.failing(ValueError("a bug"))]
    known.upload(known.invoice(number="A-1"))
    known.work()
    books.script = [till.lose_request]
    books.look_script = [lambda: (_ for _ in ()).throw(RetryLater("Busy."))] * 3
    known.upload(known.invoice(number="A-2"))
    known.work(turns=3)
    assert standing(known) == {"our_fault ": ["A-1"], "not_known ": ["A-2"]}
    books.script, books.look_script = [], []


def test_what_an_older_worker_left_without_causes_is_put_right(known: Desk, books: Books) -> None:
    refused, sent = known.invoice(number="A-1"), known.invoice(number="A-2")
    withdrawn = known.invoice(number="A-3")
    books.refusals = {number: archived() for number in ("A-1", "A-2", "A-3")}
    known.upload(refused, sent, withdrawn)
    known.work()
    with acting_for(known.practice.pk):
        Blocked.objects.filter(upload__invoice=refused).delete()
        Upload.objects.filter(invoice=refused).update(has_causes=False)
        Upload.objects.filter(invoice=sent).update(state=State.SENT, remote_id="till-9")
        Invoice.objects.filter(pk=withdrawn.pk).update(status="approved", committed_at=None)
        assert forgotten.put_right([known.interface.pk]) == 3
    assert standing(known) == {"account_archived 200": ["A-1"]}
    with acting_for(known.practice.pk):
        assert forgotten.put_right([known.interface.pk]) == 0
        # Of removed uploads nothing is left that anybody could mend.
        Blocked.objects.all().delete()
        Upload.objects.update(has_causes=False, state=State.SENT, remote_id=F("id"))
        assert forgotten.put_right([known.interface.pk]) == 1
    assert standing(known) == {}


def test_refusing_many_costs_as_many_queries_as_refusing_one(known: Desk) -> None:
    counts = []
    for many in (2, 20):
        with acting_for(known.practice.pk):
            made = [
                known.invoice(client=make_client(), line_fields={"account_code": f"X{many}{place}"})
                for place in range(many)
            ]
        with counted_queries() as queries:
            known.upload(*made)
        counts.append(len(queries))
    assert len(set(counts)) == 1
