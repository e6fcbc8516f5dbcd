"""Holds a log that is kept elsewhere to a few threads and two seconds, and leaves it alone after a failure."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Final

from tenants.actions.log.model import Action, ActionLog, NotKept


_WAIT_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 15.0
_THREADS: Final = 4


class Bounded:
    """An outage of the log costs one request two seconds now and then, and the others nothing.

    `make` is called on such a thread, too: importing a client takes its time.

    The time limits of sockets would not do: looking up a name or fetching a token may hang longer than they say.
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
            raise NotKept(len(actions), "paused")
        future = self._threads.submit(self._append, actions)
        future.add_done_callback(self._note)
        try:
            future.result(self._wait)
        except TimeoutError:
            future.cancel()
            self._leave_alone()
            raise NotKept(len(actions), "too_slow") from None

    def page(self, tenant_id: int, *, user_id: int | None, after: str | None, most: int) -> list[Action]:
        return self._log.page(tenant_id, user_id=user_id, after=after, most=most)

    def rewrite(self, tenant_id: int, page: Callable[[int, str], str]) -> int:
        """For jobs: it takes the time it takes."""
        return self._log.rewrite(tenant_id, page)

    def forget(self, tenant_id: int) -> int:
        """As `rewrite`."""
        return self._log.forget(tenant_id)

    @cached_property
    def _log(self) -> ActionLog:
        return self._make()

    def _append(self, actions: Sequence[Action]) -> None:
        self._log.append(actions)

    def _may_try(self) -> bool:
        """Whether the log is believed to work; when a pause is over the first to come tries for all."""
        with self._lock:
            if self._paused_until is None:
                return True
            if self._seconds() < self._paused_until:
                return False
            self._paused_until = self._seconds() + self._pause
            return True

    def _leave_alone(self) -> None:
        with self._lock:
            self._paused_until = self._seconds() + self._pause

    def _note(self, done: Future[None]) -> None:
        """A success ends the pause, even one that came too late for its request: the first is slow to connect."""
        if done.cancelled():
            return
        if done.exception() is not None:
            self._leave_alone()
            return
        with self._lock:
            self._paused_until = None
