"""Hands a set-up by Abtrac's support over to the practice, whose own admin confirms it."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from connectors.base.protocol import Link
from interfaces import assistance, charges
from interfaces.models import AccountingInterface, SetUpRequest
from invoicing import dry_runs, going_live
from invoicing.models import DryRun
from offices.models import User
from offices.people import require_admin

# How staff work with a link through which Abtrac Link sends by itself.
SENDS_BY_ITSELF = (
    "Commit the invoices in Abtrac.",
    "Choose Accounting, then Upload invoices, tick what is to go and press Upload to accounts.",
    "Look at the batch: what was refused says why, and is sent again after it is put right.",
)
# What comes before the package's own steps where a person carries a file.
WRITES_A_FILE = (
    "Commit the invoices in Abtrac.",
    "Choose Accounting, then Upload invoices, tick what is to go and download the file.",
)


def steps_of(interface: AccountingInterface) -> Sequence[str]:
    """How staff work with it day by day."""
    own = interface.package.hand_over
    if interface.package.link is Link.FILE:
        return (*WRITES_A_FILE, *own)
    return own or SENDS_BY_ITSELF


def unready(interface: AccountingInterface, run: DryRun | None) -> list[str]:
    """Why it cannot be handed over yet, a sentence each; `run` is the newest. Needs a scope."""
    found = [one.sentence for one in going_live.missing(interface)]
    unset = [
        one.label
        for one in interface.package.settings
        if one.required and interface.preference(one.key) in ("", None)
    ]
    if unset:
        found.append(f"Not set under Preferences: {', '.join(unset)}.")
    return found + _of_dry_run(run)


def _of_dry_run(run: DryRun | None) -> list[str]:
    if run is None:
        return ["There is no dry run yet."]
    if dry_runs.faults_of(run):
        return ["The dry run shows what must be put right. Then make another one."]
    if run.outcome == DryRun.Outcome.BAD:
        return ["The practice says that the dry run did not work. Put it right and make another."]
    return []


@transaction.atomic
def give(
    *,
    interface: AccountingInterface,
    actor: User,
    as_support: bool,
    address: str | None = None,
) -> SetUpRequest:
    """Support hands over what is finished; else ValidationError says all that is not."""
    if not as_support:
        raise ValidationError("Only our team hands a set-up over.")
    left = unready(interface, dry_runs.latest(interface))
    if left:
        raise ValidationError(left)
    return assistance.hand_over(interface=interface, actor=actor, address=address)


@transaction.atomic
def confirm(
    *,
    interface: AccountingInterface,
    actor: User,
    as_support: bool,
    address: str | None = None,
) -> SetUpRequest:
    """The practice's own admin takes it as it is: it goes live and the fee is charged."""
    request = SetUpRequest.objects.select_related("practice").get(interface=interface)
    if as_support:
        raise ValidationError(f"Only an admin of {request.practice} can confirm this.")
    require_admin(request.practice, actor, "confirm this")
    run = dry_runs.latest(interface)
    left = unready(interface, run)
    if not left and run is not None and run.outcome != DryRun.Outcome.GOOD:
        left = ["Say first how the dry run went."]
    if left:
        raise ValidationError(left)
    request = assistance.confirm(interface=interface, actor=actor, address=address)
    try:
        going_live.go_live(interface=interface, actor=actor, as_support=False, address=address)
    except going_live.CannotGoLive as error:
        raise ValidationError(str(error)) from error
    if request.quoted_fee is not None:
        charges.record_set_up_fee(interface, amount=request.quoted_fee, accepted_by=actor)
    return request
