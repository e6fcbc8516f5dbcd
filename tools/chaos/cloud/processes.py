"""The processes of a run: workers that are killed and come back on their port, and lines that can be cut."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

from devcloud.ports import LOOPBACK, bound
from tools.chaos.cloud import worker


READY = "host ready on "
_STOP_SECONDS = 15


class NotStarted(Exception):
    """A process of the run ended before it was ready; the text says which one."""


def free_port() -> int:
    with bound(0) as probe:
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Worker:
    """One worker of the product; `folder` keeps its log and its clock."""

    name: str
    folder: Path
    environment: Mapping[str, str]
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[str] | None = None

    @property
    def base(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @cached_property
    def clocks(self) -> worker.ClockFile:
        """Also of whoever is started in its place."""
        return worker.ClockFile(self._clock)

    @property
    def _clock(self) -> Path:
        return self.folder / f"{self.name}.clock"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Raises NotStarted when it does not get ready."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = _python(
                "tools.chaos.cloud.worker", str(self.port), str(self._clock), environment=self.environment, stderr=log
            )

    def wait(self) -> None:
        """As `start`, for one that was launched."""
        assert self._process is not None  # noqa: S101 - a slip of ours
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        if not self._process.stdout.readline().startswith(READY):
            raise NotStarted(f"{self.name} ended with exit code {self._process.wait()}; see its log in {self.folder}")

    def kill(self) -> bool:
        """Ends it by SIGKILL, in the middle of whatever it does; False where there was nobody to end."""
        if self._process is None:
            return False
        was_alive = self._process.poll() is None
        self._process.kill()
        _close(self._process)
        return was_alive

    def stop(self) -> None:
        """Asks it to end; ends it when it does not."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            self.kill()


class Line:
    """A running line to one or more ports of loopback."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._told())

    def order(self, mode: str, number: float | None = None) -> int:
        """As tools.chaos.cloud.tcp_proxy says; it holds when this returns what was met."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.write(f"{mode} {'' if number is None else number}\n")
        self._process.stdin.flush()
        return int(self._told().split()[1])

    def _told(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        line = self._process.stdout.readline()
        if not line:
            raise NotStarted(f"a line ended with exit code {self._process.wait()}")
        return line


@contextlib.contextmanager
def line(log: Path, *targets: int) -> Iterator[Line]:
    """A line for as long as the context lasts.

    Raises:
        NotStarted: it does not get ready.
    """
    with log.open("ab") as stderr:
        process = _python("tools.chaos.cloud.tcp_proxy", *map(str, targets), environment={}, stderr=stderr)
    try:
        yield Line(process)
    finally:
        process.kill()
        _close(process)


@contextlib.contextmanager
def workers(folder: Path, environment: Mapping[str, str], count: int) -> Iterator[list[Worker]]:
    """So many workers on ports of their own, stopped at the end.

    Raises:
        NotStarted: one does not get ready.
    """
    made = [Worker(f"worker-{number}", folder, environment) for number in range(1, count + 1)]
    try:
        start_all(made)
        yield made
    finally:
        for each in made:
            each.stop()


def start_all(made: Sequence[Worker]) -> None:
    """All at once, which takes as long as one.

    Raises:
        NotStarted: one does not get ready.
    """
    for each in made:
        each.launch()
    for each in made:
        each.wait()


def answered(base: str, seconds: float) -> bool:
    """Whether a worker is well within so many seconds."""
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - only who waits needs it

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection = HTTPConnection(base.removeprefix("http://"), timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
            connection.request("GET", "/api/health")
            if connection.getresponse().status == 200:  # noqa: PLR2004 - HTTP's own word for fine
                return True
        time.sleep(0.1)
    return False


def _python(module: str, *arguments: str, environment: Mapping[str, str], stderr: IO[bytes]) -> subprocess.Popen[str]:
    """In a process group of its own: Ctrl-C is for the run, which ends its processes in order."""
    return subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, "-m", module, *arguments],
        cwd=worker.PROJECT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )


def _close(process: subprocess.Popen[str]) -> None:
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
