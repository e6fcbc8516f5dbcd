"""One process's way to the store outside: within a time, and with what it has last heard there."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from shared.app import App
from shared.restore.model import NotReached


if TYPE_CHECKING:
    from shared.restore.outside import TablesOutside


T = TypeVar("T")
FRESH: Final = dt.timedelta(hours=1)  # for how long a process goes on by what it has heard
_JOB_SECONDS: Final = 30.0
_REQUEST_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 15.0
_THREADS: Final = 2


def of(app: App) -> "Watch":
    """The store is where the action log is; off where that is in SQL."""
    return app.once(_watch)


class Watch:
    """Without an endpoint there is no store, and nothing is noticed by itself."""

    def __init__(self, endpoint: str, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._endpoint, self._seconds = endpoint, seconds
        self._lock = threading.Lock()
        self._checked_at: dt.datetime | None = None
        self._paused_until = float("-inf")

    @property
    def is_on(self) -> bool:
        return bool(self._endpoint)

    def is_fresh(self, now: dt.datetime) -> bool:
        """Whether this process found its database not behind, less than an hour ago."""
        with self._lock:
            return self._checked_at is not None and now - self._checked_at < FRESH

    def note(self, now: dt.datetime) -> None:
        """The database was compared just now, and is not behind."""
        with self._lock:
            self._checked_at = now

    def ask(self, question: "Callable[[TablesOutside], T]") -> T:
        """For jobs and operators.

        Raises:
            NotReached: there is no answer.
        """
        return self._within(_JOB_SECONDS, question)

    def ask_at_once(self, question: "Callable[[TablesOutside], T]") -> T:
        """For requests: after a failure nobody waits again for a while.

        Raises:
            NotReached: there is no answer.
        """
        with self._lock:
            if self._seconds() < self._paused_until:
                raise NotReached
        try:
            return self._within(_REQUEST_SECONDS, question)
        except NotReached:
            with self._lock:
                self._paused_until = self._seconds() + _PAUSE_SECONDS
            raise

    def _within(self, seconds: float, question: "Callable[[TablesOutside], T]") -> T:
        """On a thread, since looking up a name or fetching a token may hang longer than limits of sockets say."""
        future = self._threads.submit(lambda: question(self._outside))
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise NotReached from None

    @cached_property
    def _outside(self) -> "TablesOutside":
        from shared.restore.outside import TablesOutside  # noqa: PLC0415 - a cold start does without it

        return TablesOutside(self._endpoint)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_THREADS, thread_name_prefix="restore-watch")


def _watch(app: App) -> Watch:
    return Watch(app.settings.action_log_table_endpoint)
