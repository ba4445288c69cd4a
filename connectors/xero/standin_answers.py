"""How the rehearsal Xero writes: dates, numbers, envelopes, XML, and its shapes of error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

import simplejson
from werkzeug.wrappers import Request, Response

ZERO_ID = "00000000-0000-0000-0000-000000000000"
PROVIDER = "Abtrac Link (rehearsal)"
CENT = Decimal("0.01")
# Wide enough for any two numbers the API takes, multiplied.
WIDE = Context(prec=80)

Shape = dict[str, Any]


@dataclass
class Refusal(Exception):
    """Ends a request with an answer that is no success. A body that is text goes out as it is."""

    status: int
    body: Shape | str = ""
    headers: Mapping[str, str] | None = None


def rounded(amount: Decimal, step: Decimal = CENT) -> Decimal:
    """Half up, away from zero: which way Xero takes a midpoint is not documented."""
    return amount.quantize(step, ROUND_HALF_UP, WIDE)


def ms_date(day: date) -> str:
    """A business date: midnight UTC of that calendar day, whatever the time zone."""
    return ms_time(datetime(day.year, day.month, day.day, tzinfo=UTC))


def ms_time(moment: datetime) -> str:
    """A moment, to the millisecond."""
    return f"/Date({_milliseconds(moment)}+0000)/"


def date_string(day: date) -> str:
    """The companion of a business date."""
    return f"{day.isoformat()}T00:00:00"


def time_string(moment: datetime) -> str:
    """The companion of a moment."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00:00"


def envelope(plural: str, records: Sequence[Shape], *, now: datetime) -> Shape:
    """What is around every answer of the Accounting API."""
    return {
        "Id": str(uuid4()),
        "Status": "OK",
        "ProviderName": PROVIDER,
        "DateTimeUTC": f"/Date({_milliseconds(now)})/",
        plural: list(records),
    }


def validation(elements: Sequence[Shape]) -> Refusal:
    """A whole call refused for what is in it."""
    return Refusal(400, _exception(10, "ValidationException", elements=elements))


def bad_post(message: str) -> Refusal:
    """What was sent cannot be read as what it should be."""
    return Refusal(400, _exception(14, "PostDataInvalidException", message))


def bad_query(message: str = "Syntax error") -> Refusal:
    """A filter that cannot be read."""
    return Refusal(400, _exception(16, "QueryParseException", message))


def wrong_verb() -> Refusal:
    """A method the path does not have."""
    kind = "ApiMethodNotImplementedException"
    message = "The Api Method called is not implemented"
    return Refusal(501, _exception(20, kind, message))


def not_found() -> Refusal:
    """An unknown path or id: not JSON, whatever was asked for."""
    return Refusal(404, "The resource you're looking for cannot be found")


def forbidden() -> Refusal:
    """What the person's role, or the organisation's edition, does not allow: no body at all."""
    return Refusal(403, "")


def offline() -> Refusal:
    """The organisation cannot be reached now: words, and no JSON."""
    return Refusal(503, "The organisation is offline", {"Content-Type": "text/plain"})


def gateway(status: int, title: str, detail: str, **headers: str) -> Refusal:
    """A refusal by what stands before the Accounting API; always JSON."""
    body: Shape = {
        "Type": None,
        "Title": title,
        "Status": status,
        "Detail": detail,
        "Instance": str(uuid4()),
        "Extensions": {},
    }
    return Refusal(status, body, {k.replace("_", "-"): v for k, v in headers.items()})


def render(body: Shape, request: Request, *, status: int = 200) -> Response:
    """The answer in JSON when it was asked for, and in XML otherwise, which surprises people."""
    if "application/json" in request.headers.get("Accept", ""):
        return Response(to_json(body), status, content_type="application/json; charset=utf-8")
    root = "ApiException" if "ErrorNumber" in body else "Response"
    return Response(_to_xml(root, body), status, content_type="text/xml; charset=utf-8")


def render_refusal(refusal: Refusal, request: Request) -> Response:
    """A refusal as it goes out."""
    if isinstance(refusal.body, str):
        response = Response(refusal.body, refusal.status, content_type="text/html; charset=utf-8")
    elif "ErrorNumber" in refusal.body:
        response = render(refusal.body, request, status=refusal.status)
    else:
        response = json_response(refusal.body, refusal.status)
    response.headers.update(refusal.headers or {})
    return response


def json_response(body: Any, status: int = 200) -> Response:
    """JSON, whatever was asked for."""
    return Response(to_json(body), status, content_type="application/json; charset=utf-8")


def to_json(body: Any) -> str:
    """JSON with every amount a number that keeps its decimals."""
    return simplejson.dumps(body, use_decimal=True)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _exception(
    number: int,
    kind: str,
    message: str = "A validation exception occurred",
    *,
    elements: Sequence[Shape] | None = None,
) -> Shape:
    body: Shape = {"ErrorNumber": number, "Type": kind, "Message": message}
    return body if elements is None else body | {"Elements": list(elements)}


def _to_xml(name: str, value: Any) -> str:
    """One element; those of a list are called by the singular of the list's name."""
    if isinstance(value, Mapping):
        inner = "".join(_to_xml(key, part) for key, part in value.items())
    elif isinstance(value, list):
        singular = name.removesuffix("s") if name != "Addresses" else "Address"
        inner = "".join(_to_xml(singular, part) for part in value)
    elif isinstance(value, bool):
        inner = str(value).lower()
    else:
        inner = "" if value is None else escape(str(value))
    return f"<{name}>{inner}</{name}>"
