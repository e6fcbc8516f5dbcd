"""Hosts that die at a chosen point of a request, and what is sent to them."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import urllib3

from tests.faults.children import Child, child
from tests.support.world import Answer, Http, Person


AFTER_COMMIT = 0


@dataclass(frozen=True)
class Crashing:
    """Starts hosts that die at a chosen point, and sends them one request."""

    child: Child

    def send(self, point: int, person: Person, request: Callable[[Person], Answer]) -> Answer | None:
        """The answer of a host that dies at this point; None when it died first."""
        with self.host(point) as base, urllib3.PoolManager() as pool:
            try:
                return request(replace(person, http=Http(base, pool)))
            except urllib3.exceptions.ProtocolError:
                return None

    @contextmanager
    def host(self, point: int) -> Iterator[str]:
        """The address of a host that dies at this point, at the latest when the block ends."""
        self.child.tell(point)
        pid = int(self._told("started "))
        try:
            yield self._told("host ready on ")
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has died already
                os.kill(pid, signal.SIGKILL)
            assert self._told("ended ") == str(-signal.SIGKILL)

    def _told(self, what: str) -> str:
        line = self.child.told()
        assert line.startswith(what), line
        return line.removeprefix(what)


@contextmanager
def crashing_hosts(log: Path, settings: Mapping[str, str]) -> Iterator[Crashing]:
    with child(log, settings, "tests.faults.crashing_host") as started:
        yield Crashing(started)
