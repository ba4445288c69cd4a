"""Which invoice settings an accounting interface serves, and how its uploads fare."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q

from interfaces.models import AccountingInterface
from invoicing import rehearsals
from invoicing.models import InvoiceSetting, Upload
from invoicing.uploads.states import DOCUMENTS, FAILED, NOT_KNOWN, State


class AlreadyLinked(Exception):
    """Invoice settings belong to another interface; `str(error)` says which to which."""


@dataclass(frozen=True, kw_only=True)
class UploadFacts:
    """What pages about interfaces tell of one."""

    interface: AccountingInterface
    settings: list[str]
    last_upload: datetime | None
    failed: int
    # They may be there: nobody has found out.
    not_known: int


@dataclass(frozen=True, kw_only=True)
class Changed:
    """The names of invoice settings that were linked and unlinked."""

    linked: list[str]
    unlinked: list[str]
    # What other interfaces lost, and which.
    moved: list[tuple[AccountingInterface, list[str]]] = field(default_factory=list)


def facts_of(interfaces: Iterable[AccountingInterface]) -> list[UploadFacts]:
    """The facts of each interface, in two queries for all of them. Needs a scope."""
    rows = list(interfaces)
    names: dict[int | None, list[str]] = {}
    for setting in InvoiceSetting.objects.filter(interface__in=rows).order_by("name"):
        names.setdefault(setting.interface_id, []).append(setting.name)
    told: dict[int, dict[str, Any]] = {one["interface"]: one for one in _told(rows)}
    return [
        UploadFacts(
            interface=one,
            settings=names.get(one.pk, []),
            last_upload=told.get(one.pk, {}).get("last_upload"),
            failed=told.get(one.pk, {}).get("failed", 0),
            not_known=told.get(one.pk, {}).get("not_known", 0),
        )
        for one in rows
    ]


def link_settings(
    *, interface: AccountingInterface, setting_ids: Collection[int], move: Collection[int] = ()
) -> Changed:
    """Make the interface serve exactly these invoice settings. Needs a scope.

    One that another interface serves is moved only if `move` names it too; otherwise nothing at
    all is changed and AlreadyLinked raised. What is queued already goes where it was queued for;
    what was only rehearsed is forgotten, so that it can be sent in earnest.
    """
    settings = list(
        InvoiceSetting.objects.select_for_update(of=("self",))
        .select_related("interface")
        .order_by("name")
    )
    wanted = [one for one in settings if one.pk in setting_ids]
    taken = [
        one
        for one in wanted
        if one.interface and one.interface_id != interface.pk and one.pk not in move
    ]
    if taken:
        whose = " ".join(f"{one.name} is linked to {one.interface}." for one in taken)
        raise AlreadyLinked(f"{whose} Tick “move” beside it to link it here instead.")
    _keep_in_earnest(wanted, interface)
    changed = Changed(
        linked=[one.name for one in wanted if one.interface_id != interface.pk],
        unlinked=[
            one.name for one in settings if one.interface_id == interface.pk and one not in wanted
        ],
        moved=_moved(wanted, interface),
    )
    chosen = [one.pk for one in wanted]
    InvoiceSetting.objects.filter(interface=interface).exclude(pk__in=chosen).update(interface=None)
    InvoiceSetting.objects.filter(pk__in=chosen).update(interface=interface)
    for before, setting_ids in _left(settings, interface=interface, chosen=chosen).items():
        rehearsals.forget_uploads(before, setting_ids)
    return changed


def _keep_in_earnest(wanted: Iterable[InvoiceSetting], interface: AccountingInterface) -> None:
    """A rehearsal takes nothing from an interface in use: its invoices would go nowhere."""
    live = [
        one
        for one in wanted
        if interface.is_rehearsal
        and one.interface
        and one.interface.is_live
        and not one.interface.is_rehearsal
    ]
    if live:
        whose = " ".join(
            f"{one.name} goes through {one.interface}, which is in use." for one in live
        )
        raise AlreadyLinked(f"{whose} A rehearsal cannot take it: choose another invoice setting.")


def _moved(
    wanted: Iterable[InvoiceSetting], interface: AccountingInterface
) -> list[tuple[AccountingInterface, list[str]]]:
    found: dict[int, tuple[AccountingInterface, list[str]]] = {}
    for one in wanted:
        if one.interface and one.interface_id != interface.pk:
            found.setdefault(one.interface.pk, (one.interface, []))[1].append(one.name)
    return list(found.values())


def _left(
    settings: Iterable[InvoiceSetting], *, interface: AccountingInterface, chosen: Collection[int]
) -> dict[AccountingInterface, list[int]]:
    """Which settings are served no more by the interface that has served them so far."""
    left: dict[AccountingInterface, list[int]] = {}
    for one in settings:
        is_ours, is_chosen = one.interface_id == interface.pk, one.pk in chosen
        if one.interface and is_ours != is_chosen:
            left.setdefault(one.interface, []).append(one.pk)
    return left


def _told(interfaces: list[AccountingInterface]) -> Any:
    """Per interface: when it last sent a document, and how many stand failed or not known.

    A failure that a later upload of the same invoice has replaced is over.
    """
    later = Upload.objects.filter(
        invoice=OuterRef("invoice"), kind=OuterRef("kind"), pk__gt=OuterRef("pk")
    )
    stands = ~Q(Exists(later))
    return (
        Upload.objects.filter(interface__in=interfaces, kind__in=DOCUMENTS)
        .order_by()
        .values("interface")
        .annotate(
            last_upload=Max("sent_at", filter=Q(state=State.SENT)),
            failed=Count("pk", filter=Q(state__in=FAILED) & ~NOT_KNOWN & stands),
            not_known=Count("pk", filter=NOT_KNOWN & stands),
        )
    )
