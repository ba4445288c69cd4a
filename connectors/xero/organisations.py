"""Which organisations a sign-in reaches, and the end of the connection to one."""

from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from connectors.base.documents import CompanyFile
from connectors.base.errors import ConnectorError, Rejected
from connectors.base.protocol import Connection
from connectors.xero import codes
from connectors.xero.books import Books, after_a_write
from connectors.xero.creating import Record
from connectors.xero.refusals import NOT_FOUND
from connectors.xero.wire import records, text

# Country and currency take a call each; with more organisations than this only names are shown.
FEW = 10


def listed(books: Books, connection: Connection) -> list[CompanyFile]:
    """Every organisation the sign-in reaches, with country and currency where they are few."""
    found = _connections(books)
    return [_company_file(one, connection, ask=len(found) <= FEW) for one in found]


def disconnect(books: Books, connection_id: str) -> bool:
    """End one connection; True when the sign-in reaches no other organisation any more."""
    try:
        books.app.write("DELETE", f"/connections/{quote(connection_id, safe='')}")
    except Rejected as refused:
        if refused.code != NOT_FOUND:
            raise
    with after_a_write():
        return not _connections(books)


def _connections(books: Books) -> list[Record]:
    answer: Any = books.app.read("/connections")
    return [one for one in records(answer) if text(one, "tenantType") == "ORGANISATION"]


def _company_file(record: Record, connection: Connection, *, ask: bool) -> CompanyFile:
    tenant = text(record, "tenantId")
    facts = _facts(replace(connection, company_file=tenant)) if ask else {}
    return CompanyFile(
        id=tenant,
        name=text(record, "tenantName"),
        country=facts.get("country", ""),
        currency=facts.get("currency", ""),
        connection_id=text(record, "id"),
    )


def _facts(connection: Connection) -> dict[str, str]:
    """Country and currency; nothing where that organisation cannot be asked just now."""
    with closing(Books(connection)) as books:
        try:
            return codes.facts_of(codes.organisation(books))
        except ConnectorError:
            return {}
