"""The accounting API of one organisation: how it is called, and how it is read page by page."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from connectors.base.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater
from connectors.base.http import Http
from connectors.base.protocol import Connection
from connectors.xero.refusals import explain
from connectors.xero.wire import LABEL, records, remote_id, text

# Headers that tell how many calls are left, by the names of PACKAGE.limits.
REMAINING = {
    "X-MinLimit-Remaining": "minute",
    "X-DayLimit-Remaining": "day",
    "X-AppMinLimit-Remaining": "appminute",
}
PAGE = 200
MOST_PAGES = 1000
# From so many on a whole list may take fewer calls than looking for each.
MANY = 3
WHOLE_LIST_PAGE = 1000
# What is asked for by name in one look-up must fit into an address.
LONGEST_LIST = 1500
# How often a list is read again because it changed between two pages.
READINGS = 3
DEEP_LINK = "https://go.xero.com/organisationlogin/default.aspx?shortcode={}&redirecturl={}"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A whole list, each record once. `server_time` is Xero's clock before the first page."""

    records: list[Mapping[str, Any]]
    server_time: str = ""


class Books:
    """One organisation as one connection reaches it."""

    def __init__(self, connection: Connection) -> None:
        self.settings = connection.settings
        self.facts = connection.facts
        api = connection.endpoints["api"]
        self.http = Http(
            f"{api}/api.xro/2.0",
            connection,
            explain,
            label=LABEL,
            headers={"xero-tenant-id": connection.company_file},
            remaining=REMAINING,
        )
        # Without a tenant: which organisations there are.
        self.app = Http(api, connection, explain, label=LABEL)

    def close(self) -> None:
        """Let go of the sessions."""
        self.http.close()
        self.app.close()

    def link(self, place: str) -> str:
        """A web address that opens the place in this organisation; empty until codes were read."""
        short_code = self.facts.get("short_code", "")
        return DEEP_LINK.format(short_code, place) if short_code else ""

    def pages(
        self,
        path: str,
        plural: str,
        id_name: str,
        *,
        since: str = "",
        size: int = PAGE,
        most: int = MOST_PAGES,
        **params: Any,
    ) -> Listing | None:
        """The whole list; None when it has more than `most` pages.

        A record that changes meanwhile moves to another page, and one that was not read yet takes
        its place on a page already read: the count tells, and the list is read again.
        """
        headers = {"If-Modified-Since": since} if since else {}
        server_time = ""
        for _ in range(READINGS):
            found: dict[str, Mapping[str, Any]] = {}
            for page in range(1, most + 1):
                answer = self.http.read(path, headers=headers, page=page, pageSize=size, **params)
                if answer is None and since:
                    answer = {plural: []}  # not modified
                here = _all_of(answer, plural, id_name)
                server_time = server_time or text(answer, "DateTimeUTC")
                found |= {remote_id(one, id_name): one for one in here}
                paging = answer.get("pagination") or {}
                last = paging.get("pageCount", page + 1 if here else page)
                if page >= last:
                    break
                if last > most:
                    return None
            else:
                return None
            if paging.get("itemCount", len(found)) == len(found):
                return Listing(records=list(found.values()), server_time=server_time)
        raise RetryLater(f"{LABEL}'s {plural.lower()} changed while they were being read.")

    def each(
        self, path: str, plural: str, id_name: str, *, size: int = PAGE, **params: Any
    ) -> Iterator[Mapping[str, Any]]:
        """Every record of a list, of which no more than a page is held.

        As with `pages` the list is read again where the count tells that it changed meanwhile; the
        records read until then have been given already, and come once more.
        """
        for _ in range(READINGS):
            seen: set[str] = set()
            for page in range(1, MOST_PAGES + 1):
                answer = self.http.read(path, page=page, pageSize=size, **params)
                here = _all_of(answer, plural, id_name)
                yield from here
                seen.update(remote_id(one, id_name) for one in here)
                paging = answer.get("pagination") or {}
                if page >= paging.get("pageCount", page + 1 if here else page):
                    break
            else:
                raise Rejected(f"{LABEL} lists more {plural.lower()} than can be read.")
            if paging.get("itemCount", len(seen)) == len(seen):
                return
        raise RetryLater(f"{LABEL}'s {plural.lower()} changed while they were being read.")

    def whole_list(self, path: str, plural: str, id_name: str, **options: Any) -> Listing:
        """As `pages`, of a list that is not expected to be endless."""
        listing = self.pages(path, plural, id_name, **options)
        if listing is None:
            raise Rejected(f"{LABEL} lists more {plural.lower()} than can be read.")
        return listing


def _all_of(answer: Any, plural: str, id_name: str) -> list[Mapping[str, Any]]:
    """The records of a page. Raises RetryLater where it is no list of records that have ids.

    What is not seen for that would be taken for absent, and sent again.
    """
    listed = answer.get(plural) if isinstance(answer, dict) else None
    here = records(listed)
    named = [one for one in here if remote_id(one, id_name)]
    if not isinstance(listed, list) or len(named) < len(listed):
        raise RetryLater(f"{LABEL} gave an answer that cannot be read.")
    return here


def some_of(names: Iterable[str]) -> Iterator[list[str]]:
    """The numbers or ids in lists short enough for an address."""
    some: list[str] = []
    for name in names:
        if some and sum(len(one) + 1 for one in some) + len(name) > LONGEST_LIST:
            yield some
            some = []
        some.append(name)
    if some:
        yield some


@contextmanager
def after_a_write() -> Iterator[None]:
    """For calls that follow a write of the same step: "surely nothing written" is true no more."""
    try:
        yield
    except OutcomeUnknown:
        raise
    except ConnectorError as error:
        raise OutcomeUnknown(f"Part of this may have reached {LABEL} already. ({error})") from None
