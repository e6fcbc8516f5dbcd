"""The database of a run: PostgreSQL behind a TCP proxy, or SQLite on a small disk."""

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
from tools.chaos.cloud.processes import Proxy, start_proxy


DATABASES: Final = ("postgresql", "sqlite")
_DISK: Final = "512m"
_BALLAST: Final = "ballast"


@dataclass
class Database:
    """`url` is the address for the workers, `direct_url` the one without faults; `disk` can be filled."""

    name: str
    url: str
    direct_url: str
    server: postgres.LocalServer | None = None
    proxy: Proxy | None = None
    disk: Path | None = None

    def lock_for_writing(self) -> Callable[[], None] | None:
        """Takes SQLite's write lock, like a backup or a shell; returns its release.

        None if the lock was not available in time.
        """
        path = sa.make_url(self.direct_url).database
        assert path is not None  # noqa: S101 - it is a file
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=LOCK_WAIT_SECONDS)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            connection.close()
            return None
        return connection.close

    def fill_disk(self) -> None:
        """Fills the disk to the last byte."""
        assert self.disk is not None  # noqa: S101 - the fault exists only with a disk
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
def open_database(name: str, folder: Path) -> Iterator[Database]:
    """An empty database without tables, for the duration of the context.

    Raises:
        NoPostgres: the programs of PostgreSQL are missing (a given server cannot be crashed).
        ProcessNotStarted: the proxy did not start.
    """
    if name == "sqlite":
        with _mount_disk(folder) as disk:
            url = f"sqlite:///{disk or folder}/timetracker.db"
            yield Database(name, url, url, disk=disk)
        return
    with postgres.local_server() as server:
        direct_url = postgres.make_database(server.url, "chaos")
        port = sa.make_url(direct_url).port
        assert port is not None  # noqa: S101 - a local server has one
        with start_proxy(folder / "proxy.log", port) as proxy:
            url = sa.make_url(direct_url).set(port=proxy.port).render_as_string(hide_password=False)
            yield Database(name, url, direct_url, server, proxy)


@contextlib.contextmanager
def _mount_disk(folder: Path) -> Iterator[Path | None]:
    """A small disk in memory; None without the right to mount it (root)."""
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
