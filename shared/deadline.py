"""Time limits: one deadline for all waiting in an operation, and threads that nobody waits for beyond it."""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from shared import clock


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of all waiting in an operation; `ends_at` is a monotonic time in seconds.

    The calls of an operation have one correlation id, which the Marketplace and its support ask for.
    """

    ends_at: float
    correlation_id: uuid.UUID = field(default_factory=clock.new_id)

    @classmethod
    def after(cls, seconds: float) -> Self:
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """The remaining seconds, never negative."""
        return max(0.0, self.ends_at - time.monotonic())

    def at_most(self, seconds: float) -> Self:
        """The deadline of one step: this one, or the given seconds from now if that is earlier."""
        return replace(self, ends_at=min(self.ends_at, time.monotonic() + seconds))


class DeadlinePassed(Exception):
    """The call has not finished in time. The server may have processed it if it was `started`."""

    def __init__(self, *, started: bool) -> None:
        super().__init__()
        self.started = started


class AbandonableThreads:
    """Runs each call on a daemon thread, which is left alone when the deadline passes.

    Socket timeouts are not enough: a name look-up may hang, and a slow peer may send byte by byte.
    """

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._free = threading.BoundedSemaphore(count)

    def run(self, call: Callable[[], T], deadline: Deadline) -> T:
        """The result of the call, or its exception.

        Raises:
            DeadlinePassed: it has not finished, or no thread was free.
        """
        if not self._free.acquire(timeout=deadline.left):
            raise DeadlinePassed(started=False)
        future: Future[T] = Future()
        try:
            threading.Thread(target=self._run, args=(call, future), name=self._name, daemon=True).start()
        except RuntimeError:  # the system has no thread
            self._free.release()
            raise DeadlinePassed(started=False) from None
        if wait((future,), deadline.left).not_done:
            raise DeadlinePassed(started=True)
        return future.result()

    def _run(self, call: Callable[[], T], future: "Future[T]") -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            future.set_exception(error)
        finally:
            self._free.release()
