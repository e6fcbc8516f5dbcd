"""Hosts that die at a chosen point of a request, and what is sent to them."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import requests

from tests.devcloud import processes
from tests.support.logs import follow
from tests.support.world import Answer, Http, Person


AFTER_COMMIT = 0


@dataclass(frozen=True)
class Crashing:
    """Starts hosts that die at a chosen point, and sends them one request."""

    process: subprocess.Popen[str]

    def send(self, point: int, person: Person, request: Callable[[Person], Answer]) -> Answer | None:
        """The answer of a host that dies at this point; None when it died first."""
        with self.host(point) as base, requests.Session() as session:
            try:
                return request(replace(person, http=Http(base, session)))
            except requests.ConnectionError:
                return None

    @contextmanager
    def host(self, point: int) -> Iterator[str]:
        """The address of a host that dies at this point, at the latest when the block ends."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{point}\n")
        self.process.stdin.flush()
        pid = int(self._told("started "))
        try:
            yield self._told("host ready on ")
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has died already
                os.kill(pid, signal.SIGKILL)
            assert self._told("ended ") == str(-signal.SIGKILL)

    def _told(self, what: str) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(what), line
        return line.removeprefix(what).strip()


@contextmanager
def crashing_hosts(log: Path, settings: Mapping[str, str]) -> Iterator[Crashing]:
    with (
        follow(log).open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.crashing_host"],
            cwd=processes.ROOT,
            env=processes.environment(**settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        yield Crashing(process)
        process.kill()
