"""Everything the local cloud starts ends with it, and the host follows the sources."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import pytest

from devcloud.ports import listen
from tests.devcloud import processes
from tests.devcloud.processes import is_alive


APP = """
import os
import subprocess
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="health", methods=["GET"])
def health(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"{os.getpid()} ANSWER")

@app.route(route="spawn", methods=["GET"])
def spawn(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(str(subprocess.Popen(["sleep", "300"]).pid))
"""


@dataclass
class SupervisedApp:
    process: subprocess.Popen[str]
    app: Path
    port: int
    lines: queue.Queue[str] = field(default_factory=queue.Queue)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reading = threading.Thread(target=self._read)
        self.reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def until(self, wanted: str) -> str:
        while wanted not in (line := self.lines.get(timeout=60)):
            self.said.append(line)
        self.said.append(line)
        return line

    def get(self, path: str) -> str:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def until_up(self) -> None:
        for _ in range(400):
            with contextlib.suppress(ConnectionError):
                self.get("/api/health")
                return
            time.sleep(0.05)
        pytest.fail("the host does not answer")

    def rest(self) -> str:
        self.process.wait(30)
        self.reading.join(20)
        return "".join(self.said) + "".join(self.lines.queue)


@contextlib.contextmanager
def supervise(tmp_path: Path, source: str = APP, *, prepared: bool = True) -> Iterator[SupervisedApp]:
    app = processes.app_of(tmp_path / "app", source)
    if not prepared:
        (app / "not-prepared").touch()
    port = processes.free_ports()
    command = [sys.executable, "-m", "tests.devcloud.supervise_sample", str(app), str(port)]
    with subprocess.Popen(
        command,
        cwd=processes.ROOT,
        env=processes.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        running = SupervisedApp(process, app, port)
        try:
            yield running
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
            running.reading.join(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_no_process_behind(tmp_path, number):
    with supervise(tmp_path) as running:
        running.until("Ready.")
        pids = [int(running.get("/api/health").split()[0]), int(running.get("/api/spawn"))]
        assert all(map(is_alive, pids))

        running.process.send_signal(number)

        assert running.process.wait(20) == 0
        assert not any(map(is_alive, pids))
        for port in (running.port, running.port + 1):
            listen(port).close()


def test_a_child_that_dies_ends_everything_and_is_named(tmp_path):
    with supervise(tmp_path) as running:
        running.until("Ready.")

        os.kill(int(running.get("/api/health").split()[0]), signal.SIGKILL)

        assert running.process.wait(20) == 1
        assert "host stopped (signal 9): " in running.rest()
        for port in (running.port, running.port + 1):
            listen(port).close()


def test_a_first_start_that_fails_is_one_line(tmp_path):
    with supervise(tmp_path, "def bad(:\n") as running:
        assert running.process.wait(30) == 1
        assert running.rest().splitlines() == [
            "host stopped (exit 1): host: cannot index the app: SyntaxError: invalid syntax (function_app.py, line 1)"
        ]


def test_the_host_follows_the_sources_through_a_mistake(tmp_path):
    with supervise(tmp_path) as running:
        running.until("Ready.")
        source = running.app / "function_app.py"

        source.write_text(APP.replace("ANSWER", "second"))
        running.until("function_app.py changed: restarting the host")
        running.until("host ready on")
        second = running.get("/api/health")
        source.write_text("def bad(:\n")
        running.until("SyntaxError: invalid syntax (function_app.py, line 1)")
        running.until("waiting for the next change")
        source.write_text(APP.replace("ANSWER", "third"))
        running.until("host ready on")

        assert second.endswith(" second")
        assert running.get("/api/health").endswith(" third")
        assert running.process.poll() is None


def test_a_change_while_it_starts_is_followed(tmp_path):
    with supervise(tmp_path, prepared=False) as running:
        running.until_up()
        (running.app / "function_app.py").write_text(APP.replace("ANSWER", "second"))

        (running.app / "not-prepared").unlink()

        running.until("Ready.")
        running.until("function_app.py changed: restarting the host")
        running.until("host ready on")
        assert running.get("/api/health").endswith(" second")
