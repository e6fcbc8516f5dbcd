"""Child processes that read one command per line and write one result per line."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.devcloud import processes
from tests.support import forks
from tests.support.logs import follow


@dataclass(frozen=True)
class Child:
    process: forks.Process

    def send(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def receive(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def start_child(log: Path, settings: Mapping[str, str], module: str, *arguments: str) -> Iterator[Child]:
    """Runs a module as a child process; its log is checked against the privacy policy; it is killed at the end."""
    with (
        follow(log).open("w") as stderr,
        forks.start(
            module, *arguments, env=processes.environment(**settings), stdin=subprocess.PIPE, stderr=stderr
        ) as process,
    ):
        yield Child(process)
        process.kill()


@dataclass(frozen=True)
class CrashingJob:
    """A process that runs a job on request, and crashes at a given statement."""

    child: Child

    def begin(self, crash_at: int = 0) -> None:
        """Starts the job; it crashes just before that statement, or never for 0."""
        self.child.send(crash_at)

    def exit_code(self) -> int:
        """Waits for the exit code; negative for the number of a signal."""
        return int(self.child.receive())

    def run(self, crash_at: int = 0) -> int:
        self.begin(crash_at)
        return self.exit_code()


@contextmanager
def start_crashing_job(name: str, log: Path, settings: Mapping[str, str]) -> Iterator[CrashingJob]:
    with start_child(log, settings, "tests.faults.crashing_job", name) as started:
        assert started.receive() == "ready"
        yield CrashingJob(started)
