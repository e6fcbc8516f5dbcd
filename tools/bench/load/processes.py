"""Starts hosts, and reads processor time and memory of processes from /proc."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


PROJECT = Path(__file__).resolve().parents[3]
LOG = PROJECT / ".data" / "bench" / "hosts.log"
READY = "host ready on http://127.0.0.1:"
_TICKS = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 15
_MB_KB = 1024


class HostDied(Exception):
    """A host ended before it was ready; its log has the reason."""


@dataclass(frozen=True, slots=True)
class Host:
    """A running host: its port, and the root process of the measured tree."""

    port: int
    pid: int


@contextlib.contextmanager
def start_host(app_dir: Path, environment: Mapping[str, str]) -> Iterator[Host]:
    """Starts the local Functions host with one app on a free port, for the duration of the context.

    Raises:
        HostDied: it ended during the start.
    """
    LOG.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "devcloud", "host", "--app", str(app_dir), "--port", "0"]
    with LOG.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    with terminate_at_exit(process):
        yield Host(_port(process), process.pid)


@contextlib.contextmanager
def terminate_at_exit(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ends the process with the context, after a time by SIGKILL."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _port(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None  # noqa: S101 - a pipe
    for raw in process.stdout:
        line = raw.decode(errors="replace").strip()
        if line.startswith(READY):
            return int(line.removeprefix(READY))
    raise HostDied(f"a host ended with exit code {process.wait()}; see {LOG.relative_to(PROJECT)}")


def process_tree(pid: int) -> list[int]:
    """The process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid, *(each for child in children for each in process_tree(int(child)))]


def cpu_seconds(pids: list[int]) -> float:
    """Processor time of these processes since their start, kernel included."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def rss_mb(pids: list[int]) -> float:
    return _memory_mb(pids, "VmRSS")


def peak_mb(pids: list[int]) -> float:
    """The peak of resident memory since `reset_peak`, or since the start."""
    return _memory_mb(pids, "VmHWM")


def reset_peak(pids: list[int]) -> None:
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _memory_mb(pids: list[int], name: str) -> float:
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith(f"{name}:"):
                    total += int(line.split()[1])
    return total / _MB_KB
