"""Whether the database answers, asked no more often than every few seconds, however often somebody wants to know."""

import threading
import time
from collections.abc import Callable
from typing import Final


KEPT_SECONDS: Final = 5.0


class Liveness:
    """Of one process; threads may share it. That it failed is not kept, so a recovery shows at once."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._lock = now, threading.Lock()
        self._answered_at: float | None = None

    def confirm(self, ask: Callable[[], None]) -> None:
        """Asks the database, unless it has just answered; raises what asking raises."""
        if self._is_fresh():
            return
        with self._lock:
            if not self._is_fresh():
                ask()
                self._answered_at = self._now()

    def _is_fresh(self) -> bool:
        return self._answered_at is not None and self._now() - self._answered_at < KEPT_SECONDS
