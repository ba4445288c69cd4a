"""A rehearsal Keeper. Run it with `python -m tests.packages.keeper.standin`."""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.packages.rules import KINDS, Kind, refusals
from tests.packages.shelf import (
    Shelf,
    answered,
    company_file,
    number_of,
    read_json,
    refusal,
    serve,
)

KEPT = timedelta(hours=24)
LONGEST_KEY = 64
MOST = 20
CONCURRENT = 5


@dataclass(frozen=True)
class Kept:
    """An answer kept for a repeat of what was asked."""

    at: datetime
    asked: tuple[str, bytes]
    body: bytes


class KeeperStandIn(Shelf):
    """The rehearsal Keeper: twenty in a call, and the answer of every Request-Id for a day."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[tuple[str, str], Kept] = {}

    def arrive(self, request: Request) -> Response | None:
        """Refuse the sixth call at once, and a key that is still in hand."""
        refused = self.admit(request)
        if refused is not None:
            return refused
        file, key = company_file(request), request_id(request)
        if self.under_way(file) >= CONCURRENT:
            return self.too_many(refusal(429, "too_many_calls", "Five calls at once are taken."))
        if request.method == "POST" and key:
            if self.under_way(file, key):
                return refusal(409, "in_progress", "That Request-Id is still in hand.")
            self.hold(request, file, key)
        self.hold(request, file)
        return None

    def answer(self, request: Request) -> Response:
        routes: dict[str, Callable[[Request], Response]] = {}
        for kind in KINDS:
            if request.path == f"/v1/{kind.plural}":
                routes["GET"] = partial(self.find, kind=kind, most=MOST)
                routes["POST"] = partial(self._post, kind=kind)
        return self.routed(request, routes)

    def _post(self, request: Request, kind: Kind) -> Response:
        """Do it, or answer as before where the key came before."""
        key = company_file(request), request_id(request)
        if not 1 <= len(key[1]) <= LONGEST_KEY:
            return refusal(400, "bad_request_id", "A Request-Id has 1 to 64 characters.")
        now, asked = self.clock(), (request.path, request.get_data())
        self._kept = {key: kept for key, kept in self._kept.items() if now < kept.at + KEPT}
        kept = self._kept.get(key)
        if kept is None:
            response = self._create(request, kind)
            if response.status_code == 200:
                self._kept[key] = Kept(now, asked, response.get_data())
            return response
        if kept.asked != asked:
            return refusal(422, "request_id_reused", "That Request-Id came with another body.")
        return Response(kept.body, 200, {"Replayed": "yes"}, content_type="application/json")

    def _create(self, request: Request, kind: Kind) -> Response:
        try:
            body = read_json(request)
            if set(body) != {"items"} or not 1 <= len(body["items"]) <= MOST:
                raise ValueError("not a list of items")
        except (TypeError, ValueError) as error:
            return refusal(400, "bad_body", f"Send 1 to {MOST} items as JSON: {error}.")
        results = [self._one(request, kind, wire) for wire in body["items"]]
        return answered(200, {"results": results})

    def _one(self, request: Request, kind: Kind, wire: Any) -> dict[str, Any]:
        file = company_file(request)
        found = refusals(kind, wire, self.books(file).known)
        if found:
            return {"status": "error", **asdict(found[0])}
        made = self.create(kind, file, wire, request=number_of(request))
        names = ("id", kind.called, *(["total"] if kind.has_lines else []))
        return {"status": "ok", **{name: made[name] for name in names}}


def request_id(request: Request) -> str:
    """The key of a request."""
    return request.headers.get("Request-Id", "")


if __name__ == "__main__":
    sys.exit(serve(KeeperStandIn, port=4710))
