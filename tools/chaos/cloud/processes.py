"""The processes of a run: workers that restart on the same port, and TCP proxies."""

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

from devcloud.ports import LOOPBACK, listen
from tools.chaos.cloud import worker


READY = "host ready on "
_STOP_SECONDS = 15


class ProcessNotStarted(Exception):
    """A process of the run ended before it was ready; the message names it."""


def free_port() -> int:
    with listen(0) as probe:
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Worker:
    """One worker of the product; `folder` has its log and clock file."""

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
        """The clock file, which outlives a restart."""
        return worker.ClockFile(self._clock)

    @property
    def _clock(self) -> Path:
        return self.folder / f"{self.name}.clock"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Raises ProcessNotStarted if it does not get ready."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = _start_python(
                "tools.chaos.cloud.worker", str(self.port), str(self._clock), environment=self.environment, stderr=log
            )

    def wait(self) -> None:
        """Waits until a launched worker is ready; raises as `start`."""
        assert self._process is not None  # noqa: S101 - launched before
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        if not self._process.stdout.readline().startswith(READY):
            raise ProcessNotStarted(
                f"{self.name} ended with exit code {self._process.wait()}; see its log in {self.folder}"
            )

    def kill(self) -> bool:
        """Ends it by SIGKILL; False if it was not running."""
        if self._process is None:
            return False
        was_alive = self._process.poll() is None
        self._process.kill()
        _close(self._process)
        return was_alive

    def stop(self) -> None:
        """Ends it by SIGTERM, after a time by SIGKILL."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            self.kill()


class Proxy:
    """A running TCP proxy for one or more ports of loopback."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._read_line())

    def set_mode(self, mode: str, number: float | None = None) -> int:
        """Sets a mode of tools.chaos.cloud.tcp_proxy; returns the affected count of the mode before."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe
        self._process.stdin.write(f"{mode} {'' if number is None else number}\n")
        self._process.stdin.flush()
        return int(self._read_line().split()[1])

    def _read_line(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        line = self._process.stdout.readline()
        if not line:
            raise ProcessNotStarted(f"a proxy ended with exit code {self._process.wait()}")
        return line


@contextlib.contextmanager
def start_proxy(log: Path, *targets: int) -> Iterator[Proxy]:
    """A TCP proxy for the duration of the context.

    Raises:
        ProcessNotStarted: it does not get ready.
    """
    with log.open("ab") as stderr:
        process = _start_python("tools.chaos.cloud.tcp_proxy", *map(str, targets), environment={}, stderr=stderr)
    try:
        yield Proxy(process)
    finally:
        process.kill()
        _close(process)


@contextlib.contextmanager
def start_workers(folder: Path, environment: Mapping[str, str], count: int) -> Iterator[list[Worker]]:
    """Workers on separate ports, stopped at the end.

    Raises:
        ProcessNotStarted: one does not get ready.
    """
    workers = [Worker(f"worker-{number}", folder, environment) for number in range(1, count + 1)]
    try:
        start_all(workers)
        yield workers
    finally:
        for each in workers:
            each.stop()


def start_all(workers: Sequence[Worker]) -> None:
    """Starts all workers at the same time.

    Raises:
        ProcessNotStarted: one does not get ready.
    """
    for each in workers:
        each.launch()
    for each in workers:
        each.wait()


def is_healthy_within(base: str, seconds: float) -> bool:
    """Waits until a worker is healthy; False after so many seconds."""
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - needed here only

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection = HTTPConnection(base.removeprefix("http://"), timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
            connection.request("GET", "/api/health")
            if connection.getresponse().status == 200:  # noqa: PLR2004 - OK
                return True
        time.sleep(0.1)
    return False


def _start_python(
    module: str, *arguments: str, environment: Mapping[str, str], stderr: IO[bytes]
) -> subprocess.Popen[str]:
    """Starts a process in its own group, so that Ctrl-C reaches only the run."""
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
