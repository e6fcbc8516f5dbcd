"""An action, its row key, which sorts the newest first, and the interface of action logs."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """At most `limit` actions after a row key, of one user and one type if they are given.

    `since` and `until` are bounds from `bound_key`; None is open.
    """

    limit: int
    user_id: int | None = None
    action_type: str | None = None
    after: str | None = None
    since: str | None = None
    until: str | None = None


class AppendFailed(Exception):
    """Some actions could not be written in time; the others are."""

    def __init__(self, count: int, reason: str) -> None:
        super().__init__(f"{count} actions were not written: {reason}")
        self.count = count
        self.reason = reason


class ActionLog(Protocol):
    def append(self, actions: Sequence[Action]) -> None:
        """Writes actions; an existing row with the same key stays as it is.

        Raises:
            AppendFailed: with the number of actions that were not written.
        """

    def page(self, tenant_id: int, query: LogQuery) -> list[Action]:
        """The actions that a query selects, newest first.

        Raises:
            Unavailable: the log cannot be read right now.
        """

    def rewrite(self, tenant_id: int, page: Callable[[int, str], str]) -> int:
        """Replaces the page of every action of a tenant by `page(user, page)`; returns the number of changes."""

    def delete(self, tenant_id: int) -> int:
        """Deletes every action of a tenant; returns their number."""


def row_key(happened_at: dt.datetime, *, user_id: int, tag: str, place: int = 0) -> str:
    """The key of an action: inverted time, user, and a tag that tells requests apart.

    `place` is the action's place in its request. It fills the digits below the milliseconds, so that actions of one
    request keep their order.
    """
    ticks = (happened_at - _YEAR_1) // _MICROSECOND * _TICKS + place
    return f"{LAST_TICK - ticks:019d}_{user_id}_{tag}"


def bound_key(instant: dt.datetime) -> str:
    """A text between the keys of actions from the instant on, which sort before it, and those of earlier ones."""
    return f"{LAST_TICK - (instant - _YEAR_1) // _MICROSECOND * _TICKS + 1:019d}"


def month_of(key: str) -> str:
    """The month, like 202611, of the action with this row key, in UTC."""
    ticks = LAST_TICK - int(key.partition("_")[0])
    return f"{_YEAR_1 + dt.timedelta(microseconds=ticks // _TICKS):%Y%m}"
