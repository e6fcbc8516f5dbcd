"""Whether the database answers, asked no more often than every few seconds, however often somebody wants to know."""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar


KEPT_SECONDS: Final = 5.0
T = TypeVar("T")


class Liveness(Generic[T]):
    """Of one process; threads may share it. That it failed is not kept, so a recovery shows at once."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._lock = now, threading.Lock()
        self._answer: tuple[float, T] | None = None

    def confirm(self, ask: Callable[[], T]) -> T:
        """The database's answer, which is asked for unless it has just come; raises what asking raises."""
        if (kept := self._kept()) is not None:
            return kept[1]
        with self._lock:
            if (kept := self._kept()) is None:
                kept = self._answer = (self._now(), ask())
            return kept[1]

    def _kept(self) -> tuple[float, T] | None:
        kept = self._answer
        return None if kept is None or self._now() - kept[0] >= KEPT_SECONDS else kept
