"""Forks the processes of `forks.start`; it has already imported the product, so that they start quickly.

Reads requests from the socket of its first argument. Writes the process id to each request's own socket, and the exit
code at the end.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import devcloud.commands
import devcloud.functions.server
import function_app
import ops.__main__


LARGEST = 2**18  # bytes of a request, mostly the environment


@dataclass(frozen=True)
class ForkRequest:
    """A process to start: `streams` are its standard input, output and error; `exit_socket` gets its exit code."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    streams: list[int]
    exit_socket: socket.socket


def main(requests: socket.socket) -> ForkRequest | None:
    """Serves requests. Returns the request in each forked process, and None in the server once all senders are gone."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the tests
    signal.signal(signal.SIGCHLD, _ignore)  # so that its number is written to the pipe
    signal.set_wakeup_fd(waker)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report_exits(running)
        if requests.fileno() in ready:
            request = _receive(requests)
            if request is None:
                return None
            child = os.fork()
            if child == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                for each in (
                    woken,
                    waker,
                    requests.fileno(),
                    *(exit_socket.fileno() for exit_socket in running.values()),
                ):
                    os.close(each)
                return request
            running[child] = request.exit_socket
            request.exit_socket.send(f"{child}\n".encode())
            for stream in request.streams:
                os.close(stream)


def _ignore(*_: object) -> None:
    """Does nothing: the wake-up pipe gets the signal."""


def _receive(requests: socket.socket) -> ForkRequest | None:
    text, descriptors, *_ = socket.recv_fds(requests, LARGEST, 4)
    if not text:
        return None
    request: dict[str, Any] = json.loads(text)
    return ForkRequest(**request, streams=descriptors[:3], exit_socket=socket.socket(fileno=descriptors[3]))


def _report_exits(running: dict[int, socket.socket]) -> None:
    with suppress(ChildProcessError):  # without children
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with running.pop(ended[0]) as exit_socket, suppress(OSError):  # the reader may be gone
                exit_socket.send(f"{os.waitstatus_to_exitcode(ended[1])}\n".encode())


def run_request(request: ForkRequest) -> None:
    """Turns this process into the requested one, as `python -m MODULE ARGUMENTS` would begin."""
    request.exit_socket.close()
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = [request.module, *request.arguments]
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    assert all((devcloud.commands.app, devcloud.functions.server.serve, function_app.app, ops.__main__.app))
    gc.collect()
    gc.freeze()
    request = main(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        run_request(request)
