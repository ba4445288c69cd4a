"""What a stand-in says it holds, in one form for every package."""

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# Documents that are still shown, but stand no more.
TAKEN_BACK = frozenset({"VOIDED", "DELETED"})


@dataclass(frozen=True, kw_only=True)
class There:
    """One document, contact or job in a company file; `kind` is an `Upload.Kind`."""

    company_file: str
    kind: str
    remote_id: str
    number: str
    reference: str = ""
    total: Decimal | None = None


def over_http(url: str) -> Mapping[str, Any]:
    """The state of a stand-in that runs in another process."""
    with urllib.request.urlopen(f"{url}/_standin/state", timeout=30) as answer:
        state: Mapping[str, Any] = json.load(answer)
    return state


def everything_in(package_key: str, state: Mapping[str, Any]) -> list[There]:
    """All it holds in every company file, in the order of its making."""
    return list(READERS.get(package_key, _created)(state))


def _in_xero(state: Mapping[str, Any]) -> Iterator[There]:
    for books in state["organisations"]:
        for plural, kind, word in (
            ("Invoices", "invoice", "Invoice"),
            ("CreditNotes", "credit_note", "CreditNote"),
        ):
            for one in books[plural]:
                if one["Status"] not in TAKEN_BACK and one["Type"].startswith("ACCREC"):
                    yield There(
                        company_file=books["OrganisationID"],
                        kind=kind,
                        remote_id=one[f"{word}ID"],
                        number=one[f"{word}Number"],
                        total=Decimal(str(one["Total"])),
                    )


def _created(state: Mapping[str, Any]) -> Iterator[There]:
    for one in state["created"]:
        total = one["total"]
        yield There(
            company_file=one["company_file"],
            kind=one["kind"].replace("-", "_"),
            remote_id=one["id"],
            number=one["number"],
            reference=one["reference"],
            total=None if total is None else Decimal(str(total)),
        )


READERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[There]]] = {"xero": _in_xero}
