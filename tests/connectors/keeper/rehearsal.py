"""Keeper's stand-in, arranged for the contract."""

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.packages import rehearsal


class Rehearsal(rehearsal.Rehearsal):
    """A company file in Keeper."""

    creates: ClassVar[Mapping[str, tuple[str, str]]] = {
        "invoices": ("POST", "/v1/invoices"),
        "credit notes": ("POST", "/v1/credit-notes"),
        "contacts": ("POST", "/v1/contacts"),
        "jobs": ("POST", "/v1/jobs"),
    }

    def settings_for_jobs(self) -> Mapping[str, Any]:
        return {"jobs": True}
