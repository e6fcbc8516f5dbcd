"""How long a transaction is tried again after a fault of the database: briefly for a request, longer for a job."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import sqlalchemy as sa

from shared.db.engine import passes, was_undone


FAULTS: Final = (sa.exc.DBAPIError, sa.exc.TimeoutError)
T = TypeVar("T")


def is_retryable(error: Exception) -> bool:
    """Whether the same transaction may well succeed when it is run again."""
    return passes(error) or (isinstance(error, sa.exc.DBAPIError) and was_undone(error))


@dataclass(slots=True)
class RetryPolicy:
    """The tries of one request or one run; `pauses` are seconds, each shortened by up to half so that nobody meets.

    The first try again comes at once: a connection that was kept may be stale, and the next one is not. After `seconds`
    since the last success only a lost race is run again, so that no worker thread is held by a database that is away;
    Azure SQL takes up to five seconds to find a deadlock, and then the way is free.
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
        """Whether to try again after this error, which it waits for first."""
        if self._used == len(self.pauses) or not is_retryable(error):
            return False
        if passes(error):
            pause = self.pauses[self._used] * random.uniform(0.5, 1)  # noqa: S311 - no secret
            if self.monotonic() - self._began + pause >= self.seconds:
                return False
            if pause:
                self.sleep(pause)
        self._used += 1
        return True

    def run(self, transaction: Callable[[], T]) -> T:
        """Calls what makes a whole transaction, and again as long as it is allowed; it must be idempotent."""
        while True:
            try:
                done = transaction()
            except FAULTS as error:
                if not self.allows(error):
                    raise
            else:
                self._used, self._began = 0, self.monotonic()
                return done


def for_requests() -> RetryPolicy:
    return RetryPolicy(pauses=(0, 0.1, 0.4), seconds=3)


def for_jobs() -> RetryPolicy:
    """Long enough for a serverless database to wake up or to fail over."""
    return RetryPolicy(pauses=(0, 1, 2, 4, 8, 15, 30), seconds=60)
