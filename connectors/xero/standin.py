"""A rehearsal Xero: as strict as the real one is known to be, and stricter where that is not known.

It signs people in, lists organisations, keeps their books and refuses what Xero refuses, in
its words where a source has them. Run it with `python -m connectors.xero.standin`.
"""

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from connectors.base.alterations import Words
from connectors.base.served import serve_until_stopped
from connectors.base.standin import StandIn
from connectors.xero import standin_shapes as shapes
from connectors.xero.standin_answers import Refusal, gateway, not_found, render_refusal
from connectors.xero.standin_api import API, Call, admit, find_route
from connectors.xero.standin_charts import AUSTRALIA, NEW_ZEALAND
from connectors.xero.standin_ledger import Organisation
from connectors.xero.standin_signin import (
    CONNECTIONS,
    GRANULAR_SCOPES,
    PERSON,
    REVOKE,
    TOKEN,
    SignIn,
)

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
# How long an answer is kept for a repeat with the same idempotency key.
KEPT = timedelta(minutes=6)
LONGEST_KEY = 128


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """How much one app may ask: of one organisation, and over all of them."""

    concurrent: int = 5
    minute: int = 60
    day: int = 5000
    app_minute: int = 10_000


@dataclass
class Window:
    """Calls counted in a fixed stretch of time that begins at a moment of its own."""

    length: timedelta
    offset: float
    number: int = -1
    calls: int = 0

    def remaining(self, limit: int, now: datetime) -> int:
        """How many calls are left, after turning to the stretch of now."""
        current = int((now.timestamp() + self.offset) // self.length.total_seconds())
        if current != self.number:
            self.number, self.calls = current, 0
        return limit - self.calls

    def seconds_left(self, now: datetime) -> int:
        """Until the next stretch begins, at least one second."""
        length = self.length.total_seconds()
        return max(1, int(length - (now.timestamp() + self.offset) % length) + 1)


@dataclass
class Meter:
    """What one organisation has been asked."""

    minute: Window
    day: Window


@dataclass(frozen=True)
class Kept:
    """An answer kept for its idempotency key, errors included."""

    at: datetime
    asked: str
    status: int
    content_type: str
    body: bytes


@dataclass
class _Idempotency:
    """Answers by key. A key belongs to the app; whether the organisation counts is not known."""

    kept: dict[str, Kept] = field(default_factory=dict)

    def find(self, key: str, asked: str, now: datetime) -> Response | None:
        """The answer kept. Raises Refusal when the key came with another request."""
        self.kept = {k: v for k, v in self.kept.items() if now < v.at + KEPT}
        found = self.kept.get(key)
        if found is None:
            return None
        if found.asked != asked:
            raise gateway(
                400, "BadRequest", f"The Idempotency-Key {key} is used with a different request."
            )
        return Response(found.body, found.status, content_type=found.content_type)

    def keep(self, key: str, asked: str, now: datetime, response: Response) -> None:
        self.kept[key] = Kept(
            now, asked, response.status_code, response.content_type or "", response.get_data()
        )


def demo_organisations() -> list[Organisation]:
    """A New Zealand and an Australian company with empty books."""
    return [
        Organisation("Harbour Architects Ltd", country=NEW_ZEALAND, currencies=["AUD", "USD"]),
        Organisation("Harbour Surveying Pty Ltd", country=AUSTRALIA, currencies=["NZD"]),
    ]


class XeroStandIn(StandIn):
    """The rehearsal Xero."""

    endpoint_names: ClassVar[tuple[str, ...]] = ("login", "identity", "api")
    words: ClassVar[Words] = Words(
        ids=("InvoiceID", "CreditNoteID", "ContactID", "TrackingOptionID"), total="Total"
    )

    def __init__(
        self,
        organisations: Iterable[Organisation] | None = None,
        *,
        limits: CallLimits | None = None,
        app_scopes: Iterable[str] = GRANULAR_SCOPES,
        redirect_uris: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.limits = limits or CallLimits()
        chosen = demo_organisations() if organisations is None else organisations
        self.organisations: dict[str, Organisation] = {}
        for one in chosen:
            self.take_in(one)
        self.signin = SignIn(
            self,
            {one.tenant_id: one.name for one in self.organisations.values()},
            scopes=app_scopes,
            redirect_uris=redirect_uris,
        )
        self._idempotency = _Idempotency()
        self._meters: dict[str, Meter] = {}
        self._app = Window(MINUTE, 17.0)
        self._under_way: Counter[str] = Counter()

    # Arranging

    def take_in(self, organisation: Organisation) -> None:
        """Serve the organisation; its books take the place of those of the same name."""
        organisation.lock = self.lock
        organisation.clock = self._now
        with self.lock:
            self.organisations[organisation.tenant_id] = organisation

    def organisation(self, name: str) -> Organisation:
        """The organisation of that name. Raises KeyError."""
        for one in self.organisations.values():
            if one.name == name:
                return one
        raise KeyError(f"There is no organisation {name!r}.")

    def issue_tokens(
        self,
        *,
        person: str = PERSON,
        organisations: Iterable[str] | None = None,
        scopes: Iterable[str] | None = None,
    ) -> dict[str, Any]:
        """A token answer, with `expires_at`, as after a consent to all or the named organisations.

        What one person has connected is revoked together; practices that are to be independent
        need a person each.
        """
        named = self.organisations.values()
        chosen = [one for one in named if organisations is None or one.name in set(organisations)]
        with self.lock:
            return self.signin.issue(
                person=person,
                tenant_ids=[one.tenant_id for one in chosen],
                scopes=sorted(self.signin.scopes) if scopes is None else scopes,
            )

    def expire_access_tokens(self) -> None:
        """Let every access token issued so far run out."""
        with self.lock:
            self.signin.expire_access_tokens()

    def disconnect(self, organisation: Organisation | str) -> None:
        """End the connections to an organisation, as its user would inside Xero."""
        if isinstance(organisation, str):
            organisation = self.organisation(organisation)
        with self.lock:
            self.signin.disconnect(organisation.tenant_id)

    # Answering

    def arrive(self, request: Request) -> Response | None:
        """Refuse the sixth request that is under way for one organisation."""
        tenant = request.headers.get("xero-tenant-id", "")
        self._under_way[tenant] += 1
        if not tenant or self._under_way[tenant] <= self.limits.concurrent:
            return None
        response = Response(status=429, headers={"X-Rate-Limit-Problem": "concurrent"})
        response.headers.update(self._remaining(tenant))
        return response

    def leave(self, request: Request) -> None:
        self._under_way[request.headers.get("xero-tenant-id", "")] -= 1

    def keeps_body(self, request: Request) -> bool:
        return request.path not in (TOKEN, REVOKE)

    def answer(self, request: Request) -> Response:
        try:
            if self.signin.handles(request.path):
                return self.signin.answer(request)
            access = self.signin.admit(request)
            if request.path == CONNECTIONS or request.path.startswith(f"{CONNECTIONS}/"):
                return self.signin.answer_connections(request, access)
            if not request.path.startswith(API):
                raise not_found()
            tenant = self.signin.tenant(access, request)
            route, named = find_route(request.method, request.path.removeprefix(API))
            self.signin.require(access, one_of=route.wanted_scopes())
            admit(self.organisations[tenant], route)
        except Refusal as refusal:
            return render_refusal(refusal, request)
        response = self._count(tenant)
        if response is None:
            call = Call(request, self.organisations[tenant], **named)
            response = self._once(request, lambda: route.handler(call))
        response.headers.update(self._remaining(tenant))
        return response

    def state(self) -> dict[str, Any]:
        """The books of every organisation, as Xero would show them."""
        return {
            "organisations": [
                shapes.organisation(one)
                | {
                    "Accounts": [shapes.account(each) for each in one.accounts],
                    "Contacts": [shapes.contact(each) for each in one.contacts],
                    "Invoices": [shapes.document(each, decimals=4) for each in one.invoices],
                    "CreditNotes": [shapes.document(each, decimals=4) for each in one.credit_notes],
                    "Payments": [shapes.payment(each) for each in one.payments],
                }
                for one in self.organisations.values()
            ]
        }

    # Repeats and limits

    def _once(self, request: Request, handle: Any) -> Response:
        """Do what is asked, or repeat what was answered when the key came before."""
        key = request.headers.get("Idempotency-Key")
        try:
            if key is None or request.method not in ("PUT", "POST"):
                return _answered(request, handle)
            if not 1 <= len(key) <= LONGEST_KEY:
                raise gateway(
                    400, "BadRequest", "The Idempotency-Key must have 1 to 128 characters"
                )
            asked = _fingerprint(request)
            kept = self._idempotency.find(key, asked, self._now())
        except Refusal as refusal:
            return render_refusal(refusal, request)
        if kept is not None:
            return kept
        response = _answered(request, handle)
        self._idempotency.keep(key, asked, self._now(), response)
        return response

    def _count(self, tenant: str) -> Response | None:
        """Count the call; the refusal when one of the limits is used up."""
        now, meter = self._now(), self._meter(tenant)
        bounds: Mapping[str, tuple[Window, int]] = {
            "day": (meter.day, self.limits.day),
            "minute": (meter.minute, self.limits.minute),
            "appminute": (self._app, self.limits.app_minute),
        }
        for problem, (window, limit) in bounds.items():
            if window.remaining(limit, now) <= 0:
                headers = {"X-Rate-Limit-Problem": problem}
                if problem != "appminute":
                    headers["Retry-After"] = str(window.seconds_left(now))
                return Response(status=429, headers=headers)
        for window, _ in bounds.values():
            window.calls += 1
        return None

    def _remaining(self, tenant: str) -> dict[str, str]:
        now, meter = self._now(), self._meter(tenant)
        return {
            "X-MinLimit-Remaining": str(meter.minute.remaining(self.limits.minute, now)),
            "X-DayLimit-Remaining": str(meter.day.remaining(self.limits.day, now)),
            "X-AppMinLimit-Remaining": str(self._app.remaining(self.limits.app_minute, now)),
        }

    def _meter(self, tenant: str) -> Meter:
        """The meter of an organisation; its windows turn at a moment of their own."""
        if tenant not in self._meters:
            own = int.from_bytes(hashlib.sha256(tenant.encode()).digest()[:4])
            self._meters[tenant] = Meter(Window(MINUTE, own % 60), Window(DAY, own % 86_400))
        return self._meters[tenant]

    def _now(self) -> datetime:
        return self.clock()


def _answered(request: Request, handle: Any) -> Response:
    try:
        response: Response = handle()
    except Refusal as refusal:
        return render_refusal(refusal, request)
    return response


def _fingerprint(request: Request) -> str:
    """What a key is bound to: method, address and body."""
    parts = (request.method.encode(), request.full_path.encode(), request.get_data())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="connectors.xero.standin", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4700)
    parser.add_argument("--per-minute", type=int, default=CallLimits.minute)
    parser.add_argument("--per-day", type=int, default=CallLimits.day)
    given = parser.parse_args(arguments)
    limits = CallLimits(minute=given.per_minute, day=given.per_day)
    standin = XeroStandIn(limits=limits)
    return serve_until_stopped(standin, host=given.host, port=given.port, name="Rehearsal Xero")


if __name__ == "__main__":
    sys.exit(main())
