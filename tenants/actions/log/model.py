"""An action on record, the key that puts the newest first, and what every keeper of the log can do."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol


LAST_TICK: Final = 3_155_378_975_999_999_999  # 9999-12-31, in the 100 ns since the year 1 that Azure counts in
_YEAR_1: Final = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_TICKS: Final = 10  # in a microsecond


@dataclass(frozen=True, slots=True)
class Action:
    """`row_key` is unique in the tenant and sorts by time, the newest first."""

    tenant_id: int
    user_id: int
    row_key: str
    action_type: str
    page: str
    happened_at: dt.datetime


class NotKept(Exception):
    """Some actions could not be written, or not in time; the others are on record."""

    def __init__(self, count: int, reason: str) -> None:
        super().__init__(f"{count} actions were not kept: {reason}")
        self.count = count
        self.reason = reason


class ActionLog(Protocol):
    def append(self, actions: Sequence[Action]) -> None:
        """Puts actions on record; one whose key is there already stays as it is.

        Raises:
            NotKept: says how many could not be written.
        """

    def page(self, tenant_id: int, *, user_id: int | None, after: str | None, most: int) -> list[Action]:
        """At most `most` actions of one user, or of everyone, newest first, that follow the row key `after`.

        Raises:
            Unavailable: the log cannot be read right now.
        """

    def rewrite(self, tenant_id: int, page: Callable[[int, str], str]) -> int:
        """Gives every action of a tenant the page that `page` makes of its user and page; how many it changed."""

    def forget(self, tenant_id: int) -> int:
        """Removes every action of a tenant; how many."""


def row_key(happened_at: dt.datetime, *, user_id: int, tag: str, place: int = 0) -> str:
    """The key of an action: inverted time, user, and a tag that tells requests apart.

    `place` is the action's place in its request: instants are whole milliseconds, so there is room below them, and
    what was sent together keeps its order.
    """
    ticks = (happened_at - _YEAR_1) // _MICROSECOND * _TICKS + place
    return f"{LAST_TICK - ticks:019d}_{user_id}_{tag}"


def month_of(key: str) -> str:
    """The month, as 202611, in which the action with this row key happened, in UTC."""
    ticks = LAST_TICK - int(key.partition("_")[0])
    return f"{_YEAR_1 + dt.timedelta(microseconds=ticks // _TICKS):%Y%m}"
