"""Answers that are none, or are not what they seem: nothing is "sent" on the strength of them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from connectors.base.alterations import ZERO_ID
from connectors.base.standin import Alter, Answer, Drop, Truncate
from tests.faults.conftest import Firm

pytestmark = pytest.mark.django_db(transaction=True)

HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}
AT_ONCE = 10
NO_IDS = ["zero ids", "empty ids", "without ids"]
NO_ANSWERS = [
    *(
        Answer(status, body, after_effect=after_effect)
        for status in (500, 502, 504)
        for body in ("", {"code": "failed", "message": "Something went wrong."})
        for after_effect in (True, False)
    ),
    *(
        Answer(200, body, headers, after_effect=after_effect)
        for body, headers in (
            ("<html>ok</html>", HTML),
            ('{"id": "1", "status": "ok"}', HTML),
            ("", JSON),
            ("<html>ok</html>", JSON),
            ('{"results": [{"id": "3f6c', JSON),
            ("{}", JSON),
            ("[]", JSON),
            ("null", JSON),
        )
        for after_effect in (True, False)
    ),
    Answer(200, {"Invoices": [], "results": []}, after_effect=True),
    Truncate(),
]


# In place of what is looked for.
NO_LISTS = [
    Answer(200, "<html>ok</html>", HTML),
    *(Answer(200, body, JSON) for body in ("", "{}", "[]", "null", '{"Invoices": null}')),
    *(Answer(200, {"Invoices": odd, "items": odd}) for odd in ([None], ["text"], "text")),
]


def named(fault: Any) -> str:
    if isinstance(fault, str):
        return fault
    return " ".join(str(part) for part in vars(fault).values()) or "cut off"


def in_turns(faults: Sequence[Any]) -> list[Sequence[Any]]:
    """Several in one test: making a firm for each takes longer than what is tried on it."""
    return [faults[start : start + AT_ONCE] for start in range(0, len(faults), AT_ONCE)]


def first_of(faults: Sequence[Any]) -> str:
    return f"from {named(faults[0])}"


@pytest.mark.parametrize("faults", in_turns(NO_ANSWERS), ids=first_of)
def test_an_answer_that_is_none_is_unknown_and_one_copy_is_there(
    known: Firm, faults: Sequence[Any]
) -> None:
    """Rows 11 and 14, with and without effect."""
    for fault in faults:
        invoices = [known.invoice() for _ in range(2)]
        known.upload(*invoices)
        known.script(fault)
        known.work()
        states = [known.of(one).state for one in invoices]
        # Where it takes one at a time the other may have gone meanwhile.
        assert states.count("unknown") == min(known.interface.package.limits.per_call, 2), fault
        assert set(states) <= {"unknown", "queued", "sent"}, fault
        known.work(turns=4)
        known.check(*invoices)
        known.earlier += invoices


@pytest.mark.parametrize("name", NO_IDS)
def test_nothing_is_sent_without_an_id(known: Firm, name: str) -> None:
    """Row 14: everything is there, and the answer names none of it."""
    invoices = [known.invoice() for _ in range(2)]
    known.upload(*invoices)
    known.script(known.standin.altered(name))
    known.work()
    went = [one for one in map(known.of, invoices) if one.state != "queued"]
    assert went
    # Looked up at once, or still to be looked up.
    assert {one.state for one in went} <= {"unknown", "sent"}
    assert not {one.remote_id for one in went if one.state == "sent"} & {"", ZERO_ID}
    known.work(turns=4)
    known.check(*invoices)


@pytest.mark.parametrize("answers", in_turns([*NO_IDS, *NO_LISTS]), ids=first_of)
def test_a_look_up_that_cannot_be_read_decides_nothing(known: Firm, answers: Sequence[Any]) -> None:
    """Row 14: it is neither adopted without an id nor taken for absent and sent again."""
    for answer in answers:
        invoice = known.invoice()
        known.upload(invoice)
        known.script(Drop(after_effect=True))
        known.work()
        fault = known.standin.altered(answer) if isinstance(answer, str) else answer
        known.standin.script(fault=fault, times=3)
        known.work()
        upload = known.of(invoice)
        assert (upload.state, upload.lookups) == ("unknown", 1), answer
        assert upload.due is not None
        known.standin.clear()
        known.work(turns=4)
        known.check(invoice)
        assert known.moves(upload)[-2:] == ["unknown", "sent"], answer
        known.earlier.append(invoice)


@pytest.mark.parametrize("name", ["fewer", "reversed"])
def test_of_several_each_gets_its_own_id_or_none_yet(known: Firm, name: str) -> None:
    """Row 14: fewer elements than were sent, or in another order."""
    if known.interface.package.limits.per_call == 1:
        pytest.skip("It takes one at a time.")
    invoices = [known.invoice(nets=(f"{100 * n}.00",)) for n in range(1, 6)]
    known.upload(*invoices)
    known.script(known.standin.altered(name))
    known.work()
    assert {known.of(one).state for one in invoices} <= {"unknown", "sent"}
    known.work(turns=3)
    known.check(*invoices)
    assert known.created_by() == 1


def test_more_elements_than_were_sent_name_nobody_elses(known: Firm) -> None:
    if known.interface.package.limits.per_call == 1:
        pytest.skip("It takes one at a time.")
    invoices = [known.invoice() for _ in range(2)]
    known.upload(*invoices)

    def one_more(answer: Any) -> Any:
        listed = next(each for each in answer.values() if isinstance(each, list))
        listed.insert(0, dict(listed[-1]))
        return answer

    known.script(Alter(one_more))
    known.work(turns=4)
    known.check(*invoices)


def test_a_total_that_differs_by_a_cent_is_sent_with_a_warning(known: Firm) -> None:
    """Row 16: it is there, so it is not sent again; and never silently."""
    invoice = known.invoice(nets=("1000.00",))
    known.upload(invoice)
    known.script(known.standin.altered("a cent more"))
    known.work()
    upload = known.of(invoice)
    assert upload.state == "sent", upload.reason
    assert upload.remote_total == Decimal("1150.01")
    [warning] = upload.warnings
    assert "1150.01" in warning
    assert "1150.00" in warning
    known.check(invoice)
    assert known.created_by() == 1


def test_a_contact_whose_answer_is_none_is_there_once(any_firm: Firm) -> None:
    """Rows 11 and 14: what a document needs comes by the same rules."""
    invoice = any_firm.invoice()
    any_firm.upload(invoice)
    method = any_firm.call[0]
    any_firm.standin.script(method, fault=Answer(200, "", JSON, after_effect=True))
    any_firm.work()
    assert any_firm.numbers_there() == []
    any_firm.work(turns=5)
    any_firm.check(invoice)
    if any_firm.invented:
        made = [one for one in any_firm.standin.created if one.kind == "contact"]
    else:
        made = [one for one in any_firm.books.contacts if one.name == any_firm.client.name]
    assert len(made) == 1
