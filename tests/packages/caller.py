"""Short ways to call a rehearsal Keeper or Plain, with a clock that tests move."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from tests.packages.rules import CONTACT
from tests.packages.shelf import Shelf

FILE = "harbour"
TOKEN = "any"


def line(**changes: Any) -> dict[str, Any]:
    """A line that is taken."""
    return {
        "description": "Concept design",
        "quantity": "1",
        "unit_price": "100.00",
        "net": "100.00",
        "tax": "15.00",
        "account": "200",
        "tax_code": "OUTPUT2",
        **changes,
    }


class Caller:
    """One company file of a running stand-in."""

    def __init__(self, standin: Shelf) -> None:
        self.standin = standin
        self.moment = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
        standin.clock = lambda: self.moment

    def pass_time(self, **parts: float) -> None:
        """Move the clock on."""
        self.moment += timedelta(**parts)

    def call(
        self,
        method: str,
        path: str,
        *,
        file: str = FILE,
        token: str = TOKEN,
        headers: Mapping[str, str] | None = None,
        **rest: Any,
    ) -> requests.Response:
        """Call it, signed in."""
        given = {"Authorization": f"Bearer {token}", "Company-File": file, **(headers or {})}
        return requests.request(method, self.standin.url + path, headers=given, timeout=10, **rest)

    def control(self, name: str, body: Mapping[str, Any]) -> requests.Response:
        """A control, as from another process."""
        return requests.post(f"{self.standin.url}/_standin/{name}", json=body, timeout=10)

    def contact_id(self, file: str = FILE) -> str:
        """A contact that is there."""
        wire = {"name": "Harbour View Trust", "reference": "C1"}
        return str(self.standin.type_in(CONTACT, file, wire)["id"])

    def invoice(self, number: str = "ABT-1", **changes: Any) -> dict[str, Any]:
        """An invoice that is taken."""
        return {
            "number": number,
            "reference": f"key-{number}",
            "contact_id": changes.pop("contact_id", None) or self.contact_id(),
            "date": "2026-11-20",
            "due_date": "2026-12-20",
            "currency": "NZD",
            "tax_basis": "exclusive",
            "lines": [line()],
            "memo": f"key-{number}",
            **changes,
        }

    def numbers(self) -> list[str]:
        """Of all documents ever made through HTTP, in order."""
        made = self.standin.created
        return [one.number for one in made if one.request and one.total is not None]
