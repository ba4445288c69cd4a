"""A rehearsal Xero with two companies, a clock that tests move, and short ways to call it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

import requests

from connectors.xero.standin import CallLimits, XeroStandIn
from connectors.xero.standin_ledger import Contact

API = "/api.xro/2.0/"
UNLIMITED = CallLimits(minute=10**6, day=10**6, app_minute=10**6)
UNKNOWN_ID = "11111111-2222-4333-8444-555555555555"
ZERO_ID = "00000000-0000-0000-0000-000000000000"
ISSUED = "2026-11-20"


class XeroCaller:
    """The stand-in, signed in to as one person, and one of its companies."""

    def __init__(self, limits: CallLimits = UNLIMITED) -> None:
        self.moment = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
        self.standin = XeroStandIn(limits=limits)
        self.standin.clock = lambda: self.moment
        self.books = self.standin.organisation("Harbour Architects Ltd")
        self.australian = self.standin.organisation("Harbour Surveying Pty Ltd")
        self.tenant = self.books.tenant_id
        self.token = ""

    def __enter__(self) -> Self:
        self.standin.start()
        self.token = self.standin.issue_tokens()["access_token"]
        return self

    def __exit__(self, *error: object) -> None:
        self.standin.__exit__(*error)

    def pass_time(self, **parts: float) -> None:
        """Move the clock on."""
        self.moment += timedelta(**parts)

    def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **rest: Any
    ) -> requests.Response:
        """Call the server, a path of the Accounting API unless it begins with a slash."""
        url = self.standin.url + (path if path.startswith("/") else API + path)
        given = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/json",
            "xero-tenant-id": self.tenant,
        } | (headers or {})
        rest.setdefault("allow_redirects", False)
        return requests.request(method, url, headers=given, timeout=10, **rest)

    def read(self, path: str, **params: Any) -> Any:
        """The records of a list or of one record."""
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return records_of(answer)

    def write(self, method: str, path: str, body: Any, **headers: str) -> requests.Response:
        """Write a JSON body; a header's underscores are hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call(method, path, json=body, headers=named)

    def put(self, path: str, *elements: dict[str, Any], **headers: str) -> requests.Response:
        """Create elements in their envelope."""
        return self.write("PUT", path, {plural_of(path): list(elements)}, **headers)

    def post(self, path: str, *elements: dict[str, Any], **headers: str) -> requests.Response:
        """Create or overwrite elements in their envelope."""
        return self.write("POST", path, {plural_of(path): list(elements)}, **headers)

    def client(self, name: str = "Quay Holdings Ltd") -> Contact:
        """A contact in the books, made when absent."""
        try:
            return self.books.contact(name)
        except KeyError:
            return self.books.add_contact(name=name)

    def invoice(self, **changes: Any) -> dict[str, Any]:
        """A good invoice with the changes; a change to None leaves the field out."""
        return _changed(
            {
                "Type": "ACCREC",
                "Contact": {"ContactID": self.client().id},
                "InvoiceNumber": "ABT-1001",
                "Reference": "J1234 Harbour House",
                "Date": ISSUED,
                "DueDate": "2026-12-20",
                "LineAmountTypes": "Exclusive",
                "CurrencyCode": "NZD",
                "Status": "AUTHORISED",
                "LineItems": [line()],
            },
            changes,
        )

    def credit_note(self, **changes: Any) -> dict[str, Any]:
        """A good credit note with the changes."""
        note = self.invoice(InvoiceNumber=None, DueDate=None)
        note |= {"Type": "ACCRECCREDIT", "CreditNoteNumber": "ABT-1002"}
        return _changed(note, changes)


def line(**changes: Any) -> dict[str, Any]:
    """A good line of 100.00 and its tax, with the changes."""
    good = {
        "Description": "Concept design",
        "Quantity": 2,
        "UnitAmount": 50.0,
        "AccountCode": "200",
        "TaxType": "OUTPUT2",
    }
    return _changed(good, changes)


def plural_of(path: str) -> str:
    """The name of the records a path holds."""
    return (
        path.split("?")[0]
        .split("/")[-1 if path.count("/") > 1 else 0]
        .replace("History", "HistoryRecords")
    )


def records_of(answer: requests.Response) -> Any:
    """The records in an answer."""
    body = answer.json()
    kinds = [key for key, value in body.items() if isinstance(value, list)]
    assert kinds, answer.text
    return body[kinds[0]]


def record_of(answer: requests.Response) -> Any:
    """The only record of a successful answer."""
    assert answer.status_code == 200, answer.text
    records = records_of(answer)
    assert len(records) == 1
    return records[0]


def refusals_of(answer: requests.Response) -> list[str]:
    """The messages of a call that validation refused as a whole."""
    body = answer.json()
    assert answer.status_code == 400, answer.text
    assert (body["ErrorNumber"], body["Type"]) == (10, "ValidationException")
    return [each["Message"] for one in body["Elements"] for each in one["ValidationErrors"]]


def error_of(answer: requests.Response) -> tuple[int, int, str]:
    """Status, error number and kind of a call refused as a whole."""
    return answer.status_code, answer.json()["ErrorNumber"], answer.json()["Type"]


def day_of(milliseconds: str) -> date:
    """The calendar day in a /Date(…)/."""
    return moment_of(milliseconds).date()


def moment_of(milliseconds: str) -> datetime:
    """The moment in a /Date(…)/."""
    assert milliseconds.startswith("/Date(") and milliseconds.endswith(")/")
    digits = milliseconds.removeprefix("/Date(").removesuffix(")/").removesuffix("+0000")
    return datetime.fromtimestamp(int(digits) / 1000, tz=UTC)


def _changed(good: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (good | changes).items() if value is not None}
