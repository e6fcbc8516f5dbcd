"""The query of a log: a page and a range of days."""

import datetime as dt
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator

from shared.calendar import first_instant
from shared.http.paging import PageQuery
from shared.http.wire import DateInput


_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From an instant until before another one; None is open."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None


UNBOUNDED: Final = Period()


def upper_bound(period: Period, after: dt.datetime | None) -> dt.datetime | None:
    """The end of the period; None where a page after this instant is before it anyway.

    With both conditions SQLite would prefer an index on times to one on people.
    """
    return None if after is not None and period.until is not None and after < period.until else period.until


class LogPageQuery(PageQuery):
    from_: DateInput | None = Field(None, alias="from", description="first day, in the tenant's time zone")
    to: DateInput | None = Field(None, description="last day")

    @field_validator("to", mode="after")
    @classmethod
    def _not_before_from(cls, to: dt.date | None, info: ValidationInfo) -> dt.date | None:
        first = info.data.get("from_")
        if first is not None and to is not None and to < first:
            raise ValueError("must not be before from")
        return to

    def period(self, zone: ZoneInfo) -> Period:
        """The days as instants, in the tenant's time zone."""
        return Period(
            since=None if self.from_ is None else first_instant(self.from_, zone),
            until=None if self.to is None else first_instant(self.to + _DAY, zone),
        )
