"""Drawer's connector: the import file, a row for each line."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from connectors.base.documents import CreditNote, ImportFile, InvoiceLine, SalesInvoice
from connectors.base.errors import Rejected
from connectors.base.protocol import Connection

LABEL = "Drawer"
NUMBER_LENGTH = 11
COLUMNS = (
    *("Kind", "Number", "Date", "Due", "Client", "Description"),
    *("Account", "Tax code", "Net", "Tax"),
)


class Drawer:
    """One company file in Drawer."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings

    @classmethod
    def open(cls, connection: Connection) -> Self:
        """A connector ready to write."""
        return cls(connection.settings)

    def close(self) -> None:
        """Nothing is open."""

    def write_file(self, documents: Sequence[SalesInvoice]) -> ImportFile:
        """All of them in one CSV file."""
        for one in documents:
            if len(one.number) > NUMBER_LENGTH:
                message = (
                    f"{one.number} is longer than the {NUMBER_LENGTH} characters Drawer takes."
                )
                raise Rejected(message, field="number")
        text = io.StringIO(newline="")
        rows = csv.writer(text)
        rows.writerow(COLUMNS)
        for one in documents:
            rows.writerows(self._row(one, line) for line in self._lines(one))
        return ImportFile(name="drawer-sales.csv", content=text.getvalue().encode())

    def _lines(self, document: SalesInvoice) -> Sequence[InvoiceLine]:
        if self._settings["detail"] == "lines":
            return document.lines
        merged: dict[tuple[str, str], InvoiceLine] = {}
        for line in document.lines:
            codes = line.account_code, line.tax_code
            so_far = merged.get(codes)
            merged[codes] = (
                replace(so_far, net=so_far.net + line.net, tax=so_far.tax + line.tax)
                if so_far
                else line
            )
        return list(merged.values())

    def _row(self, document: SalesInvoice, line: InvoiceLine) -> list[str]:
        credit = isinstance(document, CreditNote)
        sign = -1 if credit else 1
        by_number = self._settings["match_contacts_by"] == "number"
        return [
            "CRN" if credit else "INV",
            document.number,
            f"{document.issued:%d/%m/%Y}",
            f"{document.due:%d/%m/%Y}",
            document.contact.number if by_number else document.contact.name,
            line.description,
            line.account_code,
            line.tax_code,
            f"{line.net * sign:.2f}",
            f"{line.tax * sign:.2f}",
        ]
