"""Abtrac, as the API knows it: a practice's key, and rows as Abtrac sends them."""

import json
import re
from collections.abc import Mapping
from copy import copy
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser

from offices.models import Practice
from offices.people import make_key
from offices.tenancy import acting_for
from tests.factories import make_practice

Row = dict[str, Any]

# How the framework itself would say it, which tells nobody what to do.
FRAMEWORKS_OWN = re.compile(
    "^(Ensure|Expected|Invalid|Surrogate|Null|Method|Unsupported|Could not|You do not|A valid)"
    "|[Tt]his field|[Tt]his list may"
)


class Abtrac:
    """Calls the API with the key of one practice."""

    def __init__(self, practice: Practice) -> None:
        self.practice = practice
        self.key, self.secret = make_key(practice=practice, name="Abtrac", actor=None)
        self.browser = Browser()

    def in_another_browser(self) -> "Abtrac":
        """The same key, for another thread."""
        twin = copy(self)
        twin.browser = Browser()
        return twin

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        key: str | None = None,
        **headers: str,
    ) -> Any:
        """Any call; a body that is no bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body, default=str).encode()
        given = {"Authorization": f"Api-Key {self.secret if key is None else key}", **headers}
        return self.browser.generic(
            method,
            f"/api/v1/{path}",
            b"" if body is None else content,
            content_type=content_type,
            headers={name.replace("_", "-"): value for name, value in given.items() if value},
        )

    def put(self, path: str, *rows: Any, **headers: str) -> Any:
        """Store rows."""
        return self.call("PUT", path, {"rows": list(rows)}, **headers)

    def move(self, step: str, *ids: str, **headers: str) -> Any:
        """Approve, commit or un-commit."""
        return self.call("POST", f"invoices/{step}", {"invoices": list(ids)}, **headers)

    def put_pdf(self, invoice_id: str, content: bytes, **headers: str) -> Any:
        """Send an invoice's PDF."""
        path = f"invoices/{invoice_id}/pdf"
        return self.call("PUT", path, content, content_type="application/pdf", **headers)

    def get(self, path: str) -> Any:
        """Ask."""
        return self.call("GET", path)

    def has_begun(self) -> "Abtrac":
        """Send an invoice setting, an office, a client and a job."""
        for path, row in (
            ("invoice-settings", setting()),
            ("offices", office()),
            ("clients", client()),
            ("jobs", job()),
        ):
            answer = self.put(path, row)
            assert answer.status_code == 200, answer.content
        return self


@pytest.fixture
def abtrac(practice: Practice) -> Abtrac:
    """Abtrac of the practice, with an office, a client and a job sent."""
    return Abtrac(practice).has_begun()


@pytest.fixture
def other(db: None) -> Abtrac:
    """Abtrac of another practice, with the same ids sent."""
    return Abtrac(make_practice("Other Engineers")).has_begun()


def setting(abtrac_id: str = "S1", **fields: Any) -> Row:
    return {"abtrac_id": abtrac_id, "name": "Standard", **fields}


def office(abtrac_id: str = "O1", **fields: Any) -> Row:
    return {"abtrac_id": abtrac_id, "name": "Auckland", "invoice_setting": "S1", **fields}


def client(abtrac_id: str = "C1", **fields: Any) -> Row:
    return {"abtrac_id": abtrac_id, "name": "Kauri Homes Ltd", **fields}


def job(abtrac_id: str = "J1", **fields: Any) -> Row:
    return {"abtrac_id": abtrac_id, "code": "26001", "client": "C1", **fields}


def line(position: int = 1, net: str = "1000.00", **fields: Any) -> Row:
    """A line at 15 % tax, whose price is before tax."""
    tax = (Decimal(net) * Decimal("0.15")).quantize(Decimal("0.01"))
    return {
        "position": position,
        "description": "Concept design",
        "kind": "time",
        "quantity": "1",
        "unit_price": net,
        "net": net,
        "tax": str(tax),
        **fields,
    }


def invoice(abtrac_id: str = "I1", *nets: str, **fields: Any) -> Row:
    """An invoice of a line for each net amount, of one by default."""
    lines = fields.pop("lines", None) or [
        line(position, net) for position, net in enumerate(nets or ("1000.00",), start=1)
    ]
    net = sum((Decimal(one["net"]) for one in lines), Decimal(0))
    tax = sum((Decimal(one["tax"]) for one in lines), Decimal(0))
    return {
        "abtrac_id": abtrac_id,
        "number": f"AK-{abtrac_id}",
        "office": "O1",
        "client": "C1",
        "name_on_invoice": "Kauri Homes Ltd",
        "issued": "2026-11-20",
        "due": "2026-12-20",
        "tax_basis": "exclusive",
        "currency": "NZD",
        "net": str(net),
        "tax": str(tax),
        "total": str(net + tax),
        "lines": lines,
        **fields,
    }


def problems(answer: Any) -> dict[str, str]:
    """Path to code of every problem of a refusal; nothing else may be in it."""
    told = answer.json()
    assert told.keys() == {"problems"}, told
    for one in told["problems"]:
        assert one.keys() - {"choices"} == {"path", "code", "message"}
        assert one["message"]
        assert not FRAMEWORKS_OWN.search(one["message"]), one
    return {one["path"]: one["code"] for one in told["problems"]}


def rows_of(abtrac: Abtrac, model: Any, **where: Any) -> list[Any]:
    """What is stored for the practice."""
    with acting_for(abtrac.practice.pk):
        return list(model.objects.filter(**where).order_by("pk"))


def values(row: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Of the stored row, the fields that are wanted."""
    return {name: getattr(row, name) for name in wanted}
