"""The times and limits of clock offsets of the workers."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from tools.chaos.drain import CLOCK_ADVANCE_SECONDS
from tools.chaos.faults.catalog import CLOCK_FAULT, MAX_CLOCK_OFFSET
from tools.chaos.faults.driver import Injection


ROUNDING: Final = dt.timedelta(milliseconds=2)  # times are cut to the millisecond
_FOREVER: Final = dt.datetime.max.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """The largest offset of any worker's clock between two times of the machine's clock."""

    began_at: dt.datetime
    ended_at: dt.datetime
    limit: dt.timedelta


@dataclass(frozen=True, slots=True)
class ClockOffsets:
    offsets: tuple[ClockOffset, ...] = ()

    @classmethod
    def of(cls, injections: Iterable[Injection], *, drained_from: dt.datetime) -> Self:
        """The offsets of the faults, and of the drain after them."""
        shifted = [
            ClockOffset(each.began_at, each.ended_at, dt.timedelta(seconds=MAX_CLOCK_OFFSET))
            for each in injections
            if each.kind == CLOCK_FAULT
        ]
        return cls((*shifted, ClockOffset(drained_from, _FOREVER, dt.timedelta(seconds=CLOCK_ADVANCE_SECONDS))))

    def max_offset(self, began_at: dt.datetime, ended_at: dt.datetime) -> dt.timedelta:
        """The largest possible offset between two times of the machine."""
        overlapping = (
            each.limit
            for each in self.offsets
            if each.began_at <= ended_at + ROUNDING and began_at - ROUNDING <= each.ended_at
        )
        return max(overlapping, default=dt.timedelta()) + ROUNDING

    def possible_times(self, began_at: dt.datetime, ended_at: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        """The first and last time that a worker can have read between two times of the machine."""
        max_offset = self.max_offset(began_at, ended_at)
        return began_at - max_offset, ended_at + max_offset
