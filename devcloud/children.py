"""Child processes of the local cloud: each in its own group, with its output, ended with its descendants."""

import asyncio
import collections
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


GRACE_SECONDS = 8.0
START_SECONDS = 60.0
LAST_LINES = 20


class ChildEnded(Exception):
    """A process ended on its own; the message has its name and last output."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A command, and the address that returns 200 when it is ready."""

    name: str
    arguments: Sequence[str]
    ready_url: str


class Child:
    """A running process; its output is held until `show_output`."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process, show: Callable[[str], None]) -> None:
        self.spec = spec
        self._process = process
        self._show = show
        self._held_lines: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
        self._shows_lines = False
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(cls, spec: ProcessSpec, environment: Mapping[str, str], show: Callable[[str], None]) -> "Child":
        process = await asyncio.create_subprocess_exec(
            *spec.arguments,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=1 << 20,
        )
        return cls(spec, process, show)

    async def wait_until_ready(self) -> None:
        """Waits until the child responds.

        Raises:
            ChildEnded: it ended or did not respond in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while not await asyncio.to_thread(_responds, self.spec.ready_url):
            if self._process.returncode is not None:
                raise await self.wait_for_end()
            if time.monotonic() > deadline:
                raise ChildEnded(f"{self.spec.name} did not answer on {self.spec.ready_url}: {self.last_output}")
            await asyncio.sleep(0.03)

    async def wait_for_end(self) -> ChildEnded:
        """Waits for the end of the process; returns the exception that describes it."""
        code = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._reading), 1)
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        return ChildEnded(f"{self.spec.name} stopped ({how}): {self.last_output}", code)

    @property
    def last_output(self) -> str:
        return "\n".join(self._held_lines) or "no output"

    def show_output(self) -> None:
        """Shows the held lines, and later lines at once."""
        self._shows_lines = True
        for line in self._held_lines:
            self._show(f"{self.spec.name} | {line}")

    async def stop(self) -> None:
        """Ends the whole group by SIGTERM, after a time by SIGKILL."""
        _signal(self._process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), GRACE_SECONDS)
        except TimeoutError:
            pass
        finally:
            _signal(self._process.pid, signal.SIGKILL)  # also descendants that are left
        await self._process.wait()
        self._reading.cancel()

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        while raw := await self._process.stdout.readline():
            line = raw.decode(errors="replace").rstrip()
            self._held_lines.append(line)
            if self._shows_lines:
                self._show(f"{self.spec.name} | {line}")


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _responds(url: str) -> bool:
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=5)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().status == 200  # noqa: PLR2004 - OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
