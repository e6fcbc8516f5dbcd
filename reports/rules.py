"""Groups and spans of days of reports; pure."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from shared.calendar import Month


MOST_DAYS: Final = 366
DAYS_OF_A_WEEK: Final = 7
_DAY: Final = dt.timedelta(days=1)
_DATE: Final = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_WEEK: Final = re.compile(r"\A([0-9]{4})-W([0-9]{2})\Z")


class Group(StrEnum):
    PROJECT = "project"
    USER = "user"
    WORK_ITEM = "workItem"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Span:
    """The days of a report, `first` and `last` included; `name` is used in file names."""

    first: dt.date
    last: dt.date
    name: str

    @classmethod
    def month(cls, text: str) -> Self:
        """A month, written YYYY-MM.

        Raises:
            ValueError: the text is no month.
        """
        month = Month.of_day(parse_day(f"{text}-01"))
        return cls(month.first_day, _last_day(month), text)

    @classmethod
    def week(cls, text: str) -> Self:
        """A week of ISO 8601, written YYYY-Www.

        Raises:
            ValueError: the text is no week, or the year has no such week.
        """
        match = _WEEK.match(text)
        if match is None:
            raise ValueError("not a week")
        first = dt.date.fromisocalendar(int(match[1]), int(match[2]), 1)
        return cls(parse_day(first.isoformat()), first + (DAYS_OF_A_WEEK - 1) * _DAY, text)

    @classmethod
    def seven_days(cls, first: dt.date) -> Self:
        """Seven days from any weekday; from a Monday named as the week of ISO 8601."""
        year, week, weekday = first.isocalendar()
        last = first + (DAYS_OF_A_WEEK - 1) * _DAY
        return cls(first, last, f"{year}-W{week:02}" if weekday == 1 else f"{first}-to-{last}")

    @classmethod
    def days(cls, first: dt.date, last: dt.date) -> Self:
        return cls(first, last, f"{first}-to-{last}")

    @property
    def title(self) -> str:
        """The days for people: a month, a week of ISO 8601, or the first and the last day."""
        first_month = self.months[0]
        if self.first == first_month.first_day and self.last == _last_day(first_month):
            return first_month.name
        if self.is_iso_week:
            year, week, _ = self.first.isocalendar()
            return f"week {week} of {year}"
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"

    @property
    def is_in_one_month(self) -> bool:
        first, last = self.months
        return first == last

    @property
    def months(self) -> tuple[Month, Month]:
        """The months of the first and the last day."""
        return Month.of_day(self.first), Month.of_day(self.last)

    @property
    def is_iso_week(self) -> bool:
        return self.first.isocalendar().weekday == 1 and self.last - self.first == (DAYS_OF_A_WEEK - 1) * _DAY

    def __iter__(self) -> Iterator[dt.date]:
        return (self.first + number * _DAY for number in range((self.last - self.first).days + 1))


def parse_day(text: str) -> dt.date:
    """A day, written YYYY-MM-DD.

    Raises:
        ValueError: the text is no day, or the year is not from 2000 to 2999.
    """
    if not _DATE.match(text):
        raise ValueError("not a date")
    day = dt.date.fromisoformat(text)
    if not 2000 <= day.year < 3000:  # noqa: PLR2004 - far from where date arithmetic ends
        raise ValueError("the year is not from 2000 to 2999")
    return day


def _last_day(month: Month) -> dt.date:
    return month.next.first_day - _DAY
