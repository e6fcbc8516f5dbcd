"""Trouble on demand: each endpoint can be told to fail, and counts how often it was asked."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from werkzeug.wrappers import Response


Endpoint = Literal["discovery", "keys", "authorize", "token"]
LONGEST_HANG_SECONDS: Final = 300.0


class Fault(BaseModel):
    """What an endpoint does instead of its work; `times` limits it to the next so many requests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delay: Annotated[float, Field(ge=0, le=60)] = 0
    hang: bool = False
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: str | None = None
    headers: dict[str, str] = {}
    times: Annotated[int, Field(ge=1)] | None = None


class Faults:
    """The faults in force and the counts of requests, per endpoint."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}
        self._hits: Counter[str] = Counter()
        self._released = threading.Event()

    def order(self, faults: Mapping[Endpoint, Fault]) -> None:
        with self._lock:
            for endpoint, fault in faults.items():
                self._faults[endpoint] = fault

    def clear(self) -> None:
        """Ends every fault; whoever hangs in one is answered normally."""
        with self._lock:
            self._faults.clear()
            self._released.set()
            self._released = threading.Event()

    def hits(self) -> dict[str, int]:
        with self._lock:
            return dict(self._hits)

    def meet(self, endpoint: str) -> Response | None:
        """Counts the request, waits as long as it was told to, and gives the broken answer if there is one."""
        with self._lock:
            self._hits[endpoint] += 1
            fault, released = self._take(endpoint), self._released
        if fault is None:
            return None
        if fault.hang or fault.delay:
            released.wait(LONGEST_HANG_SECONDS if fault.hang else fault.delay)
        if fault.status is None and fault.body is None:
            return None
        return Response(fault.body or "", fault.status or 200, fault.headers, content_type="text/html; charset=utf-8")

    def _take(self, endpoint: str) -> Fault | None:
        fault = self._faults.get(endpoint)
        if fault is not None and fault.times is not None:
            if fault.times == 1:
                del self._faults[endpoint]
            else:
                self._faults[endpoint] = fault.model_copy(update={"times": fault.times - 1})
        return fault
