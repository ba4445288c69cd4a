"""Stores invoices with their lines. What is committed is locked; everything else may change.

A change to an approved invoice makes it a draft again, and takes its PDF away: what was approved
and printed is not there any more.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rest_framework import status

from invoicing.api.problems import Problem
from invoicing.api.reading import Given, name_in
from invoicing.api.upserts import BATCH, Tally, differs, ids_of, missing, refuse, unknown, write
from invoicing.models import (
    Client,
    Invoice,
    InvoiceLine,
    InvoicePdf,
    InvoiceSetting,
    Job,
    OfficeInvoicing,
)
from offices.models import Office

Status = Invoice.Status


@dataclass(frozen=True, kw_only=True)
class Named:
    """All that the rows of one call name, by Abtrac's ids."""

    settings: Mapping[str, int]
    offices: Mapping[str, int]
    office_settings: Mapping[str, int]
    clients: Mapping[str, int]
    jobs: Mapping[str, int]
    invoices: Mapping[str, int]
    # Of invoices that are credited: as this call sends them, else as they are stored.
    totals: Mapping[str, Decimal]


@dataclass(kw_only=True)
class Ready:
    """A row in our own terms. `credits` is set while what it credits is yet to be stored."""

    fields: dict[str, Any]
    lines: list[dict[str, Any]]
    credits: str = ""
    stored: Invoice | None = None
    stored_lines: list[InvoiceLine] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        """Whether it was never sent before."""
        return self.stored is None

    @property
    def is_changed(self) -> bool:
        """Whether it says anything that is not stored."""
        return bool(self.credits) or differs(self.stored, self.fields) or self._lines_differ()

    def _lines_differ(self) -> bool:
        if len(self.lines) != len(self.stored_lines):
            return True
        pairs = zip(self.stored_lines, self.lines, strict=True)
        return any(differs(stored, line) for stored, line in pairs)


def store_invoices(given: Sequence[Given], problems: Sequence[Problem]) -> Tally:
    """Store invoices and their lines, each whole. Committed ones may be repeated, not changed."""
    known = _locked(given)
    named = _named(given)
    faults = [
        *problems,
        *_strangers(given, named),
        *_miscredits(given, named),
        *_still_credited(given, known),
    ]
    broken = {one.path.split(".")[0] for one in faults}
    ready = {one.path: _ready(one, named) for one in given if one.path not in broken}
    _compare(ready.values(), known)
    clashes = list(_clashes(given, ready, known))
    refuse([*faults, *clashes], code=None if faults else status.HTTP_409_CONFLICT)
    return _write(list(ready.values()))


def _locked(given: Sequence[Given]) -> dict[str, Invoice]:
    """Those stored, held against an upload; in the order in which uploads hold them."""
    chosen = Invoice.objects.filter(abtrac_id__in=[one.names("abtrac_id") for one in given])
    held = chosen.select_for_update(no_key=True).order_by("issued", "number", "id")
    return {one.abtrac_id: one for one in held}


def _named(given: Sequence[Given]) -> Named:
    offices = ids_of(Office, (one.names("office") for one in given))
    jobs = {one.names("job") for one in given}
    jobs |= {name_in(line, "job") for one in given for line in _raw_lines(one)}
    credited = Invoice.objects.filter(abtrac_id__in={one.names("credits") for one in given})
    stored = {
        name: (pk, total) for name, pk, total in credited.values_list("abtrac_id", "pk", "total")
    }
    totals = {name: total for name, (_, total) in stored.items()}
    totals |= {
        one.values["abtrac_id"]: one.values["total"] for one in given if one.values is not None
    }
    by_office = dict(
        OfficeInvoicing.objects.filter(office__in=offices.values()).values_list(
            "office_id", "invoice_setting_id"
        )
    )
    return Named(
        settings=ids_of(InvoiceSetting, (one.names("invoice_setting") for one in given)),
        offices=offices,
        office_settings={name: by_office[pk] for name, pk in offices.items() if pk in by_office},
        clients=ids_of(Client, (one.names("client") for one in given)),
        jobs=ids_of(Job, jobs),
        invoices={name: pk for name, (pk, _) in stored.items()},
        totals=totals,
    )


def _strangers(given: Sequence[Given], named: Named) -> Iterator[Problem]:
    """Whatever is named and was never sent."""
    yield from unknown(given, "office", named.offices)
    yield from unknown(given, "invoice_setting", named.settings)
    yield from unknown(given, "client", named.clients)
    yield from unknown(given, "job", named.jobs)
    for one in given:
        for index, line in enumerate(_raw_lines(one)):
            name = name_in(line, "job")
            if name and name not in named.jobs:
                yield missing(f"{one.path}.lines[{index}].job", name, "job")
        office = one.names("office")
        if office in named.offices and not one.names("invoice_setting"):
            yield from _without_setting(one, office, named)


def _without_setting(one: Given, office: str, named: Named) -> Iterator[Problem]:
    if office not in named.office_settings:
        yield Problem(
            path=f"{one.path}.invoice_setting",
            code="no_invoice_setting",
            message=f"Office “{office}” uses no invoice setting: name one here, or send the"
            " office with one.",
        )


