"""Runs the tests of one mutant after another, each in a fork of a process that has collected them all.

To start pytest anew for each of thousands of mutants takes longer than the tests do.
"""

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test


KILLED: Final = 1
SURVIVED: Final = 0
NO_TESTS: Final = 33  # as mutmut numbers what became of a mutant
TIMED_OUT: Final = 36
_POLL_SECONDS: Final = 0.005


@dataclass(frozen=True)
class Task:
    """A mutant by its name, the tests that may notice it, the quickest first, and the seconds they get."""

    mutant: str
    tests: Sequence[str]
    limit: float


class Warm:
    """A plugin of pytest that answers tasks instead of running the tests once."""

    def __init__(self, tasks: Connection) -> None:
        self._tasks = tasks
        self._killers: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        os.environ["MIGRATED_SQLITE"] = str(_migrated(session))
        while (task := self._received()) is not None:
            started = time.monotonic()
            tests = [items[name] for name in self._in_order(task) if name in items]
            code = self._tried(session, task, tests) if tests else NO_TESTS
            self._tasks.send((task.mutant, code, time.monotonic() - started))
        return True

    def _received(self) -> Task | None:
        try:
            task: Task | None = self._tasks.recv()
        except EOFError:
            return None
        return task

    def _in_order(self, task: Task) -> list[str]:
        """First what noticed other mutants of the function, the latest before the others."""
        known = [name for name in reversed(self._killers[_function(task)]) if name in task.tests]
        return list(dict.fromkeys([*known, *task.tests]))

    def _tried(self, session: pytest.Session, task: Task, tests: Sequence[pytest.Item]) -> int:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _run(session, task.mutant, tests, writing)
        os.close(writing)
        code = _ended(child, task.limit)
        with os.fdopen(reading) as said:
            killer = said.read()
        if killer:
            killers = self._killers[_function(task)]
            killers[:] = [*(name for name in killers if name != killer), killer]
        return code


def serve(tasks: Connection, arguments: Sequence[str]) -> None:
    """Collects the tests and answers tasks until their sender has gone."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    set_mutant_under_test("")
    pytest.main(["--rootdir=.", "--tb=no", "-q", *arguments], plugins=[Warm(tasks)])


def _run(session: pytest.Session, mutant: str, tests: Sequence[pytest.Item], said: int) -> None:
    """Runs tests up to the first that fails, says its name, and ends the process."""
    set_mutant_under_test(mutant)
    code = SURVIVED
    try:
        for test, following in zip(tests, [*tests[1:], None], strict=True):
            test.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
            if session.testsfailed:
                os.write(said, test.nodeid.encode())
                code = KILLED
                break
    except BaseException:  # noqa: BLE001 - whatever breaks out of pytest is noticed, too
        code = KILLED
    os._exit(code)


def _ended(child: int, limit: float) -> int:
    """What a fork ended with, which is ended where it takes longer than it may."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL_SECONDS)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return TIMED_OUT


def _migrated(session: pytest.Session) -> Path:
    """A migrated SQLite file, of which each fork takes a copy."""
    path = Path(session.config.rootpath, f"migrated-{os.getpid()}.db")
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(command, env={**os.environ, "DATABASE_URL": f"sqlite:///{path}"}, check=True)  # noqa: S603 - ours
    return path


def _function(task: Task) -> str:
    return task.mutant.partition("__mutmut_")[0]
