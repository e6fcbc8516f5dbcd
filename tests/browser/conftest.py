import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, sync_playwright

from tests.devcloud import processes


NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Cloud:
    """The whole local cloud, as scripts/run starts it."""

    port: int

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def entra(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def shop(self) -> str:
        return f"http://127.0.0.1:{self.port + 2}/"

    @property
    def azure_devops(self) -> str:
        return f"http://127.0.0.1:{self.port + 3}"


@pytest.fixture(scope="module")  # no longer: while Playwright runs, its thread can run no other event loop
def chromium() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        message = "there is no Chromium on this machine; scripts/chromium tells how to get one"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory) -> Iterator[Cloud]:
    folder: Path = tmp_path_factory.mktemp("cloud")
    port = processes.free_ports()
    command = [sys.executable, "-m", "devcloud", "run", "--port", str(port), "--data", str(folder / "data")]
    log = folder / "log"
    with (
        log.open("w") as said,
        subprocess.Popen(
            command, cwd=processes.ROOT, env=processes.environment(), stdout=said, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        try:
            processes.wait_for(lambda: "Ready." in log.read_text() or process.poll() is not None, seconds=90)
            assert process.poll() is None, log.read_text()
            cloud = Cloud(port)
            requests.post(f"{cloud.shop}admin/pace", json={"ack_seconds": 1}, timeout=10).raise_for_status()
            yield cloud
        finally:
            process.terminate()
            process.wait(30)
