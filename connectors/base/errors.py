"""The four things that can go wrong with a package; each carries a sentence for the user."""

from collections.abc import Sequence
from datetime import timedelta


class ConnectorError(Exception):
    """What concerns the whole call; `str(error)` may be shown to the user and holds no secret."""


class Rejected(ConnectorError):
    """Refused, and will be again until the document or a code changes.

    Raised for a whole call, or returned as the outcome of one document. `field` is a word of ours
    (`number`, `account_code`, `tax_code`, `issued`, `contact`, `job`, `currency`, ...); `line`
    counts from 1. `words` are the package's own, kept for support. `subject` is what has to be
    mended, as in `connectors.base.faults.Fault`; `others` are further reasons, each by itself.
    """

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        code: str = "",
        subject: str = "",
        line: int | None = None,
        next_step: str = "",
        words: str = "",
        others: Sequence["Rejected"] = (),
    ) -> None:
        super().__init__(message)
        self.field = field
        self.code = code
        self.subject = subject
        self.line = line
        self.next_step = next_step
        self.words = words
        self.others = tuple(others)


class NeedsReconnect(ConnectorError):
    """Consent is gone, revoked, lacks a permission, or is for another company file."""


class RetryLater(ConnectorError):
    """Surely nothing was written. `after` is the package's own wish, None where it has none.

    `congested` says that the package limits our rate, which is no sign of ill health.
    """

    def __init__(
        self, message: str, *, after: timedelta | None = None, congested: bool = False
    ) -> None:
        super().__init__(message)
        self.after = after
        self.congested = congested


class OutcomeUnknown(ConnectorError):
    """It may have been written: only the package can tell."""
