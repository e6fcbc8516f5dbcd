"""Runs the local Functions host in this process: index, bind, serve, stop."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
import uvloop
from rich.console import Console
from rich.table import Table

from devcloud.functions.host import HttpFrontend, route_prefix
from devcloud.functions.schedule import Timers, check_schedules
from devcloud.functions.worker import HTTP_LIMIT_SECONDS, Function, Worker
from devcloud.ports import LOOPBACK, listen
from shared import clock


GRACE_SECONDS = 5


class UnknownFunction(Exception):
    """The named function is not a timer function of the app."""


@dataclass(frozen=True, slots=True)
class Options:
    app_dir: Path
    port: int
    timers: bool = False
    http_limit: float = HTTP_LIMIT_SECONDS
    verbose: bool = False
    logs_requests: bool = False


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled below, for the exit code."""
        yield


def serve(options: Options) -> None:
    """Serves until SIGINT or SIGTERM; running handlers get a grace period."""
    worker = uvloop.run(_serve(options))
    if not worker.close(grace_seconds=GRACE_SECONDS):
        sys.stderr.write("devcloud host: stopped with functions still running\n")
        sys.stderr.flush()
        os._exit(0)  # a thread cannot be ended, and could run for minutes


def run_once(options: Options, name: str) -> bool:
    """Runs one timer function now; True when it succeeded."""

    async def run() -> bool:
        worker = await Worker.start(options.app_dir, verbose=options.verbose)
        function = worker.functions.get(name)
        if function is None or not function.is_timer:
            timers = ", ".join(sorted(each.name for each in worker.functions.values() if each.is_timer))
            raise UnknownFunction(f"{name} is not a timer function of the app; these are: {timers or 'none'}")
        return await Timers(worker, clock.now).run(function)

    return uvloop.run(run())


async def _serve(options: Options) -> Worker:
    prefix = route_prefix(options.app_dir)
    worker = await Worker.start(options.app_dir, http_limit=options.http_limit, verbose=options.verbose)
    check_schedules(worker.functions.values())
    timers = Timers(worker, clock.now)
    front = HttpFrontend(worker, timers, prefix, logs_requests=options.logs_requests)
    listening = listen(options.port)
    server = _Server(
        uvicorn.Config(
            front,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)  # noqa: FBT003 - setattr has no keywords
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.005)
    if options.verbose:
        _show(worker.functions.values(), prefix)
    if options.timers:
        timers.start()
    port = listening.getsockname()[1]
    print(f"host ready on http://{LOOPBACK}:{port}", flush=True)  # noqa: T201 - the caller waits for it
    await serving
    timers.stop()
    return worker


def _show(functions: Iterable[Function], prefix: str) -> None:
    table = Table("function", "trigger", "where or when", box=None)
    for function in sorted(functions, key=lambda each: each.name.upper()):
        if function.is_http:
            methods = ",".join(sorted(function.methods or {"any"}))
            table.add_row(function.name, methods, f"/{prefix}/{function.route}".replace("//", "/"))
        else:
            table.add_row(function.name, "timer", str(function.trigger.get("schedule")))
    Console(stderr=True).print(table)
