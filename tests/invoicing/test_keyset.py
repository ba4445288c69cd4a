"""Pages of a list that lead from row to row."""

from typing import Any

import pytest

from invoicing import keyset
from invoicing.keyset import Order
from invoicing.models import Invoice
from offices.models import Practice
from offices.tenancy import acting_for
from tests.factories import (
    make_client,
    make_interface,
    make_invoice,
    make_job,
    make_office,
    make_setting,
)

pytestmark = pytest.mark.django_db

ORDERS = ("number", "issued", "total", "currency", "office__name", "client__name", "job__code")


def test_pages_lead_through_every_row_once_and_back_in_every_order(
    practice: Practice,
) -> None:
    with acting_for(practice.pk):
        setting, customer = make_setting(make_interface()), make_client()
        office, other = make_office(setting, name="Auckland"), make_office(setting, name="Napier")
        jobs = [make_job(customer, code=code) for code in ("A-1", "B-2")]
        # Many alike in everything but the number, and some without a job.
        for at in range(11):
            make_invoice(
                (office, other)[at % 2],
                customer,
                nets=[("10.10", "-20.20", "10.10")[at % 3]],
                job=(None, *jobs)[at % 3],
                currency=("NZD", "AUD")[at % 2],
            )
        rows = Invoice.objects.all()
        for path in ORDERS:
            for descending in (False, True):
                for sorted_out in (False, True):
                    order = Order(
                        model=Invoice, path=path, descending=descending, sorted_out=sorted_out
                    )
                    walked = list(walk(rows, order))
                    by_value = [key_of(row, path, descending) for page in walked for row in page]
                    assert len({row.pk for page in walked for row in page}) == 11, order
                    assert by_value == sorted(by_value), order


def key_of(row: Any, path: str, descending: bool) -> Any:
    value = row.sorted_by
    place = (value is None, value if value is not None else "", row.pk)
    return _Backwards(place) if descending else place


class _Backwards(tuple[Any, ...]):
    """Sorts the other way round."""

    def __lt__(self, other: Any) -> bool:
        return tuple(self) > tuple(other)


def walk(rows: Any, order: Order) -> Any:
    """The pages from the first to the last; each leads back to the one before it."""
    page, pages = keyset.page_of(rows, order=order, address={}, size=3), []
    assert not page.before
    while True:
        pages.append(page.rows)
        if not page.after:
            break
        page = keyset.page_of(rows, order=order, address={"after": page.after}, size=3)
    for before in reversed(pages[:-1]):
        page = keyset.page_of(rows, order=order, address={"before": page.before}, size=3)
        assert page.rows == before
    return pages
