"""Answers which mutants the tests notice, in a process that has collected the tests once.

Thousands of mutants are tried; to start pytest, a host and a database for each would take longer than its tests. So
they run in a lane, a fork that keeps its servers from one mutant to the next. What a mutant leaves
there must not kill the next one: a test that fails is run again without the mutant, and where it fails then, too, the
lane is thrown away and the mutant tried again in a new one.
"""

import multiprocessing
import os
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

from devcloud.mutants.lane import KILLED, Asked, Said, lane


NO_TESTS: Final = 33  # as mutmut numbers what became of a mutant
TIMED_OUT: Final = 36
_forking: Final = multiprocessing.get_context("fork")


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
        self._lane: _Lane | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        known = {item.nodeid for item in session.items}
        os.environ["MIGRATED_SQLITE"] = str(_migrated(session))
        while (task := self._received()) is not None:
            started = time.monotonic()
            tests = [name for name in self._in_order(task) if name in known]
            code = self._tried(session, Asked(task.mutant, tests), task) if tests else NO_TESTS
            self._tasks.send((task.mutant, code, time.monotonic() - started))
        self._discard()
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

    def _tried(self, session: pytest.Session, asked: Asked, task: Task) -> int:
        is_new = self._lane is None
        self._lane = self._lane or _Lane(session)
        said = self._lane.answer(asked, task.limit)
        if said is None or not said.is_clean:
            self._discard()
        if said is None:
            return TIMED_OUT
        if not said.is_clean and not is_new:
            return self._tried(session, asked, task)
        if said.killer is not None:
            killers = self._killers[_function(task)]
            killers[:] = [*(name for name in killers if name != said.killer), said.killer]
        return said.code

    def _discard(self) -> None:
        if self._lane is not None:
            self._lane.end()
        self._lane = None


class _Lane:
    """A lane as the process that collected sees it."""

    def __init__(self, session: pytest.Session) -> None:
        self._asking, theirs = _forking.Pipe()
        self._process = _forking.Process(target=lane, args=(theirs, self._asking, session), daemon=True)
        self._process.start()
        theirs.close()

    def answer(self, asked: Asked, limit: float) -> Said | None:
        """None when there is no answer in time; a mutant that ends the process is noticed."""
        self._asking.send(asked)
        if not self._asking.poll(limit):
            return None
        try:
            said: Said = self._asking.recv()
        except EOFError:
            return Said(KILLED, None, is_clean=False)
        return said

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._asking.close()


def serve(tasks: Connection, arguments: Sequence[str]) -> None:
    """Collects the tests and answers tasks until their sender has gone."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    pytest.main(["--rootdir=.", "--tb=no", "-q", *arguments], plugins=[Warm(tasks)])


def _migrated(session: pytest.Session) -> Path:
    """A migrated SQLite file, of which each lane takes a copy."""
    path = Path(session.config.rootpath, f"migrated-{os.getpid()}.db")
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(command, env={**os.environ, "DATABASE_URL": f"sqlite:///{path}"}, check=True)  # noqa: S603 - ours
    return path


def _function(task: Task) -> str:
    return task.mutant.partition("__mutmut_")[0]
