"""Checks again what was held up, once somebody has mended what held it up, and sends it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef, Q

from interfaces.models import AccountingInterface
from invoicing import uploads
from invoicing.models import Blocked, Upload
from invoicing.reasons import CONTACT
from invoicing.selectors import went_on
from invoicing.uploads.people import batched
from invoicing.uploads.states import DOCUMENTS, FAILED, MOVING
from invoicing.words import by_reason, counted
from offices.models import User
from offices.tenancy import acting_for


@dataclass(kw_only=True)
class Rechecked:
    """What came of it, counted in documents; of contacts and the like where there were no others.

    `held_up` are those that cannot go yet: number and reason.
    """

    checked: int = 0
    on_the_way: int = 0
    held_up: list[tuple[str, str]] = field(default_factory=list)
    word: str = "invoice"

    @property
    def sentence(self) -> str:
        """`14 invoices checked again: 13 on the way, 1 still held up.`"""
        parts = [f"{self.on_the_way:,} on the way"] if self.on_the_way else []
        if left := self.checked - self.on_the_way:
            parts.append(f"{left:,} still held up")
        return f"{counted(self.checked, self.word)} checked again: {', '.join(parts)}."

    @property
    def why(self) -> list[str]:
        """A sentence for each reason why some still cannot go, and which these are."""
        return by_reason(self.held_up)


def check_again(*, practice_id: int, causes: Collection[int], actor: User | None) -> Rechecked:
    """Try again exactly what these causes hold up, in portions that each take a short time.

    What is on its way already is left alone.
    """
    with acting_for(practice_id):
        held = Blocked.objects.filter(
            cause__in=causes, cleared_at__isnull=True, upload__state__in=FAILED
        )
        rows = held.order_by("upload").values_list("upload_id", "upload__kind").distinct()
        # What documents wait for goes before them.
        ids = [pk for pk, kind in sorted(rows, key=lambda row: row[1] in DOCUMENTS)]
    return _try(ids, practice_id=practice_id, actor=actor)


def check_client_again(
    *, practice_id: int, interface: AccountingInterface, client_id: int, actor: User | None
) -> Rechecked:
    """The same of the client's documents that failed for want of its contact."""
    with acting_for(practice_id):
        of_contact = Blocked.objects.filter(
            upload=OuterRef("pk"), cleared_at__isnull=True, cause__field=CONTACT
        )
        waiting = Upload.objects.filter(
            ~went_on(),
            Q(field=CONTACT) | Q(Exists(of_contact)),
            interface=interface,
            invoice__client=client_id,
            kind__in=DOCUMENTS,
            state__in=FAILED,
        )
        ids = list(waiting.order_by("pk").values_list("pk", flat=True))
    return _try(ids, practice_id=practice_id, actor=actor)


def _try(ids: Sequence[int], *, practice_id: int, actor: User | None) -> Rechecked:
    found, besides = Rechecked(), Rechecked(word="upload")
    for some in batched(ids):
        with acting_for(practice_id):
            retried = uploads.retry(upload_ids=some, actor=actor)
            left_out = {one.invoice_id: one.reason for one in retried.left_out}
            rows = Upload.objects.filter(pk__in=some).order_by("pk")
            for kind, state, reason, invoice_id, number in rows.values_list(
                "kind", "state", "reason", "invoice_id", "invoice__number"
            ):
                counts = found if kind in DOCUMENTS else besides
                counts.checked += 1
                counts.on_the_way += state in MOVING
                if state in FAILED:
                    why = left_out.get(invoice_id or 0) or reason.partition("\n")[0]
                    counts.held_up.append((number or "", why))
    return found if found.checked else besides
