"""Processes of the product, forked from one with all imports, which saves a second for each start.

They are real processes, with their own signals, streams, exit code and environment. Claims about the start itself
(imports, a missing package, the interpreter's options) are in tests with `subprocess`.
"""

import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self, TypeAlias


ROOT = Path(__file__).resolve().parents[2]
Stream: TypeAlias = int | IO[str]
_start_lock = threading.Lock()


@dataclass
class Process:
    """The part of `subprocess.Popen` that tests use; a stream without a pipe is None."""

    pid: int
    stdin: IO[str] | None
    stdout: IO[str] | None
    stderr: IO[str] | None
    _exit_socket: socket.socket = field(repr=False)
    returncode: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._close()

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the exit code; negative for the number of a signal.

        Raises:
            TimeoutError: it still runs.
        """
        if self.returncode is None:
            self._exit_socket.settimeout(timeout)
            self.returncode = _number(self._exit_socket)
            self._exit_socket.close()
        return self.returncode

    def poll(self) -> int | None:
        with suppress(BlockingIOError):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Standard output and error until the end."""
        assert self.stdout is not None
        assert self.stderr is not None
        errors: list[str] = []
        reading = threading.Thread(target=lambda: errors.append(self.stderr.read() if self.stderr else ""))
        reading.start()
        out = self.stdout.read()
        reading.join()
        self.wait(timeout)
        self._close()
        return out, errors[0]

    def _close(self) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def start(
    module: str,
    *arguments: str,
    env: Mapping[str, str],
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = subprocess.PIPE,
    stderr: Stream = subprocess.PIPE,
) -> Process:
    """Starts `python -m MODULE ARGUMENTS` in the project's folder, with exactly this environment."""
    exit_socket, server_socket = socket.socketpair()
    with ExitStack() as theirs:
        theirs.enter_context(server_socket)
        into, reads = _ends(theirs, stdin, os.O_RDONLY)
        outof, writes = _ends(theirs, stdout, os.O_WRONLY)
        errors, complains = _ends(theirs, stderr, os.O_WRONLY)
        request = {"module": module, "arguments": arguments, "environment": dict(env)}
        with _start_lock:
            server = _server()
            socket.send_fds(server, [json.dumps(request).encode()], [reads, writes, complains, server_socket.fileno()])
    return Process(_number(exit_socket), into, outof, errors, exit_socket)


def _ends(theirs: ExitStack, stream: Stream, mode: int) -> tuple[IO[str] | None, int]:
    """Our end of a pipe, if any, and the descriptor for the process."""
    if stream == subprocess.PIPE:
        reading, writing = os.pipe()
        mine, its = (writing, reading) if mode == os.O_RDONLY else (reading, writing)
        theirs.callback(os.close, its)
        return os.fdopen(mine, "w" if mode == os.O_RDONLY else "r", encoding="utf-8"), its
    if stream == subprocess.DEVNULL:
        its = os.open(os.devnull, mode)
        theirs.callback(os.close, its)
        return None, its
    return None, stream if isinstance(stream, int) else stream.fileno()


def _number(server_socket: socket.socket) -> int:
    text = b""
    while not text.endswith(b"\n"):
        part = server_socket.recv(1)
        if not part:
            raise ChildProcessError("the fork server ended")
        text += part
    return int(text)


@functools.cache
def _server() -> socket.socket:
    """The fork server of this process, until its end."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.support.fork_server", str(its.fileno())]
    process = subprocess.Popen(command, cwd=ROOT, pass_fds=[its.fileno()])
    its.close()

    def end() -> None:
        mine.close()
        process.wait(10)

    atexit.register(end)
    return mine
