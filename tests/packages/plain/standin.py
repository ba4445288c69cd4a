"""A rehearsal Plain. Run it with `python -m tests.packages.plain.standin`."""

import sys
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.packages.rules import KINDS, Kind, Record, Refusal, refusals
from tests.packages.shelf import (
    Shelf,
    answered,
    company_file,
    number_of,
    read_json,
    serve,
)

SECOND = timedelta(seconds=1)
CALLS_A_SECOND = 100
LONGEST_MEMO = 255


class PlainStandIn(Shelf):
    """The rehearsal Plain: one document in a call, and every repeat makes another."""

    def __init__(self) -> None:
        super().__init__()
        # How long a look-up takes, and for how long it does not see what was just made.
        self.lookup_seconds = 0.0
        self.visible_after = 0.0
        self.calls_a_second = CALLS_A_SECOND
        # Company files whose consent is gone.
        self.denied: set[str] = set()
        self._calls: dict[str, deque[datetime]] = defaultdict(deque)

    def control(self, name: str, body: Mapping[str, Any]) -> bool:
        if name == "look-up":
            self.lookup_seconds = float(body.get("lookup_seconds", self.lookup_seconds))
            self.visible_after = float(body.get("visible_after", self.visible_after))
            return True
        return super().control(name, body)

    def arrive(self, request: Request) -> Response | None:
        """Refuse whoever has no consent, the call beyond the limit, and a second write at once."""
        refused = self.admit(request)
        if refused is not None:
            return refused
        file = company_file(request)
        if file in self.denied:
            return answered(403, {"error": "AccessDenied"})
        if not self._count(request.headers.get("App-Key", "")):
            return self.too_many(answered(403, {"error": "RateLimitError"}))
        if request.method == "POST":
            if self.under_way(file):
                return self.too_many(answered(403, {"error": "RateLimitError"}))
            self.hold(request, file)
        return None

    def takes(self, request: Request) -> float:
        is_lookup = request.method == "GET" and request.path != "/v1/codes"
        return self.lookup_seconds if is_lookup else 0.0

    def answer(self, request: Request) -> Response:
        routes: dict[str, Callable[[Request], Response]] = {}
        for kind in KINDS:
            if request.path == f"/v1/{kind.plural}":
                routes["GET"] = partial(self.find, kind=kind, most=1)
            if request.path == f"/v1/{kind.name}":
                routes["POST"] = partial(self._post, kind=kind)
        return self.routed(request, routes)

    def visible(self, kind: Kind, company_file: str) -> list[Record]:
        """Those that are old enough."""
        since = self.clock() - timedelta(seconds=self.visible_after)
        old = {one.id for one in self.created if one.at <= since}
        return [one for one in super().visible(kind, company_file) if one["id"] in old]

    def _count(self, app: str) -> bool:
        """Count a call of the app; False when a second has had its share of all of them."""
        now, calls = self.clock(), self._calls[app]
        while calls and calls[0] <= now - SECOND:
            calls.popleft()
        if len(calls) >= self.calls_a_second:
            return False
        calls.append(now)
        return True

    def _post(self, request: Request, kind: Kind) -> Response:
        try:
            wire = read_json(request)
        except ValueError as error:
            return _refused([Refusal("", "bad_body", f"Send one document as JSON: {error}.")])
        file = company_file(request)
        found = refusals(kind, wire, self.books(file).known)
        if not found and len(wire.get("memo", "")) > LONGEST_MEMO:
            message = f"A memo has at most {LONGEST_MEMO} characters."
            found = [Refusal("memo", "too_long", message)]
        if found:
            return _refused(found)
        made = self.create(kind, file, wire, request=number_of(request))
        names = ("id", kind.called, *(["total"] if kind.has_lines else []))
        return answered(201, {name: made[name] for name in names})


def _refused(found: Sequence[Refusal]) -> Response:
    return answered(400, {"errors": [asdict(one) for one in found]})


if __name__ == "__main__":
    sys.exit(serve(PlainStandIn, port=4720))
