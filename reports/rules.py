"""The words of a report: what it can be grouped by, and which days a month has; pure."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Group(StrEnum):
    PROJECT = "project"
    USER = "user"
    WORK_ITEM = "workItem"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Month:
    year: int
    month: int

    @classmethod
    def of(cls, text: str) -> Self:
        """From YYYY-MM.

        Raises:
            ValueError: it is not a month.
        """
        first = dt.date.fromisoformat(f"{text}-01")
        if not 2000 <= first.year < 3000:  # noqa: PLR2004 - far from where date arithmetic ends
            raise ValueError("not a month anybody worked in")
        return cls(first.year, first.month)

    @property
    def key(self) -> int:
        return self.year * 100 + self.month

    @property
    def first(self) -> dt.date:
        return dt.date(self.year, self.month, 1)

    @property
    def last(self) -> dt.date:
        return (self.first + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
