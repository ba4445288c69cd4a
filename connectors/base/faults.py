"""What is wrong with a document, told before it is sent: one sentence for one cause."""

from dataclasses import dataclass
from enum import StrEnum

from connectors.base.errors import Rejected


class Weight(StrEnum):
    """What a fault leads to."""

    # The package would refuse it, so it is not sent.
    REFUSED = "refused"
    # It goes; something about it is worth knowing before.
    REMARK = "remark"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong; `line` counts from 1 and is 0 for the whole document.

    `code` is the rule's, the same as that of the package's refusal for the same reason. `subject`
    is what has to be mended: an account code, a tax code, a contact, a currency; empty where it is
    the document itself. What is wrong with many documents for one code and one subject is mended
    once. `next_step` is what to do, where that is not to correct it here or in Abtrac.
    """

    field: str
    message: str
    code: str = ""
    subject: str = ""
    line: int = 0
    next_step: str = ""
    weight: Weight = Weight.REFUSED


def tax_with_account(tax_code: str, account_code: str) -> str:
    """The subject of a tax code that does not go with an account code."""
    return f"{tax_code}|{account_code}"


def faults_of(refused: Rejected) -> list[Fault]:
    """A refusal as faults: each of its reasons is one."""
    return [
        Fault(
            field=one.field,
            message=str(one),
            code=one.code,
            subject=one.subject,
            line=one.line or 0,
            next_step=one.next_step,
        )
        for one in (refused, *refused.others)
    ]
