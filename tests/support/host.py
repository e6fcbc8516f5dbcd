"""The product behind a real HTTP server in this process, so that a test can replace the App."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from devcloud.functions.host import HttpFrontend
from devcloud.functions.schedule import Timers
from devcloud.functions.worker import Worker
from shared import clock


ROOT = Path(__file__).resolve().parents[2]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listening() -> socket.socket:
    """Sets IPPROTO_TCP explicitly, since asyncio enables TCP_NODELAY only for such sockets."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    return listening


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The base URL of the app's host for the duration of the context; once per process, as the worker demands."""
    listening = _listening()
    port = listening.getsockname()[1]
    ready = threading.Event()
    servers: list[_Server] = []
    failures: list[BaseException] = []

    async def serve() -> None:
        worker = await Worker.start(ROOT)
        front = HttpFrontend(worker, Timers(worker, clock.now), "api")
        config = uvicorn.Config(front, lifespan="off", interface="asgi3", log_config=None, access_log=False, ws="none")
        servers.append(_Server(config))
        ready.set()
        await servers[0].serve(sockets=[listening])

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - raised in the waiting test
            failures.append(error)
            ready.set()

    thread = threading.Thread(target=run, daemon=True, name="host")
    thread.start()
    ready.wait(60)
    if failures:
        raise failures[0]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        servers[0].should_exit = True
        thread.join(10)
