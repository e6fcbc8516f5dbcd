"""Fault injection: each endpoint of an emulator can fail on request, and counts its requests."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from devcloud.emulators.server import SendRate


LONGEST_HANG_SECONDS: Final = 300.0
Seconds = Annotated[float, Field(ge=0, le=60)]
Name = TypeVar("Name", bound=str)


class Fault(BaseModel):
    """A fault of an endpoint; `times` limits it to the next requests.

    Without status and body, the work is done after the wait. `headers` alone are added to its response.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    delay: Seconds = 0
    hang: bool = False
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: str | None = None
    repeat: Annotated[int, Field(ge=1, le=100_000_000)] = 1  # repetitions of the body
    headers: dict[str, str] = {}
    times: Annotated[int, Field(ge=1)] | None = None
    cut: bool = False  # closes the connection instead of responding
    lost_answer: bool = False  # does the work, then closes the connection or sends the fault's response
    late_landing: Seconds | None = None  # likewise, with the work done so many seconds later
    drip: Annotated[float, Field(ge=0, le=10)] | None = None  # seconds between the bytes of the response body
    drip_head: bool = False  # also between the bytes of status line and headers

    @property
    def response(self) -> Response | None:
        if self.status is None and self.body is None:
            return None
        headers = Headers({"Content-Type": "text/html; charset=utf-8"})
        headers.update(self.headers)
        return Response((self.body or "") * self.repeat, self.status or 200, headers)


class Faults:
    """The active faults and the numbers of requests, per endpoint."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}
        self._hits: Counter[str] = Counter()
        self._released = threading.Event()
        self._late_threads: list[threading.Thread] = []

    def set(self, faults: Mapping[Name, Fault]) -> None:
        with self._lock:
            for endpoint, fault in faults.items():
                self._faults[endpoint] = fault

    def clear(self) -> None:
        """Ends every fault; waiting requests continue, and late work is done."""
        with self._lock:
            self._faults.clear()
            self._release()
            late_threads, self._late_threads = self._late_threads, []
        for each in late_threads:
            each.join()

    def release(self) -> None:
        """Lets waiting requests continue; the faults stay."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        self._released.set()
        self._released = threading.Event()

    def hits(self) -> dict[str, int]:
        with self._lock:
            return dict(self._hits)

    def apply(self, endpoint: str) -> Response | None:
        """Counts the request, waits if the fault says so, and returns the fault's response, if any.

        For emulators without faults that involve the work; those are in `wrap`.
        """
        fault, _ = self._apply_wait(endpoint)
        return None if fault is None else fault.response

    def wrap(self, endpoint: str, pace: SendRate, work: Callable[[], Response]) -> Response:
        """The response of the work, changed by a fault.

        Raises:
            ConnectionAbortedError: the connection must be closed without a response.
        """
        fault, released = self._apply_wait(endpoint)
        if fault is None:
            return work()
        if fault.drip is not None:
            pace.seconds, pace.with_head, pace.released = fault.drip, fault.drip_head, released
        if fault.late_landing is not None:
            self._run_later(work, fault.late_landing, released)
        elif fault.lost_answer:
            work()
        elif not fault.cut and fault.response is None:
            response = work()
            response.headers.update(fault.headers)
            return response
        if fault.response is None:
            raise ConnectionAbortedError
        return fault.response

    def _apply_wait(self, endpoint: str) -> tuple[Fault | None, threading.Event]:
        with self._lock:
            self._hits[endpoint] += 1
            fault, released = self._take_fault(endpoint), self._released
        if fault is not None and (fault.hang or fault.delay):
            released.wait(LONGEST_HANG_SECONDS if fault.hang else fault.delay)
        return fault, released

    def _run_later(self, work: Callable[[], Response], seconds: float, released: threading.Event) -> None:
        def run_work() -> None:
            released.wait(seconds)
            work()

        thread = threading.Thread(target=run_work, name="late-landing", daemon=True)
        with self._lock:
            self._late_threads = [each for each in self._late_threads if each.is_alive()]
            self._late_threads.append(thread)
        thread.start()

    def _take_fault(self, endpoint: str) -> Fault | None:
        fault = self._faults.get(endpoint)
        if fault is not None and fault.times is not None:
            if fault.times == 1:
                del self._faults[endpoint]
            else:
                self._faults[endpoint] = fault.model_copy(update={"times": fault.times - 1})
        return fault
