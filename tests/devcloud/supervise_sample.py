"""Supervises one function app and a web server beside it, as the local cloud does with its emulators."""

import asyncio
import os
import sys
from pathlib import Path

from devcloud.children import ChildEnded, ProcessSpec, python
from devcloud.supervise import Supervisor


def show(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - read by the tests


async def ready() -> None:
    show("Ready.")


def main(app: Path, port: int) -> None:
    async def prepared() -> None:
        while (app / "not-prepared").exists():  # noqa: ASYNC110 - a test removes it
            await asyncio.sleep(0.02)

    host = ProcessSpec(
        "host",
        python("-m", "devcloud", "host", "--app", str(app), "--port", str(port)),
        f"http://127.0.0.1:{port}/api/health",
    )
    beside = ProcessSpec(
        "beside",
        python("-m", "http.server", str(port + 1), "--bind", "127.0.0.1"),
        f"http://127.0.0.1:{port + 1}/",
    )
    try:
        asyncio.run(Supervisor([host, beside], os.environ, project=app, show=show).run(prepared, ready))
    except ChildEnded as death:
        show(str(death))
        sys.exit(1)


main(Path(sys.argv[1]), int(sys.argv[2]))
