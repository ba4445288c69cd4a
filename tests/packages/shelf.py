"""What both invented packages keep: books per company file, and a record of all that was made."""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from connectors.base.served import serve_until_stopped
from connectors.base.standin import NUMBER, StandIn
from tests.packages.rules import CONTACT, INVOICE, KINDS, Kind, Known, Record, total

REFUSED_TOKEN = "refused"
HELD = "standin.held"

ACCOUNTS = {
    "200": ("Sales", "REVENUE"),
    "210": ("Recoveries", "REVENUE"),
    "260": ("Other revenue", "REVENUE"),
    "400": ("Advertising", "EXPENSE"),
}
TAXES = {"OUTPUT2": ("15% GST on Income", "15.00"), "ZERORATED": ("Zero rated", "0.00")}


@dataclass(frozen=True)
class Created:
    """One record as it came to be; `request` is the number of the request, 0 when typed in."""

    at: datetime
    request: int
    company_file: str
    kind: str
    id: str
    number: str
    reference: str
    total: Decimal | None


@dataclass
class Books:
    """The books of one company file."""

    records: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    inactive: set[str] = field(default_factory=set)
    demands: set[str] = field(default_factory=set)

    def of(self, kind: Kind) -> list[Record]:
        """All records of that kind, in the order they were made."""
        return self.records[kind.plural]

    @property
    def known(self) -> Known:
        """What a document may name."""
        return Known(
            contacts=frozenset(one["id"] for one in self.of(CONTACT)),
            accounts={code: code not in self.inactive for code in ACCOUNTS},
            taxes={code: code not in self.inactive for code in TAXES},
            demands=frozenset(self.demands),
        )

    def codes(self) -> Record:
        """As `GET /v1/codes` answers."""
        known = self.known
        return {
            "accounts": [
                {"code": code, "name": name, "kind": kind, "active": known.accounts[code]}
                for code, (name, kind) in ACCOUNTS.items()
            ],
            "taxes": [
                {"code": code, "name": name, "rate": rate, "active": known.taxes[code]}
                for code, (name, rate) in TAXES.items()
            ],
            "organisation": {
                "name": "Harbour Architects Ltd",
                "country": "NZ",
                "currency": "NZD",
                **({"demands": sorted(self.demands)} if self.demands else {}),
            },
        }


