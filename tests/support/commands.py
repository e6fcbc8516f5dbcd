"""Runs the operators' command line in this process, since a start takes seconds and tests run hundreds of commands."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.__main__ import main
from shared.settings import Settings
from tests.support import forks


ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {str(field.alias) for field in Settings.model_fields.values()}
NOWHERE = "sqlite:////nowhere/timetracker.db"
WIDTH = "80"  # the width of a pipe


@dataclass(frozen=True)
class CommandResult:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self.out)

    @property
    def message(self) -> str:
        """The one line on stderr."""
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()

    @property
    def after_answer(self) -> str:
        """The text on stderr after the answer to a question."""
        return self.err.partition("[y/N] ")[2]


class Terminal(io.StringIO):
    """Standard input of a person at a terminal, whose answer comes after an action."""

    def __init__(self, answer: str, *, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__(f"{answer}\n")
        self._meanwhile = meanwhile

    def isatty(self) -> bool:
        return True

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # as its base has it
        self._meanwhile()
        return super().readline(size)


@contextmanager
def patched_process(
    settings: Mapping[str, str], stdin: io.StringIO | None = None
) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Replaces the settings and standard streams of this process for the duration of the context.

    Without `stdin`, standard input is empty and no terminal. Yields standard output and error.
    """
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
        patched.setattr(sys, "stdin", stdin or io.StringIO())
        for name in SETTINGS - settings.keys():
            patched.delenv(name, raising=False)
        for name, value in {**settings, "COLUMNS": WIDTH}.items():
            patched.setenv(name, value)
        yield out, err


class Ops:
    """The command line on a database, without other settings of the app."""

    def __init__(self, url: str, **settings: str) -> None:
        self._settings = {"DATABASE_URL": url, **settings}

    def __call__(self, *arguments: str, stdin: io.StringIO | None = None, **settings: str) -> CommandResult:
        """Runs a command; without `stdin`, standard input is empty and no terminal."""
        with patched_process({**self._settings, **settings}, stdin) as (out, err):
            code = main(arguments)
        return CommandResult(code, out.getvalue(), err.getvalue())

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> forks.Process:
        """Starts a process, for claims about processes."""
        environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        return forks.start("ops", *arguments, env={**environment, **self._settings}, stdin=stdin)


def wait_for_result(process: forks.Process) -> CommandResult:
    """Waits for a process, and returns its result."""
    out, err = process.communicate(timeout=60)
    return CommandResult(process.wait(), out, err)
