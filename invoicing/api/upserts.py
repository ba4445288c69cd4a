"""Stores the rows of a call under Abtrac's own ids: all of them or none, the same when repeated.

The number of queries does not grow with the rows. Needs a scope.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from invoicing.api.problems import Problem, Problems, printable
from invoicing.api.reading import Given
from invoicing.models import Client, InvoiceSetting, Job, OfficeInvoicing
from offices.models import Office, PracticeKey
from offices.tenancy import PracticeOwned, current_practice_id

M = TypeVar("M", bound=PracticeOwned)

# How many ids one query asks for: SQLite takes some thirty thousand values at most.
CHUNK = 10_000
# How many rows one statement writes.
BATCH = 2_000


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What became of the rows of one call."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0


def hold_practice() -> None:
    """Let the API's calls for one practice wait for each other, till the transaction ends.

    Its keys are the lock: nobody else holds them for longer than an instant.
    """
    keys = PracticeKey.objects.filter(practice_id=current_practice_id()).order_by("pk")
    list(keys.select_for_update().values_list("pk"))


def store_settings(given: Sequence[Given], problems: Sequence[Problem]) -> Tally:
    """Store invoice settings; what interface they are linked to is not Abtrac's to say."""
    refuse(problems)
    return put(InvoiceSetting, [whole(one) for one in given]).tally


def store_offices(given: Sequence[Given], problems: Sequence[Problem]) -> Tally:
    """Store offices, each with the invoice setting it uses."""
    settings = ids_of(InvoiceSetting, (one.names("invoice_setting") for one in given))
    refuse([*problems, *unknown(given, "invoice_setting", settings)])
    rows = [whole(one) for one in given]
    wanted = {row["abtrac_id"]: settings[row.pop("invoice_setting")] for row in rows}
    stored = put(Office, rows)
    moved = _use_settings(wanted)
    changed = (stored.changed | moved) - stored.created
    return Tally(
        created=len(stored.created),
        changed=len(changed),
        unchanged=len(rows) - len(stored.created) - len(changed),
    )


def store_clients(given: Sequence[Given], problems: Sequence[Problem]) -> Tally:
    """Store clients."""
    refuse(problems)
    return put(Client, [whole(one) for one in given]).tally


def store_jobs(given: Sequence[Given], problems: Sequence[Problem]) -> Tally:
    """Store jobs, each of a client sent before."""
    clients = ids_of(Client, (one.names("client") for one in given))
    refuse([*problems, *unknown(given, "client", clients)])
    rows = [whole(one) for one in given]
    for row in rows:
        row["client_id"] = clients[row.pop("client")]
    return put(Job, rows).tally


@dataclass(frozen=True, kw_only=True)
class Put:
    """The ids of rows by what became of them."""

    created: set[str]
    changed: set[str]
    unchanged: set[str]

    @property
    def tally(self) -> Tally:
        """Their numbers."""
        return Tally(
            created=len(self.created), changed=len(self.changed), unchanged=len(self.unchanged)
        )


def put(model: type[M], rows: Sequence[Mapping[str, Any]]) -> Put:
    """Insert or update the rows by `abtrac_id`; those that say nothing new are not touched."""
    known = {one.abtrac_id: one for one in found(model, (row["abtrac_id"] for row in rows))}
    created = [row for row in rows if row["abtrac_id"] not in known]
    changed = [
        row for row in rows if row["abtrac_id"] in known and differs(known[row["abtrac_id"]], row)
    ]
    write(model, [model(**row) for row in (*created, *changed)], rows[0].keys() if rows else ())
    result = Put(created=_ids(created), changed=_ids(changed), unchanged=set())
    return Put(
        created=result.created,
        changed=result.changed,
        unchanged=_ids(rows) - result.created - result.changed,
    )


def write(model: type[M], rows: Sequence[M], fields: Collection[str]) -> list[M]:
    """Insert the rows, or update these fields of those that are there; they then have their key."""
    return model.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["practice", "abtrac_id"],
        update_fields=[name for name in fields if name != "abtrac_id"],
    )


def found(model: type[M], abtrac_ids: Iterable[str]) -> Iterator[Any]:
    """The stored rows of those ids."""
    for chunk in _chunks(abtrac_ids):
        yield from model.objects.filter(abtrac_id__in=chunk)


def ids_of(model: type[M], abtrac_ids: Iterable[str]) -> dict[str, int]:
    """Our ids by Abtrac's, of those that exist."""
    ids: dict[str, int] = {}
    for chunk in _chunks(abtrac_ids):
        ids.update(model.objects.filter(abtrac_id__in=chunk).values_list("abtrac_id", "pk"))
    return ids


def differs(stored: Any, row: Mapping[str, Any]) -> bool:
    """Whether the row says anything that is not stored."""
    return any(getattr(stored, name) != value for name, value in row.items())


def unknown(
    given: Iterable[Given], field: str, known: Collection[str], *, what: str = ""
) -> Iterator[Problem]:
    """One problem for each row that names something there is not."""
    for one in given:
        name = one.names(field)
        if name and name not in known:
            yield missing(f"{one.path}.{field}", name, what or field)


def missing(path: str, name: str, what: str) -> Problem:
    """What is named was never sent."""
    return Problem(
        path=path,
        code=f"unknown_{what}",
        message=f"There is no {what.replace('_', ' ')} with the ID “{printable(name)}”."
        " Send it first.",
    )


def refuse(problems: Sequence[Problem], *, code: int | None = None) -> None:
    """Raise Problems if there are any."""
    if problems:
        raise Problems(problems, code=code)


def whole(given: Given) -> dict[str, Any]:
    """The row's values, to be taken apart."""
    assert given.values is not None  # noqa: S101 - rows with problems are refused before
    return dict(given.values)


def _use_settings(wanted: Mapping[str, int]) -> set[str]:
    """Let each office use its setting; the ids of offices that used another one."""
    offices = ids_of(Office, wanted)
    before = dict(
        OfficeInvoicing.objects.filter(office__in=offices.values()).values_list(
            "office_id", "invoice_setting_id"
        )
    )
    moved = {one for one, pk in offices.items() if before.get(pk) != wanted[one]}
    OfficeInvoicing.objects.bulk_create(
        (
            OfficeInvoicing(office_id=offices[one], invoice_setting_id=wanted[one])
            for one in sorted(moved)
        ),
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["office"],
        update_fields=["invoice_setting"],
    )
    return moved


def _ids(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    return {row["abtrac_id"] for row in rows}


def _chunks(abtrac_ids: Iterable[str]) -> Iterator[list[str]]:
    wanted = sorted({one for one in abtrac_ids if one})
    for start in range(0, len(wanted), CHUNK):
        yield wanted[start : start + CHUNK]
