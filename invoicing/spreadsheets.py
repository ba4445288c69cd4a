"""Files of comma-separated values that people open in a spreadsheet, written row by row.

Files for accounting packages are written by `connectors.base` instead: they keep text as it is.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from django.http import StreamingHttpResponse

from interfaces.statements import guarded

Cell = str | int | Decimal | date | datetime | None


def answer(
    name: str, heading: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> StreamingHttpResponse:
    """The file as an answer that is sent while its rows are still being read.

    Rows are read after the view has ended: whoever makes them opens a scope of their own.
    """
    return StreamingHttpResponse(
        lines(heading, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def lines(heading: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The file line by line: text is never taken for a formula, numbers stay numbers.

    Moments are written as they are given, in the zone they are in. The file begins with the mark by
    which spreadsheets know that names are written in UTF-8.
    """
    write = csv.writer(_Echo()).writerow
    yield "\ufeff" + write(heading)
    for row in rows:
        yield write([_written(cell) for cell in row])


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M:%S}"
    if isinstance(cell, str):
        return guarded(cell)
    return str(cell)


class _Echo:
    """A file that hands back each line written to it."""

    def write(self, line: str) -> str:
        return line
