"""Calls of the mark table within a time limit, and the time of this process's last check."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from shared.app import App
from shared.deadline import AbandonableThreads, Deadline, DeadlinePassed
from shared.restore.model import MarkTableUnavailable


if TYPE_CHECKING:
    from shared.restore.mark_table import MarkTable


T = TypeVar("T")
FRESH: Final = dt.timedelta(hours=1)  # the validity of a check in one process
_JOB_SECONDS: Final = 30.0
_REQUEST_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 15.0
_THREADS: Final = 2


def of(app: App) -> "MarkClient":
    """The table is in the storage account of the action log; off if that log is in SQL."""
    return app.once(_build_client)


class MarkClient:
    """Without an endpoint there is no table, and a restore is not detected."""

    def __init__(self, endpoint: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._endpoint, self._monotonic = endpoint, monotonic
        self._lock = threading.Lock()
        self._threads = AbandonableThreads("mark-table", _THREADS)
        self._checked_at: dt.datetime | None = None
        self._paused_until = float("-inf")

    @property
    def is_on(self) -> bool:
        return bool(self._endpoint)

    def is_fresh(self, now: dt.datetime) -> bool:
        """Whether this process found its database up to date less than an hour ago."""
        with self._lock:
            return self._checked_at is not None and now - self._checked_at < FRESH

    def note_checked(self, now: dt.datetime) -> None:
        """Records that the database was compared with the stored mark, and is not behind."""
        with self._lock:
            self._checked_at = now

    def call(self, operation: "Callable[[MarkTable], T]") -> T:
        """For jobs and operators.

        Raises:
            MarkTableUnavailable: there is no response in time.
        """
        return self._call(_JOB_SECONDS, operation)

    def call_briefly(self, operation: "Callable[[MarkTable], T]") -> T:
        """For requests; after a failure no request waits again for a while.

        Raises:
            MarkTableUnavailable: there is no response in time.
        """
        with self._lock:
            if self._monotonic() < self._paused_until:
                raise MarkTableUnavailable
        try:
            return self._call(_REQUEST_SECONDS, operation)
        except MarkTableUnavailable:
            with self._lock:
                self._paused_until = self._monotonic() + _PAUSE_SECONDS
            raise

    def _call(self, seconds: float, operation: "Callable[[MarkTable], T]") -> T:
        try:
            return self._threads.run(lambda: operation(self._table), Deadline.after(seconds))
        except DeadlinePassed:
            raise MarkTableUnavailable from None

    @cached_property
    def _table(self) -> "MarkTable":
        from shared.restore.mark_table import MarkTable  # noqa: PLC0415 - a cold start does without it

        return MarkTable(self._endpoint)


def _build_client(app: App) -> MarkClient:
    return MarkClient(app.settings.action_log_table_endpoint)
