"""Calendar months and the first instant of a day, in the time zone of a tenant; pure."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final, Self
from zoneinfo import ZoneInfo


_MS: Final = dt.timedelta(milliseconds=1)
_DAY: Final = dt.timedelta(days=1)
_MONTH: Final = re.compile(r"\A(20[0-9]{2})-(0[1-9]|1[0-2])\Z", re.ASCII)
# Not from the locale, which is the machine's.
_NAMES: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month; `str` is YYYY-MM, as the API writes it, and `key` is yyyymm, as the database stores it."""

    year: int
    number: int  # 1 to 12

    @classmethod
    def of(cls, instant: dt.datetime, zone: dt.tzinfo) -> Self:
        """The month of an instant in a time zone."""
        return cls.of_day(instant.astimezone(zone))

    @classmethod
    def of_day(cls, day: dt.date) -> Self:
        return cls(day.year, day.month)

    @classmethod
    def from_key(cls, key: int) -> Self:
        return cls(*divmod(key, 100))

    @classmethod
    def parse(cls, text: object) -> Self:
        """A month from 2000-01 to 2099-12, written YYYY-MM.

        Raises:
            ValueError: it is written otherwise.
        """
        found = _MONTH.match(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError("must be a month like 2026-11")
        return cls(int(found[1]), int(found[2]))

    @property
    def key(self) -> int:
        return self.year * 100 + self.number

    @property
    def name(self) -> str:
        """In English, such as November 2026."""
        return f"{_NAMES[self.number - 1]} {self.year}"

    @property
    def first_day(self) -> dt.date:
        return dt.date(self.year, self.number, 1)

    @property
    def next(self) -> Self:
        return type(self)(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def previous(self) -> Self:
        return type(self).of_day(self.first_day - _DAY)

    def starts_at(self, zone: ZoneInfo) -> dt.datetime:
        """The first instant: its midnight, the first of two, or the change of the clocks over it."""
        return first_instant(self.first_day, zone)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


def day_text(day: dt.date) -> str:
    """A day as no two countries read it differently, such as 3 November 2026."""
    return f"{day.day} {Month.of_day(day).name}"


def first_instant(date: dt.date, zone: ZoneInfo) -> dt.datetime:
    """When a calendar day begins, in UTC. Its midnight may not exist: then it begins at the change of the clocks."""
    midnight = dt.datetime(date.year, date.month, date.day, tzinfo=zone)
    instant = midnight.astimezone(dt.UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    before, after = instant - _DAY, instant + _DAY
    while after - before > _MS:
        middle = before + (after - before) // _MS // 2 * _MS
        before, after = (before, middle) if middle.astimezone(zone).date() >= date else (middle, after)
    return after
