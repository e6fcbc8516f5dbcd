"""What is remembered of types of work items for a day: which have no Completed Work, and which states are closed."""

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar


T = TypeVar("T")
Type = tuple[str, str, str]  # organization in lower case, project and type
_DAY_SECONDS: Final = 24 * 3600
_MOST: Final = 10_000


class Remembered(Generic[T]):
    """One value for each type, forgotten after a day, or when there are too many. For one process."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: dict[Type, tuple[float, T]] = {}

    def of(self, kind: Type) -> T | None:
        with self._lock:
            until, value = self._kept.get(kind, (0.0, None))
            return value if until > self._monotonic() else None

    def keep(self, kind: Type, value: T) -> None:
        with self._lock:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            self._kept[kind] = (self._monotonic() + _DAY_SECONDS, value)
