import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ops.__main__ import main
from shared import clock
from shared.db.schema import audit_log, tenants
from tests.support.world import Person


ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "ops"]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self.out)

    @property
    def told(self) -> str:
        """The one line on stderr."""
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


@dataclass(frozen=True)
class Ops:
    """The command line as its own process, with nothing of the app's settings but the database."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ENTRA_", "TRIAL_"))}
        return {**kept, "DATABASE_URL": self.url, "PYTHONUTF8": "1"}

    def __call__(self, *arguments: str, **environment: str) -> Done:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def at_the_question(self, *arguments: str) -> Iterator["Asking"]:
        """A command on a terminal, waiting for an answer."""
        terminal, theirs = os.openpty()
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.close(theirs)
        with process:
            try:
                yield Asking(process, terminal)
            finally:
                process.kill()
                os.close(terminal)


@dataclass(frozen=True)
class Asking:
    process: subprocess.Popen[bytes]
    terminal: int

    def question(self) -> str:
        """All that is shown up to and with the question."""
        assert self.process.stderr is not None
        shown = b""
        while not shown.endswith(b"[y/N] "):
            letter = self.process.stderr.read(1)
            assert letter, shown
            shown += letter
        return shown.decode()

    def answer(self, text: str) -> Done:
        os.write(self.terminal, text.encode() + b"\n")
        out, err = self.process.communicate(timeout=60)
        return Done(self.process.returncode, out.decode(), err.decode())


@dataclass(frozen=True)
class Books:
    """What the database has about a tenant."""

    engine: sa.Engine

    def tenant(self, slug: str) -> dict[str, Any]:
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(tenants).where(tenants.c.slug == slug)).one()
        return dict(row._mapping)

    def audit(self, slug: str, action: str) -> list[dict[str, Any]]:
        query = (
            sa.select(audit_log)
            .join(tenants, tenants.c.id == audit_log.c.tenant_id)
            .where(tenants.c.slug == slug, audit_log.c.action == action)
            .order_by(audit_log.c.id)
        )
        with self.engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def set(self, slug: str, **values: Any) -> None:  # noqa: ANN401 - whatever a column holds
        with self.engine.begin() as connection:
            connection.execute(tenants.update().where(tenants.c.slug == slug).values(**values))


@pytest.fixture
def ops(app_database_url) -> Ops:
    return Ops(app_database_url)


@pytest.fixture
def here(monkeypatch, capsys) -> Callable[..., Done]:
    """Runs a command in this process: a start takes a second, and there are many that only read or refuse."""

    def run(*arguments: str, **environment: str) -> Done:
        with monkeypatch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            code = main(arguments)
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


@pytest.fixture
def reads(here, app_database_url) -> Callable[..., Done]:
    """As `here`, on the database."""
    return functools.partial(here, DATABASE_URL=app_database_url)


@pytest.fixture
def refused_usage(here) -> Callable[..., str]:
    """Runs a command that never comes to a database; what it told."""

    def run(*arguments: str) -> str:
        done = here(*arguments)
        assert (done.code, done.out) == (2, "")
        told: str = done.told
        return told

    return run


@pytest.fixture
def books(engine) -> Books:
    return Books(engine)


@pytest.fixture
def admin(world) -> Person:
    """The super admin of a new trial that began at this very moment, by the clock that the command line reads."""
    world.clock.at = clock.now()
    person: Person = world.tenant()
    return person


@pytest.fixture
def slug(admin) -> str:
    found: str = admin.post("sign-in").body["tenant"]["slug"]
    return found
