"""One piece of business with the Marketplace: how long it may take in all, and the id that its calls share."""

import time
import uuid
from dataclasses import dataclass

from shared import clock


@dataclass(frozen=True, slots=True)
class Flow:
    """Made where a request or a job begins, and passed to each of its calls; `ends_at` is a monotonic second."""

    ends_at: float
    correlation_id: uuid.UUID

    def left(self) -> float:
        """Seconds; negative when the time is over."""
        return self.ends_at - time.monotonic()


def within(seconds: float, correlation_id: uuid.UUID | None = None) -> Flow:
    return Flow(time.monotonic() + seconds, correlation_id or clock.new_id())
