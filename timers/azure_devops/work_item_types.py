"""A cache of facts about types of work items, for a day: types without Completed Work, and closed states."""

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar


T = TypeVar("T")
TypeKey = tuple[str, str, str]  # organization in lower case, project and type
_DAY_SECONDS: Final = 24 * 3600
_MAX_TYPES: Final = 10_000


class WorkItemTypeCache(Generic[T]):
    """One value per type, for one process; expires after a day, and is emptied when it is full."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._values: dict[TypeKey, tuple[float, T]] = {}

    def get(self, key: TypeKey) -> T | None:
        with self._lock:
            until, value = self._values.get(key, (0.0, None))
            return value if until > self._monotonic() else None

    def put(self, key: TypeKey, value: T) -> None:
        with self._lock:
            if len(self._values) >= _MAX_TYPES:
                self._values.clear()
            self._values[key] = (self._monotonic() + _DAY_SECONDS, value)
