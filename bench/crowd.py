"""Practices with very many invoices, put into the database by a statement each. Import it only
inside `measure.product()`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from invoicing import keyset, selectors
from invoicing.models import Batch, Invoice, Upload
from invoicing.tables import LONG_TABLES, order_of
from offices.models import Practice, User
from offices.tenancy import acting_for
from tests import factories

# Each list's address, and which of the practices is where it is long.
LISTS = {
    "upload/": "available",
    "parked/": "parked",
    "in-accounts/": "in_accounts",
    "batches/": "batches",
}
WHERE = {
    "upload/": ("unsent", "grown"),
    "parked/": ("unsent",),
    "in-accounts/": ("unsent",),
    "batches/": ("grown",),
}
FIRST, DAYS = date(2014, 1, 1), 4380
GO_LIVE = date(2025, 6, 1)
OFFICES, CLIENTS, JOBS = 6, 500, 1000


@dataclass(frozen=True)
class Crowd:
    """A practice, somebody who looks at its lists, and the way into their middle."""

    practice: Practice
    user: User

    @property
    def slug(self) -> str:
        """As addresses name it."""
        return self.practice.slug

    def middle_of(self, list_key: str, sort: str = "") -> str:
        """The place of the row half-way through a list, in its usual order or that one."""
        with acting_for(self.practice.pk):
            rows = ROWS[list_key]()
            order = order_of(LONG_TABLES[list_key](rows), sort)
            value = F(order.path).desc() if order.descending else F(order.path).asc()
            found = rows.annotate(sorted_by=F(order.path)).order_by(value, "pk")
            return keyset.cursor_of(found[rows.count() // 2], order)


ROWS: Mapping[str, Any] = {
    "available": lambda: selectors.available(selectors.settings_with_interfaces()),
    "parked": selectors.parked,
    "in_accounts": selectors.in_accounts,
    "batches": selectors.batches_marked,
}


def made(total: int) -> dict[str, Crowd]:
    """All of them: half of all invoices are in one practice, most of the others in another."""
    half = total // 2
    found = {
        # Nearly nothing was ever sent, and much was set aside.
        "unsent": _practice(offered=half * 6 // 10, parked=half // 5, in_accounts=half // 5),
        # As it is after years: a go-live date, and before it nothing that was ever looked at.
        "grown": _practice(
            go_live=GO_LIVE, offered=half // 20, older=half // 20 * 12, sent=half // 20 * 7
        ),
        "few": _practice(
            go_live=GO_LIVE, offered=1000, parked=1000, in_accounts=1000, older=1000, sent=1000
        ),
    }
    with connection.cursor() as cursor:
        # As the database does by itself, sooner or later.
        cursor.execute("ANALYZE")
    return found


def _practice(
    *,
    go_live: date | None = None,
    offered: int,
    parked: int = 0,
    in_accounts: int = 0,
    older: int = 0,
    sent: int = 0,
) -> Crowd:
    practice = factories.make_practice()
    user = factories.make_member(practice)
    with acting_for(practice.pk):
        interfaces = [
            factories.make_interface(name=f"Xero {name}", offered_from=go_live)
            for name in ("North", "South", "West")
        ]
        settings = [factories.make_setting(one) for one in interfaces]
        offices = [
            factories.make_office(settings[at % len(settings)], name=f"Office {at}")
            for at in range(OFFICES)
        ]
        clients = [factories.make_client() for _ in range(CLIENTS)]
        jobs = [factories.make_job(clients[at % CLIENTS]) for at in range(JOBS)]
        one = factories.make_invoice(
            offices[0], clients[0], job=jobs[0], issued=GO_LIVE - timedelta(days=9999)
        )
        for number, fields in (
            (older, {"issued": _days(FIRST, GO_LIVE)}),
            (sent, {"issued": _days(FIRST, GO_LIVE), "in_upload": "TRUE"}),
            (offered, {"issued": _days(GO_LIVE if go_live else FIRST, timezone.localdate())}),
            (parked, {"parked_at": _moments(), "parked_by_id": str(user.pk)}),
            (in_accounts, {"in_accounts_at": _moments(), "in_accounts_by_id": str(user.pk)}),
        ):
            spread = {
                "office_id": _one_of(offices),
                "invoice_setting_id": _one_of(settings),
                "client_id": _one_of(clients),
                "job_id": _one_of(jobs),
            }
            _copy(one, number, {**NUMBERED, **spread, **fields})
        _batches(user, interfaces[0])
        Invoice.objects.filter(pk=one.pk).update(status="draft")
    return Crowd(practice, user)


# What differs from invoice to invoice: `i` is its number among those of a statement.
NUMBERED = {
    "abtrac_id": "'I' || CAST(i AS TEXT) || '-' || CAST(%(base)s AS TEXT)",
    "number": "'ABT-' || CAST(1000000 + i AS TEXT)",
    "name_on_invoice": "'Client ' || CAST(i * 7919 %% 4001 AS TEXT)",
    "recipient": "'Accounts ' || CAST(i * 104729 %% 3001 AS TEXT)",
    "order_number": "'PO ' || CAST(i * 6007 %% 5003 AS TEXT)",
    "net": "1 + i * 15485 %% 90001",
    "tax": "i %% 13",
    "total": "1 + i * 15485 %% 90001 + i %% 13",
}


def _one_of(rows: list[Any]) -> str:
    first = min(one.pk for one in rows)
    return f"{first} + i %% {len(rows)}"


def _days(begin: date, end: date) -> str:
    days = (end - begin).days + 1
    if connection.vendor == "postgresql":
        return f"DATE '{begin}' + CAST(i * {days}.0 / (%(n)s + 1) AS INTEGER)"
    return f"date('{begin}', '+' || CAST(i * {days}.0 / (%(n)s + 1) AS INTEGER) || ' days')"


def _moments() -> str:
    if connection.vendor == "postgresql":
        return "TIMESTAMPTZ '2026-01-01 00:00+00' + i * INTERVAL '1 second'"
    return "datetime('2026-01-01', '+' || i || ' seconds')"


def _copy(row: Any, number: int, changed: Mapping[str, str]) -> None:
    """So many rows like that one, but for what is changed, in one statement."""
    if not number:
        return
    table = row._meta.db_table
    columns = _columns(row)
    values = [changed.get(one, f"t.{one}") for one in columns]
    base = Invoice.objects.order_by("-pk").values_list("pk", flat=True)[0]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608 - all of it from here
            " WITH RECURSIVE nth(i) AS (SELECT CAST(1 AS BIGINT)"
            " UNION ALL SELECT i + 1 FROM nth WHERE i < %(n)s)"
            f" SELECT {', '.join(values)} FROM nth, {table} t WHERE t.id = %(row)s",
            {"n": number, "row": row.pk, "base": base},
        )


def _columns(row: Any) -> list[str]:
    return [str(one.column) for one in row._meta.concrete_fields if not one.primary_key]


def _batches(user: Any, interface: Any) -> None:
    """A batch for each invoice that was sent, with its upload."""
    with connection.cursor() as cursor:
        practice = interface.practice_id
        batch = Batch.objects.create(number=1, created_by=user, finished_at=timezone.now())
        sent = Invoice.objects.filter(in_upload=True).order_by("pk")
        many = sent.count()
        if not many:
            return
        _copy(batch, many, {"number": "1 + i", "created_at": _moments()})
        upload = Upload.objects.create(
            batch=batch,
            interface=interface,
            invoice=sent[0],
            kind="invoice",
            state="cancelled",
        )
        columns = _columns(upload)
        changed = {
            "batch_id": "b.id",
            "invoice_id": "v.id",
            "state": "'sent'",
            "remote_id": "'r' || CAST(v.id AS TEXT)",
        }
        values = [changed.get(one, f"t.{one}") for one in columns]
        cursor.execute(
            f"INSERT INTO invoicing_upload ({', '.join(columns)})"  # noqa: S608 - as above
            f" SELECT {', '.join(values)} FROM invoicing_upload t,"
            " (SELECT id, row_number() OVER (ORDER BY id) AS i FROM invoicing_invoice"
            "  WHERE practice_id = %s AND in_upload) v"
            " JOIN invoicing_batch b ON b.practice_id = %s AND b.number = v.i + 1"
            " WHERE t.id = %s",
            [practice, practice, upload.pk],
        )
