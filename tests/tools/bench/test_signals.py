"""A benchmark ended by a signal leaves no server running."""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.devcloud import processes


BENCH = """
import pathlib, runpy, sys, time
from tools.bench.load import processes
from tools.bench.parts import start_stop

processes.PROJECT = pathlib.Path(sys.argv.pop())
start_stop.run = lambda *_: print("measuring", flush=True) or time.sleep(60)
runpy.run_module("tools.bench", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def project():
    """A folder that PostgreSQL's user can read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGTERM] * 3, [signal.SIGINT]])
def test_a_signal_leaves_no_database_server_running(project, numbers):
    command = [sys.executable, "-c", BENCH, "start-stop", str(project)]
    environment = processes.environment()
    with subprocess.Popen(
        command, cwd=processes.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as bench:
        assert bench.stdout is not None
        lines = []
        while "measuring" not in (line := bench.stdout.readline()):
            lines.append(line)
            assert line, lines
        data = project / ".data" / "bench" / "postgres" / "data"
        server = int((data / "postmaster.pid").read_text().split()[0])
        for number in numbers:
            bench.send_signal(number)
            time.sleep(0.05)  # the next signal arrives during the shutdown
        bench.communicate(timeout=60)

    assert bench.returncode != 0
    assert not processes.is_alive(server)
