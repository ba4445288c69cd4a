"""Many uploads written by one statement."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from invoicing.uploads.each import update_each
from offices.tenancy import acting_for
from tests.invoicing.uploads.conftest import Desk


def test_each_row_gets_its_own_values_whatever_their_type(
    desk: Desk, django_assert_num_queries: Any
) -> None:
    desk.upload(desk.invoice(), desk.invoice(), desk.invoice())
    first, second, third = desk.all(kind="invoice")
    moment = timezone.now() + timedelta(hours=1)
    first.reason, first.warnings, first.remote_total = "It's “100 %” off", ["a", "b"], None
    second.reason, second.warnings, second.remote_total = "", [], Decimal("1234567890.12")
    first.due, second.due = None, moment
    fields = ["reason", "warnings", "remote_total", "due"]
    guard = {"practice": desk.practice.pk, "state": "queued"}
    with acting_for(desk.practice.pk), django_assert_num_queries(1):
        written = update_each([first, second], fields, guard=guard, same={"tries": 3})
    assert written == 2
    found = desk.all(kind="invoice")
    assert [one.reason for one in found] == ["It's “100 %” off", "", ""]
    assert [one.warnings for one in found] == [["a", "b"], [], []]
    assert [one.remote_total for one in found] == [None, Decimal("1234567890.12"), None]
    assert [one.due for one in found] == [None, moment, third.due]
    assert [one.tries for one in found] == [3, 3, 0]


def test_a_row_that_is_not_as_the_guard_says_is_left_alone(desk: Desk) -> None:
    desk.upload(desk.invoice(), desk.invoice())
    rows = desk.all(kind="invoice")
    for one in rows:
        one.reason = "written"
    with acting_for(desk.practice.pk):
        type(rows[0]).objects.filter(pk=rows[0].pk).update(fence=7)
        guard = {"practice": desk.practice.pk, "state": "queued", "fence": 7}
        assert update_each(rows, ["reason"], guard=guard, same={}) == 1
        other = {**guard, "practice": desk.practice.pk + 1}
        assert update_each(rows, ["reason"], guard=other, same={}) == 0
    assert [one.reason for one in desk.all(kind="invoice")] == ["written", ""]


def test_more_rows_than_fit_into_one_statement_are_all_written(
    desk: Desk, monkeypatch: Any
) -> None:
    monkeypatch.setattr("invoicing.uploads.each.MOST", 2)
    desk.upload(*(desk.invoice() for _ in range(5)))
    rows = desk.all(kind="invoice")
    for at, one in enumerate(rows):
        one.reason = f"reason {at}"
    guard = {"practice": desk.practice.pk, "state": "queued"}
    with acting_for(desk.practice.pk):
        assert update_each(rows, ["reason"], guard=guard, same={}) == 5
    found = desk.all(kind="invoice")
    assert [one.reason for one in found] == [f"reason {at}" for at in range(5)]
