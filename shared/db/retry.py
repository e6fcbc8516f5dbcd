"""Retries of a transaction after a transient database error: briefly for a request, longer for a job."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import sqlalchemy as sa

from shared.db.engine import is_transient, lost_race


FAULTS: Final = (sa.exc.DBAPIError, sa.exc.TimeoutError)
T = TypeVar("T")


def is_retryable(error: Exception) -> bool:
    """Whether the same transaction may succeed when it is repeated."""
    return is_transient(error) or (isinstance(error, sa.exc.DBAPIError) and lost_race(error))


@dataclass(slots=True)
class RetryPolicy:
    """The retries of one request or job run; `pauses` are seconds, each with jitter of up to half.

    The first retry is immediate, since a pooled connection may be stale. After `seconds` since the last success only a
    lost race is retried, so that an unavailable database blocks no worker thread. Azure SQL takes up to five seconds to
    find a deadlock; then the way is free.
    """

    pauses: Sequence[float]
    seconds: float
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _used: int = field(default=0, init=False)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.monotonic()

    def allows(self, error: Exception) -> bool:
        """Whether to retry after this error; waits for the pause first."""
        if self._used == len(self.pauses) or not is_retryable(error):
            return False
        if is_transient(error):
            pause = self.pauses[self._used] * random.uniform(0.5, 1)  # noqa: S311 - no secret
            if self.monotonic() - self._began + pause >= self.seconds:
                return False
            if pause:
                self.sleep(pause)
        self._used += 1
        return True

    def run(self, transaction: Callable[[], T]) -> T:
        """Runs a whole transaction, and repeats it as long as the policy allows; it must be idempotent."""
        while True:
            try:
                result = transaction()
            except FAULTS as error:
                if not self.allows(error):
                    raise
            else:
                self._used, self._began = 0, self.monotonic()
                return result


def for_requests() -> RetryPolicy:
    return RetryPolicy(pauses=(0, 0.1, 0.4), seconds=3)


def for_jobs() -> RetryPolicy:
    """Long enough for a serverless database to resume or fail over."""
    return RetryPolicy(pauses=(0, 1, 2, 4, 8, 15, 30), seconds=60)
