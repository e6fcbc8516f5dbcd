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

    def tell(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def told(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def child(log: Path, settings: Mapping[str, str], module: str, *arguments: str) -> Iterator[Child]:
    """What it logs is held against the privacy policy, as everything is; it is killed in the end."""
    with (
        follow(log).open("w") as stderr,
        forks.start(
            module, *arguments, env=processes.environment(**settings), stdin=subprocess.PIPE, stderr=stderr
        ) as process,
    ):
        yield Child(process)
        process.kill()


@dataclass(frozen=True)
class DyingJob:
    """A process that runs a job when it is told to, and dies where it is told to."""

    child: Child

    def begin(self, crash_at: int = 0) -> None:
        """Before so many statements; 0 is never."""
        self.child.tell(crash_at)

    def ended(self) -> int:
        """The exit code; negative is the signal it died by."""
        return int(self.child.told())

    def run(self, crash_at: int = 0) -> int:
        self.begin(crash_at)
        return self.ended()


@contextmanager
def dying_job(name: str, log: Path, settings: Mapping[str, str]) -> Iterator[DyingJob]:
    with child(log, settings, "tests.faults.dying_job", name) as started:
        assert started.told() == "ready"
        yield DyingJob(started)
