"""Caches the health check of the database for a few seconds."""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar


CACHE_SECONDS: Final = 5.0
T = TypeVar("T")


class Liveness(Generic[T]):
    """One result for a process, shared by its threads. Failures are not cached, so a recovery shows at once."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._lock = now, threading.Lock()
        self._result: tuple[float, T] | None = None

    def check(self, query: Callable[[], T]) -> T:
        """The cached result, or else that of the query; raises the query's errors."""
        if (cached := self._cached()) is not None:
            return cached[1]
        with self._lock:
            if (cached := self._cached()) is None:
                cached = self._result = (self._now(), query())
            return cached[1]

    def _cached(self) -> tuple[float, T] | None:
        result = self._result
        return None if result is None or self._now() - result[0] >= CACHE_SECONDS else result
