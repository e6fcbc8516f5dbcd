"""The database of a run: PostgreSQL behind a line that can be cut, or SQLite on a disk that can be filled."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from devcloud import postgres
from shared.db.engine import LOCK_WAIT_SECONDS
from tools.chaos.cloud.processes import Line, line


NAMES: Final = ("postgresql", "sqlite")
_DISK: Final = "512m"
_BALLAST: Final = "ballast"


@dataclass
class Database:
    """`url` is the workers' way to it, `own_url` the one past all trouble; `disk` is where it can be filled."""

    name: str
    url: str
    own_url: str
    server: postgres.Local | None = None
    line: Line | None = None
    disk: Path | None = None

    def hold(self) -> Callable[[], None] | None:
        """Takes SQLite's one write lock, as a backup or an operator's shell may; returns what gives it back.

        None where others held it for longer than we wait.
        """
        path = sa.make_url(self.own_url).database
        assert path is not None  # noqa: S101 - it is a file
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=LOCK_WAIT_SECONDS)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            other.close()
            return None
        return other.close

    def fill_disk(self) -> None:
        """Takes every byte that is left."""
        assert self.disk is not None  # noqa: S101 - asked only where there is one
        with (self.disk / _BALLAST).open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(1 << 16))
        with (self.disk / _BALLAST).open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(512))

    def free_disk(self) -> None:
        assert self.disk is not None  # noqa: S101 - likewise
        (self.disk / _BALLAST).unlink(missing_ok=True)


@contextlib.contextmanager
def database(name: str, folder: Path) -> Iterator[Database]:
    """An empty database, not migrated yet, for as long as the context lasts.

    Raises:
        NoPostgres: there are no programs of PostgreSQL here; a given server cannot be made to crash.
        NotStarted: the line to it does not get ready.
    """
    if name == "sqlite":
        with _disk(folder) as disk:
            url = f"sqlite:///{disk or folder}/timetracker.db"
            yield Database(name, url, url, disk=disk)
        return
    with postgres.local() as server:
        own_url = postgres.make_database(server.url, "chaos")
        port = sa.make_url(own_url).port
        assert port is not None  # noqa: S101 - a local server has one
        with line(folder / "line.log", port) as to_it:
            url = sa.make_url(own_url).set(port=to_it.port).render_as_string(hide_password=False)
            yield Database(name, url, own_url, server, to_it)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[Path | None]:
    """A small disk in memory, which only root may mount; None for others."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="disk-", dir=folder) as name:
        command = [mount, "-t", "tmpfs", "-o", f"size={_DISK}", "none", name]
        mounted = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own command
        if mounted.returncode:
            yield None
            return
        try:
            yield Path(name)
        finally:
            subprocess.run([umount, "--lazy", name], check=False)  # noqa: S603 - likewise
