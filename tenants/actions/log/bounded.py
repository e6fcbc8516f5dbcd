"""Limits a remote action log to a few threads and two seconds, and pauses it after a failure."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Final

from tenants.actions.log.model import Action, ActionLog, AppendFailed, LogQuery


_WAIT_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 15.0
_THREADS: Final = 4


class BoundedActionLog:
    """An outage of the log delays one request per pause by two seconds, and no others.

    `make` also runs in such a thread, since importing a client takes time. Time limits of sockets are not enough: the
    look-up of a name or a request for a token may take longer.
    """

    def __init__(
        self,
        make: Callable[[], ActionLog],
        *,
        wait: float = _WAIT_SECONDS,
        pause: float = _PAUSE_SECONDS,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._wait, self._pause, self._seconds = make, wait, pause, seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="action-log")
        self._lock = threading.Lock()
        self._paused_until: float | None = None

    def append(self, actions: Sequence[Action]) -> None:
        if not self._may_try():
            raise AppendFailed(len(actions), "paused")
        future = self._threads.submit(self._append, actions)
        future.add_done_callback(self._end_or_begin_pause)
        try:
            future.result(self._wait)
        except TimeoutError:
            future.cancel()
            self._begin_pause()
            raise AppendFailed(len(actions), "too_slow") from None

    def page(self, tenant_id: int, query: LogQuery) -> list[Action]:
        return self._log.page(tenant_id, query)

    def rewrite(self, tenant_id: int, page: Callable[[int, str], str]) -> int:
        """Without a time limit, for jobs."""
        return self._log.rewrite(tenant_id, page)

    def delete(self, tenant_id: int) -> int:
        """As `rewrite`."""
        return self._log.delete(tenant_id)

    @cached_property
    def _log(self) -> ActionLog:
        return self._make()

    def _append(self, actions: Sequence[Action]) -> None:
        self._log.append(actions)

    def _may_try(self) -> bool:
        """Whether there is no pause; after a pause one request tries, and the others wait for its result."""
        with self._lock:
            if self._paused_until is None:
                return True
            if self._seconds() < self._paused_until:
                return False
            self._paused_until = self._seconds() + self._pause
            return True

    def _begin_pause(self) -> None:
        with self._lock:
            self._paused_until = self._seconds() + self._pause

    def _end_or_begin_pause(self, future: Future[None]) -> None:
        """A success ends the pause, also after the time limit of its request: the first call is slow to connect."""
        if future.cancelled():
            return
        if future.exception() is not None:
            self._begin_pause()
            return
        with self._lock:
            self._paused_until = None