class Shelf(StandIn):
    """The base of both stand-ins."""

    def __init__(self) -> None:
        super().__init__()
        self.created: list[Created] = []
        # What a refusal for too many calls asks for: seconds, a date, or nothing.
        self.retry_after = ""
        self._books: dict[str, Books] = defaultdict(Books)
        self._held: Counter[Sequence[str]] = Counter()

    # Arranging and looking

    def books(self, company_file: str) -> Books:
        """The books of the company file, made on first use."""
        with self.lock:
            return self._books[company_file]

    def set_active(self, company_file: str, code: str, active: bool) -> None:
        """Switch an account or a tax code on or off. Raises KeyError where there is none."""
        with self.lock:
            if code not in {*ACCOUNTS, *TAXES}:
                raise KeyError(code)
            inactive = self.books(company_file).inactive
            inactive.discard(code) if active else inactive.add(code)

    def type_in(self, kind: Kind, company_file: str, wire: Record) -> Record:
        """A record somebody made by hand, who is not held to any rule."""
        with self.lock:
            return self.create(kind, company_file, wire, request=0)

    def type_in_invoice(
        self, company_file: str, number: str, net: str, *, name: str = "Somebody Else Ltd"
    ) -> Record:
        """An invoice somebody made by hand, for a contact of that name."""
        contact = self.type_in(CONTACT, company_file, {"name": name})
        line = {"description": "By hand", "quantity": "1", "unit_price": net, "net": net}
        wire = {
            **{"number": number, "contact_id": contact["id"], "currency": "NZD"},
            **{"date": "2026-11-20", "due_date": "2026-12-20", "tax_basis": "exclusive"},
            "lines": [line | {"tax": "0.00", "account": "200", "tax_code": "ZERORATED"}],
        }
        return self.type_in(INVOICE, company_file, wire)

    def state(self) -> dict[str, Any]:
        """All that was made, in order, and the books of every company file."""
        return {
            "created": [asdict(one) for one in self.created],
            "company_files": {
                name: {kind.plural: books.of(kind) for kind in KINDS}
                for name, books in self._books.items()
            },
        }

    def control(self, name: str, body: Mapping[str, Any]) -> bool:
        if name == "code":
            self.set_active(body["company_file"], body["code"], bool(body["active"]))
        elif name == "retry-after":
            self.retry_after = str(body["value"])
        else:
            return False
        return True

    # What both answer alike

    def admit(self, request: Request) -> Response | None:
        """The refusal of a caller without a token, or without a company file."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token.strip() or token.strip() == REFUSED_TOKEN:
            return refusal(401, "unauthorised", "The token is not accepted.")
        if not company_file(request):
            return refusal(400, "company_file_missing", "Name a company file.")
        return None

    def leave(self, request: Request) -> None:
        for key in request.environ.pop(HELD, []):
            self._held[key] -= 1

    def hold(self, request: Request, *key: str) -> None:
        """Count the request as under way until it leaves."""
        self._held[key] += 1
        request.environ.setdefault(HELD, []).append(key)

    def under_way(self, *key: str) -> int:
        """How many requests are counted under the key."""
        return self._held[key]

    def too_many(self, response: Response) -> Response:
        """The refusal, with the wait that is asked for."""
        if self.retry_after:
            response.headers["Retry-After"] = self.retry_after
        return response

    def routed(
        self, request: Request, routes: Mapping[str, Callable[[Request], Response]]
    ) -> Response:
        """What the path leads to."""
        if request.path == "/v1/codes":
            routes = {"GET": lambda one: answered(200, self.books(company_file(one)).codes())}
        if not routes:
            return refusal(404, "not_found", f"There is no {request.path}.")
        handle = routes.get(request.method)
        if handle is None:
            return refusal(405, "not_allowed", f"{request.path} does not take {request.method}.")
        return handle(request)

    def create(self, kind: Kind, company_file: str, wire: Record, *, request: int) -> Record:
        """Put it into the books and into the record of all that was made."""
        record = {**wire, "id": str(uuid4())}
        worth = total(wire) if kind.has_lines else None
        if worth is not None:
            record["total"] = str(worth)
        self.books(company_file).of(kind).append(record)
        self.created.append(
            Created(
                at=self.clock(),
                request=request,
                company_file=company_file,
                kind=kind.name,
                id=record["id"],
                number=record[kind.called],
                reference=record.get("reference", ""),
                total=worth,
            )
        )
        return record

    def find(self, request: Request, kind: Kind, most: int) -> Response:
        """The records with one of the values asked for, whole."""
        values = request.args.getlist(kind.found_by)
        if set(request.args) != {kind.found_by} or not 1 <= len(values) <= most:
            return refusal(400, "bad_query", f"Ask by 1 to {most} values of {kind.found_by}.")
        shown = self.visible(kind, company_file(request))
        return answered(200, {"items": [o for o in shown if o.get(kind.found_by) in values]})

    def visible(self, kind: Kind, company_file: str) -> list[Record]:
        """The records a look-up can see."""
        return list(self.books(company_file).of(kind))


def company_file(request: Request) -> str:
    """The company file a request is for."""
    return request.headers.get("Company-File", "").strip()


def number_of(request: Request) -> int:
    """The number of the request."""
    return int(request.environ[NUMBER])


def read_json(request: Request) -> Any:
    """The body. Raises ValueError where it is no JSON by its type or its text."""
    if request.mimetype != "application/json":
        raise ValueError("not JSON by its content type")
    return json.loads(request.get_data())


def answered(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    response = Response(json.dumps(body), status, content_type="application/json")
    response.headers.update(headers or {})
    return response


def refusal(status: int, code: str, message: str) -> Response:
    """The refusal of a whole call."""
    return answered(status, {"code": code, "message": message})


def serve(standin: type[Shelf], *, port: int, arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=standin.__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=port)
    given = parser.parse_args(arguments)
    name = f"Rehearsal {standin.__name__.removesuffix('StandIn')}"
    return serve_until_stopped(standin(), host=given.host, port=given.port, name=name)
