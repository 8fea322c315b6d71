"""Periods of reports: a year, a quarter, a month, or from one day to another; days are those of UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from core.errors import ValidationFailed

LONGEST: Final = timedelta(days=731)
_NAMED: Final = re.compile(r"(?P<year>20\d\d)(?:-(?:Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?")


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of one day to the beginning of another, which is not part of it."""

    first: date
    end: date

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """Return the first moment, and the first that is not part of it."""
        return _midnight(self.first), _midnight(self.end)

    def __str__(self) -> str:
        return f"{self.first}--{self.end - timedelta(days=1)}"


def read_period(text: str) -> Period:
    """Return the period that `2026`, `2026-Q3` or `2026-10` names; raises `ValidationFailed`."""
    found = _NAMED.fullmatch(text)
    if found is None:
        raise ValidationFailed.of("period", "invalid", "Give 2026-10, 2026-Q3, 2026, or {from, to}.")
    year, quarter, month = int(found["year"]), found["quarter"], found["month"]
    if quarter:
        return _months(year, 3 * int(quarter) - 2, 3)
    return _months(year, int(month), 1) if month else _months(year, 1, 12)


def period_between(first: date, end: date) -> Period:
    """Return the period from one day to the day before another; raises `ValidationFailed`."""
    if end <= first:
        raise ValidationFailed.of("period.to", "min_value", "The end comes after the beginning.")
    if end - first > LONGEST:
        raise ValidationFailed.of("period.to", "max_value", f"A report is over {LONGEST.days} days at most.")
    return Period(first, end)


def month_before(moment: datetime) -> str:
    """Return the name of the month before this moment."""
    return f"{moment.replace(day=1) - timedelta(days=1):%Y-%m}"


def _months(year: int, first: int, number: int) -> Period:
    past = first + number
    return Period(date(year, first, 1), date(year + (past > 12), past - 12 if past > 12 else past, 1))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
