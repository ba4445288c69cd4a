"""What the corpora of documents are made of, whatever the package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connectors.base.documents import Allocation, Attachment, Contact, Job, SalesInvoice

# A credit note is a sales invoice here. A file hangs on the document sent last before it, and an
# allocation sets the credit note sent last against the invoice sent last.
Document = SalesInvoice | Contact | Job | Attachment | Allocation
# Brings a company file of the package's stand-in into the state in which something happens.
Arrange = Callable[[Any], None]


class Outcome(StrEnum):
    """What the package does with a document that is at fault."""

    REFUSED = "refused"
    # Taken, but with another total, tax, number or without its job.
    ALTERED = "altered"
    # Taken as it is, but nobody finds it again by its number.
    LOST = "lost"


def as_they_are(books: Any) -> None:
    """Nothing is arranged in the company file."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Documents sent one after the other, the last of which is at fault in one thing.

    `field`, `code` and `line` are what the check must name, in our words; `words` is a stable part
    of the package's own. `neighbour` takes the place of the last document, differs in that one
    thing, and is right. Where the package must be arranged otherwise than by the document, as for
    a person who may not approve, the neighbour has `neighbour_settings`.

    `blocks` says that the document must not be sent. Where it is False our connector is to send
    something else that is right (free text continued or cut, an amount in place of a price), or
    only what follows the document stays behind (the PDF, the allocation): there a check may warn,
    and must not hold the document up.
    """

    name: str
    documents: tuple[Document, ...]
    neighbour: Document
    field: str
    code: str
    line: int | None = None
    words: str = ""
    outcome: Outcome = Outcome.REFUSED
    blocks: bool = True
    arrange: Arrange = as_they_are
    company_file: str = ""
    settings: Mapping[str, Any]
    neighbour_settings: Mapping[str, Any] | None = None

    def right(self) -> "Valid":
        """The same with the neighbour at the end: nothing is at fault."""
        return Valid(
            name=self.name,
            documents=(*self.documents[:-1], self.neighbour),
            arrange=self.arrange,
            company_file=self.company_file,
            settings=(
                self.settings if self.neighbour_settings is None else self.neighbour_settings
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Valid:
    """Documents sent one after the other, odd perhaps but right: no check may stop them."""

    name: str
    documents: tuple[Document, ...]
    arrange: Arrange = as_they_are
    company_file: str = ""
    settings: Mapping[str, Any]
