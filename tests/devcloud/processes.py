"""Runs the local cloud's commands as real processes and talks to them over real sockets."""

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import pytest

from devcloud.commands import app
from tests.support import commands
from tests.support.commands import CommandResult
from tests.support.logs import follow


ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).parent / "sample_app"
NO_CHANGE: Mapping[str, str] = {}
STAND_INS = 3


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


@dataclass
class Host:
    port: int
    process: subprocess.Popen[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: object = None, headers: Mapping[str, str] = NO_CHANGE) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))  # type: ignore[arg-type]
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(request)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer


_KEPT = ("PATH", "HOME", "LANG", "TEST_ALL", "ODBCSYSINI", "SSL_CERT_FILE")  # the last two lead to a SQL Server


def environment(**changes: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | changes


def devcloud(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "devcloud", *arguments],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def in_this_process(*arguments: str, **changes: str) -> CommandResult:
    """A command that ends by itself and starts nothing, without the seconds that a start takes."""
    with commands.patched_process(changes) as (out, err), pytest.raises(SystemExit) as ended:
        app(arguments, prog_name="python -m devcloud")
    return CommandResult(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@contextlib.contextmanager
def host(log: Path, *arguments: str, app: Path = SAMPLE, **changes: str) -> Iterator[Host]:
    """A Functions host on a free port, always stopped at the end."""
    command = [sys.executable, "-m", "devcloud", "host", "--app", str(app), "--port", "0", *arguments]
    with (
        follow(log).open("w") as stderr,
        subprocess.Popen(
            command, cwd=ROOT, env=environment(**changes), stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            assert ready.startswith("host ready on http://127.0.0.1:"), log.read_text()
            yield Host(int(ready.rsplit(":", 1)[1]), process, log)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def free_ports() -> int:
    """The first of the consecutive free ports that the local cloud needs.

    They are below those of sockets without a fixed port, so that no other test gets one before the local cloud starts.
    """
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000, STAND_INS + 1)
        with contextlib.ExitStack() as taken, contextlib.suppress(OSError):
            for each in range(port, port + STAND_INS + 1):
                taken.enter_context(socket.socket()).bind(("127.0.0.1", each))
            return port


def app_of(directory: Path, source: str) -> Path:
    """A function app that consists of this one file."""
    directory.mkdir(exist_ok=True)
    (directory / "function_app.py").write_text(source)
    (directory / "host.json").write_text('{"version": "2.0"}')
    return directory


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    """Waits until something is so, or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
