"""The words of a report: what it can be grouped by, and which days it is about; pure."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self


MOST_DAYS: Final = 366
DAYS_OF_A_WEEK: Final = 7
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAY: Final = dt.timedelta(days=1)
_DATE: Final = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_MONTH: Final = re.compile(r"\A[0-9]{4}-[0-9]{2}\Z")
_WEEK: Final = re.compile(r"\A([0-9]{4})-W([0-9]{2})\Z")


class Group(StrEnum):
    PROJECT = "project"
    USER = "user"
    WORK_ITEM = "workItem"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Span:
    """The days that a report is about, both ends in it; `name` is theirs in the name of a file."""

    first: dt.date
    last: dt.date
    name: str

    @classmethod
    def month(cls, text: str) -> Self:
        """From YYYY-MM.

        Raises:
            ValueError: it is not a month.
        """
        if not _MONTH.match(text):
            raise ValueError("not a month")
        first = date(f"{text}-01")
        return cls(first, (first + 31 * _DAY).replace(day=1) - _DAY, text)

    @classmethod
    def week(cls, text: str) -> Self:
        """From YYYY-Www, a week of ISO 8601.

        Raises:
            ValueError: it is not a week, or the year has no such week.
        """
        found = _WEEK.match(text)
        if found is None:
            raise ValueError("not a week")
        first = dt.date.fromisocalendar(int(found[1]), int(found[2]), 1)
        return cls(date(first.isoformat()), first + (DAYS_OF_A_WEEK - 1) * _DAY, text)

    @classmethod
    def seven_days(cls, first: dt.date) -> Self:
        """Seven days from any weekday on; from a Monday on, the week of that name."""
        year, week, weekday = first.isocalendar()
        last = first + (DAYS_OF_A_WEEK - 1) * _DAY
        return cls(first, last, f"{year}-W{week:02}" if weekday == 1 else f"{first}-to-{last}")

    @classmethod
    def days(cls, first: dt.date, last: dt.date) -> Self:
        return cls(first, last, f"{first}-to-{last}")

    @property
    def title(self) -> str:
        """Its days in words: a month, a week of ISO 8601, or the first and the last one."""
        if self.first.day == 1 and self.last == (self.first + 31 * _DAY).replace(day=1) - _DAY:
            return f"{_MONTHS[self.first.month - 1]} {self.first.year}"
        if self.is_iso_week:
            year, week, _ = self.first.isocalendar()
            return f"week {week} of {year}"
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"

    @property
    def is_in_one_month(self) -> bool:
        return _key(self.first) == _key(self.last)

    @property
    def month_keys(self) -> tuple[int, int]:
        """The first and the last month of it, as yyyymm."""
        return _key(self.first), _key(self.last)

    @property
    def is_iso_week(self) -> bool:
        return self.first.isocalendar().weekday == 1 and self.last - self.first == (DAYS_OF_A_WEEK - 1) * _DAY

    def __iter__(self) -> Iterator[dt.date]:
        return (self.first + number * _DAY for number in range((self.last - self.first).days + 1))


def date(text: str) -> dt.date:
    """From YYYY-MM-DD.

    Raises:
        ValueError: it is not a day, or one far from when anybody worked.
    """
    if not _DATE.match(text):
        raise ValueError("not a date")
    found = dt.date.fromisoformat(text)
    if not 2000 <= found.year < 3000:  # noqa: PLR2004 - far from where date arithmetic ends
        raise ValueError("not a day anybody worked on")
    return found


def _key(day: dt.date) -> int:
    return day.year * 100 + day.month