def _miscredits(given: Sequence[Given], named: Named) -> Iterator[Problem]:
    sent = {one.names("abtrac_id") for one in given}
    for one in given:
        credited = one.names("credits")
        if not credited:
            continue
        if credited not in named.invoices and credited not in sent:
            yield missing(f"{one.path}.credits", credited, "invoice")
        elif named.totals.get(credited, Decimal(1)) <= 0:
            yield Problem(
                path=f"{one.path}.credits",
                code="credits_no_invoice",
                message=f"“{credited}” is no invoice with a positive total: there is nothing to"
                " credit.",
            )


def _still_credited(given: Sequence[Given], known: Mapping[str, Invoice]) -> Iterator[Problem]:
    """Invoices that would have nothing left to credit, while credit notes sent before name them."""
    emptied = {
        one.names("abtrac_id"): one
        for one in given
        if one.values is not None and one.values["total"] <= 0 and one.names("abtrac_id") in known
    }
    if not emptied:
        return
    # Those sent again in this call say themselves what they credit now.
    credit_notes = (
        Invoice.objects.filter(credits__in=[known[name].pk for name in emptied])
        .exclude(abtrac_id__in=[one.names("abtrac_id") for one in given])
        .order_by("number", "pk")
        .values_list("credits__abtrac_id", "number")
    )
    for name, number in credit_notes:
        yield Problem(
            path=f"{emptied[name].path}.total",
            code="credited",
            message=f"Credit note {number} credits this invoice, so its total stays positive."
            " Send the credit note without it first, or in the same call.",
        )


def _ready(one: Given, named: Named) -> Ready:
    assert one.values is not None  # noqa: S101 - rows with problems are left out before
    row = dict(one.values)
    office, setting, client, job, credited = (
        row.pop(name) for name in ("office", "invoice_setting", "client", "job", "credits")
    )
    lines = sorted(row.pop("lines"), key=lambda line: int(line["position"]))
    return Ready(
        fields={
            **row,
            "office_id": named.offices[office],
            "invoice_setting_id": (
                named.settings[setting] if setting else named.office_settings[office]
            ),
            "client_id": named.clients[client],
            "job_id": named.jobs.get(job),
            "credits_id": named.invoices.get(credited),
        },
        lines=[
            {
                **{name: line[name] for name in line if name != "job"},
                "job_id": named.jobs.get(line["job"]),
            }
            for line in lines
        ],
        credits=credited if credited not in named.invoices else "",
    )


def _compare(ready: Iterable[Ready], known: Mapping[str, Invoice]) -> None:
    """Put beside each row what is stored of it."""
    lines: dict[int, list[InvoiceLine]] = {}
    for line in InvoiceLine.objects.filter(invoice__in=known.values()).order_by("position"):
        lines.setdefault(line.invoice_id, []).append(line)
    for one in ready:
        one.stored = known.get(one.fields["abtrac_id"])
        one.stored_lines = lines.get(one.stored.pk, []) if one.stored else []


def _clashes(
    given: Sequence[Given], ready: Mapping[str, Ready], known: Mapping[str, Invoice]
) -> Iterator[Problem]:
    """Rows that would change what is committed."""
    for one in given:
        stored = known.get(one.names("abtrac_id"))
        if stored is None or stored.status != Status.COMMITTED:
            continue
        if one.path not in ready or ready[one.path].is_changed:
            yield Problem(
                path=one.path,
                code="locked",
                message=f"Invoice {stored.number} is committed, so it cannot be changed."
                " Un-commit it first.",
            )


def _write(ready: Sequence[Ready]) -> Tally:
    changed = [one for one in ready if not one.is_new and one.is_changed]
    created = [one for one in ready if one.is_new]
    keys = _write_invoices([*created, *changed])
    stale = [one.stored for one in changed]
    InvoiceLine.objects.filter(invoice__in=stale).delete()
    InvoicePdf.objects.filter(invoice__in=stale).delete()
    InvoiceLine.objects.bulk_create(
        (
            InvoiceLine(invoice_id=keys[one.fields["abtrac_id"]], **line)
            for one in (*created, *changed)
            for line in one.lines
        ),
        batch_size=BATCH,
    )
    return Tally(
        created=len(created),
        changed=len(changed),
        unchanged=len(ready) - len(created) - len(changed),
    )


def _write_invoices(ready: Sequence[Ready]) -> dict[str, int]:
    """Write them, those that credit another of the same call after it; their keys by Abtrac's."""
    keys: dict[str, int] = {}
    first = [one for one in ready if not one.credits]
    second = [one for one in ready if one.credits]
    for part in (first, second):
        rows = [_invoice(one, keys) for one in part]
        names = [*part[0].fields, "status", "revision"] if part else []
        keys.update({one.abtrac_id: one.pk for one in write(Invoice, rows, names)})
    return keys


def _invoice(one: Ready, keys: Mapping[str, int]) -> Invoice:
    if one.credits:
        one.fields["credits_id"] = keys[one.credits]
    return Invoice(
        **one.fields,
        status=Status.DRAFT,
        revision=one.stored.revision + 1 if one.stored else 1,
    )


def _raw_lines(one: Given) -> list[Any]:
    lines = one.raw.get("lines")
    return lines if isinstance(lines, list) else []
