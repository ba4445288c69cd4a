"""What the rehearsals of Keeper and Plain have in common."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

from connectors.base.documents import CreditNote, SalesInvoice
from tests.connectors import rehearsal
from tests.connectors.samples import Terms


class Rehearsal(rehearsal.Rehearsal):
    """One company file with its own books."""

    refuses_doubles: ClassVar[bool] = False
    names_contacts: ClassVar[bool] = False

    def sign_in(self) -> rehearsal.Tokens:
        return Given()

    def arrange(self) -> None:
        self.company_file = "harbour"
        codes = self.connect().read_codes()
        fees, recoveries = [one.code for one in codes.accounts if one.active][:2]
        taxed = next(one for one in codes.taxes if one.active and one.rate)
        untaxed = next(one for one in codes.taxes if one.active and not one.rate)
        self.terms = Terms(
            fees=fees,
            recoveries=recoveries,
            taxed=taxed.code,
            rate=taxed.rate,
            untaxed=untaxed.code,
            currency=codes.facts["currency"],
        )

    def books(self) -> Any:
        return list(self.standin.created)

    def numbers(self, kind: type[SalesInvoice] = SalesInvoice) -> Sequence[str]:
        return self._created("credit-note" if issubclass(kind, CreditNote) else "invoice")

    def names(self) -> Sequence[str]:
        return self._created("contact")

    def add_invoice_of_others(self, number: str, total: Decimal) -> None:
        self.standin.type_in_invoice(self.company_file, number, str(total))

    def _created(self, kind: str) -> list[str]:
        return [one.number for one in self.standin.created if one.kind == kind]


class Given:
    """Tokens that are taken as long as they are not empty."""

    def __init__(self) -> None:
        self.renewals = 0

    def access_token(self) -> str:
        """The token."""
        return f"invented-token-{self.renewals}"

    def renew(self, refused: str) -> str:
        """Another one."""
        self.renewals += 1
        return self.access_token()
