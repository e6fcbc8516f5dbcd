"""Migrated databases for tests, copied from one template for each engine and process."""

import functools
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from devcloud import postgres
from shared import clock
from shared.db.engine import make_engine
from shared.db.schema import installation
from tests.support import mssql


ROOT: Final = Path(__file__).resolve().parents[2]


def migrate(url: str) -> str:
    """Migrates a database to the newest revision, and returns its URL."""
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, check=True)
    return url


class Databases:
    """The databases of one process; `server_of` returns the URL of a server of a kind, and starts it if needed."""

    def __init__(self, folder: Path, worker: str, server_of: Callable[[str], str]) -> None:
        self._folder, self._worker, self._server_of = folder, worker, server_of
        self._used: set[str] = set()
        self._template = functools.cache(self._make_template)

    @contextmanager
    def create(self, kind: str, name: str) -> Iterator[str]:
        """The URL of an empty, migrated database with its own installation id, for the duration of the context.

        Afterwards its name is free: the next database has the same URL, so that an engine serves one after another.
        """
        each = (f"{name}_{self._worker}_{number}" for number in itertools.count(1))
        name = next(free for free in each if free not in self._used)
        self._used.add(name)
        if kind == "sqlite":
            path = self._folder / f"{name}.db"
            shutil.copy(self._template(kind), path)
            url = f"sqlite:///{path}"
        elif kind == "postgresql":
            url = postgres.make_database(self._server_of(kind), name, template=self._template(kind))
        else:  # SQL Server has no templates
            url = migrate(mssql.make_database(self._server_of(kind), name))
        _begin_installation(url)
        yield url
        if kind == "sqlite":
            for left in self._folder.glob(f"{name}.db*"):
                left.unlink()
        else:
            (postgres if kind == "postgresql" else mssql).drop_database(self._server_of(kind), name)
        self._used.remove(name)

    def _make_template(self, kind: str) -> str:
        """The path or the name of the template; MIGRATED_SQLITE may name an existing file."""
        if kind == "sqlite":
            path = os.environ.get("MIGRATED_SQLITE") or f"{self._folder}/template.db"
            if not Path(path).exists():
                migrate(f"sqlite:///{path}")
            return path
        name = f"template_{self._worker}"
        migrate(postgres.make_database(self._server_of(kind), name))
        return name


def _begin_installation(url: str) -> None:
    """A new installation id, since copies would share the data outside the database."""
    engine = make_engine(url, pool_size=1)
    with engine.begin() as tx:
        tx.execute(installation.update().values(public_id=clock.new_id()))
    engine.dispose()
