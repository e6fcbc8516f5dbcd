"""Trouble on demand: each endpoint of an emulator can be told to fail, and counts how often it was asked."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from devcloud.emulators.server import Pace


LONGEST_HANG_SECONDS: Final = 300.0
Seconds = Annotated[float, Field(ge=0, le=60)]
Name = TypeVar("Name", bound=str)


class Fault(BaseModel):
    """What an endpoint does instead of its work; `times` limits it to the next so many requests.

    Without a status and a body the work is done after the wait. `headers` alone are added to its answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    delay: Seconds = 0
    hang: bool = False
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: str | None = None
    repeat: Annotated[int, Field(ge=1, le=100_000_000)] = 1  # the body so many times
    headers: dict[str, str] = {}
    times: Annotated[int, Field(ge=1)] | None = None
    cut: bool = False  # the connection is closed instead of an answer
    lost_answer: bool = False  # the work is done, then the connection is closed or the trouble answered
    late_landing: Seconds | None = None  # likewise, and the work is done so many seconds later
    drip: Annotated[float, Field(ge=0, le=10)] | None = None  # seconds between the bytes of the answer's body
    drip_head: bool = False  # the status line and the headers drip as well

    @property
    def answer(self) -> Response | None:
        if self.status is None and self.body is None:
            return None
        headers = Headers({"Content-Type": "text/html; charset=utf-8"})
        headers.update(self.headers)
        return Response((self.body or "") * self.repeat, self.status or 200, headers)


class Faults:
    """The faults in force and the counts of requests, per endpoint."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}
        self._hits: Counter[str] = Counter()
        self._released = threading.Event()
        self._landing: list[threading.Thread] = []

    def order(self, faults: Mapping[Name, Fault]) -> None:
        with self._lock:
            for endpoint, fault in faults.items():
                self._faults[endpoint] = fault

    def clear(self) -> None:
        """Ends every fault: whoever hangs in one is answered normally, and what lands late has landed."""
        with self._lock:
            self._faults.clear()
            self._release()
            landing, self._landing = self._landing, []
        for each in landing:
            each.join()

    def release(self) -> None:
        """Whoever waits in a fault now goes on; the faults stay."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        self._released.set()
        self._released = threading.Event()

    def hits(self) -> dict[str, int]:
        with self._lock:
            return dict(self._hits)

    def meet(self, endpoint: str) -> Response | None:
        """Counts the request, waits as long as it was told to, and gives the broken answer if there is one.

        For a stand-in that answers or does not; the kinds of trouble that need the work are those of `around`.
        """
        fault, _ = self._wait(endpoint)
        return None if fault is None else fault.answer

    def around(self, endpoint: str, pace: Pace, work: Callable[[], Response]) -> Response:
        """The answer of the work, or what a fault makes of it.

        Raises:
            ConnectionAbortedError: the connection is to be closed without an answer.
        """
        fault, released = self._wait(endpoint)
        if fault is None:
            return work()
        if fault.drip is not None:
            pace.seconds, pace.with_head, pace.released = fault.drip, fault.drip_head, released
        if fault.late_landing is not None:
            self._land_later(work, fault.late_landing, released)
        elif fault.lost_answer:
            work()
        elif not fault.cut and fault.answer is None:
            response = work()
            response.headers.update(fault.headers)
            return response
        if fault.answer is None:
            raise ConnectionAbortedError
        return fault.answer

    def _wait(self, endpoint: str) -> tuple[Fault | None, threading.Event]:
        with self._lock:
            self._hits[endpoint] += 1
            fault, released = self._take(endpoint), self._released
        if fault is not None and (fault.hang or fault.delay):
            released.wait(LONGEST_HANG_SECONDS if fault.hang else fault.delay)
        return fault, released

    def _land_later(self, work: Callable[[], Response], seconds: float, released: threading.Event) -> None:
        def land() -> None:
            released.wait(seconds)
            work()

        thread = threading.Thread(target=land, name="late-landing", daemon=True)
        with self._lock:
            self._landing = [each for each in self._landing if each.is_alive()]
            self._landing.append(thread)
        thread.start()

    def _take(self, endpoint: str) -> Fault | None:
        fault = self._faults.get(endpoint)
        if fault is not None and fault.times is not None:
            if fault.times == 1:
                del self._faults[endpoint]
            else:
                self._faults[endpoint] = fault.model_copy(update={"times": fault.times - 1})
        return fault
