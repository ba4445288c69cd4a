"""Calendar months, each known by its first day."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date


def first_day(year: int, month: int) -> date | None:
    """The month's first day; None where there is no such month."""
    try:
        return date(year, month, 1)
    except (OverflowError, ValueError):
        return None


def last_day(first: date) -> date:
    """The last day of the month of that day."""
    return first.replace(day=monthrange(first.year, first.month)[1])


def after(day: date) -> date:
    """The first day of the next month."""
    year, month = divmod(day.year * 12 + day.month, 12)
    return date(year, month + 1, 1)


def first_from(day: date) -> date | None:
    """The first day of the first month that begins on that day or later; None if none ever does."""
    if day.day == 1:
        return day
    year, month = divmod(day.year * 12 + day.month, 12)
    return first_day(year, month + 1)


def before(day: date) -> date:
    """The first day of the month before."""
    year, month = divmod(day.year * 12 + day.month - 2, 12)
    return date(year, month + 1, 1)


def back_from(day: date) -> Iterator[date]:
    """The first day of its month and of every month before, without end."""
    here = day.replace(day=1)
    while True:
        yield here
        here = before(here)
