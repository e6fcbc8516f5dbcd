"""When the workers' clocks can have been wrong, and how far: outside those times their instants are ours."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from tools.chaos.checks.drain import LATER_SECONDS
from tools.chaos.faults.catalogue import CLOCKS, MOST_OFF
from tools.chaos.faults.driver import Injection


ROUNDED: Final = dt.timedelta(milliseconds=2)  # every instant is cut to the millisecond
_FOREVER: Final = dt.datetime.max.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """Clocks were off by `most` at the most, between two instants of the laboratory's own clock."""

    began_at: dt.datetime
    ended_at: dt.datetime
    most: dt.timedelta


@dataclass(frozen=True, slots=True)
class Clocks:
    steps: tuple[Step, ...] = ()

    @classmethod
    def of(cls, injections: Iterable[Injection], *, settled_from: dt.datetime) -> Self:
        """As the driver has set them, and as they were set for the settling."""
        stepped = [
            Step(each.began_at, each.ended_at, dt.timedelta(seconds=MOST_OFF))
            for each in injections
            if each.kind == CLOCKS
        ]
        return cls((*stepped, Step(settled_from, _FOREVER, dt.timedelta(seconds=LATER_SECONDS))))

    def off(self, began_at: dt.datetime, ended_at: dt.datetime) -> dt.timedelta:
        """How far off whoever looked at a worker's clock between two of our instants can have been."""
        met = (
            each.most
            for each in self.steps
            if each.began_at <= ended_at + ROUNDED and began_at - ROUNDED <= each.ended_at
        )
        return max(met, default=dt.timedelta()) + ROUNDED

    def span(self, began_at: dt.datetime, ended_at: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        """The first and the last instant that a worker can have read between two of ours."""
        off = self.off(began_at, ended_at)
        return began_at - off, ended_at + off
