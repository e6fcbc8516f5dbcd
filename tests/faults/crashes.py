"""Starts hosts that crash at a chosen point of a request, and sends them requests."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import urllib3

from tests.faults.children import Child, start_child
from tests.support.world import Answer, Http, Person


AFTER_COMMIT = 0


@dataclass(frozen=True)
class CrashingHosts:
    """Starts hosts that crash at a chosen point, each for one request."""

    child: Child

    def send(self, point: int, person: Person, request: Callable[[Person], Answer]) -> Answer | None:
        """The response of a host that crashes at this point; None if it crashed first."""
        with self.host(point) as base, urllib3.PoolManager() as pool:
            try:
                return request(replace(person, http=Http(base, pool)))
            except urllib3.exceptions.ProtocolError:
                return None

    @contextmanager
    def host(self, point: int) -> Iterator[str]:
        """The address of a host that crashes at this point, at the latest at the end of the context."""
        self.child.send(point)
        pid = int(self._receive("started "))
        try:
            yield self._receive("host ready on ")
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has crashed already
                os.kill(pid, signal.SIGKILL)
            assert self._receive("ended ") == str(-signal.SIGKILL)

    def _receive(self, what: str) -> str:
        line = self.child.receive()
        assert line.startswith(what), line
        return line.removeprefix(what)


@contextmanager
def start_crashing_hosts(log: Path, settings: Mapping[str, str]) -> Iterator[CrashingHosts]:
    with start_child(log, settings, "tests.faults.crashing_host") as started:
        yield CrashingHosts(started)
