"""Plain's stand-in, arranged for the contract."""

from collections.abc import Mapping
from typing import ClassVar

from tests.packages import rehearsal


class Rehearsal(rehearsal.Rehearsal):
    """A company file in Plain."""

    creates: ClassVar[Mapping[str, tuple[str, str]]] = {
        "invoices": ("POST", "/v1/invoice"),
        "credit notes": ("POST", "/v1/credit-note"),
        "contacts": ("POST", "/v1/contact"),
    }
