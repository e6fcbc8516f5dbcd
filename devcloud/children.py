"""Processes the local cloud starts: each in its own group, its words kept, ended with all it started."""

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


class ChildDied(Exception):
    """A process ended on its own; the text says which one and what it said last."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Spec:
    """What to start, and the address that answers 200 once it is up."""

    name: str
    arguments: Sequence[str]
    ready_url: str


class Child:
    """One running process. Until it is released its lines are kept back, then they are shown as they come."""

    def __init__(self, spec: Spec, process: asyncio.subprocess.Process, show: Callable[[str], None]) -> None:
        self.spec = spec
        self._process = process
        self._show = show
        self._held: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
        self._released = False
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(cls, spec: Spec, environment: Mapping[str, str], show: Callable[[str], None]) -> "Child":
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

    async def until_ready(self) -> None:
        """Waits until the child answers.

        Raises:
            ChildDied: it ended instead, or never answered.
        """
        deadline = time.monotonic() + START_SECONDS
        while not await asyncio.to_thread(_answers, self.spec.ready_url):
            if self._process.returncode is not None:
                raise await self.death()
            if time.monotonic() > deadline:
                raise ChildDied(f"{self.spec.name} did not answer on {self.spec.ready_url}: {self.last_words}")
            await asyncio.sleep(0.03)

    async def death(self) -> ChildDied:
        """Waits for the end of the process and tells it."""
        code = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._reading), 1)
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        return ChildDied(f"{self.spec.name} stopped ({how}): {self.last_words}", code)

    @property
    def last_words(self) -> str:
        return "\n".join(self._held) or "no output"

    def release(self) -> None:
        """Shows what was kept back, and from now on each line at once."""
        self._released = True
        for line in self._held:
            self._show(f"{self.spec.name} | {line}")

    async def stop(self) -> None:
        """Asks the whole group to end, and ends it when the grace is over."""
        _signal(self._process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), GRACE_SECONDS)
        except TimeoutError:
            pass
        finally:
            _signal(self._process.pid, signal.SIGKILL)  # also what the process started and left behind
        await self._process.wait()
        self._reading.cancel()

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        while raw := await self._process.stdout.readline():
            line = raw.decode(errors="replace").rstrip()
            self._held.append(line)
            if self._released:
                self._show(f"{self.spec.name} | {line}")


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _answers(url: str) -> bool:
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=5)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().status == 200  # noqa: PLR2004 - HTTP's own word for fine
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
