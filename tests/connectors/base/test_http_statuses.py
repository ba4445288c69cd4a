"""What each status means for a read and for a write, without a network."""

from collections.abc import Iterator
from typing import Any

import pytest
import responses

from connectors.base.errors import (
    ConnectorError,
    NeedsReconnect,
    OutcomeUnknown,
    Rejected,
    RetryLater,
)
from connectors.base.http import Http
from connectors.base.protocol import Connection

BASE = "https://books.example"


class Token:
    """A token that can be renewed for ever."""

    def access_token(self) -> str:
        return "one"

    def renew(self, refused: str) -> str:
        return f"{refused}+"


@pytest.fixture
def http() -> Iterator[Http]:
    """A session to a package that explains nothing of its own."""
    connection = Connection(interface="1-1", company_file="", endpoints={}, tokens=Token())
    made = Http(BASE, connection, lambda answer: None, label="Books")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (400, Rejected, Rejected),
        (401, NeedsReconnect, NeedsReconnect),
        (403, NeedsReconnect, NeedsReconnect),
        (404, Rejected, Rejected),
        (302, RetryLater, RetryLater),
        (303, RetryLater, OutcomeUnknown),
        (408, RetryLater, OutcomeUnknown),
        (413, Rejected, Rejected),
        (429, RetryLater, RetryLater),
        (500, RetryLater, OutcomeUnknown),
        (502, RetryLater, OutcomeUnknown),
        (503, RetryLater, OutcomeUnknown),
        (504, RetryLater, OutcomeUnknown),
    ],
)
@responses.activate
def test_a_status_means_the_same_whoever_is_asked(
    http: Http, status: int, read: type[ConnectorError], write: type[ConnectorError]
) -> None:
    for method in ("GET", "PUT"):
        responses.add(method, f"{BASE}/things", status=status, body="CANARY")
    with pytest.raises(ConnectorError) as of_read:
        http.read("/things")
    with pytest.raises(ConnectorError) as of_write:
        http.write("PUT", "/things", {"a": 1})
    assert (type(of_read.value), type(of_write.value)) == (read, write)
    assert "CANARY" not in f"{of_read.value}{of_write.value}"


@responses.activate
def test_a_refused_token_is_renewed_once_and_the_write_made_once_more(http: Http) -> None:
    responses.add("PUT", f"{BASE}/things", status=401)
    responses.add("PUT", f"{BASE}/things", json={"kept": True})
    answer: Any = http.write("PUT", "/things", {"a": 1}, idempotency_key="k")
    assert answer == {"kept": True}
    sent = [call.request.headers for call in responses.calls]
    assert [one["Authorization"] for one in sent] == ["Bearer one", "Bearer one+"]
    assert {one["Idempotency-Key"] for one in sent} == {"k"}
